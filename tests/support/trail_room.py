"""A room in memory for tests of CloudTrail's operations: with a root key, and an index when one is given."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec.structs import replace

from strongroom.identity.principal import Principal
from strongroom.names import Region
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Call, Operation, Resources
from strongroom.ports import EventIndex
from strongroom.rootkey.held import HeldRootKey
from strongroom.wire.models import ServiceModel, load_service
from support.entropies import SeededEntropy, pattern
from support.secret_room import NOON, REGION, Room, root


@cache
def model() -> ServiceModel:
    return load_service("cloudtrail")


class TrailRoom(Room):
    def __init__(self, events: EventIndex | None = None) -> None:
        super().__init__()
        self.events_index = events
        self.root_key = HeldRootKey(pattern("the root key of a trail room", 32), SeededEntropy(1))

    def ask(
        self,
        operation: Operation,
        request: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: str = REGION,
    ) -> Any:
        """Answer a request as it comes over the wire, preparing what the operation wants prepared."""
        call = Call(
            service="cloudtrail",
            operation=operation.name,
            request=model().operations[operation.name].decode(json.dumps(request or {}).encode()),
            principal=principal or root(),
            region=Region(region),
            received_at=now,
            request_id="11111111-2222-3333-4444-555555555555",
            resources=Resources(
                store=self, root_key=self.root_key, entropy=self.entropy, events=self.events_index
            ),
            details={},
        )
        authorized = authorize(call, self, operation.targets(call, self))
        if operation.prepare is not None:
            work = operation.prepare(authorized, self)
            assert work is not None
            call = replace(call, prepared=work())
            authorized = authorize(call, self, operation.targets(call, self))
        return operation.handle(authorized, self)
