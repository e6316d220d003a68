"""What rotates: the rotators there are, and what runs functions. Made by each process that uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from strongroom.functions.runner import SandboxRunner
from strongroom.ports import STORED_CODE, FunctionRunner, Rotators, Store
from strongroom.rootkey import default_source
from strongroom.rotators.registry import load_rotators
from strongroom.server.homes import Home
from strongroom.server.settings import Settings

__all__ = ["are_functions", "open_functions", "open_rotators"]


def open_rotators() -> Rotators:
    """Return the rotators; the driver of each is loaded when it is first used."""
    return load_rotators()


def open_functions(settings: Settings, home: Home | None, log: Any) -> FunctionRunner | None:
    """Return what runs functions in this process; nothing is started before the first call. None: they would
    not reach the server."""
    if home is None:
        return None
    kind, _, place = (settings.root_key or default_source()).partition(":")
    kept_in_file = kind in ("file", "passphrase-file")
    path = Path(place or default_source().partition(":")[2]).expanduser()
    return SandboxRunner(
        settings.data_dir,
        log,
        hidden=(path,) if kept_in_file and not settings.ephemeral else (),
        ca_bundle=home.certificate,
        allow_unconfined=settings.functions.allow_unconfined,
    )


def are_functions(store: Store) -> bool:
    """Say whether there is any function, or layer; one look-up in the store."""
    return bool(store.read(lambda unit: unit.scan(STORED_CODE, "", limit=1)))
