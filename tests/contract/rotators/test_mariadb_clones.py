"""What alternating users mean on MariaDB: the clone may what the original may, from the same hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom.secret.document import FaultKind, RotationFault, Strategy
from support.mariadb_server import MariadbServer
from support.mariadb_target import MariadbTarget, quoted
from support.rotator_contract import faults, propose, rotate

ALTERNATING = Strategy.ALTERNATING_USERS


@pytest.fixture
def target(mariadb: MariadbServer) -> MariadbTarget:
    return MariadbTarget(mariadb)


def grants(target: MariadbTarget, user: str, host: str = "%") -> list[str]:
    """Return an account's grants without its name and its password."""
    account = f"{quoted(user)}@{quoted(host)}"
    lines = (str(row[0]) for row in target.server.rows("SHOW GRANTS FOR %s@%s", user, host))
    return sorted(line.replace(account, "?").split(" IDENTIFIED BY PASSWORD ")[0] for line in lines)


def test_grants_roles_and_options_are_the_originals(target: MariadbTarget) -> None:
    server = target.server
    server.run(
        "CREATE DATABASE shop",
        "CREATE TABLE shop.bills (n int, m int, `o,dd``x` int)",
        "INSERT INTO shop.bills VALUES (7, 8, 9)",
        "CREATE PROCEDURE shop.tidy() SELECT 1",
        "CREATE ROLE staff",
        "GRANT INSERT ON shop.* TO staff",
    )
    options = "WITH MAX_USER_CONNECTIONS 9 PASSWORD EXPIRE INTERVAL 90 DAY"
    material = target.of_user(ALTERNATING, "clerk", options)
    server.run(
        "GRANT SELECT (n, `o,dd``x`), UPDATE (m) ON shop.bills TO clerk WITH GRANT OPTION",
        "GRANT EXECUTE ON PROCEDURE shop.tidy TO clerk",
        "GRANT DELETE ON `sh\\_p%`.* TO clerk",
        "GRANT PROCESS ON *.* TO clerk",
        "GRANT staff TO clerk WITH ADMIN OPTION",
        "SET DEFAULT ROLE staff FOR clerk",
    )
    as_clone = rotate(target, material)
    assert as_clone.current["username"] == "clerk_clone"
    assert grants(target, "clerk_clone") == grants(target, "clerk")
    assert len(grants(target, "clerk_clone")) == 6
    created = str(server.rows("SHOW CREATE USER clerk_clone")[0][0])
    assert created.endswith(options)
    with target.connect(as_clone.current) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM shop.bills")
        assert cursor.fetchall() == ((7,),)
        cursor.execute("SELECT CURRENT_ROLE()")
        assert cursor.fetchall() == (("staff",),)


def test_an_account_is_made_for_each_host_and_each_gets_the_password(target: MariadbTarget) -> None:
    material = target.of_user(ALTERNATING, "page")
    target.make("page", "of another host 1", host="10.%")
    target.server.run("GRANT PROCESS ON *.* TO page@'10.%'")
    made = propose(target, material)
    target.rotator.set(made)

    def hashes() -> dict[str, str]:
        query = "SELECT Host, Password FROM mysql.user WHERE User = 'page_clone'"
        return {str(host): str(kept) for host, kept in target.server.rows(query)}

    kept = hashes()
    assert kept.keys() == {"%", "10.%"}
    assert len(set(kept.values())) == 1
    assert grants(target, "page_clone", "10.%") == ["GRANT PROCESS ON *.* TO ?"]
    # An attempt that was cut off between the two: that the pending credential logs in by one is not enough.
    target.server.run("ALTER USER page_clone@'10.%' IDENTIFIED BY 'left-behind-1A'")
    assert hashes() != kept
    target.rotator.set(made)
    assert hashes() == kept


def test_what_either_has_got_since_is_brought_after_and_nothing_is_taken(target: MariadbTarget) -> None:
    target.server.run("CREATE DATABASE IF NOT EXISTS later")
    as_clone = rotate(target, target.of_user(ALTERNATING, "scribe"))
    target.server.run("GRANT SELECT ON later.* TO scribe_clone", "GRANT PROCESS ON *.* TO scribe")
    again = rotate(target, as_clone)
    assert grants(target, "scribe") == ["GRANT PROCESS ON *.* TO ?", "GRANT SELECT ON `later`.* TO ?"]
    target.server.run("REVOKE SELECT ON later.* FROM scribe")
    rotate(target, again)
    assert grants(target, "scribe_clone") == ["GRANT PROCESS ON *.* TO ?", "GRANT SELECT ON `later`.* TO ?"]


@pytest.mark.parametrize("strategy", [*Strategy], ids=[each.value for each in Strategy])
def test_any_name_can_be_rotated(target: MariadbTarget, strategy: Strategy) -> None:
    user = f"we`ird' \\ TO %s {strategy.value[0]} é"
    material = target.of_user(strategy, user)
    with target.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("GRANT PROCESS ON *.* TO %s@'%%'", (user,))
    for _ in range(3):
        material = rotate(target, material)
        assert target.logs_in(material.current)
        assert grants(target, material.current["username"]) == ["GRANT PROCESS ON *.* TO ?"]


def test_a_rotation_that_was_taken_back_goes_on_from_the_previous_version(target: MariadbTarget) -> None:
    second = rotate(target, target.of_user(Strategy.SINGLE_USER, "sailor"))
    assert second.previous is not None
    lost = replace(second, current=second.previous, previous=second.current)
    assert faults(target.rotator.check(lost)) == []
    rotate(target, lost)


def test_the_mysql_rotator_finds_out_that_it_talks_to_mariadb(mariadb: MariadbServer) -> None:
    target = MariadbTarget(mariadb, "mysql")
    for strategy in Strategy:
        material = rotate(target, rotate(target, target.material(strategy)))
        assert target.logs_in(material.current)
        assert material.current["password"] not in target.log()


# Servers that take no hash


def test_where_the_server_insists_on_passwords_a_superuser_keeps_them_out_of_the_log(
    target: MariadbTarget,
) -> None:
    material = target.of_user(ALTERNATING, "strict")
    with target.server.configured(strict_password_validation="ON"):
        for _ in range(2):
            assert faults(target.rotator.check(material)) == []
            material = rotate(target, material)
    assert target.logs_in(material.current)
    log = target.log()
    assert material.previous is not None
    assert material.current["password"] not in log
    assert material.previous["password"] not in log


def test_and_a_user_who_cannot_is_not_rotated_while_the_log_is_on(target: MariadbTarget) -> None:
    material = target.of_user(Strategy.SINGLE_USER, "strict_alone")
    with target.server.configured(strict_password_validation="ON"):
        state = target.dump()
        (finding,) = faults(target.rotator.check(material))
        made = propose(target, material)
        with pytest.raises(RotationFault) as caught:
            target.rotator.set(made)
        assert caught.value.kind is finding.fault is FaultKind.PRIVILEGE
        assert caught.value.message == finding.message
        assert caught.value.message == (
            "the current version (AWSCURRENT): the target would write the new password into its log: turn off "
            "general_log, or strict_password_validation (MySQL: log_raw)"
        )
        assert target.dump() == state
        with target.server.configured(general_log="OFF"):
            assert faults(target.rotator.check(material)) == []
            target.rotator.set(made)
            target.rotator.test(made)
    assert made.pending is not None
    assert made.pending["password"] not in target.log()


def test_a_password_against_the_rules_is_foretold(target: MariadbTarget) -> None:
    material = target.of_user(Strategy.SINGLE_USER, "plainly")
    weak = replace(material, settings={"EXCLUDE_PUNCTUATION": "true"})
    with target.server.configured(strict_password_validation="ON", general_log="OFF"):
        state = target.dump()
        (finding,) = faults(target.rotator.check(weak))
        with pytest.raises(RotationFault) as caught:
            rotate(target, weak)
        assert caught.value.kind is finding.fault is FaultKind.LIMIT
        assert caught.value.message == (
            "the current version (AWSCURRENT): the target's password rules refuse the new password (error 1819)"
        )
        assert finding.message == (
            "the current version (AWSCURRENT): the target's rules ask for more other characters in a password "
            "(simple_password_check_other_characters is 1)"
        )
        assert target.dump() == state
