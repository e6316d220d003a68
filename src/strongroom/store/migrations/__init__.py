"""Bringing an older database up to date. Importing this module imports Alembic."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import alembic.command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from strongroom.store.connections import connect


def upgrade(database: Path, revision: str = "head") -> None:
    """Bring the database to `revision` in one transaction: it is whole before and after.

    Raises:
        sqlite3.Error, sqlalchemy.exc.DBAPIError: it failed; nothing was changed.
    """

    def open_database() -> sqlite3.Connection:
        return connect(database, writing=True)

    engine = create_engine("sqlite://", creator=open_database, poolclass=NullPool)
    with engine.connect() as connection:
        # The driver is in autocommit mode, in which SQLAlchemy begins nothing by itself.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
        connection.commit()
