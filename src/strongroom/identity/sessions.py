"""Temporary credentials: what a session token says. Pure.

Nothing is stored for a session. All that is known of it stands in its token, which the root key seals
(`operations/sts/sessions`); here are the facts and their encoding. Source: fact sheet iam sections 11 and 13.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping
from typing import Final

import msgspec

from strongroom.errors import IntegrityError
from strongroom.identity.principal import PrincipalType
from strongroom.names import AccountId, Arn

__all__ = ["PACKED_LIMIT", "Given", "Session", "decode_session", "encode_session"]

PACKED_LIMIT: Final = 4_096
"""Bytes that session policies and tags of one session may have when packed; AWS's own limit is not known."""
_MOST_UNPACKED: Final = 1 << 20


class Given(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may be handed over when a session is made, and takes room in its token."""

    policies: tuple[str, ...] = ()
    policy_arns: tuple[Arn, ...] = ()
    tags: Mapping[str, str] = {}
    """Session tags, those inherited from the calling session included."""
    transitive_tag_keys: tuple[str, ...] = ()
    """Keys of `tags` that go on to the sessions this one makes."""

    @property
    def restricts(self) -> bool:
        """True when there are session policies."""
        return bool(self.policies or self.policy_arns)

    def packed(self) -> bytes:
        """Return it as the token holds it; empty for nothing."""
        if self == Given():
            return b""
        return zlib.compress(msgspec.msgpack.encode(self), 9)


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A temporary access key and whom it stands for."""

    access_key_id: str
    """ASIA…"""
    secret_access_key: str
    account_id: AccountId
    type: PrincipalType
    """ASSUMED_ROLE, FEDERATED_USER, or USER and ROOT for the sessions of GetSessionToken."""
    issued_at: dt.datetime
    expires_at: dt.datetime
    name: str = ""
    """RoleSessionName, or Name of the federated user."""
    role_id: str | None = None
    """ASSUMED_ROLE: AROA…"""
    user_id: str | None = None
    """Else: the user (AIDA…) who made the session; None: the account's root user."""
    issuer_key_id: str | None = None
    """Else: the long-term access key that made it, and without which it ends."""
    source_identity: str | None = None
    provider: Arn | None = None
    """ARN of the identity provider whose token opened the role."""
    source_function_arn: Arn | None = None
    """The function that Lambda made the session for."""
    given: Given = Given()

    def __repr__(self) -> str:
        """Say nothing of the secret access key."""
        return f"<Session {self.access_key_id}>"


def encode_session(session: Session) -> bytes:
    """Return the plaintext of a session token: everything but `given`, then that, packed."""
    # SECURITY: what callers choose is compressed apart from the secret, whose length cannot show in it.
    return msgspec.msgpack.encode((msgspec.structs.replace(session, given=Given()), session.given.packed()))


def decode_session(plaintext: bytes) -> Session:
    """Return the session of `encode_session`.

    Raises:
        IntegrityError: it is not one; the message repeats nothing of it.
    """
    try:
        facts, packed = msgspec.msgpack.decode(plaintext, type=tuple[Session, bytes])
        if not packed:
            return facts
        unpacked = zlib.decompressobj().decompress(packed, _MOST_UNPACKED)
        given = msgspec.msgpack.decode(unpacked, type=Given)
    except (msgspec.MsgspecError, zlib.error):
        # `from None`: the cause might carry a part of the plaintext.
        raise IntegrityError("a session token does not decode") from None
    return msgspec.structs.replace(facts, given=given)
