"""When access keys were last used, to the hour. Source: fact sheet iam section 12."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

import msgspec

from strongroom.errors import NoSuchEntityException
from strongroom.identity.principal import Principal
from strongroom.identity.records import AccessKey
from strongroom.names import root_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.entities import resource_tags
from strongroom.ports import ACCESS_KEYS, USERS, ReadUnit, Store, WriteUnit

NEVER: Final = "N/A"
"""AWS: what stands for service and region of a key that was never used."""


class KeyUses:
    """Notes in one process which keys are used; saves the first use of each hour. Threads share it."""

    INTERVAL: Final = 3_600
    LIMIT: Final = 20_000

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: dict[str, int] = {}

    def note(self, principal: Principal, service: str, region: str, now: dt.datetime) -> None:
        """Note that `principal` signed a call. Costs a look into a dictionary but once an hour; nothing of
        it ever fails or delays the call."""
        key_id = principal.access_key_id
        second = int(now.timestamp())
        noted = self._noted.get(key_id)
        if noted is not None and 0 <= second - noted < self.INTERVAL:
            return
        if len(self._noted) >= self.LIMIT:
            self._noted.clear()
        self._noted[key_id] = second
        # Temporary credentials have no record.
        if principal.token_issued_at is None:
            self._store.write(partial(_save, key_id, service, region, now)).add_done_callback(_forget)


def _save(key_id: str, service: str, region: str, now: dt.datetime, unit: WriteUnit) -> None:
    key = unit.find(ACCESS_KEYS, "", key_id)
    if key is None:
        return
    last = key.last_used_at
    # Another process of the node may have been there before.
    if last is not None and dt.timedelta() <= now - last < dt.timedelta(seconds=KeyUses.INTERVAL):
        return
    used = msgspec.structs.replace(key, last_used_at=now, last_used_service=service, last_used_region=region)
    unit.save(ACCESS_KEYS, used)


def _forget(done: Future[None]) -> None:
    """The disk may be full, the store closing: the next hour brings another use."""
    done.exception()


def _own_key(call: Call, unit: ReadUnit) -> AccessKey | None:
    key = unit.find(ACCESS_KEYS, "", call.request["AccessKeyId"])
    # SECURITY: another account's key is as good as absent.
    return key if key is not None and key.account_id == call.account_id else None


def _targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    key = _own_key(call, unit)
    resource, context = "*", {}
    if key is not None and key.user_id is None:
        resource = root_arn(call.account_id)
    elif key is not None and key.user_id is not None:
        user = unit.find(USERS, call.account_id, key.user_id)
        if user is not None:
            resource, context = user.arn, resource_tags(user.tags)
    return (
        Target(
            "iam:GetAccessKeyLastUsed",
            resource,
            call.account_id,
            # The same for a key that is not there, so that a denial says nothing.
            shown_as=f"access key {call.request['AccessKeyId']}",
            context=context,
        ),
    )


def get_access_key_last_used(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return when, in which service and region a key was last used, and whose it is.

    Raises:
        NoSuchEntityException: the account has no such key.
    """
    call = authorized.call
    key = _own_key(call, unit)
    if key is None:
        raise NoSuchEntityException(messages.no_such_access_key(call.request["AccessKeyId"]))
    used: dict[str, Any] = {
        "ServiceName": key.last_used_service or NEVER,
        "Region": key.last_used_region or NEVER,
    }
    if key.last_used_at is not None:
        used["LastUsedDate"] = key.last_used_at
    user = None if key.user_id is None else unit.find(USERS, call.account_id, key.user_id)
    named = {} if user is None else {"UserName": user.user_name}
    return {**named, "AccessKeyLastUsed": used}


GET_ACCESS_KEY_LAST_USED = Operation(
    name="GetAccessKeyLastUsed",
    action="iam:GetAccessKeyLastUsed",
    unit=Unit.READ,
    targets=_targets,
    handle=get_access_key_last_used,
    deviations=(
        "A use is noted once an hour: the answer is that of the first use within an hour.",
        "For a key of the account's root user the answer has no UserName.",
    ),
)
