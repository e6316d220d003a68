"""Revision ids. Pure."""

from __future__ import annotations

import uuid
from typing import Final

REVISION_BYTES: Final = 16


def revision_id(randomness: bytes) -> str:
    """Return a random UUID of REVISION_BYTES random bytes."""
    return str(uuid.UUID(bytes=randomness, version=4))
