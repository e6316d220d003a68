"""Names and paths of users. Source: fact sheet iam section 11."""

from __future__ import annotations

import re
from typing import Final

from strongroom.errors import ValidationException

ROOT_PATH: Final = "/"

_NAME: Final = re.compile(r"[A-Za-z0-9_+=,.@-]+")


def verify_name(member: str, name: str) -> None:
    """Pass when a name to be given is made of the characters AWS allows.

    The models' `\\w` is ASCII only. `member` is the request member, as the answer names it.

    Raises:
        ValidationException: another character.
    """
    # SECURITY: a look-alike of another name (Cyrillic a, full-width A) must not come to be.
    if _NAME.fullmatch(name) is None:
        raise ValidationException(
            f"The specified value for {member} is invalid. It must contain only alphanumeric characters "
            "and/or the following: +=,.@_-"
        )


def fold_name(name: str) -> str:
    """Return what two names have in common when they differ in case only."""
    return name.lower()
