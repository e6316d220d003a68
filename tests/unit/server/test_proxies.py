"""Whose word counts about where a request comes from."""

from __future__ import annotations

import pytest

from strongroom.server.proxies import forwarded, parse_network

TRUSTED = [parse_network("10.0.0.0/8"), parse_network("2001:db8::/32")]
CLIENT, PROXY, INNER = "192.0.2.7", "10.0.0.1", "10.0.0.2"


@pytest.mark.parametrize(
    ("peer", "headers", "source"),
    [
        pytest.param(CLIENT, {"x-forwarded-for": "198.51.100.1"}, CLIENT, id="nobody's word but a proxy's"),
        pytest.param(CLIENT, {"forwarded": "for=198.51.100.1"}, CLIENT, id="nor as Forwarded"),
        pytest.param(PROXY, {}, PROXY, id="a proxy that says nothing"),
        pytest.param(PROXY, {"x-forwarded-for": CLIENT}, CLIENT, id="a proxy's word"),
        pytest.param(PROXY, {"x-forwarded-for": f"198.51.100.1, {CLIENT}"}, CLIENT, id="what a client made up"),
        pytest.param(
            PROXY, {"x-forwarded-for": f"10.9.9.9, {CLIENT}, {INNER}"}, CLIENT, id="several proxies in a row"
        ),
        pytest.param(PROXY, {"x-forwarded-for": f"10.9.9.9,{INNER}"}, "10.9.9.9", id="trusted ones only"),
        pytest.param(PROXY, {"x-forwarded-for": f"{CLIENT}, unknown"}, PROXY, id="no address ends the chain"),
        pytest.param(
            PROXY, {"x-forwarded-for": f"{CLIENT},,{INNER}"}, INNER, id="an empty hop ends the chain too"
        ),
        pytest.param(PROXY, {"x-forwarded-for": f"{CLIENT}:4711"}, CLIENT, id="with a port"),
        pytest.param(PROXY, {"x-forwarded-for": "[2001:4db8::1]:80"}, "2001:4db8::1", id="IPv6 with a port"),
        pytest.param(f"::ffff:{PROXY}", {"x-forwarded-for": CLIENT}, CLIENT, id="a mapped peer"),
        pytest.param(PROXY, {"x-forwarded-for": "10.0.0.1\u00a0"}, PROXY, id="a look-alike address"),
        pytest.param(
            "2001:db8::1", {"forwarded": 'for=x, For="[2001:4db8::2]:9";proto=https'}, "2001:4db8::2",
            id="Forwarded",
        ),
        pytest.param(
            PROXY, {"forwarded": "for=198.51.100.1", "x-forwarded-for": CLIENT}, CLIENT,
            id="a Forwarded that came through a proxy of X-Forwarded-For",
        ),
        pytest.param("", {"x-forwarded-for": CLIENT}, "", id="a peer without address"),
    ],
)  # fmt: skip
def test_the_nearest_hop_that_is_no_trusted_proxy_is_the_source(
    peer: str, headers: dict[str, str], source: str
) -> None:
    assert forwarded(peer, False, headers, TRUSTED)[0] == source
    assert forwarded(peer, False, headers, []) == (peer, False)


@pytest.mark.parametrize(
    ("peer", "secure", "headers", "found"),
    [
        (CLIENT, False, {"x-forwarded-proto": "https"}, False),
        (PROXY, False, {"x-forwarded-proto": "https"}, True),
        (PROXY, True, {"x-forwarded-proto": "http"}, False),
        (PROXY, False, {"x-forwarded-proto": "https, http"}, False),
        (PROXY, False, {"forwarded": f"for={CLIENT}; proto=HTTPS"}, True),
        (PROXY, True, {"x-forwarded-for": CLIENT}, True),
        (PROXY, False, {}, False),
    ],
)
def test_a_trusted_proxy_says_how_it_was_spoken_to(
    peer: str, secure: bool, headers: dict[str, str], found: bool
) -> None:
    assert forwarded(peer, secure, headers, TRUSTED)[1] is found


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "everyone", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear to be|has host bits set"):
        parse_network(text)
