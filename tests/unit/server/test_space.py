"""The room on the disk is told of before it ends, once at each step, and when there is some again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strongroom.server.space import SpaceState, SpaceWatch, read_space

GIB = 1 << 30


class Told:
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def warning(self, event: str, **members: Any) -> None:
        assert event == "the disk of the data directory runs full; when it is, every call is refused"
        self.lines.append(members)

    def info(self, event: str, **members: Any) -> None:
        assert event == "the disk of the data directory has room again"
        self.lines.append({**members, "level": 0})


class Disk:
    """A disk of 100 GiB, and a clock."""

    def __init__(self, data_dir: Path) -> None:
        (data_dir / "run").mkdir(parents=True)
        self.data_dir = data_dir
        self.at = 1000.0
        self.free = 90 * GIB
        self.log = Told()
        self.watch = SpaceWatch(data_dir, self.log, statvfs=self.statvfs, monotonic=lambda: self.at)

    def statvfs(self, path: Path) -> os.statvfs_result:
        assert path == self.data_dir
        blocks = 100 * GIB // 4096
        return os.statvfs_result((4096, 4096, blocks, blocks, int(self.free) // 4096, 9, 9, 9, 0, 255))

    def look(self, free: float, after: float = 10) -> SpaceState:
        self.free, self.at = int(free * GIB), self.at + after
        assert self.watch.look() == 10
        assert self.watch.state is not None
        return self.watch.state


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "data")


def test_each_share_is_told_of_once_and_that_there_is_room_again(disk: Disk) -> None:
    for free in (50, 21, 19, 18, 11, 9.9, 9, 6, 4.9, 4, 11, 19, 30):
        disk.look(free, after=1)
    assert [each["level"] for each in disk.log.lines] == [1, 2, 3, 0]
    assert [each.get("free_percent") for each in disk.log.lines] == [19.0, 9.9, 4.9, None]
    assert disk.log.lines[0]["free_bytes"] == 19 * GIB
    assert disk.log.lines[0]["hours_left"] is None, "nobody knows after so short a time"


def test_the_time_that_is_left_is_measured_and_told_of(disk: Disk) -> None:
    assert disk.look(90).seconds_to_full is None
    assert disk.look(90, after=60).bytes_per_second == 0
    # A GiB an hour: that lasts.
    state = disk.look(90 - 4 / 60, after=180)
    assert state.seconds_to_full is not None and state.level == 0
    # Ten GiB an hour: nine hours, and a warning long before a share of the disk gives one.
    for _ in range(100):
        state = disk.look(disk.free / GIB - 10 / 360)
    assert state.seconds_to_full == pytest.approx(disk.free / GIB / 10 * 3600, rel=0.01)
    assert state.bytes_per_second == pytest.approx(10 * GIB / 3600, rel=0.01)
    assert state.level == 1
    # Two hundred an hour.
    for _ in range(100):
        state = disk.look(disk.free / GIB - 200 / 360)
    assert [each["level"] for each in disk.log.lines] == [1, 2]
    assert disk.log.lines[1]["hours_left"] <= 1
    # It is used no more.
    for _ in range(100):
        state = disk.look(disk.free / GIB)
    assert (state.seconds_to_full, state.level) == (None, 0)
    assert disk.log.lines[-1]["level"] == 0


def test_what_goes_on_is_told_of_once_an_hour(disk: Disk) -> None:
    for _ in range(360 * 3 + 2):
        disk.look(15)
    assert [each["level"] for each in disk.log.lines] == [1, 1, 1, 1]


def test_others_read_what_was_found(disk: Disk, tmp_path: Path) -> None:
    assert read_space(disk.data_dir) is None
    state = disk.look(15)
    assert read_space(disk.data_dir) == state
    assert msgspec.json.decode((disk.data_dir / "run" / "space.json").read_bytes()) == {
        "total_bytes": 100 * GIB,
        "free_bytes": 15 * GIB,
        "bytes_per_second": 0.0,
        "seconds_to_full": None,
        "level": 1,
    }
    assert [path.name for path in (disk.data_dir / "run").iterdir()] == ["space.json"]
    values = {family.name: [each.value for each in family.samples] for family in disk.watch.families()}
    assert values == {
        "strongroom_disk_bytes": [100 * GIB],
        "strongroom_disk_free_bytes": [15 * GIB],
        "strongroom_disk_seconds_to_full": [],
        "strongroom_disk_level": [1],
    }
    assert SpaceWatch(tmp_path, disk.log).families() == []
    (disk.data_dir / "run" / "space.json").write_bytes(b"{")
    assert read_space(disk.data_dir) is None


def test_a_real_disk_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    SpaceWatch(tmp_path, Told()).look()
    state = read_space(tmp_path)
    assert state is not None and 0 < state.free_bytes <= state.total_bytes
