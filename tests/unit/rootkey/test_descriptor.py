"""The root key from a file descriptor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strongroom.rootkey import HeldRootKey, RootKeyError, open_root_key
from strongroom.rootkey.held import encode_text
from support.entropies import SeededEntropy, pattern

TEXT = encode_text(pattern("key", 32))


def pipe_of(content: bytes) -> int:
    read_end, write_end = os.pipe()
    os.write(write_end, content)
    os.close(write_end)
    return read_end


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def opened(source: str, data_dir: Path) -> HeldRootKey:
    return open_root_key(source, data_dir, create=False, entropy=SeededEntropy())


def test_the_descriptor_is_read_to_its_end_and_closed(tmp_path: Path) -> None:
    number = pipe_of(TEXT)
    opened(f"fd:{number}", tmp_path)
    assert not is_open(number)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "There is no root key in file descriptor", id="nothing"),
        pytest.param(TEXT[:-1], "There is no root key in file descriptor", id="cut"),
        pytest.param(TEXT + b"x", "gives more than a root key", id="more"),
    ],
)
def test_other_content_is_refused_and_the_descriptor_closed(
    tmp_path: Path, content: bytes, message: str
) -> None:
    number = pipe_of(content)
    with pytest.raises(RootKeyError, match=message):
        opened(f"fd:{number}", tmp_path)
    assert not is_open(number)


def test_a_closed_descriptor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RootKeyError) as refused:
        opened("fd:987654", tmp_path)
    assert refused.value.message == (
        "File descriptor 987654, which should give the root key, cannot be read: Bad file descriptor."
    )


def test_a_directory_is_refused(tmp_path: Path) -> None:
    number = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(RootKeyError, match="is a directory"):
            opened(f"fd:{number}", tmp_path)
    finally:
        os.close(number)


@pytest.mark.parametrize("number", ["", "x", "-1", "3 ", "٣", "99999999999"])
def test_a_descriptor_is_named_by_number(tmp_path: Path, number: str) -> None:
    with pytest.raises(RootKeyError) as refused:
        opened(f"fd:{number}", tmp_path)
    assert refused.value.message == "A file descriptor is named by its number, as in fd:3."


def test_a_key_handed_over_is_not_inherited_by_accident(tmp_path: Path) -> None:
    number = opened(f"fd:{pipe_of(TEXT)}", tmp_path).hand_over()
    try:
        assert not os.get_inheritable(number)
        assert os.read(number, 1000) == TEXT
    finally:
        os.close(number)
