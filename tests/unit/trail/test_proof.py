"""What `prove` gives, a script of its own believes; nothing else."""

from __future__ import annotations

import base64
import copy
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.audit.checkpoint import PublicKey, SigningKey, parse_note, split_notes
from strongroom.errors import IntegrityError
from strongroom.trail.layout import segment_files
from strongroom.trail.proof import ProofError, prove
from support.signed_trail import SignedTrail, a_signed_trail

SCRIPT = Path(__file__).parents[3] / "docs" / "proof" / "verify.py"


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedTrail]:
    with a_signed_trail(tmp_path_factory.mktemp("proof") / "data") as made:
        for count in (1, 6, 3, 5):
            made.write(count)
            made.sign()
        made.keep()
        made.age(days=9, segments=1)
        made.keep(days=5)
        yield made


def notes(trail: SignedTrail) -> list[bytes]:
    return split_notes((trail.path / "tree" / "checkpoints").read_bytes())[0]


def key(trail: SignedTrail) -> PublicKey:
    found = trail.known().key
    assert found is not None
    return found


def told(proofs: list[dict[str, Any]], public_key: str, directory: Path) -> list[str]:
    """Return what the script says of each proof, run as a program of its own, once for all."""
    lines = []
    for number, proof in enumerate(proofs):
        path = directory / f"{number}.json"
        path.write_text(json.dumps(proof))
        lines.append([str(SCRIPT), str(path), public_key])
    program = (
        "import io, json, runpy, sys\n"
        "for line in sys.stdin:\n"
        "    sys.argv = json.loads(line)\n"
        "    sys.stdout = io.StringIO()\n"
        "    try:\n"
        "        runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "        said = sys.stdout.getvalue()\n"
        "    except (Exception, SystemExit) as error:\n"
        "        said = 'refused: ' + repr(error)\n"
        "    print(json.dumps(said), file=sys.__stdout__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        input="\n".join(map(json.dumps, lines)),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def event_ids(trail: SignedTrail) -> list[str]:
    """Return those of all records that are still there."""
    found = []
    for number in range(1, trail.written + 1):
        try:
            prove(trail.path, key(trail), f"event-{number}")
        except ProofError:
            continue
        found.append(f"event-{number}")
    return found


def test_the_script_is_short_and_needs_nothing_of_the_program() -> None:
    text = SCRIPT.read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 40
    assert "import strongroom" not in text and "from strongroom" not in text


def test_the_script_is_run_as_the_guide_says(trail: SignedTrail, tmp_path: Path) -> None:
    proof = prove(trail.path, key(trail), f"event-{trail.written}")
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof))
    command = [sys.executable, "-I", str(SCRIPT), str(path)]
    done = subprocess.run([*command, str(key(trail))], capture_output=True, text=True, check=True)
    assert done.stdout == f"PROVED: record {proof['index'] + 1} of 45: {proof['line']}\n"
    another = SigningKey(key(trail).name, b"k" * 32).public
    refused = subprocess.run([*command, str(another)], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "REFUSED: this proves nothing.\n")


def test_every_record_that_is_there_can_be_proved_also_from_every_older_checkpoint(
    trail: SignedTrail, tmp_path: Path
) -> None:
    ids = event_ids(trail)
    assert len(ids) == 45 - 3 * segment_files(trail.path / "segments" / "api-0")[0][0] + 3
    proofs = [prove(trail.path, key(trail), each, notes(trail)[at % 4]) for at, each in enumerate(ids)]
    proofs += [prove(trail.path, key(trail), each) for each in ids]
    assert sorted({proof["index"] for proof in proofs}) == sorted(
        proof["index"] for proof in proofs[: len(ids)]
    )
    said = told(proofs, str(key(trail)), tmp_path)
    assert [each.startswith("PROVED: record ") for each in said] == [True] * len(proofs)
    assert all(f'"{one}"' in other for one, other in zip(ids, said, strict=False))


def mutations(
    proof: dict[str, Any], other: dict[str, Any], chance: random.Random
) -> Iterator[dict[str, Any]]:
    """Yield proofs that differ from a good one in one place each."""

    def changed(*where: Any, to: Any) -> dict[str, Any]:
        copied = copy.deepcopy(proof)
        place = copied
        for step in where[:-1]:
            place = place[step]
        assert place[where[-1]] != to
        place[where[-1]] = to
        return copied

    def flipped(text: str) -> str:
        at = chance.randrange(len(text))
        return text[:at] + chr(ord(text[at]) ^ 1 << chance.randrange(5)) + text[at + 1 :]

    for name in ("slot", "line", "checkpoint", "format", "public_key"):
        yield from (changed(name, to=flipped(proof[name])) for _ in range(6))
        yield changed(name, to="")
    for name in ("slot", "line", "index", "path"):
        yield changed(name, to=other[name])
    yield from (changed("index", to=at) for at in range(-2, 50) if at != proof["index"])
    for where in (("path",), ("older", "path")):
        hashes = proof["path"] if len(where) == 1 else proof["older"]["path"]
        for at in range(len(hashes)):
            yield changed(*where, at, to=flipped(hashes[at]))
            yield changed(*where, to=hashes[:at] + hashes[at + 1 :])
            yield changed(*where, to=[*hashes[: at + 1], *hashes[at:]])
        yield changed(*where, to=hashes[::-1])
        yield changed(*where, to=[])
        yield changed(*where, to=[*hashes, base64.b64encode(bytes(32)).decode()])
    yield changed("older", "checkpoint", to=flipped(proof["older"]["checkpoint"]))
    yield changed("older", "checkpoint", to=other["older"]["checkpoint"])
    forger = SigningKey(proof["public_key"].partition("+")[0], b"f" * 32)
    forged = forger.sign(parse_note(proof["checkpoint"].encode())).decode()
    yield changed("checkpoint", to=forged)
    yield {**changed("checkpoint", to=forged), "public_key": str(forger.public)}


@pytest.mark.parametrize("place", [0, 11, -1])
def test_a_proof_that_was_altered_anywhere_is_refused(place: int, trail: SignedTrail, tmp_path: Path) -> None:
    ids = event_ids(trail)
    proof = prove(trail.path, key(trail), ids[place], notes(trail)[1])
    other = prove(trail.path, key(trail), ids[place - 2], notes(trail)[2])
    altered = list(mutations(proof, other, random.Random(place)))
    assert len(altered) >= 100
    said = told([proof, *altered], str(key(trail)), tmp_path)
    assert said[0].startswith("PROVED")
    accepted = [each for each, verdict in zip(altered, said[1:], strict=True) if "PROVED" in verdict]
    assert accepted == []


def test_what_is_not_there_or_not_signed_cannot_be_proved(trail: SignedTrail, tmp_path: Path) -> None:
    with pytest.raises(ProofError, match=r"^No record of the trail has the event id event-9999\.$"):
        prove(trail.path, key(trail), "event-9999")
    forger = SigningKey(key(trail).name, b"f" * 32)
    with pytest.raises(ProofError, match=r"^The older checkpoint is not among those of this trail\.$"):
        prove(trail.path, key(trail), f"event-{trail.written}", forger.sign(parse_note(notes(trail)[0])))
    with a_signed_trail(tmp_path / "data") as growing:
        growing.write(2)
        growing.sign()
        growing.write(1)
        with pytest.raises(ProofError, match=r"^No checkpoint covers this record yet"):
            prove(growing.path, key(growing), f"event-{growing.written}")
        segment = segment_files(growing.path / "segments" / "keeper")[0][1]
        segment.write_bytes(segment.read_bytes().replace(b"event-3", b"event-X"))
        with pytest.raises(
            IntegrityError, match=r"^record 1 of keeper is not the one that a checkpoint covers$"
        ):
            prove(growing.path, key(growing), "event-X")
