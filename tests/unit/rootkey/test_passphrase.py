"""The root key from a passphrase."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from strongroom.rootkey import HeldRootKey, RootKeyError, open_root_key
from support.entropies import SeededEntropy

SMALL: dict[str, Any] = {
    "format": 1,
    "kdf": "argon2id",
    "argon2_version": 19,
    "salt": "AAAAAAAAAAAAAAAAAAAAAA==",
    "memory_kib": 19456,
    "time_cost": 2,
    "parallelism": 1,
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


def save(data_dir: Path, **changes: Any) -> None:
    (data_dir / "root-key.json").write_text(json.dumps({**SMALL, **changes}))


def opened(passphrase: bytes, data_dir: Path, *, create: bool = False) -> HeldRootKey:
    path = data_dir.parent / "passphrase"
    path.write_bytes(passphrase)
    path.chmod(0o600)
    return open_root_key(f"passphrase-file:{path}", data_dir, create=create, entropy=SeededEntropy())


def test_the_same_passphrase_gives_the_same_key(data_dir: Path) -> None:
    save(data_dir)
    first = opened(b"correct horse", data_dir)
    opened(b"correct horse\n", data_dir).verify_check(first.check_value())
    for other in (b"correct horse ", b"Correct horse", b"correct horse\n\n", b" correct horse"):
        with pytest.raises(RootKeyError, match="not the root key"):
            opened(other, data_dir).verify_check(first.check_value())


@pytest.mark.parametrize(
    "change",
    [{"salt": "AAAAAAAAAAAAAAAAAAAAAQ=="}, {"time_cost": 3}, {"memory_kib": 19460}, {"parallelism": 2}],
)
def test_another_salt_or_parameter_gives_another_key(data_dir: Path, change: dict[str, Any]) -> None:
    save(data_dir)
    first = opened(b"correct horse", data_dir)
    save(data_dir, **change)
    with pytest.raises(RootKeyError, match="not the root key"):
        opened(b"correct horse", data_dir).verify_check(first.check_value())


def test_new_data_gets_the_recommended_parameters_and_a_salt(data_dir: Path) -> None:
    made = opened(b"correct horse", data_dir, create=True)
    document = json.loads((data_dir / "root-key.json").read_text())
    assert len(base64.b64decode(document.pop("salt"))) == 16
    assert document == {
        "format": 1,
        "kdf": "argon2id",
        "argon2_version": 19,
        "memory_kib": 65536,
        "time_cost": 3,
        "parallelism": 4,
    }
    assert os.listdir(data_dir) == ["root-key.json"]
    opened(b"correct horse", data_dir).verify_check(made.check_value())


def test_parameters_are_not_made_for_existing_data(data_dir: Path) -> None:
    with pytest.raises(RootKeyError) as refused:
        opened(b"correct horse", data_dir)
    assert refused.value.message == (
        f"The data directory {data_dir} has no root-key.json: its root key is not made from a passphrase, or "
        "the file is lost."
    )
    assert os.listdir(data_dir) == []


@pytest.mark.parametrize("passphrase", [b"", b"\n"])
def test_an_empty_passphrase_is_refused(data_dir: Path, passphrase: bytes) -> None:
    with pytest.raises(RootKeyError, match="The passphrase of the root key is empty"):
        opened(passphrase, data_dir, create=True)
    assert os.listdir(data_dir) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"memory_kib": 19455}, id="memory below the floor"),
        pytest.param({"memory_kib": 4_194_305}, id="memory without bound"),
        pytest.param({"time_cost": 1}, id="one pass"),
        pytest.param({"time_cost": 65}, id="too many passes"),
        pytest.param({"parallelism": 0}, id="no lane"),
        pytest.param({"format": 2}, id="newer format"),
        pytest.param({"kdf": "argon2i"}, id="another function"),
        pytest.param({"argon2_version": 16}, id="another version"),
        pytest.param({"salt": "AAAA"}, id="short salt"),
        pytest.param({"salt": "?"}, id="salt not base64"),
        pytest.param({"more": 1}, id="unknown member"),
    ],
)
def test_damaged_parameters_are_refused(data_dir: Path, change: dict[str, Any]) -> None:
    save(data_dir, **change)
    with pytest.raises(RootKeyError, match=r"root-key\.json is damaged"):
        opened(b"correct horse", data_dir)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"{}", b"x" * 5000])
def test_garbage_is_refused(data_dir: Path, content: bytes) -> None:
    (data_dir / "root-key.json").write_bytes(content)
    with pytest.raises(RootKeyError, match=r"root-key\.json is damaged"):
        opened(b"correct horse", data_dir)


def test_a_passphrase_file_is_held_to_the_rules_of_key_files(data_dir: Path, tmp_path: Path) -> None:
    save(data_dir)
    path = tmp_path / "passphrase"
    with pytest.raises(RootKeyError) as missing:
        open_root_key(f"passphrase-file:{path}", data_dir, create=True, entropy=SeededEntropy())
    assert missing.value.message == f"The passphrase file {path} does not exist."
    path.write_bytes(b"correct horse")
    path.chmod(0o644)
    with pytest.raises(RootKeyError, match="is open to other users"):
        open_root_key(f"passphrase-file:{path}", data_dir, create=True, entropy=SeededEntropy())
    inside = data_dir / "passphrase"
    with pytest.raises(RootKeyError, match="lies in the data directory"):
        open_root_key(f"passphrase-file:{inside}", data_dir, create=True, entropy=SeededEntropy())


def test_no_message_holds_the_passphrase(data_dir: Path) -> None:
    save(data_dir, time_cost=1)
    with pytest.raises(RootKeyError) as refused:
        opened(b"correct horse", data_dir)
    assert "horse" not in refused.value.message
