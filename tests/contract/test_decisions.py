"""Decisions remembered by the processes of a node equal those made afresh, whoever changed what they hang on
(DESIGN promise 3)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.policy.evaluation import Decision
from strongroom.store.memory import Limits
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from support.decider import an_asker
from support.permission_world import CHANGES, PRINCIPALS, begin

TESTS = Path(__file__).parents[1]
CHOICES = st.integers(0, 400)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["change", "changed and undone"]), st.sampled_from(sorted(CHANGES)), CHOICES
        ),
        st.tuples(st.sampled_from(["read", "write"]), st.sampled_from(sorted(PRINCIPALS)), CHOICES),
        st.tuples(
            st.sampled_from(["read", "write"]),
            st.sampled_from(sorted(PRINCIPALS)),
            st.sampled_from([6, 7, 12, 24, 60]),
        ),
    ),
    max_size=30,
)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "room"
    with Room.create(path):
        yield path


class Undone(Exception):
    """Ends a write that is to leave nothing."""


@pytest.mark.parametrize("limits", [Limits(), Limits(entries=2)], ids=["enough memory", "hardly any memory"])
def test_readers_and_the_writer_never_answer_from_what_was(room: Path, limits: Limits) -> None:
    store = SqliteStore.open(room, limits=limits)
    asker = an_asker(store)
    seen: set[Decision] = set()

    @settings(max_examples=60)
    @given(STEPS)
    def story(steps: list[tuple[str, str, int]]) -> None:
        store.write(begin).result()
        for verb, name, choice in steps:
            if verb == "change":
                store.write(lambda unit, name=name, choice=choice: CHANGES[name](unit, choice)).result()
            elif verb == "changed and undone":
                undo(name, choice)
            else:
                look(verb, name, choice)

    def undo(name: str, choice: int) -> None:
        def work(unit: Any) -> None:
            CHANGES[name](unit, choice)
            for who in PRINCIPALS:
                remembered, fresh = asker.ask(unit, who, choice)
                assert remembered == fresh
            raise Undone

        with pytest.raises(Undone):
            store.write(work).result()

    def look(verb: str, who: str, choice: int) -> None:
        def work(unit: Any) -> tuple[Decision, Decision]:
            return asker.ask(unit, who, choice)

        remembered, fresh = store.read(work) if verb == "read" else store.write(work).result()
        assert remembered == fresh
        seen.add(fresh)

    try:
        story()
    finally:
        store.close()
    assert {each.allowed for each in seen} == {True, False}


class Process:
    """A `support.decider` of its own."""

    def __init__(self, room: Path, stack: ExitStack) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.decider", str(room)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        stack.enter_context(self._process)

    def say(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline().strip()


def test_a_change_in_one_process_holds_for_the_next_question_in_every_other(room: Path) -> None:
    dice = random.Random(20261125)
    seen: set[str] = set()
    store = SqliteStore.open(room)
    store.write(begin).result()
    store.close()
    with ExitStack() as stack:
        processes = [Process(room, stack) for _ in range(2)]
        for _ in range(250):
            changing = dice.choice(processes)
            assert changing.say(f"change {dice.choice(sorted(CHANGES))}: {dice.randrange(400)}") == "done"
            for who in dice.sample(sorted(PRINCIPALS), 3):
                question = f"ask {who}: {dice.choice((0, 6, 7, 12, 20, 24))}"
                answers = {answer for each in processes for answer in each.say(question).split("\t")}
                assert len(answers) == 1, question
                seen |= answers
    assert {each.startswith("(True") for each in seen} == {True, False}
    assert len(seen) > 20
