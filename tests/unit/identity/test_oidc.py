"""URLs of identity providers, and key sets of public keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strongroom.errors import InvalidInputException, ServiceError, ValidationException
from strongroom.identity.oidc import KEY_SET_LIMIT, KeySetError, parse_provider_url, verify_key_set

EC = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "one"}
NO_URL = "Invalid Open ID Connect Provider URL"
NOT_HTTPS = "Invalid Open ID Connect Provider URL. The URL must begin with https://."
PARTS = (
    "Invalid Open ID Connect Provider URL. The URL must be a host name and a path, without user, port, query "
    "and fragment."
)


@pytest.mark.parametrize(
    "named",
    [
        "token.actions.githubusercontent.com",
        "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
        "kubernetes.default.svc.cluster.local",
        "gitlab.example.com/",
        "host",
    ],
)
def test_a_url_is_named_without_its_scheme(named: str) -> None:
    assert parse_provider_url(f"https://{named}") == named


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("example.com", ValidationException, NO_URL),
        ("example", ValidationException, NO_URL),
        ("https://", ValidationException, NO_URL),
        ("https:/example.com", ValidationException, NO_URL),
        ("https://[::1", ValidationException, NO_URL),
        ("https://example.com:x", ValidationException, NO_URL),
        ("http://example.com", InvalidInputException, NOT_HTTPS),
        ("HTTPS://example.com", InvalidInputException, NOT_HTTPS),
        ("https://example.com:8443", InvalidInputException, PARTS),
        ("https://me@example.com", InvalidInputException, PARTS),
        ("https://example.com?x=1", InvalidInputException, PARTS),
        ("https://example.com/?", InvalidInputException, PARTS),
        ("https://example.com#x", InvalidInputException, PARTS),
        ("https://ex\u0430mple.com", InvalidInputException, PARTS),
        ("https://example.com/a*", InvalidInputException, PARTS),
        ("https://example.com//a", InvalidInputException, PARTS),
        ("https://-example.com", InvalidInputException, PARTS),
        ("https://example..com", InvalidInputException, PARTS),
        ("https://[::1]", InvalidInputException, PARTS),
        ("https://example.com\n", InvalidInputException, PARTS),
    ],
)
def test_other_urls_are_refused(url: str, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error) as refused:
        parse_provider_url(url)
    assert refused.value.message == message


def test_public_keys_are_counted() -> None:
    keys = [EC, {"kty": "RSA", "n": "AA", "e": "AQAB"}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}]
    assert verify_key_set(json.dumps({"keys": keys})) == 3


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "The key set is not JSON."),
        ("[" * 60_000, "The key set is not JSON."),
        (json.dumps([EC]), 'A key set is a JSON object with a list "keys" that is not empty.'),
        (json.dumps({"keys": []}), 'A key set is a JSON object with a list "keys" that is not empty.'),
        (
            json.dumps({"keys": {"one": EC}}),
            'A key set is a JSON object with a list "keys" that is not empty.',
        ),
        (json.dumps({"keys": [EC, "x"]}), "Key 2 is not an RSA, EC or OKP key."),
        (json.dumps({"keys": [{"kty": "oct", "k": "AA"}]}), "Key 1 is not an RSA, EC or OKP key."),
        (json.dumps({"keys": [{"kty": ["EC"]}]}), "Key 1 is not an RSA, EC or OKP key."),
        (
            json.dumps({"keys": [{**EC, "d": "AA"}]}),
            "Key 1 holds a private key; only public keys belong here.",
        ),
        (" " * (KEY_SET_LIMIT + 1), "A key set may have 65536 characters at most."),
    ],
)
def test_what_is_no_set_of_public_keys(document: str, message: Any) -> None:
    with pytest.raises(KeySetError) as refused:
        verify_key_set(document)
    assert str(refused.value) == message
