"""Who signed a call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from strongroom.names import AccountId, Arn


class PrincipalType(StrEnum):
    """The values of `aws:PrincipalType`."""

    ROOT = "Account"
    USER = "User"
    ASSUMED_ROLE = "AssumedRole"
    FEDERATED_USER = "FederatedUser"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. Two are equal exactly when they are the same caller with the same rights."""

    type: PrincipalType
    account_id: AccountId
    arn: Arn
    """As shown in messages and records (the sts assumed-role ARN for a role session)."""
    principal_id: str
    """`aws:userid`: account id (root), AIDA… (user), AROA…:session (role session)."""
    access_key_id: str
    user_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    token_issued_at: dt.datetime | None = None
    """Set for temporary credentials only."""

    @property
    def is_root(self) -> bool:
        return self.type is PrincipalType.ROOT
