"""New passwords, by the rules of a target and by the settings of a rotation.

Source: fact sheet rotation section 8 (the variables of the official templates).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

from strongroom.errors import InvalidParameterException
from strongroom.ports import Entropy
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.material import PasswordPolicy
from strongroom.secret.passwords import PasswordRules, count_passwords, password_rules, random_password

__all__ = ["RehearsalEntropy", "new_password", "setting_number"]


FEWEST: Final = 1 << 40
"""SECURITY: settings are tags, and who may tag a secret need not be allowed to read it: they must not come to
leave so few passwords that one can be guessed."""
TOO_FEW: Final = (
    "the password settings of the rotation leave too few passwords to choose from: allow more characters, or "
    "a greater PASSWORD_LENGTH"
)


def new_password(settings: Mapping[str, str], policy: PasswordPolicy, entropy: Entropy) -> str:
    """Return a password that fulfils the settings, and the target's policy where they say nothing.

    Raises:
        RotationFault: a setting cannot be read, or no password, or next to none, fulfils them all.
    """
    length = setting_number(settings, "PASSWORD_LENGTH")
    try:
        rules = password_rules(
            length=policy.length if length is None else length,
            exclude_characters=settings.get("EXCLUDE_CHARACTERS", policy.exclude_characters),
            exclude_numbers=_flag(settings, "EXCLUDE_NUMBERS", default=False),
            exclude_punctuation=_flag(settings, "EXCLUDE_PUNCTUATION", default=False),
            exclude_uppercase=_flag(settings, "EXCLUDE_UPPERCASE", default=False),
            exclude_lowercase=_flag(settings, "EXCLUDE_LOWERCASE", default=False),
            require_each_included_type=_flag(settings, "REQUIRE_EACH_INCLUDED_TYPE", default=True),
        )
    except InvalidParameterException as exc:
        raise RotationFault(FaultKind.LIMIT, f"the password settings of the rotation: {exc}") from exc
    if _choices(rules) < FEWEST:
        raise RotationFault(FaultKind.LIMIT, TOO_FEW)
    return random_password(rules, entropy.below)


def _choices(rules: PasswordRules) -> int:
    sizes = tuple(map(len, rules.types))
    return count_passwords(sum(sizes), rules.length, sizes if rules.each_type else ())


class RehearsalEntropy:
    """Entropy of the operating system, for what a dry run makes up and throws away."""

    def token_bytes(self, size: int) -> bytes:
        return secrets.token_bytes(size)

    def below(self, bound: int) -> int:
        return secrets.randbelow(bound)


def setting_number(settings: Mapping[str, str], name: str) -> int | None:
    """Return a setting that is a number; None when it is absent or empty.

    Raises:
        RotationFault: it is none.
    """
    text = settings.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise RotationFault(FaultKind.LIMIT, f"the setting {name} of the rotation must be a number")
    return int(text[:9])


def _flag(settings: Mapping[str, str], name: str, *, default: bool) -> bool:
    """The templates take the text `true`, in any case, for yes and all else for no."""
    text = settings.get(name, "")
    return text.lower() == "true" if text else default
