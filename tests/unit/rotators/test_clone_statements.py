"""The statements for engines that no test here can run against: SQL Server, Oracle, Redshift."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from strongroom.rotators import oracle_statements, redshift, sqlserver_statements
from strongroom.rotators.oracle import code_fault
from strongroom.rotators.sqlserver import server_fault
from strongroom.secret.document import FaultKind, RotationFault

Rows = Sequence[tuple[Any, ...]]


class FakeCatalog:
    """Answers queries from a table, and with nothing where that is silent."""

    def __init__(self, answers: Mapping[tuple[str, str], Rows]) -> None:
        self._answers = answers

    def rows(self, query: str, *values: object) -> Rows:
        return self._answers.get((query, str(values[0]) if values else ""), [])

    def name(self, name: str) -> str:
        return f'"{name}"'

    def literal(self, text: str) -> str:
        return f"'{text}'"


# SQL Server


def in_database(query: str, database: str) -> str:
    return query.format(db=f"[{database}]")


SQLSERVER = {
    (sqlserver_statements.LOGIN, "a'b"): [("shop", "us_english", True, False)],
    (sqlserver_statements.SERVER_ROLES, "a'b"): [("processadmin",)],
    (sqlserver_statements.SERVER_PERMISSIONS, "a'b"): [
        ("GRANT", "VIEW SERVER STATE"),
        ("GRANT_WITH_GRANT_OPTION", "CONNECT ANY DATABASE"),
        ("DENY", "SHUTDOWN"),
    ],
    (sqlserver_statements.DATABASES, ""): [("master",), ("sh]op",)],
    (in_database(sqlserver_statements.DATABASE_USER, "sh]]op"), "a'b"): [("app", "sales")],
    (in_database(sqlserver_statements.DATABASE_ROLES, "sh]]op"), "app"): [("db_datareader",)],
    (in_database(sqlserver_statements.DATABASE_PERMISSIONS, "sh]]op"), "app"): [
        ("GRANT", "CREATE TABLE", 0, None, None, None),
        ("GRANT", "SELECT", 1, "sales", "bills", None),
        ("GRANT_WITH_GRANT_OPTION", "UPDATE", 1, "sales", "bills", "paid"),
        ("DENY", "EXECUTE", 3, "sales", None, None),
    ],
}


def test_a_login_of_sql_server_is_cloned_with_its_roles_and_permissions() -> None:
    made = list(sqlserver_statements.clone_statements(FakeCatalog(SQLSERVER), "a'b", "a'b_clone", "p'w"))
    clone = "a''b_clone"
    assert made == [
        "CREATE LOGIN [a'b_clone] WITH PASSWORD = N'p''w', DEFAULT_DATABASE = [shop], "
        "DEFAULT_LANGUAGE = [us_english], CHECK_EXPIRATION = OFF, CHECK_POLICY = ON",
        "ALTER SERVER ROLE [processadmin] ADD MEMBER [a'b_clone]",
        "GRANT VIEW SERVER STATE TO [a'b_clone]",
        "GRANT CONNECT ANY DATABASE TO [a'b_clone] WITH GRANT OPTION",
        "DENY SHUTDOWN TO [a'b_clone]",
        *(
            f"EXEC [sh]]op].sys.sp_executesql N'{statement}'"
            for statement in (
                f"CREATE USER [{clone}] FOR LOGIN [{clone}] WITH DEFAULT_SCHEMA = [sales]",
                f"ALTER ROLE [db_datareader] ADD MEMBER [{clone}]",
                f"GRANT CREATE TABLE TO [{clone}]",
                f"GRANT SELECT ON OBJECT::[sales].[bills] TO [{clone}]",
                f"GRANT UPDATE ON OBJECT::[sales].[bills] ([paid]) TO [{clone}] WITH GRANT OPTION",
                f"DENY EXECUTE ON SCHEMA::[sales] TO [{clone}]",
            )
        ),
    ]


def test_a_login_that_has_it_all_gets_its_password_and_nothing_else() -> None:
    both = dict(SQLSERVER)
    for (query, name), rows in SQLSERVER.items():
        if name == "a'b":
            both[query, "twin"] = rows
    made = sqlserver_statements.clone_statements(FakeCatalog(both), "a'b", "twin", "new")
    assert list(made) == ["ALTER LOGIN [twin] WITH PASSWORD = N'new'"]
    assert list(sqlserver_statements.clone_statements(FakeCatalog(both), "a'b", "twin", None)) == []


@pytest.mark.parametrize(
    ("contained", "statement"),
    [
        (False, "ALTER LOGIN [x]]y] WITH PASSWORD = N'n''ew' OLD_PASSWORD = N'old'"),
        (True, "ALTER USER [x]]y] WITH PASSWORD = N'n''ew', OLD_PASSWORD = N'old'"),
    ],
)
def test_who_changes_only_itself_gives_the_old_password(contained: bool, statement: str) -> None:
    assert sqlserver_statements.own_statement("x]y", "old", "n'ew", contained=contained) == statement


# Oracle

ORACLE = {
    (oracle_statements.USER, "app"): [("APP", "DATA", "TEMP", "DEFAULT")],
    (oracle_statements.QUOTAS, "APP"): [("DATA", -1), ("SMALL", 1024)],
    (oracle_statements.SYSTEM_PRIVILEGES, "APP"): [("CREATE SESSION", "NO"), ("CREATE VIEW", "YES")],
    (oracle_statements.ROLES, "APP"): [("CLERKS", "NO", "YES"), ("AUDITORS", "YES", "NO")],
    (oracle_statements.OBJECT_PRIVILEGES, "APP"): [
        ("SHOP", "BILLS", "SELECT", "YES", "TABLE"),
        ("SYS", "DUMPS", "READ", "NO", "DIRECTORY"),
    ],
    (oracle_statements.COLUMN_PRIVILEGES, "APP"): [("SHOP", "BILLS", "PAID", "UPDATE", "NO")],
}


def test_a_user_of_oracle_is_cloned_with_quotas_roles_and_privileges() -> None:
    made = list(oracle_statements.clone_statements(FakeCatalog(ORACLE), "app", "app_CLONE", "p w"))
    assert made == [
        'CREATE USER "APP_CLONE" IDENTIFIED BY "p w" DEFAULT TABLESPACE "DATA" '
        'TEMPORARY TABLESPACE "TEMP" PROFILE "DEFAULT"',
        'ALTER USER "APP_CLONE" QUOTA UNLIMITED ON "DATA"',
        'ALTER USER "APP_CLONE" QUOTA 1024 ON "SMALL"',
        'GRANT CREATE SESSION TO "APP_CLONE"',
        'GRANT CREATE VIEW TO "APP_CLONE" WITH ADMIN OPTION',
        'GRANT "CLERKS" TO "APP_CLONE"',
        'GRANT "AUDITORS" TO "APP_CLONE" WITH ADMIN OPTION',
        'ALTER USER "APP_CLONE" DEFAULT ROLE "CLERKS"',
        'GRANT SELECT ON "SHOP"."BILLS" TO "APP_CLONE" WITH GRANT OPTION',
        'GRANT READ ON DIRECTORY "DUMPS" TO "APP_CLONE"',
        'GRANT UPDATE ("PAID") ON "SHOP"."BILLS" TO "APP_CLONE"',
    ]


def test_a_user_of_oracle_that_has_it_all_gets_its_password_and_nothing_else() -> None:
    both = dict(ORACLE)
    for (query, name), rows in ORACLE.items():
        if name == "APP":
            both[query, "Twin"] = rows
    both[oracle_statements.USER, "Twin"] = [("Twin", "DATA", "TEMP", "DEFAULT")]
    made = oracle_statements.clone_statements(FakeCatalog(both), "app", "Twin", "new")
    assert list(made) == ['ALTER USER "Twin" IDENTIFIED BY "new"']


@pytest.mark.parametrize("text", ['a"b', "a\0b"])
def test_what_oracle_cannot_quote_is_refused(text: str) -> None:
    for write in (oracle_statements.quoted_name, oracle_statements.quoted_password):
        with pytest.raises(RotationFault) as caught:
            write(text)
        assert caught.value.kind is FaultKind.LIMIT
        assert caught.value.message.endswith('of Oracle must not hold the character "')


# Redshift

REDSHIFT = {
    (redshift.USER, "app"): [(101, True, False, "2099-01-01")],
    (redshift.GROUPS, "app"): [("clerks",)],
    (redshift.ROLES, "app"): [("reader", False), ("keeper", True)],
    (redshift.DATABASE_GRANTS, "app"): [("dev", "TEMP", False)],
    (redshift.SCHEMA_GRANTS, "app"): [("sales", "USAGE", True)],
    (redshift.RELATION_GRANTS, "app"): [("sales", "bills", "SELECT", False)],
}


def test_a_user_of_redshift_is_cloned_with_groups_roles_and_grants() -> None:
    made = list(redshift.clone_statements(FakeCatalog(REDSHIFT), "app", "app_clone", "md5ab"))
    assert made == [
        "CREATE USER \"app_clone\" PASSWORD 'md5ab' CREATEDB VALID UNTIL '2099-01-01'",
        'ALTER GROUP "clerks" ADD USER "app_clone"',
        'GRANT ROLE "reader" TO "app_clone"',
        'GRANT ROLE "keeper" TO "app_clone" WITH ADMIN OPTION',
        'GRANT TEMP ON DATABASE "dev" TO "app_clone"',
        'GRANT USAGE ON SCHEMA "sales" TO "app_clone" WITH GRANT OPTION',
        'GRANT SELECT ON "sales"."bills" TO "app_clone"',
    ]


@pytest.mark.parametrize(
    "statements",
    [
        sqlserver_statements.clone_statements,
        oracle_statements.clone_statements,
        redshift.clone_statements,
    ],
)
def test_a_source_the_target_does_not_know_is_a_fault(statements: Callable[..., Any]) -> None:
    with pytest.raises(RotationFault) as caught:
        list(statements(FakeCatalog({}), "app", "app_clone", "x"))
    assert caught.value.kind is FaultKind.TARGET
    assert caught.value.message.endswith("of the current version's user name")


# What servers say


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (18456, FaultKind.LOGIN),
        (15151, FaultKind.PRIVILEGE),
        (15118, FaultKind.LIMIT),
        (4060, FaultKind.SECRET),
        (99999, FaultKind.TARGET),
    ],
)
def test_errors_of_sql_server_are_sorted_by_number(number: int, kind: FaultKind) -> None:
    fault = server_fault(number)
    assert fault.kind is kind
    assert fault.message.endswith(f" (error {number})")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ORA-01017", FaultKind.LOGIN),
        ("ORA-01031", FaultKind.PRIVILEGE),
        ("ORA-28003", FaultKind.LIMIT),
        ("ORA-20001", FaultKind.LIMIT),
        ("ORA-12514", FaultKind.SECRET),
        ("ORA-00600", FaultKind.TARGET),
        ("DPY-4011", FaultKind.UNREACHABLE),
    ],
)
def test_errors_of_oracle_are_sorted_by_code(code: str, kind: FaultKind) -> None:
    fault = code_fault(code)
    assert fault is not None
    assert fault.kind is kind
    assert fault.message.endswith(f" ({code})")


def test_a_code_that_says_nothing_is_left_to_what_lies_under_it() -> None:
    assert code_fault("DPY-6005") is None
