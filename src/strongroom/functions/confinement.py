"""How far a function can be shut in on this machine, and the command line that does it."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from strongroom.functions.inside.landlock import version
from strongroom.functions.limits import Limits
from strongroom.functions.processes import threads_of, users_processes

__all__ = ["Confinement", "Level", "Place", "sandbox_level"]

TRIAL_SECONDS: Final = 20
_RUN: Final = (
    "import json, sys; sys.path.append(sys.argv[1]); "
    "from strongroom_runtime.bootstrap import main; main(json.loads(sys.argv[2]))"
)
_TRIAL: Final = (
    "import os, sys; os.setresuid(*3 * [int(sys.argv[1])]) if sys.argv[1] else None; "
    "open(os.__file__).close()"
)
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
_SETTINGS: Final = (
    "resolv.conf",
    "hosts",
    "host.conf",
    "gai.conf",
    "nsswitch.conf",
    "services",
    "protocols",
    "ld.so.cache",
    "localtime",
    "ssl",
    "pki",
    "ca-certificates",
    "crypto-policies",
    "alternatives",
)
"""What programs need of /etc to reach and trust others."""


class Level(Enum):
    """How functions are shut in."""

    JAIL = "jail"
    """bubblewrap: a file system, processes and temporary files of its own; as root also a user of its own."""
    USER = "user"
    """A user of its own, for root without bubblewrap. Landlock, where the kernel has it, closes to it other
    processes, and what it does not need of the file system."""
    NONE = "none"
    """The server's user, with limits, and Landlock where there is one. That does not keep a function from
    changing the modes of the server's files, so it is not used unless the operator allows it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one sandbox finds its things, on the machine."""

    task: Path
    layers: Path
    temporary: Path
    """Used where there is no jail; in one it is memory."""
    user: int | None
    """Its own user and group; None: the server's."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What shuts functions in."""

    level: Level
    limits: Limits
    runtime: Path
    """The directory that holds the sandbox's own program, as the package `strongroom_runtime`."""
    hidden: tuple[Path, ...] = ()
    """What must not be seen, wherever it lies."""
    trusting: bool = False
    """`runtime` holds `ca.pem`, certificates to check the server's own with."""

    def command(self, place: Place, *, preload: bool, leash: int | None) -> list[str]:
        """Return what is executed. Nothing in it is secret: everybody on the machine can read it.

        `leash`: the descriptor by which the processes of a sandbox that is no jail are ended.
        """
        if self.level is Level.JAIL:
            inside = {"task": "/var/task", "layers": _layers(), "temporary": "/tmp"}  # noqa: S108  # the sandbox's own
            return [*self._jail(place), *_python("/var/runtime", self._config(place, inside, preload, None))]
        own = {"task": str(place.task), "layers": str(place.layers), "temporary": str(place.temporary)}
        return _python(str(self.runtime), self._config(place, own, preload, leash))

    def _config(
        self, place: Place, paths: dict[str, str], preload: bool, leash: int | None
    ) -> dict[str, Any]:
        return {
            **paths,
            "packages": [str(path) for path in _packages()],
            "preload": preload,
            "user": place.user,
            "nofile": self.limits.files,
            "file_bytes": self.limits.temporary_bytes,
            "cpu_seconds": int(self.limits.age_seconds) + 900,
            "processes": self.limits.processes + (_others() if place.user is None else 0),
            "leash": leash,
            "fence": None if self.level is Level.JAIL else self._fence(place),
        }

    def _fence(self, place: Place) -> dict[str, list[str]]:
        needed = [self.runtime, place.task, place.layers]
        settings = [f"/etc/{name}" for name in (*_SETTINGS, "passwd", "group")]
        devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
        return {
            "read": [*_visible(), *map(str, needed), *settings, "/proc", *devices],
            "write": [str(place.temporary), "/dev/null"],
        }

    def _jail(self, place: Place) -> list[str]:
        arguments = [*_walls(place.user), *_passable("/etc"), *_passable("/var")]
        arguments += ["--perms", "1777", "--size", str(self.limits.temporary_bytes), "--tmpfs", "/tmp"]  # noqa: S108  # the sandbox's own
        visible = _visible()
        arguments += _bound(visible)
        for hidden in self.hidden:
            if any(hidden.is_relative_to(Path(path).resolve()) for path in visible):
                arguments += (
                    ["--tmpfs", str(hidden)] if hidden.is_dir() else ["--ro-bind", "/dev/null", str(hidden)]
                )
        for name in _SETTINGS:
            arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        arguments += ["--ro-bind", str(self.runtime / "passwd"), "/etc/passwd"]
        arguments += ["--ro-bind", str(self.runtime), "/var/runtime"]
        arguments += ["--ro-bind", str(place.task), "/var/task", "--ro-bind", str(place.layers), _layers()]
        return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]

    def trust(self) -> str | None:
        """Return where functions find the certificates that the server's own is to be checked with."""
        if not self.trusting:
            return None
        return "/var/runtime/ca.pem" if self.level is Level.JAIL else str(self.runtime / "ca.pem")


def _visible() -> list[str]:
    """Return what of the machine every function may read."""
    return [*_SYSTEM, *map(str, _interpreter()), *map(str, _packages())]


def _others() -> int:
    """Return how many processes and threads the server's user has: the kernel counts them with a function's,
    where those have no user of their own (and, from Linux 5.14 on, no jail)."""
    return sum(threads_of(pid) for pid in users_processes(os.geteuid()))


def _walls(user: int | None) -> list[str]:
    walls = [
        shutil.which("bwrap") or "bwrap",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--hostname",
        "function",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
    ]
    if user is None:
        return [
            *walls,
            "--unshare-user",
            "--uid",
            "1000",
            "--gid",
            "1000",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ]
    # With these two alone it becomes its user, and then has none.
    return [*walls, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--proc", "/proc", "--dev", "/dev"]


def _bound(paths: Iterable[str]) -> list[str]:
    """Return what shows these paths, read-only, and makes the directories above them passable."""
    arguments: list[str] = []
    shown: list[Path] = []
    made: set[Path] = set()
    for path in map(Path, dict.fromkeys(paths)):
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists() and not any(path.is_relative_to(other) for other in shown):
            arguments += [a for above in _above(path) if above not in made for a in _passable(above)]
            arguments += ["--ro-bind", str(path), str(path)]
            made.update(_above(path))
            shown.append(path)
    return arguments


def _above(path: Path) -> list[Path]:
    return [above for above in reversed(path.parents) if above != Path("/")]


def _passable(path: Path | str) -> list[str]:
    return ["--perms", "0755", "--dir", str(path)]


def _python(runtime: str, config: dict[str, Any]) -> list[str]:
    return [_executable(), "-I", "-S", "-c", _RUN, runtime, json.dumps(config)]


def _executable() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


@functools.cache
def _layers() -> str:
    """Return where layers are seen: where Lambda has them, unless the interpreter or packages are there."""
    taken = any(path.is_relative_to("/opt") for path in (*_interpreter(), *_packages()))
    return "/var/opt" if taken else "/opt"


@functools.cache
def _interpreter() -> tuple[Path, ...]:
    """Return the directories that hold the interpreter and its library."""
    return tuple(dict.fromkeys(Path(p).resolve() for p in (sys.base_prefix, sys.base_exec_prefix)))


@functools.cache
def _packages() -> tuple[Path, ...]:
    """Return the directories of the server's packages: boto3, and the drivers that are installed."""
    found = [importlib.util.find_spec(name) for name in ("boto3", "botocore")]
    origins = [Path(spec.origin).parent.parent for spec in found if spec is not None and spec.origin]
    usual = [Path(sysconfig.get_paths()[name]) for name in ("purelib", "platlib")]
    return tuple(dict.fromkeys(path.resolve() for path in (*origins, *usual)))


def sandbox_level(limits: Limits | None = None) -> tuple[Level, str]:
    """Return how functions are shut in on this machine, found by trying, and why not better, in words."""
    if sys.platform != "linux":
        return Level.NONE, "functions are run on Linux only"
    user = (limits or Limits()).first_user if os.geteuid() == 0 else None
    jailed = _try_jail(user)
    if jailed is None:
        return Level.JAIL, "functions run in bubblewrap" + (", each with a user of its own" if user else "")
    if user is None:
        return Level.NONE, f"{jailed}; and only root can give functions users of their own"
    failure = _try([_executable(), "-I", "-S", "-c", _TRIAL, str(user)])
    if failure is None:
        fenced = ", fenced in by Landlock" if version() else ""
        return Level.USER, f"functions run as users of their own{fenced}; {jailed}"
    return Level.NONE, f"{jailed}; and a user of its own cannot be used: {failure}"


def _try_jail(user: int | None) -> str | None:
    """Return why there is no jail; None when there is."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    arguments = [*_walls(user), *_bound([*_SYSTEM, *map(str, _interpreter())])]
    arguments += ["--perms", "1777", "--size", "65536", "--tmpfs", "/tmp", "--remount-ro", "/dev"]  # noqa: S108
    failure = _try([*arguments, _executable(), "-I", "-S", "-c", _TRIAL, "" if user is None else str(user)])
    return None if failure is None else f"bubblewrap cannot be used here: {failure}"


def _try(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            command, env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if done.returncode == 0:
        return None
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return re.sub(r"[^\x20-\x7e]", "?", last[-1])[:200] if last else f"exit status {done.returncode}"
