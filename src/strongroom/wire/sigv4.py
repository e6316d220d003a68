"""Signature Version 4: who signed this request, if the signature holds.

Steps, in the order that decides which error a caller sees (fact sheet sigv4 sections 6 and 13):
(1) one way of signing, not two; (2) one at all; (3) its parts; (4) date; (5) skew; (6) host is signed;
(7) algorithm; (8) credential shape; (9) scope; (10) key; (11) signature; (12) session token.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote, unquote_to_bytes

import msgspec

from strongroom.crypto.aead import KeyedHash
from strongroom.errors import (
    ExpiredTokenException,
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from strongroom.names import is_region
from strongroom.wire.http import HttpRequest

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

__all__ = ["Credential", "SigningKey", "SigningKeys", "VerifiedSignature", "derive_signing_key", "verify"]

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"
MAX_SKEW: Final = dt.timedelta(minutes=15)
MAX_EXPIRES: Final = 604_800
"""Seconds a presigned request may be valid for: seven days."""

UNKNOWN_TOKEN: Final = "The security token included in the request is invalid."
EXPIRED_TOKEN: Final = "The security token included in the request is expired"
MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
BOTH_WAYS: Final = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
NOT_SIGNED: Final = "Request is missing Authentication Token"
HOST_NOT_SIGNED: Final = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."

# SECURITY: an intermediary could add or change these without breaking a signature that leaves them out.
_MUST_BE_SIGNED: Final = ("x-amz-target", "x-amz-date", "x-amz-security-token")
_BASIC_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_USUAL_HEADER = re.compile(
    r"(AWS4-[A-Z0-9-]+) Credential=([^ ,=]+), ?SignedHeaders=([^ ,=]+), ?Signature=([0-9a-f]{64})"
)
"""How every SDK writes the Authorization header; other spellings take the longer way."""
_REMEMBERED: Final = 1024
"""Clients send the same scopes, lists of headers and dates over and over; so many of each are remembered."""
_LONGEST_REMEMBERED: Final = 1024
"""SECURITY: what is longer comes from no client, and is not remembered: nobody has proved anything yet."""


T = TypeVar("T")


class SigningKey(Protocol):
    """Gives the signing key of one access key for a scope, without showing the secret access key."""

    def __call__(self, date: str, region: str, service: str) -> KeyedHash: ...


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key as the verifier needs it."""

    access_key_id: str
    active: bool
    signing_key: SigningKey
    session_token: str | None = None
    """Set for temporary credentials: the one token that goes with the key."""
    expires_at: dt.datetime | None = None


class VerifiedSignature(msgspec.Struct, frozen=True, eq=False):
    """Proof that the holder of `credential` signed the request."""

    credential: Credential
    region: str
    service: str
    signed_at: dt.datetime
    by_query: bool


def derive_signing_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    """Return kSigning for a scope; `date` is YYYYMMDD."""
    key = hmac.digest(b"AWS4" + secret_access_key.encode(), date.encode(), "sha256")
    for part in (region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class SigningKeys:
    """A bounded memory of derived signing keys, for one process.

    Entries belong to the stored access key they were derived from: `origin` is compared by identity, so a
    key that was changed, deleted or made again never meets an old entry.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._keys: OrderedDict[tuple[str, str, str, str], tuple[object, KeyedHash]] = OrderedDict()

    def get(
        self,
        access_key_id: str,
        origin: object,
        secret: Callable[[], str],
        date: str,
        region: str,
        service: str,
    ) -> KeyedHash:
        """Return the signing key, derived from `secret()` only when it is not remembered."""
        place = (access_key_id, date, region, service)
        found = self._keys.get(place)
        if found is not None and found[0] is origin:
            return found[1]
        key = KeyedHash(derive_signing_key(secret(), date, region, service))
        self._keys[place] = (origin, key)
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)
        return key


class _Claim(msgspec.Struct, frozen=True):
    """What a request says about its own signature."""

    credential: str
    signed_headers: str
    signature: str
    timestamp: str
    algorithm: str
    token: str | None
    by_query: bool
    expires: int | None = None


def verify(
    request: HttpRequest,
    *,
    service: str,
    lookup: Callable[[str, str | None], Credential | None],
    now: dt.datetime,
) -> VerifiedSignature:
    """Return the proof of who signed `request` for `service` (a signing name).

    `lookup` is given the access key id and the session token, if there is one: temporary credentials are
    found by both.

    Raises:
        MissingAuthenticationTokenException: it is not signed.
        IncompleteSignatureException: parts are absent or malformed.
        InvalidSignatureException: signed in two ways, at the wrong time, for another scope, without a header
            that must be signed, or by another secret.
        UnrecognizedClientException: unknown or inactive key, or a session token that does not belong to it.
        ExpiredTokenException: the temporary credential has ended.
    """
    headers = request.headers
    query = _query_pairs(request.raw_query)
    claim = _claim(headers, query)  # (1) to (3)
    signed_at = _signed_at(claim.timestamp)  # (4)
    _verify_time(claim, signed_at, now)  # (5)
    signed = _remembered(_signed_names, claim.signed_headers)(claim.signed_headers)
    if "host" not in signed and ":authority" not in signed:  # (6)
        raise InvalidSignatureException(HOST_NOT_SIGNED)
    if claim.algorithm != ALGORITHM:  # (7)
        raise IncompleteSignatureException(
            f"Unsupported AWS 'algorithm': '{claim.algorithm[:64]}' (only AWS4-HMAC-SHA256 for now). "
        )
    scope = _remembered(_scope, claim.credential)
    access_key_id, date, region = scope(claim.credential, service, claim.timestamp)  # (8), (9)
    for name in _MUST_BE_SIGNED:
        if name in headers and name not in signed:
            raise InvalidSignatureException(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    credential = lookup(access_key_id, claim.token)  # (10)
    # SECURITY: an unknown key costs the same derivation and comparison as a known one.
    known = credential if credential is not None and credential.active else None
    key = known.signing_key(date, region, service) if known is not None else _NOBODY(date, region, service)
    payload_hash = request.payload_hash or hashlib.sha256(request.body).hexdigest()
    canonical = _canonical_request(request, headers, query, signed, payload_hash, claim)
    text = "\n".join(
        (
            ALGORITHM,
            claim.timestamp,
            f"{date}/{region}/{service}/{TERMINATOR}",
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    expected = key.digest(text.encode()).hex()
    matches = hmac.compare_digest(expected, claim.signature)
    if known is None:
        raise UnrecognizedClientException(UNKNOWN_TOKEN)
    declared = headers.get("x-amz-content-sha256")
    if not matches or (declared is not None and declared != payload_hash):  # (11)
        raise InvalidSignatureException(MISMATCH)
    _verify_token(known, claim.token, now)  # (12)
    return VerifiedSignature(known, region, service, signed_at, claim.by_query)


def _remembered(cached: _lru_cache_wrapper[T], text: str) -> Callable[..., T]:
    """Return `cached`, or the function behind it when `text` is too long to be remembered."""
    return cached if len(text) <= _LONGEST_REMEMBERED else cached.__wrapped__


@lru_cache(_REMEMBERED)
def _nobody(date: str, region: str, service: str) -> KeyedHash:
    return KeyedHash(derive_signing_key("", date, region, service))


_NOBODY: Final[SigningKey] = _nobody


def _query_pairs(raw_query: str) -> list[tuple[str, str]]:
    """Return names and values, percent-decoded and encoded again the canonical way. A plus is a plus."""
    if not raw_query:
        return []
    pairs = []
    for part in raw_query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        pairs.append((_encoded(name), _encoded(value)))
    return pairs


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _claim(headers: Mapping[str, str], query: list[tuple[str, str]]) -> _Claim:
    authorization = headers.get("authorization")
    by_query = any(name == "X-Amz-Algorithm" for name, _ in query)
    if authorization is not None:
        if by_query:
            raise InvalidSignatureException(BOTH_WAYS)
        if not authorization.startswith("AWS4-"):
            raise MissingAuthenticationTokenException(NOT_SIGNED)
        return _header_claim(authorization, headers)
    if by_query:
        return _query_claim(query)
    raise MissingAuthenticationTokenException(NOT_SIGNED)


def _header_claim(authorization: str, headers: Mapping[str, str]) -> _Claim:
    timestamp = headers.get("x-amz-date") or headers.get("date") or None
    usual = _USUAL_HEADER.fullmatch(authorization)
    if usual is not None and timestamp is not None:
        algorithm, credential, signed_headers, signature = usual.groups()
        token = headers.get("x-amz-security-token")
        return _Claim(credential, signed_headers, signature, timestamp, algorithm, token, False)
    algorithm, _, rest = authorization.partition(" ")
    parts: dict[str, str] = {}
    for part in rest.replace(",", " ").split():
        name, equals, value = part.partition("=")
        if not equals:
            raise IncompleteSignatureException(
                f"'{name[:128]}' not a valid key=value pair (missing equal-sign) in Authorization header: "
                f"'{_shown(authorization)}'."
            )
        parts[name] = value
    faults = [
        f"Authorization header requires '{name}' parameter. "
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if timestamp is None:
        faults.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
    if faults or timestamp is None:
        raise IncompleteSignatureException("".join(faults) + f"Authorization={_shown(authorization)}")
    return _Claim(
        credential=parts["Credential"],
        signed_headers=parts["SignedHeaders"],
        signature=_signature(parts["Signature"]),
        timestamp=timestamp,
        algorithm=algorithm,
        token=headers.get("x-amz-security-token"),
        by_query=False,
    )


def _shown(authorization: str) -> str:
    """Return what an error may repeat of the header: a digest, as newer gateways do."""
    digest = hashlib.sha256(authorization.encode()).hexdigest()
    return f"(Hashed with SHA-256) {digest}"


def _query_claim(query: list[tuple[str, str]]) -> _Claim:
    values = {name: unquote_to_bytes(value).decode("utf-8", "replace") for name, value in query}
    faults = [
        f"AWS query-string parameters must include 'X-Amz-{name}'. "
        for name in ("Algorithm", "Credential", "Signature", "SignedHeaders", "Date")
        if not values.get(f"X-Amz-{name}")
    ]
    if faults:
        raise IncompleteSignatureException("".join(faults) + "Re-examine the query-string parameters.")
    expires: int | None = None
    if "X-Amz-Expires" in values:
        given = values["X-Amz-Expires"]
        if not _SECONDS.fullmatch(given) or not 1 <= int(given) <= MAX_EXPIRES:
            raise IncompleteSignatureException(
                f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES}."
            )
        expires = int(given)
    return _Claim(
        credential=values["X-Amz-Credential"],
        signed_headers=values["X-Amz-SignedHeaders"],
        signature=_signature(values["X-Amz-Signature"]),
        timestamp=values["X-Amz-Date"],
        algorithm=values["X-Amz-Algorithm"],
        token=values.get("X-Amz-Security-Token"),
        by_query=True,
        expires=expires,
    )


def _signature(text: str) -> str:
    """Return the signature, or one that can match nothing when it is not 64 lower-case hex digits."""
    return text if _HEX64.fullmatch(text) else ""


@lru_cache(_REMEMBERED)
def _signed_names(signed_headers: str) -> tuple[str, ...]:
    """Return the names of the signed headers in canonical order."""
    return tuple(sorted(signed_headers.split(";")))


@lru_cache(_REMEMBERED)
def _signed_at(timestamp: str) -> dt.datetime:
    found = _BASIC_DATE.fullmatch(timestamp)
    if found is not None:
        with suppress(ValueError):
            year, month, day, hour, minute, second = map(int, found.groups())
            return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    raise IncompleteSignatureException(
        f"Date must be in ISO-8601 'basic format'. Got '{timestamp[:64]}'. "
        "See http://en.wikipedia.org/wiki/ISO_8601"
    )


def _verify_time(claim: _Claim, signed_at: dt.datetime, now: dt.datetime) -> None:
    allowed = MAX_SKEW if claim.expires is None else dt.timedelta(seconds=claim.expires)
    if signed_at < now - allowed:
        minutes = int(allowed.total_seconds() // 60)
        raise InvalidSignatureException(
            f"Signature expired: {claim.timestamp} is now earlier than {_basic(now - allowed)} "
            f"({_basic(now)} - {minutes} min.)"
        )
    if signed_at > now + MAX_SKEW:
        raise InvalidSignatureException(
            f"Signature not yet current: {claim.timestamp} is still later than {_basic(now + MAX_SKEW)} "
            f"({_basic(now)} + 15 min.)"
        )


def _basic(moment: dt.datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


@lru_cache(_REMEMBERED)
def _scope(credential: str, service: str, timestamp: str) -> tuple[str, str, str]:
    """Return access key id, date and region of a credential that is scoped to `service` and to the day of
    `timestamp`."""
    parts = credential.split("/")
    if len(parts) != 5:
        raise IncompleteSignatureException(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential[:256]}'"
        )
    access_key_id, date, region, scope_service, terminator = parts
    faults = []
    if not is_region(region):
        faults.append(f"Credential should be scoped to a valid region, not '{region[:64]}'. ")
    if scope_service != service:
        faults.append(f"Credential should be scoped to correct service: '{service}'. ")
    if terminator != TERMINATOR:
        faults.append(
            f"Credential should be scoped with a valid terminator: 'aws4_request', not '{terminator[:64]}'. "
        )
    if date != timestamp[:8]:
        faults.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date[:64]}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    if faults:
        raise InvalidSignatureException("".join(faults).rstrip())
    return access_key_id, date, region


def _canonical_request(
    request: HttpRequest,
    headers: Mapping[str, str],
    query: list[tuple[str, str]],
    signed: Sequence[str],
    payload_hash: str,
    claim: _Claim,
) -> str:
    if claim.by_query:
        query = [pair for pair in query if pair[0] != "X-Amz-Signature"]
    lines = [
        request.method,
        "/" if request.raw_path in ("", "/") else _canonical_path(request.raw_path),
        "&".join(f"{name}={value}" for name, value in sorted(query)) if query else "",
    ]
    lines += [f"{name}:{headers.get(name, '')}" for name in signed]
    lines += ["", claim.signed_headers, payload_hash]
    return "\n".join(lines)


def _canonical_path(raw_path: str) -> str:
    """Return the path without `.`, `..` and empty segments, each segment encoded once more."""
    kept: list[str] = []
    for segment in raw_path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(quote(segment, safe="-_.~"))
    path = "/" + "/".join(kept)
    return path + "/" if kept and raw_path.endswith("/") else path


def _verify_token(credential: Credential, token: str | None, now: dt.datetime) -> None:
    expected = credential.session_token
    if expected is None:
        if token is not None:
            raise UnrecognizedClientException(UNKNOWN_TOKEN)
        return
    if token is None or not hmac.compare_digest(token.encode(), expected.encode()):
        raise UnrecognizedClientException(UNKNOWN_TOKEN)
    if credential.expires_at is not None and credential.expires_at <= now:
        raise ExpiredTokenException(EXPIRED_TOKEN)
