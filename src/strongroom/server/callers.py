"""From an access key id, and a session token, to who calls with them.

Remembered per process as long as the stored records stand.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson

from strongroom.crypto.aead import KeyedHash
from strongroom.identity.ids import TEMPORARY_ACCESS_KEY_ID_PREFIX
from strongroom.identity.principal import Principal, principal_context, user_identity
from strongroom.identity.records import AccessKey, User
from strongroom.identity.sessions import Session
from strongroom.operations.iam.credentials import open_secret_access_key, principal_of
from strongroom.operations.sts.sessions import Origins, open_session, origins_of, principal_of_session
from strongroom.ports import ACCESS_KEYS, USERS, ReadUnit, RootKey
from strongroom.wire.sigv4 import Credential, SigningKey, SigningKeys

__all__ = ["Caller", "Callers", "described"]

LIMIT = 10_000
"""Callers remembered at most; beyond it all are forgotten and met again."""
SESSIONS_LIMIT = 2_000
"""The same for callers with temporary credentials, whose tokens are remembered with them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal with what every call of it needs."""

    principal: Principal
    credential: Credential | None
    """None: it called without a signature, which only operations that say so take."""
    context: Mapping[str, str]
    """Condition keys that depend on the principal alone."""
    identity: orjson.Fragment
    """userIdentity of its audit records."""


@dataclass(frozen=True, slots=True)
class _KnownSession:
    token: str
    session: Session
    origins: Origins
    caller: Caller


class Callers:
    """Finds callers by access key id and session token.

    SECURITY: an entry is good only for the very records it was made from. The store returns another object
    for a record that was changed, so a deactivated key or a changed user is never answered from here.
    """

    def __init__(self, root_key: RootKey) -> None:
        self._root_key = root_key
        self._signing_keys = SigningKeys()
        self._known: dict[str, tuple[AccessKey, User | None, Caller]] = {}
        self._sessions: dict[str, _KnownSession] = {}

    def find(self, unit: ReadUnit, access_key_id: str, token: str | None = None) -> Caller | None:
        """Return who signs with `access_key_id`; None: there is no such key, or its user or role has gone.

        A temporary key is known by its token alone. A token that comes with a long-term key is the
        signature's to refuse: the credential says that none goes with it.
        """
        if token is not None and access_key_id.startswith(TEMPORARY_ACCESS_KEY_ID_PREFIX):
            return self._find_session(unit, access_key_id, token)
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

    def _find_session(self, unit: ReadUnit, access_key_id: str, token: str) -> Caller | None:
        known = self._sessions.get(access_key_id)
        if known is not None and not hmac.compare_digest(known.token.encode(), token.encode()):
            known = None
        session = known.session if known else open_session(self._root_key, access_key_id, token)
        origins = origins_of(unit, session) if session is not None else None
        if session is None or origins is None:
            return None
        if known is not None and known.origins.are(origins):
            return known.caller
        credential = Credential(
            access_key_id,
            active=True,
            signing_key=self._signing_key(access_key_id, session, lambda: session.secret_access_key),
            session_token=token,
            expires_at=session.expires_at,
        )
        caller = described(principal_of_session(session, origins), credential)
        if len(self._sessions) >= SESSIONS_LIMIT:
            self._sessions.clear()
        self._sessions[access_key_id] = _KnownSession(token, session, origins, caller)
        return caller

    def _caller(self, record: AccessKey, principal: Principal) -> Caller:
        secret = partial(open_secret_access_key, self._root_key, record)
        signing_key = self._signing_key(record.access_key_id, record, secret)
        return described(principal, Credential(record.access_key_id, record.active, signing_key))

    def _signing_key(self, access_key_id: str, origin: object, secret: Callable[[], str]) -> SigningKey:
        def signing_key(date: str, region: str, service: str) -> KeyedHash:
            return self._signing_keys.get(access_key_id, origin, secret, date, region, service)

        return signing_key


def described(principal: Principal, credential: Credential | None) -> Caller:
    """Return a principal as a caller; without credential where no signature is asked for."""
    return Caller(
        principal=principal,
        credential=credential,
        context=principal_context(principal),
        identity=orjson.Fragment(orjson.dumps(user_identity(principal))),
    )
