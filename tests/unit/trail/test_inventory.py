"""What lies in a trail's directories and is none of its files is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.trail.inventory import strangers
from support.signed_trail import a_signed_trail


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    with a_signed_trail(tmp_path / "data") as made:
        made.write(12)
        made.sign()
        made.keep()
        return made.path


def named(trail: Path) -> list[tuple[str, str, str]]:
    assert all((each.line, each.record) == (0, 0) for each in strangers(trail))
    return [(each.slot, each.file, each.reason) for each in strangers(trail)]


def test_the_trails_own_files_are_none(trail: Path) -> None:
    assert named(trail) == []


@pytest.mark.parametrize(
    ("place", "slot"),
    [
        ("note.txt", ""),
        ("checkpoints", ""),
        ("segments/note.txt", ""),
        ("segments/api-0/note.txt", "api-0"),
        ("segments/api-0/1.jsonl", "api-0"),
        ("segments/api-0/000000000001.jsonl.gz", "api-0"),
        ("segments/api-0/000000000001.jsonl.new", "api-0"),
        ("segments/api-0/000000000099.jsonl.zst.new", "api-0"),
        ("segments/api-0/lock.old", "api-0"),
        ("tree/note.txt", "tree"),
        ("tree/leaves.old", "tree"),
    ],
)
def test_a_file_that_nobody_made_is_named(place: str, slot: str, trail: Path) -> None:
    (trail / place).write_bytes(b"x")
    assert named(trail) == [(slot, Path(place).name, "this is no file of the trail")]


@pytest.mark.parametrize(
    "place", ["other", "segments/API", "segments/api-0/000000000001.jsonl", "tree/leaves.d"]
)
def test_a_directory_that_nobody_made_is_named(place: str, trail: Path) -> None:
    (trail / place).mkdir()
    assert [file for _, file, _ in named(trail)] == [Path(place).name]


@pytest.mark.parametrize("place", ["segments/api-0/000000000001.jsonl.zst", "tree/leaves", "segments/api-1"])
def test_a_link_is_no_file_of_the_trail(place: str, trail: Path, tmp_path: Path) -> None:
    (trail / place).rename(tmp_path / "elsewhere")
    (trail / place).symlink_to(tmp_path / "elsewhere")
    assert [file for _, file, _ in named(trail)] == [Path(place).name]
    (tmp_path / "elsewhere").rename(tmp_path / "gone")
    assert [file for _, file, _ in named(trail)] == [Path(place).name], "one that leads nowhere, too"


def test_half_a_compressed_segment_is_one_beside_the_plain_one(trail: Path) -> None:
    newest = max((trail / "segments" / "api-0").glob("*.jsonl"))
    unfinished = newest.with_name(f"{newest.name}.zst.new")
    unfinished.write_bytes(b"half")
    assert named(trail) == []
    newest.unlink()
    assert [file for _, file, _ in named(trail)] == [unfinished.name]


def test_a_lock_is_empty(trail: Path) -> None:
    (trail / "segments" / "keeper" / "lock").write_bytes(b"7")
    assert named(trail) == [("keeper", "lock", "a lock has nothing in it")]
