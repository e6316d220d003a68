"""Zip files of code: what is taken, and what is not."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidParameterValueException
from strongroom.function import archive
from strongroom.function.archive import CANNOT_UNZIP, unzipped_size


def entry(name: str, mode: int = 0, content: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        out.writestr(info, content)
    return buffer.getvalue()


def files(**contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in contents.items():
            out.writestr(name, content)
    return buffer.getvalue()


def refusal(zip_file: bytes) -> str:
    with pytest.raises(InvalidParameterValueException) as refused:
        unzipped_size(zip_file)
    return refused.value.message


def test_the_size_is_that_of_the_files_unpacked() -> None:
    assert unzipped_size(files(main=b"x" * 1000, lib=b"y" * 5)) == 1005
    assert unzipped_size(entry("package/", stat.S_IFDIR | 0o755, b"")) == 0
    assert unzipped_size(entry("run.py", stat.S_IFREG | 0o644)) == 1


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../out", "a/../../out", "a/..", "./a", "a//b", "C:/x", "c:x", "a\\..\\b", "..", "/"],
)
def test_names_that_lead_outside_are_refused(name: str) -> None:
    assert refusal(entry(name)) == f"The zip file holds an entry that may not be unpacked: {name!r}"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind: int) -> None:
    told = refusal(entry("a", kind | 0o777, b"/etc/passwd"))
    assert told == "The zip file holds an entry that may not be unpacked: 'a'"


def test_a_name_is_there_once() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out, pytest.warns(UserWarning, match="Duplicate"):
        out.writestr("a", b"1")
        out.writestr("a", b"2")
    assert refusal(buffer.getvalue()) == "The zip file holds an entry that may not be unpacked: 'a'"


def test_a_name_with_a_zero_byte_is_refused() -> None:
    assert "may not be unpacked" in refusal(entry("aXb").replace(b"aXb", b"a\0b"))


def test_encrypted_entries_are_refused() -> None:
    zip_file = bytearray(entry("a"))
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        zip_file[zip_file.index(signature) + offset] |= 1
    assert "may not be unpacked" in refusal(bytes(zip_file))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda zip_file: zip_file[:-1],
        lambda zip_file: zip_file[10:],
        lambda zip_file: b"not a zip file at all",
        lambda zip_file: zip_file.replace(b"x" * 10, b"x" * 9 + b"y"),
        lambda zip_file: zip_file[:-22],
    ],
    ids=["cut at the end", "cut at the start", "another thing", "changed", "no directory"],
)
def test_damaged_files_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as out:
        out.writestr("main.py", b"x" * 10)
    assert refusal(spoil(buffer.getvalue())) == CANNOT_UNZIP


def test_nothing_is_no_zip_file() -> None:
    assert refusal(b"") == "Uploaded file must be a non-empty zip"


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAXIMUM_UNZIPPED", 100)
    monkeypatch.setattr(archive, "_verify_content", lambda *_: pytest.fail("it was unpacked"))
    told = refusal(files(a=b"x" * 60, b=b"x" * 60))
    assert told == "Unzipped size must be smaller than 262144000 bytes"


def test_a_file_that_holds_more_than_it_says_is_refused() -> None:
    zip_file = bytearray(entry("a", content=b"x" * 100_000))
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", zip_file, zip_file.index(signature) + offset, 10)
    assert refusal(bytes(zip_file)) == CANNOT_UNZIP


def test_too_large_a_file_and_too_long_a_directory_are_not_looked_into(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "_verify_entries", lambda *_: pytest.fail("it was looked into"))
    zip_file = bytearray(entry("a"))
    at = zip_file.rindex(b"PK\x05\x06")
    struct.pack_into("<I", zip_file, at + 12, 9 * 1024 * 1024)
    assert refusal(bytes(zip_file)) == "The zip file must not hold more than 20000 files and directories."
    monkeypatch.setattr(archive, "MAXIMUM_ZIPPED", 10)
    assert refusal(entry("a")) == "The zip file must not be larger than 52428800 bytes."


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAXIMUM_ENTRIES", 1)
    assert refusal(files(a=b"", b=b"")) == "The zip file must not hold more than 20000 files and directories."


def test_a_table_of_contents_that_is_longer_than_said_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end record says there is one entry; the 64-bit one, which counts for the library, that there are 100."""
    monkeypatch.setattr(archive, "MAXIMUM_ENTRIES", 20)
    monkeypatch.setattr(archive.zipfile, "ZipFile", None)
    header = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, *[0] * 4, 0, 0, 0, 3, *[0] * 6)
    table = b"".join(header + b"%03d" % number for number in range(100))
    end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 100, 100, len(table), 0)
    end += struct.pack("<4sIQI", b"PK\x06\x07", 0, len(table), 1)
    end += struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(header), 0, 0)
    assert refusal(table + end) == "The zip file must not hold more than 20000 files and directories."


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_are_a_bug(noise: bytes, at: int) -> None:
    for zip_file in (noise, entry("a")[:at] + noise, entry("a")[:at] + noise + entry("a")[at + len(noise) :]):
        with suppress(InvalidParameterValueException):
            unzipped_size(zip_file)
