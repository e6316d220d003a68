"""The suite that every engine passes, on a real RabbitMQ; and what only RabbitMQ has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from strongroom.rotators.rabbitmq import password_hash
from strongroom.secret.document import FaultKind, RotationFault, Strategy
from support.rabbitmq_server import RabbitServer, running_rabbitmq
from support.rabbitmq_target import RabbitTarget
from support.relays import Cut, dripping, relay
from support.rotator_contract import (
    MOST_MESSAGES,
    RotatorContract,
    assert_predicted,
    faults,
    promoted,
    propose,
    rotate,
)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitServer]:
    with running_rabbitmq() as server:
        yield server


@pytest.fixture
def target(rabbit: RabbitServer) -> RabbitTarget:
    return RabbitTarget(rabbit)


class TestRabbitMQ(RotatorContract):
    """Both strategies."""


def rights(server: RabbitServer, user: str) -> Any:
    found = [
        *server.api("GET", "users", user, "permissions"),
        *server.api("GET", "users", user, "topic-permissions"),
    ]
    return sorted(repr({name: value for name, value in each.items() if name != "user"}) for each in found)


def test_a_clone_may_all_that_the_original_may_and_follows_it(target: RabbitTarget) -> None:
    server = target.server
    material = target.material(Strategy.ALTERNATING_USERS, tags="monitoring")
    user = material.current["username"]
    topic = {"exchange": "amq.topic", "write": "^a", "read": "^b"}
    server.api("PUT", "topic-permissions", "/", user, body=topic)
    server.api("PUT", "user-limits", user, "max-connections", body={"value": 20})
    material = rotate(target, material)
    clone = material.current["username"]
    assert clone == f"{user}_clone"
    assert rights(server, clone) == rights(server, user)
    assert server.api("GET", "users", clone)["tags"] == server.api("GET", "users", user)["tags"]
    assert server.api("GET", "user-limits", clone)[0]["value"] == {"max-connections": 20}
    server.api("PUT", "permissions", "/", user, body={"configure": "", "write": "", "read": "^r"})
    material = rotate(target, rotate(target, material))
    assert rights(server, clone) == rights(server, user)


def test_a_user_keeps_its_tags(target: RabbitTarget) -> None:
    material = rotate(target, target.material(Strategy.SINGLE_USER, tags="administrator,own-tag"))
    tags = target.server.api("GET", "users", material.current["username"])["tags"]
    assert (tags.split(",") if isinstance(tags, str) else tags) == ["administrator", "own-tag"]


@pytest.mark.parametrize("tags", ["", "management"])
def test_a_user_who_is_no_administrator_is_foretold(target: RabbitTarget, tags: str) -> None:
    material = target.material(Strategy.SINGLE_USER, tags=tags)
    message = assert_predicted(target, material, FaultKind.PRIVILEGE)
    assert "it logs in but is no administrator" in message


def test_a_superuser_who_is_none_is_foretold(target: RabbitTarget) -> None:
    other = target.material(Strategy.SINGLE_USER, tags="management")
    material = replace(target.material(Strategy.ALTERNATING_USERS), admin=other.current)
    assert_predicted(target, material, FaultKind.PRIVILEGE)


def test_a_virtual_host_there_is_not_is_foretold(target: RabbitTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    elsewhere = replace(material, current=material.current.replaced(vhost="none"))
    assert "virtual host" in assert_predicted(target, elsewhere, FaultKind.PRIVILEGE)


def test_a_management_api_that_is_not_there_is_foretold(target: RabbitTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    elsewhere = replace(material, current=material.current.replaced(managementPort=1))
    assert_predicted(target, elsewhere, FaultKind.UNREACHABLE)


def test_a_port_of_the_management_api_that_is_none_is_foretold(target: RabbitTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    elsewhere = replace(material, current=material.current.replaced(managementPort="canary"))
    message = assert_predicted(target, elsewhere, FaultKind.SECRET)
    assert message == "managementPort in the secret JSON must be between 1 and 65535"


def test_a_password_may_have_any_characters(target: RabbitTarget) -> None:
    material, password = target.material(Strategy.SINGLE_USER), "Canary-p\u00e4ssword-\u20ac"
    hashed = {"password_hash": password_hash(password, b"salt"), "tags": "administrator"}
    target.server.api("PUT", "users", material.current["username"], body=hashed)
    made = rotate(target, replace(material, current=material.current.replaced(password=password)))
    assert target.logs_in(made.current)


def test_a_management_api_that_never_comes_to_an_end_ends_with_the_steps_time(target: RabbitTarget) -> None:
    made = propose(target, target.material(Strategy.SINGLE_USER))
    with dripping(b"HTTP/1.1 200 OK\r\n\r\n[") as port, pytest.raises(RotationFault) as caught:
        target.rotator.set(
            replace(made, current=made.current.replaced(managementPort=port), attempt_seconds=2)
        )
    assert (caught.value.kind, caught.value.message) == (
        FaultKind.UNREACHABLE,
        "the target did not answer within 2 seconds",
    )
    assert target.logs_in(made.current)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" + b" " * 5_000_000, "the target answered more than 4194304 bytes"),
        (b"no JSON", "the target's management API did not answer JSON"),
    ],
    ids=["too long", "no JSON"],
)
def test_what_no_management_api_answers_is_told_so(
    target: RabbitTarget, content: bytes, message: str
) -> None:
    made = propose(target, target.material(Strategy.SINGLE_USER))
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with dripping(head + content) as port, pytest.raises(RotationFault) as caught:
        target.rotator.set(replace(made, current=made.current.replaced(managementPort=port)))
    assert caught.value.kind is FaultKind.TARGET
    assert caught.value.message == f"the current version (AWSCURRENT): {message}"
    assert target.logs_in(made.current)


@pytest.mark.parametrize("answered", [False, True], ids=["before it arrives", "before its answer"])
@pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
def test_the_management_api_cut_off_at_any_message_strands_nobody(
    target: RabbitTarget, strategy: Strategy, answered: bool
) -> None:
    with relay(target.server.api_port) as between:
        for at in range(1, MOST_MESSAGES):
            material = target.material(strategy)
            admin = material.admin
            made = propose(
                target,
                replace(
                    material,
                    current=material.current.replaced(managementPort=between.port),
                    admin=None if admin is None else admin.replaced(managementPort=between.port),
                ),
            )
            assert made.pending is not None
            between.plan(Cut(at, answered))
            fault = None
            try:
                target.rotator.set(made)
            except RotationFault as exc:
                fault = exc
            met = between.met()
            assert (fault is None) or met
            current, pending = target.logs_in(made.current), target.logs_in(made.pending)
            assert current if strategy is Strategy.ALTERNATING_USERS else current or pending
            target.rotator.set(made)
            target.rotator.test(made)
            assert target.logs_in(made.pending)
            assert faults(target.rotator.check(promoted(made))) == []
            if not met:
                return
    raise AssertionError("the rotation never ended")
