"""Signatures: worked vectors, botocore as the signer, and every way to be refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.crypto.aead import KeyedHash
from strongroom.errors import (
    ExpiredTokenException,
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    ServiceError,
    UnrecognizedClientException,
)
from strongroom.wire import sigv4
from strongroom.wire.http import HttpRequest, joined_headers
from strongroom.wire.sigv4 import Credential, SigningKeys, derive_signing_key, verify

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MOMENT = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC)
BODY = b'{"SecretId": "MyTestSecret"}'
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/secretsmanager/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
    "Signature=30dcdb8002abeeaafff0559fae12ec67c965950090ea426661d643972314b2aa"
)
VECTOR_A = {
    "content-type": "application/x-amz-json-1.1",
    "host": "secretsmanager.us-east-1.amazonaws.com",
    "x-amz-date": "20150830T123600Z",
    "x-amz-target": "secretsmanager.GetSecretValue",
    "authorization": AUTHORIZATION,
}


def request(headers: dict[str, str] = VECTOR_A, body: bytes = BODY, **members: Any) -> HttpRequest:
    base = HttpRequest(
        "POST", "/", "", joined_headers(pairs(headers)), body, MOMENT, "id", "127.0.0.1", False
    )
    return msgspec.structs.replace(base, **members)


def pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def credential(access_key_id: str = "AKIDEXAMPLE", **members: Any) -> Credential:
    def signing_key(date: str, region: str, service: str) -> KeyedHash:
        return KeyedHash(derive_signing_key(SECRET, date, region, service))

    return replace(Credential(access_key_id, True, signing_key), **members)


def check(
    sent: HttpRequest,
    known: Credential | None = None,
    *,
    service: str = "secretsmanager",
    now: dt.datetime = MOMENT,
) -> sigv4.VerifiedSignature:
    found = known or credential()
    return verify(
        sent,
        service=service,
        lookup=lambda key, _: found if key == found.access_key_id else None,
        now=now,
    )


def test_vector_a_json_with_a_long_term_key() -> None:
    verified = check(request())
    assert (verified.region, verified.service, verified.by_query) == ("us-east-1", "secretsmanager", False)
    assert verified.credential.access_key_id == "AKIDEXAMPLE"


def test_vector_b_query_with_a_session_token_and_a_port() -> None:
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": "127.0.0.1:8080",
        "x-amz-date": "20150830T123600Z",
        "x-amz-security-token": "TOKENEXAMPLE",
        "authorization": (
            "AWS4-HMAC-SHA256 Credential=ASIDEXAMPLE/20150830/us-east-1/sts/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
            "Signature=a15b4be6e68cea61e1359b01663203a1827e627ad80a0fc11f7892c534b0e762"
        ),
    }
    sent = request(headers, b"Action=GetCallerIdentity&Version=2011-06-15")
    temporary = credential("ASIDEXAMPLE", session_token="TOKENEXAMPLE", expires_at=MOMENT.replace(hour=13))
    assert check(sent, temporary, service="sts").region == "us-east-1"
    for other in (replace(temporary, session_token="ANOTHER"), replace(temporary, session_token=None)):
        with pytest.raises(UnrecognizedClientException) as refusal:
            check(sent, other, service="sts")
        assert refusal.value.message == sigv4.UNKNOWN_TOKEN
    with pytest.raises(ExpiredTokenException) as expired:
        check(sent, replace(temporary, expires_at=MOMENT), service="sts")
    assert expired.value.message == sigv4.EXPIRED_TOKEN


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in VECTOR_A.items() if key != name}


def authorized(old: str, new: str) -> dict[str, str]:
    return {**VECTOR_A, "authorization": AUTHORIZATION.replace(old, new)}


@pytest.mark.parametrize(
    ("headers", "query", "error", "text"),
    [
        pytest.param(
            without("authorization"), "", MissingAuthenticationTokenException, sigv4.NOT_SIGNED, id="none"
        ),
        pytest.param(
            {**VECTOR_A, "authorization": "Bearer x"},
            "",
            MissingAuthenticationTokenException,
            sigv4.NOT_SIGNED,
            id="other scheme",
        ),
        pytest.param(VECTOR_A, "X-Amz-Algorithm=x", InvalidSignatureException, sigv4.BOTH_WAYS, id="both"),
        pytest.param(
            authorized("Signature=", "Sig="),
            "",
            IncompleteSignatureException,
            "Authorization header requires 'Signature' parameter. ",
            id="part missing",
        ),
        pytest.param(
            authorized("Credential=", "Credential"),
            "",
            IncompleteSignatureException,
            "not a valid key=value pair (missing equal-sign)",
            id="no equal sign",
        ),
        pytest.param(
            without("x-amz-date"),
            "",
            IncompleteSignatureException,
            "existence of either a 'X-Amz-Date'",
            id="no date",
        ),
        pytest.param(
            {**VECTOR_A, "x-amz-date": "201"},
            "",
            IncompleteSignatureException,
            "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601",
            id="date format",
        ),
        pytest.param(
            authorized("host;", ""),
            "",
            InvalidSignatureException,
            sigv4.HOST_NOT_SIGNED,
            id="host not signed",
        ),
        pytest.param(
            authorized("SHA256 ", "SHA25 "),
            "",
            IncompleteSignatureException,
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). ",
            id="algorithm",
        ),
        pytest.param(
            authorized("/aws4_request", ""),
            "",
            IncompleteSignatureException,
            "Credential must have exactly 5 slash-delimited elements",
            id="credential shape",
        ),
        pytest.param(
            authorized("us-east-1", "nowhere"),
            "",
            InvalidSignatureException,
            "Credential should be scoped to a valid region, not 'nowhere'.",
            id="region",
        ),
        pytest.param(
            authorized("/secretsmanager/", "/kms/"),
            "",
            InvalidSignatureException,
            "Credential should be scoped to correct service: 'secretsmanager'.",
            id="service",
        ),
        pytest.param(
            authorized("/20150830/", "/20150831/"),
            "",
            InvalidSignatureException,
            "'20150831' != '20150830', from '20150830T123600Z'.",
            id="date of scope",
        ),
        pytest.param(
            authorized("aws4_request", "aws4"),
            "",
            InvalidSignatureException,
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'.",
            id="terminator",
        ),
        pytest.param(
            authorized(";x-amz-target", ""),
            "",
            InvalidSignatureException,
            "'x-amz-target' must be a 'SignedHeader'",
            id="target not signed",
        ),
        pytest.param(
            authorized("AKIDEXAMPLE", "AKIDANOTHER"),
            "",
            UnrecognizedClientException,
            sigv4.UNKNOWN_TOKEN,
            id="unknown key",
        ),
        pytest.param(
            authorized("Signature=3", "Signature=4"),
            "",
            InvalidSignatureException,
            sigv4.MISMATCH,
            id="signature",
        ),
        pytest.param(
            authorized("Signature=30dc", "Signature=30DC"),
            "",
            InvalidSignatureException,
            sigv4.MISMATCH,
            id="case",
        ),
        pytest.param(
            {**VECTOR_A, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"},
            "",
            InvalidSignatureException,
            sigv4.MISMATCH,
            id="unsigned payload",
        ),
    ],
)
def test_each_fault_has_its_error(
    headers: dict[str, str], query: str, error: type[ServiceError], text: str
) -> None:
    with pytest.raises(error) as refusal:
        check(request(headers, raw_query=query))
    assert text in refusal.value.message
    assert AUTHORIZATION not in refusal.value.message


def test_an_inactive_key_is_as_good_as_unknown() -> None:
    with pytest.raises(UnrecognizedClientException) as refusal:
        check(request(), credential(active=False))
    assert refusal.value.message == sigv4.UNKNOWN_TOKEN


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (
            15.1,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123606Z (20150830T125106Z - 15 min.)",
        ),
        (
            -15.1,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123554Z "
            "(20150830T122054Z + 15 min.)",
        ),
    ],
)
def test_the_clock_may_be_fifteen_minutes_off_and_no_more(minutes: float, text: str) -> None:
    within = dt.timedelta(minutes=15 if minutes > 0 else -15)
    assert check(request(), now=MOMENT + within).signed_at == MOMENT
    with pytest.raises(InvalidSignatureException) as refusal:
        check(request(), now=MOMENT + dt.timedelta(minutes=minutes))
    assert refusal.value.message == text


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_any_changed_byte_of_the_body_is_found(place: int, change: int) -> None:
    body = bytearray(BODY)
    body[place] ^= change
    with pytest.raises(InvalidSignatureException):
        check(request(body=bytes(body)))


def signed_by_botocore(
    auth: type, method: str, url: str, body: bytes, headers: dict[str, str]
) -> HttpRequest:
    built = AWSRequest(method=method, url=url, data=body, headers=headers)
    auth(Credentials("AKIDEXAMPLE", SECRET), "secretsmanager", "eu-central-1").add_auth(built)
    prepared = built.prepare()
    parts = urlsplit(prepared.url)
    sent = [(name.lower(), str(value)) for name, value in prepared.headers.items()]
    if not any(name == "host" for name, _ in sent):
        sent.append(("host", parts.netloc))
    text = {name: value.decode() if isinstance(value, bytes) else value for name, value in sent}
    return HttpRequest(
        method,
        parts.path or "/",
        parts.query,
        joined_headers(pairs(text)),
        body,
        MOMENT,
        "id",
        "127.0.0.1",
        False,
    )


PATHS = st.text("abcXYZ0-_.~ /é+:%", max_size=12)
PAIRS = st.lists(
    st.tuples(st.text("aZ0-é &=+/", min_size=1, max_size=5), st.text("bY9 é/+=", max_size=5)), max_size=4
)


@settings(max_examples=60)
@given(PATHS, PAIRS, st.binary(max_size=30), st.text("ab ", max_size=8))
def test_what_botocore_signs_is_verified(
    path: str, pairs: list[tuple[str, str]], body: bytes, padded: str
) -> None:
    from urllib.parse import quote, urlencode

    url = "http://localhost:7780/" + quote(path, safe="/")
    if pairs:
        url += "?" + urlencode(pairs, quote_via=quote)
    now = dt.datetime.now(dt.UTC)
    sent = signed_by_botocore(SigV4Auth, "POST", url, body, {"X-Extra": padded})
    assert check(sent, now=now).region == "eu-central-1"


def test_a_presigned_query_is_verified_until_it_expires() -> None:
    url = "http://localhost:7780/?Action=GetCallerIdentity&Version=2011-06-15"

    class Minute(SigV4QueryAuth):
        def __init__(self, *scope: Any) -> None:
            super().__init__(*scope, expires=60)

    sent = signed_by_botocore(Minute, "GET", url, b"", {})
    signed_at = dict(parse_qsl(sent.raw_query))["X-Amz-Date"]
    now = dt.datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    assert check(sent, now=now).by_query
    with pytest.raises(InvalidSignatureException) as refusal:
        check(sent, now=now + dt.timedelta(seconds=63))
    assert "Signature expired" in refusal.value.message
    tampered = msgspec.structs.replace(
        sent, raw_query=sent.raw_query.replace("GetCallerIdentity", "GetSessionToken")
    )
    with pytest.raises(InvalidSignatureException):
        check(tampered, now=now)


def test_signing_keys_never_outlive_the_stored_key() -> None:
    keys = SigningKeys(limit=2)
    first, second = object(), object()
    scope = ("20150830", "us-east-1", "kms")

    def signs_like(key: KeyedHash, secret: str) -> bool:
        return key.digest(b"x") == KeyedHash(derive_signing_key(secret, *scope)).digest(b"x")

    assert signs_like(keys.get("AKID", first, lambda: "one", *scope), "one")
    assert signs_like(keys.get("AKID", first, lambda: "never asked", *scope), "one")
    assert signs_like(keys.get("AKID", second, lambda: "two", *scope), "two")


@pytest.mark.parametrize(
    "seconds", ["0", "604801", "0000000600", "000000001" + "9" * 20, "9" * 5000, "-1", "+60", "٦٠", "6 0"]
)
def test_a_presigned_query_says_in_at_most_seven_days_when_it_expires(seconds: str) -> None:
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2F"
        f"secretsmanager%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires={quote(seconds)}"
        f"&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"
    )
    with pytest.raises(IncompleteSignatureException) as refused:
        check(request({"host": VECTOR_A["host"]}, raw_query=query))
    assert refused.value.message == "X-Amz-Expires must be a number of seconds from 1 to 604800."


def test_nothing_long_is_remembered_of_who_has_not_proved_to_be_anyone() -> None:
    names = "host;" + ";".join(f"x{number}" for number in range(1000))
    with suppress(ServiceError):
        check(request())
    before = sigv4._signed_names.cache_info().currsize, sigv4._scope.cache_info().currsize
    long_names = authorized("content-type;host;x-amz-date;x-amz-target", f"{names};x-amz-date;x-amz-target")
    with pytest.raises(InvalidSignatureException) as refused:
        check(request(long_names))
    assert refused.value.message == sigv4.MISMATCH
    long_key = authorized("AKIDEXAMPLE", "A" * 2000)
    with pytest.raises(UnrecognizedClientException):
        check(request(long_key))
    assert (sigv4._signed_names.cache_info().currsize, sigv4._scope.cache_info().currsize) == before
