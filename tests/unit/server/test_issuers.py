"""Keys of issuers: discovered, remembered for a while, asked for again with measure."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from strongroom.errors import IDPCommunicationErrorException, InvalidIdentityTokenException
from strongroom.server import issuers as issuers_module
from strongroom.server.issuers import FetchedIssuerKeys, https_get

URL = "idp.example.com/realms/prod"
DISCOVERY = f"https://{URL}/.well-known/openid-configuration"
KEYS_AT = "https://keys.example.com/prod"
KEYS = json.dumps({"keys": [{"kid": "one", "kty": "RSA"}]})


class Web:
    """Stands for the network, with a clock of its own."""

    def __init__(self, **pages: Any) -> None:
        self.now = 1_000.0
        self.asked: list[str] = []
        self.pages: dict[str, Any] = {
            DISCOVERY: json.dumps({"issuer": f"https://{URL}", "jwks_uri": KEYS_AT}),
            KEYS_AT: KEYS,
            **pages,
        }

    def get(self, url: str, deadline: float) -> bytes:
        assert deadline == self.now + issuers_module.SECONDS
        self.asked.append(url)
        page = self.pages[url]
        if isinstance(page, Exception):
            raise page
        return page if isinstance(page, bytes) else page.encode()

    def issuers(self) -> FetchedIssuerKeys:
        return FetchedIssuerKeys(self.get, lambda: self.now)


def test_keys_are_found_by_discovery() -> None:
    web = Web()
    issuers = web.issuers()
    assert issuers.keys(URL, "one") is None
    issuers.fetch(URL)
    assert issuers.keys(URL, "one") == KEYS
    assert web.asked == [DISCOVERY, KEYS_AT]


def test_the_discovery_of_an_issuer_that_ends_with_a_slash() -> None:
    web = Web()
    web.pages[DISCOVERY] = json.dumps({"issuer": f"https://{URL}/", "jwks_uri": KEYS_AT})
    issuers = web.issuers()
    issuers.fetch(f"{URL}/")
    assert issuers.keys(f"{URL}/", "one") == KEYS


def test_keys_are_remembered_for_a_while() -> None:
    web = Web()
    issuers = web.issuers()
    issuers.fetch(URL)
    web.now += issuers_module.KEEP_SECONDS - 1
    assert issuers.keys(URL, "one") == KEYS
    assert issuers.keys(URL, None) == KEYS
    web.now += 1
    assert issuers.keys(URL, "one") is None


def test_a_new_key_is_looked_for_but_not_at_every_call() -> None:
    web = Web()
    issuers = web.issuers()
    issuers.fetch(URL)
    assert issuers.keys(URL, "two") == KEYS
    web.now += issuers_module.ASK_AGAIN_SECONDS
    assert issuers.keys(URL, "two") is None
    web.pages[KEYS_AT] = json.dumps({"keys": [{"kid": "two"}]})
    issuers.fetch(URL)
    assert issuers.keys(URL, "two") == web.pages[KEYS_AT]


@pytest.mark.parametrize("page", [DISCOVERY, KEYS_AT])
def test_an_issuer_that_is_down_is_not_asked_each_time(page: str) -> None:
    web = Web(**{page: OSError("no route to host")})
    issuers = web.issuers()
    for _ in range(3):
        with pytest.raises(IDPCommunicationErrorException) as caught:
            issuers.fetch(URL)
        assert caught.value.message == (
            "Couldn't retrieve verification key from your identity provider: it could not be reached."
        )
        assert issuers.keys(URL, "one") is None
    assert web.asked.count(DISCOVERY) == 1
    web.now += issuers_module.ASK_AGAIN_SECONDS
    web.pages[DISCOVERY] = json.dumps({"issuer": f"https://{URL}", "jwks_uri": KEYS_AT})
    web.pages[KEYS_AT] = KEYS
    issuers.fetch(URL)
    assert issuers.keys(URL, "one") == KEYS


@pytest.mark.parametrize(
    ("page", "content"),
    [
        pytest.param(DISCOVERY, {"issuer": "https://evil.example.com", "jwks_uri": KEYS_AT}, id="another's"),
        pytest.param(DISCOVERY, {"jwks_uri": KEYS_AT}, id="no issuer"),
        pytest.param(DISCOVERY, {"issuer": f"https://{URL}"}, id="no keys"),
        pytest.param(DISCOVERY, {"issuer": f"https://{URL}", "jwks_uri": 7}, id="keys at a number"),
        pytest.param(DISCOVERY, [], id="a list"),
        pytest.param(KEYS_AT, {"keys": 7}, id="keys a number"),
        pytest.param(KEYS_AT, {}, id="no list of keys"),
        pytest.param(KEYS_AT, 7, id="a number"),
    ],
)
def test_what_is_published_has_to_be_as_it_should(page: str, content: Any) -> None:
    web = Web(**{page: json.dumps(content)})
    issuers = web.issuers()
    with pytest.raises(InvalidIdentityTokenException) as caught:
        issuers.fetch(URL)
    assert caught.value.message == (
        "Couldn't retrieve verification key from your identity provider,  please reference "
        "AssumeRoleWithWebIdentity documentation for requirements"
    )
    assert issuers.keys(URL, "one") is None


def test_issuers_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers_module, "ISSUERS_REMEMBERED", 3)
    web = Web()
    issuers = web.issuers()
    for number in range(7):
        url = f"idp{number}.example.com"
        web.pages[f"https://{url}/.well-known/openid-configuration"] = json.dumps(
            {"issuer": f"https://{url}", "jwks_uri": KEYS_AT}
        )
        issuers.fetch(url)
        assert issuers.keys(url, "one") == KEYS
        assert len(issuers._known) <= 3


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example.com/keys",
        "file:///etc/passwd",
        "https://user:pass@idp.example.com/",
        "https:///x",
        "x",
    ],
)
def test_only_plain_https_urls_are_fetched(url: str) -> None:
    with pytest.raises(ValueError, match="https URL"):
        https_get(url, time.monotonic() + 5)


def test_a_deadline_that_has_passed_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        https_get("https://idp.example.com/", time.monotonic())
