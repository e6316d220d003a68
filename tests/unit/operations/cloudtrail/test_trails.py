"""Trails are kept, found and changed as CloudTrail's are; what would never be done is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest

from strongroom.audit.digest import DigestChain
from strongroom.errors import (
    AccessDeniedException,
    CloudTrailARNInvalidException,
    InsightNotEnabledException,
    InsufficientEncryptionPolicyException,
    InvalidCloudWatchLogsLogGroupArnException,
    InvalidCloudWatchLogsRoleArnException,
    InvalidEventSelectorsException,
    InvalidHomeRegionException,
    InvalidS3BucketNameException,
    InvalidS3PrefixException,
    InvalidSnsTopicNameException,
    InvalidTagParameterException,
    InvalidTimeRangeException,
    InvalidTokenException,
    InvalidTrailNameException,
    MaximumNumberOfTrailsExceededException,
    OrganizationsNotInUseException,
    ResourceNotFoundException,
    ServiceError,
    TagsLimitExceededException,
    TrailAlreadyExistsException,
    TrailNotFoundException,
)
from strongroom.operations.call import Operation
from strongroom.operations.cloudtrail.public_keys import LIST_PUBLIC_KEYS
from strongroom.operations.cloudtrail.selectors import (
    GET_EVENT_SELECTORS,
    GET_INSIGHT_SELECTORS,
    PUT_EVENT_SELECTORS,
)
from strongroom.operations.cloudtrail.tags import ADD_TAGS, LIST_TAGS, REMOVE_TAGS
from strongroom.operations.cloudtrail.trails import (
    CREATE_TRAIL,
    DELETE_TRAIL,
    DESCRIBE_TRAILS,
    GET_TRAIL,
    GET_TRAIL_STATUS,
    LIST_TRAILS,
    START_LOGGING,
    STOP_LOGGING,
    UPDATE_TRAIL,
)
from strongroom.ports import DIGEST_CHAINS
from support.secret_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION, root
from support.trail_room import TrailRoom

ELSEWHERE = "us-east-1"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
SETTINGS = {
    "Name": "main",
    "S3BucketName": "logs",
    "IncludeGlobalServiceEvents": True,
    "IsMultiRegionTrail": False,
    "TrailARN": ARN,
    "LogFileValidationEnabled": False,
    "IsOrganizationTrail": False,
}
DESCRIBED = {
    **SETTINGS,
    "HomeRegion": REGION,
    "HasCustomEventSelectors": False,
    "HasInsightSelectors": False,
}
DEFAULT_SELECTOR = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}


@pytest.fixture
def room() -> TrailRoom:
    return TrailRoom()


def create(room: TrailRoom, name: str = "main", region: str = REGION, **members: Any) -> Any:
    return room.ask(CREATE_TRAIL, {"Name": name, "S3BucketName": "logs", **members}, region=region)


def refusal(error: type[ServiceError], room: TrailRoom, operation: Operation, request: Any, **o: Any) -> str:
    """Return what a refused call says; the room is as it was."""
    before = dict(room.records)
    with pytest.raises(error) as refused:
        room.ask(operation, request, **o)
    assert type(refused.value) is error
    assert room.records == before
    return refused.value.message


def test_a_trail_is_made_described_changed_and_deleted(room: TrailRoom) -> None:
    assert create(room) == SETTINGS
    assert room.ask(DESCRIBE_TRAILS) == {"trailList": [DESCRIBED]}
    assert room.ask(GET_TRAIL, {"Name": "main"}) == room.ask(GET_TRAIL, {"Name": ARN}) == {"Trail": DESCRIBED}
    changed = room.ask(
        UPDATE_TRAIL,
        {"Name": ARN, "S3BucketName": "more-logs", "S3KeyPrefix": "a/b", "EnableLogFileValidation": True},
    )
    assert changed == {
        **SETTINGS,
        "S3BucketName": "more-logs",
        "S3KeyPrefix": "a/b",
        "LogFileValidationEnabled": True,
    }
    assert room.ask(UPDATE_TRAIL, {"Name": "main", "S3KeyPrefix": ""})["S3BucketName"] == "more-logs"
    assert "S3KeyPrefix" not in room.ask(GET_TRAIL, {"Name": "main"})["Trail"]
    assert room.ask(LIST_TRAILS) == {"Trails": [{"TrailARN": ARN, "Name": "main", "HomeRegion": REGION}]}
    assert room.ask(DELETE_TRAIL, {"Name": "main"}) == {}
    assert room.ask(DESCRIBE_TRAILS) == {"trailList": []}


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        (GET_TRAIL, "Name"),
        (GET_TRAIL_STATUS, "Name"),
        (UPDATE_TRAIL, "Name"),
        (DELETE_TRAIL, "Name"),
        (START_LOGGING, "Name"),
        (STOP_LOGGING, "Name"),
        (GET_EVENT_SELECTORS, "TrailName"),
        (PUT_EVENT_SELECTORS, "TrailName"),
        (GET_INSIGHT_SELECTORS, "TrailName"),
    ],
    ids=lambda each: each.name if isinstance(each, Operation) else each,
)
def test_a_trail_that_is_not_there_is_unknown_by_what_it_was_called(
    room: TrailRoom, operation: Operation, member: str
) -> None:
    message = refusal(TrailNotFoundException, room, operation, {member: "absent"})
    assert message == f"Unknown trail: absent for the user: {ACCOUNT}"
    message = refusal(TrailNotFoundException, room, operation, {member: ARN})
    assert message == f"Unknown trail: {ARN} for the user: {ACCOUNT}"
    malformed = f"arn:aws:s3:{REGION}:{ACCOUNT}:trail/main"
    message = refusal(CloudTrailARNInvalidException, room, operation, {member: malformed})
    assert message == (
        "The trail ARN is not valid. Its format is arn:aws:cloudtrail:us-east-2:123456789012:trail/MyTrail."
    )


def test_another_accounts_trail_is_as_good_as_absent(room: TrailRoom) -> None:
    create(room)
    other = root(OTHER_ACCOUNT)
    assert refusal(TrailNotFoundException, room, GET_TRAIL, {"Name": ARN}, principal=other) == (
        f"Unknown trail: {ARN} for the user: {OTHER_ACCOUNT}"
    )
    assert room.ask(LIST_TRAILS, principal=other) == {"Trails": []}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Trail name or ARN can not be blank."),
        (
            "ab",
            "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 2 characters.",
        ),
        (
            "a" * 129,
            "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 "
            "characters.",
        ),
        ("-abc", "Trail name must starts with a letter or number."),
        ("abc-", "Trail name must ends with a letter or number."),
        (
            "a b",
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), "
            "hyphens (-), and underscores (_).",
        ),
        ("my-_trail", "Trail names must have no adjacent periods, underscores or dashes."),
        ("192.168.5.4", "Trail names must not be in IP address format."),
    ],
)
def test_a_name_that_no_trail_may_have_is_refused(room: TrailRoom, name: str, message: str) -> None:
    request = {"Name": name, "S3BucketName": "logs"}
    assert refusal(InvalidTrailNameException, room, CREATE_TRAIL, request) == message
    assert refusal(InvalidTrailNameException, room, GET_TRAIL, {"Name": name}) == message


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ({"S3BucketName": "Logs"}, InvalidS3BucketNameException, "The S3 bucket name is not valid."),
        ({"S3BucketName": "lo..gs"}, InvalidS3BucketNameException, "The S3 bucket name is not valid."),
        (
            {"S3KeyPrefix": "p" * 201},
            InvalidS3PrefixException,
            "The S3 prefix may have 200 characters at most and must not begin with a slash.",
        ),
        ({"SnsTopicName": "topic"}, InvalidSnsTopicNameException, "There are no SNS topics here."),
        (
            {"CloudWatchLogsLogGroupArn": "arn:aws:logs:::log-group:g"},
            InvalidCloudWatchLogsLogGroupArnException,
            "There are no CloudWatch Logs log groups here.",
        ),
        (
            {"CloudWatchLogsRoleArn": "arn:aws:iam::111122223333:role/logs"},
            InvalidCloudWatchLogsRoleArnException,
            "There are no CloudWatch Logs roles here: leave CloudWatchLogsRoleArn out.",
        ),
        (
            {"KmsKeyId": "alias/logs"},
            InsufficientEncryptionPolicyException,
            "Log files are not encrypted with KMS keys here.",
        ),
        (
            {"IsOrganizationTrail": True},
            OrganizationsNotInUseException,
            "This request is made from an Amazon Web Services account that is not a member of an "
            "organization.",
        ),
    ],
)
def test_what_would_be_kept_and_never_be_done_is_refused(
    room: TrailRoom, members: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    request = {"Name": "other", "S3BucketName": "logs", **members}
    assert refusal(error, room, CREATE_TRAIL, request) == message
    create(room)
    assert refusal(error, room, UPDATE_TRAIL, {"Name": "main", **members}) == message


def test_a_name_is_taken_once_in_a_region_and_once_everywhere_by_a_trail_of_all_regions(
    room: TrailRoom,
) -> None:
    create(room)
    exists = f"Trail main already exists for customer: {ACCOUNT}"
    again = {"Name": "main", "S3BucketName": "logs"}
    assert refusal(TrailAlreadyExistsException, room, CREATE_TRAIL, again) == exists
    assert create(room, region=ELSEWHERE)["TrailARN"] == ARN.replace(REGION, ELSEWHERE)
    everywhere = {"Name": "main", "IsMultiRegionTrail": True}
    assert refusal(TrailAlreadyExistsException, room, UPDATE_TRAIL, everywhere) == exists
    create(room, "all", IsMultiRegionTrail=True)
    assert refusal(
        TrailAlreadyExistsException, room, CREATE_TRAIL, {**again, "Name": "all"}, region=ELSEWHERE
    ) == exists.replace("main", "all")


def test_a_trail_of_all_regions_is_seen_in_each_and_changed_at_home(room: TrailRoom) -> None:
    create(room, IsMultiRegionTrail=True)
    (shadow,) = room.ask(DESCRIBE_TRAILS, region=ELSEWHERE)["trailList"]
    assert (shadow["TrailARN"], shadow["HomeRegion"]) == (ARN, REGION)
    assert room.ask(DESCRIBE_TRAILS, {"includeShadowTrails": False}, region=ELSEWHERE)["trailList"] == []
    assert room.ask(DESCRIBE_TRAILS, {"trailNameList": ["main", ARN, "absent"]}, region=ELSEWHERE) == {
        "trailList": [shadow]
    }
    for operation in (UPDATE_TRAIL, DELETE_TRAIL, START_LOGGING, STOP_LOGGING):
        message = refusal(InvalidHomeRegionException, room, operation, {"Name": "main"}, region=ELSEWHERE)
        assert message == f"The home region of the trail main is {REGION}: call the operation there."


def test_a_region_has_five_trails_at_most(room: TrailRoom) -> None:
    for number in range(5):
        create(room, f"trail{number}")
    message = refusal(
        MaximumNumberOfTrailsExceededException,
        room,
        CREATE_TRAIL,
        {"Name": "one-more", "S3BucketName": "logs"},
    )
    assert message == f"User: {ACCOUNT} already has 5 trails in {REGION}."
    create(room, "one-more", region=ELSEWHERE)


def test_logging_starts_and_stops_and_the_status_says_when(room: TrailRoom) -> None:
    create(room)
    status = room.ask(GET_TRAIL_STATUS, {"Name": "main"})
    assert (status["IsLogging"], status["TimeLoggingStarted"]) == (False, "")
    later, latest = NOON + dt.timedelta(hours=1), NOON + dt.timedelta(hours=2)
    room.ask(START_LOGGING, {"Name": "main"}, now=later)
    room.ask(START_LOGGING, {"Name": ARN}, now=latest)
    status = room.ask(GET_TRAIL_STATUS, {"Name": "main"})
    assert (status["IsLogging"], status["StartLoggingTime"]) == (True, later)
    assert status["TimeLoggingStarted"] == "2026-01-01T13:00:00Z"
    room.ask(STOP_LOGGING, {"Name": "main"}, now=latest)
    status = room.ask(GET_TRAIL_STATUS, {"Name": "main"})
    assert (status["IsLogging"], status["StopLoggingTime"]) == (False, latest)


def test_selectors_are_kept_and_the_default_is_aws_s(room: TrailRoom) -> None:
    create(room)
    assert room.ask(GET_EVENT_SELECTORS, {"TrailName": "main"}) == {
        "TrailARN": ARN,
        "EventSelectors": [DEFAULT_SELECTOR],
    }
    plain = [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
    put = room.ask(PUT_EVENT_SELECTORS, {"TrailName": "main", "EventSelectors": plain})
    assert put == {"TrailARN": ARN, "EventSelectors": [{**DEFAULT_SELECTOR, **plain[0]}]}
    assert room.ask(GET_TRAIL, {"Name": "main"})["Trail"]["HasCustomEventSelectors"] is True
    advanced = [{"Name": "all", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    put = room.ask(PUT_EVENT_SELECTORS, {"TrailName": ARN, "AdvancedEventSelectors": advanced})
    assert put == {"TrailARN": ARN, "AdvancedEventSelectors": advanced}
    assert room.ask(GET_EVENT_SELECTORS, {"TrailName": "main"}) == put


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "Give at least one event selector."),
        ({"EventSelectors": [{}] * 6}, "A trail may have up to 5 event selectors."),
        (
            {"EventSelectors": [{}], "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "readOnly"}]}]},
            "Give either EventSelectors or AdvancedEventSelectors, and not both.",
        ),
    ],
)
def test_selectors_that_make_no_sense_are_refused(
    room: TrailRoom, members: dict[str, Any], message: str
) -> None:
    create(room)
    request = {"TrailName": "main", **members}
    assert refusal(InvalidEventSelectorsException, room, PUT_EVENT_SELECTORS, request) == message


def test_no_trail_has_insights(room: TrailRoom) -> None:
    create(room)
    assert refusal(InsightNotEnabledException, room, GET_INSIGHT_SELECTORS, {"TrailName": "main"}) == (
        f"Trail {ARN} does not have Insights enabled."
    )


def tags_of(room: TrailRoom) -> dict[str, str]:
    (listed,) = room.ask(LIST_TAGS, {"ResourceIdList": [ARN]})["ResourceTagList"]
    assert listed["ResourceId"] == ARN
    return {tag["Key"]: tag["Value"] for tag in listed["TagsList"]}


def test_tags_are_set_replaced_listed_and_taken_away_by_key(room: TrailRoom) -> None:
    create(room, TagsList=[{"Key": "team", "Value": "a"}, {"Key": "stage"}])
    assert tags_of(room) == {"stage": "", "team": "a"}
    room.ask(ADD_TAGS, {"ResourceId": ARN, "TagsList": [{"Key": "team", "Value": "b"}, {"Key": "x"}]})
    room.ask(REMOVE_TAGS, {"ResourceId": ARN, "TagsList": [{"Key": "stage", "Value": "whatever"}]})
    assert tags_of(room) == {"team": "b", "x": ""}


@pytest.mark.parametrize(
    ("tags", "error", "message"),
    [
        ([{"Key": "a"}, {"Key": "a"}], InvalidTagParameterException, "A tag key comes more than once."),
        (
            [{"Key": "AWS:a"}],
            InvalidTagParameterException,
            "Tag keys that begin with aws: are reserved for system use.",
        ),
        (
            [{"Key": f"key{number}"} for number in range(50)],
            TagsLimitExceededException,
            "The number of tags per trail has exceeded the permitted amount. Currently, the limit is 50.",
        ),
    ],
)
def test_tags_that_may_not_be_are_refused(
    room: TrailRoom, tags: list[dict[str, str]], error: type[ServiceError], message: str
) -> None:
    create(room, TagsList=[{"Key": "present"}])
    assert refusal(error, room, ADD_TAGS, {"ResourceId": ARN, "TagsList": tags}) == message


def test_tags_of_what_is_no_trail_are_refused(room: TrailRoom) -> None:
    absent = f"The resource {ARN} does not exist."
    assert refusal(ResourceNotFoundException, room, LIST_TAGS, {"ResourceIdList": [ARN]}) == absent
    for operation in (ADD_TAGS, REMOVE_TAGS):
        request = {"ResourceId": ARN, "TagsList": [{"Key": "a"}]}
        assert refusal(ResourceNotFoundException, room, operation, request) == absent
        by_name = {**request, "ResourceId": "main"}
        assert refusal(CloudTrailARNInvalidException, room, operation, by_name).startswith(
            "The trail ARN is not valid."
        )
    for ids in ([], [ARN] * 21):
        assert refusal(CloudTrailARNInvalidException, room, LIST_TAGS, {"ResourceIdList": ids}) == (
            "Give between 1 and 20 trail ARNs."
        )


def test_public_keys_are_those_of_the_digests_of_the_account_in_the_region(room: TrailRoom) -> None:
    assert room.ask(LIST_PUBLIC_KEYS) == {"PublicKeyList": []}
    for account, region in ((ACCOUNT, REGION), (ACCOUNT, ELSEWHERE), (OTHER_ACCOUNT, REGION)):
        chain = DigestChain(
            account_id=account,
            region=region,
            created_at=NOON,
            public_key=f"{account} {region}".encode(),
            sealed=b"",
            start=NOON,
            trail="strongroom",
            home_region=region,
        )
        room.save(DIGEST_CHAINS, chain)
    own = f"{ACCOUNT} {REGION}".encode()
    key = {
        "Value": own,
        "ValidityStartTime": NOON,
        "ValidityEndTime": NOON + dt.timedelta(days=3650),
        "Fingerprint": hashlib.sha256(own).hexdigest()[:32],
    }
    assert room.ask(LIST_PUBLIC_KEYS) == {"PublicKeyList": [key]}
    assert room.ask(LIST_PUBLIC_KEYS, {"StartTime": NOON.timestamp(), "EndTime": NOON.timestamp()}) == {
        "PublicKeyList": [key]
    }
    before, after = ((NOON + dt.timedelta(days=each)).timestamp() for each in (-1, 3651))
    assert room.ask(LIST_PUBLIC_KEYS, {"EndTime": before}) == {"PublicKeyList": []}
    assert room.ask(LIST_PUBLIC_KEYS, {"StartTime": after}) == {"PublicKeyList": []}


def test_public_keys_are_asked_for_by_times_in_order_and_on_one_page(room: TrailRoom) -> None:
    backwards = {"StartTime": 1_700_000_001, "EndTime": 1_700_000_000}
    assert refusal(InvalidTimeRangeException, room, LIST_PUBLIC_KEYS, backwards) == (
        "The start time occurs after the end time."
    )
    assert refusal(InvalidTokenException, room, LIST_PUBLIC_KEYS, {"NextToken": "a"}) == (
        "The token is not valid."
    )


def test_policies_are_asked_about_the_trail_and_its_tags(room: TrailRoom) -> None:
    create(room, TagsList=[{"Key": "team", "Value": "a"}])
    create(room, "other")
    stopper = room.user(
        "stopper",
        {
            "Effect": "Allow",
            "Action": "cloudtrail:*",
            "Resource": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}},
        },
    )
    assert room.ask(STOP_LOGGING, {"Name": "main"}, principal=stopper) == {}
    other = ARN.replace("main", "other")
    message = refusal(AccessDeniedException, room, STOP_LOGGING, {"Name": "other"}, principal=stopper)
    assert message == (
        f"User: {stopper.arn} is not authorized to perform: cloudtrail:StopLogging on resource: {other} because "
        "no identity-based policy allows the cloudtrail:StopLogging action"
    )
