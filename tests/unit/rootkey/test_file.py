"""The root key file: made once, private, outside the data directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from strongroom.rootkey import RootKeyError, default_source, open_root_key
from strongroom.rootkey.held import TEXT_BYTES, HeldRootKey, encode_text
from support.entropies import SeededEntropy, pattern

KEY = pattern("key", 32)
MALFORMED = (
    "There is no root key in the file {path}: it should hold the line 'strongroom-root-key 1' and then 32 "
    "bytes in base64."
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "root.key"
    path.write_bytes(encode_text(KEY))
    path.chmod(0o600)
    return path


def opened(path: Path, data_dir: Path, *, create: bool = False) -> HeldRootKey:
    return open_root_key(f"file:{path}", data_dir, create=create, entropy=SeededEntropy())


def refusal(path: Path, data_dir: Path, *, create: bool = False) -> str:
    with pytest.raises(RootKeyError) as refused:
        opened(path, data_dir, create=create)
    return refused.value.message


def test_a_new_key_is_made_private_in_a_private_directory(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "config" / "strongroom" / "root.key"
    made = opened(path, data_dir, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["root.key"]
    assert len(path.read_bytes()) == TEXT_BYTES
    opened(path, data_dir).verify_check(made.check_value())


def test_an_existing_key_is_used_as_it_is(key_file: Path, data_dir: Path) -> None:
    before = key_file.read_bytes()
    opened(key_file, data_dir, create=True).verify_check(HeldRootKey(KEY, SeededEntropy()).check_value())
    assert key_file.read_bytes() == before


def test_a_missing_key_is_not_made_for_existing_data(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "root.key"
    assert refusal(path, data_dir) == (
        f"The root key file {path} does not exist. Without the root key nothing in the data directory opens; "
        "restore the file or name another source with --root-key."
    )
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o644, 0o666])
def test_a_file_open_to_others_is_refused(key_file: Path, data_dir: Path, mode: int) -> None:
    key_file.chmod(mode)
    assert refusal(key_file, data_dir) == (
        f"The root key file {key_file} is open to other users (mode {mode:04o}); run: chmod 600 {key_file}"
    )


@pytest.fixture
def credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key as systemd hands it to a service: the group's rights shown are the mask of an ACL."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    path = directory / "root.key"
    path.write_bytes(encode_text(KEY))
    path.chmod(0o440)
    directory.chmod(0o550)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    return path


def test_a_credential_of_systemd_is_taken_as_it_comes(credential: Path, data_dir: Path) -> None:
    opened(credential, data_dir).verify_check(HeldRootKey(KEY, SeededEntropy()).check_value())


@pytest.mark.parametrize(
    ("mode", "directory_mode"),
    [(0o444, 0o550), (0o460, 0o550), (0o442, 0o550), (0o440, 0o555), (0o440, 0o770), (0o440, 0o551)],
)
def test_a_credential_others_can_reach_or_write_is_a_file_like_any(
    credential: Path, data_dir: Path, mode: int, directory_mode: int
) -> None:
    credential.chmod(mode)
    credential.parent.chmod(directory_mode)
    assert refusal(credential, data_dir) == (
        f"The root key file {credential} is open to other users (mode {mode:04o}); run: chmod 600 {credential}"
    )


def test_files_beside_the_credentials_are_files_like_any(
    credential: Path, data_dir: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file.chmod(0o440)
    assert "is open to other users" in refusal(key_file, data_dir)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert "is open to other users" in refusal(credential, data_dir)


def test_a_symbolic_link_is_refused(tmp_path: Path, key_file: Path, data_dir: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file)
    assert refusal(link, data_dir) == f"The root key file {link} is a symbolic link; name the file itself."


def test_a_dangling_link_is_not_written_through(tmp_path: Path, data_dir: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert "is a symbolic link" in refusal(link, data_dir, create=True)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("create", [False, True])
def test_a_file_in_the_data_directory_is_refused(data_dir: Path, create: bool) -> None:
    path = data_dir / "keys" / "root.key"
    assert refusal(path, data_dir, create=create) == (
        f"The root key file {path} lies in the data directory {data_dir}: whoever copies the one would have "
        "the other. Keep it elsewhere."
    )
    assert not path.exists()


def test_links_do_not_hide_that_a_file_lies_in_the_data_directory(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(data_dir)
    assert "lies in the data directory" in refusal(tmp_path / "elsewhere" / "root.key", data_dir, create=True)
    assert "lies in the data directory" in refusal(data_dir / "root.key", tmp_path / "elsewhere", create=True)
    assert "lies in the data directory" in refusal(
        tmp_path / "x" / ".." / "data" / "k", data_dir, create=True
    )
    assert os.listdir(data_dir) == []


def test_a_directory_or_fifo_is_refused_without_waiting(tmp_path: Path, data_dir: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    assert refusal(fifo, data_dir) == f"The root key file {fifo} is not a regular file."
    (tmp_path / "directory").mkdir()
    assert "is not a regular file" in refusal(tmp_path / "directory", data_dir)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(KEY, id="bare bytes"),
        pytest.param(encode_text(KEY)[:-1], id="no last newline"),
        pytest.param(encode_text(KEY)[:-5] + b"\n", id="cut"),
        pytest.param(encode_text(KEY[:31]), id="31 bytes"),
        pytest.param(encode_text(KEY).replace(b"-key 1", b"-key1 "), id="another first line"),
        pytest.param(b"strongroom-root-key 1\n" + b"?" * 44 + b"\n", id="not base64"),
        pytest.param(b"strongroom-root-key 1\n\n" + encode_text(KEY)[22:-1], id="blank line"),
        pytest.param(encode_text(KEY)[:-3] + b"==\n", id="other padding"),
    ],
)
def test_only_the_written_form_is_read(key_file: Path, data_dir: Path, content: bytes) -> None:
    key_file.write_bytes(content)
    assert refusal(key_file, data_dir, create=True) == MALFORMED.format(path=key_file)
    assert key_file.read_bytes() == content


def test_base64_with_stray_bits_is_refused(key_file: Path, data_dir: Path) -> None:
    text = encode_text(KEY)
    stray = text[:-3] + bytes((text[-3] + 1,)) + text[-2:]
    key_file.write_bytes(stray)
    assert refusal(key_file, data_dir) == MALFORMED.format(path=key_file)


def test_a_longer_file_is_refused(key_file: Path, data_dir: Path) -> None:
    key_file.write_bytes(encode_text(KEY) + b"\n")
    assert refusal(key_file, data_dir) == f"The root key file {key_file} is longer than {TEXT_BYTES} bytes."


def test_a_newer_format_is_named(key_file: Path, data_dir: Path) -> None:
    key_file.write_bytes(encode_text(KEY).replace(b"key 1", b"key 2"))
    assert refusal(key_file, data_dir) == (
        f"The root key in the file {key_file} has a newer format than this program knows."
    )


def test_no_message_holds_key_bytes(key_file: Path, data_dir: Path) -> None:
    key_file.write_bytes(encode_text(KEY)[:-2] + b"\n")
    assert encode_text(KEY)[22:40].decode() not in refusal(key_file, data_dir)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "root.key"
    assert "cannot be opened: Not a directory" in refusal(path, data_dir, create=True)


def test_the_default_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert default_source() == f"file:{tmp_path}/.config/strongroom/root.key"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert default_source() == f"file:{tmp_path}/.config/strongroom/root.key"
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/xdg")
    assert default_source() == f"file:{tmp_path}/xdg/strongroom/root.key"


@pytest.mark.parametrize("source", ["", "file:"])
def test_no_source_means_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path, source: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    open_root_key(source, data_dir, create=True, entropy=SeededEntropy())
    assert (tmp_path / "xdg" / "strongroom" / "root.key").is_file()


def test_a_tilde_is_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_root_key("file:~/my.key", data_dir, create=True, entropy=SeededEntropy())
    assert (tmp_path / "my.key").is_file()


@pytest.mark.parametrize("source", ["root.key", "env:KEY", "passphrase:hunter2", "/etc/key"])
def test_other_sources_are_refused_without_repeating_them(data_dir: Path, source: str) -> None:
    with pytest.raises(RootKeyError) as refused:
        open_root_key(source, data_dir, create=True, entropy=SeededEntropy())
    assert refused.value.message == (
        "The root key source must be file:PATH, fd:N, passphrase-fd:N or passphrase-file:PATH."
    )
