"""The files of the tree over all records: checkpoints and leaves (docs/spec/trail.md, section 8)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from strongroom.audit.merkle import HASH_BYTES, CompactTree

__all__ = [
    "CHECKPOINTS",
    "LEAVES",
    "RETIRED",
    "TREE",
    "append",
    "cut",
    "extend",
    "leaf_count",
    "read_leaves",
    "subtree_of",
]

TREE: Final = "tree"
CHECKPOINTS: Final = "checkpoints"
LEAVES: Final = "leaves"
RETIRED: Final = "retired"
"""Signed notes of retirement, one behind another (`audit.retirement`)."""
_CHUNK: Final = 32_768
"""How many leaves are read at a time."""


def append(path: Path, data: bytes) -> None:
    """Write `data` behind what the file holds, which is made when it is absent; it is on disk afterwards.

    Raises:
        OSError: it cannot be written. A part of it may be there then.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cut(path: Path, size: int) -> None:
    """The file has no more than `size` bytes afterwards."""
    if path.exists() and path.stat().st_size > size:
        os.truncate(path, size)


def leaf_count(path: Path) -> int:
    """Return how many whole leaves there are."""
    return path.stat().st_size // HASH_BYTES if path.exists() else 0


def read_leaves(path: Path, low: int, high: int) -> list[bytes]:
    """Return the leaves from number `low` up to, not including, `high`, as far as they are there."""
    if high <= low or not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(low * HASH_BYTES)
        data = file.read((high - low) * HASH_BYTES)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data) - HASH_BYTES + 1, HASH_BYTES)]


def extend(tree: CompactTree, path: Path, size: int) -> CompactTree:
    """Return `tree` grown by the leaves of the file up to `size` of them."""
    grown = tree.copy()
    while grown.size < size:
        leaves = read_leaves(path, grown.size, min(size, grown.size + _CHUNK))
        if not leaves:
            break
        for leaf in leaves:
            grown.append(leaf)
    return grown


def subtree_of(path: Path) -> Callable[[int, int], bytes]:
    """Return what gives the root over some of the file's leaves, for proofs."""

    def subtree(low: int, high: int) -> bytes:
        tree = CompactTree()
        for start in range(low, high, _CHUNK):
            for leaf in read_leaves(path, start, min(high, start + _CHUNK)):
                tree.append(leaf)
        return tree.root()

    return subtree
