"""Looking at a secret that rotates and at its target, over and over: which labels open it?"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

LABELS = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")

Value = dict[str, Any]


class Watch:
    """Of one secret. `opens` tells whether a value opens the target, asked directly.

    With alternating users AWSCURRENT has to open it at every moment; with a single user some label has to.
    """

    def __init__(self, client: Any, name: str, opens: Callable[[Value], bool], *, alternating: bool) -> None:
        self._client, self._name, self._opens = client, name, opens
        self._alternating = alternating
        self._stop = threading.Event()
        self._gap_since: float | None = None
        self.looks = 0
        self.by_pending_alone = 0
        """How often only AWSPENDING opened it: a single user's password had changed, and no label yet."""
        self.longest_gap = 0.0
        """Seconds for which that lasted at most."""
        self.stranded: list[str] = []

    @contextmanager
    def looking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def look(self) -> None:
        """Look once; what is wrong is in `stranded`."""
        while True:
            before = self._value("AWSCURRENT")
            assert before is not None
            if self._opens(before):
                self._closed_gap()
                break
            # Changed just now, or moved since: as an application does, ask again.
            opening = [label for label in LABELS if self._opens_now(label)]
            if self._value("AWSCURRENT") != before:
                continue
            if self._alternating:
                self.stranded.append("AWSCURRENT does not open")
            elif not opening:
                self.stranded.append("no label opens")
            elif opening == ["AWSPENDING"]:
                self.by_pending_alone += 1
                self._gap_since = self._gap_since or time.monotonic()
            break
        self.looks += 1

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            try:
                self.look()
            except (BotoCoreError, ClientError):
                continue  # the server is away

    def _closed_gap(self) -> None:
        since, self._gap_since = self._gap_since, None
        if since is not None:
            self.longest_gap = max(self.longest_gap, time.monotonic() - since)

    def _opens_now(self, label: str) -> bool:
        value = self._value(label)
        return value is not None and self._opens(value)

    def _value(self, label: str) -> Value | None:
        try:
            answer = self._client.get_secret_value(SecretId=self._name, VersionStage=label)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None
        value: Value = json.loads(answer["SecretString"])
        return value
