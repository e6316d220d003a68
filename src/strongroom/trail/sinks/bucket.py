"""Records as log files in a bucket of anything that speaks S3, laid out as CloudTrail does.

Source: fact sheet cloudtrail section 7.
"""

from __future__ import annotations

import gzip
import hashlib
import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import orjson
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strongroom.trail.feed import FedRecord
from strongroom.trail.sinks.outlet import SinkError

__all__ = ["Bucket", "BucketOutlet", "log_files"]

TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=30.0)
_ALPHANUMERIC: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Bucket:
    endpoint: str
    """`https://host[:port]`; the bucket's name follows as the first part of the path."""
    name: str
    prefix: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    ca_file: str | None = None


class BucketOutlet:
    """Puts one gzip file for each account and region of a delivery."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._pool = urllib3.PoolManager(num_pools=1, ca_certs=bucket.ca_file, retries=False, timeout=TIMEOUT)
        self._signer = S3SigV4Auth(
            Credentials(bucket.access_key_id, bucket.secret_access_key), "s3", bucket.region
        )

    def deliver(self, records: Sequence[FedRecord]) -> None:
        for name, content in log_files(records, _unique):
            self._put(f"{self._bucket.prefix}/{name}".lstrip("/"), gzip.compress(content, mtime=0))

    def close(self) -> None:
        self._pool.clear()

    def _put(self, key: str, body: bytes) -> None:
        url = f"{self._bucket.endpoint}/{self._bucket.name}/{quote(key)}"
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest(),
        }
        request = AWSRequest("PUT", url, headers=headers, data=body)
        self._signer.add_auth(request)
        try:
            answer = self._pool.request(
                "PUT", url, body=body, headers=dict(request.headers.items()), redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise SinkError(f"the bucket cannot be reached: {type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise SinkError(f"the bucket answered {answer.status}")


def log_files(records: Sequence[FedRecord], unique: Callable[[], str]) -> list[tuple[str, bytes]]:
    """Return names and contents of the log files that hold these records, one an account and region.

    `unique` returns sixteen alphanumerics, other ones each time.
    """
    groups: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
    for each in records:
        record = orjson.loads(each.event)
        place = record["recipientAccountId"] or "unknown", record["awsRegion"] or "unknown"
        groups.setdefault(place, []).append((record["eventTime"], each.event))
    files = []
    for (account, region), members in groups.items():
        last = max(at for at, _ in members)
        day, minute = last[:10], last[:16].replace("-", "").replace(":", "")
        name = (
            f"AWSLogs/{account}/CloudTrail/{region}/{day.replace('-', '/')}/"
            f"{account}_CloudTrail_{region}_{minute}Z_{unique()}.json.gz"
        )
        files.append((name, b'{"Records":[' + b",".join(event for _, event in members) + b"]}"))
    return files


def _unique() -> str:
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(16))
