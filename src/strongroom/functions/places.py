"""The directories and users of a runner: its own, unseen by others, gone after it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import py_compile
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from strongroom.functions.confinement import Level, Place
from strongroom.functions.limits import Limits
from strongroom.functions.unpacking import link_tree, unpack, verify_sha256

__all__ = ["Code", "Places"]

Code = tuple[str, Callable[[], bytes]]
"""Base64 of a zip file's SHA-256, and what loads it."""

_RUNTIME: Final = Path(__file__).parent / "inside"
_USERS: Final = Path("/run/strongroom/function-users")


class Places:
    """Makes places for sandboxes, and keeps unpacked code.

    Everything lies in one new directory: `<data-dir>/run/functions/<token>`, or where the users of functions
    must reach it by themselves, one of the system's temporary directories. Directories that runners which are
    gone have left are removed.
    """

    def __init__(self, data_dir: Path, level: Level, limits: Limits) -> None:
        self._limits = limits
        self._own_users = os.geteuid() == 0 and level is not Level.NONE
        parent = data_dir / "run" / "functions"
        if level is Level.USER:
            # The data directory is closed to them, and stays so.
            parent = Path(tempfile.gettempdir()) / f"strongroom-functions-{os.geteuid()}"
        self.root, self._held = _make_root(parent, 0o711 if level is Level.USER else 0o700)
        self._code: OrderedDict[str, int] = OrderedDict()
        self._unpacking = threading.Lock()
        self._lock = threading.Lock()
        self._users: dict[int, int] = {}
        self._locks = data_dir / "run" / "function-users"
        self.runtime = self._copy_runtime()
        for name in ("code", "places"):
            _directory(self.root / name, 0o711)

    def take(self) -> Place:
        """Return a new, empty place.

        Raises:
            OSError: there is no user left, or the disk is full.
        """
        user = self._take_user() if self._own_users else None
        here = self.root / "places" / secrets.token_hex(8)
        place = Place(here / "task", here / "opt", here / "tmp", user)
        try:
            _directory(here, 0o750)
            for path, mode in ((place.task, 0o755), (place.layers, 0o755), (place.temporary, 0o700)):
                _directory(path, mode)
            if user is not None:
                os.chown(here, -1, user)
                os.chown(place.temporary, user, user)
        except OSError:
            self.give_back(place)
            raise
        return place

    def give_back(self, place: Place) -> None:
        """The place is gone and its user free. No process of it may be left."""
        shutil.rmtree(place.task.parent, ignore_errors=True)
        if place.user is not None:
            with self._lock:
                os.close(self._users.pop(place.user))

    def fill(self, place: Place, code: Code, layers: Sequence[Code]) -> frozenset[str]:
        """The place has the code and its layers; return the names at their top.

        Raises:
            CodeError: a zip file is not what it should be.
            OSError: the disk is full.
        """
        with self._unpacking:
            for layer in layers:
                link_tree(self._unpacked(layer), place.layers)
            link_tree(self._unpacked(code), place.task)
            self._evict(keep=len(layers) + 1)
        tops = [place.task, place.layers / "python", *place.layers.glob("python/lib/*/site-packages")]
        return frozenset(entry.name.split(".")[0] for top in tops if top.is_dir() for entry in top.iterdir())

    def close(self) -> None:
        """All of it is gone."""
        shutil.rmtree(self.root, ignore_errors=True)
        os.close(self._held)

    def _unpacked(self, code: Code) -> Path:
        sha256, load = code
        name = sha256.translate(str.maketrans("+/=", "-_."))
        path = self.root / "code" / name
        if name in self._code:
            self._code.move_to_end(name)
            return path
        data = load()
        verify_sha256(data, sha256)
        unfinished = self.root / "code" / f".{secrets.token_hex(8)}"
        size = unpack(data, unfinished, self._limits)
        unfinished.rename(path)
        self._code[name] = size
        return path

    def _evict(self, keep: int) -> None:
        while len(self._code) > keep and sum(self._code.values()) > self._limits.cache_bytes:
            name, _ = self._code.popitem(last=False)
            shutil.rmtree(self.root / "code" / name, ignore_errors=True)

    def _take_user(self) -> int:
        """Return a user that no sandbox of this machine has, of any server."""
        locks = self._user_locks()
        first = self._limits.first_user
        for user in range(first, first + self._limits.users):
            with self._lock:
                if user not in self._users:
                    with contextlib.suppress(BlockingIOError):
                        self._users[user] = _lock(locks / str(user))
                        return user
        raise OSError("all users for functions are taken")

    def _user_locks(self) -> Path:
        """Return where the machine's servers say which users they have; where /run is closed, one's own."""
        try:
            _USERS.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            self._locks.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._locks
        return _USERS

    def _copy_runtime(self) -> Path:
        """The sandbox's program lies where its users can read it, compiled."""
        package = self.root / "runtime" / "strongroom_runtime"
        _directory(package.parent, 0o755)
        _directory(package, 0o755)
        for source in _RUNTIME.glob("*.py"):
            copy = package / source.name
            copy.write_bytes(source.read_bytes())
            copy.chmod(0o644)
            with contextlib.suppress(py_compile.PyCompileError):
                py_compile.compile(str(copy), doraise=True)
        for compiled in package.glob("__pycache__/*"):
            compiled.parent.chmod(0o755)
            compiled.chmod(0o644)
        users = range(self._limits.first_user, self._limits.first_user + self._limits.users)
        names = "".join(f"sbx{user}:x:{user}:{user}::/tmp:/sbin/nologin\n" for user in [1000, *users])
        (package.parent / "passwd").write_text(names)
        (package.parent / "passwd").chmod(0o644)
        return package.parent


def _make_root(parent: Path, mode: int) -> tuple[Path, int]:
    """Return a new directory in `parent`, and the lock that says that it is in use."""
    parent.mkdir(mode=mode, parents=True, exist_ok=True)
    status = parent.lstat()
    if status.st_uid != os.geteuid() or parent.is_symlink():
        raise OSError(f"{parent} belongs to another user")
    parent.chmod(mode)
    alone = _lock(parent / "lock", wait=True)
    try:
        for old in parent.iterdir():
            with contextlib.suppress(OSError):
                held = _lock(old / "lock")
                shutil.rmtree(old, ignore_errors=True)
                os.close(held)
        root = parent / secrets.token_hex(8)
        _directory(root, mode)
        return root, _lock(root / "lock")
    finally:
        os.close(alone)


def _directory(path: Path, mode: int) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(mode)


def _lock(path: Path, *, wait: bool = False) -> int:
    """Return a descriptor that holds the lock. Raises BlockingIOError: another holds it, and no `wait`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
