"""The tree over all records: what is signed stays signed, whatever instant the keeper dies at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.audit.checkpoint import Checkpoint, CheckpointError, PublicKey, split_notes
from strongroom.audit.merkle import root_of
from strongroom.errors import IntegrityError
from strongroom.rootkey.held import HeldRootKey
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail import integration
from strongroom.trail.following import leaf_hash
from strongroom.trail.integration import Integrator, open_signer
from strongroom.trail.layout import segment_files
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.tree import read_leaves
from support.entropies import SeededEntropy, pattern

ROOT_KEY = HeldRootKey(pattern("the root key of a trail", 32), SeededEntropy(1))
MOMENT = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


class StoppedClock:
    def now(self) -> dt.datetime:
        return MOMENT


class House:
    def __init__(self, path: Path) -> None:
        Room.create(path).close()
        self.trail = path / "trail"
        self.store = SqliteStore.open(path)
        self.slots = [SegmentTrail.open(self.trail, "api", max_bytes=300) for _ in range(2)]
        self.count = 0

    def integrator(self, **options: Path) -> Integrator:
        return Integrator(self.trail, self.store, ROOT_KEY, StoppedClock(), SeededEntropy(2), **options)

    def write(self, *slots: int) -> None:
        for slot in slots:
            self.count += 1
            self.slots[slot].append(b'{"eventID":"event-%d"}' % self.count)

    def checkpoints(self) -> list[Checkpoint]:
        signer = open_signer(self.store, ROOT_KEY, SeededEntropy())
        key = PublicKey(signer.name, signer.public_key)
        notes, rest = split_notes((self.trail / "tree" / "checkpoints").read_bytes())
        assert rest == b""
        return [key.verify_note(note) for note in notes]

    def verify(self) -> None:
        """Every checkpoint's root is the one over the records as they stand in the segments."""
        lines = {
            slot.name: [
                line for _, path in segment_files(slot) for line in path.read_bytes().split(b"\n")[:-1]
            ]
            for slot in (self.trail / "segments").iterdir()
        }
        leaves: list[bytes] = []
        done: dict[str, int] = {}
        for checkpoint in self.checkpoints():
            for slot, head in sorted(checkpoint.heads.items()):
                leaves += [leaf_hash(slot, line) for line in lines[slot][done.get(slot, 0) : head.number]]
                done[slot] = head.number
            assert (checkpoint.size, checkpoint.root) == (len(leaves), root_of(leaves))
        assert read_leaves(self.trail / "tree" / "leaves", 0, 1000) == leaves
        assert len(leaves) == self.count


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    for slot in made.slots:
        slot.close()
    made.store.close()


def test_records_of_all_slots_become_one_tree(house: House) -> None:
    integrator = house.integrator()
    house.write(0, 1, 0, 0, 1)
    assert integrator.advance() == 0, "what is first is signed at once"
    house.write(1, 1, 0, 1, 1, 1, 1)
    assert integrator.advance() == 7
    assert integrator.advance(sign_now=True) == 0
    assert [each.size for each in house.checkpoints()] == [5, 12]
    house.verify()


def test_nothing_is_signed_where_nothing_came(house: House) -> None:
    integrator = house.integrator()
    assert integrator.advance(sign_now=True) == 0
    assert not (house.trail / "tree" / "checkpoints").exists()
    house.write(0)
    integrator.advance(sign_now=True)
    integrator.advance(sign_now=True)
    assert len(house.checkpoints()) == 1


def test_half_a_record_waits_for_its_end(house: House) -> None:
    house.write(0, 0)
    path = segment_files(house.trail / "segments" / "api-0")[-1][1]
    with path.open("ab") as file:
        file.write(b'{"n":3,"prev":"')
    house.integrator().advance(sign_now=True)
    assert [each.size for each in house.checkpoints()] == [2]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", range(6))
def test_a_keeper_that_dies_at_any_step_is_followed_by_one_that_finishes(
    step: int, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write(0, 1, 0)
    house.integrator().advance(sign_now=True)
    house.write(1, 1, 0)
    steps = 0
    real: Callable[[Path, bytes], None] = integration.append

    def dying(path: Path, data: bytes) -> None:
        nonlocal steps
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            if steps == step:
                raise Killed
            steps += 1
            real(path, part)
        if steps == step:
            raise Killed
        steps += 1

    with monkeypatch.context() as patched:
        patched.setattr(integration, "append", dying)
        with pytest.raises(Killed):
            house.integrator().advance(sign_now=True)
    house.write(0, 1)
    house.integrator().advance(sign_now=True)
    house.verify()


def test_a_trail_that_is_not_as_it_was_signed_is_signed_no_more(house: House) -> None:
    house.write(0, 0, 0)
    house.integrator().advance(sign_now=True)
    path = segment_files(house.trail / "segments" / "api-0")[-1][1]
    path.write_bytes(path.read_bytes().replace(b"event-3", b"event-X"))
    house.write(1)
    with pytest.raises(IntegrityError, match=r"^record 3 of api-0 is not the one that a checkpoint covers$"):
        house.integrator().advance(sign_now=True)
    assert [each.size for each in house.checkpoints()] == [3]


def test_all_that_waits_is_signed_at_the_end_however_much_it_is(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "BATCH_LEAVES", 3)
    monkeypatch.setattr(integration, "READ_BYTES", 1)
    house.write(*[0] * 8)
    assert house.integrator().advance(sign_now=True) == 0
    assert [each.size for each in house.checkpoints()] == [3, 6, 8]
    house.verify()


def test_each_checkpoint_is_announced_and_the_newest_one_again_at_the_start(house: House) -> None:
    told: list[bytes] = []
    integrator = house.integrator(announce=told.append)
    for _ in range(2):
        house.write(0, 1)
        integrator.advance(sign_now=True)
        integrator.advance(sign_now=True)
    notes, _ = split_notes((house.trail / "tree" / "checkpoints").read_bytes())
    assert (told, len(told)) == (notes, 2)
    house.integrator(announce=told.append).advance()
    assert told == [*notes, notes[-1]]


def test_a_flipped_byte_of_a_checkpoint_does_not_verify(house: House) -> None:
    house.write(0, 1)
    house.integrator().advance(sign_now=True)
    signer = open_signer(house.store, ROOT_KEY, SeededEntropy())
    key = PublicKey(signer.name, signer.public_key)
    assert PublicKey.parse(str(key)) == key
    for at in range(len(signer.newest)):
        spoiled = bytearray(signer.newest)
        spoiled[at] ^= 1
        with pytest.raises(CheckpointError, match=r"^(this is not a checkpoint|the checkpoint|the slots)"):
            key.verify_note(bytes(spoiled))
