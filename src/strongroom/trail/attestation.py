"""What signed checkpoints say of a trail: is everything they cover there, as it was?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from strongroom.audit.checkpoint import (
    FIRST_PREVIOUS_NOTE,
    Checkpoint,
    CheckpointError,
    PublicKey,
    hash_note,
    split_notes,
)
from strongroom.audit.merkle import CompactTree
from strongroom.errors import IntegrityError
from strongroom.trail.following import SlotReader
from strongroom.trail.layout import SEGMENTS, segment_name
from strongroom.trail.tree import CHECKPOINTS, LEAVES, TREE, read_leaves
from strongroom.trail.verification import Damage

__all__ = ["verify_checkpoints"]

READ_BYTES = 4 * 1024 * 1024


def verify_checkpoints(
    trail: Path, key: PublicKey, newest: bytes = b"", held: Sequence[bytes] = ()
) -> Damage | None:
    """Return the first thing in the trail that its checkpoints contradict. Writes nothing.

    `newest` is the checkpoint the database knows, read before this is called; `held` are some kept elsewhere.
    The server may run meanwhile.
    """
    path = trail / TREE / CHECKPOINTS
    notes, _ = split_notes(path.read_bytes() if path.exists() else b"")
    readers: dict[str, SlotReader] = {}
    tree, previous = CompactTree(), FIRST_PREVIOUS_NOTE
    for position, note in enumerate(notes, 1):
        try:
            checkpoint = key.verify_note(note)
        except CheckpointError as error:
            return Damage(TREE, CHECKPOINTS, 0, position, str(error))
        if checkpoint.previous != previous:
            return Damage(TREE, CHECKPOINTS, 0, position, "the checkpoint before this one is missing")
        previous = hash_note(note)
        damage = _cover(trail, readers, tree, checkpoint)
        if damage is not None:
            return damage
        if tree.root() != checkpoint.root:
            return Damage(TREE, CHECKPOINTS, 0, position, "its root is not that of the records it covers")
    known = ((newest, "the database knows"),) if newest else ()
    for note, where in (*known, *((each, "was held elsewhere") for each in held)):
        if note not in notes:
            reason = f"the checkpoint that {where} is not among those of the trail"
            return Damage(TREE, CHECKPOINTS, 0, len(notes) + 1, reason)
    return None


def _cover(
    trail: Path, readers: dict[str, SlotReader], tree: CompactTree, checkpoint: Checkpoint
) -> Damage | None:
    """Grow the tree by the records a checkpoint adds."""
    for slot, head in sorted(checkpoint.heads.items()):
        first = readers[slot].head.number + 1 if slot in readers else 1
        file = segment_name(first)
        if not (trail / SEGMENTS / slot).is_dir():
            return Damage(slot, file, 0, first, "the slot is missing, and a checkpoint covers its records")
        reader = readers.setdefault(slot, SlotReader(trail / SEGMENTS / slot))
        leaves: list[bytes] = []
        try:
            while more := reader.read(READ_BYTES, head.number):
                leaves += more
        except IntegrityError as error:
            return Damage(slot, file, 0, reader.head.number + 1, str(error))
        reached = reader.head.number
        if reached < head.number:
            reason = (
                f"records {reached + 1} to {head.number}, which a checkpoint covers, are missing at the end"
            )
            return Damage(slot, file, 0, reached + 1, reason)
        if reader.head != head:
            logged = read_leaves(trail / TREE / LEAVES, tree.size, tree.size + len(leaves))
            pairs = enumerate(zip(leaves, logged, strict=False))
            altered = first + next((at for at, (one, other) in pairs if one != other), 0)
            reason = f"record {altered} is not the one that a checkpoint covers"
            return Damage(slot, file, 0, altered, reason)
        for leaf in leaves:
            tree.append(leaf)
    return None
