"""What somebody with write access to a trail's files may do to them, at random but repeatably."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.audit.checkpoint import split_notes
from strongroom.audit.merkle import HASH_BYTES
from strongroom.errors import IntegrityError
from strongroom.trail.compressed import CompressedWriter
from strongroom.trail.layout import open_segment, segment_files, slots


@dataclass
class Edit:
    """What was done, and where that may be found."""

    what: str
    path: Path
    records: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By slot, between which records the first bad one is, when records are concerned."""


def flip(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def overwrite(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(max(1, len(data) - 8))
    other = chance.randbytes(8)
    return data[:at] + other + data[at + 8 :] if data[at : at + 8] != other else data[:at]


def remove_bytes(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randint(1, 40) :]


def append_noise(data: bytes, chance: random.Random) -> bytes:
    return data + chance.randbytes(chance.randint(1, 100))


def double(data: bytes, _: random.Random) -> bytes:
    return data + data


def empty(_: bytes, __: random.Random) -> bytes:
    return b""


def pieces(split: Callable[[bytes], list[bytes]]) -> list[Callable[[bytes, random.Random], bytes]]:
    """Return what can be done with the pieces that a file consists of."""

    def delete(data: bytes, chance: random.Random) -> bytes:
        parts = split(data)
        del parts[chance.randrange(len(parts))]
        return b"".join(parts)

    def repeat(data: bytes, chance: random.Random) -> bytes:
        parts = split(data)
        parts.insert(chance.randint(0, len(parts)), chance.choice(parts))
        return b"".join(parts)

    def reorder(data: bytes, chance: random.Random) -> bytes:
        parts = split(data)
        if len(parts) < 2:
            return b""
        one, other = chance.sample(range(len(parts)), 2)
        parts[one], parts[other] = parts[other], parts[one]
        return b"".join(parts)

    def cut(data: bytes, chance: random.Random) -> bytes:
        parts = split(data)
        return b"".join(parts[: chance.randrange(len(parts))])

    return [delete, repeat, reorder, cut]


def split_lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def split_leaves(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def split_signed(data: bytes) -> list[bytes]:
    return split_notes(data)[0]


BYTES = [flip, flip, truncate, overwrite, remove_bytes, append_noise, double, empty]
PIECES = {
    "jsonl": pieces(split_lines),
    "checkpoints": pieces(split_signed),
    "retired": pieces(split_signed),
    "leaves": pieces(split_leaves),
}


def read_lines(slot: Path) -> list[bytes]:
    """Return the lines of a slot, as far as they can be read."""
    found: list[bytes] = []
    for _, path in segment_files(slot) if slot.is_dir() else ():
        try:
            with open_segment(path) as file:
                # One by one: those before the damage count.
                found.extend(iter(file.readline, b""))
        except IntegrityError:
            break
    return found


def tamper(trail: Path, chance: random.Random) -> Edit:
    """Do one thing to the trail, whatever comes; it is not the same afterwards."""
    before = {slot.name: read_lines(slot) for slot in slots(trail)}
    numbers = {slot.name: segment_files(slot)[0][0] for slot in slots(trail)}
    edit = chance.choice([_edit_file, _edit_file, _edit_file, _move_files, _splice, _recompress])(
        trail, chance
    )
    for slot, lines in before.items():
        after = read_lines(trail / "segments" / slot)
        if after != lines or (edit.path.parent.name == slot and edit.path.suffix == ".zst"):
            both = enumerate(zip(lines, after, strict=False))
            first = next((at for at, (one, other) in both if one != other), min(len(lines), len(after)))
            low = high = numbers[slot] + first
            if edit.path.suffix == ".zst" or edit.what.startswith("files"):
                # How much of a damaged file can be read depends on where it is damaged.
                low = min(low, int(edit.path.name[:12]))
            edit.records[slot] = low, high
    return edit


def all_files(trail: Path) -> list[Path]:
    return sorted(path for path in trail.rglob("*") if path.is_file() and path.name != "lock")


def _edit_file(trail: Path, chance: random.Random) -> Edit:
    """Do something to the bytes of one file, any at all."""
    kinds: dict[str, list[Path]] = {}
    for path in all_files(trail):
        kinds.setdefault(path.name.rpartition(".")[2], []).append(path)
    kind = chance.choice(sorted(kinds))
    path = chance.choice([each for each in kinds[kind] if each.stat().st_size])
    data = path.read_bytes()
    change = chance.choice([*BYTES, *PIECES.get(kind, [])])
    altered = change(data, chance)
    if altered == data:  # two pieces alike were exchanged
        change, altered = append_noise, append_noise(data, chance)
    path.write_bytes(altered)
    return Edit(f"{change.__name__} of {path.relative_to(trail)}", path)


def _move_files(trail: Path, chance: random.Random) -> Edit:
    """Delete, rename, copy or exchange whole files, or slots."""
    path = chance.choice([each for each in all_files(trail) if each.stat().st_size])
    other = chance.choice([each for each in all_files(trail) if each.read_bytes() != path.read_bytes()])
    slot = chance.choice(list(slots(trail)))
    first = segment_files(slot)[0][1]
    match chance.choice(
        ["delete", "rename", "exchange", "replace", "slot", "rename slot", "copy slot", "add", "lock"]
    ):
        case "delete":
            path.unlink()
            return Edit("files: deleted", path)
        case "rename":
            path.rename(path.with_name(f"{chance.randrange(10**12):012}{''.join(path.suffixes)}"))
            return Edit("files: renamed", path)
        case "exchange":
            one, two = path.read_bytes(), other.read_bytes()
            path.write_bytes(two)
            other.write_bytes(one)
            both = [each for each in (path, other) if each.parent.parent.name == "segments"]
            # In one slot the earlier of the two, by its number.
            return Edit("files: exchanged", min(both, default=path, key=lambda each: each.name))
        case "replace":
            path.write_bytes(other.read_bytes())
            return Edit("files: replaced", path)
        case "slot":
            shutil.rmtree(slot)
            return Edit("files: slot deleted", first)
        case "rename slot":
            slot.rename(slot.with_name("api-7"))
            return Edit("files: slot renamed", first)
        case "copy slot":
            shutil.copytree(slot, slot.with_name("api-8"))
            return Edit("slot copied", slot.with_name("api-8") / first.name)
        case "lock":
            (slot / "lock").write_bytes(chance.randbytes(9))
            return Edit("lock written", slot / "lock")
        case _:
            stray = chance.choice([trail, trail / "tree", trail / "segments", slot]) / "stray.jsonl.bak"
            stray.write_bytes(path.read_bytes())
            return Edit("file added", stray)


def _splice(trail: Path, chance: random.Random) -> Edit:
    """Put lines of one place of the trail into another."""
    everything = [line for slot in slots(trail) for line in read_lines(slot)]
    plain = [path for path in all_files(trail) if path.suffix == ".jsonl" and path.stat().st_size]
    path = chance.choice(plain)
    lines = split_lines(path.read_bytes())
    at = chance.randint(0, len(lines))
    taken = chance.sample(everything, chance.randint(1, 3))
    lines[at : at + chance.randint(0, 3)] = taken
    altered = b"".join(lines)
    path.write_bytes(altered if altered != path.read_bytes() else altered + taken[0])
    return Edit(f"splice into {path.relative_to(trail)}", path)


def _recompress(trail: Path, chance: random.Random) -> Edit:
    """Alter the records of a compressed segment, and compress it as the program does."""
    path = chance.choice([each for each in all_files(trail) if each.suffix == ".zst"])
    with open_segment(path) as file:
        data = file.read()
    change = chance.choice([flip, truncate, overwrite, remove_bytes, *PIECES["jsonl"]])
    altered = change(data, chance)
    if altered == data:
        altered = data[:-1]
    writer = CompressedWriter(path, len(altered))
    writer.write(altered)
    writer.finish()
    return Edit(f"{change.__name__} of the records of {path.relative_to(trail)}", path)
