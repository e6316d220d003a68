"""Running one operation of a room and looking at the refusals it noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from strongroom.errors import ServiceError
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Call, Operation, Unit
from strongroom.operations.refusals import Refusal, refusals_of
from support.key_room import KeyRoom


def keep_nothing(_: bytes) -> None:
    """Stands for a process that keeps records."""


class Outcome:
    def __init__(self, call: Call, error: ServiceError | None, answer: Any) -> None:
        self.call = call
        self.error = error
        self.answer = answer

    @property
    def refusals(self) -> list[Refusal]:
        return refusals_of(self.call)


def attempt(
    room: KeyRoom, operation: Operation, request: Mapping[str, Any], *, service: str = "kms", **members: Any
) -> Outcome:
    """Return how a call went in a process that keeps decision records; a failed write leaves nothing."""
    call = room.call(operation.name, request, service=service, **members)
    call = replace(call, resources=replace(room.resources, keep_decision=keep_nothing))

    def answer(unit: Any) -> Any:
        return operation.handle(authorize(call, unit, operation.targets(call, unit)), unit)

    try:
        done = answer(room.unit) if operation.unit is Unit.READ else room.store.write(answer).result()
    except ServiceError as error:
        return Outcome(call, error, None)
    return Outcome(call, None, done)
