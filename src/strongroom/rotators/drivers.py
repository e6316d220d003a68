"""The drivers of the targets: extras, imported when a rotation first needs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from strongroom.secret.document import FaultKind, RotationFault

__all__ = ["load_driver"]


def load_driver(module: str, extra: str) -> ModuleType:
    """Return an imported driver.

    Raises:
        RotationFault: it is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        message = f"the driver {module} is not installed here; install strongroom[{extra}]"
        raise RotationFault(FaultKind.FUNCTION, message) from exc
