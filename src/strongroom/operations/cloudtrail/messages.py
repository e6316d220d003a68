"""What CloudTrail says when it refuses, and where each text is from.

[reported]: as clients of the live service report it, in public threads and test suites. [model]: the model's
description of the error. Others are ours: the service's own text is not established.
"""

from __future__ import annotations

from typing import Final

# Names. [reported]
BLANK_NAME: Final = "Trail name or ARN can not be blank."
NAME_START: Final = "Trail name must starts with a letter or number."
NAME_END: Final = "Trail name must ends with a letter or number."
NAME_CHARACTERS: Final = (
    "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens "
    "(-), and underscores (_)."
)
# [model]
NAME_NEIGHBOURS: Final = "Trail names must have no adjacent periods, underscores or dashes."
NAME_ADDRESS: Final = "Trail names must not be in IP address format."
MALFORMED_ARN: Final = (
    "The trail ARN is not valid. Its format is arn:aws:cloudtrail:us-east-2:123456789012:trail/MyTrail."
)

# Settings: not established.
BUCKET_NAME: Final = "The S3 bucket name is not valid."
PREFIX: Final = "The S3 prefix may have 200 characters at most and must not begin with a slash."
NO_TOPICS: Final = "There are no SNS topics here."
NO_LOG_GROUPS: Final = "There are no CloudWatch Logs log groups here."
NO_LOG_ROLES: Final = "There are no CloudWatch Logs roles here: leave CloudWatchLogsRoleArn out."
NO_KMS: Final = "Log files are not encrypted with KMS keys here."
# [model], first sentence.
NO_ORGANIZATION: Final = (
    "This request is made from an Amazon Web Services account that is not a member of an organization."
)

# Selectors: not established.
BOTH_SELECTORS: Final = "Give either EventSelectors or AdvancedEventSelectors, and not both."
TOO_MANY_SELECTORS: Final = "A trail may have up to 5 event selectors."
NO_SELECTORS: Final = "Give at least one event selector."

# Tags.
TAG_LIMIT: Final = (
    "The number of tags per trail has exceeded the permitted amount. Currently, the limit is 50."
)
DUPLICATE_TAGS: Final = "A tag key comes more than once."
RESERVED_TAG: Final = "Tag keys that begin with aws: are reserved for system use."
TOO_MANY_RESOURCES: Final = "Give between 1 and 20 trail ARNs."

# LookupEvents: not established; after the model's descriptions.
ONE_ATTRIBUTE: Final = "Only one lookup attribute can be specified."
TIME_RANGE: Final = "The start time occurs after the end time."
MAX_RESULTS: Final = "MaxResults must be between 1 and 50."
EVENT_CATEGORY: Final = "The only event category that can be specified is insight."
INVALID_NEXT_TOKEN: Final = (
    "A token that is not valid, or a token that was previously used in a request with different parameters."
)
INVALID_TOKEN: Final = "The token is not valid."


def name_too_short(length: int) -> str:
    """[reported]"""
    return (
        "Trail name too short. Minimum allowed length: 3 characters. "
        f"Specified name length: {length} characters."
    )


def name_too_long(length: int) -> str:
    """[reported]"""
    return (
        "Trail name too long. Maximum allowed length: 128 characters. "
        f"Specified name length: {length} characters."
    )


def unknown_trail(name: str, account_id: str) -> str:
    """[reported]"""
    return f"Unknown trail: {name} for the user: {account_id}"


def trail_exists(name: str, account_id: str) -> str:
    """[reported]"""
    return f"Trail {name} already exists for customer: {account_id}"


def too_many_trails(account_id: str, region: str) -> str:
    """[reported]"""
    return f"User: {account_id} already has 5 trails in {region}."


def other_home(name: str, region: str) -> str:
    return f"The home region of the trail {name} is {region}: call the operation there."


def no_insights(arn: str) -> str:
    return f"Trail {arn} does not have Insights enabled."


def no_such_resource(arn: str) -> str:
    return f"The resource {arn} does not exist."
