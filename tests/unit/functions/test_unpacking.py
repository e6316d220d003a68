"""Zip files that lie are refused, and nothing is written outside the target."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from strongroom.functions.limits import Limits
from strongroom.functions.unpacking import CodeError, link_tree, unpack, verify_sha256
from support.function_room import a_zip, sha256_of

SMALL = Limits(code_bytes=4096, code_files=10)


def tree(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): oct(p.stat().st_mode & 0o7777) for p in sorted(root.rglob("*"))}


def special(name: str, mode: int, content: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, content)
    return buffer.getvalue()


def twice(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, b"first")
        archive.writestr(name, b"second")
    return buffer.getvalue()


def lying(code: bytes) -> bytes:
    """Return the zip file with headers that say that its files are one byte long."""
    data = bytearray(code)
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.find(signature)
        data[at + offset : at + offset + 4] = struct.pack("<I", 1)
    return bytes(data)


def test_files_and_directories_come_out_readable_and_nothing_else(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        size = unpack(a_zip({"a.py": "1234", "deep/er/b.py": "12"}), tmp_path / "code", Limits())
    finally:
        os.umask(previous)
    assert size == 6
    assert tree(tmp_path / "code") == {
        "a.py": "0o644",
        "deep": "0o755",
        "deep/er": "0o755",
        "deep/er/b.py": "0o644",
    }


def test_what_may_be_executed_stays_so_and_no_more(tmp_path: Path) -> None:
    unpack(special("tool", stat.S_IFREG | 0o6777), tmp_path / "code", Limits())
    assert tree(tmp_path / "code") == {"tool": "0o755"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            a_zip({"../out.py": "x"}), "the code holds a file whose name leads elsewhere", id="above"
        ),
        pytest.param(
            a_zip({"a/../../out.py": "x"}),
            "the code holds a file whose name leads elsewhere",
            id="above, later",
        ),
        pytest.param(
            a_zip({"/out.py": "x"}), "the code holds a file whose name leads elsewhere", id="absolute"
        ),
        pytest.param(
            a_zip({"..\\out.py": "x"}), "the code holds a file whose name leads elsewhere", id="backslash"
        ),
        pytest.param(
            a_zip({"a" * 2000: "x"}), "the code holds a file whose name leads elsewhere", id="long name"
        ),
        pytest.param(
            special("out", stat.S_IFLNK | 0o777, b"/etc/passwd"),
            "the code holds a link or a special file",
            id="link",
        ),
        pytest.param(
            special("out", stat.S_IFCHR | 0o666), "the code holds a link or a special file", id="device"
        ),
        pytest.param(
            special("out", stat.S_IFIFO | 0o666), "the code holds a link or a special file", id="pipe"
        ),
        pytest.param(twice("a.py"), "the code cannot be unpacked: File exists", id="one name twice"),
        pytest.param(
            a_zip({"a": "x", "a/b": "x"}), "the code cannot be unpacked: File exists", id="file and directory"
        ),
        pytest.param(a_zip({"a.py": b"\0" * 5000}), "the code is too large when unpacked", id="too large"),
        pytest.param(
            a_zip({f"{n}.py": b"\0" * 1000 for n in range(5)}),
            "the code is too large when unpacked",
            id="too large in all",
        ),
        pytest.param(
            a_zip({f"{n}.py": b"" for n in range(11)}), "the code has more than 10 files", id="too many"
        ),
        pytest.param(b"", "the code is no sound zip file: File is not a zip file", id="empty"),
        pytest.param(b"no zip at all", "the code is no sound zip file: File is not a zip file", id="no zip"),
    ],
)
def test_zip_files_that_are_refused(tmp_path: Path, code: bytes, message: str) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(CodeError) as raised:
        unpack(code, tmp_path / "in" / "code", SMALL)
    assert str(raised.value) == message
    assert tree(tmp_path) == {"in": oct((tmp_path / "in").stat().st_mode & 0o7777)}


def test_headers_that_lie_do_not_get_more_out_than_there_may_be(tmp_path: Path) -> None:
    bomb = lying(a_zip({"a.py": b"\0" * 5000}))
    with pytest.raises(CodeError):
        unpack(bomb, tmp_path / "code", SMALL)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("at", range(0, 200, 7))
def test_a_damaged_file_is_refused_or_comes_out_whole(tmp_path: Path, at: int) -> None:
    code = bytearray(a_zip({"a.py": "x = 1\n" * 20, "b.py": "y = 2\n"}))
    code[at % len(code)] ^= 0xFF
    try:
        unpack(bytes(code), tmp_path / "code", SMALL)
    except CodeError:
        assert tree(tmp_path) == {}
    else:
        assert all(path.is_relative_to(tmp_path / "code") for path in tmp_path.rglob("*.py"))


def test_the_sha256_is_checked() -> None:
    verify_sha256(b"code", sha256_of(b"code"))
    with pytest.raises(CodeError, match="the code is not what its SHA-256 says"):
        verify_sha256(b"code", sha256_of(b"other"))


@pytest.mark.parametrize("can_link", [True, False], ids=["links", "copies"])
def test_a_tree_is_put_over_another(tmp_path: Path, can_link: bool) -> None:
    def no_link(source: Path, target: Path) -> None:
        raise OSError("another file system")

    for name, files in (("one", {"a.py": "1", "deep/b.py": "1"}), ("two", {"deep/b.py": "2", "c.py": "2"})):
        unpack(a_zip(files), tmp_path / name, Limits())
    (tmp_path / "both").mkdir()
    for name in ("one", "two"):
        link_tree(tmp_path / name, tmp_path / "both", *([] if can_link else [no_link]))
    both = {str(p.relative_to(tmp_path / "both")): p.read_text() for p in (tmp_path / "both").rglob("*.py")}
    assert both == {"a.py": "1", "deep/b.py": "2", "c.py": "2"}
    assert (tmp_path / "one" / "deep" / "b.py").read_text() == "1"
    assert ((tmp_path / "both" / "a.py").stat().st_nlink == 2) is can_link
