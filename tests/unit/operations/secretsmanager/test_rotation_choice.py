"""What RotateSecret says of a value that nothing here can rotate by, or whose superuser secret it cannot use.

Whatever is refused here would fail later, when nobody is looking.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from strongroom.errors import (
    InvalidRequestException,
    ResourceExistsException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import AWSCURRENT
from strongroom.operations.secretsmanager.lifecycle import DELETE_SECRET
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.operations.secretsmanager.rotation_choice import NO_SUPERUSER, SUPERUSER_MARKED
from strongroom.operations.secretsmanager.values import PUT_SECRET_VALUE
from strongroom.operations.secretsmanager.versions import UPDATE_SECRET_VERSION_STAGE
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.runs import Outcome
from support.key_room import ACCOUNT, REGION
from support.rotation_room import FUNCTION, RotationRoom

ROTATE: dict[str, Any] = {"SecretId": "db", "ClientRequestToken": "a" * 32}
NO_ROTATOR = (
    "No Lambda rotation function ARN is associated with this secret. The engine in the secret's JSON is none "
    "that this server rotates without a function; those are target."
)
ADMIN = json.dumps({"username": "admin", "password": "root"})


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


def refused(room: RotationRoom, kind: type[ServiceError], request: dict[str, Any] = ROTATE) -> str:
    """Return the message of a RotateSecret that is refused and changes nothing."""
    before = room.unit.state()
    with pytest.raises(kind) as raised:
        room.run(ROTATE_SECRET, request)
    assert type(raised.value) is kind
    assert room.unit.state() == before
    return raised.value.message


@pytest.mark.parametrize("engine", ["other", "Target", "", 7, ["target"]])
def test_an_unknown_engine_is_told_with_those_there_are(room: RotationRoom, engine: object) -> None:
    room.add_secret("db", [json.dumps({"engine": engine, "host": "h", "username": "u", "password": "p"})])
    assert refused(room, InvalidRequestException) == NO_ROTATOR


def test_a_function_rotates_what_names_an_engine_of_its_own(room: RotationRoom) -> None:
    room.add_function()
    room.add_secret("db", ['{"engine": "other"}'])
    room.run(ROTATE_SECRET, {**ROTATE, "RotationLambdaARN": FUNCTION})
    assert refused(room, InvalidRequestException, {**ROTATE, "ClientRequestToken": "b" * 32}) == (
        "A previous rotation isn't complete. That rotation will be reattempted."
    )


@pytest.mark.parametrize(
    "named",
    [
        "absent",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:absent-AbCdEf",
        f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:admin-AbCdEf",
        "arn:aws:iam::111122223333:role/admin",
        "no name at all",
    ],
)
def test_a_superuser_secret_that_is_not_there_is_told_apart_from_the_secret(
    room: RotationRoom, named: str
) -> None:
    room.add_secret("admin", [ADMIN])
    room.add_rotated(masterarn=named)
    assert refused(room, ResourceNotFoundException) == NO_SUPERUSER


@pytest.mark.parametrize("named", [["admin"], {"arn": "admin"}, True, 1.5])
def test_a_superuser_secret_has_to_be_named_by_a_text(room: RotationRoom, named: Any) -> None:
    room.add_secret("admin", [ADMIN])
    room.add_rotated(masterarn=named)
    assert refused(room, InvalidRequestException) == (
        "Secrets Manager can't rotate this secret: masterarn in the secret JSON must be a text."
    )


def test_a_number_names_a_superuser_secret_here_and_when_it_is_used(room: RotationRoom) -> None:
    room.add_secret("5", [ADMIN])
    secret = room.add_rotated(masterarn=5)  # type: ignore[arg-type]  # JSON may hold anything
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    assert room.document(secret.arn)["username"] == "bob_clone"


def test_a_superuser_secret_that_is_marked_for_deletion_is_not_used(room: RotationRoom) -> None:
    admin = room.add_secret("admin", [ADMIN])
    room.add_rotated(masterarn=admin.arn)
    room.run(DELETE_SECRET, {"SecretId": "admin"})
    assert refused(room, InvalidRequestException) == SUPERUSER_MARKED


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no JSON", "the secret's value is no valid JSON"),
        (None, "GetSecretValue was refused: InvalidRequestException: You can't perform this operation"),
    ],
)
def test_what_is_wrong_with_a_superuser_secret_later_is_said_of_it(
    room: RotationRoom, value: str | None, why: str
) -> None:
    admin = room.add_secret("admin", [ADMIN])
    secret = room.add_rotated(masterarn=admin.arn)
    room.run(ROTATE_SECRET, ROTATE)
    if value is None:
        room.run(DELETE_SECRET, {"SecretId": "admin"})
    else:
        written = {"SecretId": "admin", "ClientRequestToken": "c" * 32, "SecretString": value}
        room.run(PUT_SECRET_VALUE, written)
    room.work()
    assert room.history(secret.arn)[0].message.startswith(f"the superuser secret {admin.arn}: {why}")


GARBAGE: dict[str, Any] = {"SecretId": "db", "ClientRequestToken": "c" * 32, "VersionStages": ["AWSPENDING"]}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"SecretString": "garbage"}, "the version being made: the secret's value is no valid JSON"),
        ({"SecretString": "[]"}, "the version being made: the secret's value must be a JSON object"),
        (
            {"SecretBinary": b"x"},
            "the version being made: the secret is binary; rotation needs a JSON object",
        ),
    ],
)
def test_what_was_put_under_awspending_by_hand_is_met_by_the_schedule(
    room: RotationRoom, written: dict[str, Any], why: str
) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, {**ROTATE, "RotationRules": {"AutomaticallyAfterDays": 1}})
    room.work()
    room.run(PUT_SECRET_VALUE, {**GARBAGE, **written})
    assert refused(room, InvalidRequestException, {**ROTATE, "ClientRequestToken": "d" * 32}) == (
        "A previous rotation isn't complete. That rotation will be reattempted."
    )
    current = room.labels(secret.arn)[AWSCURRENT]
    room.clock.pass_(days=2)
    room.work()
    record = room.history(secret.arn)[-1]
    assert (record.version_id, record.outcome, record.kind) == ("c" * 32, Outcome.FAILED, "secret")
    assert record.message.startswith(why)
    assert room.labels(secret.arn)[AWSCURRENT] == current


def test_the_token_of_a_rotation_that_was_given_up_is_not_taken_for_one_that_goes_on(
    room: RotationRoom,
) -> None:
    room.add_rotated()
    room.rotator.refused["set"] = RotationFault(FaultKind.TARGET, "stuck")
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    assert room.run(ROTATE_SECRET, ROTATE)["VersionId"] == ROTATE["ClientRequestToken"]
    room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    assert refused(room, InvalidRequestException) == (
        "A previous rotation isn't complete. That rotation will be reattempted."
    )
    label = {"VersionStage": "AWSPENDING", "RemoveFromVersionId": ROTATE["ClientRequestToken"]}
    room.run(UPDATE_SECRET_VERSION_STAGE, {"SecretId": "db", **label})
    assert refused(room, ResourceExistsException).startswith(
        f"You can't use ClientRequestToken {ROTATE['ClientRequestToken']} because that value is already in use"
    )
