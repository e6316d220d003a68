"""The root key in a file of its own, outside the data directory: the default source."""

from __future__ import annotations

import os
from pathlib import Path

from strongroom.crypto.aead import KEY_BYTES
from strongroom.ports import Entropy
from strongroom.rootkey.errors import RootKeyError
from strongroom.rootkey.held import TEXT_BYTES, HeldRootKey, encode_text, parse_text
from strongroom.rootkey.private_file import create_private, read_private

_WHAT = "root key file"


def default_path() -> Path:
    """Return `$XDG_CONFIG_HOME/strongroom/root.key`, or `~/.config/strongroom/root.key`.

    A relative XDG_CONFIG_HOME is ignored, as the XDG base directory specification demands.
    """
    configured = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    base = configured if configured.is_absolute() else Path.home() / ".config"
    return base / "strongroom" / "root.key"


def open_file(path: Path, data_dir: Path, *, create: bool, entropy: Entropy) -> HeldRootKey:
    """Return the root key kept in `path`; with `create`, a new one is made when there is no such file.

    Raises:
        RootKeyError: missing, unsafe (see `read_private`) or malformed.
    """
    content = read_private(path, data_dir, limit=TEXT_BYTES, what=_WHAT)
    if content is not None:
        return HeldRootKey(parse_text(content, f"the file {path}"), entropy)
    if not create:
        raise RootKeyError(
            f"The root key file {path} does not exist. Without the root key nothing in the data directory "
            "opens; restore the file or name another source with --root-key."
        )
    key = entropy.token_bytes(KEY_BYTES)
    create_private(path, data_dir, encode_text(key), entropy, what=_WHAT)
    return HeldRootKey(key, entropy)
