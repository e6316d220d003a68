"""The processes of one sandbox: how they are started, held, counted and ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
from typing import Final

from strongroom.functions.confinement import Confinement, Level, Place
from strongroom.functions.processes import end_user, family, gone, users_processes

__all__ = ["Captive"]

_END_SECONDS: Final = 5
_WARDEN_SECONDS: Final = 20
"""How long a warden may take to end what makes new processes all the time."""
_SIGNALLED: Final = 128


class Captive:
    """What runs in a sandbox, and the ends of its channel and its output that are ours.

    In a jail, the jail's own first process ends all others with itself. Elsewhere a warden does, which hears
    by a leash when it is to.
    """

    def __init__(self, confinement: Confinement, place: Place, *, preload: bool) -> None:
        """It has been started.

        INVARIANT: called on a thread that outlives it: the kernel ends the one with the other.
        """
        self._jailed = confinement.level is Level.JAIL
        self._user = place.user
        self._first: int | None = None
        self._first_fd: int | None = None
        self.channel, theirs = socket.socketpair()
        self.channel.setblocking(False)
        self.output, printed = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(printed, True)
        # From a jail comes who is first in it; what is no jail gets a leash.
        reading, writing = os.pipe2(os.O_CLOEXEC)
        self._pipe, passed = (reading, writing) if self._jailed else (writing, reading)
        command = confinement.command(place, preload=preload, leash=None if self._jailed else passed)
        if self._jailed:
            command[1:1] = ["--info-fd", str(passed)]
        no_environment: dict[str, str] = {}
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own words
                command,
                stdin=theirs.fileno(),
                stdout=printed,
                stderr=printed,
                env=no_environment,
                cwd="/",
                close_fds=True,
                pass_fds=(passed,),
                start_new_session=True,
            )
        except OSError:
            self._close()
            raise
        finally:
            theirs.close()
            os.close(printed)
            os.close(passed)

    def meet(self, seconds: float) -> None:
        """Who is first in the jail is known, if that is told in time."""
        if not self._jailed:
            return
        text = b""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while b"}" not in text and poll.poll(seconds * 1000):
            data = os.read(self._pipe, 4096)
            if not data:
                break
            text += data
        with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
            self._first = int(json.loads(text)["child-pid"])
            self._first_fd = os.pidfd_open(self._first)

    def alive(self) -> bool:
        return self._process.poll() is None

    def members(self) -> list[int]:
        """Return the processes of it that run, without the jail's own, or the warden."""
        first = self._process.pid if self._first is None else self._first
        return [pid for pid in family(first) if pid != first]

    def signal(self, number: int) -> None:
        """All its members have got the signal."""
        for pid in self.members():
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def exit_status(self, seconds: float) -> int | None:
        """Return its exit status, negative for a signal, once it has ended; None when it does not in time."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return _SIGNALLED - status if status > _SIGNALLED else status

    def kill(self) -> None:
        """It is told to end, whatever it does; any thread may say so."""
        if not self._jailed:
            with contextlib.suppress(OSError):
                os.write(self._pipe, b"!")
            return
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._first_fd is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._first_fd, signal.SIGKILL)

    def end(self) -> bool:
        """No process of it is left; False when one could not be ended. Its channel is still to be closed."""
        self.kill()
        ended = self.exit_status(_END_SECONDS if self._jailed else _WARDEN_SECONDS) is not None
        if self._first_fd is not None:
            # The first process of a jail is gone only when all others are.
            return gone(self._first_fd, _END_SECONDS) and ended
        if self._jailed:
            return ended
        return self._end_without_warden() or ended

    def close(self) -> None:
        """Nothing of it is open."""
        if self._first_fd is not None:
            os.close(self._first_fd)
        self._close()

    def _close(self) -> None:
        self.channel.close()
        os.close(self.output)
        os.close(self._pipe)

    def _end_without_warden(self) -> bool:
        """What came anew too fast for the warden is ended; False: not for certain."""
        self._process.kill()
        self._process.wait()
        if self._user is None:
            return False
        end_user(self._user)
        return not users_processes(self._user)
