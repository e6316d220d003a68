"""Ids and secrets that IAM gives out. Source: fact sheet iam section 11.

Every function takes the randomness it needs, so that the result follows from its argument alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final

from strongroom.names import AccountId

USER_ID_PREFIX: Final = "AIDA"
GROUP_ID_PREFIX: Final = "AGPA"
ROLE_ID_PREFIX: Final = "AROA"
POLICY_ID_PREFIX: Final = "ANPA"
ACCESS_KEY_ID_PREFIX: Final = "AKIA"
TEMPORARY_ACCESS_KEY_ID_PREFIX: Final = "ASIA"
SECRET_ACCESS_KEY_LENGTH: Final = 40

USER_ID_RANDOM_BYTES: Final = 11
GROUP_ID_RANDOM_BYTES: Final = 11
ROLE_ID_RANDOM_BYTES: Final = 11
POLICY_ID_RANDOM_BYTES: Final = 11
ACCESS_KEY_ID_RANDOM_BYTES: Final = 10
TEMPORARY_ACCESS_KEY_ID_RANDOM_BYTES: Final = 5
SECRET_ACCESS_KEY_RANDOM_BYTES: Final = 30

_ACCOUNT_SHIFT: Final = 39
_ACCOUNT_MASK: Final = (1 << 40) - 1
_TEMPORARY: Final = re.compile("ASIA[A-Z2-7]{16}")
_LOWEST_RANDOM_ACCOUNT: Final = 10**11
_RANDOM_ACCOUNTS: Final = 9 * 10**11

Below = Callable[[int], int]
"""Returns an unbiased integer in [0, bound): `Entropy.below`."""


def account_id(below: Below) -> AccountId:
    """Return twelve random digits, the first of which is not 0."""
    return AccountId(str(_LOWEST_RANDOM_ACCOUNT + below(_RANDOM_ACCOUNTS)))


def user_id(randomness: bytes) -> str:
    """Return AIDA and 17 characters of A-Z2-7, of USER_ID_RANDOM_BYTES random bytes."""
    _expect(randomness, USER_ID_RANDOM_BYTES)
    # 17 characters take 85 of the 88 bits; the 18th would be made of the rest.
    return USER_ID_PREFIX + base64.b32encode(randomness).decode()[:17]


def group_id(randomness: bytes) -> str:
    """Return AGPA and 17 characters of A-Z2-7, of GROUP_ID_RANDOM_BYTES random bytes."""
    _expect(randomness, GROUP_ID_RANDOM_BYTES)
    return GROUP_ID_PREFIX + base64.b32encode(randomness).decode()[:17]


def role_id(randomness: bytes) -> str:
    """Return AROA and 17 characters of A-Z2-7, of ROLE_ID_RANDOM_BYTES random bytes."""
    _expect(randomness, ROLE_ID_RANDOM_BYTES)
    return ROLE_ID_PREFIX + base64.b32encode(randomness).decode()[:17]


def policy_id(randomness: bytes) -> str:
    """Return ANPA and 17 characters of A-Z2-7, of POLICY_ID_RANDOM_BYTES random bytes."""
    _expect(randomness, POLICY_ID_RANDOM_BYTES)
    return POLICY_ID_PREFIX + base64.b32encode(randomness).decode()[:17]


def access_key_id(randomness: bytes) -> str:
    """Return AKIA and 16 characters of A-Z2-7, of ACCESS_KEY_ID_RANDOM_BYTES random bytes."""
    _expect(randomness, ACCESS_KEY_ID_RANDOM_BYTES)
    return ACCESS_KEY_ID_PREFIX + base64.b32encode(randomness).decode()


def temporary_access_key_id(account: AccountId, randomness: bytes) -> str:
    """Return ASIA and 16 characters of A-Z2-7 that hold the account where AWS's ids hold it.

    80 bits: a one, 40 bits of account, 39 of the TEMPORARY_ACCESS_KEY_ID_RANDOM_BYTES random bytes. That is
    too few to tell sessions apart for ever; what makes a session's key its own is its token.
    """
    _expect(randomness, TEMPORARY_ACCESS_KEY_ID_RANDOM_BYTES)
    number = 1 << 79 | int(account) << _ACCOUNT_SHIFT | int.from_bytes(randomness) >> 1
    return TEMPORARY_ACCESS_KEY_ID_PREFIX + base64.b32encode(number.to_bytes(10)).decode()


def account_of_temporary(key_id: str) -> AccountId | None:
    """Return the account that stands in a temporary access key's id; None when it is not such an id."""
    if _TEMPORARY.fullmatch(key_id) is None:
        return None
    number = int.from_bytes(base64.b32decode(key_id[len(TEMPORARY_ACCESS_KEY_ID_PREFIX) :]))
    account = number >> _ACCOUNT_SHIFT & _ACCOUNT_MASK
    return AccountId(f"{account:012}") if number >> 79 and account < 10**12 else None


def secret_access_key(randomness: bytes) -> str:
    """Return 40 characters of the base64 alphabet, of SECRET_ACCESS_KEY_RANDOM_BYTES random bytes.

    Unbiased: 30 bytes are 40 times 6 bits.
    """
    _expect(randomness, SECRET_ACCESS_KEY_RANDOM_BYTES)
    return base64.b64encode(randomness).decode()


def _expect(randomness: bytes, size: int) -> None:
    if len(randomness) != size:
        raise ValueError(f"{size} random bytes are needed, not {len(randomness)}")
