"""A process that changes and asks the world of `permission_world` in a data directory, line by line.

`python -m support.decider ROOM` reads `change NAME: CHOICE` and `ask WHO: CHOICE`, and answers each with one
line: what was decided with memories, and what was decided afresh.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from strongroom.operations.authorize import DecisionMemory
from strongroom.operations.call import Resources
from strongroom.operations.standing import StandingMemory
from strongroom.policy.evaluation import Decision
from strongroom.store.sqlite import SqliteStore
from support.permission_world import CHANGES, Asker


def an_asker(store: Any) -> Asker:
    """Return questions with new memories, as a worker has them."""
    nothing: Any = None
    return Asker(
        remembering=Resources(
            store, nothing, nothing, decision_memory=DecisionMemory(), standing_memory=StandingMemory()
        ),
        forgetful=Resources(store, nothing, nothing),
    )


def told(decision: Decision) -> str:
    """Return all of a decision that a line can hold."""
    determining = [(each.layer.value, each.label, each.index) for each in decision.determining]
    refusing = [each.value for each in decision.refusing]
    return repr((decision.allowed, decision.layer.value, decision.explicit, determining, refusing))


def main() -> None:
    store = SqliteStore.open(Path(sys.argv[1]))
    asker = an_asker(store)
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        name, _, number = rest.partition(": ")
        choice = int(number)
        if verb == "change":
            store.write(lambda unit, name=name, choice=choice: CHANGES[name](unit, choice)).result()
            print("done", flush=True)
        else:
            remembered, fresh = store.read(
                lambda unit, name=name, choice=choice: asker.ask(unit, name, choice)
            )
            print(told(remembered), told(fresh), sep="\t", flush=True)
    store.close()


if __name__ == "__main__":
    main()
