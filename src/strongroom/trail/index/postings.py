"""Postings: which records of one block a key finds, as bytes whose order is the one they are walked in. Pure.

Key, newest, block, span, mask: the key's eight bytes; when the newest of the records meant was, in seconds
since 1970, and the number of the block, both counted backwards, so that what is newer comes first; how many
seconds earlier the oldest was; and the mask, of which bit n stands for record n of the block.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

__all__ = ["MAX_AT", "ORDER_BYTES", "Posting", "decode", "encode", "place_of", "split"]

MAX_AT: Final = (1 << 32) - 1
"""The last second there is a posting for, in 2106."""
MAX_BLOCK: Final = (1 << 64) - 1
ORDER_BYTES: Final = 20
"""Key, newest and block: no two postings of a shard have these in common."""
_PLACE_BYTES: Final = 12
_POSTING: Final = Struct(">8sIQBQ")
_pack = _POSTING.pack


class Posting(NamedTuple):
    newest: int
    block: int
    span: int
    mask: int


def encode(key: bytes, newest: int, block: int, span: int, mask: int) -> bytes:
    return _pack(key, MAX_AT - newest, MAX_BLOCK - block, span, mask)


def place_of(key: bytes, newest: int) -> bytes:
    """Return what the postings of a key are not less than from that second on, going back in time."""
    return key + (MAX_AT - max(0, min(newest, MAX_AT))).to_bytes(4, "big")


def split(data: bytes) -> list[bytes]:
    """Return the postings that were joined to `data`, or raise ValueError."""
    size = _POSTING.size
    if len(data) % size:
        raise ValueError("these are no whole postings")
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


def decode(data: bytes, begin: bytes, end: bytes) -> tuple[Iterator[Posting], bool]:
    """Return those of the joined postings that lie between two places, both included; and whether others of
    them lie behind these. Raises ValueError."""
    size = _POSTING.size
    if len(data) % size:
        raise ValueError("these are no whole postings")

    def place(index: int) -> bytes:
        return data[index * size : index * size + _PLACE_BYTES]

    every = range(len(data) // size)
    first = bisect_left(every, begin, key=place)
    last = bisect_right(every, end, lo=first, key=place)
    found = _POSTING.iter_unpack(data[first * size : last * size])
    postings = (
        Posting(MAX_AT - newest, MAX_BLOCK - block, span, mask) for _, newest, block, span, mask in found
    )
    return postings, last < len(every)
