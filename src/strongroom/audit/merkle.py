"""Merkle trees, inclusion and consistency proofs of RFC 6962, section 2.1, with SHA-256.

Verification follows the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2, which are the same tree's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "CompactTree",
    "consistency_proof",
    "hash_children",
    "hash_leaf",
    "inclusion_proof",
    "is_consistent",
    "is_included",
    "root_of",
]

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""Gives the root over the leaves from the first number up to, not including, the second."""


def hash_leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class CompactTree:
    """A tree that only grows, of which no more is kept than its next root needs: a hash for each bit of its
    size."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Go on with a tree of `size` leaves whose `hashes` another one had.

        Raises:
            ValueError: there is another number of hashes in a tree of that size, or one has another length.
        """
        if size < 0 or len(hashes) != size.bit_count() or any(len(each) != HASH_BYTES for each in hashes):
            raise ValueError("these are not the hashes of a tree of that size")
        self.size = size
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, the largest first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add the hash of one more leaf."""
        size = self.size
        while size & 1:
            leaf = sha256(b"\x01" + self._hashes.pop() + leaf).digest()
            size >>= 1
        self._hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = hash_children(left, root)
        return root

    def copy(self) -> CompactTree:
        """Return a tree that grows by itself from here."""
        return CompactTree(self.size, self._hashes)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaves' hashes."""
    tree = CompactTree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the audit path of leaf `index` (from 0) in the tree of the first `size` leaves.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("there is no such leaf")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _largest_power_below(high - low)
        if index < middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low = middle
    path.reverse()
    return path


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the first `old` leaves of the tree of `new` leaves are the old tree.

    Raises:
        ValueError: `old` is not from 1 to `new`.
    """
    if not 0 < old <= new:
        raise ValueError("there is no proof between trees of these sizes")
    path: list[bytes] = []
    low, high = 0, new
    while high > old:
        middle = low + _largest_power_below(high - low)
        if old <= middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low = middle
    if low:
        path.append(subtree(low, high))
    path.reverse()
    return path


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """True when `path` shows that the leaf with hash `leaf` is number `index` of the tree with `root`."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = hash_children(sibling, found)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            found = hash_children(found, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and found == root


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """True when `path` shows that the tree of `new` leaves begins with the tree of `old` leaves."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    found_old = found_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            found_old = hash_children(sibling, found_old)
            found_new = hash_children(sibling, found_new)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            found_new = hash_children(found_new, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and found_old == old_root and found_new == new_root


def _largest_power_below(size: int) -> int:
    """Return the largest power of two that is smaller than `size`, which is above 1."""
    return 1 << ((size - 1).bit_length() - 1)
