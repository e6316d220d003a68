"""Which files belong to a trail, and which lie in its directories and do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strongroom.trail.layout import COMPRESSED, LOCK, SEGMENTS, UNFINISHED, is_segment_name
from strongroom.trail.tree import CHECKPOINTS, LEAVES, RETIRED, TREE
from strongroom.trail.verification import Damage

__all__ = ["strangers"]

UNKNOWN: Final = "this is no file of the trail"
_SLOT = re.compile(r"[a-z0-9-]{1,64}")


def strangers(trail: Path) -> Iterator[Damage]:
    """Yield a damage for each file or directory that the program has not made. What is in the files is not
    looked at, but that locks are empty."""
    for path in sorted(trail.iterdir()):
        is_directory = path.is_dir() and not path.is_symlink()
        if path.name == SEGMENTS and is_directory:
            yield from _in_segments(path)
        elif path.name == TREE and is_directory:
            for each in sorted(path.iterdir()):
                if each.name not in {CHECKPOINTS, LEAVES, RETIRED} or not _is_file(each):
                    yield Damage(TREE, each.name, 0, 0, UNKNOWN)
        else:
            yield Damage("", path.name, 0, 0, UNKNOWN)


def _in_segments(segments: Path) -> Iterator[Damage]:
    for slot in sorted(segments.iterdir()):
        if _SLOT.fullmatch(slot.name) is None or not slot.is_dir() or slot.is_symlink():
            yield Damage("", slot.name, 0, 0, UNKNOWN)
            continue
        for each in sorted(slot.iterdir()):
            if each.name == LOCK and _is_file(each):
                if each.stat().st_size:
                    yield Damage(slot.name, LOCK, 0, 0, "a lock has nothing in it")
            elif not _is_segment(each) and (each.exists() or each.is_symlink()):
                yield Damage(slot.name, each.name, 0, 0, UNKNOWN)


def _is_segment(path: Path) -> bool:
    """True of a segment, plain or compressed, and of one that is being compressed, or was when a crash came:
    beside it there is the plain one. The keeper may go on meanwhile."""
    if path.name.endswith(COMPRESSED + UNFINISHED):
        plain = path.with_name(path.name.removesuffix(COMPRESSED + UNFINISHED))
        return is_segment_name(plain.name) and _is_file(plain)
    return is_segment_name(path.name) and _is_file(path)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
