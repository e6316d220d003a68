"""What the server tells its operator: a line per matter, on standard error; JSON unless on a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

__all__ = ["open_log"]


def open_log(process: str) -> Any:
    """Return the log of one process. Tracebacks come without local variables: those may hold values."""
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if sys.stderr.isatty():
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        processors.append(structlog.processors.JSONRenderer())
    logger = structlog.wrap_logger(_Lines(sys.stderr), processors=processors)
    return logger.bind(process=process)


class _Lines(structlog.PrintLogger):
    """Writes lines. One that cannot be written (the disk is full, the reader has gone) is lost: what was to
    be told must not stop, or change the answer of, whoever tells it."""

    def msg(self, message: str) -> None:
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg
