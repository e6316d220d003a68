"""Where things are kept: the Regions that have secrets or keys."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from strongroom.names import Region
from strongroom.ports import KMS_KEYS
from strongroom.store.connections import connect
from strongroom.store.errors import told

__all__ = ["regions_in_use"]

_OF_SECRETS = "SELECT DISTINCT region FROM secrets"
_OF_KEYS = "SELECT DISTINCT scope FROM records WHERE kind = ?"


def regions_in_use(database: Path) -> set[Region]:
    """Return every Region that has a secret or a KMS key of any account.

    Raises:
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    try:
        with closing(connect(database, writing=False)) as connection:
            found = {Region(row[0]) for row in connection.execute(_OF_SECRETS)}
            # A key's scope is its account and Region (`ports.account_region`).
            keys = connection.execute(_OF_KEYS, (KMS_KEYS.name,))
            return found | {Region(row[0].partition("/")[2]) for row in keys}
    except sqlite3.Error as exc:
        raise told(exc) from exc
