"""Where the root key comes from: adapters of `ports.RootKey`.

A source is written `file:PATH` (default `~/.config/strongroom/root.key`), `fd:N`, `passphrase-fd:N` or
`passphrase-file:PATH`. Neither a key nor a passphrase is ever taken from the command line or the environment:
those name the place only.
"""

from __future__ import annotations

from pathlib import Path

from strongroom.ports import Entropy
from strongroom.rootkey.descriptor import open_descriptor, read_descriptor
from strongroom.rootkey.errors import RootKeyError
from strongroom.rootkey.file import default_path, open_file
from strongroom.rootkey.held import HeldRootKey
from strongroom.rootkey.passphrase import MAX_PASSPHRASE_BYTES, open_passphrase
from strongroom.rootkey.private_file import read_private

__all__ = ["HeldRootKey", "RootKeyError", "default_source", "open_root_key"]

_PASSPHRASE = "passphrase"
_PASSPHRASE_FILE = "passphrase file"


def default_source() -> str:
    """Return the source used when none is named: `file:` in the user's configuration directory."""
    return f"file:{default_path()}"


def open_root_key(source: str, data_dir: Path, *, create: bool, entropy: Entropy) -> HeldRootKey:
    """Return the root key from `source`. An empty source, or `file:` alone, means the default.

    With `create` (a new data directory) a missing key file or missing passphrase parameters are made; an
    existing key is used as it is. A descriptor is read to its end and closed.

    Raises:
        RootKeyError: the source is malformed; the key is missing, unsafe or malformed.
    """
    kind, separator, place = (source or "file:").partition(":")
    if separator:
        match kind:
            case "file":
                path = Path(place).expanduser() if place else default_path()
                return open_file(path, data_dir, create=create, entropy=entropy)
            case "fd":
                return open_descriptor(_number(place), entropy)
            case "passphrase-fd":
                given = read_descriptor(_number(place), limit=MAX_PASSPHRASE_BYTES, what=_PASSPHRASE)
                return open_passphrase(given, data_dir, create=create, entropy=entropy)
            case "passphrase-file":
                path = Path(place).expanduser()
                content = read_private(path, data_dir, limit=MAX_PASSPHRASE_BYTES, what=_PASSPHRASE_FILE)
                if content is None:
                    raise RootKeyError(f"The {_PASSPHRASE_FILE} {path} does not exist.")
                return open_passphrase(content, data_dir, create=create, entropy=entropy)
    raise RootKeyError(
        "The root key source must be file:PATH, fd:N, passphrase-fd:N or passphrase-file:PATH."
    )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise RootKeyError("A file descriptor is named by its number, as in fd:3.")
    return int(text)
