"""What a session token says: encoded and decoded, bounded, and silent about its secret."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import IntegrityError
from strongroom.identity.principal import PrincipalType
from strongroom.identity.sessions import Given, Session, decode_session, encode_session
from strongroom.names import AccountId, Arn

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
CANARY = "canary-of-a-secret-access-key"


def a_session(**members: Any) -> Session:
    usual: dict[str, Any] = {
        "access_key_id": "ASIAEXAMPLEEXAMPLE00",
        "secret_access_key": CANARY,
        "account_id": AccountId("111122223333"),
        "type": PrincipalType.ASSUMED_ROLE,
        "issued_at": NOON,
        "expires_at": NOON + dt.timedelta(hours=1),
        "name": "run",
        "role_id": "AROAEXAMPLE",
    }
    return Session(**{**usual, **members})


GIVEN = st.builds(
    Given,
    policies=st.lists(st.text(max_size=60), max_size=1).map(tuple),
    policy_arns=st.lists(st.text(max_size=30).map(Arn), max_size=3).map(tuple),
    tags=st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=5),
    transitive_tag_keys=st.lists(st.text(max_size=12), max_size=3).map(tuple),
)


@given(GIVEN, st.sampled_from(list(PrincipalType)), st.none() | st.text(max_size=20))
def test_decoding_is_the_inverse_of_encoding(
    handed: Given, kind: PrincipalType, source_identity: str | None
) -> None:
    session = a_session(given=handed, type=kind, source_identity=source_identity)
    assert decode_session(encode_session(session)) == session


def test_nothing_given_takes_no_room() -> None:
    assert Given().packed() == b""
    assert len(Given(tags={"a": "b"}).packed()) > 0


def test_what_callers_choose_does_not_change_how_the_rest_is_written() -> None:
    plain = encode_session(a_session())
    repeating = encode_session(a_session(given=Given(policies=(CANARY,))))
    # The secret is not compressed together with a policy that repeats it.
    assert repeating.count(CANARY.encode()) == 1
    assert repeating[: len(plain) - 2] == plain[:-2]


@pytest.mark.parametrize("plaintext", [b"", b"\x93", encode_session(a_session())[:-3], b"\x92\x80\xc4\x00"])
def test_anything_else_is_damage_and_the_message_repeats_none_of_it(plaintext: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        decode_session(plaintext)
    assert str(caught.value) == "a session token does not decode"
    assert caught.value.__cause__ is None


def test_the_text_form_does_not_show_the_secret() -> None:
    assert repr(a_session()) == "<Session ASIAEXAMPLEEXAMPLE00>"
