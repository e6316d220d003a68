"""A disk that takes nothing more: calls are refused with a clear error, no value leaves, and nothing that was
acknowledged is lost."""

from __future__ import annotations

import resource
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.trail.verification import verify_trail
from support.crashing import Load, RecordedCalls, Site, a_site, wait_for
from support.load import Connection, Ledger, LostAnswer
from support.small_disk import can_mount, mounted

pytestmark = pytest.mark.crash

UNAVAILABLE = "ServiceUnavailableException"
UNRECORDED = "The audit record cannot be written, so the call is refused."
FULL = "The disk that holds the data directory is full; nothing was changed."
UNWRITTEN = "The database could not be read or written (input/output error); nothing was changed."


def let_files_grow(site: Site, allowed: bool) -> None:
    """Decide for every process of the server whether the system lets it write to files at all."""
    assert site.server is not None
    limit = resource.RLIM_INFINITY if allowed else 0
    for pid in [site.server.process.pid, *(pid for _, pid in site.holders())]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def wait_for_answers(ledger: Ledger, number: int) -> None:
    enough = len(ledger.answered) + number
    ledger.wait(lambda told: len(told.answered) >= enough)


def wait_for_refusals(ledger: Ledger, number: int) -> None:
    enough = len(ledger.refused) + number
    ledger.wait(lambda told: len(told.refused) >= enough)


def refusals_say_why(ledger: Ledger) -> None:
    assert {reply.error for reply in ledger.refused} == {UNAVAILABLE}
    assert {reply.message for reply in ledger.refused} <= {UNRECORDED, FULL, UNWRITTEN}
    assert all(set(reply.body) == {"__type", "message"} for reply in ledger.refused)


@pytest.mark.parametrize("then", ["killed", "stopped", "left alone"])
def test_files_that_may_not_grow_refuse_calls_and_lose_nothing(then: str, tmp_path: Path) -> None:
    load = Load()
    with a_site(tmp_path) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        for _ in range(2):
            load.start(server, foreseen=[UNAVAILABLE])
            wait_for_answers(load.ledger, 300)
            let_files_grow(site, False)
            wait_for_refusals(load.ledger, 100)
            if then == "left alone":
                let_files_grow(site, True)
                wait_for_answers(load.ledger, 300)
            load.stop()
            refusals_say_why(load.ledger)
            let_files_grow(site, True)
            if then != "left alone":
                site.kill() if then == "killed" else site.stop()
                assert verify_trail(site.data_dir / "trail").ok
                server = site.start()
            load.settle(server)
            load.verify_recorded(site, recorded)
            site.verify_trail()
        site.stop()
        load.verify_unseen(site)


def test_a_full_disk_refuses_calls_until_there_is_room_again(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    if not can_mount(place):
        pytest.skip("this system does not let a process mount a disk of its own")
    load = Load()
    with a_site(tmp_path, mount="disk/data", popen={"preexec_fn": mounted(place, "24m")}) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        for _ in range(2):
            load.start(server, foreseen=[UNAVAILABLE])
            wait_for_answers(load.ledger, 200)
            filler = site.data_dir.parent / "filler"
            fill(filler)
            wait_for_refusals(load.ledger, 200)
            filler.unlink()
            wait_for_answers(load.ledger, 300)
            load.stop()
            refusals_say_why(load.ledger)
            load.settle(server)
            load.verify_recorded(site, recorded)
            assert verify_trail(site.data_dir / "trail").ok


def fill(path: Path) -> None:
    """Leave no room on the disk of `path`."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def test_a_worker_whose_trail_is_unwritable_gives_no_value_away(tmp_path: Path) -> None:
    with a_site(tmp_path, arguments=("--workers", "1")) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        with closing(Connection(server)) as connection:
            token = str(uuid.uuid4())
            made = connection.call(
                "CreateSecret", {"Name": "s", "SecretString": "canary-value", "ClientRequestToken": token}
            )
            assert made.status == 200
            wait_for(lambda: site.outbox() == 0)
            let_files_grow(site, False)
            calls = {
                "GetSecretValue": {"SecretId": "s"},
                "BatchGetSecretValue": {"SecretIdList": ["s"]},
                "DescribeSecret": {"SecretId": "unknown"},
                "GetRandomPassword": {"PasswordLength": -1},
                "NoSuchOperation": {},
            }
            for operation, parameters in calls.items():
                refused = connection.call(operation, parameters)
                assert (refused.status, refused.error, refused.message) == (503, UNAVAILABLE, UNRECORDED)
                assert set(refused.body) == {"__type", "message"}
            refused = connection.call(
                "PutSecretValue",
                {"SecretId": "s", "SecretString": "canary-other", "ClientRequestToken": str(uuid.uuid4())},
            )
            assert (refused.status, refused.error) == (503, UNAVAILABLE)
        let_files_grow(site, True)
        site.kill()
        server = site.start()
        with closing(Connection(server)) as connection:
            read = connection.call("GetSecretValue", {"SecretId": "s"})
            assert (read.body["SecretString"], read.body["VersionId"]) == ("canary-value", token)
        recorded.read()
        assert recorded.counts[read.request_id] == 1
        site.verify_trail()


@pytest.mark.parametrize(
    ("operation", "parameters", "status"),
    [
        ("CreateSecret", {"Name": "s", "SecretString": "canary-value"}, 200),
        ("GetRandomPassword", {}, 200),
        ("GetSecretValue", {"SecretId": "unknown"}, 400),
        ("GetRandomPassword", {"PasswordLength": -1}, 400),
        ("NoSuchOperation", {}, 400),
    ],
    ids=["a write", "a read", "a refusal", "a malformed call", "an unknown operation"],
)
def test_a_record_is_there_when_its_answer_is(
    operation: str, parameters: dict[str, object], status: int, tmp_path: Path
) -> None:
    with a_site(tmp_path) as site:
        server = site.start()
        recorded = RecordedCalls(site.data_dir)
        connection = Connection(server)
        reply = connection.call(operation, {**parameters, "ClientRequestToken": str(uuid.uuid4())})
        site.kill()
        with pytest.raises(LostAnswer):
            connection.call(operation, parameters)
        connection.close()
        assert reply.status == status
        site.start()
        wait_for(lambda: site.outbox() == 0)
        recorded.read()
        assert recorded.counts[reply.request_id] == 1
