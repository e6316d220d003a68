from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import InvalidParameterException, InvalidRequestException, ServiceError
from strongroom.names import AWSCURRENT, AWSPENDING, AccountId, Arn, Region, VersionId
from strongroom.secret.document import SecretDocument
from strongroom.secret.records import Rotation, RotationRules, Secret
from strongroom.secret.rotation import (
    admin_use,
    cancelled,
    configured,
    is_function_arn,
    next_date,
    parse_rules,
    pending_version,
    rescheduled,
)

NOW = dt.datetime(2026, 2, 3, 17, 40, tzinfo=dt.UTC)
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:rotate"
OTHER_FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:other:live"
ROLE = "arn:aws:iam::111122223333:role/partner/rotation"
V1, V2 = VersionId("1" * 32), VersionId("2" * 32)
MONTHLY = RotationRules(automatically_after_days=30)
SECRET = Secret(
    arn=Arn("arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf"),
    account_id=AccountId("111122223333"),
    region=Region("eu-central-1"),
    name="db",
    created_at=NOW,
    last_changed_at=NOW,
    labels={AWSCURRENT: V1},
)
ROTATING = replace(
    SECRET,
    rotation=Rotation(
        enabled=True,
        function_arn=Arn(FUNCTION),
        rules=MONTHLY,
        last_rotated_at=dt.datetime(2026, 1, 20, tzinfo=dt.UTC),
        next_rotation_at=dt.datetime(2026, 2, 19, 23, 59, 59, tzinfo=dt.UTC),
    ),
)


def refusal(kind: type[ServiceError], secret: Secret, request: dict[str, Any]) -> str:
    with pytest.raises(kind) as refused:
        configured(secret, request, NOW)
    assert type(refused.value) is kind
    return refused.value.message


def test_a_first_configuration_is_on_and_scheduled_to_the_end_of_its_day() -> None:
    request = {"RotationLambdaARN": FUNCTION, "RotationRules": {"AutomaticallyAfterDays": 30}}
    assert configured(SECRET, request, NOW) == Rotation(
        enabled=True,
        function_arn=Arn(FUNCTION),
        rules=MONTHLY,
        next_rotation_at=dt.datetime(2026, 3, 5, 23, 59, 59, tzinfo=dt.UTC),
    )


def test_a_function_without_rules_is_kept_without_a_next_date() -> None:
    rotation = configured(SECRET, {"RotationLambdaARN": FUNCTION}, NOW)
    assert (rotation.enabled, rotation.rules, rotation.next_rotation_at) == (True, None, None)


def test_what_a_request_names_replaces_what_is_stored_and_the_rest_stays() -> None:
    kept = configured(ROTATING, {}, NOW)
    assert kept.rules == MONTHLY
    assert kept.function_arn == FUNCTION
    assert kept.last_rotated_at == dt.datetime(2026, 1, 20, tzinfo=dt.UTC)
    assert kept.next_rotation_at == dt.datetime(2026, 3, 5, 23, 59, 59, tzinfo=dt.UTC)
    request = {
        "RotationLambdaARN": OTHER_FUNCTION,
        "RotationRules": {"ScheduleExpression": "cron(0 18 ? * SAT *)", "Duration": "2h"},
    }
    changed = configured(ROTATING, request, NOW)
    assert changed.function_arn == OTHER_FUNCTION
    assert changed.rules == RotationRules(
        automatically_after_days=7, duration="2h", schedule_expression="cron(0 18 ? * SAT *)"
    )
    assert changed.next_rotation_at == dt.datetime(2026, 2, 7, 19, 59, 59, tzinfo=dt.UTC)


def test_an_empty_function_arn_counts_as_none() -> None:
    assert configured(ROTATING, {"RotationLambdaARN": ""}, NOW).function_arn == FUNCTION
    message = refusal(InvalidRequestException, SECRET, {"RotationLambdaARN": ""})
    assert message == "No Lambda rotation function ARN is associated with this secret."


def test_no_function_named_or_stored_is_refused_with_the_recorded_text() -> None:
    request = {"RotationRules": {"AutomaticallyAfterDays": 1}}
    assert refusal(InvalidRequestException, SECRET, request) == (
        "No Lambda rotation function ARN is associated with this secret."
    )


def test_an_incomplete_rotation_blocks_the_next() -> None:
    stuck = replace(ROTATING, labels={AWSCURRENT: V1, AWSPENDING: V2})
    assert pending_version(stuck) == V2
    assert refusal(InvalidRequestException, stuck, {}) == (
        "A previous rotation isn't complete. That rotation will be reattempted."
    )


def test_pending_on_the_current_version_does_not_block() -> None:
    done = replace(ROTATING, labels={AWSCURRENT: V1, AWSPENDING: V1})
    assert pending_version(done) is None
    assert configured(done, {}, NOW).enabled


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"AutomaticallyAfterDays": 3, "ScheduleExpression": "rate(3 days)"},
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules. "
            "Choose one.",
        ),
        ({}, "RotationRules must contain AutomaticallyAfterDays or ScheduleExpression."),
        ({"Duration": "3h"}, "RotationRules must contain AutomaticallyAfterDays or ScheduleExpression."),
        (
            {"AutomaticallyAfterDays": 0},
            "AutomaticallyAfterDays must be between 1 and 1000 (inclusive).",
        ),
        (
            {"AutomaticallyAfterDays": 1001},
            "AutomaticallyAfterDays must be between 1 and 1000 (inclusive).",
        ),
        (
            {"ScheduleExpression": "rate(3 hours)"},
            "The ScheduleExpression 'rate(3 hours)' is not valid: the rate must be at least 4 hours.",
        ),
        (
            {"AutomaticallyAfterDays": 1, "Duration": "25h"},
            "The Duration '25h' is not valid: windows open 24 hours apart, and a window must not extend into "
            "the next one.",
        ),
    ],
)
def test_bad_rules_are_refused(rules: dict[str, Any], message: str) -> None:
    request = {"RotationLambdaARN": FUNCTION, "RotationRules": rules}
    assert refusal(InvalidParameterException, ROTATING, request) == message


@pytest.mark.parametrize(
    "arn",
    [
        "rotate",
        "arn:aws:lambda:eu-central-1:111122223333:layer:rotate",
        "arn:aws:lambda:eu-central-1:111122223333:function:",
        "arn:aws:lambda:eu-central-1:1111:function:rotate",
        "arn:aws:lambda::111122223333:function:rotate",
        "arn:aws:sqs:eu-central-1:111122223333:function:rotate",
        "arn:aws:lambda:eu-central-1:111122223333:function:a b",
    ],
)
def test_something_that_is_no_function_arn_is_refused(arn: str) -> None:
    assert not is_function_arn(arn)
    message = refusal(InvalidParameterException, ROTATING, {"RotationLambdaARN": arn})
    assert message == f"The RotationLambdaARN {arn!r} is not the ARN of a Lambda function."


@pytest.mark.parametrize(
    "arn",
    [FUNCTION, OTHER_FUNCTION, FUNCTION + ":$LATEST", "arn:aws-cn:lambda:cn-north-1:444455556666:function:r"],
)
def test_functions_of_any_account_and_region_are_taken(arn: str) -> None:
    assert is_function_arn(arn)
    assert configured(SECRET, {"RotationLambdaARN": arn}, NOW).function_arn == arn


def test_a_managed_external_secret_keeps_metadata_and_role_and_needs_no_function() -> None:
    external = replace(SECRET, type="SalesforceClientSecret")
    request = {
        "ExternalSecretRotationMetadata": [{"Key": "apiVersion", "Value": "v65.0"}],
        "ExternalSecretRotationRoleArn": ROLE,
    }
    rotation = configured(external, request, NOW)
    assert rotation.external_metadata == (("apiVersion", "v65.0"),)
    assert rotation.external_role_arn == ROLE
    assert rotation.function_arn is None
    again = configured(replace(external, rotation=rotation), {}, NOW)
    assert again.external_metadata == rotation.external_metadata
    assert again.external_role_arn == ROLE


@pytest.mark.parametrize(
    ("request_members", "message"),
    [
        (
            {"RotationLambdaARN": FUNCTION},
            "You can't specify RotationLambdaARN for a secret that uses managed rotation. "
            "Omit RotationLambdaARN.",
        ),
        (
            {"ExternalSecretRotationMetadata": [{"Key": "apiVersion"}]},
            "Every item of ExternalSecretRotationMetadata must have a Key and a Value.",
        ),
        (
            {"ExternalSecretRotationRoleArn": "arn:aws:iam::111122223333:user/ann"},
            "The ExternalSecretRotationRoleArn 'arn:aws:iam::111122223333:user/ann' is not the ARN of an "
            "IAM role.",
        ),
    ],
)
def test_what_does_not_fit_a_managed_external_secret_is_refused(
    request_members: dict[str, Any], message: str
) -> None:
    external = replace(SECRET, type="SalesforceClientSecret")
    assert refusal(InvalidParameterException, external, request_members) == message


@pytest.mark.parametrize(
    "request_members",
    [
        {"ExternalSecretRotationMetadata": [{"Key": "a", "Value": "b"}]},
        {"ExternalSecretRotationRoleArn": ROLE},
    ],
)
def test_external_settings_are_refused_on_other_secrets(request_members: dict[str, Any]) -> None:
    assert refusal(InvalidParameterException, ROTATING, request_members) == (
        "You can specify ExternalSecretRotationMetadata and ExternalSecretRotationRoleArn only for a managed "
        "external secret."
    )


def test_a_secret_another_service_manages_needs_rules_only() -> None:
    managed = replace(SECRET, owning_service="rds")
    rotation = configured(managed, {"RotationRules": {"AutomaticallyAfterDays": 7}}, NOW)
    assert (rotation.enabled, rotation.function_arn) == (True, None)


def test_cancelling_keeps_the_configuration_and_drops_the_date() -> None:
    assert ROTATING.rotation is not None
    assert cancelled(ROTATING.rotation) == replace(ROTATING.rotation, enabled=False, next_rotation_at=None)


def test_cancelling_what_was_never_configured_is_refused() -> None:
    with pytest.raises(InvalidRequestException) as refused:
        cancelled(None)
    assert refused.value.message == (
        "You can't cancel rotation for this secret because rotation has never been configured for it."
    )


def test_rotate_after_cancel_is_on_again_with_the_stored_rules() -> None:
    off = replace(ROTATING, rotation=cancelled(ROTATING.rotation))
    assert configured(off, {}, NOW) == configured(ROTATING, {}, NOW)


def test_a_changed_value_moves_the_next_date_and_not_the_last() -> None:
    moved = rescheduled(ROTATING.rotation, NOW)
    assert moved is not None
    assert ROTATING.rotation is not None
    assert moved.next_rotation_at == dt.datetime(2026, 3, 5, 23, 59, 59, tzinfo=dt.UTC)
    assert moved.last_rotated_at == ROTATING.rotation.last_rotated_at


def test_a_changed_value_schedules_nothing_where_rotation_is_off() -> None:
    off = cancelled(ROTATING.rotation)
    assert rescheduled(off, NOW) is off
    assert rescheduled(None, NOW) is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"AutomaticallyAfterDays": 30}, dt.datetime(2026, 3, 5, 23, 59, 59, tzinfo=dt.UTC)),
        ({"AutomaticallyAfterDays": 30, "Duration": "3h"}, dt.datetime(2026, 3, 5, 2, 59, 59, tzinfo=dt.UTC)),
        ({"ScheduleExpression": "rate(12 hours)"}, dt.datetime(2026, 2, 4, 0, 59, 59, tzinfo=dt.UTC)),
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, dt.datetime(2026, 3, 1, 23, 59, 59, tzinfo=dt.UTC)),
    ],
)
def test_stored_rules_give_the_next_date(asked: dict[str, Any], expected: dt.datetime) -> None:
    assert next_date(parse_rules(asked), NOW) == expected


TARGET = {"masterarn": "arn:admin", "engine": "postgres", "host": "db", "username": "app", "password": "x"}


@pytest.mark.parametrize(
    "field",
    [
        "masterarn", "engine", "host", "port", "url", "ssl", "sslrootcert", "ca",
        "username", "dbname", "commonName", "subjectAltNames", "validDays",
    ],
)  # fmt: skip
def test_a_superuser_secret_is_approved_for_one_target_and_for_whom_it_trusts(field: str) -> None:
    approved = admin_use("arn:app", SecretDocument(TARGET))
    assert approved is not None
    assert admin_use("arn:app", SecretDocument({**TARGET, field: "another"})) != approved
    assert admin_use("arn:another", SecretDocument(TARGET)) != approved


@pytest.mark.parametrize("name", ["app_clone", "APP_CLONE", "uid=app_clone,ou=people", "a_clone_app_clone"])
def test_the_approval_is_for_a_pair_of_users(name: str) -> None:
    first = name.replace("app_clone", "app").replace("APP_CLONE", "APP")
    approved = admin_use("arn:app", SecretDocument({**TARGET, "username": first}))
    assert admin_use("arn:app", SecretDocument({**TARGET, "username": name})) == approved
    assert admin_use("arn:app", SecretDocument({**TARGET, "username": f"x{name}"})) != approved


def test_the_approval_outlives_rotations() -> None:
    rotated = SecretDocument({**TARGET, "username": "app_clone", "password": "y"})
    assert admin_use("arn:app", rotated) == admin_use("arn:app", SecretDocument(TARGET))


def test_without_a_superuser_secret_there_is_nothing_to_approve() -> None:
    assert admin_use("arn:app", SecretDocument({"engine": "postgres"})) is None
