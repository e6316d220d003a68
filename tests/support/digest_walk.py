"""CloudTrail's way to check log files: from the newest digest back, as its documentation describes it.

Written from the description (fact sheet cloudtrail, section 8), with nothing of the program's.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

KEY = re.compile(
    r"AWSLogs/(\d{12})/CloudTrail-Digest/([a-z0-9-]+)/\d{4}/\d\d/\d\d/\1_CloudTrail-Digest_\2_.*Z\.json\.gz"
)


class Bucket:
    """A directory that stands for a bucket."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = directory.name

    def content(self, key: str) -> bytes | None:
        path = self.directory / key
        return gzip.decompress(path.read_bytes()) if path.exists() else None

    def metadata(self, key: str) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.directory / f"{key}.metadata.json").read_text())
        return found

    def digests(self, account: str, region: str) -> list[str]:
        """Return the keys of an account's digests in a region, the oldest first."""
        root = self.directory / "AWSLogs" / account / "CloudTrail-Digest" / region
        return sorted(str(path.relative_to(self.directory)) for path in root.rglob("*.json.gz"))


def walk(bucket: Bucket, account: str, region: str, keys: Mapping[str, bytes]) -> list[str]:
    """Return what is wrong, the newest first; `keys` are public keys (PKCS #1, DER) by fingerprint."""
    found = bucket.digests(account, region)
    wrong: list[str] = []
    signature: str | None = None
    expected_hash: str | None = None
    key: str | None = found[-1] if found else None
    while key is not None:
        raw = bucket.content(key)
        if raw is None:
            wrong.append(f"missing digest {key}")
            break
        try:
            digest = json.loads(raw)
            _ = digest["digestS3Bucket"], digest["digestS3Object"], digest["digestPublicKeyFingerprint"]
        except (ValueError, KeyError, TypeError):
            wrong.append(f"unreadable digest {key}")
            break
        if KEY.fullmatch(key) is None or (digest["digestS3Bucket"], digest["digestS3Object"]) != (
            bucket.name,
            key,
        ):
            wrong.append(f"moved digest {key}")
            break
        if expected_hash is not None and hashlib.sha256(raw).hexdigest() != expected_hash:
            wrong.append(f"altered digest {key}")
            break
        signature = signature or bucket.metadata(key)["signature"]
        if digest["digestPublicKeyFingerprint"] not in keys:
            wrong.append(f"unknown key of digest {key}")
            break
        if not _is_signed(digest, raw, signature, keys[digest["digestPublicKeyFingerprint"]]):
            wrong.append(f"signature of digest {key}")
            break
        wrong += _logs(bucket, digest)
        previous = digest["previousDigestS3Object"]
        members = [digest[each] for each in digest if each.startswith("previousDigest")]
        assert len(members) == 5 and all((each is None) == (previous is None) for each in members)
        if previous is None:
            # A chain that begins here: older ones, of another trail perhaps, are walked by themselves.
            older = [each for each in found if each < key]
            key, signature, expected_hash = (older[-1] if older else None), None, None
            continue
        key, signature = previous, digest["previousDigestSignature"]
        expected_hash = digest["previousDigestHashValue"]
    return wrong


def _logs(bucket: Bucket, digest: dict[str, Any]) -> list[str]:
    wrong = []
    for each in digest["logFiles"]:
        assert each["s3Bucket"] == bucket.name and each["hashAlgorithm"] == "SHA-256"
        try:
            content = bucket.content(each["s3Object"])
        except (OSError, EOFError, ValueError):
            content = b""
        if content is None:
            wrong.append(f"missing log {each['s3Object']}")
        elif hashlib.sha256(content).hexdigest() != each["hashValue"]:
            wrong.append(f"altered log {each['s3Object']}")
    return wrong


def _is_signed(digest: dict[str, Any], raw: bytes, signature: str, key: bytes) -> bool:
    public = load_der_public_key(key)
    assert isinstance(public, rsa.RSAPublicKey) and public.key_size == 2048
    text = (
        f"{digest['digestEndTime']}\n{digest['digestS3Bucket']}/{digest['digestS3Object']}\n"
        f"{hashlib.sha256(raw).hexdigest()}\n{digest['previousDigestSignature'] or 'null'}"
    )
    try:
        public.verify(bytes.fromhex(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
