"""Trails: making, changing, describing and deleting them, starting and stopping.

A trail says where log files of the account's records go. It is no switch of the audit trail, which has none.
Source: fact sheet cloudtrail section 6; the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.audit.trails import TrailSettings
from strongroom.errors import (
    InsufficientEncryptionPolicyException,
    InvalidCloudWatchLogsLogGroupArnException,
    InvalidCloudWatchLogsRoleArnException,
    InvalidS3BucketNameException,
    InvalidS3PrefixException,
    InvalidSnsTopicNameException,
    MaximumNumberOfTrailsExceededException,
    OrganizationsNotInUseException,
    TrailAlreadyExistsException,
)
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit, note_created
from strongroom.operations.cloudtrail import messages
from strongroom.operations.cloudtrail.resolution import (
    find_trail,
    home_trail,
    on_everything,
    on_trail,
    present_trail,
    save_trail,
    trail_arn,
    trails_of,
    verify_name,
)
from strongroom.operations.cloudtrail.tags import tag_context, verified_tags
from strongroom.ports import TRAILS, ReadUnit, WriteUnit

MAXIMUM_TRAILS: Final = 5
MEANING: Final = (
    "A trail keeps its settings and answers them. What is delivered, and where, the operator of the server "
    "says; the audit trail is always written, and no trail can stop it."
)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    name = call.request.get("Name", "")
    verify_name(name)
    return (
        Target(
            "cloudtrail:CreateTrail",
            trail_arn(call.account_id, call.region, name),
            call.account_id,
            context=tag_context(call.request.get("TagsList") or ()),
        ),
    )


def create_trail(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save a trail, which is not logging before StartLogging.

    Raises:
        InvalidTrailNameException, InvalidS3BucketNameException, InvalidS3PrefixException: as they say.
        TrailAlreadyExistsException: the region has a trail of this name.
        MaximumNumberOfTrailsExceededException: the region has five already.
        InvalidSnsTopicNameException, InvalidCloudWatchLogsLogGroupArnException,
        InvalidCloudWatchLogsRoleArnException, InsufficientEncryptionPolicyException,
        OrganizationsNotInUseException: it asks for what is not there.
        TagsLimitExceededException, InvalidTagParameterException: the tags are not as they must be.
    """
    call, request = authorized.call, authorized.request
    name = request["Name"]
    _verify_settings(request)
    present = [
        each
        for each in trails_of(unit, call.account_id)
        if call.region == each.home_region or each.multi_region
    ]
    multi_region = request.get("IsMultiRegionTrail", False)
    if any(each.name == name for each in (trails_of(unit, call.account_id) if multi_region else present)):
        raise TrailAlreadyExistsException(messages.trail_exists(name, call.account_id))
    if len(present) >= MAXIMUM_TRAILS:
        raise MaximumNumberOfTrailsExceededException(messages.too_many_trails(call.account_id, call.region))
    trail = TrailSettings(
        name=name,
        account_id=call.account_id,
        home_region=call.region,
        arn=trail_arn(call.account_id, call.region, name),
        created_at=call.received_at,
        bucket=_bucket(request.get("S3BucketName", "")),
        prefix=_prefix(request.get("S3KeyPrefix")),
        global_events=request.get("IncludeGlobalServiceEvents", True),
        multi_region=multi_region,
        validation=request.get("EnableLogFileValidation", False),
        recursive=request.get("RecursiveLogging"),
        tags=verified_tags({}, request.get("TagsList") or ()),
    )
    save_trail(unit, trail)
    note_created(call, trail.arn)
    return _settings(trail)


def update_trail(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Change what the request names; the rest stays.

    Raises:
        TrailNotFoundException, InvalidHomeRegionException: as they say.
        TrailAlreadyExistsException: it is to be in all regions, and one of them has a trail of its name.
        Others: as create_trail.
    """
    trail, request = home_trail(authorized), authorized.request
    _verify_settings(request)
    multi_region = request.get("IsMultiRegionTrail", trail.multi_region)
    if multi_region and not trail.multi_region:
        others = [each for each in trails_of(unit, trail.account_id) if each.arn != trail.arn]
        if any(each.name == trail.name for each in others):
            raise TrailAlreadyExistsException(messages.trail_exists(trail.name, trail.account_id))
    trail = replace(
        trail,
        bucket=_bucket(request["S3BucketName"]) if "S3BucketName" in request else trail.bucket,
        prefix=_prefix(request["S3KeyPrefix"]) if "S3KeyPrefix" in request else trail.prefix,
        global_events=request.get("IncludeGlobalServiceEvents", trail.global_events),
        multi_region=multi_region,
        validation=request.get("EnableLogFileValidation", trail.validation),
        recursive=request.get("RecursiveLogging", trail.recursive),
    )
    save_trail(unit, trail)
    return _settings(trail)


def delete_trail(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The trail is gone. Raises TrailNotFoundException, InvalidHomeRegionException."""
    trail = home_trail(authorized)
    unit.delete(TRAILS, trail.account_id, f"{trail.home_region}/{trail.name}")
    return {}


def start_logging(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The trail is logging. Raises TrailNotFoundException, InvalidHomeRegionException."""
    trail = home_trail(authorized)
    if not trail.logging:
        save_trail(unit, replace(trail, logging=True, started_at=authorized.call.received_at))
    return {}


def stop_logging(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The trail is not logging. Raises TrailNotFoundException, InvalidHomeRegionException."""
    trail = home_trail(authorized)
    if trail.logging:
        save_trail(unit, replace(trail, logging=False, stopped_at=authorized.call.received_at))
    return {}


def get_trail(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return one trail's settings. Raises TrailNotFoundException."""
    return {"Trail": _described(present_trail(authorized))}


def get_trail_status(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return whether a trail is logging, and since when. Raises TrailNotFoundException."""
    trail = present_trail(authorized)
    status: dict[str, Any] = {
        "IsLogging": trail.logging,
        "LatestDeliveryAttemptTime": "",
        "LatestNotificationAttemptTime": "",
        "LatestNotificationAttemptSucceeded": "",
        "LatestDeliveryAttemptSucceeded": "",
        "TimeLoggingStarted": "",
        "TimeLoggingStopped": "",
    }
    if trail.started_at is not None:
        status["StartLoggingTime"] = trail.started_at
        status["TimeLoggingStarted"] = trail.started_at.strftime(_TIME)
    if trail.stopped_at is not None:
        status["StopLoggingTime"] = trail.stopped_at
        status["TimeLoggingStopped"] = trail.stopped_at.strftime(_TIME)
    return status


def describe_trails(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return trails of the call's region, those of every region among them; or those named that there are.

    Raises:
        CloudTrailARNInvalidException, InvalidTrailNameException: what is named can be no trail.
    """
    call, request = authorized.call, authorized.request
    shadows = request.get("includeShadowTrails", True)
    named = request.get("trailNameList") or ()
    if named:
        found = [trail for given in named if (trail := find_trail(call, unit, given)[1]) is not None]
    else:
        found = [each for each in trails_of(unit, call.account_id) if _is_in(each, call.region)]
    distinct = {each.arn: each for each in found if shadows or each.home_region == call.region}
    return {"trailList": [_described(trail) for trail in distinct.values()]}


def list_trails(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's trails of all regions: five a region, so always in one page."""
    return {
        "Trails": [
            {"TrailARN": trail.arn, "Name": trail.name, "HomeRegion": trail.home_region}
            for trail in trails_of(unit, authorized.call.account_id)
        ]
    }


def _is_in(trail: TrailSettings, region: str) -> bool:
    return trail.multi_region or trail.home_region == region


def _verify_settings(request: Mapping[str, Any]) -> None:
    """Refuse what would be kept and never be done."""
    if request.get("SnsTopicName"):
        raise InvalidSnsTopicNameException(messages.NO_TOPICS)
    if request.get("CloudWatchLogsLogGroupArn"):
        raise InvalidCloudWatchLogsLogGroupArnException(messages.NO_LOG_GROUPS)
    if request.get("CloudWatchLogsRoleArn"):
        raise InvalidCloudWatchLogsRoleArnException(messages.NO_LOG_ROLES)
    if request.get("KmsKeyId"):
        raise InsufficientEncryptionPolicyException(messages.NO_KMS)
    if request.get("IsOrganizationTrail"):
        raise OrganizationsNotInUseException(messages.NO_ORGANIZATION)


def _bucket(name: str) -> str:
    if _BUCKET.fullmatch(name) is None or ".." in name:
        raise InvalidS3BucketNameException(messages.BUCKET_NAME)
    return name


def _prefix(given: str | None) -> str | None:
    if given is not None and (len(given) > 200 or given.startswith("/")):
        raise InvalidS3PrefixException(messages.PREFIX)
    return given or None


def _settings(trail: TrailSettings) -> dict[str, Any]:
    members: dict[str, Any] = {
        "Name": trail.name,
        "S3BucketName": trail.bucket,
        "IncludeGlobalServiceEvents": trail.global_events,
        "IsMultiRegionTrail": trail.multi_region,
        "TrailARN": trail.arn,
        "LogFileValidationEnabled": trail.validation,
        "IsOrganizationTrail": False,
    }
    if trail.prefix is not None:
        members["S3KeyPrefix"] = trail.prefix
    if trail.recursive is not None:
        members["RecursiveLogging"] = trail.recursive
    return members


def _described(trail: TrailSettings) -> dict[str, Any]:
    return {
        **_settings(trail),
        "HomeRegion": trail.home_region,
        "HasCustomEventSelectors": bool(trail.event_selectors or trail.advanced_selectors),
        "HasInsightSelectors": False,
    }


_REFUSED: Final = (
    "SNS topics, CloudWatch Logs, KMS encryption of log files and organization trails are refused: they "
    "would be kept and never be done."
)

CREATE_TRAIL = Operation(
    name="CreateTrail",
    action="cloudtrail:CreateTrail",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_trail,
    read_only=False,
    deviations=(MEANING, _REFUSED, "The bucket is not looked for, and its policy is not checked."),
)
UPDATE_TRAIL = Operation(
    name="UpdateTrail",
    action="cloudtrail:UpdateTrail",
    unit=Unit.WRITE,
    targets=on_trail("cloudtrail:UpdateTrail"),
    handle=update_trail,
    read_only=False,
    deviations=(_REFUSED, "The bucket is not looked for, and its policy is not checked."),
)
DELETE_TRAIL = Operation(
    name="DeleteTrail",
    action="cloudtrail:DeleteTrail",
    unit=Unit.WRITE,
    targets=on_trail("cloudtrail:DeleteTrail"),
    handle=delete_trail,
    read_only=False,
)
START_LOGGING = Operation(
    name="StartLogging",
    action="cloudtrail:StartLogging",
    unit=Unit.WRITE,
    targets=on_trail("cloudtrail:StartLogging"),
    handle=start_logging,
    read_only=False,
    deviations=(MEANING,),
)
STOP_LOGGING = Operation(
    name="StopLogging",
    action="cloudtrail:StopLogging",
    unit=Unit.WRITE,
    targets=on_trail("cloudtrail:StopLogging"),
    handle=stop_logging,
    read_only=False,
    deviations=(MEANING,),
)
GET_TRAIL = Operation(
    name="GetTrail",
    action="cloudtrail:GetTrail",
    unit=Unit.READ,
    targets=on_trail("cloudtrail:GetTrail"),
    handle=get_trail,
)
GET_TRAIL_STATUS = Operation(
    name="GetTrailStatus",
    action="cloudtrail:GetTrailStatus",
    unit=Unit.READ,
    targets=on_trail("cloudtrail:GetTrailStatus"),
    handle=get_trail_status,
    deviations=("Times and errors of deliveries are not told.",),
)
DESCRIBE_TRAILS = Operation(
    name="DescribeTrails",
    action="cloudtrail:DescribeTrails",
    unit=Unit.READ,
    targets=on_everything("cloudtrail:DescribeTrails"),
    handle=describe_trails,
)
LIST_TRAILS = Operation(
    name="ListTrails",
    action="cloudtrail:ListTrails",
    unit=Unit.READ,
    targets=on_everything("cloudtrail:ListTrails"),
    handle=list_trails,
)
