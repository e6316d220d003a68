"""Digest files in CloudTrail's chain form: what each says, and what is signed of it.

Source: fact sheet cloudtrail sections 7 and 8.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any, Final

import msgspec
import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

__all__ = [
    "ALGORITHM",
    "DigestChain",
    "LogFile",
    "LogPositions",
    "PreviousDigest",
    "digest_content",
    "digest_name",
    "fingerprint",
    "log_name",
    "public_der",
    "sign_digest",
]

ALGORITHM: Final = "SHA256withRSA"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_NAME_TIME: Final = "%Y%m%dT%H%M%SZ"


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """A log file that waits for its digest."""

    name: str
    hash: str
    """Hex SHA-256 of its content, uncompressed."""
    oldest: str
    """The eventTime of its first record."""
    newest: str


class PreviousDigest(msgspec.Struct, frozen=True, kw_only=True):
    """What a digest says of the one before."""

    bucket: str
    name: str
    hash: str
    signature: str


class DigestChain(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The digests of an account in a region: the key they are signed with, and where the chain is."""

    account_id: str
    region: str
    created_at: dt.datetime
    public_key: bytes
    """PKCS #1, DER."""
    sealed: bytes
    """The private key, PKCS #8, sealed by the root key."""
    start: dt.datetime
    """Where the period begins that has no digest yet; to the second."""
    trail: str
    home_region: str
    files: tuple[LogFile, ...] = ()
    """Those of that period."""
    end: dt.datetime | None = None
    """Its end, while the digest of it is being written."""
    previous: PreviousDigest | None = None
    """None: the next digest begins a chain."""


class LogPositions(msgspec.Struct, frozen=True, kw_only=True):
    """How far the records of each slot stand in log files."""

    slots: dict[str, int]


def log_name(account: str, region: str, at: dt.datetime, unique: str) -> str:
    """Return the key of a log file; `unique` is sixteen alphanumerics."""
    return (
        f"AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/"
        f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{unique}.json.gz"
    )


def digest_name(chain: DigestChain, end: dt.datetime) -> str:
    """Return the key of the digest of a period that ends then."""
    account, region = chain.account_id, chain.region
    return (
        f"AWSLogs/{account}/CloudTrail-Digest/{region}/{end:%Y/%m/%d}/"
        f"{account}_CloudTrail-Digest_{region}_{chain.trail}_{chain.home_region}_{end:{_NAME_TIME}}.json.gz"
    )


def digest_content(chain: DigestChain, end: dt.datetime, bucket: str) -> bytes:
    """Return the digest of the period from `chain.start` to `end`."""
    previous = chain.previous
    members: dict[str, Any] = {
        "awsAccountId": chain.account_id,
        "digestStartTime": chain.start.strftime(_TIME),
        "digestEndTime": end.strftime(_TIME),
        "digestS3Bucket": bucket,
        "digestS3Object": digest_name(chain, end),
        "digestPublicKeyFingerprint": fingerprint(chain.public_key),
        "digestSignatureAlgorithm": ALGORITHM,
        "newestEventTime": max((each.newest for each in chain.files), default=None),
        "oldestEventTime": min((each.oldest for each in chain.files), default=None),
        "previousDigestS3Bucket": None if previous is None else previous.bucket,
        "previousDigestS3Object": None if previous is None else previous.name,
        "previousDigestHashValue": None if previous is None else previous.hash,
        "previousDigestHashAlgorithm": None if previous is None else "SHA-256",
        "previousDigestSignature": None if previous is None else previous.signature,
        "logFiles": [
            {
                "s3Bucket": bucket,
                "s3Object": each.name,
                "hashValue": each.hash,
                "hashAlgorithm": "SHA-256",
                "newestEventTime": each.newest,
                "oldestEventTime": each.oldest,
            }
            for each in chain.files
        ],
    }
    return orjson.dumps(members)


def sign_digest(
    private: rsa.RSAPrivateKey, chain: DigestChain, end: dt.datetime, bucket: str, content: bytes
) -> str:
    """Return the signature of a digest, hex."""
    previous = "null" if chain.previous is None else chain.previous.signature
    text = "\n".join(
        (
            end.strftime(_TIME),
            f"{bucket}/{digest_name(chain, end)}",
            hashlib.sha256(content).hexdigest(),
            previous,
        )
    )
    return private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()


def public_der(private: rsa.RSAPrivateKey) -> bytes:
    """Return the public key as ListPublicKeys gives it: PKCS #1, DER."""
    return private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)


def fingerprint(public_key: bytes) -> str:
    """Return what a digest names its key by: 32 hex digits of the key's SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:32]
