"""The form of a line: what is written is read, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from strongroom.errors import IntegrityError
from strongroom.trail.compressed import CompressedWriter
from strongroom.trail.layout import (
    COMPRESSED,
    FIRST_PREVIOUS,
    Line,
    format_line,
    format_opening,
    hash_line,
    open_segment,
    parse_line,
    segment_files,
    segment_name,
    slots,
)

FIRST = b'{"n":1,"prev":"' + b"0" * 64 + b'","event":{"a":1}}'
EXPORTED = b'{"n":1,"prev":"' + b"0" * 64 + b'","outbox":7,"event":{"a":1}}'


@pytest.mark.parametrize(("outbox", "line"), [(None, FIRST), (7, EXPORTED)], ids=["a read", "a write"])
def test_a_line_has_this_form_for_ever(outbox: int | None, line: bytes) -> None:
    assert format_line(1, FIRST_PREVIOUS, b'{"a":1}', outbox) == line
    assert parse_line(line) == Line(1, FIRST_PREVIOUS, outbox, b'{"a":1}')
    assert line.startswith(format_opening(1, FIRST_PREVIOUS))


def test_the_hash_is_sha256_of_the_bytes() -> None:
    assert hash_line(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        FIRST + b"\n",
        b" " + FIRST,
        FIRST + b" ",
        FIRST[:-1],
        FIRST.replace(b'"n":1', b'"n":0'),
        FIRST.replace(b'"n":1', b'"n":01'),
        FIRST.replace(b'"n":1', b'"n":-1'),
        FIRST.replace(b'"n":1', b'"n":"1"'),
        FIRST.replace(b"0" * 64, b"0" * 63),
        FIRST.replace(b"0" * 64, b"A" * 64),
        FIRST.replace(b'{"a":1}', b"[]"),
        FIRST.replace(b'{"a":1}', b'{"a":}'),
        FIRST.replace(b'{"a":1}', b'{"a":1},"event":{}'),
        FIRST.replace(b'{"a":1}', b'{"a":"\xff"}'),
        EXPORTED.replace(b'"outbox":7', b'"outbox":0'),
        FIRST.replace(b'"event"', b'"other"'),
        b'{"prev":"' + b"0" * 64 + b'","n":1,"event":{}}',
    ],
    ids=repr,
)
def test_anything_else_is_no_line(line: bytes) -> None:
    assert parse_line(line) is None


def test_segments_are_found_by_their_names_in_order(tmp_path: Path) -> None:
    for name in (segment_name(12), segment_name(3), "lock", "3.jsonl", "000000000003.jsonl.bak", "x.jsonl"):
        (tmp_path / name).touch()
    assert segment_files(tmp_path) == [
        (3, tmp_path / "000000000003.jsonl"),
        (12, tmp_path / "000000000012.jsonl"),
    ]


def test_a_segment_in_both_forms_is_named_once_as_the_plain_file(tmp_path: Path) -> None:
    for name in ("000000000001.jsonl.zst", "000000000003.jsonl", "000000000003.jsonl.zst"):
        (tmp_path / name).touch()
    assert segment_files(tmp_path) == [
        (1, tmp_path / "000000000001.jsonl.zst"),
        (3, tmp_path / "000000000003.jsonl"),
    ]


def compress(path: Path, data: bytes) -> Path:
    target = path.with_name(path.name + COMPRESSED)
    writer = CompressedWriter(target, len(data))
    for start in range(0, len(data), 1000):
        writer.write(data[start : start + 1000])
    writer.finish()
    return target


def test_a_segment_is_read_in_either_form(tmp_path: Path) -> None:
    lines = [format_line(number, FIRST_PREVIOUS, b'{"a":1}') + b"\n" for number in range(1, 5000)]
    path = tmp_path / segment_name(1)
    path.write_bytes(b"".join(lines))
    with open_segment(path) as file:
        assert list(file) == lines
    target = compress(path, path.read_bytes())
    path.unlink()
    assert target.stat().st_size < len(b"".join(lines)) / 10
    for each in (target, path):  # the plain one was listed before it was compressed
        with open_segment(each) as file:
            assert list(file) == lines
            assert file.read() == b""
    with pytest.raises(FileNotFoundError):
        open_segment(tmp_path / segment_name(7))


def test_every_byte_of_a_compressed_segment_counts(tmp_path: Path) -> None:
    path = compress(tmp_path / segment_name(1), FIRST + b"\n")
    data = path.read_bytes()
    assert zstandard.ZstdDecompressor().decompress(data) == FIRST + b"\n", "any tool reads it"
    altered = [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))]
    altered += [data[:at] for at in range(len(data))] + [data + b"\n", data + data, data[1:]]
    for each in altered:
        path.write_bytes(each)
        with (
            open_segment(path) as file,
            pytest.raises(IntegrityError, match=r"segment 000000000001.jsonl.zst"),
        ):
            file.read()


def test_slots_are_the_directories(tmp_path: Path) -> None:
    assert list(slots(tmp_path)) == []
    for name in ("keeper", "api-0"):
        (tmp_path / "segments" / name).mkdir(parents=True)
    (tmp_path / "segments" / "stray").touch()
    assert [slot.name for slot in slots(tmp_path)] == ["api-0", "keeper"]
