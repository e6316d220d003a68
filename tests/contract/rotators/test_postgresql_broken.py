"""Broken set-ups of PostgreSQL: the dry run says beforehand, and in the same words, what the rotation meets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.certificates import self_signed
from support.postgres_server import PostgresServer
from support.postgres_target import PostgresTarget
from support.relays import Cut, relay, tls_front
from support.rotator_contract import assert_predicted, faults, moved, propose, rotate

ALTERNATING = Strategy.ALTERNATING_USERS
SINGLE = Strategy.SINGLE_USER
BOTH = pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])

CLERK = ("clerk_admin", "Canary-of-the-lesser-admin-1")
SUPERUSER = "the superuser secret arn:admin: "


@pytest.fixture
def target(postgres: PostgresServer) -> PostgresTarget:
    return PostgresTarget(postgres)


@pytest.fixture
def lesser(target: PostgresTarget) -> Iterator[PostgresTarget]:
    """There is an admin who logs in and may nothing more."""
    target.make(*CLERK)
    yield target
    target.server.run(
        f"REASSIGN OWNED BY {CLERK[0]} TO postgres", f"DROP OWNED BY {CLERK[0]}", f"DROP ROLE {CLERK[0]}"
    )


@pytest.fixture
def front(target: PostgresTarget, tmp_path: Path) -> Iterator[tuple[int, str]]:
    """Give port and certificate of a front that speaks TLS."""
    path = self_signed(tmp_path / "front.pem")
    pem = path.read_text()
    with tls_front(target.port, path) as port:
        yield port, pem[: pem.index("-----BEGIN PRIVATE")]


# Privileges


def test_a_superuser_without_createrole(lesser: PostgresTarget) -> None:
    material = lesser.of_user(ALTERNATING, "b1", admin=CLERK)
    state = lesser.dump()
    message = assert_predicted(lesser, material, FaultKind.PRIVILEGE)
    assert message == f"{SUPERUSER}it logs in but lacks CREATEROLE: ALTER ROLE … CREATEROLE"
    assert lesser.dump() == state


def test_a_superuser_without_the_admin_option_on_the_user(lesser: PostgresTarget) -> None:
    if lesser.server.major() < 16:
        pytest.skip("CREATEROLE alone is enough before PostgreSQL 16")
    lesser.server.run(f"ALTER ROLE {CLERK[0]} CREATEROLE")
    material = lesser.of_user(ALTERNATING, "b2", admin=CLERK)
    state = lesser.dump()
    message = assert_predicted(lesser, material, FaultKind.PRIVILEGE)
    assert message == (
        f"{SUPERUSER}it logs in but lacks the admin option on the current version's user: "
        "GRANT … TO … WITH ADMIN OPTION"
    )
    assert lesser.dump() == state


def test_createrole_and_the_admin_option_are_enough(lesser: PostgresTarget) -> None:
    lesser.server.run(f"ALTER ROLE {CLERK[0]} CREATEROLE")
    material = lesser.of_user(ALTERNATING, "b3", admin=CLERK)
    lesser.server.run(f"GRANT b3 TO {CLERK[0]} WITH ADMIN OPTION")
    for _ in range(3):
        assert faults(lesser.rotator.check(material)) == []
        material = rotate(lesser, material)
        assert lesser.logs_in(material.current)
    lesser.server.run("DROP ROLE b3_clone")


def test_a_user_who_is_a_superuser_takes_one_to_clone(lesser: PostgresTarget) -> None:
    lesser.server.run(f"ALTER ROLE {CLERK[0]} CREATEROLE")
    material = lesser.of_user(ALTERNATING, "b4", "SUPERUSER", admin=CLERK)
    lesser.server.run(f"GRANT b4 TO {CLERK[0]} WITH ADMIN OPTION")
    message = assert_predicted(lesser, material, FaultKind.PRIVILEGE)
    assert message == f"{SUPERUSER}it logs in but lacks SUPERUSER, which it takes to change a superuser"


def test_an_attribute_the_superuser_may_not_give(lesser: PostgresTarget) -> None:
    lesser.server.run(f"ALTER ROLE {CLERK[0]} CREATEROLE")
    material = lesser.of_user(ALTERNATING, "b5", "REPLICATION", admin=CLERK)
    lesser.server.run(f"GRANT b5 TO {CLERK[0]} WITH ADMIN OPTION")
    message = assert_predicted(lesser, material, FaultKind.PRIVILEGE)
    assert message == (
        f"{SUPERUSER}it logs in but lacks a privilege or an attribute of the user it is to copy "
        "(REPLICATION, BYPASSRLS, …)"
    )


@contextmanager
def let_in_by(target: PostgresTarget, user: str, method: str) -> Iterator[None]:
    """A user who connects from here is let in by this method of pg_hba.conf, whatever comes after."""
    [[name]] = target.server.rows("SHOW hba_file")
    file = Path(name)
    before = file.read_text()
    file.write_text(f"host all {user} 127.0.0.1/32 {method}\n{before}")
    target.server.reload_access(user, method)
    try:
        yield
    finally:
        file.write_text(before)
        target.server.reload_access(user, "")


def test_a_user_let_in_whatever_the_password_is(target: PostgresTarget) -> None:
    """Those who connect from elsewhere may need it: nothing here would tell them from locked out."""
    material = target.of_user(SINGLE, "b0")
    state = target.dump()
    words = (
        "the target lets this user in without a password (trust, peer or cert in pg_hba.conf), so no login shows "
        "whether one is right"
    )
    with let_in_by(target, "b0", "trust"):
        [finding] = faults(target.rotator.check(material))
        assert (finding.fault, finding.message) == (
            FaultKind.TARGET,
            f"the current version (AWSCURRENT): {words}",
        )
        with pytest.raises(RotationFault) as caught:
            rotate(target, material)
    assert caught.value.kind is FaultKind.TARGET
    assert caught.value.message == f"the pending version (AWSPENDING): {words}"
    assert target.dump() == state


@BOTH
def test_a_user_without_connect_on_the_database(target: PostgresTarget, strategy: Strategy) -> None:
    user = f"b6_{strategy.value[0]}"
    material = target.of_user(strategy, user)
    target.server.run(
        f"CREATE DATABASE closed_{user}", f"REVOKE CONNECT ON DATABASE closed_{user} FROM PUBLIC"
    )
    message = assert_predicted(target, moved(material, dbname=f"closed_{user}"), FaultKind.PRIVILEGE)
    assert message.endswith(": the user lacks CONNECT on the database that dbname names")


# Logging in


def test_a_superuser_with_a_wrong_password(target: PostgresTarget) -> None:
    material = target.of_user(ALTERNATING, "b7", admin=("postgres", "Wrong-canary-7"))
    state = target.dump()
    message = assert_predicted(target, material, FaultKind.LOGIN)
    assert message.startswith(f"{SUPERUSER}the target refuses user name or password")
    assert target.dump() == state


def test_a_superuser_whose_time_has_passed(lesser: PostgresTarget) -> None:
    lesser.server.run(f"ALTER ROLE {CLERK[0]} SUPERUSER VALID UNTIL '2020-01-01'")
    message = assert_predicted(lesser, lesser.of_user(ALTERNATING, "b8", admin=CLERK), FaultKind.LOGIN)
    assert (
        message
        == f"{SUPERUSER}the target refuses user name or password (or the role's VALID UNTIL has passed)"
    )


def test_a_user_whose_time_has_passed(target: PostgresTarget) -> None:
    material = target.of_user(SINGLE, "b9", "VALID UNTIL '2020-01-01'")
    message = assert_predicted(target, material, FaultKind.LOGIN)
    assert message == (
        "the target takes the password of none of: the pending version (AWSPENDING), the current version (AWSCURRENT)"
    )


def test_another_user_whose_time_has_passed(target: PostgresTarget) -> None:
    material = rotate(target, rotate(target, target.of_user(ALTERNATING, "b10")))
    target.server.run("ALTER ROLE b10_clone VALID UNTIL '2020-01-01'")
    message = assert_predicted(target, material, FaultKind.LOGIN)
    assert (
        message == f"{SUPERUSER}the other user's VALID UNTIL has passed: ALTER ROLE … VALID UNTIL 'infinity'"
    )


def test_a_user_who_may_not_log_in(target: PostgresTarget) -> None:
    material = target.of_user(SINGLE, "b11")
    target.server.run("ALTER ROLE b11 NOLOGIN")
    message = assert_predicted(target, material, FaultKind.LOGIN)
    assert message.startswith("the target takes the password of none of: ")


# Limits and the secret


def test_a_user_name_too_long_to_be_cloned(target: PostgresTarget) -> None:
    message = assert_predicted(target, target.of_user(ALTERNATING, "u" * 58), FaultKind.LIMIT)
    assert message == (
        "the user name is too long to be cloned: with _clone it would exceed the 63 characters the target takes"
    )


@BOTH
def test_a_database_that_does_not_exist(target: PostgresTarget, strategy: Strategy) -> None:
    material = target.of_user(strategy, f"b12_{strategy.value[0]}")
    message = assert_predicted(target, moved(material, dbname="no_such_database"), FaultKind.SECRET)
    assert message == "dbname in the secret JSON does not exist"


def test_the_targets_own_rules_take_the_verifier(target: PostgresTarget) -> None:
    material = target.of_user(ALTERNATING, "b13")
    with target.server.configured(session_preload_libraries="passwordcheck"):
        rotate(target, rotate(target, material))


# TLS


@BOTH
def test_tls_asked_for_where_there_is_none(target: PostgresTarget, strategy: Strategy) -> None:
    material = target.of_user(strategy, f"b14_{strategy.value[0]}")
    message = assert_predicted(target, moved(material, ssl=True), FaultKind.TLS)
    assert message == (
        "no trusted TLS: the target has none, or its certificate is not vouched for or not for this host"
    )


@BOTH
def test_a_certificate_nobody_vouches_for(
    target: PostgresTarget, strategy: Strategy, front: tuple[int, str]
) -> None:
    material = target.of_user(strategy, f"b15_{strategy.value[0]}")
    message = assert_predicted(target, moved(material, ssl="true", port=front[0]), FaultKind.TLS)
    assert message.startswith("no trusted TLS: ")


@BOTH
def test_a_certificate_the_secret_vouches_for(
    target: PostgresTarget, strategy: Strategy, front: tuple[int, str]
) -> None:
    port, pem = front
    material = moved(target.of_user(strategy, f"b16_{strategy.value[0]}"), ssl=True, port=port, ca=pem)
    findings = target.rotator.check(material)
    assert [f.message for f in findings if f.subject == "connection"] == [
        "the target answers by TLS, its certificate is trusted"
    ]
    rotate(target, rotate(target, material))


@BOTH
def test_without_a_wish_an_unverified_certificate_does_and_the_dry_run_says_so(
    target: PostgresTarget, strategy: Strategy, front: tuple[int, str]
) -> None:
    material = _without_ssl(target.of_user(strategy, f"b17_{strategy.value[0]}"), front[0])
    findings = target.rotator.check(material)
    assert faults(findings) == []
    assert [f.message for f in findings if f.subject == "connection"] == [
        "the target answers, but its certificate could not be verified: put its authority's certificate into "
        "sslrootcert and true into ssl of the secret JSON"
    ]
    rotate(target, material)
    rotate(target, _without_ssl(target.of_user(strategy, f"b18_{strategy.value[0]}"), target.port))


def test_a_path_instead_of_a_certificate(target: PostgresTarget) -> None:
    material = moved(target.of_user(SINGLE, "b19"), ssl=True, sslrootcert="/etc/hosts")
    message = assert_predicted(target, material, FaultKind.SECRET)
    assert message == "sslrootcert in the secret JSON must be a certificate in PEM, not a path"


def _without_ssl(material: RotationMaterial, port: int) -> RotationMaterial:
    def without(document: SecretDocument) -> SecretDocument:
        return SecretDocument({k: v for k, v in {**document, "port": port}.items() if k != "ssl"})

    admin = None if material.admin is None else without(material.admin)
    return replace(material, current=without(material.current), admin=admin)


# A target that does not answer


@BOTH
def test_a_target_that_hangs(target: PostgresTarget, strategy: Strategy) -> None:
    material = replace(target.of_user(strategy, f"b20_{strategy.value[0]}"), attempt_seconds=1)
    with target.server.hung():
        message = assert_predicted(target, material, FaultKind.UNREACHABLE)
    assert message == "the target did not answer in time"


@BOTH
def test_a_lock_that_is_never_given_up(target: PostgresTarget, strategy: Strategy) -> None:
    user = f"b21_{strategy.value[0]}"
    material = rotate(target, rotate(target, target.of_user(strategy, user)))
    locked = propose(target, material).pending
    assert locked is not None
    material = replace(material, attempt_seconds=1)
    with target.server.connect() as holder:
        holder.autocommit = False
        holder.execute(f"ALTER ROLE {locked['username']} CONNECTION LIMIT 9")
        message = assert_predicted(target, material, FaultKind.TARGET)
        holder.rollback()
    assert message.endswith(": a statement took too long; a lock may be held on the role (SQLSTATE 57014)")


@pytest.mark.parametrize(
    ("strategy", "at"),
    [(SINGLE, 2), (SINGLE, 5), (SINGLE, 7), (ALTERNATING, 2), (ALTERNATING, 5), (ALTERNATING, 11)],
    ids=str,
)
def test_a_connection_that_falls_silent_is_given_up(
    target: PostgresTarget, strategy: Strategy, at: int
) -> None:
    """Message 2 is of logging in, later ones are queries and the change itself."""
    material = target.of_user(strategy, f"b22_{strategy.value[0]}_{at}")
    with relay(target.port) as between:
        between.plan(Cut(at, silent=True))
        slow = replace(moved(material, port=between.port), attempt_seconds=0.5)
        findings = faults(target.rotator.check(slow))
        assert between.met()
    assert [finding.fault for finding in findings] == [FaultKind.UNREACHABLE]
    assert target.logs_in(material.current)
