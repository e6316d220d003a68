"""Tokens of OpenID Connect issuers: what they say, and whether to believe it. Pure.

Sources: fact sheet iam section 13; RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT), RFC 8725 (how they are
attacked). Steps of `verify_web_token`: (1) form; (2) issuer; (3) algorithm; (4) key; (5) signature;
(6) audience; (7) times; (8) claims.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from strongroom.errors import (
    ExpiredWebIdentityTokenException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
)

__all__ = ["UnverifiedToken", "WebIdentity", "parse_web_token", "verify_web_token"]

SKEW_SECONDS: Final = 60
"""How far an issuer's clock may be ahead of ours."""
LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""
SMALLEST_RSA_BYTES: Final = 256
LARGEST_RSA_BYTES: Final = 1024
LARGEST_EXPONENT_BYTES: Final = 8
MOST_KEYS: Final = 100
MOST_TRIED: Final = 4
"""Keys with the token's kid that its signature is tried with."""

# As reported from AWS by many users.
NOT_A_JWT: Final = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)
WRONG_AUDIENCE: Final = "Incorrect token audience"
NO_VERIFICATION_KEY: Final = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
# Not established; ours.
WRONG_SIGNATURE: Final = "The signature of the provided token is not valid"
WRONG_ALGORITHM: Final = "The provided token must be signed with RS256, RS384, RS512, ES256, ES384 or ES512"
NO_SUBJECT: Final = "The provided token has no sub claim"
NO_TIMES: Final = "The provided token must have the claims exp and iat, as numbers of seconds"
NOT_YET: Final = "The provided token is not valid yet"
TAGS_CLAIM: Final = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM: Final = "https://aws.amazon.com/source_identity"

# SECURITY: only signatures by private keys. `none` is no signature; with HS* a public key would be a secret.
_ALGORITHMS: Final[Mapping[str, tuple[str, str]]] = {
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
}
"""Algorithm to the type of key, and curve, it needs."""
_PUBLIC: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}


class UnverifiedToken(msgspec.Struct, frozen=True):
    """What a token says of itself, good only for finding out who could vouch for it."""

    issuer: str
    algorithm: str
    key_id: str | None


class WebIdentity(msgspec.Struct, frozen=True):
    """The subject of a verified token."""

    issuer: str
    subject: str
    audience: tuple[str, ...]
    claims: Mapping[str, Any]
    """All of them."""

    @property
    def authorized_party(self) -> str | None:
        azp = self.claims.get("azp")
        return azp if isinstance(azp, str) and azp else None


def parse_web_token(text: str) -> UnverifiedToken:
    """Return what to look up before the token can be verified; nothing of it is believed.

    Raises:
        InvalidIdentityTokenException: not a compact JWS of JSON with an issuer.
    """
    header, claims = _parts(text)
    issuer, algorithm, key_id = claims.get("iss"), header.get("alg"), header.get("kid")
    if not isinstance(issuer, str) or not isinstance(algorithm, str):
        raise InvalidIdentityTokenException(NOT_A_JWT)
    if key_id is not None and not isinstance(key_id, str):
        raise InvalidIdentityTokenException(NOT_A_JWT)
    return UnverifiedToken(issuer, algorithm, key_id)


def verify_web_token(
    text: str, key_set: str, *, issuer: str, client_ids: Sequence[str], now: dt.datetime
) -> WebIdentity:
    """Return whom the token names, once everything about it holds.

    `key_set` is the issuer's JSON Web Key Set.

    Raises:
        InvalidIdentityTokenException: form, issuer, algorithm, key, signature or audience.
        ExpiredWebIdentityTokenException: its time is over.
        IDPRejectedClaimException: another claim is not as it has to be.
    """
    unverified = parse_web_token(text)  # (1)
    if unverified.issuer != issuer:  # (2)
        raise InvalidIdentityTokenException(NOT_A_JWT)
    if unverified.algorithm not in _ALGORITHMS:  # (3)
        raise InvalidIdentityTokenException(WRONG_ALGORITHM)
    # SECURITY: anyone can send a token, and each key tried costs a verification.
    keys = list(islice(_fitting_keys(key_set, unverified), MOST_TRIED))  # (4)
    if not keys:
        raise InvalidIdentityTokenException(NO_VERIFICATION_KEY)
    claims = _verified_claims(text, unverified.algorithm, keys)  # (5)
    audience = _audience(claims)
    azp = claims.get("azp")
    if not {*audience, *([azp] if isinstance(azp, str) else [])} & set(client_ids):  # (6)
        raise InvalidIdentityTokenException(WRONG_AUDIENCE)
    _verify_times(claims, int(now.timestamp()))  # (7)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:  # (8)
        raise IDPRejectedClaimException(NO_SUBJECT)
    return WebIdentity(issuer, subject, audience, claims)


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    pieces = text.split(".")
    if len(pieces) != 3 or not all(pieces):
        raise InvalidIdentityTokenException(NOT_A_JWT)
    header, claims = _json_object(pieces[0]), _json_object(pieces[1])
    # SECURITY: an extension we do not know, said to be critical, might change what the signature covers.
    if "crit" in header or "b64" in header:
        raise InvalidIdentityTokenException(NOT_A_JWT)
    return header, claims


def _json_object(piece: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(piece + "=" * (-len(piece) % 4), altchars=b"-_", validate=True)
        value = orjson.loads(raw)
    except (ValueError, binascii.Error):
        # `from None`: the cause would carry the token.
        raise InvalidIdentityTokenException(NOT_A_JWT) from None
    if not isinstance(value, dict):
        raise InvalidIdentityTokenException(NOT_A_JWT)
    return value


def _fitting_keys(key_set: str, token: UnverifiedToken) -> Iterator[RSAKey | ECKey]:
    """Yield the set's keys that could have signed the token, private parts left out."""
    try:
        listed = orjson.loads(key_set)["keys"]
        candidates = [each for each in listed if isinstance(each, dict)]
    except (ValueError, KeyError, TypeError):
        return
    kty, curve = _ALGORITHMS[token.algorithm]
    for key in candidates[:MOST_KEYS]:
        if key.get("kty") != kty or (curve and key.get("crv") != curve):
            continue
        if key.get("use", "sig") != "sig" or key.get("alg", token.algorithm) != token.algorithm:
            continue
        # Without a kid there must be no choice.
        if key.get("kid") != token.key_id if token.key_id is not None else len(candidates) > 1:
            continue
        found = _public_key(kty, {name: key.get(name) for name in _PUBLIC[kty]})
        if found is not None:
            yield found


def _public_key(kty: str, members: Mapping[str, Any]) -> RSAKey | ECKey | None:
    if not all(isinstance(value, str) for value in members.values()):
        return None
    try:
        if kty == "EC":
            return ECKey.import_key(dict(members))
        # SECURITY: a short modulus can be factored; a long one, or a long exponent, takes long to verify by.
        if not SMALLEST_RSA_BYTES <= _length(members["n"]) <= LARGEST_RSA_BYTES:
            return None
        if _length(members["e"]) > LARGEST_EXPONENT_BYTES:
            return None
        return RSAKey.import_key(dict(members))
    except (JoseError, ValueError, binascii.Error):
        return None


def _length(number: str) -> int:
    """Return the bytes of a number of a key, leading zeros left out."""
    return len(base64.urlsafe_b64decode(number + "==").lstrip(b"\0"))


def _verified_claims(text: str, algorithm: str, keys: Sequence[RSAKey | ECKey]) -> dict[str, Any]:
    for key in keys:
        try:
            verified = jws.deserialize_compact(text, key, algorithms=[algorithm])
        except (JoseError, ValueError):
            continue
        # What the signature covers, not what was read before.
        payload = orjson.loads(verified.payload)
        assert isinstance(payload, dict)  # noqa: S101 - the same bytes were an object before
        return payload
    raise InvalidIdentityTokenException(WRONG_SIGNATURE)


def _audience(claims: Mapping[str, Any]) -> tuple[str, ...]:
    audience = claims.get("aud")
    if isinstance(audience, str):
        return (audience,)
    if isinstance(audience, list) and all(isinstance(each, str) for each in audience):
        return tuple(dict.fromkeys(audience))
    return ()


def _verify_times(claims: Mapping[str, Any], now: int) -> None:
    expires, issued = _second(claims, "exp"), _second(claims, "iat")
    if expires is None or issued is None:
        raise IDPRejectedClaimException(NO_TIMES)
    if now >= expires:
        raise ExpiredWebIdentityTokenException(
            f"Token expired: current date/time {now} must be before the expiration date/time {int(expires)}"
        )
    not_before = _second(claims, "nbf") if "nbf" in claims else issued
    if not_before is None or max(not_before, issued) > now + SKEW_SECONDS:
        raise IDPRejectedClaimException(NOT_YET)


def _second(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if 0 <= value <= LATEST else None
