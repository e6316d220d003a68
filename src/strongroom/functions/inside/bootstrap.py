"""The sandbox's own program: gives up what it must not have, then serves calls until the server hangs up."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from .confinement import confine, limit_memory
from .frames import frame, receive
from .handling import LambdaContext, fault_of, load_handler, marshal, set_up_logging
from .preloading import preload, spare_pyopenssl
from .reporting import Credentials, install
from .warden import stand

__all__ = ["main"]

THREAD_STACK_BYTES: Final = 2 * 1024 * 1024
"""A thread's stack counts as data as soon as the thread exists."""


def main(config: dict[str, Any]) -> None:
    """Serve invocations. Ends with the process."""
    parent = None
    if config["leash"] is not None:
        parent = os.getpid()
        stand(config["leash"])
    confine(config, parent)
    _Runtime(_control_channel()).serve(config)


def _control_channel() -> socket.socket:
    """Return the channel, which came as standard input; nothing that is executed inherits it."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return channel


class _Runtime:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._sending = threading.Lock()
        self._renew: Callable[[Credentials], None] = lambda _: None

    def serve(self, config: dict[str, Any]) -> None:
        threading.stack_size(THREAD_STACK_BYTES)
        sys.dont_write_bytecode = True
        sys.path += config["packages"]
        spare_pyopenssl()
        # What is imported stays. Looking for garbage in it takes a quarter of the time that imports take.
        gc.disable()
        if config["preload"]:
            preload()
        self._send({"kind": "ready"})
        load = receive(self._channel)
        if load is None:
            return
        name_request, handler = set_up_logging(), None
        self._prepare(config, load)
        fault: Exception | None = None
        while (call := receive(self._channel)) is not None:
            name_request(call["facts"]["request_id"])
            self._take_credentials(call["credentials"])
            if handler is None and fault is None:
                try:
                    handler = load_handler(load["handler"])
                except Exception as error:
                    fault = error
                gc.freeze()
                gc.enable()
                self._send({"kind": "loaded"})
            self._answer(handler, call, fault)
            if fault is not None:
                return

    def _prepare(self, config: dict[str, Any], load: dict[str, Any]) -> None:
        limit_memory(load["memory_mb"])
        os.environ.clear()
        os.environ.update(load["environment"])
        if load["environment"].get("TZ"):
            time.tzset()
        os.chdir(config["task"])
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        layers = [
            f"{config['layers']}/python",
            f"{config['layers']}/python/lib/{version}/site-packages",
        ]
        sys.path[:0] = [config["task"], *layers]
        self._renew = install(self._report)

    def _take_credentials(self, credentials: list[str]) -> None:
        access_key_id, secret_access_key, session_token = credentials
        os.environ["AWS_ACCESS_KEY_ID"] = access_key_id
        os.environ["AWS_SECRET_ACCESS_KEY"] = secret_access_key
        os.environ["AWS_SESSION_TOKEN"] = session_token
        self._renew((access_key_id, secret_access_key, session_token))

    def _answer(self, handler: Any, call: dict[str, Any], fault: Exception | None) -> None:
        request_id = call["facts"]["request_id"]
        try:
            if fault is not None:
                raise fault
            context = LambdaContext(call["facts"], time.monotonic() + call["timeout_seconds"])
            payload, failed = marshal(handler(json.loads(call["event"]), context)), False
        except Exception as error:
            answer = fault_of(error, request_id)
            payload, failed = json.dumps(answer), True
            with contextlib.suppress(Exception):  # what it prints to may be closed
                sys.stdout.write(_printed(answer))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        self._send({"kind": "answer", "payload": payload, "failed": failed, "request_id": request_id})

    def _report(self, values: list[str]) -> None:
        self._send({"kind": "values", "values": values})

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending:
            self._channel.sendall(frame(message))


def _printed(answer: dict[str, Any]) -> str:
    lines = [f"[ERROR] {answer['errorType']}: {answer['errorMessage']}\n"]
    if answer["stackTrace"]:
        lines += ["Traceback (most recent call last):\n", *answer["stackTrace"]]
    return "".join(lines)
