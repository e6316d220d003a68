"""How far the records of writes have left the database for the trail."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from strongroom.audit.digest import DigestChain
from strongroom.audit.signer import TrailSigner
from strongroom.ports import DIGEST_CHAINS, TRAIL_SIGNERS
from strongroom.store.bodies import decode_body
from strongroom.store.connections import connect
from strongroom.store.errors import told
from strongroom.store.units import _record_identity as record_identity

__all__ = ["begin_behind", "digest_chains", "exported_up_to", "trail_signer"]

_PENDING = "SELECT min(seq) FROM events"
_GIVEN = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_FIRST = "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)"
_SIGNER = "SELECT body FROM records WHERE kind = ? AND scope = '' AND key = 'trail'"
_CHAINS = "SELECT key, body FROM records WHERE kind = ? AND scope = '' ORDER BY key"
_ADVANCE = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'events'"


def exported_up_to(database: Path) -> int:
    """Return the number of the last record of a write that is not in the database any more; 0 for none.

    Records leave the database, in order, after they are on disk in the trail: it holds all up to that number.

    Raises:
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    try:
        with closing(connect(database, writing=False)) as connection:
            pending = connection.execute(_PENDING).fetchone()[0]
            if pending is not None:
                return int(pending) - 1
            given = connection.execute(_GIVEN).fetchone()
            return 0 if given is None else int(given[0])
    except sqlite3.Error as exc:
        raise told(exc) from exc


def begin_behind(database: Path, last: int) -> int:
    """Every record of a write that is to come has a number above `last`, the last one the trail holds.

    Return how many numbers were left out for that. Any at all mean that the database is older than the trail
    (put back from a copy): it gives up nothing, but would give their numbers again, and a record whose number
    the trail has counts as exported. Nobody else may write meanwhile.

    Raises:
        ServiceUnavailableException, IntegrityError: the database cannot be written, or is damaged.
    """
    try:
        with closing(connect(database, writing=True)) as connection:
            row = connection.execute(_GIVEN).fetchone()
            given = 0 if row is None else int(row[0])
            if last <= given:
                return 0
            connection.execute(_FIRST if row is None else _ADVANCE, (last,))
            return last - given
    except sqlite3.Error as exc:
        raise told(exc) from exc


def trail_signer(database: Path) -> TrailSigner | None:
    """Return what signs the trail and what it has signed last; None before anything was.

    Raises:
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    try:
        with closing(connect(database, writing=False)) as connection:
            row = connection.execute(_SIGNER, (TRAIL_SIGNERS.name,)).fetchone()
    except sqlite3.Error as exc:
        raise told(exc) from exc
    if row is None:
        return None
    decoder = msgspec.msgpack.Decoder(TrailSigner)
    return decode_body(decoder, row[0], record_identity(TRAIL_SIGNERS.name, "", "trail"))


def digest_chains(database: Path) -> list[DigestChain]:
    """Return the chains of digests of log files that there are.

    Raises:
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    try:
        with closing(connect(database, writing=False)) as connection:
            rows = connection.execute(_CHAINS, (DIGEST_CHAINS.name,)).fetchall()
    except sqlite3.Error as exc:
        raise told(exc) from exc
    decoder = msgspec.msgpack.Decoder(DigestChain)
    return [decode_body(decoder, body, record_identity(DIGEST_CHAINS.name, "", key)) for key, body in rows]
