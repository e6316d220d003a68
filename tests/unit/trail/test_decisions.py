"""Decision records on disk: found by request id, bounded, and not spoilt by half a line."""

from __future__ import annotations

from pathlib import Path

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
