"""CreateSecret, GetSecretValue, PutSecretValue and UpdateSecret over TCP.

Source: fact sheet secretsmanager sections 2, 5 and 6. Tokens and labels have files of their own.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.dialogue import (
    INVALID_NAME,
    NOT_FOUND,
    answered,
    canary,
    fresh,
    invalid,
    missing,
    refused,
    today,
)
from support.running import REGION, Server
from support.signing import Answer, json_call, send
from support.stillness import a_region, a_token, described_after_reading, everything, labels, unchanged

LIMIT = 65_536
NO_VALUE = ("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
BOTH_VALUES = (
    "InvalidParameterException",
    "You can't specify both a binary secret value and a string secret value in the same secret.",
)
NAME_IN_USE = "The operation failed because the secret {} already exists."
NO_SUCH_LABEL = "Secrets Manager can't find the specified secret value for staging label: {}"
NO_SUCH_VERSION = "Secrets Manager can't find the specified secret value for VersionId: {}"
STAGE_NOT_OF_VERSION = (
    "InvalidRequestException",
    "You provided a VersionStage that is not associated to the provided VersionId.",
)

ALL_NAME_CHARACTERS = "aZ09/_+=.@-!"


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture
def name(secrets: Any) -> str:
    made = fresh("values")
    secrets.create_secret(Name=made, SecretString="first")
    return made


def raw(server: Server, operation: str, **request: Any) -> Answer:
    return send(server, json_call(server, operation, request))


def too_long(member: str, limit: int, value: str | None = None) -> tuple[str, str]:
    shown = "Value" if value is None else f"Value '{value}'"
    return invalid(
        f"{shown} at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}"
    )


def too_short(member: str, limit: int, value: str | None = None) -> tuple[str, str]:
    shown = "Value" if value is None else f"Value '{value}'"
    return invalid(
        f"{shown} at '{member}' failed to satisfy constraint: "
        f"Member must have length greater than or equal to {limit}"
    )


def is_absent(client: Any, secret_id: str) -> bool:
    return refused(client.describe_secret, SecretId=secret_id) == NOT_FOUND


# CreateSecret and GetSecretValue


def test_a_created_secret_is_read_back_whole(secrets: Any) -> None:
    name, token, value = fresh("create"), a_token(), canary()
    before = dt.datetime.now(dt.UTC) - dt.timedelta(milliseconds=1)
    made = answered(
        secrets.create_secret,
        Name=name,
        ClientRequestToken=token,
        Description="what it is for",
        SecretString=value,
        Tags=[{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}],
    )
    arn = made["ARN"]
    assert re.fullmatch(rf"arn:aws:secretsmanager:{REGION}:\d{{12}}:secret:{name}-[A-Za-z0-9]{{6}}", arn)
    assert made == {"ARN": arn, "Name": name, "VersionId": token}

    read = answered(secrets.get_secret_value, SecretId=name)
    created = read.pop("CreatedDate")
    assert before <= created <= dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=1)
    assert read == {
        "ARN": arn,
        "Name": name,
        "VersionId": token,
        "SecretString": value,
        "VersionStages": ["AWSCURRENT"],
    }
    described = answered(secrets.describe_secret, SecretId=name)
    described.pop("LastAccessedDate", None)
    assert described == {
        "ARN": arn,
        "Name": name,
        "Description": "what it is for",
        "LastChangedDate": created,
        "CreatedDate": created,
        "Tags": [{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}],
        "VersionIdsToStages": {token: ["AWSCURRENT"]},
    }


def test_a_secret_without_a_value_has_no_version(secrets: Any) -> None:
    name = fresh("empty")
    made = answered(secrets.create_secret, Name=name)
    assert set(made) == {"ARN", "Name"}
    described = answered(secrets.describe_secret, SecretId=name)
    assert set(described) == {"ARN", "Name", "LastChangedDate", "CreatedDate"}
    assert answered(secrets.list_secret_version_ids, SecretId=name) == {
        "ARN": made["ARN"],
        "Name": name,
        "Versions": [],
    }
    with unchanged(secrets, name):
        assert refused(secrets.get_secret_value, SecretId=name) == (
            "ResourceNotFoundException",
            NO_SUCH_LABEL.format("AWSCURRENT"),
        )
        assert refused(secrets.get_secret_value, SecretId=name, VersionId="v" * 32) == (
            "ResourceNotFoundException",
            NO_SUCH_VERSION.format("v" * 32),
        )


@pytest.mark.parametrize("operation", ["put_secret_value", "update_secret"])
def test_the_first_value_of_an_empty_secret_is_current(secrets: Any, operation: str) -> None:
    name, token = fresh("empty"), a_token()
    arn = secrets.create_secret(Name=name)["ARN"]
    written = answered(
        getattr(secrets, operation), SecretId=name, SecretString="one", ClientRequestToken=token
    )
    stages = {"VersionStages": ["AWSCURRENT"]} if operation == "put_secret_value" else {}
    assert written == {"ARN": arn, "Name": name, "VersionId": token, **stages}
    assert labels(secrets, name) == {token: ["AWSCURRENT"]}


def test_binary_is_given_back_byte_for_byte(server: Server, secrets: Any) -> None:
    name, value = fresh("binary"), bytes(range(256))
    secrets.create_secret(Name=name, SecretBinary=value)
    read = answered(secrets.get_secret_value, SecretId=name)
    assert read["SecretBinary"] == value
    assert "SecretString" not in read
    assert raw(server, "GetSecretValue", SecretId=name).json["SecretBinary"].startswith("AAECAwQF")
    secrets.put_secret_value(SecretId=name, SecretString="now text")
    read = answered(secrets.get_secret_value, SecretId=name)
    assert (read["SecretString"], "SecretBinary" in read) == ("now text", False)
    assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretBinary"] == value


def test_text_is_given_back_character_for_character(secrets: Any) -> None:
    name, value = fresh("text"), '{"a": "\u00e9\U0001f511\\ \\"\t\r\n\x00\x7f</script>\u2028"}  '
    secrets.create_secret(Name=name, SecretString=value)
    assert answered(secrets.get_secret_value, SecretId=name)["SecretString"] == value


def test_dates_are_epoch_seconds_with_at_most_milliseconds(server: Server, secrets: Any, name: str) -> None:
    for operation, member in (("GetSecretValue", "CreatedDate"), ("DescribeSecret", "LastChangedDate")):
        answer = raw(server, operation, SecretId=name)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/x-amz-json-1.1"
        number = re.search(rf'"{member}":([^,}}]+)', answer.body.decode())
        assert number is not None
        assert re.fullmatch(r"\d{10}(\.\d{1,3})?", number[1]), number[1]


def test_an_empty_description_is_taken_and_not_given_back(secrets: Any) -> None:
    name = fresh("description")
    secrets.create_secret(Name=name, SecretString="x", Description="")
    assert "Description" not in answered(secrets.describe_secret, SecretId=name)
    secrets.update_secret(SecretId=name, Description="words")
    assert answered(secrets.describe_secret, SecretId=name)["Description"] == "words"
    secrets.update_secret(SecretId=name, Description="")
    assert "Description" not in answered(secrets.describe_secret, SecretId=name)


def test_reading_notes_the_day_on_the_secret_and_on_the_version(secrets: Any, name: str) -> None:
    first = secrets.describe_secret(SecretId=name)
    assert "LastAccessedDate" not in first
    (version,) = answered(secrets.list_secret_version_ids, SecretId=name)["Versions"]
    assert "LastAccessedDate" not in version
    days = {today()}
    secrets.get_secret_value(SecretId=name)
    secrets.get_secret_value(SecretId=name)
    days.add(today())
    described = described_after_reading(secrets, name)
    assert described["LastAccessedDate"] in days
    (version,) = answered(secrets.list_secret_version_ids, SecretId=name)["Versions"]
    assert version["LastAccessedDate"] in days


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"SecretString": "x", "ClientRequestToken": "t" * 32}, id="other token and value"),
        pytest.param({"SecretString": "first"}, id="other token, same value"),
        pytest.param({}, id="no value"),
    ],
)
def test_a_name_in_use_is_refused(secrets: Any, name: str, change: dict[str, Any]) -> None:
    with unchanged(secrets, name):
        assert refused(secrets.create_secret, Name=name, Description="new", **change) == (
            "ResourceExistsException",
            NAME_IN_USE.format(name),
        )


# Values that are refused


@pytest.mark.parametrize("member", [{"SecretString": ""}, {"SecretBinary": b""}], ids=["text", "binary"])
def test_an_empty_value_is_refused(unchecked: Any, name: str, member: dict[str, Any]) -> None:
    absent = fresh("absent")
    assert refused(unchecked.create_secret, Name=absent, **member) == NO_VALUE
    assert is_absent(unchecked, absent)
    with unchanged(unchecked, name):
        assert refused(unchecked.put_secret_value, SecretId=name, **member) == NO_VALUE
        assert refused(unchecked.update_secret, SecretId=name, Description="new", **member) == NO_VALUE


def test_both_kinds_of_value_are_refused(secrets: Any, name: str) -> None:
    absent, both = fresh("absent"), {"SecretString": canary(), "SecretBinary": b"x"}
    assert refused(secrets.create_secret, Name=absent, **both) == BOTH_VALUES
    assert is_absent(secrets, absent)
    with unchanged(secrets, name):
        assert refused(secrets.put_secret_value, SecretId=name, **both) == BOTH_VALUES
        assert refused(secrets.update_secret, SecretId=name, **both) == BOTH_VALUES


def test_a_put_without_a_value_is_refused(secrets: Any, name: str) -> None:
    with unchanged(secrets, name):
        assert refused(secrets.put_secret_value, SecretId=name) == NO_VALUE


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * LIMIT, id="one byte a character"),
        pytest.param("é" * (LIMIT // 2), id="two bytes"),
        pytest.param("\U0001f511" * (LIMIT // 4), id="four bytes"),
        pytest.param("\x01" * LIMIT, id="six bytes each in JSON"),
    ],
)
def test_a_value_of_the_most_bytes_is_stored(secrets: Any, value: str) -> None:
    name = fresh("size")
    secrets.create_secret(Name=name, SecretString=value)
    secrets.put_secret_value(SecretId=name, SecretString=value)
    secrets.update_secret(SecretId=name, SecretString=value)
    assert answered(secrets.get_secret_value, SecretId=name)["SecretString"] == value


def test_a_binary_value_of_the_most_bytes_is_stored(secrets: Any) -> None:
    name, value = fresh("size"), bytes(LIMIT)
    secrets.create_secret(Name=name, SecretBinary=value)
    assert answered(secrets.get_secret_value, SecretId=name)["SecretBinary"] == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"SecretString": "canary" + "x" * (LIMIT - 5)}, id="text"),
        pytest.param({"SecretString": "canary" + "é" * (LIMIT // 2 - 2)}, id="two bytes a character"),
        pytest.param({"SecretBinary": b"canary" + bytes(LIMIT - 5)}, id="binary"),
    ],
)
def test_a_value_longer_than_that_is_refused_without_repeating_it(
    secrets: Any, name: str, value: dict[str, Any]
) -> None:
    (member,) = value
    expected = too_long(member[0].lower() + member[1:], LIMIT)
    absent = fresh("absent")
    assert refused(secrets.create_secret, Name=absent, **value) == expected
    assert is_absent(secrets, absent)
    with unchanged(secrets, name):
        assert refused(secrets.put_secret_value, SecretId=name, **value) == expected
        assert refused(secrets.update_secret, SecretId=name, **value) == expected


# Members that are refused


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("Name", "n" * 513, too_long("name", 512, "n" * 256)),
        ("Name", "", too_short("name", 1, "")),
        ("Description", "d" * 2049, too_long("description", 2048, "d" * 256)),
        ("KmsKeyId", "k" * 2049, too_long("kmsKeyId", 2048, "k" * 256)),
        ("Type", "t" * 257, too_long("type", 256, "t" * 256)),
        (
            "Tags",
            [{"Key": "k" * 129, "Value": "v"}],
            too_long("tags.1.member.key", 128, "k" * 129),
        ),
    ],
    ids=["long name", "no name", "long description", "long key id", "long type", "long tag key"],
)
def test_members_out_of_bounds_are_refused(
    unchecked: Any, member: str, value: Any, expected: tuple[str, str]
) -> None:
    name = fresh("absent")
    request = {"Name": name, "SecretString": canary(), member: value}
    assert refused(unchecked.create_secret, **request) == expected
    assert is_absent(unchecked, name)


def test_the_longest_members_are_taken(secrets: Any) -> None:
    name = fresh("long") + "." + "n" * 512
    name = name[:512]
    secrets.create_secret(Name=name, SecretString="x", Description="d" * 2048)
    described = answered(secrets.describe_secret, SecretId=name)
    assert (described["Name"], described["Description"]) == (name, "d" * 2048)


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("create_secret", "name"),
        ("get_secret_value", "secretId"),
        ("put_secret_value", "secretId"),
        ("update_secret", "secretId"),
        ("describe_secret", "secretId"),
        ("list_secret_version_ids", "secretId"),
        ("delete_secret", "secretId"),
        ("restore_secret", "secretId"),
    ],
)
def test_the_name_is_required(unchecked: Any, operation: str, member: str) -> None:
    assert refused(getattr(unchecked, operation)) == missing(member)


def test_several_faults_are_told_together(unchecked: Any, name: str) -> None:
    with unchanged(unchecked, name):
        assert refused(
            unchecked.get_secret_value, SecretId=name, VersionId="short", VersionStage="s" * 257
        ) == invalid(
            "Value 'short' at 'versionId' failed to satisfy constraint: "
            "Member must have length greater than or equal to 32",
            f"Value '{'s' * 256}' at 'versionStage' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        )


def test_members_the_model_does_not_have_are_ignored(server: Server, name: str) -> None:
    assert raw(server, "GetSecretValue", SecretId=name, Colour="blue").json["SecretString"] == "first"


# Names

CALLS_BY_NAME: dict[str, Callable[[Any, str], tuple[Callable[..., Any], dict[str, Any]]]] = {
    "CreateSecret": lambda client, name: (client.create_secret, {"Name": name, "SecretString": "x"}),
    "GetSecretValue": lambda client, name: (client.get_secret_value, {"SecretId": name}),
    "BatchGetSecretValue": lambda client, name: (client.batch_get_secret_value, {"SecretIdList": [name]}),
    "PutSecretValue": lambda client, name: (client.put_secret_value, {"SecretId": name, "SecretString": "x"}),
    "UpdateSecret": lambda client, name: (client.update_secret, {"SecretId": name, "Description": "x"}),
    "UpdateSecretVersionStage": lambda client, name: (
        client.update_secret_version_stage,
        {"SecretId": name, "VersionStage": "X", "MoveToVersionId": "v" * 32},
    ),
    "DescribeSecret": lambda client, name: (client.describe_secret, {"SecretId": name}),
    "ListSecretVersionIds": lambda client, name: (client.list_secret_version_ids, {"SecretId": name}),
    "DeleteSecret": lambda client, name: (client.delete_secret, {"SecretId": name}),
    "DeleteSecret by force": lambda client, name: (
        client.delete_secret,
        {"SecretId": name, "ForceDeleteWithoutRecovery": True},
    ),
    "RestoreSecret": lambda client, name: (client.restore_secret, {"SecretId": name}),
}


@pytest.mark.parametrize("operation", CALLS_BY_NAME)
@pytest.mark.parametrize(
    "text", ["two words", "star*", "what?", "caf\u00e9", "semi;colon", "line\n", "arn:aws:s3:::bucket"]
)
def test_bad_names_are_refused_by_every_operation(secrets: Any, operation: str, text: str) -> None:
    call, request = CALLS_BY_NAME[operation](secrets, text)
    assert refused(call, **request) == INVALID_NAME


@pytest.mark.parametrize(
    "operation",
    [each for each in CALLS_BY_NAME if each not in ("CreateSecret", "BatchGetSecretValue")],
)
def test_a_secret_that_does_not_exist_is_not_found(secrets: Any, operation: str) -> None:
    name = fresh("absent")
    call, request = CALLS_BY_NAME[operation](secrets, name)
    if operation == "DeleteSecret by force":
        assert answered(call, **request)["Name"] == name
    else:
        assert refused(call, **request) == NOT_FOUND
    assert is_absent(secrets, name)


def test_a_name_may_have_every_character_allowed(secrets: Any) -> None:
    name = fresh("every") + ALL_NAME_CHARACTERS
    arn = secrets.create_secret(Name=name, SecretString="x")["ARN"]
    assert answered(secrets.get_secret_value, SecretId=name)["ARN"] == arn


def test_names_are_case_sensitive(secrets: Any) -> None:
    name = fresh("case")
    secrets.create_secret(Name=name, SecretString="lower")
    secrets.create_secret(Name=name.upper(), SecretString="upper")
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "lower"
    assert secrets.get_secret_value(SecretId=name.upper())["SecretString"] == "upper"


@pytest.mark.parametrize("operation", [each for each in CALLS_BY_NAME if each != "CreateSecret"])
def test_every_operation_takes_the_arn_whole_and_in_part(secrets: Any, operation: str) -> None:
    for short in (False, True):
        name, token = fresh("arn"), "v" * 32
        arn = secrets.create_secret(Name=name, SecretString="x", ClientRequestToken=token)["ARN"]
        secret_id = arn[:-7] if short else arn
        call, request = CALLS_BY_NAME[operation](secrets, secret_id)
        answer = answered(call, **request)
        if operation == "BatchGetSecretValue":
            (answer,) = answer["SecretValues"]
        assert (answer["ARN"], answer["Name"]) == (arn, name)


@pytest.mark.parametrize(
    ("ending", "reachable"), [("-a1b2c3", False), ("-a1b2", True), ("-a1b2c3-", True), ("-a1b2c3d", True)]
)
def test_six_characters_behind_a_hyphen_are_taken_for_the_suffix(
    secrets: Any, ending: str, reachable: bool
) -> None:
    name = fresh("trap").replace("-", ".") + ending
    arn = secrets.create_secret(Name=name, SecretString="x")["ARN"]
    partial = arn[:-7]
    assert partial.endswith(ending)
    for secret_id in (name, arn):
        assert answered(secrets.get_secret_value, SecretId=secret_id)["ARN"] == arn
    if reachable:
        assert answered(secrets.get_secret_value, SecretId=partial)["ARN"] == arn
    else:
        assert refused(secrets.get_secret_value, SecretId=partial) == NOT_FOUND


def test_the_arn_of_another_secret_of_that_name_is_not_found(secrets: Any, name: str) -> None:
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    other = arn[:-6] + ("AAAAAA" if not arn.endswith("AAAAAA") else "BBBBBB")
    assert refused(secrets.get_secret_value, SecretId=other) == NOT_FOUND
    with unchanged(secrets, name):
        assert refused(secrets.put_secret_value, SecretId=other, SecretString="x") == NOT_FOUND


def test_another_region_is_another_namespace(server: Server, secrets: Any, name: str) -> None:
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    elsewhere = server.client("secretsmanager", region=a_region())
    with unchanged(secrets, name):
        for secret_id in (name, arn, arn[:-7]):
            assert refused(elsewhere.get_secret_value, SecretId=secret_id) == NOT_FOUND
            assert refused(elsewhere.describe_secret, SecretId=secret_id) == NOT_FOUND
            assert refused(elsewhere.delete_secret, SecretId=secret_id) == NOT_FOUND
        made = answered(elsewhere.create_secret, Name=name, SecretString="there")
        assert made["ARN"] != arn
        assert made["ARN"].split(":")[3] == elsewhere.meta.region_name
    assert elsewhere.get_secret_value(SecretId=name)["SecretString"] == "there"


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
)
def test_an_arn_has_the_partition_of_its_region(server: Server, region: str, partition: str) -> None:
    client = server.client("secretsmanager", region=region)
    arn = client.create_secret(Name=fresh("partition"), SecretString="x")["ARN"]
    assert arn.startswith(f"arn:{partition}:secretsmanager:{region}:")
    assert client.get_secret_value(SecretId=arn)["ARN"] == arn
    wrong = arn.replace(f"arn:{partition}:", "arn:aws-iso:")
    assert refused(client.get_secret_value, SecretId=wrong) == INVALID_NAME


# Reading a version


def test_a_version_is_read_by_id_by_label_and_by_both(secrets: Any, name: str) -> None:
    first = secrets.get_secret_value(SecretId=name)["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="second")["VersionId"]
    third = secrets.put_secret_value(SecretId=name, SecretString="third", VersionStages=["MINE"])["VersionId"]
    wanted = {
        "first": [{"VersionId": first}, {"VersionStage": "AWSPREVIOUS"}],
        "second": [{}, {"VersionId": second}, {"VersionStage": "AWSCURRENT"}],
        "third": [{"VersionId": third}, {"VersionStage": "MINE"}],
    }
    stages = {"first": "AWSPREVIOUS", "second": "AWSCURRENT", "third": "MINE"}
    for value, ways in wanted.items():
        for way in [*ways, {**ways[-2], **ways[-1]}]:
            read = answered(secrets.get_secret_value, SecretId=name, **way)
            assert (read["SecretString"], read["VersionStages"]) == (value, [stages[value]])


def test_each_version_has_a_date_of_its_own(secrets: Any, name: str) -> None:
    secrets.put_secret_value(SecretId=name, SecretString="second")
    current = secrets.get_secret_value(SecretId=name)["CreatedDate"]
    previous = secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["CreatedDate"]
    described = secrets.describe_secret(SecretId=name)
    assert previous == described["CreatedDate"]
    assert previous < current <= described["LastChangedDate"]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        pytest.param(
            {"VersionStage": "AWSPREVIOUS"},
            ("ResourceNotFoundException", NO_SUCH_LABEL.format("AWSPREVIOUS")),
            id="label on no version",
        ),
        pytest.param(
            {"VersionStage": "AWSPENDING"},
            ("ResourceNotFoundException", NO_SUCH_LABEL.format("AWSPENDING")),
            id="pending",
        ),
        pytest.param(
            {"VersionStage": "awscurrent"},
            ("ResourceNotFoundException", NO_SUCH_LABEL.format("awscurrent")),
            id="labels are case-sensitive",
        ),
        pytest.param(
            {"VersionId": "u" * 32},
            ("ResourceNotFoundException", NO_SUCH_VERSION.format("u" * 32)),
            id="unknown version",
        ),
        pytest.param(
            {"VersionId": "u" * 32, "VersionStage": "AWSCURRENT"},
            ("ResourceNotFoundException", NO_SUCH_VERSION.format("u" * 32)),
            id="unknown version and a label",
        ),
        pytest.param({"VersionId": "v" * 31}, too_short("versionId", 32, "v" * 31), id="short version"),
        pytest.param({"VersionId": "v" * 65}, too_long("versionId", 64, "v" * 65), id="long version"),
        pytest.param({"VersionStage": ""}, too_short("versionStage", 1, ""), id="empty label"),
    ],
)
def test_versions_that_are_not_there(
    unchecked: Any, name: str, way: dict[str, str], expected: tuple[str, str]
) -> None:
    with unchanged(unchecked, name):
        assert refused(unchecked.get_secret_value, SecretId=name, **way) == expected


def test_a_label_of_another_version_is_refused(secrets: Any, name: str) -> None:
    first = secrets.get_secret_value(SecretId=name)["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="second")["VersionId"]
    with unchanged(secrets, name):
        for version, stage in ((first, "AWSCURRENT"), (second, "AWSPREVIOUS"), (first, "NONE")):
            request = {"SecretId": name, "VersionId": version, "VersionStage": stage}
            assert refused(secrets.get_secret_value, **request) == STAGE_NOT_OF_VERSION


# UpdateSecret


def test_an_update_of_the_description_makes_no_version(secrets: Any, name: str) -> None:
    before = everything(secrets, name)
    updated = answered(secrets.update_secret, SecretId=name, Description="new words")
    assert updated == {"ARN": before["description"]["ARN"], "Name": name}
    after = everything(secrets, name)
    assert after["description"].pop("Description") == "new words"
    assert after["description"].pop("LastChangedDate") > before["description"].pop("LastChangedDate")
    assert after == before


def test_an_update_of_the_value_keeps_the_description(secrets: Any) -> None:
    name, token = fresh("update"), a_token()
    secrets.create_secret(Name=name, SecretString="one", Description="words")
    updated = answered(secrets.update_secret, SecretId=name, SecretString="two", ClientRequestToken=token)
    assert updated["VersionId"] == token
    assert set(updated) == {"ARN", "Name", "VersionId"}
    assert answered(secrets.get_secret_value, SecretId=name)["SecretString"] == "two"
    assert answered(secrets.describe_secret, SecretId=name)["Description"] == "words"


def test_every_change_moves_the_date_of_the_last_change(secrets: Any, name: str) -> None:
    moments = [secrets.describe_secret(SecretId=name)["LastChangedDate"]]
    for change in (
        lambda: secrets.update_secret(SecretId=name, SecretString="second"),
        lambda: secrets.update_secret(SecretId=name, SecretString="second"),
        lambda: secrets.update_secret(SecretId=name, Description="words"),
        lambda: secrets.put_secret_value(SecretId=name, SecretString="third"),
        lambda: secrets.tag_resource(SecretId=name, Tags=[{"Key": "k", "Value": "v"}]),
    ):
        change()
        moments.append(secrets.describe_secret(SecretId=name)["LastChangedDate"])
    assert moments == sorted(set(moments))


def test_an_update_without_changes_changes_nothing(secrets: Any, name: str) -> None:
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    with unchanged(secrets, name):
        assert answered(secrets.update_secret, SecretId=name) == {"ARN": arn, "Name": name}


def test_the_type_is_kept_and_shown(secrets: Any) -> None:
    name = fresh("type")
    secrets.create_secret(Name=name, SecretString="x", Type="SomePartner")
    assert answered(secrets.describe_secret, SecretId=name)["Type"] == "SomePartner"
    secrets.update_secret(SecretId=name, Type="OtherPartner")
    assert answered(secrets.describe_secret, SecretId=name)["Type"] == "OtherPartner"


# What is told of values


def test_values_are_in_no_log_and_no_error(server: Server, secrets: Any) -> None:
    name, value, other = fresh("quiet"), canary(), canary()
    secrets.create_secret(Name=name, SecretString=value, ClientRequestToken="t" * 32)
    _, text = refused(
        secrets.put_secret_value, SecretId=name, SecretString=other, ClientRequestToken="t" * 32
    )
    assert value not in text
    assert other not in text
    broken = json.dumps({"SecretId": name, "SecretString": other})[:-1].encode()
    answer = send(server, json_call(server, "PutSecretValue", broken))
    assert answer.error == (400, "SerializationException", "The request body is not valid JSON.")
    assert value not in server.log()
    assert other not in server.log()
