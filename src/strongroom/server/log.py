"""What the server tells its operator: a line per matter, on standard error; JSON unless on a terminal."""

from __future__ import annotations

import sys
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
    logger = structlog.wrap_logger(structlog.PrintLogger(sys.stderr), processors=processors)
    return logger.bind(process=process)
