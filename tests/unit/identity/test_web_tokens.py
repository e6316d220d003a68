"""Tokens of identity providers: good ones of every algorithm, and every known way to forge or misuse one."""

from __future__ import annotations

import datetime as dt
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import (
    ExpiredWebIdentityTokenException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
    ServiceError,
)
from strongroom.identity.web_tokens import WebIdentity, parse_web_token, verify_web_token
from support.web_issuer import (
    AUDIENCE,
    ISSUER,
    claims,
    ec_jwk,
    ec_key,
    encoded,
    key_set,
    rsa_jwk,
    rsa_key,
    sign,
)

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
SECOND = int(NOON.timestamp())
NOT_A_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
WRONG_SIGNATURE = "The signature of the provided token is not valid"
WRONG_ALGORITHM = "The provided token must be signed with RS256, RS384, RS512, ES256, ES384 or ES512"
KEYS = key_set(rsa_jwk(rsa_key()), ec_jwk(ec_key()))


def verified(token: str, keys: Any = KEYS, *, now: dt.datetime = NOON, **members: Any) -> WebIdentity:
    usual: dict[str, Any] = {"issuer": f"https://{ISSUER}", "client_ids": (AUDIENCE, "other")}
    text = keys if isinstance(keys, str) else json.dumps(keys)
    return verify_web_token(token, text, now=now, **{**usual, **members})


def refusal(token: str, keys: Any = KEYS, **how: Any) -> tuple[type[ServiceError], str]:
    with pytest.raises(ServiceError) as caught:
        verified(token, keys, **how)
    # Nothing of a token is ever repeated by what is logged of an error.
    assert caught.value.__cause__ is None
    return type(caught.value), caught.value.message


@pytest.mark.parametrize(
    ("alg", "key", "jwk"),
    [
        *[(f"RS{size}", rsa_key(), rsa_jwk(rsa_key(), "k")) for size in (256, 384, 512)],
        *[
            (f"ES{size}", ec_key(curve=curve), ec_jwk(ec_key(curve=curve), "k"))
            for size, curve in ((256, "P-256"), (384, "P-384"), (512, "P-521"))
        ],
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tokens_of_every_allowed_algorithm(alg: str, key: Any, jwk: dict[str, Any]) -> None:
    found = verified(sign(claims(NOON), key, alg=alg, kid="k"), key_set(jwk))
    assert (found.issuer, found.subject, found.audience) == (
        f"https://{ISSUER}",
        "system:serviceaccount:shop:web",
        (AUDIENCE,),
    )


def test_the_key_is_found_by_its_id_among_others() -> None:
    keys = key_set(
        rsa_jwk(rsa_key("second"), "old"), {"kty": "oct", "k": "AAAA", "kid": "rsa-1"}, *KEYS["keys"]
    )
    assert verified(sign(claims(NOON)), keys).subject == "system:serviceaccount:shop:web"


def test_without_a_key_id_there_must_be_one_key_only() -> None:
    token = sign(claims(NOON), kid=None)
    assert verified(token, key_set(rsa_jwk(rsa_key(), None))).audience == (AUDIENCE,)
    assert refusal(token, key_set(rsa_jwk(rsa_key(), "a"), rsa_jwk(rsa_key("second"), "b"))) == (
        InvalidIdentityTokenException,
        NO_KEY,
    )


def public_key_as_secret(text: str) -> bytes:
    pem = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac.digest(pem, text.encode(), "sha256")


def unsigned(header: dict[str, Any], signature: Callable[[str], bytes] = lambda _: b"\0") -> str:
    text = f"{encoded(header)}.{encoded(claims(NOON))}"
    return f"{text}.{encoded(signature(text))}"


def spoiled(part: int, token: str | None = None) -> str:
    pieces = (token or sign(claims(NOON))).split(".")
    pieces[part] = pieces[part][:-6] + "AAAAAA"
    return ".".join(pieces)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(unsigned({"alg": "none", "kid": "rsa-1"}), WRONG_ALGORITHM, id="alg none"),
        pytest.param(unsigned({"alg": "None"}), WRONG_ALGORITHM, id="alg None"),
        pytest.param(unsigned({"alg": "none"})[:-2], NOT_A_JWT, id="no signature"),
        pytest.param(
            unsigned({"alg": "HS256", "kid": "rsa-1"}, public_key_as_secret),
            WRONG_ALGORITHM,
            id="the public key as a secret",
        ),
        pytest.param(unsigned({"alg": "PS256", "kid": "rsa-1"}), WRONG_ALGORITHM, id="PS256"),
        pytest.param(unsigned({"alg": "EdDSA", "kid": "rsa-1"}), WRONG_ALGORITHM, id="EdDSA"),
        pytest.param(sign(claims(NOON), kid="unknown"), NO_KEY, id="unknown key"),
        pytest.param(sign(claims(NOON), kid="ec-1"), NO_KEY, id="a key of another type"),
        pytest.param(sign(claims(NOON), rsa_key("second")), WRONG_SIGNATURE, id="another's key"),
        pytest.param(
            sign(claims(NOON), rsa_key("second"), jwk=rsa_jwk(rsa_key("second"))),
            WRONG_SIGNATURE,
            id="brings its own key",
        ),
        pytest.param(
            sign(claims(NOON), rsa_key("second"), jku="https://evil.example.com/keys"),
            WRONG_SIGNATURE,
            id="names where its key is",
        ),
        pytest.param(
            sign(claims(NOON), ec_key("second"), alg="ES256", kid="ec-1"),
            WRONG_SIGNATURE,
            id="another EC key",
        ),
        pytest.param(sign(claims(NOON), crit=["exp"]), NOT_A_JWT, id="critical extension"),
        pytest.param(sign(claims(NOON), b64=False), NOT_A_JWT, id="payload not encoded"),
        pytest.param(spoiled(2), WRONG_SIGNATURE, id="signature changed"),
        pytest.param(
            unsigned({"alg": "ES256", "kid": "ec-1"}, lambda _: bytes(64)), WRONG_SIGNATURE, id="zero ECDSA"
        ),
        pytest.param(sign(claims(NOON, iss="https://evil.example.com")), NOT_A_JWT, id="another issuer"),
        pytest.param(sign(claims(NOON, iss=f"https://{ISSUER}/")), NOT_A_JWT, id="issuer with a slash"),
        pytest.param(sign(claims(NOON, iss=f"http://{ISSUER}")), NOT_A_JWT, id="issuer without TLS"),
        pytest.param(sign(claims(NOON, iss=None)), NOT_A_JWT, id="no issuer"),
        pytest.param(sign(claims(NOON, iss=["https://a"])), NOT_A_JWT, id="a list of issuers"),
        pytest.param(sign(claims(NOON), kid=7), NOT_A_JWT, id="key id a number"),  # type: ignore[arg-type]
        pytest.param(sign(b"[]"), NOT_A_JWT, id="claims a list"),
        pytest.param(sign(b"\xff"), NOT_A_JWT, id="claims not JSON"),
        pytest.param(sign(claims(NOON)) + ".x", NOT_A_JWT, id="four parts"),
        pytest.param("AQIC-an-access-token", NOT_A_JWT, id="an access token"),
        pytest.param("a.b.c", NOT_A_JWT, id="three letters"),
        pytest.param("...", NOT_A_JWT, id="dots"),
    ],
)
def test_forged_and_malformed_tokens(token: str, message: str) -> None:
    assert refusal(token) == (InvalidIdentityTokenException, message)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("", id="nothing"),
        pytest.param("[]", id="a list"),
        pytest.param({"keys": 3}, id="a number of keys"),
        pytest.param({"keys": [3, None, {}]}, id="no keys"),
        pytest.param(key_set({**rsa_jwk(rsa_key()), "n": "!"}), id="modulus not base64"),
        pytest.param(key_set({**rsa_jwk(rsa_key()), "n": 7}), id="modulus a number"),
        pytest.param(key_set(rsa_jwk(rsa_key(), use="enc")), id="for encryption"),
        pytest.param(key_set(rsa_jwk(rsa_key(), alg="RS512")), id="for another algorithm"),
    ],
)
def test_key_sets_without_a_fitting_key(keys: Any) -> None:
    assert refusal(sign(claims(NOON)), keys) == (InvalidIdentityTokenException, NO_KEY)


def test_a_short_rsa_key_is_no_key() -> None:
    short = rsa_key("short", 1024)
    assert refusal(sign(claims(NOON), short), key_set(rsa_jwk(short))) == (
        InvalidIdentityTokenException,
        NO_KEY,
    )


@pytest.mark.parametrize(
    ("members", "client_ids", "good"),
    [
        ({}, (AUDIENCE,), True),
        ({"aud": ["a", AUDIENCE]}, (AUDIENCE,), True),
        ({"aud": "app", "azp": AUDIENCE}, (AUDIENCE,), True),
        ({"aud": AUDIENCE, "azp": "app"}, (AUDIENCE,), True),
        ({}, (), False),
        ({}, ("sts.amazonaws.com.evil.example.com",), False),
        ({"aud": AUDIENCE.upper()}, (AUDIENCE,), False),
        ({"aud": None}, (AUDIENCE,), False),
        ({"aud": []}, (AUDIENCE,), False),
        ({"aud": [AUDIENCE, 7]}, (AUDIENCE,), False),
        ({"aud": {AUDIENCE: 1}}, (AUDIENCE,), False),
    ],
)
def test_audiences(members: dict[str, Any], client_ids: tuple[str, ...], good: bool) -> None:
    token = sign(claims(NOON, **members))
    if good:
        assert verified(token, client_ids=client_ids).subject == "system:serviceaccount:shop:web"
    else:
        assert refusal(token, client_ids=client_ids) == (
            InvalidIdentityTokenException,
            "Incorrect token audience",
        )


@pytest.mark.parametrize("late", [0, 1, 10**6])
def test_an_expired_token_says_both_times(late: int) -> None:
    token = sign(claims(NOON))
    now = NOON + dt.timedelta(seconds=600 + late)
    assert refusal(token, now=now) == (
        ExpiredWebIdentityTokenException,
        f"Token expired: current date/time {SECOND + 600 + late} must be before the expiration date/time "
        f"{SECOND + 600}",
    )
    assert verified(token, now=NOON + dt.timedelta(seconds=599)).audience == (AUDIENCE,)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"exp": None}, id="no exp"),
        pytest.param({"iat": None}, id="no iat"),
        pytest.param({"exp": True}, id="exp a truth value"),
        pytest.param({"exp": str(SECOND + 600)}, id="exp a text"),
        pytest.param({"exp": 10**40}, id="exp beyond the calendar"),
        pytest.param({"exp": 1e300}, id="exp a huge float"),
        pytest.param({"iat": -1}, id="iat before 1970"),
        pytest.param({"iat": [SECOND]}, id="iat a list"),
    ],
)
def test_times_that_are_absent_or_out_of_bounds(members: dict[str, Any]) -> None:
    assert refusal(sign(claims(NOON, **members))) == (
        IDPRejectedClaimException,
        "The provided token must have the claims exp and iat, as numbers of seconds",
    )


@pytest.mark.parametrize(
    ("members", "good"),
    [
        ({"iat": SECOND + 60}, True),
        ({"iat": SECOND + 61}, False),
        ({"nbf": SECOND + 60}, True),
        ({"nbf": SECOND + 61}, False),
        ({"nbf": "soon"}, False),
        ({"nbf": SECOND - 5, "iat": SECOND + 600}, False),
        ({"exp": SECOND + 0.5}, True),
    ],
)
def test_tokens_from_the_future(members: dict[str, Any], good: bool) -> None:
    token = sign(claims(NOON, **members))
    if good:
        assert verified(token).subject
    else:
        assert refusal(token) == (IDPRejectedClaimException, "The provided token is not valid yet")


@pytest.mark.parametrize("subject", [None, "", 7, ["x"]])
def test_a_token_needs_a_subject(subject: Any) -> None:
    assert refusal(sign(claims(NOON, sub=subject))) == (
        IDPRejectedClaimException,
        "The provided token has no sub claim",
    )


TOKEN = sign(claims(NOON))


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AQgw_-.x"))
def test_no_changed_token_is_taken_for_another(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    try:
        found = verified(changed)
    except ServiceError:
        return
    # The last letter of the signature has bits that mean nothing.
    assert found == verified(TOKEN)
    assert changed == TOKEN or place == len(TOKEN) - 1


@given(st.text(max_size=200))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidIdentityTokenException):
        parse_web_token(text)


def test_a_signature_is_tried_with_a_few_keys_of_its_id_only() -> None:
    token, right = sign(claims(NOON)), rsa_jwk(rsa_key())
    others = [ec_jwk(ec_key(), "rsa-1"), *[rsa_jwk(rsa_key("second"), "rsa-1")] * 3]
    assert verified(token, key_set(*others, right)).audience == (AUDIENCE,)
    others.append(rsa_jwk(rsa_key("second"), "rsa-1"))
    assert refusal(token, key_set(*others, right)) == (InvalidIdentityTokenException, WRONG_SIGNATURE)


@pytest.mark.parametrize(
    ("modulus", "exponent", "taken"),
    [(1024, 8, True), (1025, 3, False), (16_384, 3, False), (256, 9, False), (256, 256, False)],
)
def test_keys_that_take_long_to_verify_by_are_no_keys(modulus: int, exponent: int, taken: bool) -> None:
    jwk = {"kty": "RSA", "kid": "rsa-1", "n": encoded(b"\xff" * modulus), "e": encoded(b"\x7f" * exponent)}
    expected = WRONG_SIGNATURE if taken else NO_KEY
    assert refusal(sign(claims(NOON)), key_set(jwk)) == (InvalidIdentityTokenException, expected)
