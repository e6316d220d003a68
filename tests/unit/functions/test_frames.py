"""Messages over a stream: whole however they are cut, and refused when they are none."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.functions.inside.frames import FrameError, FrameReader, frame, receive

MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(), max_size=3), max_size=4
)


@given(MESSAGES, st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    messages: list[dict[str, Any]], cuts: list[int]
) -> None:
    data = b"".join(map(frame, messages))
    reader, found, at, turn = FrameReader(), [], 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        found += reader.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert found == messages


@given(MESSAGES)
def test_the_other_end_reads_the_same(messages: list[dict[str, Any]]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"".join(map(frame, messages)))
        ours.close()
        assert [receive(theirs) for _ in messages] == messages
        assert receive(theirs) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(struct.pack(">I", 101), "a message is too long", id="too long"),
        pytest.param(struct.pack(">I", 3) + b"abc", "a message is no JSON", id="no JSON"),
        pytest.param(struct.pack(">I", 1) + b"\xff", "a message is no JSON", id="no text"),
        pytest.param(struct.pack(">I", 0), "a message is no JSON", id="empty"),
        pytest.param(struct.pack(">I", 2) + b"[]", "a message is no JSON object", id="no object"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=f"^{message}$"):
        FrameReader(limit=100).feed(data)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(FrameError, match=r"^a message is no JSON$"):
        FrameReader().feed(struct.pack(">I", 100_000) + b"[" * 100_000)


def test_a_stream_that_ends_within_a_message_is_no_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(frame({"a": 1})[:-1])
        ours.close()
        with pytest.raises(FrameError, match=r"^the stream ended within a message$"):
            receive(theirs)
