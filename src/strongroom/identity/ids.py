"""Ids and secrets that IAM gives out. Source: fact sheet iam section 11.

Every function takes the randomness it needs, so that the result follows from its argument alone.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from strongroom.names import AccountId

USER_ID_PREFIX: Final = "AIDA"
GROUP_ID_PREFIX: Final = "AGPA"
ROLE_ID_PREFIX: Final = "AROA"
POLICY_ID_PREFIX: Final = "ANPA"
ACCESS_KEY_ID_PREFIX: Final = "AKIA"
SECRET_ACCESS_KEY_LENGTH: Final = 40

USER_ID_RANDOM_BYTES: Final = 11
GROUP_ID_RANDOM_BYTES: Final = 11
ROLE_ID_RANDOM_BYTES: Final = 11
POLICY_ID_RANDOM_BYTES: Final = 11
ACCESS_KEY_ID_RANDOM_BYTES: Final = 10
SECRET_ACCESS_KEY_RANDOM_BYTES: Final = 30

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


def secret_access_key(randomness: bytes) -> str:
    """Return 40 characters of the base64 alphabet, of SECRET_ACCESS_KEY_RANDOM_BYTES random bytes.

    Unbiased: 30 bytes are 40 times 6 bits.
    """
    _expect(randomness, SECRET_ACCESS_KEY_RANDOM_BYTES)
    return base64.b64encode(randomness).decode()


def _expect(randomness: bytes, size: int) -> None:
    if len(randomness) != size:
        raise ValueError(f"{size} random bytes are needed, not {len(randomness)}")
