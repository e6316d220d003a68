"""What the keeper does to secrets by itself. Source: fact sheet secretsmanager section 7."""

from __future__ import annotations

import datetime as dt
from functools import partial

from strongroom.names import Arn
from strongroom.operations.secretsmanager.lifecycle import erase_secret
from strongroom.ports import Entropy, Store, WriteUnit
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


def _delete_if_due(unit: WriteUnit, arn: Arn, now: dt.datetime, entropy: Entropy) -> bool:
    secret = unit.secret(arn)
    if secret is None or not due(secret, now):
        return False
    erase_secret(unit, secret, now, entropy)
    return True
