"""Exit codes, and the errors that lead to them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager

import typer

__all__ = ["Exit", "refusals"]


class Exit(enum.IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    """Locked, a newer format, the wrong root key."""
    DAMAGED = 4
    """What was looked at has been altered."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turn errors a person can act on into a message on standard error and an exit code."""
    from strongroom.errors import IntegrityError, ServiceError
    from strongroom.operations.iam.bootstrap import BootstrapError
    from strongroom.rootkey import RootKeyError
    from strongroom.store.errors import RoomError
    from strongroom.trail.segment import TrailError

    try:
        yield
    except (RoomError, RootKeyError, TrailError) as error:
        _tell(str(error))
        raise typer.Exit(Exit.REFUSED) from error
    except BootstrapError as error:
        _tell(str(error))
        raise typer.Exit(Exit.USAGE) from error
    except IntegrityError as error:
        _tell(f"Damage found: {error}.")
        raise typer.Exit(Exit.DAMAGED) from error
    except (ServiceError, OSError) as error:
        _tell(str(error))
        raise typer.Exit(Exit.FAILED) from error


def _tell(message: str) -> None:
    typer.echo(f"strongroom: {message}", err=True)
