"""From an access key id to who calls with it, remembered per process as long as the stored records stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from strongroom.crypto.aead import KeyedHash
from strongroom.identity.principal import Principal, PrincipalType, user_identity
from strongroom.identity.records import AccessKey, User
from strongroom.operations.iam.credentials import open_secret_access_key, principal_of
from strongroom.ports import ACCESS_KEYS, USERS, ReadUnit, RootKey
from strongroom.wire.sigv4 import Credential, SigningKeys

__all__ = ["Caller", "Callers"]

LIMIT = 10_000
"""Callers remembered at most; beyond it all are forgotten and met again."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal with what every call of it needs."""

    principal: Principal
    credential: Credential
    context: Mapping[str, str]
    """Condition keys that depend on the principal alone."""
    identity: orjson.Fragment
    """userIdentity of its audit records."""


class Callers:
    """Finds callers by access key id.

    SECURITY: an entry is good only for the very records it was made from. The store returns another object
    for a record that was changed, so a deactivated key or a changed user is never answered from here.
    """

    def __init__(self, root_key: RootKey) -> None:
        self._root_key = root_key
        self._signing_keys = SigningKeys()
        self._known: dict[str, tuple[AccessKey, User | None, Caller]] = {}

    def find(self, unit: ReadUnit, access_key_id: str) -> Caller | None:
        """Return who signs with `access_key_id`; None when there is no such key, or its user has gone."""
        record = unit.find(ACCESS_KEYS, "", access_key_id)
        if record is None:
            return None
        user = None
        if record.user_id is not None:
            user = unit.find(USERS, record.account_id, record.user_id)
        known = self._known.get(access_key_id)
        if known is not None and known[0] is record and known[1] is user:
            return known[2]
        principal = principal_of(unit, record)
        if principal is None:
            return None
        caller = self._caller(record, principal)
        if len(self._known) >= LIMIT:
            self._known.clear()
        self._known[access_key_id] = (record, user, caller)
        return caller

    def _caller(self, record: AccessKey, principal: Principal) -> Caller:
        def signing_key(date: str, region: str, service: str) -> KeyedHash:
            secret = partial(open_secret_access_key, self._root_key, record)
            return self._signing_keys.get(record.access_key_id, record, secret, date, region, service)

        return Caller(
            principal=principal,
            credential=Credential(record.access_key_id, record.active, signing_key),
            context=_principal_context(principal),
            identity=orjson.Fragment(orjson.dumps(user_identity(principal))),
        )


def _principal_context(principal: Principal) -> dict[str, str]:
    context: dict[str, Any] = {
        "aws:PrincipalArn": principal.arn,
        "aws:PrincipalAccount": principal.account_id,
        "aws:PrincipalType": principal.type.value,
        "aws:userid": principal.principal_id,
    }
    if principal.type is PrincipalType.USER and principal.user_name is not None:
        context["aws:username"] = principal.user_name
    for key, value in principal.tags.items():
        context[f"aws:PrincipalTag/{key}"] = value
    return context
