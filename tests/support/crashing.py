"""A data directory that is served, killed and served again, and what has to hold in between."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strongroom.trail.layout import open_segment, segment_files, slots
from support.load import CURRENT, PREVIOUS, Connection, Ledger, LostAnswer, Shared, Writer
from support.running import STRONGROOM, Server, start

CONNECTIONS = 16
SECONDS = 30


@dataclass
class Site:
    """One data directory and, while it is served, its server."""

    directory: Path
    arguments: Sequence[str] = ("--workers", "2")
    credentials: tuple[str, str] = ("", "")
    popen: dict[str, Any] = field(default_factory=dict)
    server: Server | None = None
    mount: str = "data"
    """The data directory below `directory`, as the server sees it."""

    @property
    def data_dir(self) -> Path:
        path = self.directory / self.mount
        if self.server is not None and "preexec_fn" in self.popen:
            # It may live where only the server's own processes can see it.
            return Path(f"/proc/{self.server.process.pid}/root{path}")
        return path

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def start(self) -> Server:
        arguments = [*self.arguments, "--data-dir", str(self.directory / self.mount)]
        arguments += ["--root-key", f"file:{self.directory / 'root.key'}"]
        server = start(arguments, self.log, **self.popen)
        if server.access_key_id:
            self.credentials = server.access_key_id, server.secret_access_key
        server.access_key_id, server.secret_access_key = self.credentials
        self.server = server
        return server

    def kill(self) -> None:
        """Kill all processes of the server at one instant; they are gone when this returns."""
        assert self.server is not None
        self.server.kill()
        self._close()
        wait_for(lambda: not is_locked(self.data_dir / "run" / "lock"))

    def stop(self) -> None:
        """Stop it gracefully."""
        assert self.server is not None
        code = self.server.stop()
        self._close()
        assert code == 0, self.log.read_text()

    def close(self) -> None:
        """Leave no process behind, whatever happened."""
        if self.server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.server.process.pid, signal.SIGKILL)
            self._close()

    def _close(self) -> None:
        assert self.server is not None
        self.server.process.wait(timeout=SECONDS)
        if self.server.process.stdout is not None:
            self.server.process.stdout.close()
        self.server = None

    def workers(self) -> list[int]:
        """Return the processes that hold a trail slot of the API, by slot."""
        return [pid for slot, pid in self.holders() if slot != "keeper"]

    def keeper(self) -> int:
        """Return the keeper's process, once there is one."""
        found: list[int] = []
        # The list of children may lack some while others come or go.
        wait_for(lambda: found.extend(pid for slot, pid in self.holders() if slot == "keeper") or found)
        return found[0]

    def holders(self) -> list[tuple[str, int]]:
        """Return which process holds which trail slot."""
        assert self.server is not None
        slots = {str(path): path.parent.name for path in self.data_dir.glob("trail/segments/*/lock")}
        found = []
        for pid in children(self.server.process.pid):
            with suppress(OSError):  # it may end while it is looked at
                links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
                found += [(slots[link], pid) for link in links if link in slots]
        return sorted(found)

    def outbox(self) -> int:
        """Return how many records of writes have not reached the trail. Call while nobody writes."""
        database = self.data_dir / "room.db"
        if "preexec_fn" in self.popen:
            # SQLite follows every link, and this one leads to another file system than it says.
            for suffix in ("", "-wal"):
                shutil.copy(f"{database}{suffix}", self.directory / f"copy.db{suffix}")
            database = self.directory / "copy.db"
        with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as connection:
            count: int = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        return count

    def verify_trail(self) -> None:
        """Fail unless `strongroom trail verify` finds nothing wrong."""
        done = subprocess.run(
            [STRONGROOM, "trail", "verify", "--data-dir", str(self.data_dir), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["ok"] is True


@contextmanager
def a_site(directory: Path, **options: Any) -> Iterator[Site]:
    site = Site(directory, **options)
    try:
        yield site
    except Exception as error:
        error.add_note(site.log.read_text()[-4000:])
        raise
    finally:
        site.close()


class RecordedCalls:
    """How often each request id stands in the trail; reads only what is new."""

    def __init__(self, data_dir: Path) -> None:
        self._trail = data_dir / "trail"
        self._read: dict[tuple[str, int], int] = {}
        """By slot and first record, how many bytes of a segment were read; compressed or not, they are the
        same."""
        self._done: set[Path] = set()
        self.counts: Counter[str] = Counter()

    def read(self) -> None:
        for slot in slots(self._trail):
            for first, path in segment_files(slot):
                # A compressed segment does not grow.
                if path not in self._done:
                    self._read_segment((slot.name, first), path)

    def _read_segment(self, key: tuple[str, int], path: Path) -> None:
        with open_segment(path) as file:
            file.read(self._read.get(key, 0))
            whole = file.read().rpartition(b"\n")[0]
        for line in whole.splitlines():
            event = json.loads(line)["event"]
            if event["eventType"] == "AwsApiCall":
                self.counts[event["requestID"]] += 1
        self._read[key] = self._read.get(key, 0) + (len(whole) + 1 if whole else 0)
        if path.suffix == ".zst":
            self._done.add(path)


class Load:
    """Writers on connections of their own against a server, round after round."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.writers = [Writer(number, self.ledger) for number in range(CONNECTIONS)]
        self.shared = Shared("")
        self._round = 0
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._faults: list[str] = []

    def start(self, server: Server, *, server_stays: bool = False, foreseen: Sequence[str] = ()) -> None:
        """Begin to write. With `server_stays` a writer that lost an answer settles and goes on.

        `foreseen` are the codes that calls may be refused with.
        """
        self._round += 1
        self.shared = Shared(f"shared/{self._round}")
        self._foreseen = foreseen
        with closing(Connection(server)) as connection:
            first = {"SecretString": "the first", "ClientRequestToken": str(uuid.uuid4())}
            reply = connection.call("CreateSecret", {"Name": self.shared.name, **first})
            self.ledger.tell(reply)
            assert reply.status == 200, reply
        self.shared.acknowledged[reply.body["VersionId"]] = "the first"
        self._stopped.clear()
        self._threads = [
            threading.Thread(target=self._run, args=(writer, server, server_stays), daemon=True)
            for writer in self.writers
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait until nobody writes any more; every writer got its last answer, or lost it."""
        self._stopped.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a call was never answered"
        assert not self._faults, self._faults[:5]
        unforeseen = [each for each in self.ledger.refused if each.error not in self._foreseen]
        assert not unforeseen, unforeseen[:5]

    def settle(self, server: Server) -> None:
        """Fail unless `server` holds what was acknowledged, and nothing that was never asked for."""
        self._stopped.clear()
        threads = [threading.Thread(target=self._settle, args=(each, server)) for each in self.writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self._faults, self._faults[:5]
        with closing(Connection(server)) as connection:
            self._verify_shared(connection)
            self._verify_listing(connection)

    def _run(self, writer: Writer, server: Server, server_stays: bool) -> None:
        while not self._stopped.is_set():
            connection = Connection(server)
            try:
                if server_stays:
                    self._faults += writer.settle(connection)
                writer.work(connection, self.shared, self._stopped.is_set)
            except LostAnswer:
                if not server_stays:
                    return
            except Exception as error:
                self._faults.append(repr(error))
                return
            finally:
                connection.close()

    def _settle(self, writer: Writer, server: Server) -> None:
        try:
            with closing(Connection(server)) as connection:
                self._faults += writer.settle(connection)
        except Exception as error:
            self._faults.append(repr(error))

    def _ask(self, connection: Connection, operation: str, **parameters: Any) -> Any:
        reply = connection.call(operation, parameters)
        self.ledger.tell(reply)
        assert reply.status == 200, reply
        return reply.body

    def _verify_shared(self, connection: Connection) -> None:
        name, acknowledged = self.shared.name, self.shared.acknowledged
        possible = {**self.shared.doubtful, **acknowledged}
        stages = self._ask(connection, "DescribeSecret", SecretId=name)["VersionIdsToStages"]
        labels = Counter(label for each in stages.values() for label in each)
        assert labels[CURRENT] == 1, stages
        assert labels[PREVIOUS] <= 1, stages
        assert set(labels) <= {CURRENT, PREVIOUS}, stages
        found = set(self._versions(connection, name))
        assert set(acknowledged) <= found <= set(possible), "a version was lost, or one came from nowhere"
        for version_id in found:
            value = self._ask(connection, "GetSecretValue", SecretId=name, VersionId=version_id)
            assert value["SecretString"] == possible[version_id]

    def _versions(self, connection: Connection, name: str) -> Iterator[str]:
        parameters = {"SecretId": name, "IncludeDeprecated": True}
        while True:
            page = self._ask(connection, "ListSecretVersionIds", **parameters)
            yield from (each["VersionId"] for each in page["Versions"])
            if "NextToken" not in page:
                return
            parameters["NextToken"] = page["NextToken"]

    def _verify_listing(self, connection: Connection) -> None:
        """No secret is listed that nobody made, or that was deleted; none that is there is missing."""
        expected = {name for writer in self.writers for name in writer.known}
        found: set[str] = set()
        parameters: dict[str, Any] = {
            "MaxResults": 100,
            "IncludePlannedDeletion": True,
            "Filters": [{"Key": "name", "Values": ["own/"]}],
        }
        while True:
            page = self._ask(connection, "ListSecrets", **parameters)
            found |= {each["Name"] for each in page["SecretList"]}
            if "NextToken" not in page:
                break
            parameters["NextToken"] = page["NextToken"]
        assert found == expected

    def verify_recorded(self, site: Site, recorded: RecordedCalls) -> None:
        """Fail unless every answer that left has its record in the trail, once. Call while nobody calls."""
        wait_for(lambda: site.outbox() == 0)
        recorded.read()
        wrong = {each: recorded.counts[each] for each in self.ledger.answered if recorded.counts[each] != 1}
        assert not wrong, f"recorded otherwise than once: {wrong}"
        assert max(recorded.counts.values()) == 1

    def verify_unseen(self, site: Site) -> None:
        """Fail if a value stands in clear in any file of the data directory, or in the log."""
        for path in [site.log, *site.data_dir.rglob("*")]:
            if path.is_file():
                with open_segment(path) if path.suffix == ".zst" else path.open("rb") as file:
                    assert b"canary-" not in file.read(), f"{path} holds a value"


def children(pid: int) -> list[int]:
    """Return the living child processes of `pid`, of all its threads."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        # Threads end while one looks.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(each) for each in path.read_text().split()]
    return found


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_for(condition: Callable[[], Any]) -> None:
    """Return when `condition` holds; fail when it does not come true."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
