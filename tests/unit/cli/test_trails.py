"""`strongroom trail verify` holds a directory to its checkpoints, its own and those held elsewhere."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import orjson
import pytest

from strongroom.audit.digest import DigestChain
from strongroom.cli.exits import Exit
from strongroom.cli.trails import print_digest_keys, print_key, print_proof, verify
from strongroom.ports import DIGEST_CHAINS
from strongroom.rootkey.held import HeldRootKey
from strongroom.server.world import SystemClock
from strongroom.store.errors import RoomError
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.integration import Integrator
from strongroom.trail.segment import SegmentTrail
from support.entropies import SeededEntropy, pattern
from support.signed_trail import a_signed_trail


def test_a_cut_tail_is_found_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    Room.create(data).close()
    store, slot = SqliteStore.open(data), SegmentTrail.open(data / "trail", "api")
    root_key = HeldRootKey(pattern("the root key of a command", 32), SeededEntropy(1))
    integrator = Integrator(
        data / "trail", store, root_key, SystemClock(), SeededEntropy(2), announce=elsewhere.write_bytes
    )
    for number in range(3):
        slot.append(b'{"eventID":"event-%d"}' % number)
    integrator.advance(sign_now=True)
    slot.close()
    store.close()
    print_key(data)
    key = capsys.readouterr().out.strip()
    assert verify(data, as_json=False, held=elsewhere, public_key=key) is Exit.DONE
    assert capsys.readouterr().err == ""
    assert verify(data, as_json=False) is Exit.DONE
    assert capsys.readouterr().err == ""
    assert verify(data, as_json=False, held=elsewhere) is Exit.DONE
    assert "verified by the key in the directory itself" in capsys.readouterr().err
    path = data / "trail" / "segments" / "api-0" / "000000000001.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert verify(data, as_json=False, public_key=key) is Exit.DAMAGED
    assert capsys.readouterr().err == (
        "DAMAGE at record 3 of api-0/000000000001.jsonl: "
        "records 3 to 3, which a checkpoint covers, are missing at the end\n"
    )


def test_a_proof_is_printed_that_holds_the_record_and_its_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with a_signed_trail(tmp_path / "data") as trail:
        trail.write(3)
        trail.sign()
        older = tmp_path / "older"
        older.write_bytes((trail.path / "tree" / "checkpoints").read_bytes())
        trail.write(2)
        trail.sign()
        print_proof(trail.data_dir, "event-4", older)
        proof = orjson.loads(capsys.readouterr().out)
        assert orjson.loads(proof["line"])["event"]["eventID"] == "event-4"
        assert proof["checkpoint"].encode() == trail.known().newest
        assert proof["older"]["checkpoint"].encode() == older.read_bytes()
        assert (proof["slot"], proof["public_key"]) == ("api-0", str(trail.known().key))
        with pytest.raises(RoomError, match=r"^No record of the trail has the event id event-99\.$"):
            print_proof(trail.data_dir, "event-99")
        older.write_bytes(b"nothing")
        with pytest.raises(RoomError, match=r"^There is no checkpoint in "):
            print_proof(trail.data_dir, "event-4", older)


def test_nothing_can_be_proved_before_anything_was_signed(tmp_path: Path) -> None:
    Room.create(tmp_path / "data").close()
    with pytest.raises(RoomError, match=r"^Nothing in the trail of .* was signed yet\.$"):
        print_proof(tmp_path / "data", "event-1")


def test_the_keys_of_digests_are_printed_one_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Room.create(tmp_path / "data").close()
    with pytest.raises(RoomError, match=r"^No log file was written of the trail of .* yet\.$"):
        print_digest_keys(tmp_path / "data")
    store = SqliteStore.open(tmp_path / "data")
    at = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
    for region in ("us-east-1", "eu-central-1"):
        chain = DigestChain(
            account_id="123456789012",
            region=region,
            created_at=at,
            public_key=region.encode(),
            sealed=b"canary",
            start=at,
            trail="strongroom",
            home_region=region,
        )
        store.write(lambda unit, chain=chain: unit.save(DIGEST_CHAINS, chain)).result()  # type: ignore[misc]
    store.close()
    print_digest_keys(tmp_path / "data")
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.pop("region") for line in lines] == ["eu-central-1", "us-east-1"]
    assert lines[1] == {
        "account_id": "123456789012",
        "fingerprint": hashlib.sha256(b"us-east-1").hexdigest()[:32],
        "valid_from": "2026-11-25T12:00:00+00:00",
        "public_key": "dXMtZWFzdC0x",
    }
