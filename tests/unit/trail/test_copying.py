"""Checkpoints reach other places, whatever those do meanwhile, and nobody waits for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from strongroom.audit.checkpoint import split_notes
from strongroom.trail.copying import (
    CheckpointCopier,
    CopyError,
    FileDestination,
    UrlDestination,
    destination_of,
)
from support.signed_trail import SignedTrail, a_signed_trail


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[SignedTrail]:
    with a_signed_trail(tmp_path / "data") as made:
        yield made


def sign(trail: SignedTrail) -> bytes:
    trail.write(1)
    trail.sign()
    return trail.known().newest


def signed(trail: SignedTrail) -> bytes:
    return (trail.path / "tree" / "checkpoints").read_bytes()


class Reluctant:
    """A destination that takes what it is told to take, each time."""

    name = "reluctant"

    def __init__(self, *verdicts: int) -> None:
        self.verdicts = list(verdicts)
        """How many notes it takes of each delivery; 0: it fails. Then it takes all."""
        self.taken: list[bytes] = []
        self.changed = threading.Condition()

    def deliver(self, notes: Sequence[bytes]) -> int:
        with self.changed:
            count = self.verdicts.pop(0) if self.verdicts else len(notes)
            self.taken += notes[:count]
            self.changed.notify_all()
            if not count:
                raise CopyError("not now")
            return count

    def close(self) -> None:
        pass

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.taken) >= count, 10)


def test_what_is_not_taken_is_delivered_again_in_order() -> None:
    destination = Reluctant(0, 1, 0, 2)
    copier = CheckpointCopier(destination, first_pause=0)
    for note in (b"1", b"2", b"3", b"4"):
        copier.offer(note)
    copier.start()
    destination.wait_for(4)
    copier.offer(b"5")
    copier.stop(10)
    assert destination.taken == [b"1", b"2", b"3", b"4", b"5"]
    copier.verify()


def test_a_destination_that_fails_holds_nobody_up_and_is_told_of() -> None:
    destination = Reluctant(*[0] * 1000)
    copier = CheckpointCopier(destination)
    copier.start()
    for number in range(1500):
        copier.offer(b"%d" % number)
    with destination.changed:
        assert destination.changed.wait_for(lambda: len(destination.verdicts) < 1000, 10)
    copier.stop(10)
    with pytest.raises(CopyError, match=r"^not now$"):
        copier.verify()
    assert destination.taken == []


def test_of_very_many_that_wait_the_newest_are_kept() -> None:
    destination = Reluctant()
    copier = CheckpointCopier(destination)
    for number in range(1500):
        copier.offer(b"%d" % number)
    copier.start()
    copier.stop(10)
    assert destination.taken == [b"%d" % number for number in range(500, 1500)]


class TestAFile:
    def test_gets_every_checkpoint_once(self, trail: SignedTrail, tmp_path: Path) -> None:
        destination = destination_of(str(tmp_path / "copy"), trail.path)
        first = sign(trail)
        assert destination.deliver([first]) == 1
        assert destination.deliver([first]) == 1, "told of again when signing begins anew"
        assert destination.deliver([sign(trail), sign(trail)]) == 2
        assert (tmp_path / "copy").read_bytes() == signed(trail)
        assert destination.name == str(tmp_path / "copy")

    def test_gets_what_it_missed_and_loses_half_a_checkpoint(
        self, trail: SignedTrail, tmp_path: Path
    ) -> None:
        copy = tmp_path / "copy"
        FileDestination(copy, trail.path).deliver([sign(trail)])
        sign(trail)
        copy.write_bytes(copy.read_bytes() + b"strongroom-trail/half")
        newest = sign(trail)
        FileDestination(copy, trail.path).deliver([newest])
        assert copy.read_bytes() == signed(trail)
        FileDestination(copy, trail.path).deliver([newest])
        assert copy.read_bytes() == signed(trail)

    def test_of_another_trail_is_left_alone(self, trail: SignedTrail, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        first = sign(trail)
        foreign = first.replace(b"strongroom-trail/", b"strongroom-trial/")
        copy.write_bytes(foreign)
        for _ in range(2):
            with pytest.raises(
                CopyError, match=r"^the last checkpoint in .*copy is not among those of the trail"
            ):
                FileDestination(copy, trail.path).deliver([first])
        assert copy.read_bytes() == foreign

    def test_that_cannot_be_written_for_a_while_gets_all_in_the_end(
        self, trail: SignedTrail, tmp_path: Path
    ) -> None:
        copy = tmp_path / "later" / "copy"
        destination = FileDestination(copy, trail.path)
        first = sign(trail)
        with pytest.raises(FileNotFoundError):
            destination.deliver([first])
        copy.parent.mkdir()
        destination.deliver([first, sign(trail)])
        assert copy.read_bytes() == signed(trail)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiving)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = server.statuses.pop(0) if server.statuses else 204
        server.asked.append((self.path, self.headers["Content-Type"], body, status))
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Receiving(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.statuses: list[int] = []
        self.asked: list[tuple[str, str, bytes, int]] = []


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    with Receiving() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_url_gets_each_checkpoint_as_the_body_of_a_post(trail: SignedTrail, receiving: Receiving) -> None:
    destination = destination_of(f"http://127.0.0.1:{receiving.server_port}/take?token=canary", trail.path)
    assert destination.name == "http://127.0.0.1"
    notes = [sign(trail), sign(trail)]
    receiving.statuses = [204, 503]
    assert destination.deliver(notes) == 1, "the second one is to be delivered again"
    for status in (500, 404, 302):
        receiving.statuses = [status]
        with pytest.raises(CopyError, match=rf"^http://127\.0\.0\.1 answered {status}$"):
            destination.deliver(notes[1:])
    assert destination.deliver(notes[1:]) == 1
    assert {(path, kind) for path, kind, _, _ in receiving.asked} == {
        ("/take?token=canary", "text/plain; charset=utf-8")
    }
    assert [body for _, _, body, status in receiving.asked if status == 204] == notes
    assert b"".join(notes) == signed(trail)
    assert split_notes(receiving.asked[0][2])[0] == [notes[0]]
    destination.close()


def test_a_url_that_nobody_answers_at_is_told_of_without_its_token() -> None:
    with Receiving() as server:
        port = server.server_port
    destination = UrlDestination(f"http://127.0.0.1:{port}/?token=canary")
    with pytest.raises(CopyError) as refused:
        destination.deliver([b"note"])
    assert str(refused.value) == "http://127.0.0.1 cannot be reached: NewConnectionError"
    destination.close()
