"""Decision records on disk: found by request id, bounded, and not spoilt by half a line."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from strongroom.trail import decisions
from strongroom.trail.decisions import DECISIONS, DecisionFile, find_decisions


def test_records_are_found_by_request_id_after_a_restart(tmp_path: Path) -> None:
    for number in (1, 2):
        kept = DecisionFile(tmp_path, "api-0")
        kept.append(b'{"request_id":"r-%d","n":%d}' % (number, number))
        kept.close()
    assert find_decisions(tmp_path, "r-1") == [{"request_id": "r-1", "n": 1}]
    assert find_decisions(tmp_path, "r-2") == [{"request_id": "r-2", "n": 2}]
    assert find_decisions(tmp_path, "r-3") == []
    assert (tmp_path / DECISIONS).stat().st_mode & 0o777 == 0o700


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    kept = DecisionFile(tmp_path, "api-0", limit=2)
    for number in range(7):
        kept.append(b'{"request_id":"r-%d"}' % number)
    kept.close()
    found = [number for number in range(7) if find_decisions(tmp_path, f"r-{number}")]
    assert found == [4, 5, 6]


def test_half_a_record_spoils_no_other(tmp_path: Path) -> None:
    kept = DecisionFile(tmp_path, "api-0")
    kept.close()
    with (tmp_path / DECISIONS / "api-0.jsonl").open("ab") as file:
        file.write(b'{"request_id":"r-1","at"')
    kept = DecisionFile(tmp_path, "api-0")
    kept.append(b'{"request_id":"r-2"}')
    kept.close()
    assert find_decisions(tmp_path, "r-1") == []
    assert find_decisions(tmp_path, "r-2") == [{"request_id": "r-2"}]


def test_a_file_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    kept = DecisionFile(tmp_path, "api-0", byte_limit=1_000)
    for number in range(40):
        kept.append(b'{"request_id":"r-%d","text":"%s"}' % (number, b"x" * 200))
        assert all(path.stat().st_size <= 1_000 for path in (tmp_path / DECISIONS).iterdir())
    kept.close()
    kept = DecisionFile(tmp_path, "api-0", byte_limit=1_000)
    kept.append(b'{"request_id":"r-40","text":"%s"}' % (b"x" * 700))
    kept.close()
    assert sum(path.stat().st_size for path in (tmp_path / DECISIONS).iterdir()) <= 2_000
    assert find_decisions(tmp_path, "r-40") != []


def test_all_records_of_a_call_are_found_across_what_is_looked_through_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "_AT_A_TIME", 64)
    kept = DecisionFile(tmp_path, "api-0")
    for number in range(200):
        kept.append(b'{"request_id":"r-%d","n":%d,"text":"%s"}' % (number % 7, number, b"x" * (number % 90)))
    kept.close()
    found = [record["n"] for record in find_decisions(tmp_path, "r-3")]
    assert found == list(range(3, 200, 7))


def test_an_id_inside_a_text_is_no_record(tmp_path: Path) -> None:
    kept = DecisionFile(tmp_path, "api-0")
    kept.append(orjson.dumps({"request_id": "r-1", "text": '"request_id":"r-2"'}))
    kept.close()
    assert find_decisions(tmp_path, "r-2") == []
