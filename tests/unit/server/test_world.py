"""The machine's clock and random source."""

from __future__ import annotations

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor

from strongroom.server.world import SystemClock, SystemEntropy, Uuids


def test_uuids_are_random_ones_and_differ() -> None:
    first, second = Uuids(), Uuids()
    made = [source.next() for _ in range(Uuids.BATCH * 3) for source in (first, second)]
    assert len(set(made)) == len(made)
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


def test_threads_never_get_the_same_uuid() -> None:
    source = Uuids()
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: [source.next() for _ in range(1000)], range(8)))
    assert len({text for part in parts for text in part}) == 8000


def test_the_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is dt.UTC


def test_random_numbers_stay_below_their_bound() -> None:
    entropy = SystemEntropy()
    assert {entropy.below(3) for _ in range(200)} == {0, 1, 2}
    assert len({entropy.token_bytes(16) for _ in range(50)}) == 50
    assert len(entropy.token_bytes(7)) == 7
