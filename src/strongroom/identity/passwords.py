"""Passwords of users: what a policy asks of them, and how they are kept.

Source: fact sheet iam section 12; RFC 9106 (Argon2id).
"""

from __future__ import annotations

from typing import Final

from argon2.exceptions import VerificationError
from argon2.low_level import Type, hash_secret, verify_secret

from strongroom.identity.records import PasswordPolicy

__all__ = ["SALT_BYTES", "hash_password", "is_password", "violation"]

SALT_BYTES: Final = 16
_TIME_COST: Final = 2
_MEMORY_KIB: Final = 19_456
_PARALLELISM: Final = 1
_HASH_BYTES: Final = 32

SYMBOLS: Final = frozenset("!@#$%^&*()_+-=[]{}|'")
_DEFAULT_MINIMUM: Final = 8
_DEFAULT_KINDS: Final = 3

# Not established; ours, but for the first, which published reports of the live service have.
NOT_CONFORMING: Final = "Password does not conform to the account password policy."
NO_UPPERCASE: Final = "Password should have at least one uppercase letter"
NO_LOWERCASE: Final = "Password should have at least one lowercase letter"
NO_NUMBER: Final = "Password should have at least one number"
NO_SYMBOL: Final = "Password should have at least one symbol"


def too_short(minimum: int) -> str:
    return f"Password should have a minimum length of {minimum}"


def hash_password(password: str, salt: bytes) -> str:
    """Return the password as it is kept: an Argon2id hash in PHC form. Takes tens of milliseconds."""
    hashed = hash_secret(password.encode(), salt, _TIME_COST, _MEMORY_KIB, _PARALLELISM, _HASH_BYTES, Type.ID)
    return hashed.decode()


def is_password(hashed: str, password: str) -> bool:
    """True when `hashed` was made of `password`. Takes as long as making it."""
    try:
        return verify_secret(hashed.encode(), password.encode(), Type.ID)
    except VerificationError:
        return False


def violation(password: str, policy: PasswordPolicy | None) -> str | None:
    """Return what a policy has against a password, in words for its user; None: nothing.

    Without a policy AWS's default holds: 8 characters of at least three kinds.
    """
    upper = any("A" <= char <= "Z" for char in password)
    lower = any("a" <= char <= "z" for char in password)
    number = any("0" <= char <= "9" for char in password)
    symbol = any(char in SYMBOLS for char in password)
    if policy is None:
        if len(password) < _DEFAULT_MINIMUM or sum((upper, lower, number, symbol)) < _DEFAULT_KINDS:
            return NOT_CONFORMING
        return None
    if len(password) < policy.minimum_length:
        return too_short(policy.minimum_length)
    for required, there, text in (
        (policy.require_uppercase, upper, NO_UPPERCASE),
        (policy.require_lowercase, lower, NO_LOWERCASE),
        (policy.require_numbers, number, NO_NUMBER),
        (policy.require_symbols, symbol, NO_SYMBOL),
    ):
        if required and not there:
            return text
    return None
