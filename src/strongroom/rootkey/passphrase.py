"""The root key derived from a passphrase by Argon2id (RFC 9106).

Salt and parameters are not secret and stay in the data directory, `root-key.json`; the passphrase comes from
a file or descriptor, never from the command line or the environment. Layout: docs/spec/envelope.md section 3.
"""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from argon2.exceptions import HashingError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from strongroom.crypto.aead import KEY_BYTES
from strongroom.ports import Entropy
from strongroom.rootkey.errors import RootKeyError
from strongroom.rootkey.held import HeldRootKey

PARAMETER_FILE: Final = "root-key.json"
MAX_PASSPHRASE_BYTES: Final = 4096
SALT_BYTES: Final = 16
_MAX_PARAMETER_BYTES: Final = 4096


class Argon2Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a passphrase becomes the root key.

    Bounds keep a tampered file from weakening the derivation below OWASP's floor or exhausting memory.
    """

    format: Literal[1] = 1
    kdf: Literal["argon2id"] = "argon2id"
    argon2_version: Literal[19] = 19
    salt: str
    """16 bytes in base64."""
    memory_kib: Annotated[int, msgspec.Meta(ge=19_456, le=4_194_304)] = 65_536
    time_cost: Annotated[int, msgspec.Meta(ge=2, le=64)] = 3
    parallelism: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4


def open_passphrase(passphrase: bytes, data_dir: Path, *, create: bool, entropy: Entropy) -> HeldRootKey:
    """Return the root key that `passphrase` gives with the data directory's salt and parameters.

    One newline at its end is not part of the passphrase. With `create`, new parameters (RFC 9106, second
    recommended set: 64 MiB, 3 passes, 4 lanes) are made when there are none. Whether the passphrase is the
    right one shows only in `HeldRootKey.verify_check`.

    Raises:
        RootKeyError: an empty passphrase; parameters missing, malformed or out of bounds.
    """
    secret = passphrase.removesuffix(b"\n")
    if not secret:
        raise RootKeyError("The passphrase of the root key is empty.")
    parameters = _load(data_dir)
    if parameters is None:
        if not create:
            raise RootKeyError(
                f"The data directory {data_dir} has no {PARAMETER_FILE}: its root key is not made from a "
                "passphrase, or the file is lost."
            )
        parameters = Argon2Parameters(salt=base64.b64encode(entropy.token_bytes(SALT_BYTES)).decode())
        _save(parameters, data_dir, entropy)
    return HeldRootKey(derive(secret, parameters), entropy)


def derive(passphrase: bytes, parameters: Argon2Parameters) -> bytes:
    """Return the 32 bytes Argon2id gives.

    Raises:
        RootKeyError: there is not memory enough.
    """
    try:
        return hash_secret_raw(
            passphrase,
            base64.b64decode(parameters.salt, validate=True),
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
            hash_len=KEY_BYTES,
            type=Type.ID,
            version=ARGON2_VERSION,
        )
    except HashingError as exc:
        raise RootKeyError(f"The root key cannot be derived from the passphrase: {exc}.") from exc


def _load(data_dir: Path) -> Argon2Parameters | None:
    path = data_dir / PARAMETER_FILE
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_PARAMETER_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise RootKeyError(f"{path} cannot be read: {exc.strerror}.") from exc
    try:
        parameters = msgspec.json.decode(content, type=Argon2Parameters)
        if len(base64.b64decode(parameters.salt, validate=True)) != SALT_BYTES:
            raise RootKeyError(f"{path} is damaged: its salt is not {SALT_BYTES} bytes.")
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as exc:
        raise RootKeyError(f"{path} is damaged or of a newer format: {exc}.") from exc
    return parameters


def _save(parameters: Argon2Parameters, data_dir: Path, entropy: Entropy) -> None:
    """Have the parameters on disk, whole or not at all, before anything depends on them."""
    path = data_dir / PARAMETER_FILE
    unfinished = data_dir / f".{PARAMETER_FILE}.{entropy.token_bytes(8).hex()}"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(parameters)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, path)
        finally:
            with suppress(FileNotFoundError):
                unfinished.unlink()
        directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as exc:
        raise RootKeyError(f"{path} cannot be made: {exc.strerror}.") from exc
