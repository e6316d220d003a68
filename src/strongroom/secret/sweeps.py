"""How far one look through all secrets has come that is taken once in the life of a store."""

from __future__ import annotations

import msgspec

__all__ = ["RotationSweep"]


class RotationSweep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The look for secrets whose rotation was configured by a version that kept no duties."""

    after: str = ""
    """The ARN up to which all secrets have been looked at."""
    done: bool = False
