"""What every rotator must do, whatever its target: a suite that the tests of each engine inherit.

    class TestPostgreSQL(RotatorContract):
        @pytest.fixture
        def target(self, server): return PostgresTarget(server)

The target says how to make users, whether a credential opens it for real, and what it has written into its
logs. Passwords of the suite are canaries: none may be found in a log, a fault or a finding.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import pytest

from strongroom.ports import Rotator
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial
from support.entropies import SeededEntropy
from support.own_servers import free_port
from support.relays import Cut, Relay, relay

MOST_MESSAGES = 400
"""More than any rotation sends: the interruptions end long before."""
HANGING_SECONDS = 20
"""A step that may take half a second, and is not over by then, never will be."""

_seeds = itertools.count(1)


class Target(Protocol):
    """One kind of target, running."""

    rotator: Rotator
    port: int

    def material(self, strategy: Strategy) -> RotationMaterial:
        """Return what a first rotation of a user made for this test gets: the current version, the
        superuser's. Its documents name the target's port.
        """
        ...

    def logs_in(self, document: SecretDocument) -> bool:
        """Tell whether a credential opens the target itself, asked without the rotator."""
        ...

    def dump(self) -> str:
        """Return users, rights, settings and password hashes."""
        ...

    def log(self) -> str:
        """Return all it has written about connections and statements."""
        ...


def propose(target: Target, material: RotationMaterial) -> RotationMaterial:
    """createSecret."""
    proposed = target.rotator.propose(material, SeededEntropy(next(_seeds)))
    return replace(material, pending=proposed)


def rotate(target: Target, material: RotationMaterial) -> RotationMaterial:
    """All four steps, and what the next rotation starts from."""
    made = propose(target, material)
    target.rotator.set(made)
    target.rotator.test(made)
    target.rotator.finish(made)
    return promoted(made)


def promoted(made: RotationMaterial) -> RotationMaterial:
    """AWSCURRENT has moved."""
    assert made.pending is not None
    return replace(made, current=made.pending, previous=made.current, pending=None)


def faults(findings: Sequence[CheckFinding]) -> list[CheckFinding]:
    return [finding for finding in findings if finding.fault is not None]


def moved(material: RotationMaterial, **members: object) -> RotationMaterial:
    """The same, all documents with other members: another port, another host."""

    def move(document: SecretDocument | None) -> SecretDocument | None:
        return None if document is None else document.replaced(**members)

    return replace(
        material,
        current=material.current.replaced(**members),
        pending=move(material.pending),
        previous=move(material.previous),
        admin=move(material.admin),
    )


def assert_predicted(target: Target, material: RotationMaterial, kind: FaultKind) -> str:
    """A rotation ends in this fault, and the dry run says so, in the same words; nothing has changed.

    Return the message.
    """
    findings = faults(target.rotator.check(material))
    with pytest.raises(RotationFault) as caught:
        rotate(target, material)
    assert caught.value.kind is kind, caught.value.message
    assert [(f.fault, f.message) for f in findings] == [(kind, caught.value.message)]
    return caught.value.message


class RotatorContract:
    """Inherit it, and give a fixture `target`."""

    @pytest.fixture(params=[*Strategy], ids=[each.value for each in Strategy])
    def material(self, request: pytest.FixtureRequest, target: Target) -> RotationMaterial:
        if request.param not in target.rotator.strategies:
            pytest.skip("the engine has no such strategy")
        return target.material(request.param)

    def test_a_rotation_ends_with_the_new_credential_opening_the_target(
        self, target: Target, material: RotationMaterial
    ) -> None:
        made = propose(target, material)
        assert made.pending is not None
        assert not target.logs_in(made.pending)
        target.rotator.set(made)
        target.rotator.test(made)
        target.rotator.finish(made)
        assert target.logs_in(made.pending)
        # Applications that still hold the current version go on: with alternating users, and where a user
        # may have two passwords.
        goes_on = material.strategy is Strategy.ALTERNATING_USERS or getattr(target, "overlaps", False)
        assert target.logs_in(material.current) is goes_on

    def test_rotation_after_rotation_goes_on_working(
        self, target: Target, material: RotationMaterial
    ) -> None:
        users = []
        for _ in range(4):
            material = rotate(target, material)
            users.append(material.current["username"])
            assert target.logs_in(material.current)
        assert len(set(users)) == (2 if material.strategy is Strategy.ALTERNATING_USERS else 1)

    def test_the_proposed_version_differs_in_the_credential_alone(
        self, target: Target, material: RotationMaterial
    ) -> None:
        elsewhere = moved(material, port=free_port())
        made, again = propose(target, elsewhere).pending, propose(target, elsewhere).pending
        assert made is not None
        assert again is not None
        assert made["password"] not in (again["password"], material.current["password"])
        credential = {"username", "password"}
        assert {k: v for k, v in made.items() if k not in credential} == {
            k: v for k, v in elsewhere.current.items() if k not in credential
        }

    def test_every_step_may_be_done_twice(self, target: Target, material: RotationMaterial) -> None:
        made = propose(target, material)
        assert made.pending is not None
        target.rotator.set(made)
        state = target.dump()
        target.rotator.set(made)
        assert target.dump() == state
        for _ in range(2):
            target.rotator.test(made)
            target.rotator.finish(made)
        assert target.dump() == state
        assert target.logs_in(made.pending)

    def test_the_pending_credential_fails_its_test_until_it_is_set(
        self, target: Target, material: RotationMaterial
    ) -> None:
        made = propose(target, material)
        with pytest.raises(RotationFault) as caught:
            target.rotator.test(made)
        assert caught.value.kind is FaultKind.LOGIN
        assert caught.value.message.startswith("the pending version (AWSPENDING): ")
        assert target.logs_in(material.current)

    def test_no_password_is_in_the_log_of_the_target(
        self, target: Target, material: RotationMaterial
    ) -> None:
        first = rotate(target, material)
        second = rotate(target, first)
        target.rotator.check(second)
        log = target.log()
        assert log
        for document in (material.current, first.current, second.current):
            assert document["password"] not in log

    def test_the_dry_run_finds_nothing_amiss_and_changes_nothing(
        self, target: Target, material: RotationMaterial
    ) -> None:
        for _ in range(2):
            state = target.dump()
            findings = target.rotator.check(material)
            assert findings
            assert faults(findings) == []
            assert target.dump() == state
            material = rotate(target, material)

    def test_the_dry_run_of_a_rotation_half_done_finds_nothing_amiss(
        self, target: Target, material: RotationMaterial
    ) -> None:
        made = propose(target, material)
        assert faults(target.rotator.check(made)) == []
        target.rotator.set(made)
        assert faults(target.rotator.check(made)) == []

    def test_a_password_changed_by_hand_is_a_login_fault(
        self, target: Target, material: RotationMaterial
    ) -> None:
        wrong = replace(material, current=material.current.replaced(password="Wrong-canary-password-1"))
        state = target.dump()
        message = assert_predicted(target, wrong, FaultKind.LOGIN)
        assert "Wrong-canary" not in message
        assert target.dump() == state

    def test_a_version_written_by_hand_for_another_user_or_host_is_refused(
        self, target: Target, material: RotationMaterial
    ) -> None:
        made = propose(target, material)
        assert made.pending is not None
        state = target.dump()
        for other in ({"username": "somebody_else"}, {"host": "db.example.com"}):
            with pytest.raises(RotationFault) as caught:
                target.rotator.set(replace(made, pending=made.pending.replaced(**other)))
            assert caught.value.kind is FaultKind.SECRET
            assert caught.value.message.startswith("the pending version (AWSPENDING) is for another ")
        assert target.dump() == state

    def test_a_host_that_does_not_resolve_is_foretold(
        self, target: Target, material: RotationMaterial
    ) -> None:
        message = assert_predicted(
            target, moved(material, host="no-such-host.invalid"), FaultKind.UNREACHABLE
        )
        assert message == "the host in the secret JSON does not resolve"

    def test_a_port_nobody_listens_on_is_foretold(self, target: Target, material: RotationMaterial) -> None:
        message = assert_predicted(target, moved(material, port=free_port()), FaultKind.UNREACHABLE)
        assert message == "nothing answers on host and port of the secret JSON"

    @pytest.mark.parametrize("field", ["username", "password", "host"])
    def test_a_missing_field_is_foretold(
        self, target: Target, material: RotationMaterial, field: str
    ) -> None:
        members = {name: value for name, value in material.current.items() if name != field}
        lacking = replace(material, current=SecretDocument(members))
        message = assert_predicted(target, lacking, FaultKind.SECRET)
        assert message == f"{field} key is missing from secret JSON"

    def test_alternating_users_without_a_superuser_are_foretold(self, target: Target) -> None:
        if Strategy.ALTERNATING_USERS not in target.rotator.strategies:
            pytest.skip("the engine has no such strategy")
        material = replace(target.material(Strategy.ALTERNATING_USERS), admin=None)
        message = assert_predicted(target, material, FaultKind.SECRET)
        assert message == "alternating users need a superuser secret: masterarn is missing from secret JSON"

    @pytest.mark.parametrize("answered", [False, True], ids=["before it arrives", "before its answer"])
    @pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
    def test_cut_off_at_any_message_no_application_is_stranded_and_the_next_attempt_ends_it(
        self, target: Target, strategy: Strategy, answered: bool
    ) -> None:
        if strategy not in target.rotator.strategies:
            pytest.skip("the engine has no such strategy")
        with relay(target.port) as between:
            for at in range(1, MOST_MESSAGES):
                material = moved(target.material(strategy), port=between.port)
                # The first makes the other user, where there is one; the second finds it.
                material, cut = self._interrupted(target, material, between, Cut(at, answered))
                self._interrupted(target, material, between, Cut(at, answered))
                if not cut:
                    print(f"{type(self).__name__}: cut off at each of {at - 1} messages, twice")
                    return
        raise AssertionError("the rotation never ended")

    @pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
    def test_a_target_silent_from_any_message_on_holds_no_step_for_ever(
        self, target: Target, strategy: Strategy
    ) -> None:
        if strategy not in target.rotator.strategies:
            pytest.skip("the engine has no such strategy")
        with relay(target.port) as between:
            for at in range(1, MOST_MESSAGES):
                made = propose(target, moved(target.material(strategy), port=between.port))
                between.plan(Cut(at, silent=True))
                ended = self._ends(target, replace(made, attempt_seconds=0.5))
                met = between.met()
                if ended and not met:
                    return
                if not met:
                    # Half a second was not enough to come there.
                    between.plan(Cut(at, silent=True))
                    self._ends(target, replace(made, attempt_seconds=5))
                    between.met()
                target.rotator.set(made)
                target.rotator.test(made)
        raise AssertionError("the rotation never ended")

    @staticmethod
    def _ends(target: Target, made: RotationMaterial) -> bool:
        """Return whether setSecret succeeded; fail if it hangs."""
        succeeded = threading.Event()

        def work() -> None:
            with suppress(RotationFault):
                target.rotator.set(made)
                succeeded.set()

        step = threading.Thread(target=work, daemon=True)
        step.start()
        step.join(HANGING_SECONDS)
        assert not step.is_alive(), "it hangs"
        return succeeded.is_set()

    @staticmethod
    def _interrupted(
        target: Target, material: RotationMaterial, between: Relay, cut: Cut
    ) -> tuple[RotationMaterial, bool]:
        """Rotate, cut off once if it gets so far. Return what the next starts from, and if it was cut."""
        made = propose(target, material)
        between.plan(cut)
        fault = None
        try:
            target.rotator.set(made)
        except RotationFault as exc:
            fault = exc
        met = between.met()
        if fault is not None:
            assert met, fault.message
            assert fault.kind in (FaultKind.UNREACHABLE, FaultKind.TARGET, FaultKind.TLS), fault.message
        direct = moved(made, port=target.port)
        assert direct.pending is not None
        # What applications hold, or get when they ask again, opens the target.
        if made.strategy is Strategy.ALTERNATING_USERS:
            assert target.logs_in(direct.current)
        else:
            assert target.logs_in(direct.current) or target.logs_in(direct.pending)
        target.rotator.set(made)
        target.rotator.test(made)
        assert target.logs_in(direct.pending)
        return promoted(made), met
