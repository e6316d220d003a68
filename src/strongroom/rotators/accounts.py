"""The two strategies, for every target whose users have passwords.

An engine says how to connect and how to change (`engines`); who connects, in which order, and what
is made sure of before anything changes stands here once (fact sheet rotation sections 6 and 8).

No fault and no finding quotes a member of a secret's JSON, not even host or user name: it says which secret
and which member, and whoever has to mend it may read them there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from strongroom.ports import Entropy
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.engines import Engine, Session
from strongroom.rotators.passwords import RehearsalEntropy, new_password, setting_number
from strongroom.rotators.tls import Tls
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial

__all__ = ["AccountRotator", "Engine", "Session"]

CURRENT = "the current version (AWSCURRENT)"
PENDING = "the pending version (AWSPENDING)"
PREVIOUS = "the previous version (AWSPREVIOUS)"
LEFT = "the version of an abandoned rotation (STRONGROOM_ABANDONED)"

_OF_THE_TARGET = frozenset({FaultKind.UNREACHABLE, FaultKind.TLS, FaultKind.FUNCTION, FaultKind.SECRET})

ALREADY = "the target takes the pending credential already"


@dataclass(frozen=True, slots=True)
class AccountRotator:
    """The rotator of an engine. Keeps nothing between calls."""

    engine: Engine

    @property
    def engines(self) -> frozenset[str]:
        return self.engine.engines

    @property
    def strategies(self) -> frozenset[Strategy]:
        return self.engine.strategies

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        current = material.current
        _ = current.text("password"), [current.text(field) for field in self.engine.address]
        user = current.text("username")
        if material.strategy is Strategy.ALTERNATING_USERS:
            self._admin(material)
            user = self._other(material, user)
        password = new_password(material.settings, self.engine.passwords, entropy)
        return current.replaced(username=user, password=password)

    def set(self, material: RotationMaterial) -> None:
        deadline = Deadline(material.attempt_seconds)
        pending = _pending(material)
        self._verify_same_target(pending, material)
        if material.strategy is Strategy.ALTERNATING_USERS:
            self._set_by_admin(material, pending, deadline)
        else:
            self._set_own(material, pending, deadline)

    def test(self, material: RotationMaterial) -> None:
        deadline = Deadline(material.attempt_seconds)
        with self._open(_pending(material), PENDING, deadline) as session:
            session.probe()

    def finish(self, material: RotationMaterial) -> None:
        """Nothing: both users, or the one password, stay as they are."""

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        return tuple(_until_fault(self._findings(material)))

    # Setting

    def _set_own(self, material: RotationMaterial, pending: SecretDocument, deadline: Deadline) -> None:
        # What nobody has set is tried last: being refused costs a login, and counts against the user.
        if not material.untried and self._logs_in(pending, PENDING, deadline):
            return
        for document, name in self._own_candidates(material):
            try:
                with self._open(document, name, deadline) as session, _changing():
                    session.change_own(pending, document)
                    return
            except _LoginRefused:
                continue
        if material.untried and self._logs_in(pending, PENDING, deadline):
            return
        raise RotationFault(FaultKind.LOGIN, _none_logs_in(material))

    def _own_candidates(self, material: RotationMaterial) -> Iterator[tuple[SecretDocument, str]]:
        """Give what may change the password: the current credential, else others of the same user: the
        previous one (a rotation that was taken back leaves the target there), and what rotations that were
        given up may have left.
        """
        yield material.current, CURRENT
        others = [] if material.previous is None else [(material.previous, PREVIOUS)]
        others += [(document, LEFT) for document in material.abandoned]
        for document, name in others:
            if self._same(document, material.current, ("username",)):
                yield document, name

    def _set_by_admin(self, material: RotationMaterial, pending: SecretDocument, deadline: Deadline) -> None:
        # SECURITY: who may write this secret must not have the superuser clone just any user: the current
        # credential proves that the secret speaks for the user it names.
        with self._open(material.current, CURRENT, deadline) as session:
            session.probe()
        set_password = material.untried or not self._logs_in(pending, PENDING, deadline)
        with self._open(self._admin(material), _admin_name(material), deadline) as session:
            # Also when the password is set already: the attempt before may have ended in between.
            session.clone(material.current, pending, set_password=set_password)

    def _logs_in(self, document: SecretDocument, name: str, deadline: Deadline) -> bool:
        try:
            with self._open(document, name, deadline) as session:
                session.probe()
        except _LoginRefused:
            return False
        return True

    @contextmanager
    def _open(self, document: SecretDocument, name: str, deadline: Deadline) -> Iterator[Session]:
        """Give a session; a fault says which version's credential it concerns.

        Raises:
            _LoginRefused: user or password are refused on connecting.
        """
        entered = False
        try:
            with self.engine.open(document, deadline) as session:
                entered = True
                yield session
        except RotationFault as fault:
            told = RotationFault if entered or fault.kind is not FaultKind.LOGIN else _LoginRefused
            # Whether the target answers does not depend on whose version is tried first.
            of_any = fault.kind in _OF_THE_TARGET and name in (CURRENT, PENDING, PREVIOUS, LEFT)
            message = fault.message if of_any else f"{name}: {fault.message}"
            raise told(fault.kind, message, sent=fault.sent) from fault

    # What is made sure of before

    def _same(self, one: SecretDocument, other: SecretDocument, more: tuple[str, ...] = ()) -> bool:
        fields = (*self.engine.address, *more)
        return all(one.text(field) == other.text(field) for field in fields)

    def _verify_same_target(self, pending: SecretDocument, material: RotationMaterial) -> None:
        """The pending version is for the same target, and for the user that the strategy says.

        Raises:
            RotationFault: it is not. SECURITY: else a version written by hand would have another user's
                password changed, or credentials sent to another host.
        """
        current = material.current
        expected = current.text("username")
        if material.strategy is Strategy.ALTERNATING_USERS:
            expected = self._other(material, expected)
        if pending.text("username") != expected:
            message = f"{PENDING} is for another user than {CURRENT} can be rotated to"
            raise RotationFault(FaultKind.SECRET, message)
        if not self._same(pending, current):
            raise RotationFault(FaultKind.SECRET, f"{PENDING} is for another target than {CURRENT}")

    def _other(self, material: RotationMaterial, user: str) -> str:
        limit = setting_number(material.settings, "USERNAME_CHARACTER_LIMIT")
        names = self.engine.names
        return (names if limit is None else replace(names, limit=limit)).other(user)

    def _admin(self, material: RotationMaterial) -> SecretDocument:
        """Return the superuser's credential.

        Raises:
            RotationFault: there is none, or it is for another target.
        """
        admin = material.admin
        if admin is None:
            message = "alternating users need a superuser secret: masterarn is missing from secret JSON"
            raise RotationFault(FaultKind.SECRET, message)
        missing = [field for field in self.engine.address if field not in admin]
        if missing:
            # What a database service keeps of its superuser is a user name and a password.
            admin = admin.replaced(**{field: material.current[field] for field in missing})
        if not self._same(admin, material.current):
            raise RotationFault(FaultKind.SECRET, f"{_admin_name(material)} is for another target")
        for field in ("dbname", "port", "ssl", "sslrootcert", "ca"):
            if field not in admin and field in material.current:
                admin = admin.replaced(**{field: material.current[field]})
        return admin

    # The dry run

    def _findings(self, material: RotationMaterial) -> Iterator[CheckFinding]:
        deadline = Deadline(material.attempt_seconds)
        pending = material.pending
        if pending is None:
            pending = self.propose(material, RehearsalEntropy())
            yield CheckFinding("password", None, "a new password can be made by the settings")
        self._verify_same_target(pending, material)
        if material.strategy is Strategy.ALTERNATING_USERS:
            yield CheckFinding("user name", None, "the other user's name can be had")
            yield from self._clone_findings(material, pending, deadline)
        else:
            yield from self._own_findings(material, pending, deadline)

    def _own_findings(
        self, material: RotationMaterial, pending: SecretDocument, deadline: Deadline
    ) -> Iterator[CheckFinding]:
        if material.pending is not None and self._logs_in(pending, PENDING, deadline):
            yield CheckFinding("login", None, ALREADY)
            return
        for document, name in self._own_candidates(material):
            try:
                with self._open(document, name, deadline) as session:
                    yield _connection_finding(session.tls)
                    yield CheckFinding("login", None, f"{name} logs in")
                    yield from session.examine_own(pending, document)
                    return
            except _LoginRefused:
                continue
        raise RotationFault(FaultKind.LOGIN, _none_logs_in(material))

    def _clone_findings(
        self, material: RotationMaterial, pending: SecretDocument, deadline: Deadline
    ) -> Iterator[CheckFinding]:
        with self._open(material.current, CURRENT, deadline) as session:
            session.probe()
            yield _connection_finding(session.tls)
            yield CheckFinding("login", None, f"{CURRENT} logs in")
        name = _admin_name(material)
        with self._open(self._admin(material), name, deadline) as session:
            yield CheckFinding("superuser login", None, f"{name} logs in")
            yield from session.examine_clone(material.current, pending)


@contextmanager
def _changing() -> Iterator[None]:
    """A fault says so if the target may have carried the change out and could not tell."""
    try:
        yield
    except RotationFault as fault:
        fault.sent = fault.kind is FaultKind.UNREACHABLE
        raise


class _LoginRefused(RotationFault):
    """User or password were refused, when connecting and not later."""


SUBJECTS = {
    FaultKind.SECRET: "secret",
    FaultKind.UNREACHABLE: "connection",
    FaultKind.TLS: "connection",
    FaultKind.LOGIN: "login",
    FaultKind.PRIVILEGE: "privileges",
    FaultKind.LIMIT: "limits",
    FaultKind.FUNCTION: "driver",
}


def _until_fault(findings: Iterator[CheckFinding]) -> Iterator[CheckFinding]:
    """Give the findings, a fault that is raised as the last of them."""
    try:
        yield from findings
    except RotationFault as fault:
        yield CheckFinding(SUBJECTS.get(fault.kind, "target"), fault.kind, fault.message)


def _connection_finding(tls: Tls) -> CheckFinding:
    texts = {
        Tls.VERIFIED: "the target answers by TLS, its certificate is trusted",
        Tls.IF_OFFERED: "the target answers, but its certificate could not be verified: put its authority's "
        "certificate into sslrootcert and true into ssl of the secret JSON",
        Tls.NONE: "the target answers, without TLS, as ssl of the secret JSON says",
    }
    return CheckFinding("connection", None, texts[tls])


def _pending(material: RotationMaterial) -> SecretDocument:
    if material.pending is None:
        raise RotationFault(FaultKind.SERVICE, "there is no pending version yet")
    return material.pending


def _admin_name(material: RotationMaterial) -> str:
    return f"the superuser secret {material.current.text('masterarn', '(masterarn)')}"


def _none_logs_in(material: RotationMaterial) -> str:
    tried = [PENDING, CURRENT]
    tried += [PREVIOUS] if material.previous is not None else []
    tried += [LEFT] if material.abandoned else []
    return f"the target takes the password of none of: {', '.join(tried)}"
