"""kill -9 under load, round after round on one data directory: nothing acknowledged is lost (DESIGN
promise 4), and no answer left without its record (promise 5).

STRONGROOM_CRASH_ROUNDS sets how often everything is killed: ten times unless told otherwise.
"""

from __future__ import annotations

import os
import random
import signal
from functools import partial
from pathlib import Path

import pytest

from strongroom.trail.verification import verify_trail
from support.crashing import Load, RecordedCalls, Site, a_site, is_locked, wait_for

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("STRONGROOM_CRASH_ROUNDS", "10"))
SEED = 20260101


def test_what_was_acknowledged_survives_killing_everything(tmp_path: Path) -> None:
    instants = random.Random(SEED)
    load = Load()
    with a_site(tmp_path) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        for _ in range(ROUNDS):
            load.start(server)
            enough = len(load.ledger.answered) + instants.randrange(1, 800)
            load.ledger.wait(lambda ledger, enough=enough: len(ledger.answered) >= enough)
            site.kill()
            load.join()
            assert verify_trail(site.data_dir / "trail").ok, "half a record at the end is no damage"
            server = site.start()
            load.settle(server)
            load.verify_recorded(site, recorded)
            site.verify_trail()
        site.stop()
        assert site.outbox() == 0
        load.verify_recorded(site, recorded)
        site.verify_trail()
        load.verify_unseen(site)


@pytest.mark.parametrize("victim", ["a worker", "the keeper"])
def test_what_was_acknowledged_survives_killing(victim: str, tmp_path: Path) -> None:
    load = Load()
    with a_site(tmp_path) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        load.start(server, server_stays=True)
        for number in range(5):
            enough = len(load.ledger.answered) + 200
            load.ledger.wait(lambda ledger, enough=enough: len(ledger.answered) >= enough)
            killed = site.workers()[number % 2] if victim == "a worker" else site.keeper()
            os.kill(killed, signal.SIGKILL)
            wait_for(partial(_replaced, site, killed))
        load.stop()
        load.settle(server)
        load.verify_recorded(site, recorded)
        site.verify_trail()
        site.stop()
        load.verify_recorded(site, recorded)
        load.verify_unseen(site)


def test_what_was_acknowledged_survives_killing_the_keeper_while_it_signs_and_compresses(
    tmp_path: Path,
) -> None:
    """A keeper that begins signs at once, and compresses what others have left; each time it is killed somewhere
    in that. What is written meanwhile is in segments that end with the workers."""
    instants = random.Random(SEED)
    load = Load()
    with a_site(tmp_path) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        load.start(server, server_stays=True)
        for number in range(ROUNDS):
            enough = len(load.ledger.answered) + instants.randrange(50, 200)
            load.ledger.wait(lambda ledger, enough=enough: len(ledger.answered) >= enough)
            # The segment of a worker that was killed is complete, and the next keeper compresses it.
            killed = site.workers()[number % 2]
            os.kill(killed, signal.SIGKILL)
            wait_for(partial(_replaced, site, killed))
            for _ in range(3):
                keeper = site.keeper()
                os.kill(keeper, signal.SIGKILL)
                wait_for(partial(_replaced, site, keeper))
                enough = len(load.ledger.answered) + instants.randrange(120)
                load.ledger.wait(lambda ledger, enough=enough: len(ledger.answered) >= enough)
                assert verify_trail(site.data_dir / "trail").ok
        load.stop()
        load.settle(server)
        load.verify_recorded(site, recorded)
        segments = site.data_dir / "trail" / "segments"
        wait_for(lambda: len(list(segments.glob("*/*.jsonl.zst"))) >= ROUNDS)
        site.verify_trail()
        site.stop()
        load.verify_recorded(site, recorded)
        site.verify_trail()
        load.verify_unseen(site)


def test_what_was_acknowledged_survives_killing_the_supervisor(tmp_path: Path) -> None:
    """Its workers and its keeper end by themselves, so the directory can be served again."""
    load = Load()
    with a_site(tmp_path) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        load.start(server)
        load.ledger.wait(lambda ledger: len(ledger.answered) >= 300)
        os.kill(server.process.pid, signal.SIGKILL)
        load.join()
        wait_for(lambda: not is_locked(site.data_dir / "run" / "lock"))
        site.close()
        server = site.start()
        load.settle(server)
        load.verify_recorded(site, recorded)
        site.verify_trail()


def _replaced(site: Site, killed: int) -> bool:
    holders = [pid for _, pid in site.holders()]
    return len(holders) == 3 and killed not in holders
