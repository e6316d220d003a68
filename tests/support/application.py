"""An application that follows the advice for rotated credentials: it keeps the value it read; when the target
refuses it, it reads again, for a moment if it has to, and tries once more."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

PATIENCE_SECONDS = 30


class Application:
    """Logs in to a target over and over, on a thread."""

    def __init__(self, client: Any, secret: str, logs_in: Callable[[str, str], bool]) -> None:
        self._client, self._secret, self._logs_in = client, secret, logs_in
        self._stop = threading.Event()
        self._value = self._read()
        self.served = 0
        self.second_tries = 0
        self.failed = 0

    @contextmanager
    def working(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._opens():
                self.served += 1
                continue
            self._value = self._read_another()
            self.second_tries += 1
            if self._opens():
                self.served += 1
            else:
                self.failed += 1

    def _read_another(self) -> dict[str, str]:
        """Return the value that has come in the place of the one that was refused.

        With one user there is a moment between the change in the target and that of the label.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        value = self._value
        while value == self._value and time.monotonic() < deadline:
            with suppress(BotoCoreError, ClientError):  # the server may be away
                value = self._read()
        return value

    def _opens(self) -> bool:
        return self._logs_in(self._value["username"], self._value["password"])

    def _read(self) -> dict[str, str]:
        answer = self._client.get_secret_value(SecretId=self._secret)
        value: dict[str, str] = json.loads(answer["SecretString"])
        return value
