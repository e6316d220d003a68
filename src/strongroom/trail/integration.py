"""From the slots' chains to one signed tree: the keeper's work.

Between two checkpoints nothing is on disk: after a crash the records behind the last one are read again. The
order of writing (docs/spec/trail.md, section 8) makes each step one that can be finished later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from strongroom.audit.checkpoint import (
    FIRST_PREVIOUS_NOTE,
    Checkpoint,
    CheckpointError,
    Head,
    SigningKey,
    hash_note,
    split_notes,
)
from strongroom.audit.merkle import HASH_BYTES, CompactTree
from strongroom.audit.signer import TrailSigner
from strongroom.errors import IntegrityError
from strongroom.ports import TRAIL_SIGNERS, Clock, Entropy, RootKey, Store
from strongroom.trail.following import SlotReader
from strongroom.trail.layout import slots
from strongroom.trail.tree import CHECKPOINTS, LEAVES, TREE, append, cut, extend, leaf_count

__all__ = ["CHECKPOINT_SECONDS", "Integrator", "open_signer", "signing_key"]

CHECKPOINT_SECONDS: Final = 10.0
"""How old an unsigned record becomes at most, more or less."""
BATCH_LEAVES: Final = 100_000
READ_BYTES: Final = 4 * 1024 * 1024
PURPOSE: Final = "trail-signing"


class Integrator:
    """Takes in what is new in every slot and signs what it has taken in. One process at a time."""

    def __init__(
        self,
        trail: Path,
        store: Store,
        root_key: RootKey,
        clock: Clock,
        entropy: Entropy,
        *,
        seconds: float = CHECKPOINT_SECONDS,
        announce: Callable[[bytes], object] | None = None,
    ) -> None:
        """`announce` is told of each checkpoint once it is signed and known to the store, and of the newest
        one at the start; it may not fail, nor take long."""
        self._trail = trail
        self._store = store
        self._root_key = root_key
        self._clock = clock
        self._entropy = entropy
        self._seconds = seconds
        self._announce = announce
        self._batch: _Batch | None = None
        self._signed_at = float("-inf")

    def advance(self, *, sign_now: bool = False) -> int:
        """Read what is new; sign it when it is time, or `sign_now`. Return how many records wait.

        Raises:
            IntegrityError: the trail is not as it was signed; nothing more is signed.
            OSError, ServiceUnavailableException: something cannot be read or written now.
        """
        try:
            if self._batch is None:
                self._batch = self._resume()
                self._tell(self._batch.signer.newest)
            batch = self._batch
            while batch.read(self._trail) and sign_now and len(batch) < BATCH_LEAVES:
                pass
            due = (
                sign_now or time.monotonic() >= self._signed_at + self._seconds or len(batch) >= BATCH_LEAVES
            )
            if not len(batch) or not due:
                return len(batch)
            full = len(batch) >= BATCH_LEAVES
            self._sign(batch)
            self._signed_at = time.monotonic()
        except BaseException:
            # What is on disk counts; it is looked at anew.
            self._batch = None
            raise
        return self.advance(sign_now=True) if sign_now and full else 0

    def _sign(self, batch: _Batch) -> None:
        batch.sync()
        key = signing_key(batch.signer, self._root_key)
        tree, leaves = batch.tree.copy(), batch.leaves()
        for leaf in leaves:
            tree.append(leaf)
        note = key.sign(
            Checkpoint(
                origin=key.public.name,
                size=tree.size,
                root=tree.root(),
                previous=batch.previous,
                at=self._clock.now(),
                heads=batch.heads(),
            )
        )
        directory = self._trail / TREE
        append(directory / CHECKPOINTS, note)
        append(directory / LEAVES, b"".join(leaves))
        batch.signer = msgspec.structs.replace(batch.signer, newest=note, tree=tree.hashes)
        signer = batch.signer
        self._store.write(lambda unit: unit.save(TRAIL_SIGNERS, signer)).result()
        batch.signed(tree, hash_note(note))
        self._tell(note)

    def _tell(self, note: bytes) -> None:
        if self._announce is not None and note:
            self._announce(note)

    def _resume(self) -> _Batch:
        """Return where the last owner stopped, after finishing what it had begun."""
        signer = open_signer(self._store, self._root_key, self._entropy)
        directory = self._trail / TREE
        directory.mkdir(mode=0o700, exist_ok=True)
        path = directory / CHECKPOINTS
        notes, rest = split_notes(path.read_bytes() if path.exists() else b"")
        if signer.newest and signer.newest not in notes:
            raise IntegrityError("the newest checkpoint that the database knows is not in the trail")
        if rest:
            cut(path, path.stat().st_size - len(rest))
        public = signing_key(signer, self._root_key).public
        try:
            # What the database knows was verified when it was signed.
            known = notes.index(signer.newest) if signer.newest else -1
            checkpoints = [public.verify_note(note) for note in notes[max(known, 0) :]]
        except CheckpointError as exc:
            raise IntegrityError(f"a checkpoint of the trail does not hold: {exc}") from exc
        base = checkpoints.pop(0) if known >= 0 else None
        tree = CompactTree(base.size, signer.tree) if base is not None else CompactTree()
        if base is not None and tree.root() != base.root:
            raise IntegrityError("the tree that the database knows is not the one that was signed")
        if leaf_count(directory / LEAVES) < tree.size:
            raise IntegrityError("the leaf log of the trail is shorter than what was signed")
        batch = _Batch(signer, tree, hash_note(signer.newest) if signer.newest else FIRST_PREVIOUS_NOTE)
        batch.open(self._trail, base)
        for checkpoint, note in zip(checkpoints, notes[known + 1 :], strict=True):
            self._finish(batch, checkpoint, note)
        if leaf_count(directory / LEAVES) != batch.tree.size:
            raise IntegrityError("the leaf log of the trail is longer than what was signed")
        return batch

    def _finish(self, batch: _Batch, checkpoint: Checkpoint, note: bytes) -> None:
        """Do what follows the writing of a checkpoint, for an owner who did not come to it."""
        batch.read_to(self._trail, checkpoint)
        leaves = batch.leaves()
        path = self._trail / TREE / LEAVES
        cut(path, batch.tree.size * HASH_BYTES)
        append(path, b"".join(leaves))
        tree = extend(batch.tree, path, checkpoint.size)
        if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
            raise IntegrityError("the records are not those that the last checkpoint covers")
        batch.signer = msgspec.structs.replace(batch.signer, newest=note, tree=tree.hashes)
        signer = batch.signer
        self._store.write(lambda unit: unit.save(TRAIL_SIGNERS, signer)).result()
        batch.signed(tree, hash_note(note))


class _Batch:
    """What is signed, and what was read since."""

    def __init__(self, signer: TrailSigner, tree: CompactTree, previous: bytes) -> None:
        self.signer = signer
        self.tree = tree
        self.previous = previous
        self._readers: dict[str, SlotReader] = {}
        self._leaves: dict[str, list[bytes]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._leaves.values()))

    def open(self, trail: Path, base: Checkpoint | None) -> None:
        """Begin behind a checkpoint."""
        present = {slot.name: slot for slot in slots(trail)}
        for name, head in ({} if base is None else base.heads).items():
            if name not in present:
                raise IntegrityError(f"the slot {name} of the trail is missing")
            self._readers[name] = SlotReader(present[name], head)

    def read(self, trail: Path) -> int:
        """Take in what is new; return how many records that was."""
        count = 0
        for slot in slots(trail):
            reader = self._readers.setdefault(slot.name, SlotReader(slot))
            leaves = reader.read(READ_BYTES)
            self._leaves.setdefault(slot.name, []).extend(leaves)
            count += len(leaves)
        return count

    def read_to(self, trail: Path, checkpoint: Checkpoint) -> None:
        """Take in exactly what a checkpoint covers."""
        for name, head in checkpoint.heads.items():
            reader = self._readers.setdefault(name, SlotReader(trail / "segments" / name))
            leaves = self._leaves.setdefault(name, [])
            while more := reader.read(READ_BYTES, head.number):
                leaves.extend(more)
            if reader.head != head:
                raise IntegrityError(
                    f"record {head.number} of {name} is not the one that a checkpoint covers"
                )

    def leaves(self) -> list[bytes]:
        """Return what was read since the last checkpoint, in its order in the tree: slot by slot, by name."""
        return [leaf for name in sorted(self._leaves) for leaf in self._leaves[name]]

    def heads(self) -> dict[str, Head]:
        return {name: reader.head for name, reader in self._readers.items() if reader.head.number}

    def sync(self) -> None:
        for reader in self._readers.values():
            reader.sync()

    def signed(self, tree: CompactTree, note: bytes) -> None:
        self.tree, self.previous = tree, note
        self._leaves.clear()


def open_signer(store: Store, root_key: RootKey, entropy: Entropy) -> TrailSigner:
    """Return the store's signer, made now when there is none."""
    found = store.read(lambda unit: unit.find(TRAIL_SIGNERS, "", "trail"))
    if found is not None:
        return found
    name = f"strongroom-trail/{entropy.token_bytes(8).hex()}"
    seed = entropy.token_bytes(32)
    made = TrailSigner(
        name=name,
        public_key=SigningKey(name, seed).public.raw,
        sealed=root_key.wrap(PURPOSE, seed, {"Origin": name}),
    )
    store.write(lambda unit: unit.save(TRAIL_SIGNERS, made)).result()
    return made


def signing_key(signer: TrailSigner, root_key: RootKey) -> SigningKey:
    """Return the key that signs. Raises IntegrityError when the root key does not open it."""
    key = SigningKey(signer.name, root_key.unwrap(PURPOSE, signer.sealed, {"Origin": signer.name}))
    if key.public.raw != signer.public_key:
        raise IntegrityError("the public key of the trail is not that of its signing key")
    return key
