"""`strongroom trail`."""

from __future__ import annotations

import base64
from dataclasses import asdict
from pathlib import Path

import orjson
import typer

from strongroom.audit.checkpoint import CheckpointError, PublicKey, split_notes
from strongroom.audit.digest import fingerprint
from strongroom.audit.signer import TrailSigner
from strongroom.cli.exits import Exit
from strongroom.store.errors import RoomError
from strongroom.store.outbox import digest_chains, exported_up_to, trail_signer
from strongroom.store.room import DATABASE, verify_format
from strongroom.trail.examination import Known, examine
from strongroom.trail.proof import ProofError, prove

__all__ = ["print_digest_keys", "print_key", "print_proof", "verify"]


def verify(data_dir: Path, *, as_json: bool, held: Path | None = None, public_key: str | None = None) -> Exit:
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
    signer = trail_signer(data_dir / DATABASE)
    found = examine(trail, _known(exported, signer, held, public_key))
    damage = found.first_damage
    if as_json:
        fields = {
            "ok": found.ok,
            "records": found.records,
            "segments": found.segments,
            "unfinished": found.unfinished,
            "retired": found.retired,
            "first_damage": None if damage is None else asdict(damage),
            "damages": [asdict(each) for each in found.damages],
        }
        typer.echo(orjson.dumps(fields).decode())
    elif found.ok:
        typer.echo(
            f"{found.records} records in {found.segments} segments: every one is whole and in its place."
        )
        if found.unfinished:
            typer.echo(f"{found.unfinished} of the files end with a record that was not written to its end.")
        if found.retired:
            typer.echo(f"{found.retired} older records were deleted by policy, as a signed note says.")
    else:
        for each in found.damages:
            where = f"{each.slot}/{each.file}".lstrip("/") + (f", line {each.line}" if each.line else "")
            record = f" at record {each.record} of" if each.record else ":"
            typer.echo(f"DAMAGE{record} {where}: {each.reason}", err=True)
    return Exit.DONE if found.ok else Exit.DAMAGED


def print_key(data_dir: Path) -> None:
    """Print the public key that a directory's trail is verified by.

    Raises:
        RoomError: it is no data directory, or nothing was signed yet.
    """
    verify_format(data_dir)
    signer = trail_signer(data_dir / DATABASE)
    if signer is None:
        raise RoomError(f"Nothing in the trail of {data_dir} was signed yet.")
    typer.echo(str(PublicKey(signer.name, signer.public_key)))


def print_digest_keys(data_dir: Path) -> None:
    """Print the public keys that a directory's log files are verified by: one JSON object for each account
    and region.

    Raises:
        RoomError: it is no data directory, or no log file was written yet.
    """
    verify_format(data_dir)
    chains = digest_chains(data_dir / DATABASE)
    if not chains:
        raise RoomError(f"No log file was written of the trail of {data_dir} yet.")
    for chain in chains:
        fields = {
            "account_id": chain.account_id,
            "region": chain.region,
            "fingerprint": fingerprint(chain.public_key),
            "valid_from": chain.created_at,
            "public_key": base64.b64encode(chain.public_key).decode(),
        }
        typer.echo(orjson.dumps(fields).decode())


def print_proof(data_dir: Path, event_id: str, older: Path | None = None) -> None:
    """Print the proof that a record is in the trail, with `older` also that the trail has only grown since
    the last checkpoint of that file.

    Raises:
        RoomError: it is no data directory, or there is nothing to be proved.
        IntegrityError, ServiceUnavailableException: trail or database are damaged, or cannot be read.
    """
    verify_format(data_dir)
    signer = trail_signer(data_dir / DATABASE)
    if signer is None:
        raise RoomError(f"Nothing in the trail of {data_dir} was signed yet.")
    notes = [b""] if older is None else split_notes(older.read_bytes())[0]
    if not notes:
        raise RoomError(f"There is no checkpoint in {older}.")
    try:
        proof = prove(data_dir / "trail", PublicKey(signer.name, signer.public_key), event_id, notes[-1])
    except ProofError as error:
        raise RoomError(str(error)) from error
    typer.echo(orjson.dumps(proof, option=orjson.OPT_INDENT_2).decode())


def _known(exported: int, signer: TrailSigner | None, held: Path | None, public_key: str | None) -> Known:
    """Return what the trail is held to.

    Warns when checkpoints held elsewhere are verified by the key in the directory: who wrote the directory
    could have put his own there, so that a refusal of the held ones would be all that shows it.
    """
    try:
        key = None if public_key is None else PublicKey.parse(public_key)
    except CheckpointError as error:
        raise RoomError(f"The public key cannot be used: {error}.") from error
    notes = [] if held is None else split_notes(held.read_bytes())[0]
    if held is not None and not notes:
        raise RoomError(f"There is no checkpoint in {held}.")
    if key is None and signer is not None:
        key = PublicKey(signer.name, signer.public_key)
        if held is not None:
            typer.echo(
                "strongroom: the checkpoints are verified by the key in the directory itself; give "
                "--public-key, kept elsewhere, to know whose they are.",
                err=True,
            )
    if key is None and notes:
        raise RoomError("Nothing in this trail was signed, but a checkpoint was given.")
    return Known(exported, key, b"" if signer is None else signer.newest, notes)
