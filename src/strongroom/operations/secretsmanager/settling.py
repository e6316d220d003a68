"""The moment in which a rotation changes the credential that is current: reads of it wait that long.

Most targets keep one password for a user. Between the change there and the move of AWSCURRENT only AWSPENDING
opens such a target, so an application that is refused, reads again and tries once more would be refused
again. AWS leaves that gap open, and advises to try for longer (fact sheet rotation section 8).
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from strongroom.names import AWSCURRENT, AWSPENDING
from strongroom.operations.call import Call, NotSettled
from strongroom.operations.rotation_role import ROLE_NAME
from strongroom.operations.secretsmanager.rotation_records import LEASE, duty_of
from strongroom.ports import ReadUnit
from strongroom.secret.records import Secret
from strongroom.secret.runs import RotationDuty, Step

__all__ = ["SETTLING", "verify_settled"]

SETTLING: Final = dt.timedelta(seconds=3)
"""How long reads wait for one step: of a quick target it takes tens of milliseconds."""


def verify_settled(call: Call, unit: ReadUnit, secret: Secret) -> None:
    """Pass unless AWSCURRENT is about to move to what the target has got, or may get, at this moment.

    Whoever does the rotation passes: the service, and the functions it calls.

    Raises:
        NotSettled: it is about to.
    """
    pending = secret.labels.get(AWSPENDING)
    if call.waited or pending is None or pending == secret.labels.get(AWSCURRENT) or _rotates(call):
        return
    if secret.rotation is not None and secret.rotation.admin_use is not None:
        # Users take turns: the current one goes on opening.
        return
    # Replicas move in the transaction of their primary.
    primary = secret.replica_of or secret.arn
    if secret.cross_account_primary is not None:
        primary = secret.cross_account_primary.arn
    duty = duty_of(unit, primary)
    if duty is not None and _is_changing(duty, call.received_at):
        raise NotSettled


def _rotates(call: Call) -> bool:
    principal = call.principal
    if principal.source_function_arn is not None:
        return True
    return principal.role_arn is not None and principal.role_arn.endswith(f"/{ROLE_NAME}")


def _is_changing(duty: RotationDuty, now: dt.datetime) -> bool:
    run = duty.run
    if run is None or run.test_only or run.step not in (Step.SET, Step.TEST, Step.FINISH):
        return False
    # Whoever was at it may just have been killed: then it is due, and nobody's.
    begun_at = duty.due_at - LEASE if duty.owner else duty.due_at
    return begun_at <= now < begun_at + SETTLING
