"""Old segments are compressed, and deleted by policy; the trail is whole at every instant."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import IntegrityError
from strongroom.trail.examination import examine
from strongroom.trail.layout import open_segment, segment_files
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.verification import Verification
from support.signed_trail import SignedTrail, a_signed_trail


def lines(trail: SignedTrail, slot: str) -> list[bytes]:
    found = []
    for _, path in segment_files(trail.path / "segments" / slot):
        with open_segment(path) as file:
            found += list(file)
    return found


def whole(trail: SignedTrail) -> Verification:
    found = examine(trail.path, trail.known())
    assert found.ok, found.damages
    return found


def test_what_a_checkpoint_covers_is_compressed_but_for_the_newest_segment(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        assert not trail.retention().advance(), "nothing is signed yet"
        trail.write(20)
        before = {slot: lines(trail, slot) for slot in ("api-0", "keeper")}
        plain = trail.names()
        trail.keep()
        assert trail.names() == plain, "nothing is signed yet"
        trail.sign()
        trail.write(20)
        ages = {
            path.name: path.stat().st_mtime_ns for _, path in segment_files(trail.path / "segments/api-0")
        }
        trail.keep()
        names = trail.names()
        assert names[: len(plain) - 1] == [f"{name}.zst" for name in plain[:-1]]
        assert [name for name in names[len(plain) - 1 :] if name.endswith(".zst")] == [], "not signed"
        for path in (trail.path / "segments/api-0").glob("*.zst"):
            assert path.stat().st_mtime_ns == ages[path.name.removesuffix(".zst")]
            assert path.stat().st_mode & 0o777 == 0o600
        assert {slot: lines(trail, slot)[:20] for slot in before} == before
        assert whole(trail).records == 120
        trail.sign()
        trail.keep()
        assert not trail.names()[-1].endswith(".zst")
        assert all(name.endswith(".zst") for name in trail.names()[:-1])
        assert whole(trail).records == 120


def test_the_next_owner_goes_on_behind_compressed_segments(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(20)
        trail.sign()
        trail.keep()
        trail.close()
        # An owner that got no record: behind its empty segment, the last one is compressed, too.
        SegmentTrail.open(trail.path, "keeper", max_bytes=900).close()
        slot = trail.path / "segments" / "keeper"
        owner = SegmentTrail.open(trail.path, "keeper", max_bytes=900)
        assert owner.last_outbox == 20
        owner.append_many([(21, b'{"eventID":"the next"}')])
        owner.close()
        assert len(lines(trail, "keeper")) == 21
        assert segment_files(slot)[-1][0] == 21


class Crash(BaseException):
    """Stands for the end of the process."""


def calls_until(monkeypatch: pytest.MonkeyPatch, name: str, left: list[int], error: BaseException) -> None:
    """Let the call of os.`name` after `left[0]` others raise `error`, and all after it."""
    real: Callable[..., Any] = getattr(os, name)

    def call(*arguments: Any, **options: Any) -> Any:
        if left[0] <= 0:
            raise error
        left[0] -= 1
        return real(*arguments, **options)

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize("step", ["fsync", "replace", "unlink", "utime", "open"])
def test_after_a_crash_at_any_step_the_trail_is_whole_and_the_work_is_done(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(20)
        trail.sign()
        trail.age(days=9, segments=2)
        # What a process that was killed has left of its work.
        (trail.path / "segments" / "api-0" / f"{trail.names()[2]}.zst.new").write_bytes(b"half a segment")
        whole(trail)
        count, crashes = 0, 0
        while True:
            retention = trail.retention(days=5)
            with monkeypatch.context() as crashing:
                calls_until(crashing, step, [count], Crash())
                try:
                    while retention.advance():
                        pass
                except Crash:
                    crashes += 1
                else:
                    break
            whole(trail)
            count = (count + 1) % 4 if crashes < 12 else 1000
        assert crashes >= 2
        found = whole(trail)
        assert (found.records + found.retired, found.retired > 0) == (60, True)
        assert all(name.endswith(".zst") for name in trail.names()[:-1])


def test_a_full_disk_leaves_nothing_half_done_and_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(12)
        trail.sign()
        before = trail.names()
        retention = trail.retention()
        with monkeypatch.context() as full:
            calls_until(full, "fsync", [0], OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            for _ in range(2):
                with pytest.raises(OSError, match="No space left"):
                    while retention.advance():
                        pass
                assert trail.names() == before
        while retention.advance():
            pass
        assert all(name.endswith(".zst") for name in trail.names()[:-1])
        whole(trail)


def test_old_segments_are_retired_and_the_verification_says_so(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(15)
        trail.sign()
        trail.write(15)
        trail.sign()
        trail.keep(days=7)
        assert whole(trail).retired == 0
        trail.age(days=8, segments=2)
        first = {slot: segment_files(trail.path / "segments" / slot)[2][0] for slot in ("api-0", "keeper")}
        trail.keep(days=7)
        for slot, number in first.items():
            assert segment_files(trail.path / "segments" / slot)[0][0] == number
        found = whole(trail)
        assert found.retired >= 6 and found.retired + found.records == 90
        trail.age(days=8, segments=1)
        trail.keep(days=7)
        assert whole(trail).retired > found.retired
        # What comes is taken in, and the tree goes on over what is gone.
        trail.write(5)
        trail.sign()
        assert whole(trail).records + whole(trail).retired == 105
        trail.keep(days=7)
        assert not trail.retention(days=7).advance(), "nothing more is to be done"


def test_the_newest_record_of_a_slot_is_never_retired(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(15)
        trail.sign()
        trail.clock.days = 1000
        trail.keep(days=7)
        assert len(trail.names()) == 1
        assert len(lines(trail, "api-0")) >= 1
        whole(trail)
        trail.close()
        for slot in ("api", "keeper"):
            SegmentTrail.open(trail.path, slot).close()
        found = examine(trail.path, trail.known())
        assert found.ok and found.records + found.retired == 45


def test_segments_that_are_gone_without_a_note_are_damage(tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(15)
        trail.sign()
        trail.age(days=8, segments=1)
        trail.keep(days=7)
        retired = whole(trail).retired
        first, path = segment_files(trail.path / "segments" / "api-0")[0]
        following = segment_files(trail.path / "segments" / "api-0")[1][0]
        path.unlink()
        found = examine(trail.path, trail.known())
        assert found.first_damage is not None
        assert (found.first_damage.slot, found.first_damage.record) == ("api-0", first)
        assert found.first_damage.reason == (
            f"records {first} to {following - 1} are missing before this file"
        )
        assert found.retired == retired


@pytest.mark.parametrize("segment", [0, 1, 2], ids=["the first", "the second", "the one behind them"])
def test_what_was_altered_is_not_retired_but_left_to_be_found(segment: int, tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(15)
        trail.sign()
        path = segment_files(trail.path / "segments" / "api-0")[segment][1]
        lines = path.read_bytes().splitlines(keepends=True)
        at = 0 if segment == 2 else len(lines) - 1
        lines[at] = (
            lines[at].replace(b'"prev":"', b'"prev":"f')
            if segment == 2
            else lines[at].replace(b"xx", b"xy", 1)
        )
        path.write_bytes(b"".join(lines))
        before = trail.names()
        trail.age(days=8, segments=2)
        damage = examine(trail.path, trail.known()).first_damage
        with pytest.raises(
            IntegrityError, match=r"of api-0 is not the one that has to come: nothing is retired$"
        ):
            trail.keep(days=7)
        assert trail.names() == before
        assert not (trail.path / "tree" / "retired").exists()
        assert damage is not None
        assert examine(trail.path, trail.known()).first_damage == damage


@pytest.mark.parametrize("done", ["deleted", "flipped", "another key"])
def test_a_note_of_retirement_that_does_not_hold_excuses_nothing(done: str, tmp_path: Path) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(15)
        trail.sign()
        trail.age(days=8, segments=1)
        trail.keep(days=7)
        path = trail.path / "tree" / "retired"
        note = path.read_bytes()
        if done == "deleted":
            path.unlink()
        elif done == "flipped":
            path.write_bytes(note.replace(b"slot keeper ", b"slot keeper 1"))
        else:
            path.write_bytes(note.replace(b"strongroom-trail/", b"strongroom-trial/"))
        found = examine(trail.path, trail.known())
        assert found.first_damage is not None
        assert (found.first_damage.slot, found.first_damage.record) == ("api-0", 1)
        if done != "deleted":
            assert [(each.slot, each.file) for each in found.damages][-1] == ("tree", "retired")
            with pytest.raises(IntegrityError, match="the notes of retirement do not hold: the note"):
                trail.retention(days=7).advance()
