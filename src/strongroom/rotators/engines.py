"""What differs between kinds of targets whose users have passwords: connecting, changing, looking."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.tls import Tls
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy

__all__ = ["Engine", "Session"]


class Session(Protocol):
    """A connection that has logged in. Every method raises RotationFault, and nothing else on purpose."""

    @property
    def tls(self) -> Tls:
        """How it is protected, as far as it was asked for."""
        ...

    def probe(self) -> None:
        """Do something harmless that shows the user can work."""
        ...

    def change_own(self, pending: SecretDocument, acting: SecretDocument) -> None:
        """Give the user that is logged in the pending password. `acting` is what it has logged in with."""
        ...

    def clone(self, source: SecretDocument, pending: SecretDocument, *, set_password: bool) -> None:
        """The pending user exists and may all that the source's user may; nothing is taken from it.

        Its password is the pending one if it did not exist, or if `set_password` says so.
        """
        ...

    def examine_own(self, pending: SecretDocument, acting: SecretDocument) -> Sequence[CheckFinding]:
        """Return what `change_own` would meet. Changes nothing."""
        ...

    def examine_clone(self, source: SecretDocument, pending: SecretDocument) -> Sequence[CheckFinding]:
        """Return what `clone` would meet. Changes nothing."""
        ...


class Engine(Protocol):
    """What differs between kinds of targets."""

    @property
    def engines(self) -> frozenset[str]: ...

    @property
    def strategies(self) -> frozenset[Strategy]: ...

    @property
    def names(self) -> UserNames: ...

    @property
    def passwords(self) -> PasswordPolicy: ...

    @property
    def address(self) -> tuple[str, ...]:
        """The members of the JSON that say which target is meant: those of two versions must be equal."""
        ...

    def open(self, document: SecretDocument, deadline: Deadline) -> AbstractContextManager[Session]:
        """Return a session of the document's user, logged in when entered and closed when left.

        Raises:
            RotationFault: LOGIN only when the target refuses user or password; UNREACHABLE; TLS; SECRET.
        """
        ...
