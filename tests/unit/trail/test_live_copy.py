"""A copy of a running server's directory, made in the order that the guide gives, is whole."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from strongroom.audit.checkpoint import PublicKey
from strongroom.store.outbox import trail_signer
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.examination import Known, examine
from strongroom.trail.integration import Integrator
from support.entropies import SeededEntropy
from support.signed_trail import ROOT_KEY, ShiftedClock, SignedTrail, a_signed_trail

ORDER = ("room.db", "trail/tree/leaves", "trail/tree/checkpoints", "trail/segments", "trail/tree/retired")


def copy_part(source: Path, target: Path, part: str) -> None:
    (target / part).parent.mkdir(parents=True, exist_ok=True)
    if part == "room.db":
        with closing(sqlite3.connect(source / part)) as live, closing(sqlite3.connect(target / part)) as copy:
            live.backup(copy)
    elif (source / part).is_dir():
        shutil.copytree(source / part, target / part)
    else:
        shutil.copy(source / part, target / part)


def go_on(trail: SignedTrail) -> None:
    """Let the server do a bit of everything."""
    trail.write(9)
    trail.sign()
    trail.age(days=9, segments=1)
    trail.keep(days=5)
    trail.write(2)


def known(target: Path) -> Known:
    signer = trail_signer(target / "room.db")
    assert signer is not None
    return Known(0, PublicKey(signer.name, signer.public_key), signer.newest)


def test_the_guide_names_the_order() -> None:
    text = (Path(__file__).parents[3] / "docs" / "guide" / "operate.md").read_text()
    places = [text.index(f"`{part}`") for part in (ORDER[1], ORDER[2], "trail/segments/", ORDER[4])]
    assert places == sorted(places)


def test_a_copy_in_that_order_is_whole_whatever_happens_between_the_steps(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with a_signed_trail(tmp_path / "data") as trail:
        # What is retired meanwhile is old: it was there long before.
        for _ in range(6):
            go_on(trail)
        for part in ORDER:
            copy_part(trail.data_dir, target, part)
            go_on(trail)
    found = examine(target / "trail", known(target))
    assert found.ok, found.damages
    # A server that begins with it signs on.
    (target / "run").mkdir()
    store = SqliteStore.open(target)
    integrator = Integrator(target / "trail", store, ROOT_KEY, ShiftedClock(), SeededEntropy(4))
    assert integrator.advance(sign_now=True) == 0
    store.close()
    assert examine(target / "trail", known(target)).ok
    assert known(target).newest != b""


def test_the_other_way_round_it_is_not(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with a_signed_trail(tmp_path / "data") as trail:
        for _ in range(2):
            go_on(trail)
        for part in reversed(ORDER):
            copy_part(trail.data_dir, target, part)
            go_on(trail)
    assert not examine(target / "trail", known(target)).ok
