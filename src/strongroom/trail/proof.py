"""Proofs that a record is in the signed tree, to be checked by people who have nothing else of the trail."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from strongroom.audit.checkpoint import Checkpoint, CheckpointError, PublicKey
from strongroom.audit.merkle import consistency_proof, inclusion_proof
from strongroom.errors import IntegrityError
from strongroom.trail.following import leaf_hash
from strongroom.trail.layout import open_segment, parse_line, segment_files, slots
from strongroom.trail.signed import read_signed
from strongroom.trail.tree import LEAVES, TREE, read_leaves, subtree_of

__all__ = ["ProofError", "prove"]

FORMAT: Final = "strongroom-trail-proof/1"


class ProofError(Exception):
    """There is nothing to be proved; the message says why."""


def prove(trail: Path, key: PublicKey, event_id: str, older: bytes = b"") -> dict[str, Any]:
    """Return the proof that the record with `event_id` is in the tree of the newest checkpoint.

    With `older`, a checkpoint, it also proves that the tree has only grown since. What a proof consists of:
    docs/spec/trail.md, section 10. The server may run meanwhile.

    Raises:
        ProofError: there is no such record, no checkpoint covers it yet, or `older` is none of this trail's.
        IntegrityError: the trail is damaged there: it does not have what was signed.
        OSError: it cannot be read.
    """
    slot, number, line = _find(trail, event_id)
    notes = read_signed(trail).notes
    try:
        checkpoints = [key.verify_note(note) for note in notes]
    except CheckpointError as exc:
        raise IntegrityError(f"a checkpoint of the trail does not hold: {exc}") from exc
    index = _index_of(checkpoints, slot, number)
    leaf = leaf_hash(slot, line)
    leaves = trail / TREE / LEAVES
    if read_leaves(leaves, index, index + 1) != [leaf]:
        raise IntegrityError(f"record {number} of {slot} is not the one that a checkpoint covers")
    newest, subtree = checkpoints[-1], subtree_of(leaves)
    proof: dict[str, Any] = {
        "format": FORMAT,
        "slot": slot,
        "line": line.decode(),
        "index": index,
        "path": _texts(inclusion_proof(index, newest.size, subtree)),
        "checkpoint": notes[-1].decode(),
        "public_key": str(key),
    }
    if older:
        if older not in notes:
            raise ProofError("The older checkpoint is not among those of this trail.")
        size = checkpoints[notes.index(older)].size
        proof["older"] = {
            "checkpoint": older.decode(),
            "path": _texts(consistency_proof(size, newest.size, subtree)),
        }
    return proof


def _find(trail: Path, event_id: str) -> tuple[str, int, bytes]:
    wanted = orjson.dumps(event_id)
    for slot in slots(trail):
        for _, path in segment_files(slot):
            for raw in _lines(path):
                if wanted not in raw:
                    continue
                line = parse_line(raw)
                if line is not None and orjson.loads(line.event).get("eventID") == event_id:
                    return slot.name, line.number, raw
    raise ProofError(f"No record of the trail has the event id {event_id}.")


def _lines(path: Path) -> Iterator[bytes]:
    with open_segment(path) as file:
        for raw in file:
            yield raw.removesuffix(b"\n")


def _index_of(checkpoints: Sequence[Checkpoint], slot: str, number: int) -> int:
    """Return where a record stands in the tree: each checkpoint adds what is new of each slot, by name."""
    size, heads = 0, dict[str, int]()
    for checkpoint in checkpoints:
        if slot in checkpoint.heads and number <= checkpoint.heads[slot].number:
            before = (name for name in checkpoint.heads if name < slot)
            added = sum(checkpoint.heads[name].number - heads.get(name, 0) for name in before)
            return size + added + number - heads.get(slot, 0) - 1
        size, heads = checkpoint.size, {name: head.number for name, head in checkpoint.heads.items()}
    raise ProofError(
        "No checkpoint covers this record yet: a running server signs what is new every ten seconds or so."
    )


def _texts(path: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(each).decode() for each in path]
