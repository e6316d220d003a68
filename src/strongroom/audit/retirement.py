"""Signed notes of retirement: which records of a trail were deleted because they were old enough.

A note says it of everything deleted so far, slot by slot, so the newest is all that counts. It is signed like
a checkpoint, by the same key; its second line, a word where a checkpoint has a number, keeps the two apart.
Layout: docs/spec/trail.md, section 9.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from strongroom.audit.checkpoint import (
    FIRST_PREVIOUS_NOTE,
    CheckpointError,
    PublicKey,
    SigningKey,
    hash_note,
)

__all__ = ["Retired", "Retirement", "sign_retirement", "verify_retirements"]

_WORD: Final = "retired"
_TIME_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"
_SLOT = re.compile(r"slot ([a-z0-9-]{1,64}) ([1-9][0-9]{0,17}) ([A-Za-z0-9+/]{43}=) (0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Retired:
    """The last record of a slot that was deleted; all before it were."""

    number: int
    line: bytes
    """The SHA-256 of its line, which the next record names as its `prev`."""
    write: int
    """The number that the last deleted record of a write had in the outbox; 0 when there was none."""


@dataclass(frozen=True, slots=True)
class Retirement:
    at: dt.datetime
    """To the second."""
    previous: bytes = FIRST_PREVIOUS_NOTE
    """`hash_note` of the note before."""
    slots: Mapping[str, Retired] = field(default_factory=dict)

    def text(self, origin: str) -> str:
        """Return what is signed."""
        lines = [
            origin,
            _WORD,
            f"previous {_base64(self.previous)}",
            f"time {self.at.astimezone(dt.UTC).strftime(_TIME_FORM)}",
        ]
        lines += [
            f"slot {slot} {gone.number} {_base64(gone.line)} {gone.write}"
            for slot, gone in sorted(self.slots.items())
        ]
        return "\n".join(lines) + "\n"


def sign_retirement(key: SigningKey, retirement: Retirement) -> bytes:
    """Return the signed note."""
    return key.sign_text(retirement.text(key.public.name))


def verify_retirements(key: PublicKey, notes: Sequence[bytes]) -> Retirement | None:
    """Return what the newest of the notes says, all of which stand in their order; None when there is none.

    Raises:
        CheckpointError: one has another form, or is not signed by the key, or one between them is missing.
    """
    newest, previous = None, FIRST_PREVIOUS_NOTE
    for note in notes:
        found = _parse(key, key.verify_text(note))
        if found.previous != previous:
            raise CheckpointError("the note of retirement before this one is missing")
        if newest is not None and any(
            slot not in found.slots or found.slots[slot].number < gone.number
            for slot, gone in newest.slots.items()
        ):
            raise CheckpointError("a note of retirement takes back what one before it says")
        newest, previous = found, hash_note(note)
    return newest


def _parse(key: PublicKey, text: str) -> Retirement:
    try:
        _, _, previous, at, *slots = text.rstrip("\n").split("\n")
        matches = [found for line in slots if (found := _SLOT.fullmatch(line)) is not None]
        retirement = Retirement(
            previous=base64.b64decode(previous.removeprefix("previous "), validate=True),
            at=dt.datetime.strptime(at.removeprefix("time "), _TIME_FORM).replace(tzinfo=dt.UTC),
            slots={m[1]: Retired(int(m[2]), base64.b64decode(m[3]), int(m[4])) for m in matches},
        )
    except ValueError as exc:
        raise CheckpointError("this is not a note of retirement as the program writes it") from exc
    if retirement.text(key.name) != text:
        raise CheckpointError("this is not a note of retirement as the program writes it")
    return retirement


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
