"""Broken set-ups of MariaDB: the dry run says beforehand what the rotation meets."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace

import pytest

from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.mariadb_server import MariadbServer
from support.mariadb_target import MariadbTarget
from support.relays import Cut, relay
from support.rotator_contract import assert_predicted, faults, moved, rotate

ALTERNATING = Strategy.ALTERNATING_USERS
SINGLE = Strategy.SINGLE_USER
BOTH = pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])

CLERK = ("clerk_admin", "Canary-of-the-lesser-admin-1")
SUPERUSER = "the superuser secret arn:admin: "


@pytest.fixture
def target(mariadb: MariadbServer) -> MariadbTarget:
    return MariadbTarget(mariadb)


@pytest.fixture
def lesser(target: MariadbTarget) -> Iterator[MariadbTarget]:
    """There is an admin who logs in and may nothing more."""
    target.make(*CLERK)
    yield target
    target.server.run(f"DROP USER {CLERK[0]}")


def foretold(target: MariadbTarget, material: RotationMaterial, kind: FaultKind) -> tuple[str, str]:
    """Both ways end in this fault, and nothing has changed. Return what the dry run says, and the rotation."""
    state = target.dump()
    (finding,) = faults(target.rotator.check(material))
    assert target.dump() == state
    with pytest.raises(RotationFault) as caught:
        rotate(target, material)
    assert (finding.fault, caught.value.kind) == (kind, kind), caught.value.message
    return finding.message, caught.value.message


# Privileges


def test_a_superuser_who_may_not_see_the_users(lesser: MariadbTarget) -> None:
    said = foretold(lesser, lesser.of_user(ALTERNATING, "b1", admin=CLERK), FaultKind.PRIVILEGE)
    assert said == (f"{SUPERUSER}the user lacks a privilege on a table of the system (error 1142)",) * 2


def test_a_superuser_without_create_user(lesser: MariadbTarget) -> None:
    lesser.server.run(f"GRANT SELECT ON mysql.* TO {CLERK[0]}")
    said = foretold(lesser, lesser.of_user(ALTERNATING, "b2", admin=CLERK), FaultKind.PRIVILEGE)
    assert said[0] == f"{SUPERUSER}it logs in but lacks CREATE USER"
    assert said[1] == f"{SUPERUSER}the user lacks a privilege (error 1227)"


def test_a_superuser_without_the_grant_option(lesser: MariadbTarget) -> None:
    lesser.server.run(
        "CREATE DATABASE IF NOT EXISTS stock",
        f"GRANT SELECT ON mysql.* TO {CLERK[0]}",
        f"GRANT CREATE USER ON *.* TO {CLERK[0]}",
        f"GRANT SELECT ON stock.* TO {CLERK[0]}",
    )
    material = lesser.of_user(ALTERNATING, "b3", admin=CLERK)
    lesser.server.run("GRANT SELECT ON stock.* TO b3")
    state = lesser.dump()
    (finding,) = faults(lesser.rotator.check(material))
    assert finding.fault is FaultKind.PRIVILEGE
    assert (
        finding.message == f"{SUPERUSER}it logs in but may not grant what the user has: SELECT ON `stock`.*"
    )
    assert lesser.dump() == state
    with pytest.raises(RotationFault) as caught:
        rotate(lesser, material)
    assert caught.value.kind is FaultKind.PRIVILEGE
    assert lesser.logs_in(material.current)


def test_these_privileges_are_enough(lesser: MariadbTarget) -> None:
    lesser.server.run(
        "CREATE DATABASE IF NOT EXISTS stock",
        f"GRANT SELECT ON mysql.* TO {CLERK[0]}",
        f"GRANT CREATE USER ON *.* TO {CLERK[0]}",
        f"GRANT SELECT ON stock.* TO {CLERK[0]} WITH GRANT OPTION",
    )
    material = lesser.of_user(ALTERNATING, "b4", admin=CLERK)
    lesser.server.run("GRANT SELECT ON stock.* TO b4")
    for _ in range(3):
        assert faults(lesser.rotator.check(material)) == []
        material = rotate(lesser, material)
        assert lesser.logs_in(material.current)


def test_a_role_the_superuser_may_not_give(lesser: MariadbTarget) -> None:
    lesser.server.run(
        f"GRANT SELECT ON mysql.* TO {CLERK[0]}",
        f"GRANT CREATE USER ON *.* TO {CLERK[0]}",
        "CREATE ROLE IF NOT EXISTS inner_circle",
    )
    material = lesser.of_user(ALTERNATING, "b5", admin=CLERK)
    lesser.server.run("GRANT inner_circle TO b5")
    (finding,) = faults(lesser.rotator.check(material))
    assert finding.message == f"{SUPERUSER}it logs in but may not grant what the user has: `inner_circle`"
    with pytest.raises(RotationFault) as caught:
        rotate(lesser, material)
    assert caught.value.kind is finding.fault is FaultKind.PRIVILEGE


@BOTH
def test_a_database_the_user_may_not_use(target: MariadbTarget, strategy: Strategy) -> None:
    target.server.run("CREATE DATABASE IF NOT EXISTS closed")
    material = moved(target.of_user(strategy, f"b6_{strategy.value[0]}"), dbname="closed")
    message = assert_predicted(target, material, FaultKind.PRIVILEGE)
    assert message.endswith(": the user has no right on the database (error 1044)")


@BOTH
def test_a_database_that_does_not_exist(target: MariadbTarget, strategy: Strategy) -> None:
    material = target.of_user(strategy, f"b7_{strategy.value[0]}")
    target.server.run(f"GRANT SELECT ON *.* TO b7_{strategy.value[0]}")
    message = assert_predicted(target, moved(material, dbname="no_such_database"), FaultKind.SECRET)
    assert message == "dbname in the secret JSON does not exist (error 1049)"


# Logging in


def test_a_superuser_with_a_wrong_password(target: MariadbTarget) -> None:
    material = target.of_user(ALTERNATING, "b8", admin=("keeper", "Wrong-canary-8"))
    state = target.dump()
    message = assert_predicted(target, material, FaultKind.LOGIN)
    assert message.startswith(f"{SUPERUSER}the target refuses user name or password")
    assert target.dump() == state


def test_a_superuser_who_is_locked(lesser: MariadbTarget) -> None:
    lesser.server.run(f"ALTER USER {CLERK[0]} ACCOUNT LOCK")
    message = assert_predicted(lesser, lesser.of_user(ALTERNATING, "b9", admin=CLERK), FaultKind.LOGIN)
    assert message == f"{SUPERUSER}the user is locked (error 4151)"


def test_a_superuser_whose_password_has_expired(lesser: MariadbTarget) -> None:
    lesser.server.run(f"GRANT ALL PRIVILEGES ON *.* TO {CLERK[0]}", f"ALTER USER {CLERK[0]} PASSWORD EXPIRE")
    message = assert_predicted(lesser, lesser.of_user(ALTERNATING, "b10", admin=CLERK), FaultKind.LOGIN)
    assert message.startswith(f"{SUPERUSER}the user's password has expired")


def test_another_user_who_logs_in_without_a_password(target: MariadbTarget) -> None:
    material = target.of_user(ALTERNATING, "b12")
    target.server.run("CREATE USER b12_clone IDENTIFIED VIA unix_socket")
    message = assert_predicted(target, material, FaultKind.TARGET)
    assert message == f"{SUPERUSER}the user logs in by a plugin that keeps no password at the target"


def test_a_user_whom_the_target_takes_for_another(target: MariadbTarget) -> None:
    """The anonymous account has a password, and whoever has no account of their own gets in by it."""
    target.make("", "Canary-of-nobody-1")
    document = SecretDocument(target.server.document("b20", "Canary-of-nobody-1"))
    state = target.dump()
    material = RotationMaterial("arn:app", "v", document, SINGLE)
    message = assert_predicted(target, material, FaultKind.TARGET)
    assert message == (
        "the current version (AWSCURRENT): the target takes the user for another one (CURRENT_USER())"
    )
    assert target.dump() == state
    target.server.run("DROP USER ''@'%'")


# Limits


@pytest.mark.parametrize(("engine", "limit"), [("mysql", 32), ("mariadb", 80)])
def test_a_user_name_too_long_to_be_cloned(mariadb: MariadbServer, engine: str, limit: int) -> None:
    target = MariadbTarget(mariadb, engine)
    message = assert_predicted(target, target.of_user(ALTERNATING, "u" * (limit - 5)), FaultKind.LIMIT)
    assert message == (
        f"the user name is too long to be cloned: with _clone it would exceed the {limit} characters the target takes"
    )


def test_a_limit_that_somebody_has_set_comes_before_the_engines(target: MariadbTarget) -> None:
    material = target.of_user(ALTERNATING, "u" * 11)
    old = replace(material, settings={"USERNAME_CHARACTER_LIMIT": "16"})
    message = assert_predicted(target, old, FaultKind.LIMIT)
    assert message.endswith(" it would exceed the 16 characters the target takes")
    rotate(target, replace(material, settings={"USERNAME_CHARACTER_LIMIT": "17"}))


# TLS


@BOTH
def test_a_certificate_nobody_vouches_for(target: MariadbTarget, strategy: Strategy) -> None:
    material = moved(target.of_user(strategy, f"b13_{strategy.value[0]}"), ssl=True)
    message = assert_predicted(target, material, FaultKind.TLS)
    assert message == "the target's certificate cannot be verified, or it has no TLS"


@BOTH
def test_a_certificate_the_secret_vouches_for(target: MariadbTarget, strategy: Strategy) -> None:
    user = f"b14_{strategy.value[0]}"
    material = moved(target.of_user(strategy, user), ssl="true", sslrootcert=target.server.certificate)
    target.server.run(f"ALTER USER {user} REQUIRE SSL")
    findings = target.rotator.check(material)
    assert [f.message for f in findings if f.subject == "connection"] == [
        "the target answers by TLS, its certificate is trusted"
    ]
    material = rotate(target, rotate(target, material))
    if strategy is ALTERNATING:
        assert "REQUIRE SSL" in str(target.server.rows(f"SHOW CREATE USER {user}_clone")[0][0])


@BOTH
def test_without_a_wish_an_unverified_certificate_does_and_the_dry_run_says_so(
    target: MariadbTarget, strategy: Strategy
) -> None:
    user = f"b15_{strategy.value[0]}"
    material = target.of_user(strategy, user)
    target.server.run(f"ALTER USER {user} REQUIRE SSL")

    def without(document: SecretDocument) -> SecretDocument:
        return SecretDocument({name: value for name, value in document.items() if name != "ssl"})

    admin = None if material.admin is None else without(material.admin)
    material = replace(material, current=without(material.current), admin=admin)
    findings = target.rotator.check(material)
    assert faults(findings) == []
    assert [f.message for f in findings if f.subject == "connection"] == [
        "the target answers, but its certificate could not be verified: put its authority's certificate into "
        "sslrootcert and true into ssl of the secret JSON"
    ]
    rotate(target, material)


def test_a_user_of_tls_only_without_it(target: MariadbTarget) -> None:
    material = target.of_user(SINGLE, "b16")
    target.server.run("ALTER USER b16 REQUIRE SSL")
    message = assert_predicted(target, material, FaultKind.LOGIN)
    assert message.startswith("the target takes the password of none of: ")


# A target that does not answer


@BOTH
def test_a_target_that_hangs(target: MariadbTarget, strategy: Strategy) -> None:
    material = replace(target.of_user(strategy, f"b17_{strategy.value[0]}"), attempt_seconds=0.5)
    with target.server.hung():
        (finding,) = faults(target.rotator.check(material))
        with pytest.raises(RotationFault) as caught:
            rotate(target, material)
    assert caught.value.kind is finding.fault is FaultKind.UNREACHABLE


@pytest.mark.parametrize(
    ("strategy", "at"),
    [(SINGLE, 1), (SINGLE, 3), (SINGLE, 5), (ALTERNATING, 1), (ALTERNATING, 4), (ALTERNATING, 9)],
    ids=str,
)
def test_a_connection_that_falls_silent_is_given_up(
    target: MariadbTarget, strategy: Strategy, at: int
) -> None:
    """Message 1 is of logging in, later ones are queries and the change itself."""
    material = target.of_user(strategy, f"b18_{strategy.value[0]}_{at}")
    with relay(target.port) as between:
        between.plan(Cut(at, silent=True))
        slow = replace(moved(material, port=between.port), attempt_seconds=0.5)
        findings = faults(target.rotator.check(slow))
        assert between.met()
    assert [finding.fault for finding in findings] == [FaultKind.UNREACHABLE]
    assert target.logs_in(material.current)


@pytest.mark.skipif(importlib.util.find_spec("nacl") is not None, reason="PyNaCl is installed")
def test_a_user_whose_plugin_the_driver_cannot_serve(target: MariadbTarget) -> None:
    target.server.run("CREATE USER b19 IDENTIFIED VIA ed25519 USING PASSWORD('Canary-of-b19-1')")
    document = SecretDocument(target.server.document("b19", "Canary-of-b19-1"))
    message = assert_predicted(target, RotationMaterial("arn:app", "v", document, SINGLE), FaultKind.FUNCTION)
    assert message == (
        "the driver lacks a package for the plugin that the user logs in by (PyNaCl for ed25519)"
    )
