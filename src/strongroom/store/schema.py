"""The tables, as SQLAlchemy metadata: plain and portable, so that PostgreSQL can hold them too.

Nothing on the way of a request imports this module. `schema.sql` beside it is what a new SQLite database is
made from; it is `sqlite_ddl()` written down, and a test holds the two and the migrations together. After a
change, add a migration and run `python -m strongroom.store.schema` to write `schema.sql` again.

Times are whole microseconds since 1970, days are proleptic ordinals (0: never). Texts compare by code point.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

SCHEMA_SQL = Path(__file__).with_name("schema.sql")

metadata = MetaData()

# Code points, as sort_position compares; SQLite's default BINARY does the same on UTF-8.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
# Only INTEGER PRIMARY KEY numbers rows by itself in SQLite.
_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

records = Table(
    "records",
    metadata,
    Column("kind", _TEXT, primary_key=True),
    Column("scope", _TEXT, primary_key=True),
    Column("key", _TEXT, primary_key=True),
    Column("alternate", _TEXT, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("records_by_alternate", "kind", "scope", "alternate", unique=True),
)

secrets = Table(
    "secrets",
    metadata,
    Column("arn", _TEXT, primary_key=True),
    Column("account_id", _TEXT, nullable=False),
    Column("region", _TEXT, nullable=False),
    Column("name", _TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_changed_at", BigInteger, nullable=False),
    Column("last_accessed_day", BigInteger, nullable=False),
    Column("deletion_at", BigInteger),
    Column("body", LargeBinary, nullable=False),
    Index("secrets_by_name", "account_id", "region", "name", unique=True),
    Index("secrets_by_created_at", "account_id", "region", "created_at", "arn"),
    Index("secrets_by_last_changed_at", "account_id", "region", "last_changed_at", "arn"),
    Index("secrets_by_last_accessed_day", "account_id", "region", "last_accessed_day", "arn"),
    Index(
        "secrets_by_deletion_at",
        "deletion_at",
        "arn",
        sqlite_where=text("deletion_at IS NOT NULL"),
        postgresql_where=text("deletion_at IS NOT NULL"),
    ),
)

versions = Table(
    "versions",
    metadata,
    Column("secret_arn", _TEXT, primary_key=True),
    Column("version_id", _TEXT, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_accessed_day", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True),
    Column("kind", _TEXT, nullable=False),
    Column("key", _TEXT, nullable=False),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)


def sqlite_ddl() -> str:
    """Return the statements that make these tables in an empty SQLite database."""
    dialect = sqlite.dialect()
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in indexes]
    lines = (line.rstrip().replace("\t", "    ") for line in ";\n\n".join(statements).splitlines())
    return "\n".join(lines) + ";\n"


if __name__ == "__main__":
    SCHEMA_SQL.write_text(sqlite_ddl(), encoding="utf-8")
