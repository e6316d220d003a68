"""Everything that can be said of a trail offline: its chains, its signed tree, its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from strongroom.audit.checkpoint import CheckpointError, PublicKey
from strongroom.audit.retirement import Retired
from strongroom.trail.attestation import verify_checkpoints
from strongroom.trail.inventory import strangers
from strongroom.trail.signed import SignedFiles, read_signed, verify_retired
from strongroom.trail.tree import CHECKPOINTS, RETIRED, TREE
from strongroom.trail.verification import Damage, Verification, verify_trail

__all__ = ["Known", "examine"]

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a trail from outside its directory, all of it read before the trail is."""

    exported: int = 0
    """The number of the last record of a write that the database has given away."""
    key: PublicKey | None = None
    """Whose signatures count; None where nothing was ever signed."""
    newest: bytes = b""
    """The newest checkpoint that the database knows."""
    held: Sequence[bytes] = ()
    """Checkpoints that were kept elsewhere."""


def examine(trail: Path, known: Known) -> Verification:
    """Return what is wrong with the trail in directory `trail`, if anything. Writes nothing.

    Damage to the records comes first, the rest behind it. The server may run meanwhile.
    """
    for _ in range(ATTEMPTS - 1):
        signed = read_signed(trail)
        found = _examine(trail, known, signed)
        if found.ok or read_signed(trail).retired == signed.retired:
            return found
        # Records were retired while they were looked for.
    return _examine(trail, known, read_signed(trail))


def _examine(trail: Path, known: Known, signed: SignedFiles) -> Verification:
    retired: dict[str, Retired] = {}
    damages: list[Damage] = []
    if known.key is not None:
        try:
            retired = verify_retired(signed, known.key)
        except CheckpointError as error:
            damages.append(Damage(TREE, RETIRED, 0, 0, str(error)))
    elif signed.notes or signed.rest or signed.retired or signed.leaves:
        reason = "the database knows of nothing that was signed"
        damages.append(Damage(TREE, CHECKPOINTS, 0, 1, reason))
    chains = verify_trail(trail, exported=known.exported, retired=retired)
    found = list(chains.damages)
    if known.key is not None:
        damage = verify_checkpoints(
            trail, known.key, known.newest, known.held, signed=signed, retired=retired
        )
        found = found if damage is None else _with_signed(found, damage)
    return replace(
        chains,
        damages=(*found, *damages, *strangers(trail)),
        unfinished=chains.unfinished + signed.unfinished,
    )


def _with_signed(found: list[Damage], damage: Damage) -> list[Damage]:
    """Return the damages of the chains and the one of the tree: in one slot, the earlier one counts.

    Where a record was altered, its chain breaks at the next one, and only the leaf log knows which it was.
    """
    same = next((each for each in found if each.slot == damage.slot), None)
    if same is None:
        return [*found, damage]
    return [damage if each is same and damage.record < each.record else each for each in found]
