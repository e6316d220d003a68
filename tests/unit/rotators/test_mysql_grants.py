"""What SHOW GRANTS and SHOW CREATE USER say, taken apart and written for another account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.rotators.mysql_grants import (
    Account,
    Definition,
    covers,
    parse_definition,
    parse_grant,
    regranted,
)
from strongroom.rotators.mysql_passwords import native_hash
from strongroom.secret.document import FaultKind, RotationFault

CLONE = Account("x_clone", "%")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GRANT USAGE ON *.* TO `x`@`%` IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL", None),
        (
            "GRANT SELECT, RELOAD ON *.* TO `x`@`%` IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL WITH GRANT OPTION MAX_QUERIES_PER_HOUR 4",
            "GRANT SELECT, RELOAD ON *.* TO `x_clone`@`%` WITH GRANT OPTION",
        ),
        (
            "GRANT SELECT (`a`, `b,c`), UPDATE ON `shop`.`bi``ll TO ``s` TO `x`@`%`",
            "GRANT SELECT (`a`, `b,c`), UPDATE ON `shop`.`bi``ll TO ``s` TO `x_clone`@`%`",
        ),
        (
            "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO 'x'@'%'",
            "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `x_clone`@`%`",
        ),
        ("GRANT `staff` TO `x`@`%` WITH ADMIN OPTION", "GRANT `staff` TO `x_clone`@`%` WITH ADMIN OPTION"),
        ("GRANT `staff`@`%`,`to`@`%` TO `x`@`%`", "GRANT `staff`@`%`,`to`@`%` TO `x_clone`@`%`"),
        ("SET DEFAULT ROLE `staff` FOR `x`@`%`", "SET DEFAULT ROLE `staff` FOR `x_clone`@`%`"),
        ("REVOKE SELECT ON `mysql`.* FROM `x`@`%`", "REVOKE SELECT ON `mysql`.* FROM `x_clone`@`%`"),
        (
            "GRANT PROXY ON ''@'%' TO 'x'@'%' WITH GRANT OPTION",
            "GRANT PROXY ON ''@'%' TO `x_clone`@`%` WITH GRANT OPTION",
        ),
    ],
)
def test_a_grant_is_written_for_the_other_account(line: str, expected: str | None) -> None:
    assert regranted(line, CLONE) == expected


NAME = st.text("a`'\"\\ ,.()@TOFRM*%é", min_size=1, max_size=12)


@given(database=NAME, table=NAME, user=NAME, host=NAME, other=NAME)
def test_whatever_names_hold_the_grant_stays_and_the_account_changes(
    database: str, table: str, user: str, host: str, other: str
) -> None:
    def quoted(name: str) -> str:
        doubled = name.replace("`", "``")
        return f"`{doubled}`"

    head = f"GRANT SELECT ON {quoted(database)}.{quoted(table)} TO "
    line = f"{head}{Account(user, host)} WITH GRANT OPTION"
    assert regranted(line, Account(other, host)) == f"{head}{Account(other, host)} WITH GRANT OPTION"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "CREATE USER `c`@`%` IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 PASSWORD EXPIRE INTERVAL 90 DAY",
            Definition(
                (("mysql_native_password", "*AB"),),
                "REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 PASSWORD EXPIRE INTERVAL 90 DAY",
                "",
            ),
        ),
        (
            "CREATE USER `r`@`localhost` IDENTIFIED VIA mysql_native_password USING '*AB' OR unix_socket",
            Definition((("mysql_native_password", "*AB"), ("unix_socket", "")), "", ""),
        ),
        (
            "CREATE USER 'x'@'%' IDENTIFIED WITH 'caching_sha2_password' AS 0x2441 DEFAULT ROLE `a`@`%`,`b`@`%` REQUIRE NONE PASSWORD EXPIRE DEFAULT",
            Definition(
                (("caching_sha2_password", "0x2441"),),
                "REQUIRE NONE PASSWORD EXPIRE DEFAULT",
                "`a`@`%`,`b`@`%`",
            ),
        ),
        ("CREATE USER `n`@`%`", Definition((), "", "")),
        (
            "CREATE USER `l`@`%` IDENTIFIED BY PASSWORD '*AB' WITH MAX_USER_CONNECTIONS 5",
            Definition((("mysql_native_password", "*AB"),), "WITH MAX_USER_CONNECTIONS 5", ""),
        ),
    ],
)
def test_a_definition_is_taken_apart(statement: str, expected: Definition) -> None:
    assert parse_definition(statement) == expected


@pytest.mark.parametrize(
    "text",
    [
        "CREATE USER `x`@`%` IDENTIFIED WITH",
        "CREATE USER `x`@`%` IDENTIFIED BY PASSWORD '*A' AND IDENTIFIED WITH 'totp' AS 'x'",
    ],
)
def test_a_definition_that_is_not_known_is_a_fault_of_the_target(text: str) -> None:
    with pytest.raises(RotationFault) as caught:
        parse_definition(text)
    assert caught.value.kind is FaultKind.TARGET
    assert caught.value.message == "the target describes a user in a way this program cannot read"


ADMIN = "TO `k`@`%` WITH GRANT OPTION"


@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        ([f"GRANT ALL PRIVILEGES ON *.* {ADMIN}"], "GRANT SELECT ON `a`.`b` TO `x`@`%`", True),
        (["GRANT ALL PRIVILEGES ON *.* TO `k`@`%`"], "GRANT SELECT ON `a`.`b` TO `x`@`%`", False),
        ([f"GRANT SELECT ON `a`.* {ADMIN}"], "GRANT SELECT (`c`) ON `a`.`b` TO `x`@`%`", True),
        ([f"GRANT SELECT ON `a`.* {ADMIN}"], "GRANT SELECT, INSERT ON `a`.`b` TO `x`@`%`", False),
        (
            [f"GRANT SELECT ON `a`.* {ADMIN}", f"GRANT INSERT ON *.* {ADMIN}"],
            "GRANT SELECT, INSERT ON `a`.`b` TO `x`@`%`",
            True,
        ),
        ([f"GRANT SELECT ON `a`.* {ADMIN}"], "GRANT SELECT ON `b`.* TO `x`@`%`", False),
        ([f"GRANT SELECT ON `a`.* {ADMIN}"], "GRANT SELECT ON *.* TO `x`@`%`", False),
        ([f"GRANT SELECT ON `%`.* {ADMIN}"], "GRANT SELECT ON `b`.* TO `x`@`%`", True),
        ([f"GRANT SELECT ON `a\\_1`.* {ADMIN}"], "GRANT SELECT ON `a_1`.`t` TO `x`@`%`", True),
        ([f"GRANT SELECT ON `a\\_1`.* {ADMIN}"], "GRANT SELECT ON `ab1`.`t` TO `x`@`%`", False),
        ([f"GRANT EXECUTE ON `a`.* {ADMIN}"], "GRANT EXECUTE ON PROCEDURE `a`.`p` TO `x`@`%`", True),
        (["GRANT `r` TO `k`@`%` WITH ADMIN OPTION"], "GRANT `r` TO `x`@`%`", True),
        (["GRANT `r` TO `k`@`%`", f"GRANT ALL PRIVILEGES ON *.* {ADMIN}"], "GRANT `r` TO `x`@`%`", False),
    ],
)
def test_who_may_grant_what(held: list[str], wanted: str, covered: bool) -> None:
    assert covers([parse_grant(line) for line in held], parse_grant(wanted)) is covered


def test_the_native_hash_is_the_servers() -> None:
    # Of MariaDB 10.11: SELECT PASSWORD('Secret-1234').
    assert native_hash("Secret-1234") == "*DF0DC480BAD22076CD5FC74F5D40E6464931A75A"
