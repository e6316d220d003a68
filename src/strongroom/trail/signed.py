"""What is signed in a trail, read from its files: whole notes, and half a one that a crash has left."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.audit.checkpoint import (
    FIRST_PREVIOUS_NOTE,
    CheckpointError,
    PublicKey,
    hash_note,
    split_notes,
)
from strongroom.audit.retirement import Retired, verify_retirements
from strongroom.trail.tree import CHECKPOINTS, LEAVES, RETIRED, TREE

__all__ = ["SignedFiles", "may_follow", "read_signed", "verify_retired"]

Form = bytes | tuple[bytes, bytes]
"""A line: what it is, or the forms of a whole one and of its beginning."""
_SIZE: Final = (rb"[1-9][0-9]{0,17}", rb"[1-9]?[0-9]{0,17}")
_HASH: Final = (rb"[A-Za-z0-9+/]{43}=", rb"[A-Za-z0-9+/]{0,43}=?")
_FIRST_LINES: Final[dict[str, tuple[Form, ...]]] = {CHECKPOINTS: (_SIZE, _HASH), RETIRED: (b"retired",)}
"""What stands between a note's origin and the hash of the note before."""
_TIME: Final = (
    rb"time [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    rb"t?i?m?e? ?[0-9T:-]{0,19}Z?",
)
_SLOT = re.compile(rb"slot [a-z0-9-]{1,64} [1-9][0-9]{0,17} [A-Za-z0-9+/]{43}=(?: [0-9]{1,18})?")
_LATER = re.compile(rb"(?:[ -~]|\xe2(?:\x80(?:\x94)?)?){0,400}")
"""The beginning of a line that names a slot, or of the signature."""


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """The files of the tree at one moment, each no older than what the database said before."""

    leaves: int
    """How many bytes the leaf log had; read first, so that what it holds is covered by the notes."""
    notes: tuple[bytes, ...]
    """The checkpoints."""
    rest: bytes
    """What the file of the checkpoints ends with that is no whole note."""
    retired: tuple[bytes, ...]
    """The notes of retirement."""
    retired_rest: bytes

    @property
    def unfinished(self) -> int:
        """How many of the files end with a note that was not written to its end."""
        return bool(self.rest) + bool(self.retired_rest)


def read_signed(trail: Path) -> SignedFiles:
    """Return what is signed in a trail. Raises OSError when it cannot be read."""
    tree = trail / TREE
    leaves = (tree / LEAVES).stat().st_size if (tree / LEAVES).exists() else 0
    notes, rest = split_notes(_bytes_of(tree / CHECKPOINTS))
    retired, retired_rest = split_notes(_bytes_of(tree / RETIRED))
    return SignedFiles(leaves, tuple(notes), rest, tuple(retired), retired_rest)


def verify_retired(signed: SignedFiles, key: PublicKey) -> dict[str, Retired]:
    """Return the last record of each slot that was deleted by policy.

    Raises:
        CheckpointError: the notes that say it do not hold.
    """
    found = verify_retirements(key, signed.retired)
    if not may_follow(RETIRED, signed.retired, signed.retired_rest, key):
        raise CheckpointError("what follows the last note of retirement is not the beginning of one")
    return {} if found is None else dict(found.slots)


def may_follow(file: str, notes: Sequence[bytes], rest: bytes, key: PublicKey) -> bool:
    """True when `rest` may be the first bytes of the next note of `file`, or nothing: a writer died."""
    previous = hash_note(notes[-1]) if notes else FIRST_PREVIOUS_NOTE
    *lines, partial = rest.split(b"\n")
    forms: tuple[Form, ...] = (
        key.name.encode(),
        *_FIRST_LINES[file],
        b"previous " + base64.b64encode(previous),
        _TIME,
    )
    if not all(_is_line(form, line) for form, line in zip(forms, lines, strict=False)):
        return False
    if len(lines) < len(forms):
        return _is_start(forms[len(lines)], partial)
    slots = lines[len(forms) :]
    if slots and not slots[-1]:
        slots.pop()
    return _LATER.fullmatch(partial) is not None and all(_SLOT.fullmatch(each) for each in slots)


def _is_line(form: Form, line: bytes) -> bool:
    return line == form if isinstance(form, bytes) else re.fullmatch(form[0], line) is not None


def _is_start(form: Form, line: bytes) -> bool:
    return form.startswith(line) if isinstance(form, bytes) else re.fullmatch(form[1], line) is not None


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
