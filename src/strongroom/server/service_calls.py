"""Calls the service makes itself, in the role an account has for rotation.

They go the way of every call: signed, authenticated, authorized and recorded. Nothing here can do what a
caller with these credentials could not.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Mapping
from typing import Any, Final

import orjson

from strongroom.identity.principal import PrincipalType
from strongroom.names import AccountId, Region
from strongroom.operations.call import Resources
from strongroom.operations.rotation_role import SESSION_NAME, rotation_role
from strongroom.operations.sts.sessions import mint
from strongroom.ports import Clock
from strongroom.server.pipeline import Pipeline
from strongroom.server.world import Uuids
from strongroom.wire.http import HttpRequest
from strongroom.wire.signing import signed_json_headers

__all__ = ["CallRefused", "NoRole", "ServiceCalls"]

_SESSION_SECONDS: Final = 900
_RENEWED_BEFORE: Final = dt.timedelta(seconds=300)
_SERVICE: Final = "secretsmanager.amazonaws.com"
_TARGET: Final = "secretsmanager"


class CallRefused(Exception):
    """A call was answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class NoRole(Exception):
    """The account has no role for rotation."""


class ServiceCalls:
    """Makes calls to Secrets Manager from any thread; they are answered on one event loop."""

    def __init__(self, pipeline: Pipeline, resources: Resources, clock: Clock) -> None:
        self._pipeline = pipeline
        self._resources = resources
        self._clock = clock
        self._uuids = Uuids()
        self._loop = asyncio.new_event_loop()
        self._sessions: dict[tuple[str, str], tuple[tuple[str, str, str], dt.datetime]] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="service-calls", daemon=True)
        self._thread.start()

    def call(
        self, operation: str, request: Mapping[str, Any], *, account_id: AccountId, region: Region
    ) -> dict[str, Any]:
        """Return the answer's members.

        Raises:
            NoRole: the account has no role for rotation.
            CallRefused: the call was refused.
        """
        now = self._clock.now()
        body = orjson.dumps(request)
        headers = signed_json_headers(
            body,
            target=f"{_TARGET}.{operation}",
            host=_SERVICE,
            service="secretsmanager",
            region=region,
            credentials=self._credentials(account_id, now),
            now=now,
        )
        answer = asyncio.run_coroutine_threadsafe(
            self._pipeline.answer(
                HttpRequest(
                    method="POST",
                    raw_path="/",
                    raw_query="",
                    headers={**headers, "user-agent": _SERVICE},
                    body=body,
                    received_at=now,
                    request_id=self._uuids.next(),
                    source_ip=_SERVICE,
                    secure=True,
                )
            ),
            self._loop,
        ).result()
        members: dict[str, Any] = orjson.loads(answer.body or b"{}")
        if answer.status != 200:
            code = str(members.get("__type", "InternalServiceError")).rpartition("#")[2]
            raise CallRefused(code, str(members.get("message", members.get("Message", ""))))
        return members

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _credentials(self, account_id: AccountId, now: dt.datetime) -> tuple[str, str, str]:
        role = self._resources.store.read(lambda unit: rotation_role(unit, account_id))
        if role is None:
            raise NoRole(account_id)
        place = account_id, role.role_id
        known = self._sessions.get(place)
        if known is not None and known[1] - _RENEWED_BEFORE > now:
            return known[0]
        session, token = mint(
            self._resources,
            now,
            account_id=account_id,
            type=PrincipalType.ASSUMED_ROLE,
            seconds=_SESSION_SECONDS,
            name=SESSION_NAME,
            role_id=role.role_id,
        )
        credentials = session.access_key_id, session.secret_access_key, token
        self._sessions[place] = credentials, session.expires_at
        return credentials
