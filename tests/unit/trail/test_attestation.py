"""What a chain of hashes cannot show, signed checkpoints show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.audit.checkpoint import PublicKey, SigningKey, parse_note, split_notes
from strongroom.rootkey.held import HeldRootKey
from strongroom.server.world import SystemClock
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.attestation import verify_checkpoints
from strongroom.trail.integration import Integrator, open_signer
from strongroom.trail.layout import segment_files
from strongroom.trail.segment import SegmentTrail
from strongroom.trail.verification import verify_trail
from support.entropies import SeededEntropy, pattern

ROOT_KEY = HeldRootKey(pattern("the root key of a signed trail", 32), SeededEntropy(1))


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[tuple[Path, PublicKey, bytes]]:
    """A trail of six records in api-0, the last in a file of its own, with two checkpoints."""
    Room.create(tmp_path / "data").close()
    trail, store = tmp_path / "data" / "trail", SqliteStore.open(tmp_path / "data")
    slot = SegmentTrail.open(trail, "api", max_bytes=600)
    integrator = Integrator(trail, store, ROOT_KEY, SystemClock(), SeededEntropy(2))
    for number in range(1, 7):
        slot.append(b'{"eventID":"event-%d"}' % number)
        if number in (3, 6):
            integrator.advance(sign_now=True)
    signer = open_signer(store, ROOT_KEY, SeededEntropy())
    slot.close()
    store.close()
    yield trail, PublicKey(signer.name, signer.public_key), signer.newest


def last(trail: Path) -> Path:
    return segment_files(trail / "segments" / "api-0")[-1][1]


def test_a_signed_trail_is_whole(signed: tuple[Path, PublicKey, bytes]) -> None:
    assert verify_checkpoints(*signed, [signed[2]]) is None


def test_records_cut_off_at_the_end_are_missed(signed: tuple[Path, PublicKey, bytes]) -> None:
    path = last(signed[0])
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify_trail(signed[0]).ok
    damage = verify_checkpoints(*signed)
    assert damage is not None and (damage.slot, damage.record) == ("api-0", 6)
    assert damage.reason == "records 6 to 6, which a checkpoint covers, are missing at the end"


def test_the_altered_newest_record_is_named(signed: tuple[Path, PublicKey, bytes]) -> None:
    path = last(signed[0])
    path.write_bytes(path.read_bytes().replace(b"event-6", b"event-X"))
    assert verify_trail(signed[0]).ok
    damage = verify_checkpoints(*signed)
    assert damage is not None and (damage.slot, damage.record) == ("api-0", 6)
    assert damage.reason == "record 6 is not the one that a checkpoint covers"


def test_a_deleted_slot_is_missed(signed: tuple[Path, PublicKey, bytes]) -> None:
    shutil.rmtree(signed[0] / "segments" / "api-0")
    damage = verify_checkpoints(*signed)
    assert damage is not None and (damage.slot, damage.record) == ("api-0", 1)


@pytest.mark.parametrize("kept", [0, 1])
def test_checkpoints_cut_off_are_missed(kept: int, signed: tuple[Path, PublicKey, bytes]) -> None:
    path = signed[0] / "tree" / "checkpoints"
    path.write_bytes(b"".join(split_notes(path.read_bytes())[0][:kept]))
    damage = verify_checkpoints(*signed)
    assert damage is not None
    assert damage.reason == "the checkpoint that the database knows is not among those of the trail"
    held = verify_checkpoints(signed[0], signed[1], b"", [signed[2]])
    assert held is not None and "held elsewhere" in held.reason


def test_another_key_signs_nothing(signed: tuple[Path, PublicKey, bytes]) -> None:
    forger = SigningKey(signed[1].name, b"f" * 32)
    path = signed[0] / "tree" / "checkpoints"
    notes = split_notes(path.read_bytes())[0]
    path.write_bytes(b"".join(forger.sign(parse_note(note)) for note in notes))
    damage = verify_checkpoints(*signed)
    assert damage is not None
    assert (damage.record, damage.reason) == (1, "the checkpoint is signed by another key")
