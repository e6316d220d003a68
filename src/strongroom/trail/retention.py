"""Old segments: compressed, and deleted when there is a policy that says so.

Only what a signed checkpoint covers is touched, and never the segment with a slot's newest record. Each step
leaves a trail that is whole, so a crash between two of them costs nothing but the work: docs/spec/trail.md,
section 9.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final

from strongroom.audit.checkpoint import (
    FIRST_PREVIOUS_NOTE,
    CheckpointError,
    Head,
    PublicKey,
    hash_note,
    parse_note,
    split_notes,
)
from strongroom.audit.retirement import Retired, Retirement, sign_retirement, verify_retirements
from strongroom.audit.signer import TrailSigner
from strongroom.errors import IntegrityError
from strongroom.ports import TRAIL_SIGNERS, Clock, RootKey, Store
from strongroom.trail.compressed import CompressedWriter, open_compressed
from strongroom.trail.integration import signing_key
from strongroom.trail.layout import (
    COMPRESSED,
    FIRST_PREVIOUS,
    UNFINISHED,
    format_opening,
    hash_line,
    is_compressed,
    open_segment,
    segment_files,
    slots,
)
from strongroom.trail.tree import RETIRED, TREE, append, cut

__all__ = ["Retention"]

SLICE_BYTES: Final = 4 * 1024 * 1024
"""How much one step compresses: some twenty milliseconds of work."""
_OUTBOX = re.compile(rb'\{"n":[0-9]+,"prev":"[0-9a-f]{64}","outbox":([0-9]+),')


class Retention:
    """Compresses and retires, a little with each call. One process at a time."""

    def __init__(
        self,
        trail: Path,
        store: Store,
        root_key: RootKey,
        clock: Clock,
        *,
        keep_days: int | None = None,
    ) -> None:
        """Segments whose newest record is older than `keep_days` are deleted; None: none is."""
        self._trail = trail
        self._store = store
        self._root_key = root_key
        self._clock = clock
        self._keep = None if keep_days is None else timedelta(days=keep_days)
        self._work: Iterator[None] = iter(())

    def advance(self) -> bool:
        """Do a little of what is to be done; return False when there was nothing.

        Raises:
            OSError: something cannot be read or written now; it is tried again.
            IntegrityError: a segment, or a note of retirement, is not as it was written; it is left alone.
            ServiceUnavailableException: the store cannot be read now.
        """
        try:
            next(self._work)
        except StopIteration:
            self._work = self._do_all()
            return next(self._work, False) is None
        except BaseException:
            self._work = iter(())
            raise
        return True

    def _do_all(self) -> Iterator[None]:
        signer = self._store.read(lambda unit: unit.find(TRAIL_SIGNERS, "", "trail"))
        if signer is None or not signer.newest:
            return
        heads = parse_note(signer.newest).heads
        yield from self._retire(signer, heads)
        for slot in slots(self._trail):
            for _, path in _covered(slot, heads.get(slot.name)):
                if not is_compressed(path):
                    yield from _compress(path)

    def _retire(self, signer: TrailSigner, heads: Mapping[str, Head]) -> Iterator[None]:
        """Delete what is old enough, after a signed note of it is on disk."""
        notes, retirement = self._retirements(signer)
        found: dict[str, Retired] = {}
        for slot in slots(self._trail):
            count = len(self._old(slot, heads.get(slot.name)))
            if count:
                found[slot.name] = yield from _verified(slot, count, retirement.slots.get(slot.name))
        slots_gone = {**retirement.slots, **found}
        if found and slots_gone != retirement.slots:
            key = signing_key(signer, self._root_key)
            previous = hash_note(notes[-1]) if notes else FIRST_PREVIOUS_NOTE
            note = sign_retirement(key, Retirement(self._clock.now(), previous, slots_gone))
            append(self._trail / TREE / RETIRED, note)
            yield
        for slot in slots(self._trail):
            gone = slots_gone.get(slot.name)
            for first, path in _covered(slot, heads.get(slot.name)):
                if gone is not None and first <= gone.number:
                    _delete(path)
                    yield

    def _retirements(self, signer: TrailSigner) -> tuple[list[bytes], Retirement]:
        """Return the notes there are and what they say; half a note that a crash has left is cut off."""
        path = self._trail / TREE / RETIRED
        notes, rest = split_notes(path.read_bytes() if path.exists() else b"")
        if rest:
            cut(path, path.stat().st_size - len(rest))
        try:
            found = verify_retirements(PublicKey(signer.name, signer.public_key), notes)
        except CheckpointError as exc:
            raise IntegrityError(f"the notes of retirement do not hold: {exc}") from exc
        return notes, found or Retirement(self._clock.now())

    def _old(self, slot: Path, head: Head | None) -> list[Path]:
        """Return the slot's first segments, as far as nobody has written to them for long enough."""
        if self._keep is None:
            return []
        before = (self._clock.now() - self._keep).timestamp()
        old = takewhile(
            lambda path: path.stat().st_mtime < before, (path for _, path in _covered(slot, head))
        )
        return list(old)


def _covered(slot: Path, head: Head | None) -> list[tuple[int, Path]]:
    """Return the segments that a checkpoint covers wholly: it covers a record behind them, too."""
    files = segment_files(slot)
    following = [first for first, _ in files[1:]]
    return [
        file
        for file, after in zip(files, following, strict=False)
        if head is not None and after <= head.number
    ]


def _compress(path: Path) -> Iterator[None]:
    """The segment is there in its compressed form only. Work is done between the values."""
    target = path.with_name(path.name + COMPRESSED)
    unfinished = path.with_name(target.name + UNFINISHED)
    try:
        with path.open("rb") as plain:
            facts = os.fstat(plain.fileno())
            with closing(CompressedWriter(unfinished, facts.st_size)) as writer:
                written = hashlib.sha256()
                while data := plain.read(SLICE_BYTES):
                    written.update(data)
                    writer.write(data)
                    yield
                writer.finish()
        read = hashlib.sha256()
        with open_compressed(unfinished) as compressed:
            while data := compressed.read(SLICE_BYTES):
                read.update(data)
                yield
        if read.digest() != written.digest():
            raise IntegrityError(f"the audit segment {path.name} was compressed to something else")
        # Its age is that of its newest record still.
        os.utime(unfinished, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    except BaseException:
        # There may be no room on the disk: nothing half-done takes any.
        unfinished.unlink(missing_ok=True)
        raise
    unfinished.replace(target)
    _flush_directory(path.parent)
    path.unlink()
    _flush_directory(path.parent)
    yield


def _delete(path: Path) -> None:
    for each in (path, *path.parent.glob(f"{path.name}{COMPRESSED}*")):
        each.unlink()
    _flush_directory(path.parent)


def _verified(slot: Path, count: int, gone: Retired | None) -> Generator[None, None, Retired]:
    """Return the last record of a slot's first `count` segments, which are to be retired.

    What was altered is no more deleted than it is signed for: `trail verify` still finds it there. Work is
    done between the values.

    Raises:
        IntegrityError: the records do not follow what was retired before, or one another, up to what comes.
    """
    last = gone or Retired(0, bytes.fromhex(FIRST_PREVIOUS), 0)
    number, previous, write = last.number, last.line.hex(), last.write
    # A crash may have left some of what a note names already.
    left = sum(first <= number for first, _ in segment_files(slot))
    files, count = segment_files(slot)[left:], count - left
    if count <= 0:
        return last
    for position, (_, path) in enumerate(files[: count + 1]):
        with open_segment(path) as file:
            for line in file:
                number += 1
                if not line.startswith(format_opening(number, previous)):
                    raise IntegrityError(
                        f"record {number} of {slot.name} is not the one that has to come: nothing is retired"
                    )
                if position == count:
                    # It names the last one before it.
                    return last
                previous = hash_line(line.removesuffix(b"\n"))
                written = _OUTBOX.match(line)
                write = write if written is None else int(written[1])
                last = Retired(number, bytes.fromhex(previous), write)
        yield
    raise IntegrityError(f"no record of {slot.name} follows those that are to be retired")


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
