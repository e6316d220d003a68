"""One suite for every source of the root key: whatever it comes from, `ports.RootKey` holds."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.errors import IntegrityError
from strongroom.rootkey import HeldRootKey, RootKeyError, open_root_key
from strongroom.rootkey.held import encode_text
from support.entropies import SeededEntropy, pattern

Open = Callable[[], HeldRootKey]
PURPOSE, CONTEXT = "kms-material", {"KeyArn": "arn:aws:kms:x", "KeyMaterialId": "00"}
SMALL_PARAMETERS = (
    '{"format":1,"kdf":"argon2id","argon2_version":19,"salt":"AAAAAAAAAAAAAAAAAAAAAA==",'
    '"memory_kib":19456,"time_cost":2,"parallelism":1}'
)


def pipe_of(content: bytes) -> int:
    read_end, write_end = os.pipe()
    os.write(write_end, content)
    os.close(write_end)
    return read_end


@pytest.fixture(params=["file", "fd", "passphrase-fd", "passphrase-file", "handed over"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same root key each time it is called."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "root-key.json").write_text(SMALL_PARAMETERS)
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(b"correct horse\n")
    passphrase.chmod(0o600)
    text = encode_text(pattern("root key", 32))

    def opening() -> HeldRootKey:
        match request.param:
            case "file":
                source = f"file:{tmp_path / 'config' / 'root.key'}"
            case "fd":
                source = f"fd:{pipe_of(text)}"
            case "passphrase-fd":
                source = f"passphrase-fd:{pipe_of(b'correct horse')}"
            case "passphrase-file":
                source = f"passphrase-file:{passphrase}"
            case _:
                held = open_root_key(f"fd:{pipe_of(text)}", data_dir, create=False, entropy=SeededEntropy(5))
                source = f"fd:{held.hand_over()}"
        return open_root_key(source, data_dir, create=True, entropy=SeededEntropy(7))

    return opening


def test_what_was_wrapped_unwraps_after_the_next_start(open_again: Open) -> None:
    first = open_again()
    sealed = first.wrap(PURPOSE, b"material", CONTEXT)
    second = open_again()
    second.verify_check(first.check_value())
    assert second.unwrap(PURPOSE, sealed, dict(reversed(CONTEXT.items()))) == b"material"
    assert b"material" not in sealed


def test_wrapping_twice_gives_different_bytes(open_again: Open) -> None:
    root = open_again()
    assert root.wrap(PURPOSE, b"material", CONTEXT) != root.wrap(PURPOSE, b"material", CONTEXT)


def test_nothing_unwraps_for_another_purpose_or_context(open_again: Open) -> None:
    root = open_again()
    sealed = root.wrap(PURPOSE, b"material", CONTEXT)
    for purpose, context in (
        ("access-key", CONTEXT),
        (PURPOSE, {}),
        (PURPOSE, {**CONTEXT, "KeyMaterialId": "01"}),
    ):
        with pytest.raises(IntegrityError, match="what was sealed does not open"):
            root.unwrap(purpose, sealed, context)


def test_no_changed_or_missing_byte_unwraps(open_again: Open) -> None:
    root = open_again()
    sealed = root.wrap(PURPOSE, b"material", CONTEXT)
    changed = (sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :] for at in range(len(sealed)))
    for wrong in (*changed, *(sealed[:length] for length in range(len(sealed))), sealed + b"\x00"):
        with pytest.raises(IntegrityError, match="what was sealed does not open"):
            root.unwrap(PURPOSE, wrong, CONTEXT)


def test_another_root_key_is_recognised_and_opens_nothing(open_again: Open) -> None:
    root, other = open_again(), HeldRootKey(pattern("another root key", 32), SeededEntropy())
    sealed = root.wrap(PURPOSE, b"material", CONTEXT)
    with pytest.raises(RootKeyError) as refused:
        other.verify_check(root.check_value())
    assert refused.value.message == (
        "This is not the root key that the data directory was made with; nothing in it would open. "
        "Name the right one with --root-key."
    )
    with pytest.raises(IntegrityError):
        other.unwrap(PURPOSE, sealed, CONTEXT)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
def test_a_damaged_check_value_is_not_accepted(open_again: Open, wrong: bytes) -> None:
    with pytest.raises(RootKeyError, match="not the root key"):
        open_again().verify_check(wrong)


def test_the_key_cannot_be_seen_or_copied(open_again: Open) -> None:
    root = open_again()
    assert repr(root) == str(root) == "<HeldRootKey>"
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or stored"):
            copying(root)
