"""Loads the handler, calls it, and says how that ended, as Lambda's Python runtime does.

Source: fact sheet rotation section 9; the texts are those of Lambda's runtime for Python.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

__all__ = ["HandlerFault", "LambdaContext", "fault_of", "load_handler", "marshal", "set_up_logging"]

Handler = Callable[[Any, Any], Any]

RUNTIME_FRAMES: Final = "strongroom_runtime"


class HandlerFault(Exception):
    """The function could not be called at all."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


class _Identity:
    """What Lambda passes for calls through Cognito: nothing here."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class LambdaContext:
    """The second argument of a handler."""

    def __init__(self, facts: dict[str, Any], ends_at: float) -> None:
        self.aws_request_id: str = facts["request_id"]
        self.function_name: str = facts["function_name"]
        self.function_version: str = facts["function_version"]
        self.invoked_function_arn: str = facts["function_arn"]
        self.memory_limit_in_mb: str = str(facts["memory_mb"])
        self.log_group_name: str = facts["log_group"]
        self.log_stream_name: str = facts["log_stream"]
        self.identity = _Identity()
        self.client_context = None
        self.tenant_id = None
        self._ends_at = ends_at

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        return max(int((self._ends_at - time.monotonic()) * 1000), 0)

    def log(self, message: object) -> None:
        """Print a line, as the method of that name always did."""
        sys.stdout.write(str(message) + "\n")

    def __repr__(self) -> str:
        return f"LambdaContext([aws_request_id={self.aws_request_id},function_name={self.function_name}])"


class _RequestFilter(logging.Filter):
    """Puts the present request's id on every record."""

    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        return True


def set_up_logging() -> Callable[[str], None]:
    """The root logger has Lambda's handler, at WARNING; returns what tells it the request's id."""
    now = _RequestFilter()
    handler = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(now)
    logging.getLogger().addHandler(handler)

    def name_request(request_id: str) -> None:
        now.request_id = request_id

    return name_request


def load_handler(name: str) -> Handler:
    """Return the function that `module.function` or `dir/module.function` names.

    Raises:
        HandlerFault: the name is malformed, the module cannot be imported, or has no such member.
    """
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise HandlerFault("Runtime.MalformedHandlerName", f"Bad handler '{name}': {error}") from error
    dotted = module_name.replace("/", ".")
    if dotted.split(".")[0] in sys.builtin_module_names:
        raise HandlerFault(
            "Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module"
        )
    try:
        module = importlib.import_module(dotted)
    except ImportError as error:
        raise HandlerFault(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise HandlerFault(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace
        ) from error
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError as error:
        raise HandlerFault(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        ) from error
    return handler


def marshal(answer: Any) -> str:
    """Return what a handler returned as JSON.

    Raises:
        HandlerFault: it cannot be written as JSON.
    """
    try:
        return json.dumps(answer, default=_number)
    except Exception as error:
        raise HandlerFault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _number(value: Any) -> float:
    decimal = sys.modules.get("decimal")
    # Who has made a number of it has imported it.
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {value.__class__.__name__} is not JSON serializable")


def fault_of(error: BaseException, request_id: str) -> dict[str, Any]:
    """Return how an exception is answered."""
    if isinstance(error, HandlerFault):
        kind, trace = error.kind, error.trace
    else:
        kind, trace = type(error).__name__, _own_frames(error.__traceback__)
    message = "an exception that cannot be printed"
    with contextlib.suppress(Exception):  # its __str__ is the function's
        message = str(error)
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def _own_frames(trace: TracebackType | None) -> list[str]:
    frames = [
        f
        for f in traceback.extract_tb(trace)
        if RUNTIME_FRAMES not in f.filename and not f.filename.startswith("<frozen")
    ]
    return traceback.format_list(frames)
