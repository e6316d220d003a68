"""The life of a server: made, started, watched, stopped and started again, as its operator sees it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.commands import descendants, holder, home, run
from support.running import STRONGROOM, Server, running, start
from support.signing import Request, json_call, query_call, receive, send
from support.signing import connect as connection_to
from support.trails import records, wait_for

CANARY = "canary-in-the-server-mine"
ROOT_PAIR = ("AKIAROOTEXAMPLEKEY01", "canary-root-secret-mine/0123456789abcdef")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "home"


def serve(place: Path, *arguments: str, **more: str) -> Server:
    """Start a server with the defaults of a user whose home is `place`."""
    return start(["--workers", "1", *arguments], place.parent / "log", environment=home(place, **more))


def default_data_dir(place: Path) -> Path:
    return place / ".local" / "share" / "strongroom"


def stop(server: Server) -> str:
    """Stop it, expecting nothing to be wrong; return what else it printed."""
    rest = end(server)
    assert server.log() == ""
    return rest


def end(server: Server) -> str:
    """Stop it and return what else it printed."""
    assert server.process.stdout is not None
    with server.process.stdout as out:
        assert server.stop() == 0
        return out.read()


# Made and started


def test_the_first_start_makes_everything_and_prints_it_once(place: Path) -> None:
    first = serve(place)
    try:
        first.client("secretsmanager").create_secret(Name="kept", SecretString=CANARY)
    finally:
        rest = stop(first)
    assert rest == ""
    key = place / ".config" / "strongroom" / "root.key"
    assert key.stat().st_mode & 0o777 == 0o600
    data_dir = default_data_dir(place)
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "FORMAT").read_text() == "strongroom-data 1\n"

    again = serve(place)
    try:
        assert (again.access_key_id, again.secret_access_key) == ("", "")
        known = (first.access_key_id, first.secret_access_key)
        client = again.client("secretsmanager", credentials=known)
        assert client.get_secret_value(SecretId="kept")["SecretString"] == CANARY
    finally:
        rest = stop(again)
    assert rest == ""


def test_what_is_printed_can_be_pasted(place: Path) -> None:
    process = subprocess.Popen(
        [STRONGROOM, "serve", "--port", "0", "--workers", "1", "--region", "eu-west-3"],
        env=home(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(5)]
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
    assert re.fullmatch(
        r"# strongroom made \S+ for account \d{12}\. Paste this; it is shown this once:\n"
        r"export AWS_ENDPOINT_URL=http://127\.0\.0\.1:\d+\n"
        r"export AWS_ACCESS_KEY_ID=AKIA[A-Z2-7]{16}\n"
        r"export AWS_SECRET_ACCESS_KEY='?[A-Za-z0-9/+]{40}'?\n"
        r"export AWS_DEFAULT_REGION=eu-west-3\n",
        "".join(lines),
    ), lines


def test_the_first_key_may_be_given_and_leaves_the_environment(place: Path) -> None:
    pair = dict(
        zip(("STRONGROOM_ROOT_ACCESS_KEY_ID", "STRONGROOM_ROOT_SECRET_ACCESS_KEY"), ROOT_PAIR, strict=True)
    )
    server = serve(place, **pair)
    try:
        assert (server.access_key_id, server.secret_access_key) == ROOT_PAIR
        identity = server.client("sts").get_caller_identity()
        assert identity["Arn"] == f"arn:aws:iam::{identity['Account']}:root"
    finally:
        stop(server)
    for path in default_data_dir(place).rglob("*"):
        assert not path.is_file() or ROOT_PAIR[1].encode() not in path.read_bytes(), path


@pytest.mark.parametrize("given", [0, 1], ids=["id alone", "secret alone"])
def test_half_a_given_key_is_refused_before_anything_is_made(place: Path, given: int) -> None:
    name = ("STRONGROOM_ROOT_ACCESS_KEY_ID", "STRONGROOM_ROOT_SECRET_ACCESS_KEY")[given]
    for command in (["serve", "--port", "0"], ["init"]):
        outcome = run(command, home(place, **{name: ROOT_PAIR[given]}))
        assert outcome.code == 2
        assert outcome.err == (
            "strongroom: STRONGROOM_ROOT_ACCESS_KEY_ID and STRONGROOM_ROOT_SECRET_ACCESS_KEY go together; "
            "one of them is not set.\n"
        )
        assert ROOT_PAIR[given] not in outcome.out + outcome.err
    assert list(place.iterdir()) == []


def test_a_given_key_that_cannot_be_one_is_refused_without_being_repeated(place: Path) -> None:
    swapped = home(
        place,
        STRONGROOM_ROOT_ACCESS_KEY_ID=ROOT_PAIR[1],
        STRONGROOM_ROOT_SECRET_ACCESS_KEY=ROOT_PAIR[0],
    )
    outcome = run(["init"], swapped)
    assert outcome.code == 2
    assert outcome.err == "strongroom: An access key id is 16 to 128 letters, digits and underscores.\n"
    # The next try finds nothing in its way.
    assert run(["init"], home(place)).code == 0


def test_init_prints_the_first_account(place: Path) -> None:
    outcome = run(["init", "--account", "123456789012", "--region", "eu-west-3"], home(place))
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[0] == "# account 123456789012; the secret access key is shown this once"
    assert set(outcome.exports) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
    assert outcome.exports["AWS_DEFAULT_REGION"] == "eu-west-3"
    server = serve(place)
    try:
        pair = (outcome.exports["AWS_ACCESS_KEY_ID"], outcome.exports["AWS_SECRET_ACCESS_KEY"])
        assert server.client("sts", credentials=pair).get_caller_identity()["Account"] == "123456789012"
    finally:
        stop(server)


def test_init_twice_changes_nothing(place: Path) -> None:
    made = json.loads(run(["init", "--json"], home(place)).out)
    assert set(made) == {"account_id", "access_key_id", "secret_access_key"}
    outcome = run(["init", "--json"], home(place))
    assert outcome.code == 3
    assert outcome.out == ""
    assert outcome.err == (
        f"strongroom: {default_data_dir(place)} is initialised already; "
        "'strongroom account create' makes one more account.\n"
    )
    server = serve(place)
    try:
        pair = (made["access_key_id"], made["secret_access_key"])
        assert server.client("sts", credentials=pair).get_caller_identity()["Account"] == made["account_id"]
    finally:
        stop(server)


def test_an_account_made_while_the_server_runs_is_known_at_once(place: Path) -> None:
    server = serve(place, "--workers", "2")
    try:
        server.client("secretsmanager").create_secret(Name="own", SecretString=CANARY)
        made = json.loads(run(["account", "create", "--json"], home(place)).out)
        pair = (made["access_key_id"], made["secret_access_key"])
        for _ in range(20):  # Whichever worker gets the new connection.
            call = query_call(server, "sts", b"Action=GetCallerIdentity&Version=2011-06-15", credentials=pair)
            answer = send(server, call)
            assert (answer.status, made["account_id"].encode() in answer.body) == (200, True)
        assert server.client("secretsmanager", credentials=pair).list_secrets()["SecretList"] == []
        chosen = run(["account", "create", "000000000001"], home(place))
        assert chosen.code == 0
        assert chosen.out.startswith("# account 000000000001; the secret access key is shown this once\n")
        again = run(["account", "create", "000000000001"], home(place))
        assert (again.code, again.out) == (2, "")
        assert again.err == "strongroom: The account 000000000001 exists already.\n"
    finally:
        stop(server)
    made_of = [each.get("additionalEventData") for each in records(default_data_dir(place))]
    assert {"accountId": made["account_id"], "accessKeyId": made["access_key_id"]} in made_of


def test_an_account_needs_a_directory(place: Path) -> None:
    outcome = run(["account", "create"], home(place))
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err == f"strongroom: The data directory {default_data_dir(place)} does not exist.\n"
    assert list(place.iterdir()) == []


def test_an_ephemeral_server_leaves_nothing_behind(place: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    server = serve(place, "--ephemeral", TMPDIR=str(scratch))
    try:
        server.client("secretsmanager").create_secret(Name="passing", SecretString=CANARY)
        assert len(list(scratch.iterdir())) == 1
    finally:
        stop(server)
    assert list(scratch.iterdir()) == []
    assert list(place.iterdir()) == []


# Watched


def test_health_and_readiness_are_told_to_anybody(place: Path) -> None:
    server = serve(place)
    try:
        for path in ("/health", "/ready"):
            with connection_to(server) as connection:
                connection.sendall(Request("GET", path, [("Host", "x")]).encoded())
                answer = receive(connection, "GET")
            assert (answer.status, answer.json) == (200, {"status": "ok"})
            assert answer.headers["content-type"] == "application/json"
            assert answer.request_id
    finally:
        stop(server)


def _workers(server: Server, count: int) -> list[int]:
    """Return the workers once there are `count`."""

    def found() -> list[int] | None:
        pids = [holder(server.process.pid, f"api-{number}") for number in range(count)]
        kept = [pid for pid in pids if pid is not None]
        return kept if len(kept) == count else None

    workers: list[int] = wait_for(found)
    return workers


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(place: Path) -> None:
    server = serve(place)
    try:
        server.client("secretsmanager").create_secret(Name="kept", SecretString=CANARY)
        [worker] = _workers(server, 1)
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: _gone(worker))
        server.wait_until_ready()
        assert server.client("secretsmanager").get_secret_value(SecretId="kept")["SecretString"] == CANARY
        assert _workers(server, 1) != [worker]
    finally:
        end(server)
    outcome = run(["trail", "verify", "--json"], home(place))
    assert json.loads(outcome.out)["ok"] is True


def test_a_keeper_that_dies_is_replaced_and_goes_on(place: Path) -> None:
    server = serve(place)
    try:
        keeper = wait_for(lambda: holder(server.process.pid, "keeper"))
        os.kill(keeper, signal.SIGKILL)
        wait_for(lambda: _gone(keeper))
        made = server.client("secretsmanager").create_secret(Name="kept", SecretString=CANARY)
        successor = wait_for(lambda: holder(server.process.pid, "keeper"))
        assert successor != keeper
        request_id = made["ResponseMetadata"]["RequestId"]
        # Records of writes reach the trail by the keeper alone.
        wait_for(
            lambda: [each for each in records(default_data_dir(place)) if each["requestID"] == request_id]
        )
    finally:
        end(server)
    [line] = server.log().splitlines()
    told = json.loads(line)
    assert (told["event"], told["exit_code"]) == ("a process ended; starting it again", -signal.SIGKILL)
    outcome = run(["trail", "verify", "--json"], home(place))
    assert json.loads(outcome.out)["ok"] is True


def test_no_process_outlives_a_killed_supervisor(place: Path) -> None:
    server = serve(place, "--workers", "2")
    family = descendants(server.process.pid)
    assert len(family) >= 3
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(30)
    wait_for(lambda: all(_gone(each) for each in family))
    assert server.process.stdout is not None
    server.process.stdout.close()
    # And the directory is free again.
    stop(serve(place))


def test_processes_show_no_secret(place: Path) -> None:
    pair = dict(
        zip(("STRONGROOM_ROOT_ACCESS_KEY_ID", "STRONGROOM_ROOT_SECRET_ACCESS_KEY"), ROOT_PAIR, strict=True)
    )
    run(["init"], home(place, **pair))
    root_key = (place / ".config" / "strongroom" / "root.key").read_bytes().splitlines()[1]
    server = serve(place)
    try:
        client = server.client("secretsmanager", credentials=ROOT_PAIR)
        client.create_secret(Name="kept", SecretString=CANARY)
        for pid in [server.process.pid, *descendants(server.process.pid)]:
            for part in ("cmdline", "environ"):
                shown = Path(f"/proc/{pid}/{part}").read_bytes()
                for secret in (CANARY.encode(), ROOT_PAIR[1].encode(), root_key):
                    assert secret not in shown, (pid, part)
    finally:
        stop(server)
    for path in [*default_data_dir(place).rglob("*"), place.parent / "log"]:
        if path.is_file():
            content = path.read_bytes()
            for secret in (CANARY.encode(), ROOT_PAIR[1].encode(), root_key):
                assert secret not in content, path


# Stopped


@pytest.fixture
def busy(place: Path) -> Iterator[Server]:
    server = serve(place, "--workers", "2")
    yield server
    if server.process.poll() is None:
        server.kill()
    assert server.process.stdout is not None
    server.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_stop_finishes_the_calls_under_way(busy: Server, place: Path, number: signal.Signals) -> None:
    """What was acknowledged is there afterwards; what was not may be, once."""
    acknowledged: list[str] = []
    stopping = threading.Event()

    def write(writer: int) -> None:
        client = busy.client("secretsmanager")
        for turn in range(10_000):
            name = f"{writer}/{turn}"
            try:
                client.create_secret(Name=name, SecretString=CANARY)
            except Exception:
                assert stopping.is_set(), "a call failed before the stop"
                return
            acknowledged.append(name)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, writer) for writer in range(4)]
        wait_for(lambda: len(acknowledged) > 40)
        stopping.set()
        busy.process.send_signal(number)
        assert busy.process.wait(30) == 0
        for each in writers:
            each.result()
    assert busy.log() == ""
    pair = (busy.access_key_id, busy.secret_access_key)
    again = serve(place)
    try:
        client = again.client("secretsmanager", credentials=pair)
        pages = client.get_paginator("list_secrets").paginate()
        found = {each["Name"] for page in pages for each in page["SecretList"]}
    finally:
        stop(again)
    assert found >= set(acknowledged)
    assert len(found) <= len(acknowledged) + 4
    names = [
        each["requestParameters"]["name"]
        for each in records(default_data_dir(place))
        if each["eventName"] == "CreateSecret"
    ]
    assert sorted(names) == sorted(found), "each write has one record, and each record its write"


def test_a_call_that_has_begun_is_answered_during_a_stop(busy: Server) -> None:
    call = json_call(busy, "GetRandomPassword", {}).encoded()
    with connection_to(busy) as connection:
        connection.sendall(call[:-1])
        # The server has the head of it once it answers another call sent later.
        assert busy.client("sts").get_caller_identity()["Account"]
        busy.process.send_signal(signal.SIGTERM)
        connection.sendall(call[-1:])
        answer = receive(connection)
    assert answer.status == 200
    assert len(answer.json["RandomPassword"]) == 32
    assert busy.process.wait(30) == 0


# Asked for the impossible


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["serve", "--prot", "1"], "No such option: --prot"),
        (["serve", "--port", "65536"], "Invalid value for '--port'"),
        (["serve", "--workers", "0"], "Invalid value for '--workers'"),
        (["serve", "--region", "Europe"], "not a region name, such as eu-central-1"),
        (["serve", "--ephemeral", "--data-dir", "x"], "--ephemeral makes a directory of its own"),
        (["serve", "--store", "postgresql://u:canary-password@db/x"], "PostgreSQL is not there yet"),
        (["serve", "--store", "redis"], "the only store is sqlite"),
        (["init", "--account", "12345"], "an account id is twelve decimal digits"),
        (["account", "create", "x"], "an account id is twelve decimal digits"),
        (["account", "drop"], "No such command 'drop'"),
        (["sreve"], "No such command 'sreve'"),
    ],
)
def test_wrong_usage_is_exit_code_2(place: Path, arguments: list[str], text: str) -> None:
    outcome = run(arguments, home(place, COLUMNS="200", TERM="dumb"))
    assert (outcome.code, outcome.out) == (2, "")
    assert text in " ".join(outcome.err.replace("│", " ").split())
    assert "canary-password" not in outcome.err
    assert list(place.iterdir()) == []


def test_the_store_may_be_named(place: Path) -> None:
    stop(serve(place, "--store", "sqlite"))


def test_a_busy_port_is_told(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = run(["serve", "--port", str(port)], home(place))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"strongroom: Cannot listen on 127.0.0.1 port {port}: Address already in use.\n"
    assert list(place.iterdir()) == [], "nothing is made for a server that cannot start"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_of_another_machine_is_told(place: Path, host: str) -> None:
    outcome = run(["serve", "--host", host, "--port", "0"], home(place))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"strongroom: Cannot listen on {host} port 0: ")


def test_two_servers_do_not_share_a_port(place: Path, tmp_path: Path) -> None:
    """The web server would let them: its sockets are made to be shared between workers."""
    with running(["--ephemeral", "--workers", "1"], tmp_path / "log") as first:
        outcome = run(["serve", "--ephemeral", "--port", str(first.port)], home(place))
    assert outcome.code == 1
    assert "Address already in use" in outcome.err


def test_the_version_is_told(place: Path) -> None:
    outcome = run(["--version"], home(place))
    assert outcome.code == 0
    assert re.fullmatch(r"strongroom \d+\.\d+\.\d+\S*\n", outcome.out)
