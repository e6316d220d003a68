"""RotateSecret and CancelRotateSecret: the configuration of rotation.

Source: fact sheets rotation sections 1 to 5 and 11, iam section 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import InvalidParameterException
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.secretsmanager.messages import NO_TOKEN, TOKEN_LENGTH
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.resolution import one_secret, present, secret_target, writable
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.records import Secret
from strongroom.secret.rotation import cancelled, configured, is_function_arn, pending_version

_ROTATE: Final = "secretsmanager:RotateSecret"
_CANCEL: Final = "secretsmanager:CancelRotateSecret"
_INVOKE: Final = "lambda:InvokeFunction"


def rotate_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Rotation is on, configured as the request says where it says something, and the next date is set.

    Raises:
        InvalidParameterException: no ClientRequestToken, looked at before the secret; or as
            `secret.rotation.configured`.
        ResourceNotFoundException: no such secret.
        InvalidRequestException: it is marked or a replica; an earlier rotation is not complete; or no
            function is named, now or before.
    Whatever is raised, nothing is stored.
    """
    call, request = authorized.call, authorized.request
    token = request.get("ClientRequestToken")
    if not token:
        raise InvalidParameterException(NO_TOKEN)
    if not 32 <= len(token) <= 64:
        raise InvalidParameterException(TOKEN_LENGTH)
    secret = writable(present(authorized.target))
    rotation = configured(secret, request, call.received_at)
    secret = _save(call, unit, replace(secret, rotation=rotation))
    return {"ARN": secret.arn, "Name": secret.name, "VersionId": token}


def cancel_rotate_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Rotation is off; its configuration and every staging label stay.

    The answer names the version of a rotation that was not complete: its AWSPENDING blocks the next one.

    Raises:
        ResourceNotFoundException: no such secret.
        InvalidRequestException: it is marked or a replica, or rotation was never configured.
    """
    call = authorized.call
    secret = writable(present(authorized.target))
    rotation = cancelled(secret.rotation)
    if rotation != secret.rotation:
        secret = _save(call, unit, replace(secret, rotation=rotation))
    answer = {"ARN": secret.arn, "Name": secret.name}
    pending = pending_version(secret)
    return answer if pending is None else {**answer, "VersionId": pending}


def _save(call: Call, unit: WriteUnit, secret: Secret) -> Secret:
    changed = replace(secret, last_changed_at=changed_at(secret, call.received_at))
    unit.save_secret(changed)
    return propagate(call, unit, changed)


def _rotate_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """The secret, and the function that will rotate it, named or stored."""
    request = call.request
    function_arn = request.get("RotationLambdaARN") or None
    context = {
        "secretsmanager:ModifyRotationRules": "true" if "RotationRules" in request else "false",
        "secretsmanager:RotateImmediately": "true" if request.get("RotateImmediately", True) else "false",
    }
    if function_arn is not None:
        context["secretsmanager:RotationLambdaARN"] = function_arn
    if "ExternalSecretRotationRoleArn" in request:
        context["secretsmanager:ExternalSecretRotationRoleArn"] = request["ExternalSecretRotationRoleArn"]
    target = secret_target(call, unit, request["SecretId"], _ROTATE, context=context)
    if function_arn is None and target.record is not None and target.record.rotation is not None:
        function_arn = target.record.rotation.function_arn
    if function_arn is None or not is_function_arn(function_arn):
        return (target,)
    # The function's own policy is not known here, so the caller's policies alone decide.
    return target, Target(action=_INVOKE, resource=function_arn, owner_account=call.account_id)


ROTATE_SECRET = Operation(
    name="RotateSecret",
    action=_ROTATE,
    unit=Unit.WRITE,
    targets=_rotate_targets,
    handle=rotate_secret,
    read_only=False,
    deviations=(
        "Rotation is not carried out yet: the configuration is validated, stored and scheduled "
        "(RotationEnabled, RotationRules, NextRotationDate), but no function is invoked, neither at once nor "
        "at the scheduled time, so a NextRotationDate can pass. The VersionId in the answer is the "
        "ClientRequestToken; no version of that id is created, no AWSPENDING label is attached, AWSCURRENT "
        "does not move and LastRotatedDate is not set.",
        "RotateImmediately makes no difference yet; its testSecret run does not take place.",
        "Any well-formed Lambda function ARN of any account and region is accepted; whether the function "
        "exists and lets Secrets Manager invoke it is not checked.",
        "lambda:InvokeFunction is asked of the caller's own policies only, also for a function of another "
        "account, and of the stored function when the call names none.",
        "The texts refusing rotation rules, schedule expressions and durations are our own.",
        "cron(): the hours are one hour or an increment; ranges that run backwards are refused; "
        "<DAY>L may stand in either day field; rotations may be 371 days (53 weeks) apart at most.",
        "rate() accepts singular and plural units alike, up to 1000 days. In hours, windows open at "
        "multiples of the rate counted from 1970-01-01T00:00Z; in days, at midnight so many days after the "
        "last rotation or change of the value. A window that would reach into the next UTC day ends at "
        "midnight.",
        "NextRotationDate is the last second of the next window that opens after the call; without "
        "RotationRules there is none.",
        "AutomaticallyAfterDays beside a ScheduleExpression is its longest interval, rounded up to days.",
        "External rotation metadata and role are kept, not used, and refused on a secret that has no Type.",
        "secretsmanager:RotateImmediately is present in every RotateSecret call, with the default true.",
    ),
)
CANCEL_ROTATE_SECRET = Operation(
    name="CancelRotateSecret",
    action=_CANCEL,
    unit=Unit.WRITE,
    targets=one_secret(_CANCEL),
    handle=cancel_rotate_secret,
    read_only=False,
    deviations=(
        "On a secret that rotation was never configured for it is an InvalidRequestException, with a text of "
        "our own.",
        "Cancelling again changes nothing, the LastChangedDate included.",
    ),
)
