"""Random passwords, as GetRandomPassword makes them. Source: fact sheet secretsmanager section 6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.errors import InvalidParameterException

UPPERCASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWERCASE = "abcdefghijklmnopqrstuvwxyz"
NUMBERS = "0123456789"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
SPACE = " "

DEFAULT_LENGTH = 32
MIN_LENGTH = 1
MAX_LENGTH = 4096

PASSWORD_TOO_SHORT = "Password length is too short based on the required types."
PASSWORD_TOO_LONG = f"Password length must be between {MIN_LENGTH} and {MAX_LENGTH}."
EVERYTHING_EXCLUDED = "The password can't be generated because every character is excluded."

PLAIN_DRAWS = 16
"""Attempts before counting. A default password takes 1.04 on average."""

Below = Callable[[int], int]
"""Returns an unbiased integer in [0, bound): `Entropy.below`."""


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a password is made of.

    `types` are the character types that may appear, disjoint and none of them empty; with `each_type` every
    one of them appears at least once. The space is a type of its own once it is included.
    """

    length: int
    types: tuple[str, ...]
    each_type: bool


def password_rules(
    *,
    length: int = DEFAULT_LENGTH,
    exclude_characters: str = "",
    exclude_numbers: bool = False,
    exclude_punctuation: bool = False,
    exclude_uppercase: bool = False,
    exclude_lowercase: bool = False,
    include_space: bool = False,
    require_each_included_type: bool = True,
) -> PasswordRules:
    """Return rules that some password fulfils. A type whose characters are all excluded is no type any more.

    Raises:
        InvalidParameterException: the length is not 1 to 4096; nothing is left to choose from; or the
            length is smaller than the number of types that must appear.
    """
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise InvalidParameterException(PASSWORD_TOO_LONG)
    included = (
        (UPPERCASE, not exclude_uppercase),
        (LOWERCASE, not exclude_lowercase),
        (NUMBERS, not exclude_numbers),
        (PUNCTUATION, not exclude_punctuation),
        (SPACE, include_space),
    )
    excluded = frozenset(exclude_characters)
    left = ("".join(c for c in type_ if c not in excluded) for type_, wanted in included if wanted)
    types = tuple(type_ for type_ in left if type_)
    if not types:
        raise InvalidParameterException(EVERYTHING_EXCLUDED)
    if require_each_included_type and length < len(types):
        raise InvalidParameterException(PASSWORD_TOO_SHORT)
    return PasswordRules(length, types, require_each_included_type)


def random_password(rules: PasswordRules, below: Below) -> str:
    """Return a password drawn uniformly from all those that fulfil `rules`, given an unbiased `below`.

    Putting one character of each type in and filling up would favour passwords rich in small types. So a
    plain draw from the whole alphabet is kept if it fulfils the rules; those kept are uniform over the
    valid ones. Draws that keep failing (short passwords, types of few characters) end after PLAIN_DRAWS in
    `counted_password`, which is uniform too and bounded; which of the two ends the search does not depend
    on the password it yields, so the whole is uniform.
    """
    if not rules.each_type:
        return _plain_password(rules, below)
    for _ in range(PLAIN_DRAWS):
        password = _plain_password(rules, below)
        if all(not set(type_).isdisjoint(password) for type_ in rules.types):
            return password
    return counted_password(rules, below)


def counted_password(rules: PasswordRules, below: Below) -> str:
    """Return a password drawn uniformly from all with at least one character of each type, without retries.

    Every character is drawn with a probability in proportion to the number of valid passwords that go on
    from it. The product of these fractions along any valid password is 1 / (number of valid passwords).
    """
    missing = rules.types
    drawn: list[str] = []
    while missing:
        character, missing = _draw(rules, missing, rules.length - len(drawn), below)
        drawn.append(character)
    return "".join(drawn) + _plain_text("".join(rules.types), rules.length - len(drawn), below)


def _plain_password(rules: PasswordRules, below: Below) -> str:
    return _plain_text("".join(rules.types), rules.length, below)


def _plain_text(alphabet: str, length: int, below: Below) -> str:
    size = len(alphabet)
    return "".join([alphabet[below(size)] for _ in range(length)])


def count_passwords(alphabet_size: int, length: int, required_sizes: tuple[int, ...]) -> int:
    """Return how many texts of `length` have at least one character of each required type.

    The types are disjoint parts of the alphabet. Inclusion and exclusion: those with a type are all there
    are, less those written in the alphabet without it.
    """
    if not required_sizes:
        return int(alphabet_size**length)
    first, rest = required_sizes[0], required_sizes[1:]
    return count_passwords(alphabet_size, length, rest) - count_passwords(alphabet_size - first, length, rest)


def _draw(
    rules: PasswordRules, missing: tuple[str, ...], length: int, below: Below
) -> tuple[str, tuple[str, ...]]:
    """Return the first of `length` characters, and the types still missing behind it."""
    size = sum(map(len, rules.types))
    branches = []
    for type_ in rules.types:
        after = tuple(each for each in missing if each != type_)
        branches.append((type_, after, count_passwords(size, length - 1, tuple(map(len, after)))))
    # INVARIANT: the sum is count_passwords(size, length, missing), which is above zero.
    chosen = below(sum(len(type_) * ways for type_, _, ways in branches))
    for type_, after, ways in branches:
        span = len(type_) * ways
        if chosen < span:
            return type_[chosen // ways], after
        chosen -= span
    raise AssertionError("a draw beyond its bound")
