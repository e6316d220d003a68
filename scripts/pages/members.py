"""Which members of the service models the program deals with, and which it is declared to leave alone.

`docs/compatibility.json` names, for every supported operation, every member of its request and response: with
an empty text when it is dealt with, with the reason when it is not. What the installed botocore has and the
file has not is new: somebody has to decide about it before the tests pass again.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import botocore
from botocore.loaders import Loader

from strongroom.operations.call import Operation
from strongroom.operations.catalog import CATALOG
from strongroom.wire.models import OWN_MODELS

RECORD: Final = Path(__file__).parents[2] / "docs" / "compatibility.json"
UNDECIDED: Final = "UNDECIDED"
DIRECTIONS: Final = {"request": "input", "response": "output"}

Members = dict[str, str]
"""Path of a member, such as `Filters[].Key`, to the reason it is left alone; empty: it is not."""
Record = dict[str, dict[str, dict[str, Members]]]
"""Service, operation, `request` or `response`."""


@functools.cache
def model(service: str) -> Mapping[str, Any]:
    """Return the installed botocore's model of a service, or that of a service of our own."""
    loaded: Mapping[str, Any] = Loader(extra_search_paths=[str(OWN_MODELS)]).load_service_model(
        service, "service-2"
    )
    return loaded


def load_record() -> tuple[str, Record]:
    """Return the version of botocore the record was last brought up to, and the record."""
    content = json.loads(RECORD.read_text(encoding="utf-8"))
    return content["botocore"], content["services"]


def save_record(record: Record) -> None:
    content = {"botocore": botocore.__version__, "services": record}
    RECORD.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def model_members(service: str, operation: str, direction: str) -> list[str]:
    """Return the paths of all members, nested ones included, sorted."""
    shape = model(service)["operations"][operation].get(DIRECTIONS[direction], {}).get("shape")
    return [] if shape is None else sorted(_paths(model(service)["shapes"], shape, "", frozenset()))


def _paths(shapes: Mapping[str, Any], shape: str, prefix: str, within: frozenset[str]) -> Iterator[str]:
    if shape in within:
        return
    within |= {shape}
    definition = shapes[shape]
    if definition["type"] == "structure":
        for name, member in definition["members"].items():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from _paths(shapes, member["shape"], path, within)
    elif definition["type"] == "list":
        yield from _paths(shapes, definition["member"]["shape"], f"{prefix}[]", within)
    elif definition["type"] == "map":
        yield from _paths(shapes, definition["value"]["shape"], f"{prefix}{{}}", within)


def updated(record: Record) -> Record:
    """Return the record with what the models have now: new members undecided, gone ones left out."""
    return {
        service: {
            operation: {
                direction: {
                    path: record.get(service, {}).get(operation, {}).get(direction, {}).get(path, UNDECIDED)
                    for path in model_members(service, operation, direction)
                }
                for direction in DIRECTIONS
            }
            for operation in sorted(served.operations)
        }
        for service, served in CATALOG.items()
    }


def faults(record: Record) -> list[str]:
    """Return what is wrong with the record, a sentence each: empty when every member is decided about."""
    found = []
    for service, operation, direction, members in _every(updated(record)):
        where = f"{service} {operation}, {direction}:"
        recorded = record.get(service, {}).get(operation, {}).get(direction, {})
        found += [
            f"{where} {path} is no longer in the model." for path in sorted(set(recorded) - set(members))
        ]
        mentioned = mentions(CATALOG[service].operations[operation])
        for path, reason in members.items():
            is_named = path.rpartition(".")[2].removesuffix("[]") in mentioned
            if reason == UNDECIDED:
                found.append(f"{where} {path} is new and not decided about.")
            elif not reason and not is_named:
                found.append(
                    f"{where} {path} is said to be dealt with, but no code of the operation names it."
                )
            elif reason and is_named and direction == "request":
                found.append(f"{where} {path} is said to be left alone, but code of the operation names it.")
    return found


def left_alone(record: Record, service: str, operation: str) -> Iterator[tuple[str, str, str]]:
    """Yield direction, path and reason of members an operation leaves alone, not also of what is in them."""
    for direction, members in record.get(service, {}).get(operation, {}).items():
        above = ""
        for path, reason in members.items():
            if reason and not (above and path.startswith((f"{above}.", f"{above}[]", f"{above}{{}}"))):
                above = path
                yield direction, path, reason


def _every(record: Record) -> Iterator[tuple[str, str, str, Members]]:
    for service, operations in record.items():
        for operation, directions in operations.items():
            for direction, members in directions.items():
                yield service, operation, direction, members


# What a handler names

_OURS: Final = "strongroom."


def mentions(operation: Operation) -> set[str]:
    """Return every text constant in the code an operation can reach from its declaration.

    More than it reads, never less: a member whose name is not among them is not dealt with. It follows
    functions, classes, dataclasses, closures, partials and collections of the program's own modules.
    """
    found: set[str] = set()
    seen: set[int] = set()
    waiting: list[Any] = [
        operation.handle,
        operation.targets,
        operation.identification,
        operation.prepare,
    ]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, str):
            found.add(value)
        else:
            waiting.extend(_parts(value))
    return found


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, types.FunctionType):
        if not value.__module__.startswith(_OURS):
            return ()
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [*_named(value.__code__, value.__globals__), *cells, *(value.__defaults__ or ())]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if hasattr(value, "__wrapped__"):
        return [value.__wrapped__]
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget]
    if isinstance(value, type):
        return list(vars(value).values()) if value.__module__.startswith(_OURS) else ()
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, (tuple, list, set, frozenset)):
        return value
    if dataclasses.is_dataclass(value) and type(value).__module__.startswith(_OURS):
        return [type(value), *(getattr(value, field.name) for field in dataclasses.fields(value))]
    return ()


def _named(code: types.CodeType, scope: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the constants of a code object and what its names mean in its module."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _named(constant, scope)
        else:
            yield constant
    for name in code.co_names:
        value = scope.get(name)
        if isinstance(value, types.ModuleType):
            if value.__name__.startswith(_OURS):
                yield from (getattr(value, each) for each in code.co_names if hasattr(value, each))
        elif value is not None:
            yield value
