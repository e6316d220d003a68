"""Who is at the other end: the peer of the connection, or whom a trusted proxy says it speaks for.

SECURITY: a header is a claim of whoever sent it. What stands in X-Forwarded-For and its kin counts only as
far as each hop, from the connection backwards, is a proxy the operator trusts: what stands further left was
written by somebody else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

__all__ = ["Network", "forwarded", "parse_network"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)', re.IGNORECASE)
_PROTO = re.compile(r'(?:^|;)\s*proto\s*=\s*("[^"]*"|[^;\s]*)', re.IGNORECASE)
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([\d.]+):\d+")
MAX_HOPS = 32


def parse_network(text: str) -> Network:
    """Return the addresses of `10.0.0.0/8`, or of one address.

    Raises:
        ValueError: the text names none, or has bits set behind its prefix.
    """
    return ipaddress.ip_network(text)


def forwarded(
    peer: str, secure: bool, headers: Mapping[str, str], trusted: Sequence[Network]
) -> tuple[str, bool]:
    """Return the address a request came from, and whether it came to us, or to the last proxy, by TLS.

    That is the rightmost hop that is no trusted proxy. Where a hop is no address, the one behind it stands.
    """
    address = _address(peer)
    if not trusted or address is None or not _is_trusted(address, trusted):
        return peer, secure
    hops, protocol = _said(headers)
    for hop in reversed(hops):
        before = _address(hop)
        if before is None:
            break
        address = before
        if not _is_trusted(address, trusted):
            break
    return str(address), secure if protocol is None else protocol.lower() == "https"


def _said(headers: Mapping[str, str]) -> tuple[list[str], str | None]:
    """Return the hops, nearest last, and the protocol spoken with the nearest proxy.

    X-Forwarded-… is read first, as proxies add to it without looking at Forwarded.
    """
    protocol = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip() or None
    chain = headers.get("x-forwarded-for")
    if chain is not None:
        return chain.split(",")[-MAX_HOPS:], protocol
    elements = headers.get("forwarded", "").split(",")[-MAX_HOPS:]
    hops = [found[1].strip('"') if (found := _FOR.search(each)) else "" for each in elements]
    if protocol is None and (spoken := _PROTO.search(elements[-1])):
        protocol = spoken[1].strip('"')
    return hops, protocol


def _address(text: str) -> _Address | None:
    text = text.strip()
    found = _WITH_PORT.fullmatch(text)
    if found is not None:
        text = found[1] or found[2] or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_trusted(address: _Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
