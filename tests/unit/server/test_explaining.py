"""Decision records are written once for each refusal, within an allowance, and never stand in a call's way."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec.structs import replace

from strongroom.errors import AccessDeniedException
from strongroom.identity.principal import Principal
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Call, Target
from strongroom.operations.catalog import CATALOG
from strongroom.operations.iam.credentials import make_access_key
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.ports import ACCESS_KEYS
from strongroom.server import explaining
from strongroom.server.explaining import Explainer
from strongroom.server.pipeline import Pipeline
from strongroom.server.world import SystemClock
from strongroom.wire.http import HttpRequest, HttpResponse
from strongroom.wire.models import load_service
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION, KeyRoom, allow
from support.permission_world import GET, SECRET_ARN, a_secret
from support.refused import keep_nothing

ACTIONS = frozenset({GET})


class Ticking:
    """A clock that goes on by `step` seconds whenever it is looked at."""

    def __init__(self, step: float = 0.0) -> None:
        self.step = step
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += self.step
        return self.seconds


class Counting:
    def __init__(self, explain: Callable[..., Any]) -> None:
        self._explain = explain
        self.remedies: list[bool] = []

    def __call__(self, *arguments: Any, remedies: bool = True) -> Any:
        self.remedies.append(remedies)
        return self._explain(*arguments, remedies=remedies)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting(explaining.explained)
    monkeypatch.setattr(explaining, "explained", counting)
    return counting


@pytest.fixture
def room() -> KeyRoom:
    made = KeyRoom()
    made.unit.save_secret(a_secret())
    return made


def refused(room: KeyRoom, who: Principal, *targets: Target, **context: str) -> Call:
    """Return a call whose targets were refused; without any, reading the secret."""
    call = room.call("GetSecretValue", {}, principal=who, service="secretsmanager")
    resources = replace(room.resources, keep_decision=keep_nothing)
    call = replace(call, resources=resources, context={**call.context, **context})
    with pytest.raises(AccessDeniedException):
        authorize(call, room.unit, targets or (secret_target(call, room.unit, SECRET_ARN, GET),))
    return call


def read(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(each) for each in lines]


def test_refusals_that_are_alike_are_explained_once(room: KeyRoom, counted: Counting) -> None:
    kept: list[bytes] = []
    explainer, ann = Explainer(kept.append, ACTIONS), room.user("ann")

    async def story() -> None:
        for second in range(3):
            when = {"aws:CurrentTime": f"2026-01-01T12:00:0{second}Z"}
            assert await explainer.keep(refused(room, ann, **when)) == {ACCOUNT}
        await explainer.keep(refused(room, room.user("ben")))
        await explainer.keep(refused(room, ann, **{"aws:SourceIp": "10.0.0.1"}))

    asyncio.run(story())
    first, second, third, _, _ = read(kept)
    assert first["explanation"]["remedies"] != []
    assert first == second == third
    assert counted.remedies == [True] * 3


def test_policies_that_changed_are_explained_anew(room: KeyRoom, counted: Counting) -> None:
    kept: list[bytes] = []
    explainer = Explainer(kept.append, ACTIONS)

    async def story() -> None:
        await explainer.keep(refused(room, room.user("ann", allow("s3:*"))))
        await explainer.keep(refused(room, room.user("ann", allow(GET, resource="arn:aws:s3:::x"))))

    asyncio.run(story())
    before, after = read(kept)
    assert counted.remedies == [True, True]
    assert before["explanation"]["near_misses"] == []
    assert [each["misses"] for each in after["explanation"]["near_misses"]] == [["Resource"]]


def test_the_time_counts_where_a_policy_looks_at_it(room: KeyRoom, counted: Counting) -> None:
    explainer = Explainer(keep_nothing, ACTIONS)
    late = {"DateGreaterThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}
    ann = room.user("ann", allow(GET, Condition=late))

    async def story() -> None:
        for second in range(2):
            await explainer.keep(refused(room, ann, **{"aws:CurrentTime": f"2026-01-01T12:00:0{second}Z"}))

    asyncio.run(story())
    assert counted.remedies == [True, True]


def test_in_a_flood_of_different_refusals_only_what_refused_is_kept(room: KeyRoom, counted: Counting) -> None:
    kept: list[bytes] = []
    clock = Ticking(step=0.5)
    explainer, ann = Explainer(kept.append, ACTIONS, clock), room.user("ann")

    async def story(addresses: range) -> None:
        for number in addresses:
            await explainer.keep(refused(room, ann, **{"aws:SourceIp": f"10.0.0.{number}"}))

    asyncio.run(story(range(12)))
    assert counted.remedies[0] is True
    assert counted.remedies[-1] is False
    record = read(kept)[-1]
    assert record["note"].startswith("Too many calls were refused at that time")
    assert record["explanation"]["refusals"] == [{"layer": "identity-based policy", "denies": []}]
    assert record["explanation"]["remedies"] == []
    # The allowance comes back with time.
    clock.step = 0
    clock.seconds += 60
    asyncio.run(story(range(100, 101)))
    assert counted.remedies[-1] is True
    assert "note" not in read(kept)[-1]


def test_what_is_remembered_is_bounded(
    room: KeyRoom, counted: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "_REMEMBERED_BYTES", 5_000)
    explainer, ann = Explainer(keep_nothing, ACTIONS, Ticking()), room.user("ann")

    async def story() -> None:
        for number in range(50):
            await explainer.keep(refused(room, ann, **{"aws:SourceIp": f"10.0.0.{number}"}))
            assert explainer._remembered_bytes <= 5_000
            assert sum(len(memoryview(each)) for each in explainer._memory.values()) <= 5_000

    asyncio.run(story())
    assert len(counted.remedies) == 50


def test_a_record_that_cannot_be_written_is_not_pointed_to(room: KeyRoom) -> None:
    def full(_: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    call = refused(room, room.user("ann"))
    assert asyncio.run(Explainer(full, ACTIONS).keep(call)) == frozenset()
    assert call.details["decision_lost"] is True


def test_a_resource_no_policy_could_name_has_no_record(room: KeyRoom) -> None:
    kept: list[bytes] = []
    call = refused(room, room.user("ann"), Target(GET, "not an arn", ACCOUNT))
    assert asyncio.run(Explainer(kept.append, ACTIONS).keep(call)) == frozenset()
    assert kept == []


def test_the_resources_account_has_the_record_as_well(room: KeyRoom) -> None:
    eve = room.user("eve", account_id=OTHER_ACCOUNT)
    call = refused(room, eve)
    assert asyncio.run(Explainer(keep_nothing, ACTIONS).keep(call)) == {ACCOUNT, OTHER_ACCOUNT}


def test_a_call_nothing_was_refused_in_has_no_record(room: KeyRoom) -> None:
    kept: list[bytes] = []
    call = room.call(now=NOON)
    assert asyncio.run(Explainer(kept.append, ACTIONS).keep(call)) == frozenset()
    assert kept == []


class Log:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def error(self, event: str, **fields: Any) -> None:
        self.told.append((event, fields.get("exc_info")))


class Trail:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def append(self, event: bytes) -> None:
        self.events.append(json.loads(event))

    def close(self) -> None: ...


def asked(room: KeyRoom, log: Log, trail: Trail, keep: Callable[[bytes], None]) -> HttpResponse:
    """Return a process's answer to a call that policies refuse."""
    ann = room.user("ann")
    now = dt.datetime.now(dt.UTC)
    made = make_access_key(room.root_key, room.entropy, now, ACCOUNT, ann.principal_id)
    room.unit.save(ACCESS_KEYS, made.record)
    pipeline = Pipeline(
        models={"kms": load_service("kms")},
        catalog={"kms": CATALOG["kms"]},
        store=room.store,
        trail=trail,
        resources=replace(room.resources, keep_decision=keep),
        clock=SystemClock(),
        log=log,
    )
    headers = {"X-Amz-Target": "TrentService.ListKeys", "Host": "localhost"}
    request = AWSRequest(method="POST", url="http://localhost/", data=b"{}", headers=headers)
    SigV4Auth(Credentials(made.record.access_key_id, made.secret_access_key), "kms", REGION).add_auth(request)
    sent = {str(name).lower(): str(value) for name, value in request.headers.items()}
    return asyncio.run(
        pipeline.answer(HttpRequest("POST", "/", "", sent, b"{}", now, "r-1", "192.0.2.1", False))
    )


def test_the_trail_points_to_the_record_of_a_refused_call(room: KeyRoom) -> None:
    log, trail, kept = Log(), Trail(), []
    assert asked(room, log, trail, kept.append).status == 400
    (event,) = trail.events
    assert event["additionalEventData"] == {"decisionRecord": "r-1"}
    assert [each["request_id"] for each in read(kept)] == ["r-1"]
    assert log.told == []


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "full"), RuntimeError("bug")], ids=["disk", "bug"])
def test_a_refusal_that_cannot_be_explained_is_a_refusal_all_the_same(
    room: KeyRoom, problem: Exception
) -> None:
    def fail(_: bytes) -> None:
        raise problem

    log, trail = Log(), Trail()
    answer = asked(room, log, trail, fail)
    assert (answer.status, b"not authorized to perform: kms:ListKeys" in answer.body) == (400, True)
    (event,) = trail.events
    assert (event["errorCode"], "additionalEventData" in event) == ("AccessDenied", False)
    expected = [("decision record not written", None)] if isinstance(problem, OSError) else [("bug", problem)]
    assert log.told == expected
