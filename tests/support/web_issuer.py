"""An OpenID Connect issuer for tests: keys, tokens, and everything that can be wrong about them."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "idp.example.com/realms/prod"
AUDIENCE = "sts.amazonaws.com"
HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def encoded(value: bytes | Mapping[str, Any]) -> str:
    """Return base64url without padding, of bytes or of a JSON object."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@cache
def rsa_key(which: str = "first", bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(which: str = "first", curve: str = "P-256") -> ec.EllipticCurvePrivateKey:
    curves: Mapping[str, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
    }
    return ec.generate_private_key(curves[curve])


def rsa_jwk(key: rsa.RSAPrivateKey, kid: str | None = "rsa-1", **more: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return _jwk(kid, kty="RSA", n=encoded(numbers.n.to_bytes(size)), e=encoded(numbers.e.to_bytes(3)), **more)


def ec_jwk(key: ec.EllipticCurvePrivateKey, kid: str | None = "ec-1", **more: Any) -> dict[str, Any]:
    numbers, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
    curve = {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size]
    return _jwk(
        kid,
        kty="EC",
        crv=curve,
        x=encoded(numbers.x.to_bytes(size)),
        y=encoded(numbers.y.to_bytes(size)),
        **more,
    )


def _jwk(kid: str | None, **members: Any) -> dict[str, Any]:
    return members if kid is None else {"kid": kid, **members}


def key_set(*keys: Mapping[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys)}


def claims(now: dt.datetime, **more: Any) -> dict[str, Any]:
    """Return the claims of a good token that was made at `now`; None leaves one out."""
    second = int(now.timestamp())
    usual: dict[str, Any] = {
        "iss": f"https://{ISSUER}",
        "aud": AUDIENCE,
        "sub": "system:serviceaccount:shop:web",
        "iat": second,
        "exp": second + 600,
    }
    return {name: value for name, value in {**usual, **more}.items() if value is not None}


def sign(
    payload: Mapping[str, Any] | bytes,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
    *,
    alg: str = "RS256",
    kid: str | None = "rsa-1",
    **header: Any,
) -> str:
    """Return a token, signed as `alg` says by a key that fits."""
    named = {"typ": "JWT", "alg": alg, **({} if kid is None else {"kid": kid}), **header}
    text = f"{encoded(named)}.{encoded(payload)}"
    return f"{text}.{encoded(_signature(text.encode(), key or rsa_key(), alg))}"


def _signature(text: bytes, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, alg: str) -> bytes:
    digest = HASHES[alg[2:]]
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), digest)
    r, s = decode_dss_signature(key.sign(text, ec.ECDSA(digest)))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)
