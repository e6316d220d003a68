"""What is answered, and printed into the log, for each way in which a call ends. Pure.

Source: fact sheet rotation section 9; the texts are Lambda's.
"""

from __future__ import annotations

import json
import signal

from strongroom.functions.limits import PAYLOAD_BYTES
from strongroom.functions.redaction import Redactor
from strongroom.functions.sandbox import End, Ending

__all__ = ["answer_of", "report_line"]

UNHANDLED = "Unhandled"
"""Python functions know no other kind: `Handled` was for functions that reported errors by a callback."""


def answer_of(
    end: End, request_id: str, timeout_seconds: int, redactor: Redactor
) -> tuple[bytes, str | None]:
    """Return the payload and the function error.

    Values are taken out of errors, whose texts often quote them; what a handler returned is its own to tell.
    """
    if end.ending is Ending.ANSWER:
        payload = end.payload.encode("utf-8", "surrogatepass")
        if len(payload) > PAYLOAD_BYTES:
            message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES} bytes)."
            return _error("Function.ResponseSizeTooLarge", message), UNHANDLED
        if not end.failed:
            return payload, None
        return _redacted(payload, redactor), UNHANDLED
    if end.ending is Ending.TIMED_OUT:
        message = f"Error: Task timed out after {timeout_seconds:.2f} seconds"
        return _error("Sandbox.Timedout", f"RequestId: {request_id} {message}"), UNHANDLED
    if end.ending is Ending.MEMORY:
        message = "Error: Runtime exited with error: signal: killed"
        return _error("Runtime.OutOfMemory", f"RequestId: {request_id} {message}"), UNHANDLED
    return _error("Runtime.ExitError", f"RequestId: {request_id} {_exit(end.status)}"), UNHANDLED


def _exit(status: int | None) -> str:
    if not status:
        return "Error: Runtime exited without providing a reason"
    if status > 0:
        return f"Error: Runtime exited with error: exit status {status}"
    try:
        name = signal.strsignal(-status) or str(-status)
    except ValueError:
        name = str(-status)
    return f"Error: Runtime exited with error: signal: {name.lower()}"


def _redacted(payload: bytes, redactor: Redactor) -> bytes:
    text = redactor.redact(payload)
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        # Taking a value out has broken it, or it never was what the runtime writes.
        return _error("Runtime.Unknown", "The function failed; its message is not shown.")
    return text


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def report_line(request_id: str, seconds: float, memory_mb: int, peak_bytes: int) -> str:
    """Return the line that ends a call's log."""
    milliseconds = seconds * 1000
    return (
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: {peak_bytes // (1024 * 1024)} MB\n"
    )
