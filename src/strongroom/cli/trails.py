"""`strongroom trail`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson
import typer

from strongroom.cli.exits import Exit
from strongroom.store.errors import RoomError
from strongroom.store.outbox import exported_up_to
from strongroom.store.room import DATABASE, verify_format
from strongroom.trail.verification import verify_trail

__all__ = ["verify"]


def verify(data_dir: Path, *, as_json: bool) -> Exit:
    """Print what the verification of a directory's trail found, and return the exit code it deserves.

    Raises:
        RoomError: it is no data directory, or of a newer format; there is no trail, or no database beside it.
        ServiceUnavailableException, IntegrityError: the database cannot be read, or is damaged.
    """
    verify_format(data_dir)
    trail = data_dir / "trail"
    if not trail.is_dir():
        raise RoomError(f"There is no trail in {data_dir}.")
    if not (data_dir / DATABASE).is_file():
        raise RoomError(
            f"There is no database in {data_dir}, so nobody can say whether its trail is all there."
        )
    # Before the trail is read: what leaves the database meanwhile is in the trail already.
    exported = exported_up_to(data_dir / DATABASE)
    found = verify_trail(trail, exported=exported)
    damage = found.first_damage
    if as_json:
        fields = {
            "ok": found.ok,
            "records": found.records,
            "segments": found.segments,
            "unfinished": found.unfinished,
            "first_damage": None if damage is None else asdict(damage),
            "damages": [asdict(each) for each in found.damages],
        }
        typer.echo(orjson.dumps(fields).decode())
    elif found.ok:
        typer.echo(
            f"{found.records} records in {found.segments} segments: every one is whole and in its place."
        )
        if found.unfinished:
            typer.echo(f"{found.unfinished} of the chains end with a record that was not written to its end.")
    else:
        for each in found.damages:
            where = f"{each.slot}/{each.file}" + (f", line {each.line}" if each.line else "")
            typer.echo(f"DAMAGE at record {each.record} of {where}: {each.reason}", err=True)
    return Exit.DONE if found.ok else Exit.DAMAGED
