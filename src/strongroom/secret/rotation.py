"""What RotateSecret and CancelRotateSecret do to a secret's rotation configuration. Pure rules.

Source: fact sheet rotation sections 1, 2, 3, 5 and 11.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import InvalidParameterException, InvalidRequestException
from strongroom.names import AWSCURRENT, AWSPENDING, Arn, VersionId, is_account_id, is_region, parse_arn
from strongroom.secret.document import SecretDocument
from strongroom.secret.records import Rotation, RotationRules, Secret
from strongroom.secret.schedule import (
    MAX_RATE_DAYS,
    SECOND,
    Rate,
    Schedule,
    automatically_after_days,
    every_days,
    moment_within,
    next_rotation_date,
    parse_duration,
    parse_schedule,
    window_ending,
    windows,
)

# Recorded (fact sheet rotation section 1).
NO_FUNCTION: Final = "No Lambda rotation function ARN is associated with this secret."
# Seen by many clients (same section).
NOT_COMPLETE: Final = "A previous rotation isn't complete. That rotation will be reattempted."
# Ours: the rules are documented, the texts are not on record.
BOTH_SCHEDULES: Final = (
    "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules. Choose one."
)
NO_SCHEDULE: Final = "RotationRules must contain AutomaticallyAfterDays or ScheduleExpression."
DAYS_OUT_OF_RANGE: Final = "AutomaticallyAfterDays must be between 1 and 1000 (inclusive)."
NOT_A_FUNCTION: Final = "The RotationLambdaARN {!r} is not the ARN of a Lambda function."
NO_FUNCTION_HERE: Final = (
    "You can't specify RotationLambdaARN for a secret that uses managed rotation. Omit RotationLambdaARN."
)
ONLY_EXTERNAL: Final = (
    "You can specify ExternalSecretRotationMetadata and ExternalSecretRotationRoleArn only for a managed "
    "external secret."
)
METADATA_INCOMPLETE: Final = "Every item of ExternalSecretRotationMetadata must have a Key and a Value."
NOT_A_ROLE: Final = "The ExternalSecretRotationRoleArn {!r} is not the ARN of an IAM role."
NEVER_CONFIGURED: Final = (
    "You can't cancel rotation for this secret because rotation has never been configured for it."
)
CHANGED: Final = (
    "masterarn, the target or the user in the secret JSON has changed since RotateSecret was called; call it "
    "again, as somebody who may read the superuser secret"
)
NOT_APPROVED: Final = (
    "nobody has approved that the superuser secret in masterarn is used for this secret: RotateSecret was "
    "called last before the secret JSON had masterarn, or on a version of this server that did not ask; "
    "call it again, as somebody who may read the superuser secret"
)

ADMIN: Final = "masterarn"
"""The member of a secret's JSON that names its superuser secret (section 6)."""
_TARGET: Final = ("engine", "host", "port", "url", "ssl", "sslrootcert", "ca")
"""Where a superuser's password goes, and by what its receiver is trusted."""
_ASKED: Final = ("dbname", "commonName", "subjectAltNames", "validDays")
"""Where a superuser logs in who has no database of his own, and what an authority signs."""
_SECOND: Final = re.compile("_clone(?=,|$)", re.IGNORECASE)
"""Ends the name of the second of two users, which may be the first part of a directory's name."""
_FUNCTION: Final = re.compile(r"function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?")
_ROLE: Final = re.compile(r"role/[\w+=,.@/-]{1,576}", re.ASCII)


def _none() -> bool:
    return False


def configured(
    secret: Secret, request: Mapping[str, Any], now: dt.datetime, has_rotator: Callable[[], bool] = _none
) -> Rotation:
    """Return the rotation of `secret` after RotateSecret with `request`: on, and scheduled from `now`.

    What the request names replaces what is stored; the rest stays. `has_rotator` is asked when no function
    is named: whether there is a rotator for the secret.

    Raises:
        InvalidParameterException: rules that are incomplete, contradictory or out of range; an ARN of the
            wrong kind; a function for a managed secret; external settings for another secret.
        InvalidRequestException: a rotation is not complete; or no function is named, and none stored, for a
            secret that needs one.
    """
    stored = secret.rotation or Rotation(enabled=False)
    asked = request.get("RotationRules")
    rules = stored.rules if asked is None else parse_rules(asked)
    function_arn = request.get("RotationLambdaARN") or None
    managed = secret.type is not None or secret.owning_service is not None
    if function_arn is not None:
        if managed:
            raise InvalidParameterException(NO_FUNCTION_HERE)
        if not is_function_arn(function_arn):
            raise InvalidParameterException(NOT_A_FUNCTION.format(function_arn))
    metadata, role = _external(secret, request)
    if pending_version(secret) is not None:
        raise InvalidRequestException(NOT_COMPLETE)
    function_arn = function_arn or stored.function_arn
    if function_arn is None and not managed and not has_rotator():
        raise InvalidRequestException(NO_FUNCTION)
    return Rotation(
        enabled=True,
        function_arn=function_arn,
        rules=rules,
        external_metadata=stored.external_metadata if metadata is None else metadata,
        external_role_arn=role or stored.external_role_arn,
        last_rotated_at=stored.last_rotated_at,
        next_rotation_at=_scheduled(stored, rules, request, now),
        engine=stored.engine,
        admin_use=stored.admin_use,
    )


def _scheduled(
    stored: Rotation, rules: RotationRules | None, request: Mapping[str, Any], now: dt.datetime
) -> dt.datetime | None:
    """Return NextRotationDate after RotateSecret at `now`."""
    after = next_date(rules, now)
    before = stored.next_rotation_at
    if after is None or before is None or request.get("RotateImmediately", True) or before <= now:
        return after
    # AWS: without a rotation now, a new rate does not cancel what is scheduled already (section 1).
    schedule, _ = schedule_of(rules) if rules is not None else (None, None)
    return min(before, after) if isinstance(schedule, Rate) else after


def cancelled(rotation: Rotation | None) -> Rotation:
    """Return the rotation turned off: its configuration stays, its next date does not.

    Raises:
        InvalidRequestException: rotation was never configured.
    """
    if rotation is None:
        raise InvalidRequestException(NEVER_CONFIGURED)
    return replace(rotation, enabled=False, next_rotation_at=None)


def rescheduled(rotation: Rotation | None, now: dt.datetime) -> Rotation | None:
    """Return the rotation after AWSCURRENT moved at `now`, by rotation or by hand: its next date is new.

    A manual change counts as a rotation for the schedule and does not change LastRotatedDate.
    """
    if rotation is None or not rotation.enabled:
        return rotation
    return replace(rotation, next_rotation_at=next_date(rotation.rules, now))


def pending_version(secret: Secret) -> VersionId | None:
    """Return the version of a rotation that is not complete: AWSPENDING, if it is not AWSCURRENT too."""
    pending = secret.labels.get(AWSPENDING)
    return None if pending == secret.labels.get(AWSCURRENT) else pending


def parse_rules(asked: Mapping[str, Any]) -> RotationRules:
    """Return RotationRules to be stored, beside an expression the AutomaticallyAfterDays it amounts to.

    Raises:
        InvalidParameterException: both or neither way to give a schedule, or one that is not valid.
    """
    days, expression = asked.get("AutomaticallyAfterDays"), asked.get("ScheduleExpression")
    duration = asked.get("Duration")
    if days is not None and expression is not None:
        raise InvalidParameterException(BOTH_SCHEDULES)
    if expression is not None:
        schedule = parse_schedule(expression)
        days = automatically_after_days(schedule)
    elif days is not None:
        if not 1 <= days <= MAX_RATE_DAYS:
            raise InvalidParameterException(DAYS_OUT_OF_RANGE)
        schedule = every_days(days)
    else:
        raise InvalidParameterException(NO_SCHEDULE)
    if duration is not None:
        parse_duration(duration, schedule)
    return RotationRules(automatically_after_days=days, duration=duration, schedule_expression=expression)


def schedule_of(rules: RotationRules) -> tuple[Schedule, int | None]:
    """Return stored rules as a schedule and its windows' hours; None for the default window."""
    if rules.schedule_expression is not None:
        schedule = parse_schedule(rules.schedule_expression)
    else:
        schedule = every_days(rules.automatically_after_days or MAX_RATE_DAYS)
    return schedule, None if rules.duration is None else parse_duration(rules.duration, schedule)


def next_date(rules: RotationRules | None, now: dt.datetime) -> dt.datetime | None:
    """Return NextRotationDate for a secret rotated at `now`; None without a schedule."""
    if rules is None:
        return None
    schedule, duration = schedule_of(rules)
    return next_rotation_date(schedule, duration, now)


def turn_of(secret: Secret) -> tuple[dt.datetime, dt.datetime] | None:
    """Return when the secret is rotated next, and when the window of that closes; None: not by itself.

    The window is the one whose end NextRotationDate shows.
    """
    rotation = secret.rotation
    if (
        rotation is None
        or not rotation.enabled
        or rotation.rules is None
        or rotation.next_rotation_at is None
    ):
        return None
    schedule, duration = schedule_of(rotation.rules)
    window = window_ending(schedule, duration, rotation.next_rotation_at)
    return moment_within(window, secret.arn), window[1]


def turn_at(secret: Secret, now: dt.datetime) -> tuple[dt.datetime, dt.datetime] | None:
    """Return the secret's first turn whose window is not over at `now`: that of NextRotationDate, or, where
    that was missed, the next there is. None: not by itself.
    """
    turn = turn_of(secret)
    if turn is None or turn[1] > now:
        return turn
    schedule, duration = _daily_if_in_days(secret)
    missed = windows(schedule, duration, now - dt.timedelta(days=1) - SECOND)
    window = next(each for each in missed if each[1] > now)
    return moment_within(window, secret.arn), window[1]


def turns(
    secret: Secret,
    now: dt.datetime,
    until: dt.datetime,
    attempt: tuple[dt.datetime, dt.datetime] | None = None,
) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """Yield the secret's turns from `now` up to a moment, each with the close of its window, supposing all go
    well; the first is `attempt`, if a rotation is under way. What was missed is not made up for one by one.
    """
    turn = attempt or turn_at(secret, now)
    rotation = secret.rotation
    while turn is not None and turn[0] <= until:
        yield turn
        if rotation is None:
            return
        rotation = replace(rotation, next_rotation_at=next_date(rotation.rules, turn[0]))
        turn = turn_of(replace(secret, rotation=rotation))


def turn_after(secret: Secret, now: dt.datetime) -> tuple[dt.datetime, dt.datetime] | None:
    """Return the next turn of a secret whose rotation has failed in its window; None without a schedule.

    A schedule in days has a window each day for what is overdue; others keep to their own windows, which
    may be the only hours in which a target may be touched.
    """
    if turn_of(secret) is None:
        return None
    schedule, duration = _daily_if_in_days(secret)
    window = next(windows(schedule, duration, now))
    return moment_within(window, secret.arn), window[1]


def _daily_if_in_days(secret: Secret) -> tuple[Schedule, int | None]:
    """Return the schedule of a secret that has a turn, for what is overdue."""
    rotation = secret.rotation
    if rotation is None or rotation.rules is None:
        raise ValueError("a secret without a schedule has no turn")
    schedule, duration = schedule_of(rotation.rules)
    if isinstance(schedule, Rate) and schedule.in_days:
        schedule = every_days(1)
    return schedule, duration


def admin_use(secret_arn: str, document: SecretDocument) -> bytes | None:
    """Return what tells whether a superuser secret is used for what it was when RotateSecret was called: a
    digest of its ARN, of the target, of the pair of users and of what a certificate is to say. None: the
    value names no superuser secret.

    SECURITY: whoever may write a secret could otherwise have a superuser's password sent to a host of his
    own, have any secret used as a superuser's, or an authority's for any name; and whoever has a user
    `root_clone` at the target could have the password of `root` changed.
    """
    if not document.get(ADMIN):
        return None
    named = [str(document.get(field, "")) for field in (ADMIN, *_TARGET, *_ASKED)]
    named.append(_SECOND.sub("", str(document.get("username", "")), count=1))
    return hashlib.sha256("\0".join((secret_arn, *named)).encode()).digest()


def use_refused(secret: Secret, document: SecretDocument) -> str | None:
    """Return why a rotation does not use the superuser secret that the value names; None: it may, or the
    value names none.

    SECURITY: what the secret says by now may be an invitation to send the superuser's password to somebody
    else.
    """
    use = admin_use(secret.arn, document)
    approved = None if secret.rotation is None else secret.rotation.admin_use
    if use is None or use == approved:
        return None
    return NOT_APPROVED if approved is None else CHANGED


def unsaid_of_target(admin: SecretDocument, document: SecretDocument) -> list[str]:
    """Return what a secret's value says of the target and a superuser secret does not say, too, by the names
    of the members. Where there is nothing, whoever wrote the value has no part in where the superuser's
    password goes.
    """
    said = [field for field in (*_TARGET, "dbname") if document.get(field) not in (None, "")]
    return [field for field in said if str(admin.get(field, "")) != str(document[field])]


def is_function_arn(text: str) -> bool:
    """True for the ARN of a Lambda function of any account and region, with or without a qualifier."""
    arn = parse_arn(text)
    return (
        arn is not None
        and arn.service == "lambda"
        and is_region(arn.region)
        and is_account_id(arn.account_id)
        and _FUNCTION.fullmatch(arn.resource) is not None
    )


def _external(
    secret: Secret, request: Mapping[str, Any]
) -> tuple[tuple[tuple[str, str], ...] | None, Arn | None]:
    """Return the metadata and role of a managed external secret, each None where the request has none."""
    items: Sequence[Mapping[str, str]] | None = request.get("ExternalSecretRotationMetadata")
    role: str | None = request.get("ExternalSecretRotationRoleArn")
    if (items is not None or role is not None) and secret.type is None:
        raise InvalidParameterException(ONLY_EXTERNAL)
    if role is not None:
        arn = parse_arn(role)
        if arn is None or arn.service != "iam" or not _ROLE.fullmatch(arn.resource):
            raise InvalidParameterException(NOT_A_ROLE.format(role))
    if items is None:
        return None, None if role is None else Arn(role)
    if any("Key" not in item or "Value" not in item for item in items):
        raise InvalidParameterException(METADATA_INCOMPLETE)
    metadata = tuple((item["Key"], item["Value"]) for item in items)
    return metadata, None if role is None else Arn(role)
