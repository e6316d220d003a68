"""Random passwords: what they hold, what is refused, and that no valid one is likelier than another."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import InvalidParameterException
from strongroom.secret.passwords import (
    LOWERCASE,
    NUMBERS,
    PUNCTUATION,
    UPPERCASE,
    PasswordRules,
    count_passwords,
    counted_password,
    password_rules,
    random_password,
)

TYPES = (UPPERCASE, LOWERCASE, NUMBERS, PUNCTUATION)


def below(seed: int = 0) -> random.Random:
    return random.Random(seed)


def refused(message: str, **parameters: object) -> None:
    with pytest.raises(InvalidParameterException) as caught:
        password_rules(**parameters)  # type: ignore[arg-type]  # parameters by name, as the request has them
    assert caught.value.message == message


def distribution(rules: PasswordRules) -> dict[str, Fraction]:
    """Return the exact probability of every password, by walking every sequence of draws."""
    chances: dict[str, Fraction] = Counter()  # type: ignore[assignment]  # counts fractions
    open_paths: list[tuple[list[int], Fraction]] = [([], Fraction(1))]
    while open_paths:
        path, chance = open_paths.pop()
        depth = itertools.count()
        bound_wanted: list[int] = []

        def scripted(
            bound: int,
            path: list[int] = path,
            depth: itertools.count[int] = depth,
            wanted: list[int] = bound_wanted,
        ) -> int:
            step = next(depth)
            if step < len(path):
                return path[step]
            if not wanted:
                wanted.append(bound)
            return 0

        password = counted_password(rules, scripted)
        if bound_wanted:
            bound = bound_wanted[0]
            open_paths.extend(([*path, draw], chance / bound) for draw in range(bound))
        else:
            chances[password] += chance
    return chances


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(PasswordRules(3, ("AB", "a"), True), id="two types"),
        pytest.param(PasswordRules(3, ("AB", "a", "1"), True), id="as long as its types"),
        pytest.param(PasswordRules(1, ("ABC",), True), id="one type"),
    ],
)
def test_every_valid_password_is_exactly_as_likely_as_any_other(rules: PasswordRules) -> None:
    alphabet = "".join(rules.types)
    valid = {
        "".join(text)
        for text in itertools.product(alphabet, repeat=rules.length)
        if all(set(type_) & set(text) for type_ in rules.types)
    }
    assert distribution(rules) == {text: Fraction(1, len(valid)) for text in valid}


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 4), st.integers(0, 2))
def test_counting_agrees_with_enumeration(sizes: list[int], length: int, others: int) -> None:
    letters = iter("abcdefghijklmnop")
    types = ["".join(itertools.islice(letters, size)) for size in sizes]
    alphabet = "".join(types) + "".join(itertools.islice(letters, others))
    texts = itertools.product(alphabet, repeat=length)
    expected = sum(all(set(type_) & set(text) for type_ in types) for text in texts)
    assert count_passwords(len(alphabet), length, tuple(sizes)) == expected


def test_the_default_is_32_characters_of_all_four_types_without_space() -> None:
    for seed in range(50):
        password = random_password(password_rules(), below(seed).randrange)
        assert len(password) == 32
        assert all(set(type_) & set(password) for type_ in TYPES)
        assert set(password) <= set("".join(TYPES))


def test_the_shortest_password_of_all_types_holds_one_of_each() -> None:
    rules = password_rules(length=5, include_space=True)
    for seed in range(50):
        password = random_password(rules, below(seed).randrange)
        assert len(password) == 5
        assert all(set(type_) & set(password) for type_ in (*TYPES, " "))


def test_plain_draws_that_keep_failing_end_in_a_valid_password() -> None:
    rules = password_rules(length=4)
    draws = itertools.count()
    password = random_password(rules, lambda bound: 0 if next(draws) < 64 else bound - 1)
    assert sorted(bool(set(type_) & set(password)) for type_ in TYPES) == [True] * 4
    assert len(password) == 4


def test_without_the_requirement_every_character_is_a_plain_draw() -> None:
    rules = password_rules(length=1, require_each_included_type=False)
    alphabet = "".join(TYPES)
    assert [random_password(rules, lambda _, n=n: n) for n in range(94)] == list(alphabet)  # type: ignore[misc]  # a default binds the loop's value


@pytest.mark.parametrize(
    ("switch", "type_"),
    [
        ("exclude_uppercase", UPPERCASE),
        ("exclude_lowercase", LOWERCASE),
        ("exclude_numbers", NUMBERS),
        ("exclude_punctuation", PUNCTUATION),
    ],
)
def test_an_excluded_type_does_not_appear(switch: str, type_: str) -> None:
    rules = password_rules(length=500, **{switch: True})  # type: ignore[arg-type]  # one switch by name
    assert not set(type_) & set(random_password(rules, below().randrange))


def test_excluded_characters_do_not_appear() -> None:
    password = random_password(
        password_rules(length=4096, exclude_characters="xyzDje@?!."), below().randrange
    )
    assert len(password) == 4096
    assert not set("xyzDje@?!.") & set(password)


def test_excluding_all_characters_of_a_type_removes_the_type() -> None:
    rules = password_rules(length=3, exclude_characters=NUMBERS)
    assert rules.types == (UPPERCASE, LOWERCASE, PUNCTUATION)


def test_a_password_too_short_for_its_types_is_refused() -> None:
    message = "Password length is too short based on the required types."
    refused(message, length=3)
    refused(message, length=4, include_space=True)
    assert password_rules(length=3, require_each_included_type=False).length == 3
    assert password_rules(length=3, exclude_numbers=True).length == 3


def test_nothing_left_to_choose_from_is_refused() -> None:
    message = "The password can't be generated because every character is excluded."
    refused(message, exclude_characters="".join(TYPES))
    refused(
        message,
        exclude_uppercase=True,
        exclude_lowercase=True,
        exclude_numbers=True,
        exclude_punctuation=True,
    )


@pytest.mark.parametrize("length", [0, -1, 4097])
def test_a_length_out_of_range_is_refused(length: int) -> None:
    refused("Password length must be between 1 and 4096.", length=length)
