"""New passwords by the settings of a rotation, and the names of alternating users."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.rotators.passwords import new_password
from strongroom.rotators.usernames import UserNames
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.material import PasswordPolicy
from support.entropies import SeededEntropy

POLICY = PasswordPolicy(length=20, exclude_characters="/@")


def test_the_policy_of_the_target_holds_where_the_settings_say_nothing() -> None:
    password = new_password({}, POLICY, SeededEntropy(1))
    assert len(password) == 20
    assert not set("/@") & set(password)


def test_the_settings_come_before_the_policy() -> None:
    settings = {"PASSWORD_LENGTH": "200", "EXCLUDE_CHARACTERS": "abc", "EXCLUDE_NUMBERS": "True"}
    password = new_password(settings, POLICY, SeededEntropy(1))
    assert len(password) == 200
    assert not set("abc0123456789") & set(password)
    assert set("/@") & set(password)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"PASSWORD_LENGTH": "long"}, "the setting PASSWORD_LENGTH of the rotation must be a number"),
        (
            {"PASSWORD_LENGTH": "3"},
            "the password settings of the rotation: Password length is too short based on the required types.",
        ),
        (
            {"PASSWORD_LENGTH": "0"},
            "the password settings of the rotation: Password length must be between 1 and 4096.",
        ),
    ],
)
def test_settings_that_no_password_fulfils_are_a_limit(settings: dict[str, str], message: str) -> None:
    with pytest.raises(RotationFault) as caught:
        new_password(settings, POLICY, SeededEntropy(1))
    assert (caught.value.kind, caught.value.message) == (FaultKind.LIMIT, message)


ONLY_A = {
    "EXCLUDE_UPPERCASE": "true",
    "EXCLUDE_NUMBERS": "true",
    "EXCLUDE_PUNCTUATION": "true",
    "EXCLUDE_CHARACTERS": "bcdefghijklmnopqrstuvwxyz",
}
TOO_FEW = (
    "the password settings of the rotation leave too few passwords to choose from: allow more characters, or a "
    "greater PASSWORD_LENGTH"
)


@pytest.mark.parametrize(
    "settings",
    [
        ONLY_A,
        {**ONLY_A, "PASSWORD_LENGTH": "4096"},
        {**ONLY_A, "EXCLUDE_UPPERCASE": "false", "PASSWORD_LENGTH": "8"},
        {"PASSWORD_LENGTH": "6"},
    ],
)  # fmt: skip
def test_who_may_only_tag_cannot_come_to_know_the_password(settings: dict[str, str]) -> None:
    with pytest.raises(RotationFault) as caught:
        new_password(settings, POLICY, SeededEntropy(1))
    assert (caught.value.kind, caught.value.message) == (FaultKind.LIMIT, TOO_FEW)


def test_eight_letters_and_digits_are_enough() -> None:
    settings = {"PASSWORD_LENGTH": "8", "EXCLUDE_PUNCTUATION": "true"}
    assert len(new_password(settings, POLICY, SeededEntropy(1))) == 8


NAMES = UserNames(limit=16)


@given(st.text(min_size=1, max_size=10))
def test_the_other_of_the_other_is_the_user_itself(user: str) -> None:
    if len(user.encode()) > 10 or user.endswith("_clone"):
        return
    assert NAMES.other(NAMES.other(user)) == user


def test_a_name_that_fits_exactly_can_be_cloned_and_one_more_cannot() -> None:
    assert NAMES.other("a" * 10) == "a" * 10 + "_clone"
    with pytest.raises(RotationFault) as caught:
        NAMES.other("a" * 11)
    assert caught.value.kind is FaultKind.LIMIT
    assert caught.value.message == (
        "the user name is too long to be cloned: with _clone it would exceed the 16 characters the target takes"
    )


def test_a_name_that_is_nothing_but_the_suffix_has_no_counterpart() -> None:
    with pytest.raises(RotationFault) as caught:
        NAMES.other("_clone")
    assert caught.value.message == "username in the secret JSON is nothing but _clone"
