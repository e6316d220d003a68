"""What this server answers besides the services of AWS. Its model: `wire/services/strongroom`."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation
from strongroom.operations.strongroom.decisions import EXPLAIN_DECISION

OPERATIONS: Final[tuple[Operation, ...]] = (EXPLAIN_DECISION,)

UNSUPPORTED: Final[dict[str, str]] = {}
