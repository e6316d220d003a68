"""Slow work of a call: on a worker thread, only when permitted, and everything asked again after it.

No time is measured: the work waits until the test has had another call answered.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strongroom.operations.call import Operation, Unit
from strongroom.operations.catalog import ServedService
from strongroom.operations.iam.credentials import NewAccessKey, make_access_key
from strongroom.operations.kms.resolution import without_resource
from strongroom.ports import ACCESS_KEYS, USERS
from strongroom.server.pipeline import Pipeline
from strongroom.wire.http import HttpRequest, HttpResponse
from strongroom.wire.models import ServiceModel, load_service
from support.key_room import ACCOUNT, REGION, KeyRoom, allow, deny

SECONDS = 30
"""Waiting longer is a failure."""


@cache
def kms() -> ServiceModel:
    return load_service("kms")


class Now:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class Events:
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, event: bytes) -> None:
        self.lines.append(event)

    def close(self) -> None: ...


class Log:
    def error(self, event: str, **fields: Any) -> None:
        raise AssertionError((event, fields))


class Slow:
    """An operation whose slow work begins, and then waits for the test."""

    def __init__(self, unit: Unit) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.threads: list[int] = []
        self.handled: list[Any] = []
        self.operation = Operation(
            name="CreateKey",
            action="kms:CreateKey",
            unit=unit,
            targets=without_resource("kms:CreateKey"),
            handle=self.handle,
            prepare=lambda authorized, unit: self.work,
            read_only=unit is Unit.READ,
        )

    def work(self) -> str:
        self.threads.append(threading.get_ident())
        self.begun.set()
        assert self.go_on.wait(SECONDS)
        return "made on the thread"

    def handle(self, authorized: Any, unit: Any) -> Mapping[str, Any]:
        self.handled.append(authorized.call.prepared)
        return {}


class House:
    def __init__(self, slow: Slow) -> None:
        self.room = KeyRoom()
        self.trail = Events()
        self.root = self.access_key(None)
        quick = Operation(
            name="ListKeys",
            action="kms:ListKeys",
            unit=Unit.READ,
            targets=without_resource("kms:ListKeys"),
            handle=lambda authorized, unit: {"Keys": []},
        )
        operations = {"CreateKey": slow.operation, "ListKeys": quick}
        self.pipeline = Pipeline(
            models={"kms": kms()},
            catalog={"kms": ServedService("KMS", operations, {})},
            store=self.room.store,
            trail=self.trail,
            resources=self.room.resources,
            clock=Now(),
            log=Log(),
        )

    def access_key(self, user_id: str | None) -> NewAccessKey:
        """Save an access key of a user, or of the root user."""
        made = make_access_key(
            self.room.root_key, self.room.entropy, dt.datetime.now(dt.UTC), ACCOUNT, user_id
        )
        self.room.unit.save(ACCESS_KEYS, made.record)
        return made

    def call(self, operation: str, key: NewAccessKey | None = None) -> Coroutine[Any, Any, HttpResponse]:
        """Send a signed call, as the root user or with another key."""
        key = key or self.root
        body = b"{}"
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"TrentService.{operation}",
            "Host": "localhost",
        }
        request = AWSRequest(method="POST", url="http://localhost/", data=body, headers=headers)
        credentials = Credentials(key.record.access_key_id, key.secret_access_key)
        SigV4Auth(credentials, "kms", REGION).add_auth(request)
        return self.pipeline.answer(
            HttpRequest(
                method="POST",
                raw_path="/",
                raw_query="",
                headers={str(name).lower(): str(value) for name, value in request.headers.items()},
                body=body,
                received_at=dt.datetime.now(dt.UTC),
                request_id=str(uuid.uuid4()),
                source_ip="127.0.0.1",
                secure=False,
            )
        )

    @property
    def recorded(self) -> list[tuple[str, str | None]]:
        """Name and error of every record, those of writes included."""
        lines = [json.loads(line) for line in (*self.trail.lines, *self.room.unit.events)]
        return [(each["eventName"], each.get("errorCode")) for each in lines]


@pytest.fixture(params=[Unit.READ, Unit.WRITE], ids=["read", "write"])
def slow(request: pytest.FixtureRequest) -> Slow:
    return Slow(request.param)


def during(slow: Slow, house: House, what: Callable[[], Any]) -> HttpResponse:
    """Return the answer to the slow call; `what` happens, and a quick call is answered, while it works."""

    async def both() -> HttpResponse:
        working = asyncio.ensure_future(house.call("CreateKey"))
        while not slow.begun.is_set():
            assert not working.done(), working.result()
            await asyncio.sleep(0)
        what()
        quick = await house.call("ListKeys")
        assert not working.done()
        slow.go_on.set()
        answer = await asyncio.wait_for(working, SECONDS)
        assert quick.status in (200, 400)
        return answer

    return asyncio.run(both())


def test_other_calls_are_answered_while_a_thread_works(slow: Slow) -> None:
    house = House(slow)
    answer = during(slow, house, lambda: None)
    assert answer.status == 200
    assert slow.threads != [threading.get_ident()]
    assert slow.handled == ["made on the thread"]
    assert sorted(house.recorded) == [("CreateKey", None), ("ListKeys", None)]


def test_nothing_slow_is_done_for_who_may_not(slow: Slow) -> None:
    house = House(slow)
    bob = house.room.user("bob", deny("kms:*"))
    answer = asyncio.run(house.call("CreateKey", house.access_key(bob.principal_id)))
    assert (answer.status, b"not authorized to perform: kms:CreateKey" in answer.body) == (400, True)
    assert (slow.threads, slow.handled) == ([], [])
    assert house.recorded == [("CreateKey", "AccessDenied")]


def test_a_key_deactivated_while_a_thread_works_gets_no_answer(slow: Slow) -> None:
    house = House(slow)

    def deactivate() -> None:
        house.room.unit.save(ACCESS_KEYS, msgspec.structs.replace(house.root.record, active=False))

    answer = during(slow, house, deactivate)
    assert answer.status == 400
    assert slow.handled == []
    assert b"UnrecognizedClientException" in answer.body
    assert [name for name, error in house.recorded if error is None] == []


# A write that waits for its turn


def waiting(house: House, what: Callable[[], Any], key: NewAccessKey | None = None) -> HttpResponse:
    """Return the answer to a write; `what` happens between its acceptance and its turn."""
    write = house.room.store.write

    def late(work: Callable[[Any], Any]) -> Any:
        what()
        return write(work)

    house.room.store.write = late  # type: ignore[method-assign]
    return asyncio.run(house.call("CreateKey", key))


def ready() -> Slow:
    """Return a write without slow work, which would have the caller asked for once more before its turn."""
    slow = Slow(Unit.WRITE)
    slow.operation = replace(slow.operation, prepare=None)
    return slow


def test_a_write_whose_key_was_deactivated_while_it_waited_is_not_done() -> None:
    slow = ready()
    house = House(slow)

    def deactivate() -> None:
        house.room.unit.save(ACCESS_KEYS, msgspec.structs.replace(house.root.record, active=False))

    answer = waiting(house, deactivate)
    assert (answer.status, slow.handled) == (400, [])
    assert json.loads(answer.body) == {
        "__type": "UnrecognizedClientException",
        "message": "The security token included in the request is invalid.",
    }
    assert house.recorded == [("CreateKey", "UnrecognizedClientException")]


def test_a_write_whose_key_was_deleted_while_it_waited_is_not_done() -> None:
    slow = ready()
    house = House(slow)
    answer = waiting(house, lambda: house.room.unit.delete(ACCESS_KEYS, "", house.root.record.access_key_id))
    assert (answer.status, slow.handled) == (400, [])
    assert b"UnrecognizedClientException" in answer.body


@pytest.mark.parametrize(("team", "status"), [("red", 200), ("blue", 400)])
def test_tags_changed_while_a_write_waited_decide_on_it(team: str, status: int) -> None:
    slow = ready()
    house = House(slow)
    only_red = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    bob = house.room.user("bob", allow("kms:*", Condition=only_red))
    stored = house.room.unit.find(USERS, ACCOUNT, bob.principal_id)
    assert stored is not None

    def tag(value: str) -> None:
        house.room.unit.save(USERS, msgspec.structs.replace(stored, tags={"team": value}))

    tag("red")
    answer = waiting(house, lambda: tag(team), house.access_key(bob.principal_id))
    assert (answer.status, len(slow.handled)) == (status, 1 if status == 200 else 0)
    assert house.recorded[-1] == ("CreateKey", None if status == 200 else "AccessDenied")
