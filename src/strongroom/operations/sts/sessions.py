"""Session tokens: made, opened, and whom they stand for at this moment.

A token is a version byte and the session's facts, sealed by the root key and bound to the access key id, in
base64. So making a session writes nothing, and any worker or node with the root key can open it; yet it is
good only as long as the role or user it stands for is there. Sources: fact sheet iam sections 4, 11 and 13;
DESIGN promises 1 and 3.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from strongroom.errors import IntegrityError
from strongroom.identity import ids
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import AccessKey, Role, User
from strongroom.identity.sessions import Given, Session, decode_session, encode_session
from strongroom.identity.tags import without_tags
from strongroom.names import AccountId, Arn, assumed_role_arn, federated_user_arn, root_arn
from strongroom.operations.call import Call, Resources
from strongroom.ports import ACCESS_KEYS, ROLES, USERS, ReadUnit, RootKey

__all__ = [
    "Origins",
    "issue",
    "mint",
    "open_session",
    "origins_of",
    "principal_of_session",
    "seal_session",
]

PURPOSE: Final = "session"
"""The root key's subkey that seals session tokens."""
MAX_TOKEN_CHARACTERS: Final = 16_384
"""More than any token has; what is longer is not decoded at all."""
NOTHING_GIVEN: Final = Given()
_VERSION: Final = b"\x01"


def seal_session(root_key: RootKey, session: Session) -> str:
    """Return the session token: opaque, and good for the session's access key id only."""
    sealed = root_key.wrap(PURPOSE, encode_session(session), _bound_to(session.access_key_id))
    return base64.b64encode(_VERSION + sealed).decode()


def open_session(root_key: RootKey, access_key_id: str, token: str) -> Session | None:
    """Return the session of a token that goes with `access_key_id`; None for any other text.

    Whether it has expired is not looked at.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        return None
    try:
        raw = base64.b64decode(token.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    # Only the one spelling that was given out: base64 has others of the same bytes.
    if raw[:1] != _VERSION or base64.b64encode(raw).decode() != token:
        return None
    try:
        session = decode_session(root_key.unwrap(PURPOSE, raw[1:], _bound_to(access_key_id)))
    except IntegrityError:
        # Not damage: anyone can send any text.
        return None
    return session if session.access_key_id == access_key_id else None


class Origins(msgspec.Struct, frozen=True, eq=False):
    """The stored records a session hangs from."""

    role: Role | None = None
    user: User | None = None
    access_key: AccessKey | None = None

    def are(self, other: Origins) -> bool:
        """True when both hold the very same records."""
        return self.role is other.role and self.user is other.user and self.access_key is other.access_key


def origins_of(unit: ReadUnit, session: Session) -> Origins | None:
    """Return what a session hangs from; None when any of it is gone or inactive, which ends the session.

    A role's session needs its role; a user's needs the user and the access key that made it.
    """
    if session.type is PrincipalType.ASSUMED_ROLE:
        role = unit.find(ROLES, session.account_id, session.role_id or "")
        return None if role is None else Origins(role=role)
    access_key = unit.find(ACCESS_KEYS, "", session.issuer_key_id or "")
    if access_key is None or not access_key.active:
        return None
    if session.user_id is None:
        return Origins(access_key=access_key)
    user = unit.find(USERS, session.account_id, session.user_id)
    return None if user is None else Origins(user=user, access_key=access_key)


def principal_of_session(session: Session, origins: Origins) -> Principal:
    """Return who signs with a session's key."""
    given = session.given
    entity = origins.role or origins.user
    stored_tags: Mapping[str, str] = {} if entity is None else entity.tags
    arn, principal_id = _named(session, origins)
    user = origins.user
    federated = session.type is PrincipalType.FEDERATED_USER
    return Principal(
        type=session.type,
        account_id=session.account_id,
        arn=arn,
        principal_id=principal_id,
        access_key_id=session.access_key_id,
        user_name=user.user_name if user is not None and not federated else None,
        # A session's tag stands in place of the role's or user's, whose key may differ in case.
        tags={**without_tags(stored_tags, given.tags), **given.tags},
        token_issued_at=session.issued_at,
        role_id=session.role_id,
        role_arn=None if origins.role is None else origins.role.arn,
        issuer_id=session.user_id if federated else None,
        issuer_arn=_issuer_arn(session, user) if federated else None,
        session_policies=given.policies if given.restricts else None,
        session_policy_arns=given.policy_arns,
        source_identity=session.source_identity,
        provider=session.provider,
        transitive_tag_keys=given.transitive_tag_keys,
        source_function_arn=session.source_function_arn,
    )


def _named(session: Session, origins: Origins) -> tuple[Arn, str]:
    account_id, role, user = session.account_id, origins.role, origins.user
    if role is not None:
        return assumed_role_arn(account_id, role.role_name, session.name), f"{role.role_id}:{session.name}"
    if session.type is PrincipalType.FEDERATED_USER:
        return federated_user_arn(account_id, session.name), f"{account_id}:{session.name}"
    if user is not None:
        return user.arn, user.user_id
    return root_arn(account_id), account_id


def _issuer_arn(session: Session, user: User | None) -> Arn:
    return root_arn(session.account_id) if user is None else user.arn


def mint(
    resources: Resources,
    now: dt.datetime,
    *,
    account_id: AccountId,
    type: PrincipalType,
    seconds: int,
    given: Given = NOTHING_GIVEN,
    **facts: Any,
) -> tuple[Session, str]:
    """Return a new session that ends after `seconds`, and its token. Nothing is written.

    For the service itself, too, which takes a role to run a function or to rotate.
    """
    entropy = resources.entropy
    issued_at = now.replace(microsecond=0)
    session = Session(
        access_key_id=ids.temporary_access_key_id(
            account_id, entropy.token_bytes(ids.TEMPORARY_ACCESS_KEY_ID_RANDOM_BYTES)
        ),
        secret_access_key=ids.secret_access_key(entropy.token_bytes(ids.SECRET_ACCESS_KEY_RANDOM_BYTES)),
        account_id=account_id,
        type=type,
        issued_at=issued_at,
        expires_at=issued_at + dt.timedelta(seconds=seconds),
        given=given,
        **facts,
    )
    return session, seal_session(resources.root_key, session)


def issue(
    call: Call, *, account_id: AccountId, type: PrincipalType, seconds: int, given: Given, **facts: Any
) -> tuple[Session, dict[str, Any]]:
    """Return a new session that ends after `seconds`, and its Credentials as STS answers them.

    Notes for the audit record which access key was given out, and nothing that would open it.
    """
    session, token = mint(
        call.resources,
        call.received_at,
        account_id=account_id,
        type=type,
        seconds=seconds,
        given=given,
        **facts,
    )
    call.details["response_elements"] = {
        "credentials": {
            "accessKeyId": session.access_key_id,
            "expiration": session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    }
    return session, {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": token,
        "Expiration": session.expires_at,
    }


def _bound_to(access_key_id: str) -> dict[str, str]:
    return {"AccessKeyId": access_key_id}
