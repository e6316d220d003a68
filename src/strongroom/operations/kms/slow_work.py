"""Work with private keys that is done on a worker thread before a call is handled (see `call.Prepare`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from strongroom.keys.records import KmsKey
from strongroom.keys.specs import SLOW_SPECS
from strongroom.operations.call import Call

T = TypeVar("T")


class Prepared:
    """What came of the work with one generation of a key's material. Without text form: it may be secret."""

    __slots__ = ("material_id", "result")

    def __init__(self, material_id: str, result: object) -> None:
        self.material_id = material_id
        self.result = result


def slow_work(key: KmsKey, work: Callable[[], object]) -> Callable[[], Prepared] | None:
    """Return `work` to be done on a worker thread; None for keys that it takes no time with."""
    if key.spec not in SLOW_SPECS:
        return None
    material_id = key.materials[-1].material_id
    return lambda: Prepared(material_id, work())


def done(call: Call, key: KmsKey, work: Callable[[], T]) -> T:
    """Return what `work` comes to: done before with this key's material, or else done here and now.

    The key may be another one by now, when an alias was pointed elsewhere while the thread was at work.
    """
    prepared = call.prepared
    if isinstance(prepared, Prepared) and prepared.material_id == key.materials[-1].material_id:
        # Of the type of `work`: the same was given to slow_work.
        return cast("T", prepared.result)
    return work()
