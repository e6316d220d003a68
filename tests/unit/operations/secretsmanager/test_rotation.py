"""RotateSecret and CancelRotateSecret. Source: fact sheet rotation sections 1 to 5."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import AWSCURRENT, AWSPENDING, Arn
from strongroom.operations.call import Operation
from strongroom.operations.secretsmanager.replication import REPLICATE_SECRET_TO_REGIONS
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.ports import FUNCTIONS, account_region
from strongroom.secret.records import Rotation, RotationRules
from support.key_room import ACCOUNT, NOON, REGION, allow, deny
from support.replica_room import PARIS, version_id
from support.rotation_room import RotationRoom

FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:rotate"
TOKEN = "a" * 32
END_OF_JANUARY = dt.datetime(2026, 1, 31, 23, 59, 59, tzinfo=dt.UTC)
FIRST = {
    "SecretId": "db",
    "ClientRequestToken": TOKEN,
    "RotationLambdaARN": FUNCTION,
    "RotationRules": {"AutomaticallyAfterDays": 30},
}
ON = Rotation(
    enabled=True,
    function_arn=Arn(FUNCTION),
    rules=RotationRules(automatically_after_days=30),
    next_rotation_at=END_OF_JANUARY,
)
OFF = Rotation(enabled=False, function_arn=Arn(FUNCTION), rules=RotationRules(automatically_after_days=30))


@pytest.fixture
def room() -> RotationRoom:
    made = RotationRoom()
    made.add_function(FUNCTION)
    return made


def refused(
    room: RotationRoom, kind: type[ServiceError], operation: Operation, request: dict[str, Any], **how: Any
) -> str:
    """Return the message of a call that is refused and changes nothing."""
    before = room.unit.state()
    with pytest.raises(kind) as raised:
        room.run(operation, request, **how)
    assert type(raised.value) is kind
    assert room.unit.state() == before
    return raised.value.message


def without(request: dict[str, Any], *members: str) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in members}


def test_configuration_is_kept_and_scheduled_and_a_rotation_begun(room: RotationRoom) -> None:
    secret = room.add_secret()
    answer = room.run(ROTATE_SECRET, FIRST)
    assert answer == {"ARN": secret.arn, "Name": "db", "VersionId": TOKEN}
    after = room.secret(secret.arn)
    assert after.rotation == ON
    assert after.last_changed_at > secret.last_changed_at
    assert after.labels == {**secret.labels, AWSPENDING: TOKEN}
    assert room.values(secret.arn) == {version_id(1): "first"}, "a stub has no value"
    assert [(each.secret_arn, each.due_at) for each in room.due()] == [(secret.arn, NOON)]
    assert room.events() == ["RotationStarted"]
    event = room.last_event("RotationStarted")
    assert event["requestID"] == f"Rotation-{secret.arn}-{TOKEN}"
    assert event["additionalEventData"] == {"SecretId": secret.arn}


def test_without_a_rotation_now_the_configuration_is_tested(room: RotationRoom) -> None:
    secret = room.add_secret()
    room.run(ROTATE_SECRET, {**FIRST, "RotateImmediately": False})
    after = room.secret(secret.arn)
    assert after.rotation == ON
    assert after.labels == {**secret.labels, AWSPENDING: TOKEN}
    assert room.values(secret.arn) == {version_id(1): "first", TOKEN: "first"}
    assert room.events() == ["TestRotationStarted"]


def test_a_secret_without_a_value_has_nothing_to_test(room: RotationRoom) -> None:
    secret = room.add_secret(values=[])
    room.run(ROTATE_SECRET, {**FIRST, "RotateImmediately": False})
    assert room.secret(secret.arn).rotation == ON
    assert room.labels(secret.arn) == {}
    assert room.events() == []


def test_rotate_without_configuration_uses_what_is_stored(room: RotationRoom) -> None:
    secret = room.add_secret(rotation=OFF)
    room.run(ROTATE_SECRET, {"SecretId": "db", "ClientRequestToken": TOKEN})
    assert room.secret(secret.arn).rotation == ON


def test_the_same_token_again_answers_alike_and_changes_nothing(room: RotationRoom) -> None:
    room.add_secret()
    first = room.run(ROTATE_SECRET, FIRST)
    before = room.unit.state()
    assert room.run(ROTATE_SECRET, FIRST) == first
    assert room.unit.state() == before


def test_a_token_of_a_version_there_is_already_is_refused(room: RotationRoom) -> None:
    secret = room.add_secret()
    request = {**FIRST, "ClientRequestToken": version_id(1)}
    assert refused(room, ResourceExistsException, ROTATE_SECRET, request) == (
        f"You can't use ClientRequestToken {version_id(1)} because that value is already in use for a version "
        f"of secret {secret.arn}."
    )


@pytest.mark.parametrize("case", ["no function", "another service's function"])
def test_a_function_that_cannot_be_invoked_is_refused_and_nothing_stored(
    room: RotationRoom, case: str
) -> None:
    room.add_secret()
    request = {**FIRST, "RotationLambdaARN": f"{FUNCTION}-other"}
    if case != "no function":
        room.add_function(f"{FUNCTION}-other", principal="s3.amazonaws.com")
    assert refused(room, AccessDeniedException, ROTATE_SECRET, request) == (
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
        "access to the principal secretsmanager.amazonaws.com."
    )


@pytest.mark.parametrize("secret_there", [True, False], ids=["a secret", "no secret"])
def test_a_missing_token_is_refused_before_the_secret_is_looked_at(
    room: RotationRoom, secret_there: bool
) -> None:
    if secret_there:
        room.add_secret()
    message = refused(room, InvalidParameterException, ROTATE_SECRET, without(FIRST, "ClientRequestToken"))
    assert message == "You must provide a ClientRequestToken value. We recommend a UUID-type value."


@pytest.mark.parametrize("length", [31, 65])
def test_a_token_of_a_wrong_length_is_refused(room: RotationRoom, length: int) -> None:
    room.add_secret()
    request = {**FIRST, "ClientRequestToken": "a" * length}
    assert refused(room, InvalidParameterException, ROTATE_SECRET, request) == (
        "ClientRequestToken must be 32-64 characters long."
    )


def test_no_function_is_refused_and_nothing_stored(room: RotationRoom) -> None:
    room.add_secret()
    message = refused(room, InvalidRequestException, ROTATE_SECRET, without(FIRST, "RotationLambdaARN"))
    assert message == "No Lambda rotation function ARN is associated with this secret."


def test_bad_rules_are_refused_and_nothing_stored(room: RotationRoom) -> None:
    room.add_secret(rotation=ON)
    request = {**FIRST, "RotationRules": {"ScheduleExpression": "cron(0 * * * ? *)"}}
    assert refused(room, InvalidParameterException, ROTATE_SECRET, request) == (
        "The ScheduleExpression 'cron(0 * * * ? *)' is not valid: the hours are one hour from 0 to 23, or an "
        "increment such as 2/10 or /8."
    )


def test_an_incomplete_rotation_blocks_until_its_label_goes(room: RotationRoom) -> None:
    labels = {AWSCURRENT: version_id(1), AWSPENDING: version_id(7)}
    secret = room.add_secret(rotation=ON, labels=labels)
    request = {"SecretId": "db", "ClientRequestToken": TOKEN}
    assert refused(room, InvalidRequestException, ROTATE_SECRET, request) == (
        "A previous rotation isn't complete. That rotation will be reattempted."
    )
    room.change(secret.arn, labels={AWSCURRENT: version_id(1)})
    assert room.run(ROTATE_SECRET, request)["VersionId"] == TOKEN


def test_cancel_turns_rotation_off_and_keeps_the_rest(room: RotationRoom) -> None:
    secret = room.add_secret(rotation=ON)
    answer = room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    assert answer == {"ARN": secret.arn, "Name": "db"}
    after = room.secret(secret.arn)
    assert after.rotation == OFF
    assert after.last_changed_at > secret.last_changed_at
    before = room.unit.state()
    assert room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"}) == answer
    assert room.unit.state() == before


def test_cancel_names_the_half_made_version_and_leaves_its_label(room: RotationRoom) -> None:
    labels = {AWSCURRENT: version_id(1), AWSPENDING: version_id(7)}
    secret = room.add_secret(rotation=ON, labels=labels)
    answer = room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    assert answer == {"ARN": secret.arn, "Name": "db", "VersionId": version_id(7)}
    assert room.labels(secret.arn) == labels


def test_cancel_of_what_was_never_configured_is_refused(room: RotationRoom) -> None:
    room.add_secret()
    assert refused(room, InvalidRequestException, CANCEL_ROTATE_SECRET, {"SecretId": "db"}) == (
        "You can't cancel rotation for this secret because rotation has never been configured for it."
    )


@pytest.mark.parametrize(
    ("operation", "request_members"),
    [(ROTATE_SECRET, FIRST), (CANCEL_ROTATE_SECRET, {"SecretId": "db"})],
    ids=["rotate", "cancel"],
)
def test_missing_marked_and_replica_secrets_are_refused(
    room: RotationRoom, operation: Operation, request_members: dict[str, Any]
) -> None:
    assert refused(room, ResourceNotFoundException, operation, request_members) == (
        "Secrets Manager can't find the specified secret."
    )
    room.add_secret("marked", rotation=ON, deleted_at=NOON, deletion_at=NOON)
    request = {**request_members, "SecretId": "marked"}
    assert refused(room, InvalidRequestException, operation, request) == (
        "You can't perform this operation on the secret because it was marked for deletion."
    )
    room.add_secret(rotation=ON)
    room.run(REPLICATE_SECRET_TO_REGIONS, {"SecretId": "db", "AddReplicaRegions": [{"Region": PARIS}]})
    assert refused(room, InvalidRequestException, operation, request_members, region=PARIS) == (
        "Operation not permitted on a replica secret. Call must be made in primary secret's region."
    )


def test_configuration_reaches_the_replicas(room: RotationRoom) -> None:
    secret = room.add_secret()
    room.run(REPLICATE_SECRET_TO_REGIONS, {"SecretId": "db", "AddReplicaRegions": [{"Region": PARIS}]})
    room.run(ROTATE_SECRET, FIRST)
    in_paris = secret.arn.replace("eu-central-1", PARIS)
    assert room.secret(in_paris).rotation == ON
    room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    assert room.secret(in_paris).rotation == OFF


def test_the_caller_needs_to_invoke_the_function_named_or_stored(room: RotationRoom) -> None:
    secret = room.add_secret()
    ann = room.user("ann", allow("secretsmanager:RotateSecret"))
    stored = {"SecretId": "db", "ClientRequestToken": TOKEN}
    expected = f"is not authorized to perform: lambda:InvokeFunction on resource: {FUNCTION}"
    assert expected in refused(room, AccessDeniedException, ROTATE_SECRET, FIRST, principal=ann)
    room.run(ROTATE_SECRET, {**FIRST, "ClientRequestToken": "b" * 32})
    assert expected in refused(room, AccessDeniedException, ROTATE_SECRET, stored, principal=ann)
    room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    room.change(secret.arn, labels={AWSCURRENT: version_id(1)})
    invoke = allow("lambda:InvokeFunction", resource=FUNCTION)
    bob = room.user("bob", allow("secretsmanager:RotateSecret"), invoke)
    assert room.run(ROTATE_SECRET, stored, principal=bob)["VersionId"] == TOKEN
    carl = room.user("carl", invoke)
    message = refused(room, AccessDeniedException, ROTATE_SECRET, stored, principal=carl)
    assert "is not authorized to perform: secretsmanager:RotateSecret on resource: " in message


def test_tags_of_the_function_decide_whether_a_caller_may_have_it_invoked(room: RotationRoom) -> None:
    room.add_secret()
    function = room.unit.find(FUNCTIONS, account_region(ACCOUNT, REGION), "rotate")
    assert function is not None
    room.unit.save(FUNCTIONS, replace(function, tags={"stage": "prod"}))
    tagged = {"StringEquals": {"aws:ResourceTag/stage": "prod"}}
    ann = room.user("ann", allow("*"), deny("lambda:InvokeFunction", Condition=tagged))
    message = refused(room, AccessDeniedException, ROTATE_SECRET, FIRST, principal=ann)
    assert message.endswith(
        f"lambda:InvokeFunction on resource: {FUNCTION} with an explicit deny in an identity-based policy"
    )
    room.unit.save(FUNCTIONS, function)
    assert room.run(ROTATE_SECRET, FIRST, principal=ann)["VersionId"] == TOKEN


def test_a_function_of_another_account_has_to_let_the_caller_in(room: RotationRoom) -> None:
    secret = room.add_secret()
    elsewhere = FUNCTION.replace("111122223333", "444455556666")
    room.add_function(elsewhere)
    ann = room.user("ann", allow("secretsmanager:*"), allow("lambda:InvokeFunction", resource=elsewhere))
    request = {**FIRST, "RotationLambdaARN": elsewhere}
    message = refused(room, AccessDeniedException, ROTATE_SECRET, request, principal=ann)
    assert message.endswith(f"to perform: lambda:InvokeFunction on resource: {elsewhere}")
    room.admit(Arn(elsewhere), "secretsmanager.amazonaws.com", ann.arn)
    room.run(ROTATE_SECRET, request, principal=ann)
    rotation = room.secret(secret.arn).rotation
    assert rotation is not None
    assert rotation.function_arn == elsewhere


def test_cancel_needs_its_own_action(room: RotationRoom) -> None:
    room.add_secret(rotation=ON)
    ann = room.user("ann", allow("secretsmanager:RotateSecret"))
    request = {"SecretId": "db"}
    message = refused(room, AccessDeniedException, CANCEL_ROTATE_SECRET, request, principal=ann)
    assert "is not authorized to perform: secretsmanager:CancelRotateSecret on resource: " in message
    bob = room.user("bob", allow("secretsmanager:CancelRotateSecret"))
    assert room.run(CANCEL_ROTATE_SECRET, request, principal=bob)["Name"] == "db"


@pytest.mark.parametrize(
    ("condition", "request_members"),
    [
        ({"Bool": {"secretsmanager:RotateImmediately": "true"}}, {}),
        ({"Bool": {"secretsmanager:ModifyRotationRules": "true"}}, {"RotateImmediately": False}),
        ({"ArnEquals": {"secretsmanager:RotationLambdaARN": FUNCTION}}, {"RotateImmediately": False}),
        (
            {"ArnLike": {"secretsmanager:ExternalSecretRotationRoleArn": "arn:aws:iam::*:role/r"}},
            {"ExternalSecretRotationRoleArn": "arn:aws:iam::111122223333:role/r"},
        ),
    ],
    ids=["RotateImmediately by default", "ModifyRotationRules", "RotationLambdaARN", "ExternalSecretRole"],
)
def test_policies_can_look_at_what_is_asked(
    room: RotationRoom, condition: dict[str, Any], request_members: dict[str, Any]
) -> None:
    room.add_secret()
    ann = room.user(
        "ann",
        allow("secretsmanager:*", "lambda:*"),
        deny("secretsmanager:RotateSecret", Condition=condition),
    )
    request = {**FIRST, **request_members}
    message = refused(room, AccessDeniedException, ROTATE_SECRET, request, principal=ann)
    assert "is not authorized to perform: secretsmanager:RotateSecret on resource: " in message


def test_what_is_not_asked_does_not_meet_those_conditions(room: RotationRoom) -> None:
    room.add_secret(rotation=OFF)
    conditions = [
        {"Bool": {"secretsmanager:RotateImmediately": "true"}},
        {"Bool": {"secretsmanager:ModifyRotationRules": "true"}},
        {"ArnLike": {"secretsmanager:RotationLambdaARN": "*"}},
    ]
    denials = [deny("secretsmanager:RotateSecret", Condition=each) for each in conditions]
    ann = room.user("ann", allow("secretsmanager:*", "lambda:*"), *denials)
    request = {"SecretId": "db", "ClientRequestToken": TOKEN, "RotateImmediately": False}
    assert room.run(ROTATE_SECRET, request, principal=ann)["VersionId"] == TOKEN
