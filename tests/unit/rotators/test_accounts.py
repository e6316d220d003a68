"""Both strategies over a target in memory: who logs in, in which order, and what is made sure of before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from strongroom.rotators.accounts import AccountRotator
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.engines import Session
from strongroom.rotators.tls import Tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy, RotationMaterial
from support.entropies import SeededEntropy

SINGLE, ALTERNATING = Strategy.SINGLE_USER, Strategy.ALTERNATING_USERS

HOST = "db.example.com"
ADMIN = SecretDocument({"host": HOST, "username": "admin", "password": "admin-password"})


@dataclass
class Target:
    """Users with passwords. It notes who logs in and what is done."""

    users: dict[str, str] = field(default_factory=lambda: {"app": "first", "admin": "admin-password"})
    done: list[str] = field(default_factory=list)
    refuses: RotationFault | None = None
    """Raised by every change."""

    engines = frozenset({"memory"})
    strategies = frozenset(Strategy)
    names = UserNames(limit=20)
    passwords = PasswordPolicy(length=12)
    address = ("host",)

    @contextmanager
    def open(self, document: SecretDocument, deadline: Deadline) -> Iterator[Session]:
        deadline.left()
        user = document.text("username")
        host = document.text("host")
        self.done.append(f"{user} at {host}" if host != HOST else user)
        if self.users.get(user) != document.text("password"):
            raise RotationFault(FaultKind.LOGIN, "refused")
        yield MemorySession(self, user)


@dataclass
class MemorySession:
    target: Target
    user: str
    tls = Tls.VERIFIED

    def probe(self) -> None:
        pass

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        self._change("changes its own", pending)

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        what = f"clones {source['username']} as {pending['username']}"
        if set_password:
            self._change(what, pending)
        else:
            self.target.done.append(f"{what}, password kept")

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        return self._examine()

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        return self._examine()

    def _examine(self) -> Sequence[CheckFinding]:
        if self.target.refuses is not None:
            raise self.target.refuses
        return (CheckFinding("privileges", None, "well"),)

    def _change(self, what: str, pending: SecretDocument) -> None:
        if self.target.refuses is not None:
            raise self.target.refuses
        self.target.done.append(what)
        self.target.users[pending.text("username")] = pending.text("password")


@pytest.fixture
def target() -> Target:
    return Target()


def material(strategy: Strategy, **more: object) -> RotationMaterial:
    members = {"host": HOST, "username": "app", "password": "first", "masterarn": "arn:admin", **more}
    admin = ADMIN if strategy is ALTERNATING else None
    return RotationMaterial("arn:app", "v", SecretDocument(members), strategy, admin=admin)


def proposed(target: Target, given: RotationMaterial) -> RotationMaterial:
    return replace(given, pending=AccountRotator(target).propose(given, SeededEntropy(1)))


def fault_of_set(target: Target, made: RotationMaterial) -> tuple[FaultKind, str]:
    with pytest.raises(RotationFault) as caught:
        AccountRotator(target).set(made)
    return caught.value.kind, caught.value.message


def test_one_user_tries_the_pending_password_and_changes_it_by_the_current_one(target: Target) -> None:
    made = proposed(target, material(SINGLE))
    AccountRotator(target).set(made)
    assert target.done == ["app", "app", "changes its own"]
    target.done.clear()
    AccountRotator(target).set(made)
    assert target.done == ["app"]


def test_what_nobody_has_set_is_not_tried_first(target: Target) -> None:
    made = replace(proposed(target, material(SINGLE)), untried=True)
    AccountRotator(target).set(made)
    assert target.done == ["app", "changes its own"]


def test_what_is_there_though_nobody_has_set_it_is_found_at_last(target: Target) -> None:
    made = replace(proposed(target, material(SINGLE, password="never set")), untried=True)
    assert made.pending is not None
    target.users["app"] = made.pending.text("password")
    AccountRotator(target).set(made)
    assert target.done == ["app", "app"], "the current one, and then the pending one"


def test_a_new_users_password_is_set_without_trying_it(target: Target) -> None:
    made = replace(proposed(target, material(ALTERNATING)), untried=True)
    AccountRotator(target).set(made)
    assert target.done == ["app", "admin", "clones app as app_clone"]
    assert made.pending is not None
    assert target.users["app_clone"] == made.pending.text("password")


def test_one_user_falls_back_to_the_previous_password(target: Target) -> None:
    lost = material(SINGLE, password="never set")
    made = replace(proposed(target, lost), previous=material(SINGLE).current)
    AccountRotator(target).set(made)
    assert target.done == ["app", "app", "app", "changes its own"]


@pytest.mark.parametrize(("kind", "sent"), [(FaultKind.UNREACHABLE, True), (FaultKind.PRIVILEGE, False)])
def test_a_change_that_broke_off_may_have_been_carried_out(
    target: Target, kind: FaultKind, sent: bool
) -> None:
    made = proposed(target, material(SINGLE))
    target.refuses = RotationFault(kind, "it broke off")
    with pytest.raises(RotationFault) as caught:
        AccountRotator(target).set(made)
    assert caught.value.sent is sent


def test_who_could_not_log_in_has_changed_nothing(target: Target) -> None:
    made = proposed(target, material(SINGLE, password="never set"))
    with pytest.raises(RotationFault) as caught:
        AccountRotator(target).set(made)
    assert caught.value.sent is False


def test_one_user_falls_back_to_what_abandoned_rotations_left(target: Target) -> None:
    lost = material(SINGLE, password="never set")
    left = [material(SINGLE, password="neither").current, material(SINGLE).current]
    made = replace(proposed(target, lost), previous=lost.current, abandoned=left)
    AccountRotator(target).set(made)
    assert target.done == [*["app"] * 5, "changes its own"]


@pytest.mark.parametrize("other", [{"username": "other"}, {"host": "elsewhere"}])
def test_what_is_left_of_another_user_or_host_is_not_tried(target: Target, other: dict[str, str]) -> None:
    lost = material(SINGLE, password="never set")
    made = replace(proposed(target, lost), abandoned=[material(SINGLE, **other).current])
    assert fault_of_set(target, made) == (
        FaultKind.LOGIN,
        "the target takes the password of none of: the pending version (AWSPENDING), the current version "
        "(AWSCURRENT), the version of an abandoned rotation (STRONGROOM_ABANDONED)",
    )
    assert target.done == ["app", "app"]


def test_when_no_version_logs_in_all_that_were_tried_are_named(target: Target) -> None:
    made = proposed(target, material(SINGLE, password="never set"))
    assert fault_of_set(target, made) == (
        FaultKind.LOGIN,
        "the target takes the password of none of: the pending version (AWSPENDING), "
        "the current version (AWSCURRENT)",
    )
    assert target.users["app"] == "first"


def test_a_login_fault_of_the_change_itself_is_not_taken_for_a_refused_password(target: Target) -> None:
    target.refuses = RotationFault(FaultKind.LOGIN, "expired")
    made = replace(proposed(target, material(SINGLE)), previous=material(SINGLE).current)
    assert fault_of_set(target, made) == (FaultKind.LOGIN, "the current version (AWSCURRENT): expired")
    assert target.done == ["app", "app"]


@pytest.mark.parametrize("strategy", [SINGLE, ALTERNATING])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"username": "root"},
            "the pending version (AWSPENDING) is for another user than the current version (AWSCURRENT) can be "
            "rotated to",
        ),
        (
            {"host": "evil.example.com"},
            "the pending version (AWSPENDING) is for another target than the current version (AWSCURRENT)",
        ),
    ],
    ids=["user", "host"],
)
def test_nobody_is_logged_in_for_a_pending_version_of_another_user_or_host(
    target: Target, strategy: Strategy, other: dict[str, str], message: str
) -> None:
    made = proposed(target, material(strategy))
    assert made.pending is not None
    forged = replace(made, pending=made.pending.replaced(**other))
    assert fault_of_set(target, forged) == (FaultKind.SECRET, message)
    assert target.done == []
    (finding,) = AccountRotator(target).check(forged)
    assert (finding.fault, finding.message) == (FaultKind.SECRET, message)


def test_two_users_take_turns_by_the_superuser(target: Target) -> None:
    made = proposed(target, material(ALTERNATING))
    AccountRotator(target).set(made)
    assert target.done == ["app", "app_clone", "admin", "clones app as app_clone"]
    target.done.clear()
    AccountRotator(target).set(made)
    assert target.done[-1] == "clones app as app_clone, password kept"
    assert made.pending is not None
    back = proposed(target, replace(made, current=made.pending))
    assert back.pending is not None
    assert back.pending["username"] == "app"


def test_the_superuser_does_nothing_for_a_secret_that_does_not_log_in_itself(target: Target) -> None:
    target.users["root"] = "unknown to whoever wrote the secret"
    made = proposed(target, material(ALTERNATING, username="root"))
    assert fault_of_set(target, made) == (FaultKind.LOGIN, "the current version (AWSCURRENT): refused")
    assert target.done == ["root"]


def test_a_superuser_secret_of_another_host_is_not_used(target: Target) -> None:
    made = replace(proposed(target, material(ALTERNATING)), admin=ADMIN.replaced(host="other.example.com"))
    kind, message = fault_of_set(target, made)
    assert (kind, message) == (FaultKind.SECRET, "the superuser secret arn:admin is for another target")
    assert "admin" not in target.done


def test_a_superuser_secret_without_a_host_is_for_the_secrets_own(target: Target) -> None:
    bare = SecretDocument({"username": "admin", "password": "admin-password"})
    AccountRotator(target).set(replace(proposed(target, material(ALTERNATING)), admin=bare))
    assert target.done[-2:] == ["admin", "clones app as app_clone"]


def test_what_the_superuser_may_not_is_said_of_it(target: Target) -> None:
    target.refuses = RotationFault(FaultKind.PRIVILEGE, "it logs in but lacks CREATEROLE")
    made = proposed(target, material(ALTERNATING))
    expected = (FaultKind.PRIVILEGE, "the superuser secret arn:admin: it logs in but lacks CREATEROLE")
    assert fault_of_set(target, made) == expected
    *before, last = AccountRotator(target).check(material(ALTERNATING))
    assert [finding.fault for finding in before] == [None] * len(before)
    assert (last.fault, last.message, last.subject) == (*expected, "privileges")


@pytest.mark.parametrize("strategy", [SINGLE, ALTERNATING])
def test_a_dry_run_says_what_it_looked_at_and_changes_nothing(target: Target, strategy: Strategy) -> None:
    users = dict(target.users)
    findings = AccountRotator(target).check(material(strategy))
    assert [finding.fault for finding in findings] == [None] * len(findings)
    expected = {
        SINGLE: ["password", "connection", "login", "privileges"],
        ALTERNATING: ["password", "user name", "connection", "login", "superuser login", "privileges"],
    }
    assert [finding.subject for finding in findings] == expected[strategy]
    assert target.users == users


def test_a_step_ends_when_its_time_is_up(target: Target) -> None:
    made = replace(proposed(target, material(SINGLE)), attempt_seconds=0)
    assert fault_of_set(target, made) == (
        FaultKind.UNREACHABLE,
        "the target did not answer within 0 seconds",
    )
    assert target.done == []


@pytest.mark.parametrize("step", ["set", "test"])
def test_without_a_pending_version_there_is_nothing_to_do(target: Target, step: str) -> None:
    with pytest.raises(RotationFault) as caught:
        getattr(AccountRotator(target), step)(material(SINGLE))
    assert (caught.value.kind, caught.value.message) == (
        FaultKind.SERVICE,
        "there is no pending version yet",
    )
