"""Whatever is done to the files of a signed trail is found, and the first bad record is named."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.audit.checkpoint import split_notes
from strongroom.trail.examination import Known, examine
from strongroom.trail.layout import segment_files
from support.signed_trail import a_signed_trail
from support.tampering import tamper

EDITS = 70
"""With each of the seeds, to each of the trails."""


@pytest.fixture(scope="module", params=["all kept", "some retired"])
def base(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Known]]:
    """A trail of which every record is signed, with plain and compressed segments."""
    with a_signed_trail(tmp_path_factory.mktemp("tampering") / "data") as trail:
        for _ in range(3):
            trail.write(8)
            trail.sign()
        trail.keep()
        if request.param == "some retired":
            for _ in range(2):
                trail.age(days=9, segments=1)
                trail.keep(days=5)
        for _ in range(2):
            trail.write(7)
            trail.sign()
        names = {path.suffix or path.name for path in trail.path.rglob("*") if path.is_file()}
        expected = {".jsonl", ".zst", "lock", "checkpoints", "leaves"}
        assert names == expected | ({"retired"} if request.param == "some retired" else set())
        yield trail.path, trail.known()


@pytest.mark.parametrize("seed", [1, 2])
def test_every_edit_is_found_and_the_first_bad_record_is_named(
    seed: int, base: tuple[Path, Known], tmp_path: Path
) -> None:
    original, known = base
    chance = random.Random(seed)
    for number in range(EDITS):
        trail = tmp_path / str(number)
        shutil.copytree(original, trail)
        if number % 10 == 0:
            untouched = examine(trail, known)
            assert untouched.ok, untouched.damages
        edit = tamper(trail, chance)
        found = examine(trail, known)
        assert not found.ok, f"edit {number} of seed {seed} was not found: {edit.what}"
        # Without what was retired the records of all slots are missing from the first one on.
        if edit.records and not any(each.file == "retired" for each in found.damages):
            named = [(each.slot, each.record) for each in found.damages]
            assert any(
                slot in edit.records and edit.records[slot][0] <= record <= edit.records[slot][1]
                for slot, record in named
            ), (number, edit.what, edit.records, found.damages)
        shutil.rmtree(trail)


def test_what_a_crash_leaves_half_written_is_unfinished_and_no_damage(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(8)
        trail.sign()
        trail.keep()
        known = trail.known()
        trail.write(1)
        trail.sign()
        tree = trail.path / "tree"
        note = split_notes((tree / "checkpoints").read_bytes())[0][1]
        leaves = (tree / "leaves").read_bytes()
        segment = segment_files(trail.path / "segments" / "api-0")[-1][1]
        records = segment.read_bytes()
        # The last checkpoint was not written to its end: nothing that follows it was done.
        before = (tree / "checkpoints").read_bytes().removesuffix(note)
        (tree / "leaves").write_bytes(leaves[: 24 * 32])
        for kept in range(1, len(note)):
            (tree / "checkpoints").write_bytes(before + note[:kept])
            found = examine(trail.path, known)
            assert (found.damages, found.unfinished) == ((), 1), kept
        # It was, but its leaves were not.
        (tree / "checkpoints").write_bytes(before + note)
        for size in range(24 * 32, 27 * 32):
            (tree / "leaves").write_bytes(leaves[:size])
            assert examine(trail.path, known).ok, size
        (tree / "leaves").write_bytes(leaves)
        # A record behind it was not.
        segment.write_bytes(records + records.splitlines(keepends=True)[-1].replace(b'"n":9', b'"n":10')[:12])
        found = examine(trail.path, trail.known())
        assert (found.damages, found.unfinished) == ((), 1)


def test_half_a_note_that_cannot_be_the_next_one_is_damage(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(8)
        trail.sign()
        tree = trail.path / "tree"
        note = (tree / "checkpoints").read_bytes()
        for rest in (b"\n", b"x", note[:60], note[:-1], b"strongroom-trail/", note.splitlines()[0] + b"\nx"):
            (tree / "checkpoints").write_bytes(note + rest)
            damage = examine(trail.path, trail.known()).first_damage
            if rest == b"strongroom-trail/" or rest == note[:60]:
                assert damage is None, "the name, the size and half a root may begin the next one"
            else:
                assert damage is not None
                assert (damage.file, damage.record) == ("checkpoints", 2)
                assert damage.reason == "what follows the last checkpoint is not the beginning of one"


def test_only_a_checkpoint_held_elsewhere_shows_that_everything_was_put_back(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(8)
        trail.sign()
        shutil.copytree(trail.path, tmp_path / "older")
        older = trail.known()
        trail.write(8)
        trail.sign()
        newest = trail.known().newest
        assert examine(tmp_path / "older", older).ok, "with the database of that time, nothing shows it"
        damage = examine(tmp_path / "older", replace(older, held=[newest])).first_damage
        assert damage is not None
        assert damage.reason == "the checkpoint that was held elsewhere is not among those of the trail"
        damage = examine(tmp_path / "older", trail.known()).first_damage
        assert damage is not None, "the database of now shows it as well"
        assert (damage.slot, damage.record) == ("keeper", 9)


def test_of_what_is_not_signed_yet_only_the_records_of_writes_are_missed(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(8)
        trail.sign()
        trail.write(1)
        for slot in ("api-0", "keeper"):
            _, path = segment_files(trail.path / "segments" / slot)[-1]
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
        found = examine(trail.path, trail.known())
        assert [(each.slot, each.record) for each in found.damages] == [("keeper", 9)]
        assert found.damages[0].reason == "records of writes 9 to 9 are missing at the end"
