"""Every way to tamper with a trail that a chain of hashes can show is shown, at the first bad record."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from strongroom.trail.layout import hash_line, parse_line
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.verification import Damage, verify_trail

RECORDS = 9
PER_SEGMENT = 3


def event(number: int) -> bytes:
    return orjson.dumps({"eventID": f"event-{number}", "eventName": "GetSecretValue"})


def write(trail: Path, role: str, numbers: range, *, exported: bool = False) -> None:
    slot = SegmentTrail.open(trail, role, max_bytes=1_000_000)
    slot.append_many([(number if exported else None, event(number)) for number in numbers])
    slot.close()


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail whose slot api-0 has the records 1-3, 4-6 and 7-9 in three files."""
    tmp_path.joinpath("trail").mkdir()
    for first in range(1, RECORDS, PER_SEGMENT):
        write(tmp_path / "trail", "api", range(first, first + PER_SEGMENT))
    return tmp_path / "trail"


def segment(trail: Path, first: int, slot: str = "api-0") -> Path:
    return trail / "segments" / slot / f"{first:012}.jsonl"


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def the_damage(trail: Path, **options: int) -> Damage:
    found = verify_trail(trail, **options)
    assert not found.ok
    assert len(found.damages) == 1
    assert found.first_damage is not None
    return found.first_damage


class TestAWholeTrail:
    def test_it_is_found_whole(self, trail: Path) -> None:
        found = verify_trail(trail)
        assert (found.ok, found.records, found.segments, found.unfinished) == (True, RECORDS, 3, 0)
        assert found.first_damage is None

    def test_an_empty_one_is_whole(self, tmp_path: Path) -> None:
        assert verify_trail(tmp_path).ok

    def test_verifying_changes_nothing(self, trail: Path) -> None:
        before = {path: path.read_bytes() for path in trail.rglob("*") if path.is_file()}
        verify_trail(trail)
        assert {path: path.read_bytes() for path in trail.rglob("*") if path.is_file()} == before

    def test_several_slots_count_together(self, trail: Path) -> None:
        write(trail, "keeper", range(1, 5), exported=True)
        found = verify_trail(trail, exported=4)
        assert (found.ok, found.records) == (True, RECORDS + 4)

    def test_a_file_that_never_got_a_record_is_no_damage(self, trail: Path) -> None:
        SegmentTrail.open(trail, "api").close()
        found = verify_trail(trail)
        assert (found.ok, found.records, found.segments) == (True, RECORDS, 4)


class TestAFlippedByte:
    def test_each_byte_of_each_record_but_the_newest_counts(self, trail: Path) -> None:
        for first in range(1, RECORDS, PER_SEGMENT):
            path = segment(trail, first)
            whole = path.read_bytes()
            newest = len(lines(path)[-1]) if first + PER_SEGMENT > RECORDS else 0
            for at in range(len(whole) - newest):
                flipped = bytearray(whole)
                flipped[at] ^= 0x01
                path.write_bytes(flipped)
                damage = the_damage(trail)
                altered = first + whole[:at].count(b"\n")
                assert damage.record in (altered, altered + 1), (at, damage)
            path.write_bytes(whole)
        assert verify_trail(trail).ok

    def test_the_reason_names_the_record_whose_hash_no_longer_fits(self, trail: Path) -> None:
        path = segment(trail, 4)
        path.write_bytes(path.read_bytes().replace(b"event-5", b"event-X"))
        damage = the_damage(trail)
        assert damage == Damage(
            "api-0", path.name, 3, 6, "the chain breaks: record 5 before it, or this one, was altered"
        )

    def test_the_newest_record_is_held_to_its_form(self, trail: Path) -> None:
        path = segment(trail, 7)
        path.write_bytes(path.read_bytes()[:-2] + b"]\n")
        damage = the_damage(trail)
        assert (damage.line, damage.record) == (3, 9)
        assert damage.reason == "this is not a record as the program writes it"


def altered_hash(old: list[bytes]) -> list[bytes]:
    line = parse_line(old[1].rstrip(b"\n"))
    assert line is not None
    return [old[0], old[1].replace(line.previous.encode(), hash_line(b"another").encode()), old[2]]


def renumbered(old: list[bytes]) -> list[bytes]:
    return [old[0], old[1].replace(b'{"n":5,', b'{"n":6,'), old[2]]


SPOILED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int, int, str]] = {
    "the first line of a file is deleted": (
        lambda old: old[1:], 1, 4, "record 4 is missing: record 5 stands in its place",
    ),
    "a line in the middle is deleted": (
        lambda old: [old[0], old[2]], 2, 5, "record 5 is missing: record 6 stands in its place",
    ),
    "two lines are swapped": (
        lambda old: [old[1], old[0], old[2]], 1, 4, "record 4 is missing: record 5 stands in its place",
    ),
    "a line stands twice": (
        lambda old: [old[0], old[0], *old[1:]], 2, 5, "record 4 stands here a second time, or out of order",
    ),
    "a line of another file is put in": (
        lambda old: [old[0], b'{"n":1,"prev":"%b","event":{}}\n' % (b"0" * 64), *old[1:]],
        2, 5, "record 1 stands here a second time, or out of order",
    ),
    "a line with the right number is put in": (
        lambda old: [old[0], b'{"n":5,"prev":"%b","event":{}}\n' % (b"0" * 64), *old[1:]],
        2, 5, "the chain breaks: record 4 before it, or this one, was altered",
    ),
    "a hash is changed": (altered_hash, 2, 5, "the chain breaks: record 4 before it, or this one, was altered"),
    "a number is changed": (renumbered, 2, 5, "record 5 is missing: record 6 stands in its place"),
    "two lines are one": (
        lambda old: [old[0].rstrip(b"\n"), *old[1:]], 1, 4, "this is not a record as the program writes it",
    ),
    "an empty line is put in": (
        lambda old: [old[0], b"\n", *old[1:]], 2, 5, "this is not a record as the program writes it",
    ),
    "spaces are put in": (
        lambda old: [old[0].replace(b'"n":', b'"n": '), *old[1:]],
        1, 4, "this is not a record as the program writes it",
    ),
    "the end of a line is cut off in the middle of the trail": (
        lambda old: [old[0], old[1], old[2][:-10]], 3, 6, "the record is cut off",
    ),
    "only the newline is cut off in the middle of the trail": (
        lambda old: [old[0], old[1], old[2][:-1]], 3, 6, "the record is cut off",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_file_is_named_with_its_first_bad_record(case: str, trail: Path) -> None:
    spoil, line, record, reason = SPOILED[case]
    path = segment(trail, 4)
    path.write_bytes(b"".join(spoil(lines(path))))
    assert the_damage(trail) == Damage("api-0", path.name, line, record, reason)
    assert verify_trail(trail).records == record - 1


class TestFiles:
    @pytest.mark.parametrize(("first", "named"), [(1, "1 to 3"), (4, "4 to 6")])
    def test_a_deleted_one_is_missed(self, first: int, named: str, trail: Path) -> None:
        segment(trail, first).unlink()
        following = segment(trail, first + PER_SEGMENT)
        expected = Damage("api-0", following.name, 0, first, f"records {named} are missing before this file")
        assert the_damage(trail) == expected

    def test_an_emptied_one_is_missed(self, trail: Path) -> None:
        segment(trail, 4).write_bytes(b"")
        damage = the_damage(trail)
        assert (damage.file, damage.record) == (segment(trail, 7).name, 4)

    def test_one_truncated_at_the_end_of_a_line_is_missed(self, trail: Path) -> None:
        path = segment(trail, 4)
        path.write_bytes(b"".join(lines(path)[:2]))
        damage = the_damage(trail)
        assert (damage.file, damage.line, damage.record) == (segment(trail, 7).name, 0, 6)
        assert damage.reason == "records 6 to 6 are missing before this file"

    def test_a_copy_under_a_later_name_is_found(self, trail: Path) -> None:
        shutil.copy(segment(trail, 4), segment(trail, 10))
        damage = the_damage(trail)
        assert (damage.file, damage.line, damage.record) == (segment(trail, 10).name, 1, 10)
        assert damage.reason == "record 4 stands here a second time, or out of order"

    def test_a_copy_under_a_name_in_between_is_found(self, trail: Path) -> None:
        shutil.copy(segment(trail, 4), segment(trail, 5))
        assert the_damage(trail) == Damage(
            "api-0", segment(trail, 5).name, 0, 7, "the file's name does not fit its place"
        )

    def test_two_that_changed_places_are_found(self, trail: Path) -> None:
        first, second = segment(trail, 1), segment(trail, 4)
        held = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(held)
        assert the_damage(trail).record == 1

    def test_a_slot_that_is_a_copy_is_found(self, trail: Path) -> None:
        shutil.copytree(trail / "segments" / "api-0", trail / "segments" / "api-1")
        damage = the_damage(trail)
        assert (damage.slot, damage.record) == ("api-1", 1)
        assert damage.reason == "the slot is a copy of api-0, or api-0 of it"

    def test_a_record_of_another_slot_is_found(self, trail: Path) -> None:
        write(trail, "keeper", range(101, 110))
        ours = segment(trail, 4)
        foreign = next(line for line in lines(segment(trail, 1, "keeper")) if line.startswith(b'{"n":5,'))
        ours.write_bytes(b"".join([lines(ours)[0], foreign, lines(ours)[2]]))
        damage = the_damage(trail)
        assert (damage.slot, damage.line, damage.record) == ("api-0", 2, 5)
        assert damage.reason == "the chain breaks: record 4 before it, or this one, was altered"

    def test_damage_in_two_slots_is_told_for_both(self, trail: Path) -> None:
        write(trail, "keeper", range(1, 4), exported=True)
        segment(trail, 1).unlink()
        keeper = segment(trail, 1, "keeper")
        keeper.write_bytes(b"".join(lines(keeper)[1:]))
        found = verify_trail(trail, exported=3)
        assert [each.slot for each in found.damages] == ["api-0", "keeper"]


class TestTheEndOfASlot:
    @pytest.mark.parametrize("kept", [1, 20, 90, -1], ids=str)
    def test_half_a_record_is_unfinished_and_no_damage(self, kept: int, trail: Path) -> None:
        path = segment(trail, 7)
        path.write_bytes(b"".join(lines(path)[:2]) + lines(path)[2][:kept])
        found = verify_trail(trail)
        assert (found.ok, found.unfinished, found.records) == (True, 1, 8)

    def test_the_next_owner_goes_on_behind_it(self, trail: Path) -> None:
        path = segment(trail, 7)
        path.write_bytes(path.read_bytes()[:-7])
        write(trail, "api", range(20, 22))
        found = verify_trail(trail)
        assert (found.ok, found.unfinished, found.records) == (True, 0, 10)

    @pytest.mark.parametrize(
        "tail", [b"x", b"\0" * 50, b'{"n":10,"prev":"' + b"0" * 64 + b'","ev', b'{"n":11,'], ids=str
    )
    def test_what_is_not_the_beginning_of_the_next_record_is_damage(self, tail: bytes, trail: Path) -> None:
        path = segment(trail, 7)
        path.write_bytes(path.read_bytes() + tail)
        assert the_damage(trail) == Damage("api-0", path.name, 4, 10, "the record is cut off")


class TestRecordsOfWrites:
    @pytest.fixture
    def trail(self, tmp_path: Path) -> Path:
        """A trail whose keeper has exported the writes 1 to 6."""
        tmp_path.joinpath("trail").mkdir()
        write(tmp_path / "trail", "keeper", range(1, 4), exported=True)
        write(tmp_path / "trail", "keeper", range(4, 7), exported=True)
        return tmp_path / "trail"

    def test_all_that_left_the_database_are_there(self, trail: Path) -> None:
        assert verify_trail(trail, exported=6).ok

    def test_more_than_left_the_database_may_be_there(self, trail: Path) -> None:
        assert verify_trail(trail, exported=5).ok

    def test_the_newest_cannot_be_cut_off(self, trail: Path) -> None:
        path = segment(trail, 4, "keeper")
        path.write_bytes(b"".join(lines(path)[:1]))
        assert the_damage(trail, exported=6) == Damage(
            "keeper", path.name, 0, 5, "records of writes 5 to 6 are missing at the end"
        )

    def test_the_newest_file_cannot_be_deleted(self, trail: Path) -> None:
        segment(trail, 4, "keeper").unlink()
        damage = the_damage(trail, exported=6)
        assert damage.reason == "records of writes 4 to 6 are missing at the end"

    def test_all_files_cannot_be_deleted(self, trail: Path) -> None:
        for first in (1, 4):
            segment(trail, first, "keeper").unlink()
        damage = the_damage(trail, exported=6)
        assert (damage.record, damage.reason) == (1, "records of writes 1 to 6 are missing at the end")

    def test_the_slot_cannot_be_deleted(self, trail: Path) -> None:
        shutil.rmtree(trail / "segments" / "keeper")
        damage = the_damage(trail, exported=6)
        assert (damage.slot, damage.record) == ("keeper", 1)
        assert damage.reason == "the slot is missing, and with it the records of writes 1 to 6"

    def test_a_slot_begun_anew_is_not_taken_for_the_old_one(self, trail: Path) -> None:
        shutil.rmtree(trail / "segments" / "keeper")
        write(trail, "keeper", range(7, 9), exported=True)
        damage = the_damage(trail, exported=8)
        assert (damage.line, damage.record) == (1, 1)
        assert damage.reason == "the records of writes 1 to 6 are missing before this one"
