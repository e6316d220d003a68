"""What becomes known of a call on its way through the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from strongroom.names import Region
from strongroom.operations.call import Call, Operation, Target
from strongroom.server.callers import Caller
from strongroom.wire.http import HttpRequest
from strongroom.wire.models import OperationModel, ServiceModel

__all__ = ["GLOBAL_REGION", "Attempt"]

GLOBAL_REGION: Final = Region("us-east-1")
"""Where records of services without regions are filed (fact sheet cloudtrail section 1)."""
_UNKNOWN_OPERATION: Final = "Unknown"


@dataclass(slots=True)
class Attempt:
    """What is known of a call so far, for its record."""

    request: HttpRequest
    service: ServiceModel | None = None
    operation: str = _UNKNOWN_OPERATION
    model: OperationModel | None = None
    declared: Operation | None = None
    caller: Caller | None = None
    claimed_account: str = ""
    """The account of the access key a request names, whether or not the signature then holds."""
    region: str = ""
    call: Call | None = None
    targets: Sequence[Target] = ()
    waited: bool = False
    """It was put off for as long as calls are."""
    prepared: Any = None
    """What the operation's slow work came to."""
    explained_to: frozenset[str] = frozenset()
    """The accounts that have a decision record of the call."""
    decoded: Mapping[str, Any] | None = None
    """The request's members, where it was large: it is decoded once, on a worker thread."""
    outcome: str = "ok"
    """`ok`, or the error code of the answer."""
