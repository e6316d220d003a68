"""What signed checkpoints say of a trail: is everything they cover there, as it was?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from strongroom.audit.checkpoint import (
    FIRST_PREVIOUS_NOTE,
    Checkpoint,
    CheckpointError,
    Head,
    PublicKey,
    hash_note,
)
from strongroom.audit.merkle import HASH_BYTES, CompactTree
from strongroom.audit.retirement import Retired
from strongroom.errors import IntegrityError
from strongroom.trail.following import SlotReader
from strongroom.trail.layout import SEGMENTS, segment_files, segment_name
from strongroom.trail.signed import SignedFiles, may_follow, read_signed
from strongroom.trail.tree import CHECKPOINTS, LEAVES, TREE, read_leaves
from strongroom.trail.verification import Damage

__all__ = ["verify_checkpoints"]

READ_BYTES = 4 * 1024 * 1024


def verify_checkpoints(
    trail: Path,
    key: PublicKey,
    newest: bytes = b"",
    held: Sequence[bytes] = (),
    *,
    signed: SignedFiles | None = None,
    retired: Mapping[str, Retired] | None = None,
) -> Damage | None:
    """Return the first thing in the trail that its checkpoints contradict. Writes nothing.

    `newest` is the checkpoint the database knows, read before this is called; `held` are some kept elsewhere.
    `retired` are the records that need not be there, by slot. The server may run meanwhile.
    """
    signed = read_signed(trail) if signed is None else signed
    walk = _Walk(trail, signed, retired or {})
    previous = FIRST_PREVIOUS_NOTE
    for position, note in enumerate(signed.notes, 1):
        try:
            checkpoint = key.verify_note(note)
        except CheckpointError as error:
            return _of_checkpoints(position, str(error))
        if checkpoint.previous != previous:
            return _of_checkpoints(position, "the checkpoint before this one is missing")
        previous = hash_note(note)
        damage = walk.cover(checkpoint, position)
        if damage is not None:
            return damage
    behind = len(signed.notes) + 1
    if not may_follow(CHECKPOINTS, signed.notes, signed.rest, key):
        return _of_checkpoints(behind, "what follows the last checkpoint is not the beginning of one")
    known = ((newest, "the database knows"),) if newest else ()
    for note, where in (*known, *((each, "was held elsewhere") for each in held)):
        if note not in signed.notes:
            return _of_checkpoints(behind, f"the checkpoint that {where} is not among those of the trail")
    return walk.leaves_to_the_end(key.verify_note(newest).size if newest else 0)


class _Walk:
    """From checkpoint to checkpoint: the tree grows by the records each adds."""

    def __init__(self, trail: Path, signed: SignedFiles, retired: Mapping[str, Retired]) -> None:
        self._trail = trail
        self._signed = signed
        self._retired = retired
        self._readers: dict[str, SlotReader] = {}
        self._heads: dict[str, int] = {}
        """By slot, the last record in the tree."""
        self._tree = CompactTree()

    def cover(self, checkpoint: Checkpoint, position: int) -> Damage | None:
        leaves: list[bytes] = []
        for slot, head in sorted(checkpoint.heads.items()):
            found = self._cover_slot(slot, head, self._tree.size + len(leaves))
            if isinstance(found, Damage):
                return found
            leaves += found
        logged = read_leaves(self._trail / TREE / LEAVES, self._tree.size, self._tree.size + len(leaves))
        start = self._tree.size
        for leaf in leaves:
            self._tree.append(leaf)
        if self._tree.root() != checkpoint.root:
            if self._retired.keys() & checkpoint.heads.keys():
                reason = (
                    "these leaves, some of records that were retired, do not give the root that was signed"
                )
                return Damage(TREE, LEAVES, 0, start + 1, reason)
            return _of_checkpoints(position, "its root is not that of the records it covers")
        wrong = next(
            (at for at, (one, other) in enumerate(zip(leaves, logged, strict=False)) if one != other), None
        )
        if wrong is not None:
            reason = "the leaf is not that of the record it stands for"
            return Damage(TREE, LEAVES, 0, start + wrong + 1, reason)
        return None

    def leaves_to_the_end(self, known: int) -> Damage | None:
        """`known` is how many leaves there are for certain: the database was told of them after they were
        written. Those of later checkpoints a crash may have left undone."""
        size = self._signed.leaves
        if size > self._tree.size * HASH_BYTES:
            reason = "there are more leaves than the checkpoints cover"
            return Damage(TREE, LEAVES, 0, self._tree.size + 1, reason)
        if size < known * HASH_BYTES:
            return Damage(TREE, LEAVES, 0, size // HASH_BYTES + 1, "leaves are missing at the end")
        return None

    def _cover_slot(self, slot: str, head: Head, index: int) -> list[bytes] | Damage:
        """Return the leaves of the slot's records up to `head`; `index` is that of the first in the tree."""
        leaves: list[bytes] = []
        first = self._heads.get(slot, 0) + 1
        self._heads[slot] = head.number
        gone = self._retired.get(slot)
        if gone is not None and first <= gone.number:
            count = min(gone.number, head.number) - first + 1
            leaves = read_leaves(self._trail / TREE / LEAVES, index, index + count)
            if len(leaves) < count:
                return Damage(
                    TREE, LEAVES, 0, index + len(leaves) + 1, "leaves of retired records are missing"
                )
            first += count
        if first > head.number:
            return leaves
        if not (self._trail / SEGMENTS / slot).is_dir():
            reason = "the slot is missing, and a checkpoint covers its records"
            return Damage(slot, segment_name(first), 0, first, reason)
        own: list[bytes] = []
        error = ""
        try:
            if slot not in self._readers:
                self._readers[slot] = self._new_reader(slot)
            while more := self._readers[slot].read(READ_BYTES, head.number):
                own += more
        except IntegrityError as exc:
            error = str(exc)
        if error or self._readers[slot].head != head:
            return self._wrong(slot, first, head, index + len(leaves), error)
        return leaves + own

    def _new_reader(self, slot: str) -> SlotReader:
        gone = self._retired.get(slot)
        return SlotReader(
            self._trail / SEGMENTS / slot, gone=None if gone is None else Head(gone.number, gone.line)
        )

    def _wrong(self, slot: str, first: int, head: Head, index: int, error: str) -> Damage:
        """Return what is wrong with the records from `first` to `head`, whose leaves begin at `index`."""
        reader = self._readers.get(slot)
        reached = first - 1 if reader is None else reader.head.number
        record = self._first_altered(slot, first, reached, index)
        if record is not None:
            reason = f"record {record} is not the one that a checkpoint covers"
        elif error:
            record, reason = reached + 1, error
        elif reached < head.number:
            record = reached + 1
            reason = f"records {record} to {head.number}, which a checkpoint covers, are missing at the end"
        else:
            # The leaf log, which would say which, was altered as well, or is not there.
            record, reason = (
                first,
                f"record {first}, or one behind it, is not the one that a checkpoint covers",
            )
        return Damage(slot, _file_of(self._trail / SEGMENTS / slot, record), 0, record, reason)

    def _first_altered(self, slot: str, first: int, last: int, index: int) -> int | None:
        """Return the first of the records whose leaf is not that of the log; read anew from the start."""
        leaves: list[bytes] = []
        with suppress(IntegrityError):
            reader = self._new_reader(slot)
            while reader.head.number < last and (more := reader.read(READ_BYTES, last)):
                leaves += more
        leaves = leaves[-(last - first + 1) :] if last >= first else []
        logged = read_leaves(self._trail / TREE / LEAVES, index, index + len(leaves))
        differing = (at for at, pair in enumerate(zip(leaves, logged, strict=False)) if pair[0] != pair[1])
        return next((first + at for at in differing), None)


def _file_of(slot: Path, record: int) -> str:
    """Return the name of the segment that has a record, or would have it."""
    names = [path.name for number, path in segment_files(slot) if number <= record]
    return names[-1] if names else segment_name(record)


def _of_checkpoints(position: int, reason: str) -> Damage:
    return Damage(TREE, CHECKPOINTS, 0, position, reason)
