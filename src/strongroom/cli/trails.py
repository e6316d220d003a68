"""`strongroom trail`."""

from __future__ import annotations

from pathlib import Path

import orjson
import typer

from strongroom.cli.exits import Exit
from strongroom.store.errors import RoomError
from strongroom.trail.verification import verify_trail

__all__ = ["verify"]


def verify(data_dir: Path, *, as_json: bool) -> Exit:
    """Print what the verification of a directory's trail found, and return the exit code it deserves.

    Raises:
        RoomError: there is no trail.
    """
    trail = data_dir / "trail"
    if not trail.is_dir():
        raise RoomError(f"There is no trail in {data_dir}.")
    found = verify_trail(trail)
    damage = found.first_damage
    if as_json:
        fields = {
            "ok": found.ok,
            "records": found.records,
            "segments": found.segments,
            "first_damage": None
            if damage is None
            else {
                "slot": damage.slot,
                "file": damage.file,
                "line": damage.line,
                "record": damage.record,
                "reason": damage.reason,
            },
        }
        typer.echo(orjson.dumps(fields).decode())
    elif damage is None:
        typer.echo(
            f"{found.records} records in {found.segments} segments: every one is whole and in its place."
        )
    else:
        typer.echo(f"DAMAGE in {damage.slot}/{damage.file}, line {damage.line}: {damage.reason}", err=True)
    return Exit.DONE if found.ok else Exit.DAMAGED
