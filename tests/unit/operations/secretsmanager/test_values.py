"""Creating, reading, writing and updating values, with the real key hierarchy."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    ResourceNotFoundException,
    ServiceError,
    ValidationException,
)
from strongroom.operations.secretsmanager import messages
from strongroom.operations.secretsmanager.lifecycle import DELETE_SECRET
from strongroom.operations.secretsmanager.reading import (
    BATCH_GET_SECRET_VALUE,
    GET_SECRET_VALUE,
    IDS_XOR_FILTERS,
    MAX_WITHOUT_FILTERS,
)
from strongroom.operations.secretsmanager.values import (
    CREATE_SECRET,
    PUT_SECRET_VALUE,
    UPDATE_SECRET,
)
from strongroom.operations.secretsmanager.versions import LIST_SECRET_VERSION_IDS, prunable
from support.key_room import ACCOUNT, NOON, REGION, allow
from support.replica_room import ReplicaRoom, version_id

T1, T2, T3 = version_id(1), version_id(2), version_id(3)
CANARY = "canary-value-5d1c"


@pytest.fixture
def room() -> ReplicaRoom:
    return ReplicaRoom()


def create(room: ReplicaRoom, name: str = "prod/db", **more: Any) -> Any:
    request = {"Name": name, "ClientRequestToken": T1, "SecretString": CANARY, **more}
    return room.run(CREATE_SECRET, request)


def get(room: ReplicaRoom, **more: Any) -> Any:
    return room.run(GET_SECRET_VALUE, {"SecretId": "prod/db", **more})


def refusal_of(error: type[ServiceError], room: ReplicaRoom, operation: Any, request: dict[str, Any]) -> str:
    """Return the message; a refused call leaves the store as it was."""
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request)
    assert room.unit.state() == before
    assert CANARY not in caught.value.message
    return caught.value.message


def test_what_is_created_can_be_read_by_name_arn_and_partial_arn(room: ReplicaRoom) -> None:
    created = create(room)
    assert set(created) == {"ARN", "Name", "VersionId"}
    arn = created["ARN"]
    assert arn.startswith(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-")
    for secret_id in ("prod/db", arn, arn[:-7]):
        answer = room.run(GET_SECRET_VALUE, {"SecretId": secret_id})
        assert answer == {
            "ARN": arn,
            "Name": "prod/db",
            "VersionId": T1,
            "SecretString": CANARY,
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": NOON,
        }


def test_a_new_secret_and_its_first_version_have_one_date(room: ReplicaRoom) -> None:
    secret = room.secret(create(room)["ARN"])
    (version,) = room.unit.versions(secret.arn)
    assert secret.last_changed_at == secret.created_at == version.created_at


def test_no_stored_byte_shows_the_value(room: ReplicaRoom) -> None:
    create(room)
    assert CANARY not in repr(room.unit.state())


def test_creating_again_with_the_same_token_and_value_answers_alike(room: ReplicaRoom) -> None:
    first = create(room)
    before = room.unit.state()
    assert create(room) == first
    assert room.unit.state() == before


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"ClientRequestToken": T2}, ResourceExistsException, messages.name_in_use("prod/db")),
        ({"SecretString": "other"}, ResourceExistsException, "because that value is already in use"),
        ({"ClientRequestToken": None}, InvalidRequestException, messages.NO_TOKEN),
        ({"ClientRequestToken": "short"}, InvalidParameterException, messages.TOKEN_LENGTH),
        ({"SecretString": ""}, InvalidRequestException, messages.NO_VALUE),
        ({"SecretBinary": b"x"}, InvalidParameterException, messages.BOTH_VALUES),
        ({"Name": "a b"}, ValidationException, "Invalid name."),
    ],
)
def test_creations_that_are_refused(
    room: ReplicaRoom, change: dict[str, Any], error: type[ServiceError], text: str
) -> None:
    create(room)
    request = {"Name": "prod/db", "ClientRequestToken": T1, "SecretString": CANARY, **change}
    request = {name: value for name, value in request.items() if value is not None}
    assert text in refusal_of(error, room, CREATE_SECRET, request)


def test_a_secret_without_a_value_has_no_version(room: ReplicaRoom) -> None:
    answer = room.run(CREATE_SECRET, {"Name": "prod/db", "ClientRequestToken": T1})
    assert set(answer) == {"ARN", "Name"}
    text = refusal_of(ResourceNotFoundException, room, GET_SECRET_VALUE, {"SecretId": "prod/db"})
    assert text == messages.no_value_for_label("AWSCURRENT")


def test_put_moves_awscurrent_and_keeps_the_old_value_as_previous(room: ReplicaRoom) -> None:
    create(room)
    put = {"SecretId": "prod/db", "ClientRequestToken": T2, "SecretBinary": b"\x00new"}
    answer = room.run(PUT_SECRET_VALUE, put)
    assert (answer["VersionId"], answer["VersionStages"]) == (T2, ["AWSCURRENT"])
    assert get(room)["SecretBinary"] == b"\x00new"
    assert get(room, VersionStage="AWSPREVIOUS")["SecretString"] == CANARY
    assert get(room, VersionId=T1)["SecretString"] == CANARY
    assert room.run(PUT_SECRET_VALUE, put) == answer


@pytest.mark.parametrize(
    ("request_members", "error", "text"),
    [
        ({"VersionStage": "NOPE"}, ResourceNotFoundException, messages.no_value_for_label("NOPE")),
        ({"VersionId": T3}, ResourceNotFoundException, messages.no_value_for_version(T3)),
        (
            {"VersionId": T1, "VersionStage": "AWSPREVIOUS"},
            InvalidRequestException,
            messages.STAGE_NOT_OF_VERSION,
        ),
        ({"SecretId": "absent"}, ResourceNotFoundException, messages.SECRET_NOT_FOUND),
    ],
)
def test_reads_that_are_refused(
    room: ReplicaRoom, request_members: dict[str, Any], error: type[ServiceError], text: str
) -> None:
    create(room)
    assert refusal_of(error, room, GET_SECRET_VALUE, {"SecretId": "prod/db", **request_members}) == text


def test_puts_that_are_refused(room: ReplicaRoom) -> None:
    create(room)
    put = {"SecretId": "prod/db", "ClientRequestToken": T1, "SecretString": "other"}
    text = refusal_of(ResourceExistsException, room, PUT_SECRET_VALUE, put)
    assert text == messages.token_in_use(T1, get(room)["ARN"])
    empty = {"SecretId": "prod/db", "ClientRequestToken": T2}
    assert refusal_of(InvalidRequestException, room, PUT_SECRET_VALUE, empty) == messages.NO_VALUE


def test_a_marked_secret_gives_no_value_and_takes_none(room: ReplicaRoom) -> None:
    create(room)
    room.run(DELETE_SECRET, {"SecretId": "prod/db"})
    put = {"SecretId": "prod/db", "ClientRequestToken": T2, "SecretString": "x"}
    for operation, request in (
        (GET_SECRET_VALUE, {"SecretId": "prod/db"}),
        (PUT_SECRET_VALUE, put),
        (UPDATE_SECRET, put),
    ):
        text = refusal_of(InvalidRequestException, room, operation, request)
        assert text == messages.MARKED_FOR_DELETION
    again = {"Name": "prod/db", "ClientRequestToken": T1, "SecretString": CANARY}
    text = refusal_of(InvalidRequestException, room, CREATE_SECRET, again)
    assert text == messages.NAME_MARKED_FOR_DELETION


def test_update_answers_a_version_only_if_one_was_made(room: ReplicaRoom) -> None:
    arn = create(room)["ARN"]
    described = room.run(
        UPDATE_SECRET, {"SecretId": "prod/db", "ClientRequestToken": T2, "Description": "new"}
    )
    assert described == {"ARN": arn, "Name": "prod/db"}
    assert room.secret(arn).description == "new"
    valued = {"SecretId": "prod/db", "ClientRequestToken": T2, "SecretString": "two"}
    assert room.run(UPDATE_SECRET, valued)["VersionId"] == T2
    assert room.run(UPDATE_SECRET, valued)["VersionId"] == T2
    assert get(room)["SecretString"] == "two"


def test_the_default_key_is_none_of_the_secrets_own_by_whatever_name_it_is_sent(room: ReplicaRoom) -> None:
    arn = create(room, KmsKeyId="alias/aws/secretsmanager")["ARN"]
    assert room.secret(arn).kms_key_id is None
    (version,) = room.unit.versions(arn)
    customer = room.add_key()
    update = {"SecretId": "prod/db", "ClientRequestToken": T2}
    room.run(UPDATE_SECRET, {**update, "KmsKeyId": customer.arn})
    assert room.secret(arn).kms_key_id == customer.arn
    for name in (version.kms_key_arn, "alias/aws/secretsmanager", ""):
        room.run(UPDATE_SECRET, {**update, "KmsKeyId": customer.arn})
        room.run(UPDATE_SECRET, {**update, "KmsKeyId": name})
        assert room.secret(arn).kms_key_id is None
    assert room.unit.versions(arn)[0].default_key


def test_a_user_without_policies_reads_nothing(room: ReplicaRoom) -> None:
    create(room)
    nobody = room.user("nobody")
    for name in ("prod/db", "absent"):
        with pytest.raises(AccessDeniedException) as refusal:
            room.run(GET_SECRET_VALUE, {"SecretId": name}, principal=nobody)
        assert refusal.value.message == (
            f"User: {nobody.arn} is not authorized to perform: secretsmanager:GetSecretValue on resource: "
            f"{name} because no identity-based policy allows the secretsmanager:GetSecretValue action"
        )


def test_a_batch_answers_each_secret_for_itself(room: ReplicaRoom) -> None:
    create(room)
    answer = room.run(BATCH_GET_SECRET_VALUE, {"SecretIdList": ["prod/db", "absent"]})
    assert [each["SecretString"] for each in answer["SecretValues"]] == [CANARY]
    assert answer["Errors"] == [
        {
            "SecretId": "absent",
            "ErrorCode": "ResourceNotFoundException",
            "Message": messages.SECRET_NOT_FOUND,
        }
    ]


def test_a_batch_answers_in_the_order_it_was_asked(room: ReplicaRoom) -> None:
    arns = {name: create(room, name)["ARN"] for name in ("a", "b", "c")}
    reader = room.user(
        "reader",
        allow("secretsmanager:BatchGetSecretValue"),
        *(allow("secretsmanager:GetSecretValue", resource=arns[name]) for name in ("a", "c")),
    )
    ids = ["c", "none", "b", "a", "b", "c"]
    answer = room.run(BATCH_GET_SECRET_VALUE, {"SecretIdList": ids}, principal=reader)
    assert [each["Name"] for each in answer["SecretValues"]] == ["c", "a", "c"]
    assert [each["SecretId"] for each in answer["Errors"]] == ["none", "b", "b"]


def test_a_batch_by_filters_is_paged(room: ReplicaRoom) -> None:
    for name in ("prod/a", "prod/b", "test/c"):
        create(room, name)
    request: dict[str, Any] = {"Filters": [{"Key": "name", "Values": ["prod/"]}], "MaxResults": 1}
    first = room.run(BATCH_GET_SECRET_VALUE, request)
    second = room.run(BATCH_GET_SECRET_VALUE, {**request, "NextToken": first["NextToken"]})
    names = [each["Name"] for page in (first, second) for each in page["SecretValues"]]
    assert sorted(names) == ["prod/a", "prod/b"]
    assert "NextToken" not in second


@pytest.mark.parametrize(
    ("request_members", "text"),
    [
        ({}, IDS_XOR_FILTERS),
        ({"SecretIdList": ["a"], "Filters": []}, IDS_XOR_FILTERS),
        ({"SecretIdList": ["a"], "MaxResults": 2}, MAX_WITHOUT_FILTERS),
    ],
)
def test_batches_that_are_refused(room: ReplicaRoom, request_members: dict[str, Any], text: str) -> None:
    assert refusal_of(InvalidParameterException, room, BATCH_GET_SECRET_VALUE, request_members) == text


def test_versions_are_listed_and_deprecated_ones_on_demand(room: ReplicaRoom) -> None:
    create(room)
    for token in (T2, T3):
        put = {"SecretId": "prod/db", "ClientRequestToken": token, "SecretString": token}
        room.run(PUT_SECRET_VALUE, put)
    listed = room.run(LIST_SECRET_VERSION_IDS, {"SecretId": "prod/db"})
    assert [each["VersionId"] for each in listed["Versions"]] == [T2, T3]
    assert all(each["KmsKeyIds"] == ["DefaultEncryptionKey"] for each in listed["Versions"])
    every = {"SecretId": "prod/db", "IncludeDeprecated": True, "MaxResults": 2}
    first = room.run(LIST_SECRET_VERSION_IDS, every)
    rest = room.run(LIST_SECRET_VERSION_IDS, {**every, "NextToken": first["NextToken"]})
    assert [each["VersionId"] for each in first["Versions"] + rest["Versions"]] == [T1, T2, T3]


def test_only_old_surplus_versions_without_a_label_are_prunable(room: ReplicaRoom) -> None:
    secret = room.add_secret(values=[str(number) for number in range(103)])
    versions = room.unit.versions(secret.arn)
    assert prunable(secret, versions, versions[0].created_at) == []
    later = versions[-1].created_at + dt.timedelta(hours=24)
    assert prunable(secret, versions, later) == [each.version_id for each in versions[:3]]
