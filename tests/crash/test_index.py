"""Whoever follows the trail dies at any instant; in the end the index has every record once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from strongroom.trail.index.lookup import IndexReader
from strongroom.trail.index.shards import find_shards
from strongroom.trail.segment import SegmentTrail
from support.indexed import ACCOUNTS, NOW, REGIONS, SetClock, Writer, search

ROUNDS = 12
FOLLOW = """
import sys
from pathlib import Path
from strongroom.trail import feed
from strongroom.trail.index.writing import Index
from support.indexed import SetClock
feed.MIN_SHARE = 1
room = Path(sys.argv[1])
index = Index(room / "index", SetClock(), live_records=60)
following = feed.Feed(room / "trail", [index])
while True:
    lag = following.advance(20_000).lag
    index.tend()
    if sys.argv[2] == "to the end" and lag == {"index": 0}:
        break
    print(lag, flush=True)
following.close()
index.close()
"""


def follow(room: Path, how_far: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(room), how_far],
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_an_index_killed_at_any_instant_has_every_record_once(tmp_path: Path) -> None:
    chance, writer = random.Random(5), Writer()
    (tmp_path / "trail").mkdir()
    slot = SegmentTrail.open(tmp_path / "trail", "api", max_bytes=40_000)
    for _ in range(ROUNDS):
        for _ in range(400):
            event = writer.event(NOW)
            writer.written.append(event)
            slot.append(event)
        process = follow(tmp_path, "for ever")
        assert process.stdout is not None and process.stderr is not None
        # Killed at work, not on the way to it.
        assert process.stdout.readline(), process.stderr.read().decode()
        time.sleep(chance.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    slot.close()
    done = follow(tmp_path, "to the end")
    _, said = done.communicate(timeout=60)
    assert done.returncode == 0, said.decode()
    assert any(shard.packed for shard in find_shards(tmp_path / "index")[0])
    reader = IndexReader(tmp_path / "index", SetClock())
    for account in ACCOUNTS:
        for region in REGIONS:
            page = reader.lookup(account, region, limit=ROUNDS * 400)
            assert sorted(page.events) == sorted(search(writer.written, account, region))
    reader.close()


def test_a_follower_that_was_killed_leaves_nothing_locked(tmp_path: Path) -> None:
    writer = Writer()
    (tmp_path / "trail").mkdir()
    slot = SegmentTrail.open(tmp_path / "trail", "api")
    slot.append(writer.event(NOW))
    slot.close()
    process = follow(tmp_path, "for ever")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline(), process.stderr.read().decode()
    process.kill()
    process.communicate()
    again = follow(tmp_path, "to the end")
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0, said.decode()
