"""Where things are kept: the Regions that have secrets, keys or functions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from strongroom.names import Region
from strongroom.ports import ACCOUNTS, FUNCTIONS, KMS_KEYS
from strongroom.store.connections import connect
from strongroom.store.errors import told

__all__ = ["regions_in_use"]

# By the indexes, from one Region to the next: however many secrets there are.
_ACCOUNTS = "SELECT key FROM records WHERE kind = ?"
_NEXT_OF_SECRETS = "SELECT min(region) FROM secrets WHERE account_id = ? AND region > ?"
_NEXT_SCOPE = "SELECT min(scope) FROM records WHERE kind = ? AND scope > ?"


def regions_in_use(database: Path) -> set[Region]:
    """Return every Region that has a secret, KMS key or function of any account.

    Raises:
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    try:
        with closing(connect(database, writing=False)) as connection:
            accounts = [row[0] for row in connection.execute(_ACCOUNTS, (ACCOUNTS.name,))]
            found = {each for account in accounts for each in _steps(connection, _NEXT_OF_SECRETS, account)}
            for kind in (KMS_KEYS, FUNCTIONS):
                # Their scope is account and Region (`ports.account_region`).
                scopes = _steps(connection, _NEXT_SCOPE, kind.name)
                found.update(each.partition("/")[2] for each in scopes)
            return {Region(each) for each in found}
    except sqlite3.Error as exc:
        raise told(exc) from exc


def _steps(connection: sqlite3.Connection, query: str, of: str) -> Iterator[str]:
    """Yield the values that a query for the next one gives, from the first on."""
    at = ""
    while (found := connection.execute(query, (of, at)).fetchone()[0]) is not None:
        at = found
        yield at
