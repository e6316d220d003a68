"""What a reader remembers: bounded, and forgotten exactly as the change feed says."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from strongroom.names import AccountId, Arn, Region
from strongroom.secret.records import Secret
from strongroom.store.memory import SECRET, VERSION, Limits, Memory, Remembered, record_key

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


def a_secret(name: str) -> Secret:
    return Secret(
        arn=Arn(f"arn:{name}"),
        account_id=AccountId("1"),
        region=Region("r"),
        name=name,
        created_at=NOW,
        last_changed_at=NOW,
    )


class TestRemembered:
    def test_it_never_holds_more_than_its_entries(self) -> None:
        remembered: Remembered[int, int] = Remembered(10, 1000, lambda _: 1)
        for number in range(1, 100):
            remembered.put(number, number)
            assert len(remembered) <= 10
            assert remembered.get(number) == number

    def test_what_is_asked_for_stays_and_the_rest_goes(self) -> None:
        remembered: Remembered[int, str] = Remembered(10, 1000, lambda _: 1)
        remembered.put(0, "hot")
        for number in range(1, 100):
            remembered.put(number, "cold")
            assert remembered.get(0) == "hot"
        assert remembered.get(1) is None

    def test_weight_bounds_too_and_what_is_too_heavy_is_not_kept(self) -> None:
        remembered: Remembered[int, bytes] = Remembered(1000, 100, len)
        for number in range(50):
            remembered.put(number, bytes(20))
        assert 2 <= len(remembered) <= 5
        remembered.put(7, bytes(60))
        assert remembered.get(7) is None

    def test_putting_again_replaces_and_weighs_once(self) -> None:
        remembered: Remembered[str, bytes] = Remembered(10, 100, len)
        remembered.put("other", bytes(10))
        for _ in range(20):
            remembered.put("same", bytes(30))
        assert remembered.get("other") is not None
        assert len(remembered) == 2

    @given(st.lists(st.tuples(st.sampled_from("pgf"), st.integers(0, 8), st.integers(1, 9)), max_size=80))
    def test_it_answers_the_last_put_value_or_nothing(self, steps: list[tuple[str, int, int]]) -> None:
        remembered: Remembered[int, int] = Remembered(6, 30, lambda value: value)
        truth: dict[int, int] = {}
        for step, key, value in steps:
            if step == "p":
                remembered.put(key, value)
                truth[key] = value
            elif step == "f":
                remembered.forget(key)
                truth.pop(key, None)
                assert remembered.get(key) is None
            else:
                assert remembered.get(key) in (None, truth.get(key))
            assert len(remembered) <= 6


class TestMemory:
    def test_a_change_forgets_what_it_names_and_no_more(self) -> None:
        memory = Memory(Limits())
        memory.put_secret(a_secret("a"))
        memory.put_secret(a_secret("b"))
        for scope in ("1", "2"):
            memory.records.put(("user", scope, "u"), object())
            memory.put_scan("user", scope, ())
        memory.forget([(SECRET, "arn:a"), ("user", record_key("1", "u"))])
        assert memory.secrets.get("arn:a") is None
        assert memory.secrets.get("arn:b") == a_secret("b")
        assert memory.records.get(("user", "1", "u")) is None
        assert memory.scans.get(("user", "1")) is None
        assert memory.records.get(("user", "2", "u")) is not None
        assert memory.scans.get(("user", "2")) == ()

    def test_a_version_id_with_a_line_break_is_forgotten_too(self) -> None:
        memory = Memory(Limits())
        memory.versions = Remembered(10, 10, lambda _: 1)
        version: object = object()
        memory.versions.put(("arn:a", "x\ny"), version)  # type: ignore[arg-type]  # any value will do
        memory.forget([(VERSION, record_key("arn:a", "x\ny"))])
        assert memory.versions.get(("arn:a", "x\ny")) is None

    def test_a_large_scan_is_not_kept(self) -> None:
        memory = Memory(Limits())
        memory.put_scan("user", "1", tuple(range(65)))
        assert memory.scans.get(("user", "1")) is None
