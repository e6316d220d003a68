"""Duties for secrets whose rotation was configured before there were any: by a version of strongroom that
kept the configuration of RotateSecret and carried nothing out.

The store remembers how far the look has come, so each store is looked through once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strongroom.errors import InvalidParameterException
from strongroom.names import Arn
from strongroom.operations.secretsmanager.rotation_records import duty_of
from strongroom.operations.secretsmanager.rotation_runs import schedule
from strongroom.ports import ROTATION_SWEEPS, ReadUnit, Store, WriteUnit
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.records import Secret
from strongroom.secret.rotation import turn_of
from strongroom.secret.sweeps import RotationSweep

__all__ = ["DutySweep"]

PAGE: Final = 500


class DutySweep:
    """Gives every secret whose rotation is on and has a schedule its duty, a page of secrets at a time."""

    def __init__(self, store: Store) -> None:
        """The look goes on where an earlier process has left it."""
        self._store = store
        self._seen = store.read(_mark)

    @property
    def done(self) -> bool:
        return self._seen.done

    def advance(self) -> None:
        """One page more has been looked at. Nothing is written unless a duty is missing, or it is the last.

        Raises:
            ServiceUnavailableException, IntegrityError: the store cannot be read or written; the page is
                looked at again then.
        """
        if self.done:
            return
        lacking, seen = self._store.read(self._page)
        if lacking or seen.done:
            self._store.write(lambda unit: _give(unit, lacking, seen)).result()
        self._seen = seen

    def _page(self, unit: ReadUnit) -> tuple[list[Arn], RotationSweep]:
        page: Sequence[Secret] = unit.secrets_after(self._seen.after, PAGE)
        lacking = [each.arn for each in page if _lacks_duty(unit, each)]
        if len(page) < PAGE:
            return lacking, RotationSweep(done=True)
        return lacking, RotationSweep(after=page[-1].arn)


def _mark(unit: ReadUnit) -> RotationSweep:
    return unit.find(ROTATION_SWEEPS, "", "sweep") or RotationSweep()


def _give(unit: WriteUnit, lacking: Sequence[Arn], seen: RotationSweep) -> None:
    for arn in lacking:
        secret = unit.secret(arn)
        # Another process may have seen to it since.
        if secret is not None and _lacks_duty(unit, secret):
            schedule(unit, secret)
    unit.save(ROTATION_SWEEPS, seen)


def _lacks_duty(unit: ReadUnit, secret: Secret) -> bool:
    if secret.rotation is None or not secret.rotation.enabled or is_marked(secret):
        return False
    if secret.replica_of is not None or secret.cross_account_primary is not None:
        # Its primary is rotated.
        return False
    try:
        return turn_of(secret) is not None and duty_of(unit, secret.arn) is None
    except InvalidParameterException:
        # One schedule that this version would not take must not keep all secrets behind it from rotating.
        return False
