"""What a server will not serve, what it does when its data is damaged, and when its disk gives out."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from strongroom.secret.records import SecretVersion
from strongroom.store.bodies import decode_body, encode_body
from strongroom.store.memory import record_key
from support.commands import Outcome, holder, home, run
from support.running import Server, start
from support.small_disk import can_mount, mounted, read_only
from support.trails import records_of, wait_for

CANARY = "canary-in-the-damage-mine"
SECRETS = 40
CANNOT_DECRYPT = "Secrets Manager can't decrypt the protected secret text using the provided KMS key."
INTERNAL = "An internal error occurred. The request can be tried again."


@dataclass(frozen=True)
class Place:
    """A home whose server has been stopped, or never ran."""

    home: Path
    pair: tuple[str, str]

    @property
    def data_dir(self) -> Path:
        return self.home / ".local" / "share" / "strongroom"

    @property
    def root_key(self) -> Path:
        return self.home / ".config" / "strongroom" / "root.key"

    @property
    def database(self) -> Path:
        return self.data_dir / "room.db"

    def run(self, *arguments: str) -> Outcome:
        return run(arguments, home(self.home))

    def serve(self, *arguments: str) -> Server:
        return start(["--workers", "1", *arguments], self.home.parent / "log", environment=home(self.home))

    def kept(self) -> dict[str, bytes]:
        """Return what a refused start must leave alone."""
        paths = [path for path in self.home.rglob("*") if path.is_file() and path.parent.name != "run"]
        # The database's log index is rebuilt by whoever opens it; an empty log says nothing.
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for path in paths
            if not path.name.endswith("-shm") and path.stat().st_size
        }


def stop(server: Server) -> None:
    assert server.process.stdout is not None
    with server.process.stdout:
        assert server.stop() == 0


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A home with forty secrets, made once and copied."""
    place = tmp_path_factory.mktemp("original") / "home"
    made = json.loads(run(["init", "--json"], home(place)).out)
    found = Place(place, (made["access_key_id"], made["secret_access_key"]))
    server = found.serve()
    client = server.client("secretsmanager", credentials=found.pair)
    for number in range(SECRETS):
        client.create_secret(Name=f"s{number}", SecretString=value_of(number))
    # A record in a worker's own chain, too.
    assert client.get_secret_value(SecretId="s0")["SecretString"] == value_of(0)
    stop(server)
    assert server.log() == ""
    return found


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    shutil.copytree(original.home, tmp_path / "home")
    return Place(tmp_path / "home", original.pair)


def value_of(number: int) -> str:
    return f"{CANARY}-{number}-" + "x" * 200


def altered(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def execute(database: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement, values)


# Not served

SPOILED: dict[str, tuple[Callable[[Place], object], int, str]] = {
    "a newer format": (
        lambda p: (p.data_dir / "FORMAT").write_text("strongroom-data 2\n"),
        3,
        "The data directory {data} was written by a newer version of strongroom: it has format 2, this version "
        "knows 1. Use the newer version.",
    ),
    "a format that is none": (
        lambda p: (p.data_dir / "FORMAT").write_text("?\n"),
        3,
        "{data}/FORMAT is damaged: it should say 'strongroom-data' and a number.",
    ),
    "a newer database": (
        lambda p: execute(p.database, "UPDATE alembic_version SET version_num = '9999'"),
        3,
        "The database in {data} was written by a newer version of strongroom: it has revision 9999, this version "
        "knows 0001. Use the newer version.",
    ),
    "no root key": (
        lambda p: p.root_key.unlink(),
        3,
        "The root key file {key} does not exist. Without the root key nothing in the data directory opens; "
        "restore the file or name another source with --root-key.",
    ),
    "another root key": (
        lambda p: altered(p.root_key, lambda text: b"strongroom-root-key 1\n" + b"A" * 43 + b"=\n"),
        3,
        "This is not the root key that the data directory was made with; nothing in it would open. Name the "
        "right one with --root-key.",
    ),
    "a root key that is none": (
        lambda p: p.root_key.write_bytes(b"AAAA"),
        3,
        "There is no root key in the file {key}: it should hold the line 'strongroom-root-key 1' and then 32 "
        "bytes in base64.",
    ),
    "a root key others can read": (
        lambda p: p.root_key.chmod(0o640),
        3,
        "The root key file {key} is open to other users (mode 0640); run: chmod 600 {key}",
    ),
    "a directory others can read": (
        lambda p: p.data_dir.chmod(0o750),
        3,
        "{data} is open to other users (mode 0750); run: chmod 700 {data}",
    ),
    "a database others can read": (
        lambda p: p.database.chmod(0o644),
        3,
        "{data}/room.db is open to other users (mode 0644); run: chmod 600 {data}/room.db",
    ),
    "no database": (
        lambda p: p.database.unlink(),
        3,
        "{data} has no room.db; restore the directory from a backup.",
    ),
    "an empty database": (
        lambda p: altered(p.database, lambda _: b""),
        3,
        "{data}/room.db is not a database of strongroom.",
    ),
    "a database that is none": (
        lambda p: altered(p.database, lambda content: b"X" + content[1:]),
        4,
        "Damage found: the database in {data} cannot be opened (file is not a database).",
    ),
    "half a database": (
        lambda p: altered(p.database, lambda content: content[:5000]),
        4,
        "Damage found: the database in {data} cannot be opened (database disk image is malformed).",
    ),
    "a trail that ends in no record": (
        lambda p: altered(_segment(p, "api-0"), lambda content: content + b"{}\n"),
        4,
        "Damage found: the audit segment 000000000001.jsonl of api-0 does not end with a record.",
    ),
    "a keeper's trail that ends in no record": (
        lambda p: altered(_segment(p, "keeper"), lambda content: content[:-20] + b"\n"),
        4,
        "Damage found: the audit segment {segment} of keeper does not end with a record.",
    ),
    "a trail that is no directory": (
        lambda p: _replaced_by_file(p.data_dir / "trail" / "segments"),
        3,
        "The audit trail in {data}/trail cannot be written: File exists.",
    ),
}


def _segment(place: Place, slot: str) -> Path:
    """Return the newest file with records in it."""
    files = sorted((place.data_dir / "trail" / "segments" / slot).glob("*.jsonl"))
    return [path for path in files if path.stat().st_size][-1]


def _replaced_by_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("")


@pytest.mark.parametrize("case", SPOILED)
def test_a_room_that_is_not_right_is_not_served(place: Place, case: str) -> None:
    spoil, code, text = SPOILED[case]
    segment = _segment(place, "keeper").name
    spoil(place)
    before = place.kept()
    outcome = place.run("serve", "--port", "0", "--workers", "1")
    expected = text.format(data=place.data_dir, key=place.root_key, segment=segment)
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"strongroom: {expected}\n")
    assert place.kept() == before


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("env:KEY", "The root key source must be file:PATH, fd:N, passphrase-fd:N or passphrase-file:PATH."),
        (
            "fd:999",
            "File descriptor 999, which should give the root key, cannot be read: Bad file descriptor.",
        ),
        ("file:{data}/root.key", "The root key file {data}/root.key lies in the data directory {data}: "),
        ("passphrase-file:{home}/none", "The passphrase file {home}/none does not exist."),
    ],
    ids=["unknown kind", "closed descriptor", "in the data directory", "no passphrase"],
)
def test_a_root_key_source_that_gives_none_is_refused(place: Place, source: str, text: str) -> None:
    names = {"data": place.data_dir, "home": place.home}
    outcome = place.run("serve", "--port", "0", "--root-key", source.format(**names))
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.startswith(f"strongroom: {text.format(**names)}")


def test_a_directory_of_other_things_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("all of it")
    for command in (["serve", "--port", "0"], ["init"]):
        outcome = run([*command, "--data-dir", str(other)], home(tmp_path / "home"))
        assert (outcome.code, outcome.out) == (3, "")
        assert outcome.err == (
            f"strongroom: {other} is not empty and not a data directory (it holds thesis.txt).\n"
        )
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_a_second_server_is_refused_and_the_first_goes_on(place: Place) -> None:
    first = place.serve()
    try:
        for command in (["serve", "--port", "0"], ["init"]):
            outcome = place.run(*command)
            assert (outcome.code, outcome.out) == (3, "")
            assert outcome.err == (
                f"strongroom: The data directory {place.data_dir} is in use by process {first.process.pid}.\n"
            )
        client = first.client("secretsmanager", credentials=place.pair)
        assert client.get_secret_value(SecretId="s1")["SecretString"] == value_of(1)
        client.put_secret_value(SecretId="s1", SecretString="new")
    finally:
        stop(first)
    assert first.log() == ""


# Damaged


def damage_lines(server: Server) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, server.log().splitlines()) if line["event"] == "damage found"]


def rewrite_versions(database: Path, change: Callable[[int, str, str, bytes], bytes]) -> None:
    """Put the body that `change` gives for number, ARN, version id and body in the place of each version's."""
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = connection.execute("SELECT rowid, secret_arn, version_id, body FROM versions").fetchall()
        assert len(rows) == SECRETS
        for rowid, arn, version_id, body in rows:
            number = int(arn.rpartition(":s")[2].partition("-")[0])
            changed = change(number, arn, version_id, body)
            connection.execute("UPDATE versions SET body = ? WHERE rowid = ?", (changed, rowid))


def flipped(content: bytes, number: int) -> bytes:
    """Return `content` with one bit of it flipped, for each number at another place."""
    changed = bytearray(content)
    changed[number * len(content) // SECRETS] ^= 1 << number % 8
    return bytes(changed)


SPARED = frozenset(range(0, SECRETS, 10))


def read_all(server: Server, place: Place) -> dict[int, tuple[int, str, str]]:
    """Read every secret; return status, code and message where there was no value. What comes is right."""
    client = server.client("secretsmanager", credentials=place.pair)
    told: dict[int, tuple[int, str, str]] = {}
    for number in range(SECRETS):
        try:
            answer = client.get_secret_value(SecretId=f"s{number}")
        except ClientError as refusal:
            assert CANARY not in str(refusal.response)
            error, metadata = refusal.response["Error"], refusal.response["ResponseMetadata"]
            told[number] = (metadata["HTTPStatusCode"], error["Code"], error["Message"])
            [record] = records_of(place.data_dir, metadata["RequestId"])
            assert record["errorCode"] == error["Code"]
        else:
            assert answer["SecretString"] == value_of(number)
    return told


@pytest.mark.parametrize("mended", [False, True], ids=["by the disk", "by somebody who mends the checksum"])
def test_an_altered_version_opens_nothing_and_harms_no_other(place: Place, mended: bool) -> None:
    """In each version another bit: of what is stored, or of the envelope alone with all else as it should be."""

    def change(number: int, arn: str, version_id: str, body: bytes) -> bytes:
        if number in SPARED:
            return body
        if not mended:
            return flipped(body, number)
        identity = record_key(arn, version_id)
        version = decode_body(msgspec.msgpack.Decoder(SecretVersion), body, identity)
        envelope = flipped(version.envelope, number)
        return encode_body(msgspec.structs.replace(version, envelope=envelope), identity)

    rewrite_versions(place.database, change)
    server = place.serve()
    try:
        told = read_all(server, place)
        assert set(told) == set(range(SECRETS)) - SPARED
        assert set(told.values()) == {
            (400, "DecryptionFailure", CANNOT_DECRYPT) if mended else (500, "InternalServiceError", INTERNAL)
        }
        assert len(damage_lines(server)) == len(told) == len(server.log().splitlines())
        # What needs no value is served, and a new value heals.
        client = server.client("secretsmanager", credentials=place.pair)
        assert client.describe_secret(SecretId="s1")["Name"] == "s1"
        if mended:
            batch = client.batch_get_secret_value(SecretIdList=["s0", "s1"])
            assert [each["SecretString"] for each in batch["SecretValues"]] == [value_of(0)]
            assert batch["Errors"] == [
                {"SecretId": "s1", "ErrorCode": "DecryptionFailure", "Message": CANNOT_DECRYPT}
            ]
            client.put_secret_value(SecretId="s1", SecretString="healed")
            assert client.get_secret_value(SecretId="s1")["SecretString"] == "healed"
    finally:
        stop(server)
    assert CANARY not in server.log()


def test_an_envelope_in_the_place_of_another_does_not_open(place: Place) -> None:
    """Whoever may write the database cannot make one secret's value answer for another's."""
    with closing(sqlite3.connect(place.database)) as connection:
        arn, version_id, body = connection.execute(
            "SELECT secret_arn, version_id, body FROM versions WHERE secret_arn LIKE '%:s0-%'"
        ).fetchone()
    decoder = msgspec.msgpack.Decoder(SecretVersion)
    stolen = decode_body(decoder, body, record_key(arn, version_id)).envelope

    def change(number: int, arn: str, version_id: str, body: bytes) -> bytes:
        if number != 1:
            return body
        identity = record_key(arn, version_id)
        version = decode_body(decoder, body, identity)
        return encode_body(msgspec.structs.replace(version, envelope=stolen), identity)

    rewrite_versions(place.database, change)
    server = place.serve()
    try:
        assert read_all(server, place) == {1: (400, "DecryptionFailure", CANNOT_DECRYPT)}
        assert len(damage_lines(server)) == 1
    finally:
        stop(server)


def test_a_damaged_page_of_the_database_is_told_and_the_rest_served(place: Place) -> None:
    with closing(sqlite3.connect(place.database)) as connection:
        [size] = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        [body] = connection.execute(
            "SELECT body FROM versions WHERE secret_arn LIKE '%:s7-%' ORDER BY rowid"
        ).fetchone()
    content = bytearray(place.database.read_bytes())
    page = content.find(bytes(body[-64:])) // size
    assert page > 0
    content[page * size] ^= 0xFF
    place.database.write_bytes(bytes(content))

    server = place.serve()
    try:
        client = server.client("secretsmanager", credentials=place.pair)
        with pytest.raises(ClientError) as refusal:
            client.get_secret_value(SecretId="s7")
        assert refusal.value.response["Error"] == {
            "Code": "InternalServiceError",
            "Message": INTERNAL,
        }
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        [line] = damage_lines(server)
        assert line["request_id"] == refusal.value.response["ResponseMetadata"]["RequestId"]
        assert "The database file is damaged." in line["exception"]
        values = {}
        for number in range(SECRETS):
            try:
                values[number] = client.get_secret_value(SecretId=f"s{number}")["SecretString"]
            except ClientError as error:
                assert error.response["Error"]["Code"] == "InternalServiceError"
        assert len(values) > SECRETS // 2
        assert all(value == value_of(number) for number, value in values.items())
        assert client.describe_secret(SecretId="s7")["Name"] == "s7"
    finally:
        stop(server)
    assert CANARY not in server.log()


def test_a_worker_that_cannot_start_ends_the_server(place: Place) -> None:
    """Rather than a server that runs, answers nothing, and says nothing more."""
    server = place.serve()
    segments = place.data_dir / "trail" / "segments"
    try:
        worker = wait_for(lambda: holder(server.process.pid, "api-0"))
        # The next worker meets a chain it cannot continue.
        altered(segments / "api-0" / _newest(segments / "api-0"), lambda content: content + b"{}\n")
        os.kill(worker, 9)
        assert server.process.wait(60) == 1
    finally:
        if server.process.poll() is None:
            server.kill()
        assert server.process.stdout is not None
        server.process.stdout.close()
    told = [json.loads(line) for line in server.log().splitlines()]
    # The keeper may meet the altered chain before the server has ended, and says so.
    expected = {"cannot start", "workers ended one after the other"}
    assert {line["event"] for line in told} - {"duty failed"} == expected
    refused = next(line for line in told if line["event"] == "cannot start")
    assert "does not end with a record" in refused["exception"]


def _newest(slot: Path) -> str:
    return sorted(path.name for path in slot.glob("*.jsonl"))[-1]


# On a disk that takes nothing (tests/crash has the disk that fills up meanwhile)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A directory for another disk to stand in."""
    path = tmp_path / "disk"
    path.mkdir(mode=0o700)
    if not can_mount(path):
        pytest.skip("this system lets no process have a disk of its own")
    return path


def test_a_disk_too_small_to_begin_on_is_told(disk: Path, tmp_path: Path) -> None:
    outcome = run(
        ["init", "--data-dir", str(disk / "data"), "--root-key", f"file:{tmp_path}/root.key"],
        home(tmp_path / "home"),
        preexec_fn=mounted(disk, "64k"),
    )
    assert (outcome.code, outcome.out) == (3, "")
    assert (
        outcome.err == f"strongroom: The database in {disk}/data cannot be made: database or disk is full.\n"
    )
    assert not (tmp_path / "root.key").exists()


def test_a_read_only_disk_is_told_and_served_when_it_is_not(place: Place) -> None:
    if not can_mount(place.home):
        pytest.skip("this system lets no process have a disk of its own")
    before = place.kept()
    refused = {
        (
            "serve",
            "--port",
            "0",
        ): f"The data directory {place.data_dir} cannot be opened: Read-only file system.",
        ("init",): f"The data directory {place.data_dir} cannot be opened: Read-only file system.",
        ("init", "--data-dir", f"{place.home}/new"): (
            f"The data directory {place.home}/new cannot be made: Read-only file system."
        ),
        (
            "account",
            "create",
        ): f"The database in {place.data_dir} cannot be opened: unable to open database file.",
    }
    for command, text in refused.items():
        outcome = run(command, home(place.home), preexec_fn=read_only(place.home))
        assert (outcome.code, outcome.out, outcome.err) == (3, "", f"strongroom: {text}\n"), command
    assert place.kept() == before
    server = place.serve()
    try:
        assert read_all(server, place) == {}
    finally:
        stop(server)
    assert server.log() == ""


def test_a_root_key_that_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    """Else what is stored under it would be lost at the next start."""
    blocked = tmp_path / "blocked"
    blocked.write_text("no directory")
    options = ["--data-dir", str(tmp_path / "data"), "--root-key", f"file:{blocked}/root.key"]
    outcome = run(["init", *options], home(tmp_path / "home"))
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err == (
        f"strongroom: The root key file {blocked}/root.key cannot be opened: Not a directory.\n"
    )
    options[-1] = f"file:{tmp_path}/root.key"
    assert run(["init", *options], home(tmp_path / "home")).code == 0
