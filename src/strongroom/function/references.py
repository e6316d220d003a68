"""How callers name functions and layers: by name, ARN or part of one, with or without a qualifier. Pure.

The texts were checked against the model's patterns before; this only takes them apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from strongroom.function.records import LATEST
from strongroom.names import AccountId, Arn, Region, partition_of

__all__ = ["FunctionRef", "LayerRef", "function_arn", "layer_arn", "parse_function_ref", "parse_layer_ref"]

_FUNCTION: Final = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2,4}(?:-[a-z]+)+-[0-9]):)?(?:([0-9]{12}):)?(?:function:)?"
    r"([a-zA-Z0-9_-]+)(?::(\$LATEST|[a-zA-Z0-9_-]+))?"
)
_LAYER: Final = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:([a-z]{2,4}(?:-[a-z]+)+-[0-9]):([0-9]{12}):layer:([a-zA-Z0-9_-]+)(?::([0-9]{1,9}))?"
)


@dataclass(frozen=True, slots=True)
class FunctionRef:
    region: Region
    account_id: AccountId
    name: str
    qualifier: str | None
    """A version, an alias, or None when the function itself is named."""

    @property
    def arn(self) -> Arn:
        """Without the qualifier."""
        return function_arn(self.region, self.account_id, self.name)

    @property
    def qualified_arn(self) -> Arn:
        return self.arn if self.qualifier is None else Arn(f"{self.arn}:{self.qualifier}")

    @property
    def version_or_alias(self) -> str:
        return self.qualifier or LATEST


@dataclass(frozen=True, slots=True)
class LayerRef:
    region: Region
    account_id: AccountId
    name: str
    version: int | None

    @property
    def arn(self) -> Arn:
        """Without the version."""
        return layer_arn(self.region, self.account_id, self.name)


def function_arn(region: str, account_id: str, name: str) -> Arn:
    return Arn(f"arn:{partition_of(region)}:lambda:{region}:{account_id}:function:{name}")


def layer_arn(region: str, account_id: str, name: str) -> Arn:
    return Arn(f"arn:{partition_of(region)}:lambda:{region}:{account_id}:layer:{name}")


def parse_function_ref(text: str, region: Region, account_id: AccountId) -> FunctionRef | None:
    """Return what `text` names, as seen from a region and an account; None when it names no function."""
    found = _FUNCTION.fullmatch(text)
    if found is None:
        return None
    in_region, in_account, name, qualifier = found.groups()
    return FunctionRef(
        Region(in_region or region), AccountId(in_account or account_id), name, qualifier or None
    )


def parse_layer_ref(text: str, region: Region, account_id: AccountId) -> LayerRef | None:
    """Return what a layer's name, ARN or version ARN names; None when it is none of these."""
    found = _LAYER.fullmatch(text)
    if found is not None:
        version = None if found[4] is None else int(found[4])
        return LayerRef(Region(found[1]), AccountId(found[2]), found[3], version)
    if re.fullmatch(r"[a-zA-Z0-9_-]+", text) is None:
        return None
    return LayerRef(region, account_id, text, None)
