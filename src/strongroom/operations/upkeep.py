"""What the keeper does to secrets by itself. Source: fact sheet secretsmanager section 7."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial

from strongroom.names import Arn
from strongroom.operations.secretsmanager.lifecycle import erase_secret, version_event
from strongroom.operations.secretsmanager.versions import KEPT_VERSIONS, prunable
from strongroom.ports import Entropy, ReadUnit, Store, WriteUnit
from strongroom.secret.lifecycle import due


def delete_due_secrets(store: Store, now: dt.datetime, entropy: Entropy, batch: int = 100) -> int:
    """Really delete up to `batch` secrets whose recovery window has ended; return how many went.

    Each goes in a write of its own, together with its events, so a crash leaves every secret whole or
    gone. A secret restored or marked anew since it was found stays. Fewer than `batch` means nothing more
    is due. Waits for the disk: not for the event loop.
    """
    found = store.read(lambda unit: unit.secrets_due_for_deletion(now, batch))
    writes = [
        store.write(partial(_delete_if_due, arn=secret.arn, now=now, entropy=entropy)) for secret in found
    ]
    return sum(write.result() for write in writes)


def prune_versions(store: Store, now: dt.datetime, entropy: Entropy, batch: int = 100) -> int:
    """Delete the versions that are over a secret's limit, carry no label and are old enough; return how many.

    A secret's versions go in one write together with their events. Waits for the disk.
    """
    pruned = 0
    after = ""
    while True:
        found = store.read(partial(_crowded, after=after, limit=batch))
        for arn in found:
            pruned += store.write(partial(_prune, arn=arn, now=now, entropy=entropy)).result()
        if len(found) < batch:
            return pruned
        after = found[-1]


def _crowded(unit: ReadUnit, after: str, limit: int) -> Sequence[Arn]:
    return unit.crowded_secrets(KEPT_VERSIONS, after, limit)


def _prune(unit: WriteUnit, arn: Arn, now: dt.datetime, entropy: Entropy) -> int:
    secret = unit.secret(arn)
    if secret is None:
        return 0
    surplus = prunable(secret, unit.versions(arn), now)
    for version_id in surplus:
        unit.delete_version(arn, version_id)
        unit.record(version_event("EndSecretVersionDelete", secret, version_id, now, entropy))
    return len(surplus)


def _delete_if_due(unit: WriteUnit, arn: Arn, now: dt.datetime, entropy: Entropy) -> bool:
    secret = unit.secret(arn)
    if secret is None or not due(secret, now):
        return False
    erase_secret(unit, secret, now, entropy)
    return True
