"""RotateSecret and CancelRotateSecret: the configuration of rotation.

Source: fact sheets rotation sections 1 to 5 and 11, iam section 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import InvalidParameterException, ResourceExistsException
from strongroom.function.references import parse_function_ref
from strongroom.names import AWSCURRENT, AWSPENDING, VersionId
from strongroom.operations.call import AuthorizedCall, Call, Operation, ResourcePolicy, Target, Unit
from strongroom.operations.datakeys import open_value
from strongroom.operations.lambda_.standing import stored_function
from strongroom.operations.secretsmanager.messages import NO_TOKEN, TOKEN_LENGTH, token_in_use
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.resolution import one_secret, present, secret_target, writable
from strongroom.operations.secretsmanager.rotation_choice import Choice
from strongroom.operations.secretsmanager.rotation_runs import (
    begin,
    forget_duty,
    known_token,
    schedule,
    verify_none_running,
)
from strongroom.operations.secretsmanager.values import sealed_version
from strongroom.ports import FUNCTION_POLICIES, ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.records import Secret
from strongroom.secret.rotation import cancelled, configured, is_function_arn, pending_version
from strongroom.secret.staging import attach, verify_number
from strongroom.secret.steps import CANCELLED

_ROTATE: Final = "secretsmanager:RotateSecret"
_CANCEL: Final = "secretsmanager:CancelRotateSecret"
_INVOKE: Final = "lambda:InvokeFunction"


def rotate_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Rotation is on, configured as the request says where it says something, and the next date is set.

    Unless RotateImmediately is false, a rotation has begun: AWSPENDING is on the version the token names,
    which has no value yet. If it is false, that version holds a copy of the current value, to be tested.
    The same token again changes nothing.

    Raises:
        InvalidParameterException: no ClientRequestToken, looked at before the secret; or as
            `secret.rotation.configured`.
        ResourceNotFoundException: no such secret.
        ResourceExistsException: the token names a version already.
        InvalidRequestException: it is marked or a replica; an earlier rotation is not complete; or no
            function is named, now or before, and there is no rotator for what the value says.
        AccessDeniedException: there is no such function, or its policy does not let Secrets Manager in.
        LimitExceededException: the secret has 20 staging labels, and AWSPENDING would be one more.
    Whatever is raised, nothing is stored.
    """
    call, request = authorized.call, authorized.request
    token = request.get("ClientRequestToken")
    if not token:
        raise InvalidParameterException(NO_TOKEN)
    if not 32 <= len(token) <= 64:
        raise InvalidParameterException(TOKEN_LENGTH)
    secret = writable(present(authorized.target))
    answer = {"ARN": secret.arn, "Name": secret.name, "VersionId": token}
    if known_token(unit, secret, token):
        return answer
    verify_none_running(unit, secret)
    choice = Choice(call, unit, secret)
    rotation = configured(secret, request, call.received_at, has_rotator=choice.has_rotator)
    rotation = choice.applied(rotation)
    if unit.version(secret.arn, token) is not None:
        raise ResourceExistsException(token_in_use(token, secret.arn))
    secret = replace(secret, rotation=rotation)
    if choice.carried_out:
        verify_number(attach(secret.labels, AWSPENDING, VersionId(token)))
        secret = _begun(call, unit, secret, VersionId(token))
    secret = _save(call, unit, secret)
    schedule(unit, secret)
    return answer


def _begun(call: Call, unit: WriteUnit, secret: Secret, token: VersionId) -> Secret:
    """Return the secret with the run begun that the request asks for: a rotation, or a test."""
    entropy = call.resources.entropy
    if call.request.get("RotateImmediately", True):
        return begin(unit, secret, token, call.received_at, entropy)[0]
    current = unit.version(secret.arn, secret.labels.get(AWSCURRENT, ""))
    if current is None:
        # There is nothing to test yet.
        return secret
    value = open_value(call, unit, current, region=secret.region, account_id=secret.account_id)
    unit.save_version(sealed_version(call, unit, secret, token, value))
    return begin(unit, secret, token, call.received_at, entropy, test_only=True)[0]


def cancel_rotate_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Rotation is off, and a rotation under way begins no further step; its configuration and labels stay.

    The answer names the version of a rotation that was not complete: its AWSPENDING blocks the next one.

    Raises:
        ResourceNotFoundException: no such secret.
        InvalidRequestException: it is marked or a replica, or rotation was never configured.
    """
    call = authorized.call
    secret = writable(present(authorized.target))
    ended = replace(secret, rotation=cancelled(secret.rotation))
    ended = forget_duty(unit, ended, call.received_at, CANCELLED)
    if ended != secret:
        secret = _save(call, unit, ended)
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
    return target, _invocation(call, unit, function_arn)


def _invocation(call: Call, unit: ReadUnit, function_arn: str) -> Target:
    """Return the target of invoking the function, whose own policy counts, too, and which may be absent."""
    ref = parse_function_ref(function_arn, call.region, call.account_id)
    if ref is None:
        return Target(action=_INVOKE, resource=function_arn, owner_account=call.account_id)
    policy = unit.find(FUNCTION_POLICIES, ref.arn, ref.version_or_alias)
    function = stored_function(unit, ref)
    tags: Mapping[str, str] = {} if function is None else function.tags
    return Target(
        action=_INVOKE,
        resource=function_arn,
        owner_account=ref.account_id,
        resource_policies=() if policy is None else (ResourcePolicy(policy.document),),
        context={f"aws:ResourceTag/{key}": value for key, value in tags.items()},
    )


ROTATE_SECRET = Operation(
    name="RotateSecret",
    action=_ROTATE,
    unit=Unit.WRITE,
    targets=_rotate_targets,
    handle=rotate_secret,
    read_only=False,
    deviations=(
        "Without a function a secret rotates, too, when the JSON of its current value has an `engine` this "
        "server has a rotator for. The service then acts in the account's role "
        "AWSServiceRoleForSecretsManagerRotation, which RotateSecret makes when it is first needed; key "
        "policies, resource policies and what is attached to the role hold for it. A template name of AWS's "
        "in RotationLambdaARN stands for such a rotator unless there is a function of that name. Where the "
        "value names another engine, the message about a missing function says so.",
        "With `masterarn` in the value the caller needs secretsmanager:GetSecretValue on that secret, and "
        "kms:Decrypt where its key asks for that; one that is not there is "
        "ResourceNotFoundException. A name stands for a secret of the rotated one's account. When it, the "
        "target, its pair of users, or what a certificate is to say is changed later, rotations fail until "
        "RotateSecret is called again.",
        "A ClientRequestToken of a version that exists already is ResourceExistsException, unless it is that "
        "of an earlier RotateSecret, which is answered as then and changes nothing.",
        "A failed rotation is attempted again after 5, 30, 120 and 600 seconds, as long as its window is "
        "open, then in the next window; with a schedule in days, on the next day; without a schedule, a day "
        "later. Once setSecret has been done, the rotation waits for no window: it is attempted every 600 "
        "seconds until it has ended.",
        "While a step of an earlier rotation is being done, RotateSecret is the InvalidRequestException of a "
        "rotation that is not complete, also when the new version is current already.",
        "RotateImmediately false copies the current value as the caller, who needs kms:Decrypt and "
        "kms:GenerateDataKey. A failed test keeps the configuration.",
        "Where many windows open at once, rotations are spread over the first half of the window, an hour at "
        "most.",
        "A rotation that ends without success after setSecret was begun (a value put by hand, AWSPENDING "
        "taken off, CancelRotateSecret, DeleteSecret) leaves the label STRONGROOM_ABANDONED on its version, "
        "whose credential the target may have; the next one that succeeds takes it off. It does not count "
        "among the 20 labels.",
        "RotationFailed of a rotation without a function has an errorMessage of our own.",
        "Managed external secrets (those with a Type) keep their configuration and are rotated only when "
        "their value names an engine.",
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
        "A step that is being done is not interrupted; no other one follows it.",
    ),
)
