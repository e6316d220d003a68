"""The tables, written down three times: metadata, schema.sql, migrations. They must say the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from strongroom.secret.ordering import SORT_KEYS
from strongroom.store.migrations import upgrade
from strongroom.store.room import REVISION, Room
from strongroom.store.schema import SCHEMA_SQL, metadata, sqlite_ddl
from strongroom.store.units import _CROWDED, _SECRETS_AFTER, _SECRETS_DUE, secrets_page


def schema_of(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return tables with their columns and primary keys, and indexes with theirs."""
    with closing(sqlite3.connect(database)) as connection:
        objects = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name != 'alembic_version'"
        ).fetchall()
        described: dict[str, list[tuple[object, ...]]] = {}
        for kind, name in sorted(objects):
            pragma = "table_info" if kind == "table" else "index_xinfo"
            described[f"{kind} {name}"] = connection.execute(f"PRAGMA {pragma}({name})").fetchall()
            if kind == "table":
                described[f"indexes of {name}"] = sorted(
                    row[1:] for row in connection.execute(f"PRAGMA index_list({name})")
                )
                (sql,) = connection.execute(
                    "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
                ).fetchone()
                described[f"numbering of {name}"] = [("AUTOINCREMENT" in sql,)]
        return described


def test_schema_sql_is_the_metadata() -> None:
    assert SCHEMA_SQL.read_text(encoding="utf-8") == sqlite_ddl()


def test_migrations_together_make_what_schema_sql_makes(tmp_path: Path) -> None:
    migrated = tmp_path / "migrated.db"
    sqlite3.connect(migrated).close()
    upgrade(migrated)
    with Room.create(tmp_path / "room") as room:
        made = schema_of(room.database)
        with closing(sqlite3.connect(room.database)) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
    assert len(made) > 10
    assert schema_of(migrated) == made
    with closing(sqlite3.connect(migrated)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]


def test_migrations_together_make_the_metadata(tmp_path: Path) -> None:
    migrated, direct = tmp_path / "migrated.db", tmp_path / "direct.db"
    sqlite3.connect(migrated).close()
    upgrade(migrated)
    engine = create_engine(f"sqlite:///{direct}")
    metadata.create_all(engine)
    engine.dispose()
    assert schema_of(migrated) == schema_of(direct)


def test_the_tables_can_be_made_in_postgresql() -> None:
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


@pytest.fixture
def empty(tmp_path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA_SQL.read_text(encoding="utf-8"))
    yield connection
    connection.close()


@pytest.mark.parametrize("sort_by", SORT_KEYS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("behind", [False, True])
def test_a_page_of_a_listing_reads_an_index_and_sorts_nothing(
    empty: sqlite3.Connection, sort_by: str, descending: bool, behind: bool
) -> None:
    query = secrets_page(sort_by, descending, behind)
    parameters = ("1", "r", *(("x", "arn") if behind else ()), 200)
    plan = " ".join(row[3] for row in empty.execute(f"EXPLAIN QUERY PLAN {query}", parameters))
    assert "USING INDEX secrets_by_" in plan
    assert "TEMP B-TREE" not in plan
    if behind:
        # The position is a bound of the search, not a filter of all that was passed already.
        assert plan.count("?") == 3 or ">(?,?)" in plan or "<(?,?)" in plan


def test_due_and_crowded_secrets_are_found_by_index(empty: sqlite3.Connection) -> None:
    due = empty.execute(f"EXPLAIN QUERY PLAN {_SECRETS_DUE}", (0, 1)).fetchall()
    assert [row[3] for row in due] == ["SEARCH secrets USING INDEX secrets_by_deletion_at (deletion_at<?)"]
    every = empty.execute(f"EXPLAIN QUERY PLAN {_SECRETS_AFTER}", ("", 1)).fetchall()
    assert [row[3] for row in every] == ["SEARCH secrets USING INDEX sqlite_autoindex_secrets_1 (arn>?)"]
    crowded = empty.execute(f"EXPLAIN QUERY PLAN {_CROWDED}", ("", 1, 1)).fetchall()
    assert len(crowded) == 1
    assert "USING COVERING INDEX" in crowded[0][3]
