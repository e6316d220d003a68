"""Records by POST to a URL, signed, in CloudTrail's or EventBridge's shape."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Final

import orjson
import urllib3

from strongroom.audit.eventbridge import eventbridge_events
from strongroom.trail.feed import FedRecord
from strongroom.trail.sinks.outlet import SinkError

__all__ = ["SIGNATURE", "TIMESTAMP", "WebhookOutlet", "sign"]

TIMESTAMP: Final = "X-Strongroom-Timestamp"
SIGNATURE: Final = "X-Strongroom-Signature"
TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=15.0)


class WebhookOutlet:
    """POSTs batches: `{"Records":[…]}`, or a list of EventBridge events. Redirects are not followed."""

    def __init__(
        self,
        url: str,
        key: bytes | None,
        *,
        eventbridge: bool = False,
        ca_file: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`key` signs each body; None: bodies are not signed."""
        self._url = url
        self._key = key
        self._eventbridge = eventbridge
        self._now = now
        self._pool = urllib3.PoolManager(num_pools=1, ca_certs=ca_file, retries=False, timeout=TIMEOUT)

    def deliver(self, records: Sequence[FedRecord]) -> None:
        body = self._body(records)
        if body is None:
            return
        headers = {"Content-Type": "application/json", "User-Agent": "strongroom"}
        if self._key is not None:
            timestamp = str(int(self._now()))
            headers |= {TIMESTAMP: timestamp, SIGNATURE: sign(self._key, timestamp, body)}
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            # The error's text may repeat the URL, and with it a token of it.
            raise SinkError(f"the webhook cannot be reached: {type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise SinkError(f"the webhook answered {answer.status}")

    def close(self) -> None:
        self._pool.clear()

    def _body(self, records: Sequence[FedRecord]) -> bytes | None:
        if not self._eventbridge:
            return b'{"Records":[' + b",".join(each.event for each in records) + b"]}"
        events = [event for each in records for event in eventbridge_events(orjson.loads(each.event))]
        return orjson.dumps(events) if events else None


def sign(key: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature of a body: `v1=` and the hex HMAC-SHA256 of timestamp, full stop and body."""
    return "v1=" + hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
