"""Passwords: kept as Argon2id hashes, and measured by the account's policy."""

from __future__ import annotations

import pytest

from strongroom.identity.passwords import hash_password, is_password, violation
from strongroom.identity.records import PasswordPolicy

NOT_CONFORMING = "Password does not conform to the account password policy."


def test_a_hash_knows_its_password_alone() -> None:
    hashed = hash_password("Canary-0001 \xe9", b"s" * 16)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "anary" not in hashed
    assert is_password(hashed, "Canary-0001 \xe9")
    assert not is_password(hashed, "Canary-0001 e")
    assert not is_password(hashed, "")
    assert hash_password("Canary-0001 \xe9", b"t" * 16) != hashed


@pytest.mark.parametrize(
    ("password", "policy", "expected"),
    [
        ("Abcdefg1", None, None),
        ("abcdef1!", None, None),
        ("Abcdef1", None, NOT_CONFORMING),
        ("abcdefg1", None, NOT_CONFORMING),
        ("ABCDEFG!", None, NOT_CONFORMING),
        ("\xe9\xe8\xe0\xe7\xf1\xfc\xd6\xd8", None, NOT_CONFORMING),
        ("abcdef", PasswordPolicy(), None),
        ("abcde", PasswordPolicy(), "Password should have a minimum length of 6"),
        ("a" * 13, PasswordPolicy(minimum_length=14), "Password should have a minimum length of 14"),
        (
            "abcdef",
            PasswordPolicy(require_uppercase=True),
            "Password should have at least one uppercase letter",
        ),
        (
            "ABCDEF\xe9",
            PasswordPolicy(require_lowercase=True),
            "Password should have at least one lowercase letter",
        ),
        ("abcdef", PasswordPolicy(require_numbers=True), "Password should have at least one number"),
        ("abcdef ", PasswordPolicy(require_symbols=True), "Password should have at least one symbol"),
        (
            "aB1!xx",
            PasswordPolicy(
                require_uppercase=True, require_lowercase=True, require_numbers=True, require_symbols=True
            ),
            None,
        ),
    ],
)
def test_what_a_policy_has_against_a_password(
    password: str, policy: PasswordPolicy | None, expected: str | None
) -> None:
    assert violation(password, policy) == expected
