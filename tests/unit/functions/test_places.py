"""The directories and users of a runner."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strongroom.functions import places
from strongroom.functions.confinement import Level
from strongroom.functions.limits import Limits
from strongroom.functions.places import Places
from strongroom.functions.unpacking import CodeError
from support.function_room import a_zip, sha256_of

FIRST = 1_300_000 + os.getpid() % 4096 * 4


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_USERS", tmp_path / "locks")


def made(tmp_path: Path, users: int = 4) -> Places:
    return Places(tmp_path / "data", Level.JAIL, Limits(first_user=FIRST, users=users, cache_bytes=20))


def run_directories(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "data" / "run" / "functions").iterdir() if path.is_dir()]


def test_what_a_runner_leaves_is_removed_by_the_next_but_not_what_is_in_use(tmp_path: Path) -> None:
    first = made(tmp_path)
    os.close(first._held)  # as if its process had been killed
    second = made(tmp_path)
    assert run_directories(tmp_path) == [second.root.name]
    third = made(tmp_path)
    assert sorted(run_directories(tmp_path)) == sorted([second.root.name, third.root.name])
    for one in (second, third):
        one.close()
    assert run_directories(tmp_path) == []


def test_nobody_else_sees_what_lies_there(tmp_path: Path) -> None:
    one = made(tmp_path)
    try:
        assert one.root.stat().st_mode & 0o777 == 0o700
        assert one.root.parent.stat().st_mode & 0o777 == 0o700
    finally:
        one.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives users")
def test_no_user_is_given_twice_by_any_runner(tmp_path: Path) -> None:
    one, other = made(tmp_path), made(tmp_path)
    try:
        taken = [one.take(), other.take(), one.take(), other.take()]
        assert {place.user for place in taken} == set(range(FIRST, FIRST + 4))
        with pytest.raises(OSError, match=r"^all users for functions are taken$"):
            one.take()
        other.give_back(taken[1])
        assert one.take().user == taken[1].user
    finally:
        one.close()
        other.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives users")
def test_users_are_given_where_run_is_closed(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("no directory")
    one = made(tmp_path)
    try:
        assert one.take().user == FIRST
        assert (tmp_path / "data" / "run" / "function-users" / str(FIRST)).exists()
    finally:
        one.close()


def test_code_is_loaded_once_while_it_is_kept(tmp_path: Path) -> None:
    loads: list[str] = []
    one = made(tmp_path)

    def code(text: str) -> places.Code:
        archive = a_zip({"f.py": text, "pack/__init__.py": ""})

        def load() -> bytes:
            loads.append(text)
            return archive

        return sha256_of(archive), load

    try:
        for text in ("a" * 15, "a" * 15, "b" * 15, "b" * 15, "a" * 15):
            place = one.take()
            assert one.fill(place, code(text), ()) == {"f", "pack"}
            assert (place.task / "f.py").read_text() == text
            one.give_back(place)
        # Two of them are more than is kept.
        assert loads == ["a" * 15, "b" * 15, "a" * 15]
    finally:
        one.close()


def test_what_cannot_be_unpacked_leaves_nothing(tmp_path: Path) -> None:
    one = made(tmp_path)
    try:
        place = one.take()
        with pytest.raises(CodeError, match=r"^the code is no sound zip file"):
            one.fill(place, (sha256_of(b"no zip"), lambda: b"no zip"), ())
        assert list((one.root / "code").iterdir()) == list(place.task.iterdir()) == []
    finally:
        one.close()
