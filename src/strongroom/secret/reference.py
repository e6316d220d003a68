"""What a caller may send as SecretId: a name, a complete ARN, or an ARN without its six characters.

Source: fact sheet secretsmanager section 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from strongroom.errors import ValidationException
from strongroom.names import ParsedArn, is_account_id, is_region, parse_arn, partition_of

INVALID_NAME: Final = (
    "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
)
"""Recorded by localstack on ten operations."""

_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]+")
_SUFFIXED = re.compile(r".+-[A-Za-z0-9]{6}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A SecretId, taken apart. Exactly one of `arn` (complete) and `name` is set."""

    text: str
    """As the caller sent it."""
    name: str | None = None
    arn: str | None = None
    account_id: str | None = None
    """From an ARN; None for a bare name, which means the caller's account."""
    region: str | None = None


@lru_cache(maxsize=4096)
def parse_secret_ref(text: str) -> SecretRef:
    """Return what `text` refers to.

    An ARN that ends in a hyphen and six alphanumeric characters is complete, even where those belong to
    the name: a secret named `x-a1b2c3` cannot be reached by its partial ARN.

    Raises:
        ValidationException: `text` is neither a valid name nor the ARN of a secret.
    """
    if not text.startswith("arn:"):
        verify_name(text)
        return SecretRef(text, name=text)
    parsed = parse_arn(text)
    if parsed is None or not _is_secret_arn(parsed):
        raise ValidationException(INVALID_NAME)
    rest = parsed.resource.removeprefix("secret:")
    verify_name(rest)
    if _SUFFIXED.fullmatch(rest):
        return SecretRef(text, arn=text, account_id=parsed.account_id, region=parsed.region)
    return SecretRef(text, name=rest, account_id=parsed.account_id, region=parsed.region)


def _is_secret_arn(arn: ParsedArn) -> bool:
    return (
        arn.service == "secretsmanager"
        and arn.resource.startswith("secret:")
        and is_region(arn.region)
        and is_account_id(arn.account_id)
        and arn.partition == partition_of(arn.region)
    )


def verify_name(name: str) -> None:
    """Raise ValidationException unless `name` has only the characters a secret's name may have."""
    if _NAME.fullmatch(name) is None:
        raise ValidationException(INVALID_NAME)
