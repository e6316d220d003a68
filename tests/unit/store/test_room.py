"""The data directory: made whole or not at all, private, of a known format, and owned by one process."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.errors import IntegrityError
from strongroom.store.errors import RoomError
from strongroom.store.room import REVISION, Room, is_room
from strongroom.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "room"


@pytest.fixture
def room(path: Path) -> Path:
    Room.create(path).close()
    return path


def set_revision(room: Path, revision: str) -> None:
    with closing(sqlite3.connect(room / "room.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


class TestCreate:
    def test_it_makes_the_layout_for_its_owner_only(self, path: Path) -> None:
        previous = os.umask(0)
        try:
            with Room.create(path) as room:
                store = SqliteStore.open(path)
                store.read(lambda unit: unit.secret("arn"))
                files = {entry.relative_to(path).as_posix(): entry for entry in path.rglob("*")}
                modes = {name: stat.S_IMODE(entry.stat().st_mode) for name, entry in files.items()}
                store.close()
                assert room.database == path / "room.db"
                assert (room.trail, room.run) == (path / "trail", path / "run")
        finally:
            os.umask(previous)
        assert (path / "FORMAT").read_bytes() == b"strongroom-data 1\n"
        assert {"FORMAT", "room.db", "room.db-wal", "trail", "run", "run/lock"} <= set(modes)
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        for name, mode in modes.items():
            assert mode == (0o700 if files[name].is_dir() else 0o600), name

    def test_an_empty_directory_is_taken_and_closed_to_others(self, path: Path) -> None:
        path.mkdir(mode=0o755)
        Room.create(path).close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert is_room(path)

    def test_a_directory_with_other_things_is_refused_and_left_alone(self, path: Path) -> None:
        path.mkdir(mode=0o755)
        (path / "thesis.txt").write_text("mine")
        with pytest.raises(RoomError, match=r"is not empty and not a data directory \(it holds thesis.txt\)"):
            Room.create(path)
        assert [entry.name for entry in path.iterdir()] == ["thesis.txt"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o755

    def test_a_room_is_not_made_twice(self, room: Path) -> None:
        with pytest.raises(RoomError, match="is a data directory already"):
            Room.create(room)

    def test_what_a_crash_left_is_finished(self, room: Path) -> None:
        (room / "FORMAT").unlink()
        assert not is_room(room)
        Room.create(room).close()
        Room.open(room, own=True).close()
        (room / "FORMAT").unlink()
        (room / "room.db").unlink()
        (room / "run" / "new.db").write_bytes(b"half")
        Room.create(room).close()
        Room.open(room, own=True).close()

    def test_a_used_database_without_format_is_not_taken_for_new(self, room: Path) -> None:
        store = SqliteStore.open(room)
        store.write(lambda unit: unit.record(b"{}")).result()
        store.close()
        (room / "FORMAT").unlink()
        with pytest.raises(RoomError, match="holds a database that is in use, but no FORMAT file"):
            Room.create(room)
        assert not (room / "FORMAT").exists()
        store = SqliteStore.open(room)
        assert store.pending_events(0, 10) == [(1, b"{}")]
        store.close()

    def test_a_file_in_the_way_is_told(self, path: Path) -> None:
        path.write_text("")
        with pytest.raises(RoomError, match="cannot be made: File exists"):
            Room.create(path)


class TestOpen:
    def test_an_absent_directory_and_a_foreign_one(self, path: Path) -> None:
        with pytest.raises(RoomError, match=f"The data directory {path} does not exist"):
            Room.open(path, own=True)
        path.mkdir()
        with pytest.raises(RoomError, match="is not a data directory: it has no FORMAT file"):
            Room.open(path, own=True)

    @pytest.mark.parametrize("own", [True, False])
    def test_a_newer_format_is_refused_naming_both(self, room: Path, own: bool) -> None:
        (room / "FORMAT").write_text("strongroom-data 2\n")
        with pytest.raises(RoomError, match="it has format 2, this version knows 1"):
            Room.open(room, own=own)

    @pytest.mark.parametrize(
        "content", [b"", b"strongroom-data\n", b"other 1\n", b"strongroom-data x\n", b"\xff"]
    )
    def test_a_damaged_format_is_refused(self, room: Path, content: bytes) -> None:
        (room / "FORMAT").write_bytes(content)
        with pytest.raises(RoomError, match="FORMAT is damaged"):
            Room.open(room, own=True)

    @pytest.mark.parametrize("own", [True, False])
    def test_a_newer_revision_is_refused_naming_both(self, room: Path, own: bool) -> None:
        set_revision(room, "9999")
        with pytest.raises(RoomError, match=f"it has revision 9999, this version knows {REVISION}"):
            Room.open(room, own=own)

    def test_an_older_revision_is_for_the_owner_to_bring_up_to_date(self, room: Path) -> None:
        with closing(sqlite3.connect(room / "room.db", isolation_level=None)) as connection:
            for table in ("records", "secrets", "versions", "changes", "events", "alembic_version"):
                connection.execute(f"DROP TABLE {table}")
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            connection.execute("INSERT INTO alembic_version VALUES ('')")
        with pytest.raises(
            RoomError, match=f"has revision , this version needs {REVISION}. Start the server"
        ):
            Room.open(room, own=False)

    def test_a_foreign_database_is_refused(self, room: Path) -> None:
        with closing(sqlite3.connect(room / "room.db", isolation_level=None)) as connection:
            connection.execute("DROP TABLE alembic_version")
        with pytest.raises(RoomError, match="is not a database of strongroom"):
            Room.open(room, own=True)

    def test_a_damaged_database_is_told(self, room: Path) -> None:
        (room / "room.db").write_bytes(b"no database " * 1000)
        with pytest.raises(IntegrityError, match="file is not a database"):
            Room.open(room, own=True)
        Room.create(room.parent / "other").close()

    @pytest.mark.parametrize(("name", "mode", "wanted"), [(".", 0o750, "700"), ("room.db", 0o604, "600")])
    def test_what_others_may_read_is_refused(self, room: Path, name: str, mode: int, wanted: str) -> None:
        (room / name).chmod(mode)
        with pytest.raises(
            RoomError, match=rf"is open to other users \(mode {mode:04o}\); run: chmod {wanted} "
        ):
            Room.open(room, own=True)
        (room / name).chmod(int(wanted, 8))
        Room.open(room, own=True).close()


class TestOwnership:
    def test_a_second_owner_is_refused_with_the_first_ones_number(self, room: Path) -> None:
        with (
            Room.open(room, own=True),
            pytest.raises(RoomError, match=f"is in use by process {os.getpid()}\\."),
        ):
            Room.open(room, own=True)
        Room.open(room, own=True).close()

    def test_who_does_not_own_may_open_beside_the_owner(self, room: Path) -> None:
        with Room.open(room, own=True), Room.open(room, own=False) as beside:
            assert beside.lock_descriptor is None
        with Room.open(room, own=False):
            Room.open(room, own=True).close()

    def test_it_lasts_until_the_last_forked_child_is_gone(self, room: Path) -> None:
        script = (
            "import os, sys, time\n"
            "from pathlib import Path\n"
            "from strongroom.store.room import Room\n"
            "room = Room.open(Path(sys.argv[1]), own=True)\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    os.close(1)\n"
            "    time.sleep(60)\n"
            "    os._exit(0)\n"
            "room.close()\n"
            "print(child, flush=True)\n"
        )
        parent = subprocess.run(
            [sys.executable, "-c", script, str(room)], check=False, stdout=subprocess.PIPE
        )
        child = int(parent.stdout)
        try:
            with pytest.raises(RoomError, match="is in use by process "):
                Room.open(room, own=True)
        finally:
            os.kill(child, signal.SIGKILL)
        for _ in range(1000):
            try:
                Room.open(room, own=True).close()
                return
            except RoomError:
                os.sched_yield()
        pytest.fail("the lock outlived its last holder")


def test_an_up_to_date_room_opens_without_sqlalchemy_and_alembic(room: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from strongroom.store.room import Room\n"
        "from strongroom.store.sqlite import SqliteStore\n"
        "Room.create(Path(sys.argv[1]) / 'run' / 'inner').close()\n"
        "with Room.open(Path(sys.argv[1]), own=True):\n"
        "    store = SqliteStore.open(Path(sys.argv[1]))\n"
        "    store.write(lambda unit: unit.record(b'{}')).result()\n"
        "    store.close()\n"
        "print('sqlalchemy' in sys.modules, 'alembic' in sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(room)], check=True, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout.split() == ["False", "False"]
