"""A target to rotate: a directory with a file for each user, which holds the password's digest.

And its rotator, which the engine `drawer` names, as any rotator would be: both strategies, each step as often
as one likes. `calls.log` in the directory has a line for each step that was begun; a file `refuse-<step>`
makes that step fail with what stands in it; a file `die-<step>-<before|after>` kills the process in it, once;
as long as there is a file `hold-<step>`, that step does not end.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from strongroom.ports import Entropy
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial

ENGINE = "drawer"
HELD_SECONDS = 120
_CLONE = "_clone"


class Drawer:
    """The target, from outside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)

    def set_password(self, user: str, password: str) -> None:
        new = self.path / f".{user}.{os.getpid()}.{time.monotonic_ns()}"
        new.write_text(_digest(password))
        new.replace(self.path / f"user-{user}")

    def takes(self, user: str, password: str) -> bool:
        file = self.path / f"user-{user}"
        return file.exists() and file.read_text() == _digest(password)

    def takes_value(self, value: dict[str, str]) -> bool:
        return self.takes(value["username"], value["password"])

    def refuse(self, step: str, message: str = "the drawer is stuck") -> None:
        (self.path / f"refuse-{step}").write_text(message)

    def allow(self, step: str) -> None:
        (self.path / f"refuse-{step}").unlink()

    def hold(self, step: str) -> None:
        (self.path / f"hold-{step}").touch()

    def let_go(self, step: str) -> None:
        (self.path / f"hold-{step}").unlink()

    def kill_at(self, step: str, when: str) -> None:
        """The process that comes to this point of a step is killed at it."""
        (self.path / f"die-{step}-{when}").touch()

    def killed(self) -> bool:
        return not any(self.path.glob("die-*"))

    def reached(self, step: str, when: str) -> None:
        """Die here, or wait, if that was asked for."""
        deadline = time.monotonic() + HELD_SECONDS
        while when == "before" and (self.path / f"hold-{step}").exists():
            assert time.monotonic() < deadline, f"{step} was never let go"
            time.sleep(0.02)
        order = self.path / f"die-{step}-{when}"
        if order.exists():
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def calls(self) -> list[str]:
        """Return the steps that were begun, each with its version id."""
        log = self.path / "calls.log"
        return log.read_text().splitlines() if log.exists() else []


class DrawerRotator:
    """`ports.Rotator`."""

    engines = frozenset({ENGINE})
    strategies = frozenset(Strategy)

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        self._begun("create", material)
        user = material.current.text("username")
        if material.strategy is Strategy.ALTERNATING_USERS:
            user = user.removesuffix(_CLONE) if user.endswith(_CLONE) else user + _CLONE
        Drawer(Path(material.current.text("host"))).reached("create", "after")
        password = f"{material.settings.get('PREFIX', '')}{entropy.token_bytes(12).hex()}"
        return material.current.replaced(username=user, password=password)

    def set(self, material: RotationMaterial) -> None:
        drawer, pending = self._begun("set", material), _pending(material)
        if self._opens(drawer, pending):
            return
        acting = material.current
        if material.strategy is Strategy.ALTERNATING_USERS:
            if material.admin is None:
                raise RotationFault(FaultKind.SECRET, "masterarn key is missing from secret JSON")
            acting = material.admin
        if not self._opens(drawer, acting) and not (
            material.previous is not None and self._opens(drawer, material.previous)
        ):
            raise RotationFault(FaultKind.LOGIN, "the drawer refuses the user or the password")
        drawer.set_password(pending.text("username"), pending.text("password"))
        drawer.reached("set", "after")

    def test(self, material: RotationMaterial) -> None:
        drawer = self._begun("test", material)
        if not self._opens(drawer, _pending(material)):
            raise RotationFault(FaultKind.LOGIN, "the drawer refuses the new password")
        drawer.reached("test", "after")

    def finish(self, material: RotationMaterial) -> None:
        self._begun("finish", material).reached("finish", "after")

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        drawer = Drawer(Path(material.current.text("host")))
        opens = self._opens(drawer, material.current)
        fault = None if opens else FaultKind.LOGIN
        return [CheckFinding("login", fault, "the current user logs in" if opens else "the login is refused")]

    def _begun(self, step: str, material: RotationMaterial) -> Drawer:
        drawer = Drawer(Path(material.current.text("host")))
        with (drawer.path / "calls.log").open("a") as log:
            log.write(f"{step} {material.version_id}\n")
        drawer.reached(step, "before")
        refused = drawer.path / f"refuse-{step}"
        if refused.exists():
            raise RotationFault(FaultKind.TARGET, refused.read_text())
        return drawer

    def _opens(self, drawer: Drawer, document: SecretDocument) -> bool:
        return drawer.takes(document.text("username"), document.text("password"))


def make() -> DrawerRotator:
    return DrawerRotator()


def _pending(material: RotationMaterial) -> SecretDocument:
    assert material.pending is not None
    return material.pending


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
