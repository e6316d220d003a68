"""Reading and making files that only their owner may see, outside the data directory."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from strongroom.ports import Entropy
from strongroom.rootkey.errors import RootKeyError


def read_private(path: Path, data_dir: Path, *, limit: int, what: str) -> bytes | None:
    """Return the bytes of `path`; None when it does not exist. `what` names it in messages.

    A credential that systemd hands to the service is taken as it comes: root's, and readable for its group.

    Raises:
        RootKeyError: it lies in the data directory, is a symbolic link or no regular file, belongs to another
            user, can be read or written by group or others, is longer than `limit` bytes, or cannot be read.
    """
    verify_outside(path, data_dir, what)
    try:
        # SECURITY: all checks are on the descriptor that is read, so the file cannot be swapped in between;
        # O_NONBLOCK because opening a FIFO would otherwise wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise RootKeyError(f"The {what} {path} is a symbolic link; name the file itself.") from exc
        raise RootKeyError(f"The {what} {path} cannot be opened: {exc.strerror}.") from exc
    try:
        status = os.fstat(descriptor)
        if not _is_credential(status, path):
            _verify_private(status, path, what)
        content = os.read(descriptor, limit + 1)
    except OSError as exc:
        raise RootKeyError(f"The {what} {path} cannot be read: {exc.strerror}.") from exc
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise RootKeyError(f"The {what} {path} is longer than {limit} bytes.")
    return content


def create_private(path: Path, data_dir: Path, content: bytes, entropy: Entropy, *, what: str) -> None:
    """Make `path` with mode 0600 and `content`; file and directory entry are on disk when this returns.

    The content is complete before the name exists, so a crash leaves the whole file or none; an existing file
    is never written over.

    Raises:
        RootKeyError: it lies in the data directory, exists already, or cannot be made.
    """
    verify_outside(path, data_dir, what)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        verify_outside(path, data_dir, what)
        unfinished = path.parent / f".{path.name}.{entropy.token_bytes(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(unfinished, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, path)
        finally:
            with suppress(FileNotFoundError):
                unfinished.unlink()
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError as exc:
        raise RootKeyError(f"The {what} {path} exists already.") from exc
    except OSError as exc:
        raise RootKeyError(f"The {what} {path} cannot be made: {exc.strerror}.") from exc


def verify_outside(path: Path, data_dir: Path, what: str) -> None:
    """Raises RootKeyError when `path`, links followed, lies in the data directory.

    SECURITY: a copy of the data directory must not bring the key that opens it.
    """
    if path.resolve().is_relative_to(data_dir.resolve()):
        raise RootKeyError(
            f"The {what} {path} lies in the data directory {data_dir}: whoever copies the one would have the "
            "other. Keep it elsewhere."
        )


def _is_credential(status: os.stat_result, path: Path) -> bool:
    """True for a file of $CREDENTIALS_DIRECTORY that nobody can write.

    systemd gives the service's user access by an ACL, whose mask stands where the group's rights are shown
    (systemd.exec(5), Credentials).
    """
    named = os.environ.get("CREDENTIALS_DIRECTORY")
    if not named or path.parent.resolve() != Path(named).resolve():
        return False
    directory = path.parent.stat()
    # SECURITY: nobody but root and the service's user put the file there, and others reach neither.
    return all(
        each.st_uid in (os.geteuid(), 0) and not each.st_mode & 0o027 for each in (directory, status)
    ) and stat.S_ISREG(status.st_mode)


def _verify_private(status: os.stat_result, path: Path, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RootKeyError(f"The {what} {path} is not a regular file.")
    if status.st_uid not in (os.geteuid(), 0):
        raise RootKeyError(f"The {what} {path} belongs to another user.")
    if status.st_mode & 0o077:
        raise RootKeyError(
            f"The {what} {path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"run: chmod 600 {path}"
        )
