"""Unpacks zip files of code, trusting nothing in them."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from strongroom.functions.limits import Limits

__all__ = ["CodeError", "link_tree", "unpack", "verify_sha256"]

_CHUNK: Final = 1024 * 1024
_NAME_BYTES: Final = 1024
_ENCRYPTED: Final = 0x1


class CodeError(Exception):
    """The zip file is damaged, or holds what is not allowed; the message says what."""


def verify_sha256(code: bytes, expected: str) -> None:
    """Raises CodeError when `expected` is not the base64 of the code's SHA-256."""
    if base64.b64encode(hashlib.sha256(code).digest()).decode() != expected:
        raise CodeError("the code is not what its SHA-256 says")


def unpack(code: bytes, target: Path, limits: Limits) -> int:
    """Make `target` a directory of what the zip file holds, read-only files; return their size.

    SECURITY: nothing is written outside `target`, whatever the names are. Links and devices are refused.
    Sizes are counted as they come out, whatever the headers say.

    Raises:
        CodeError: no zip file, or one with such things, or too much in it. `target` is then not there.
    """
    target.mkdir(mode=0o755)
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            return _extract(archive, target, limits)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise _emptied(target, CodeError(f"the code is no sound zip file: {error}")) from error
    except OSError as error:
        # Two entries that cannot both be: a file and a directory of one name.
        raise _emptied(target, CodeError(f"the code cannot be unpacked: {error.strerror}")) from error
    except Exception as error:  # zlib.error, lzma's and bz2's, and CodeError
        fault = (
            error
            if isinstance(error, CodeError)
            else CodeError("the code is no sound zip file: damaged data")
        )
        raise _emptied(target, fault) from error


def _emptied(target: Path, error: CodeError) -> CodeError:
    shutil.rmtree(target, ignore_errors=True)
    return error


def _extract(archive: zipfile.ZipFile, target: Path, limits: Limits) -> int:
    entries = archive.infolist()
    if len(entries) > limits.code_files:
        raise CodeError(f"the code has more than {limits.code_files} files")
    total = 0
    for entry in entries:
        path = target / _safe_name(entry)
        if entry.is_dir():
            _make_directories(path, target)
            continue
        _make_directories(path.parent, target)
        total += _write(archive, entry, path, limits.code_bytes - total)
    return total


def _safe_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Return where the entry belongs, below the target.

    Raises:
        CodeError: outside of it, or it is encrypted, or neither file nor directory.
    """
    name = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.flag_bits & _ENCRYPTED:
        raise CodeError("the code holds an encrypted file")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise CodeError("the code holds a link or a special file")
    if (
        name.is_absolute()
        or ".." in name.parts
        or not name.parts
        or "\\" in entry.filename
        or len(os.fsencode(entry.filename)) > _NAME_BYTES
    ):
        raise CodeError("the code holds a file whose name leads elsewhere")
    return name


def _make_directories(path: Path, target: Path) -> None:
    # Not mkdir(parents=True): that one would make the parents with the umask's mode.
    for part in [*reversed(path.relative_to(target).parents), path.relative_to(target)]:
        (target / part).mkdir(exist_ok=True)
        (target / part).chmod(0o755)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int) -> int:
    mode = 0o755 if (entry.external_attr >> 16) & stat.S_IXUSR else 0o644
    # SECURITY: O_EXCL and O_NOFOLLOW: an entry never writes through, or over, what another has made.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    written = 0
    with os.fdopen(descriptor, "wb") as file, archive.open(entry) as source:
        os.fchmod(file.fileno(), mode)
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > room:
                raise CodeError("the code is too large when unpacked")
            file.write(chunk)
    return written


def link_tree(source: Path, target: Path, link: Callable[[Path, Path], None] = os.link) -> None:
    """`target`, which exists, has everything that `source` has, by hard links, or copies where it must be.

    What was at the same place before is replaced.
    """
    for directory, names, files in os.walk(source):
        here = target / Path(directory).relative_to(source)
        for name in names:
            (here / name).mkdir(exist_ok=True)
            (here / name).chmod(0o755)
        for name in files:
            (here / name).unlink(missing_ok=True)
            try:
                link(Path(directory) / name, here / name)
            except OSError:
                shutil.copy(Path(directory) / name, here / name)
