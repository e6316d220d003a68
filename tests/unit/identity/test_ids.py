"""Ids follow from their randomness alone and have AWS's form."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.identity import ids
from strongroom.names import AccountId
from support.entropies import SeededEntropy, pattern


@pytest.mark.parametrize(
    ("make", "size", "form"),
    [
        pytest.param(ids.user_id, ids.USER_ID_RANDOM_BYTES, r"AIDA[A-Z2-7]{17}", id="user id"),
        pytest.param(ids.group_id, ids.GROUP_ID_RANDOM_BYTES, r"AGPA[A-Z2-7]{17}", id="group id"),
        pytest.param(ids.role_id, ids.ROLE_ID_RANDOM_BYTES, r"AROA[A-Z2-7]{17}", id="role id"),
        pytest.param(ids.policy_id, ids.POLICY_ID_RANDOM_BYTES, r"ANPA[A-Z2-7]{17}", id="policy id"),
        pytest.param(
            ids.access_key_id, ids.ACCESS_KEY_ID_RANDOM_BYTES, r"AKIA[A-Z2-7]{16}", id="access key id"
        ),
        pytest.param(
            ids.secret_access_key,
            ids.SECRET_ACCESS_KEY_RANDOM_BYTES,
            r"[A-Za-z0-9+/]{40}",
            id="secret access key",
        ),
    ],
)
def test_form_and_randomness(make: Callable[[bytes], str], size: int, form: str) -> None:
    made = [make(pattern(f"randomness {number}", size)) for number in range(200)]
    assert all(re.fullmatch(form, each) for each in made)
    assert len(set(made)) == 200
    assert make(pattern("randomness 0", size)) == made[0]
    # Every random byte matters: a bit flipped in any of them is another id.
    randomness = pattern("randomness 0", size)
    for place in range(size):
        flipped = bytearray(randomness)
        flipped[place] ^= 0x80
        assert make(bytes(flipped)) != made[0]
    for wrong in (b"", randomness + b"x", randomness[:-1]):
        with pytest.raises(ValueError, match=rf"^{size} random bytes are needed, not {len(wrong)}$"):
            make(wrong)


def test_a_secret_access_key_uses_all_64_characters_alike() -> None:
    entropy = SeededEntropy(7)
    counted: Counter[str] = Counter()
    for _ in range(2_000):
        counted.update(ids.secret_access_key(entropy.token_bytes(ids.SECRET_ACCESS_KEY_RANDOM_BYTES)))
    assert len(counted) == 64
    # 80,000 draws, 1,250 of each expected, standard deviation 35.
    assert all(1_050 < count < 1_450 for count in counted.values())


@pytest.mark.parametrize(
    ("drawn", "account_id"), [(0, "100000000000"), (11_122_223_333, "111122223333"), (-1, "999999999999")]
)
def test_an_account_id_has_twelve_digits_and_no_leading_zero(drawn: int, account_id: str) -> None:
    bounds: list[int] = []

    def below(bound: int) -> int:
        bounds.append(bound)
        return drawn % bound

    assert ids.account_id(below) == account_id
    assert bounds == [900_000_000_000]


# --- temporary keys


@given(st.integers(0, 10**12 - 1), st.binary(min_size=5, max_size=5))
def test_a_temporary_keys_id_holds_its_account(number: int, randomness: bytes) -> None:
    account = AccountId(f"{number:012}")
    key_id = ids.temporary_access_key_id(account, randomness)
    assert re.fullmatch("ASIA[Q-Z2-7][A-Z2-7]{15}", key_id)
    assert ids.account_of_temporary(key_id) == account


def test_the_account_stands_where_published_decoders_look_for_it() -> None:
    key_id = ids.temporary_access_key_id(AccountId("581039954779"), bytes(5))
    first = int.from_bytes(base64.b32decode(key_id[4:])[:6])
    assert (first & 0x7FFFFFFFFF80) >> 7 == 581039954779


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "ASIA",
        "AKIAQAAAAAAAAAAAAAAA",
        "ASIAAAAAAAAAAAAAAAAA",
        "ASIA7777777777777777",
        "ASIAQ000000000000000",
    ],
)
def test_other_ids_hold_no_account(key_id: str) -> None:
    assert ids.account_of_temporary(key_id) is None
