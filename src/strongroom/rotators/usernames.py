"""The two names of alternating users: x and x_clone. Source: fact sheet rotation sections 6 and 7."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["UserNames"]


@dataclass(frozen=True, slots=True)
class UserNames:
    """How a kind of target names the second of two alternating users."""

    limit: int
    """How long a user name may be, in bytes of UTF-8."""
    suffix: str = "_clone"

    def other(self, user: str) -> str:
        """Return the counterpart of a user: x for x_clone, x_clone for any other x.

        Raises:
            RotationFault: the name would be empty, or longer than the target takes.
        """
        ends = user.endswith(self.suffix)
        name = user.removesuffix(self.suffix) if ends else user + self.suffix
        if not name:
            raise RotationFault(FaultKind.SECRET, f"username in the secret JSON is nothing but {self.suffix}")
        if len(name.encode()) > self.limit:
            raise RotationFault(
                FaultKind.LIMIT,
                f"the user name is too long to be cloned: with {self.suffix} it would exceed the "
                f"{self.limit} characters the target takes",
            )
        return name
