"""Where things are kept: the Regions that have secrets, keys or functions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from strongroom.names import Region
from strongroom.ports import FUNCTIONS, KMS_KEYS
from strongroom.store.connections import connect
from strongroom.store.errors import told

__all__ = ["regions_in_use"]

_OF_SECRETS = "SELECT DISTINCT region FROM secrets"
_OF_RECORDS = "SELECT DISTINCT scope FROM records WHERE kind IN (?, ?)"


def regions_in_use(database: Path) -> set[Region]:
    """Return every Region that has a secret, KMS key or function of any account.

    Raises:
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    try:
        with closing(connect(database, writing=False)) as connection:
            found = {Region(row[0]) for row in connection.execute(_OF_SECRETS)}
            # Their scope is account and Region (`ports.account_region`).
            others = connection.execute(_OF_RECORDS, (KMS_KEYS.name, FUNCTIONS.name))
            return found | {Region(row[0].partition("/")[2]) for row in others}
    except sqlite3.Error as exc:
        raise told(exc) from exc
