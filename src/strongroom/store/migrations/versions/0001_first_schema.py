"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column("kind", _TEXT, primary_key=True),
        sa.Column("scope", _TEXT, primary_key=True),
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("alternate", _TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("records_by_alternate", "records", ["kind", "scope", "alternate"], unique=True)
    op.create_table(
        "secrets",
        sa.Column("arn", _TEXT, primary_key=True),
        sa.Column("account_id", _TEXT, nullable=False),
        sa.Column("region", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_changed_at", sa.BigInteger, nullable=False),
        sa.Column("last_accessed_day", sa.BigInteger, nullable=False),
        sa.Column("deletion_at", sa.BigInteger),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("secrets_by_name", "secrets", ["account_id", "region", "name"], unique=True)
    for column in ("created_at", "last_changed_at", "last_accessed_day"):
        op.create_index(f"secrets_by_{column}", "secrets", ["account_id", "region", column, "arn"])
    marked = sa.text("deletion_at IS NOT NULL")
    op.create_index(
        "secrets_by_deletion_at",
        "secrets",
        ["deletion_at", "arn"],
        sqlite_where=marked,
        postgresql_where=marked,
    )
    op.create_table(
        "versions",
        sa.Column("secret_arn", _TEXT, primary_key=True),
        sa.Column("version_id", _TEXT, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_accessed_day", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("seq", _SEQUENCE, primary_key=True),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "events",
        sa.Column("seq", _SEQUENCE, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
