"""The verifier that PostgreSQL keeps: the published example, what libpq makes, and which passwords count."""

from __future__ import annotations

from base64 import b64decode

import psycopg
import pytest

from strongroom.rotators.scram import is_prepared, scram_verifier


def test_the_example_of_rfc_7677() -> None:
    verifier = scram_verifier("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    assert verifier == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


@pytest.mark.parametrize("password", ["pencil", " a b ", "~!#$%^&*()_+`-={}[]|;<>?,.", "x" * 128])
def test_it_is_what_libpq_makes_with_the_same_salt(password: str) -> None:
    # Without a connection libpq takes the default number of iterations, and a salt of its own.
    made = psycopg.pq.PGconn.connect_start(b"").encrypt_password(password.encode(), b"user", b"scram-sha-256")
    head, _, keys = made.decode().removeprefix("SCRAM-SHA-256$").partition("$")
    iterations, salt = head.split(":")
    assert scram_verifier(password, b64decode(salt), int(iterations)) == f"SCRAM-SHA-256${head}${keys}"


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("pencil", True),
        ("with space", True),
        ("", False),
        ("tab\t", False),
        ("ümlaut", False),
        ("a\xa0b", False),
    ],
)
def test_which_passwords_preparing_leaves_as_they_are(password: str, prepared: bool) -> None:
    assert is_prepared(password) is prepared
