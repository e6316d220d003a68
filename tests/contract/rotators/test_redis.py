"""The suite that every engine passes, on a real Redis; and what only Redis has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest

from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from support.redis_server import RedisServer, running_redis
from support.redis_target import MAY_CHANGE, RIGHTS, RedisTarget
from support.relays import dripping
from support.rotator_contract import (
    RotatorContract,
    assert_predicted,
    faults,
    moved,
    promoted,
    propose,
    rotate,
)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def target(redis_server: RedisServer) -> RedisTarget:
    return RedisTarget(redis_server)


class TestRedis(RotatorContract):
    """Both strategies."""


def rights(server: RedisServer, user: str) -> dict[str, object]:
    found = server.run("ACL", "GETUSER", user)
    members = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    return {name: members[name] for name in ("commands", "keys", "channels", "selectors", "flags")}


def test_a_clone_may_all_that_the_original_may_and_follows_it(target: RedisTarget) -> None:
    material = target.material(Strategy.ALTERNATING_USERS)
    user = material.current["username"]
    material = rotate(target, material)
    clone = material.current["username"]
    assert clone == f"{user}_clone"
    assert rights(target.server, clone) == rights(target.server, user)
    target.server.run("ACL", "SETUSER", user, "~more:*", "+del")
    before = rights(target.server, user)
    material = rotate(target, material)
    assert rights(target.server, user) == before
    rotate(target, material)
    assert rights(target.server, clone)["commands"] == before["commands"]
    assert set(str(rights(target.server, clone)["keys"]).split()) == {"~app:*", "~more:*"}


def test_users_outlive_a_restart(target: RedisTarget) -> None:
    for strategy in Strategy:
        material = rotate(target, target.material(strategy))
        hashed = sha256(material.current["password"].encode()).hexdigest()
        assert hashed in (target.server.directory / "users.acl").read_text()


def test_what_was_set_and_not_saved_is_saved_before_it_is_promoted(target: RedisTarget) -> None:
    """As after a crash between the two commands."""
    made = propose(target, target.material(Strategy.SINGLE_USER))
    assert made.pending is not None
    hashed = sha256(made.pending["password"].encode()).hexdigest()
    target.server.run("ACL", "SETUSER", made.current["username"], f"#{hashed}")
    users = target.server.directory / "users.acl"
    assert hashed not in users.read_text()
    target.rotator.set(made)
    target.rotator.test(made)
    assert hashed in users.read_text()


def test_only_two_passwords_are_in_force(target: RedisTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    documents = [material.current]
    for _ in range(3):
        made = propose(target, material)
        target.rotator.set(made)
        material = promoted(made)
        documents.append(material.current)
    assert [target.logs_in(each) for each in documents] == [False, False, True, True]


def test_a_user_who_may_not_change_users_is_foretold(target: RedisTarget) -> None:
    material = target.material(Strategy.SINGLE_USER, *RIGHTS, "+ping")
    findings = faults(target.rotator.check(material))
    made = propose(target, material)
    with pytest.raises(Exception, match="ACL") as caught:
        target.rotator.set(made)
    assert [finding.fault for finding in findings] == [FaultKind.PRIVILEGE]
    assert caught.value.kind is FaultKind.PRIVILEGE  # type: ignore[attr-defined]
    assert target.logs_in(material.current)


def test_a_superuser_whose_password_changed_is_foretold(target: RedisTarget) -> None:
    material = target.material(Strategy.ALTERNATING_USERS)
    assert material.admin is not None
    wrong = replace(material, admin=material.admin.replaced(password="Wrong-canary"))
    message = assert_predicted(target, wrong, FaultKind.LOGIN)
    assert "superuser secret" in message
    assert "Wrong-canary" not in message


def test_a_name_too_long_to_clone_is_foretold(target: RedisTarget) -> None:
    material = target.material(Strategy.ALTERNATING_USERS)
    long = replace(material, current=material.current.replaced(username="u" * 125))
    assert "too long to be cloned" in assert_predicted(target, long, FaultKind.LIMIT)


def test_a_server_without_tls_is_foretold_where_tls_is_wanted(target: RedisTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    wanted = replace(material, current=material.current.replaced(ssl=True))
    assert_predicted(target, wanted, FaultKind.TLS)


def test_where_nothing_is_said_of_tls_the_target_decides(target: RedisTarget) -> None:
    material = target.material(Strategy.SINGLE_USER)
    members = {name: value for name, value in material.current.items() if name != "ssl"}
    rotate(target, replace(material, current=SecretDocument(members)))


def test_a_target_that_never_comes_to_an_end_ends_with_the_steps_time(target: RedisTarget) -> None:
    made = propose(target, target.material(Strategy.SINGLE_USER))
    with dripping(b"+") as port, pytest.raises(RotationFault) as caught:
        target.rotator.set(replace(moved(made, port=port), attempt_seconds=0.5))
    assert (caught.value.kind, caught.value.message) == (
        FaultKind.UNREACHABLE,
        "the target did not answer within 0.5 seconds",
    )
    assert target.logs_in(made.current)


@pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
def test_a_dry_run_saves_nothing_that_an_operator_has_not_saved(
    target: RedisTarget, strategy: Strategy
) -> None:
    material = target.material(strategy, *RIGHTS, *MAY_CHANGE)
    users = target.server.directory / "users.acl"
    before = users.read_text()
    assert material.current["username"] not in before
    assert faults(target.rotator.check(material)) == []
    assert users.read_text() == before


def test_without_an_acl_file_users_live_as_long_as_the_server(tmp_path: object) -> None:
    with running_redis(acl_file=False) as server:
        target = RedisTarget(server)
        material = target.material(Strategy.SINGLE_USER)
        findings = {finding.subject: finding for finding in target.rotator.check(material)}
        assert findings["persistence"].fault is None
        assert "no ACL file" in findings["persistence"].message
        made = propose(target, material)
        target.rotator.set(made)
        assert made.pending is not None
        assert target.logs_in(made.pending)
