"""Where the functions that run on this server reach it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.server.settings import FurtherListener, Settings, local_url

__all__ = ["NO_HOME", "Home", "home_of"]

NO_HOME: Final = (
    "every address of it asks for client certificates, which functions do not have; see --listeners"
)


@dataclass(frozen=True, slots=True)
class Home:
    """An address that functions are given."""

    endpoint_url: str
    certificate: Path | None
    """What the server shows there; None: nothing is encrypted."""


def home_of(settings: Settings) -> Home | None:
    """Return the address that is marked for functions, or else the first that lets everybody connect; None:
    there is no such."""
    listeners: list[Settings | FurtherListener] = [settings, *settings.further_listeners]
    marked = [each for each in settings.further_listeners if each.functions]
    for each in marked or listeners:
        if each.tls is None or each.tls.client_ca is None:
            return Home(local_url(each), None if each.tls is None else each.tls.certificate)
    return None
