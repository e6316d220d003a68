"""Who signed a call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from strongroom.names import AccountId, Arn


class PrincipalType(StrEnum):
    """The values of `aws:PrincipalType`."""

    ROOT = "Account"
    USER = "User"
    ASSUMED_ROLE = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    WEB_IDENTITY = "WebIdentity"
    """Who calls AssumeRoleWithWebIdentity: a token's subject, without a signature."""


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
    """aws:PrincipalTag: of the user or role, overlaid by those of the session."""
    token_issued_at: dt.datetime | None = None
    """Set for temporary credentials only."""
    role_id: str | None = None
    """ASSUMED_ROLE: AROA…, by which the role is found at every call."""
    role_arn: Arn | None = None
    """ASSUMED_ROLE: the role's IAM ARN, with its path."""
    issuer_id: str | None = None
    """FEDERATED_USER: the user (AIDA…) that made the session; None when the root user did."""
    issuer_arn: Arn | None = None
    session_policies: tuple[str, ...] | None = None
    """Documents given when the session was made; None: neither documents nor ARNs were."""
    session_policy_arns: tuple[Arn, ...] = ()
    """Managed policies given when the session was made; they count as they are at each call."""
    source_identity: str | None = None
    provider: str | None = None
    """Sessions of a web identity: the provider's host and path."""

    @property
    def is_root(self) -> bool:
        return self.type is PrincipalType.ROOT


def user_identity(principal: Principal) -> dict[str, object]:
    """Return the userIdentity of an audit record (fact sheet cloudtrail section 2)."""
    identity: dict[str, object] = {
        "type": _RECORDED_TYPES[principal.type],
        "principalId": principal.principal_id,
        "arn": principal.arn,
        "accountId": principal.account_id,
        "accessKeyId": principal.access_key_id,
    }
    if principal.user_name is not None:
        identity["userName"] = principal.user_name
    if principal.token_issued_at is not None:
        identity["sessionContext"] = {
            "attributes": {
                "creationDate": principal.token_issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "mfaAuthenticated": "false",
            }
        }
    return identity


_RECORDED_TYPES: Final = {
    PrincipalType.ROOT: "Root",
    PrincipalType.USER: "IAMUser",
    PrincipalType.ASSUMED_ROLE: "AssumedRole",
    PrincipalType.FEDERATED_USER: "FederatedUser",
    PrincipalType.WEB_IDENTITY: "WebIdentityUser",
}
