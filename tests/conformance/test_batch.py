"""BatchGetSecretValue over TCP. Source: fact sheet secretsmanager section 6."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.dialogue import (
    INVALID_NAME,
    NOT_FOUND,
    a_person,
    allow,
    answered,
    canary,
    denied,
    deny,
    fresh,
    invalid,
    refused,
    today,
)
from support.running import Server
from support.signing import json_call, send
from support.stillness import a_region, described_after_reading, unchanged

IDS_XOR_FILTERS = (
    "InvalidParameterException",
    "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
)
MAX_WITHOUT_FILTERS = (
    "InvalidParameterException",
    "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
)
BAD_TOKEN = ("InvalidNextTokenException", "The NextToken value is invalid.")
GET = "secretsmanager:GetSecretValue"
BATCH = "secretsmanager:BatchGetSecretValue"
LIST = "secretsmanager:ListSecrets"


@pytest.fixture
def region() -> str:
    return a_region()


@pytest.fixture
def client(server: Server, region: str) -> Iterator[Any]:
    """A client of a region nothing was stored in, that leaves the checking to the server."""
    made = server.client("secretsmanager", region=region, parameter_validation=False)
    yield made
    made.close()


@pytest.fixture
def add(client: Any) -> Callable[..., dict[str, Any]]:
    """Creates a secret, and returns what a batch has to say of it."""

    def make(name: str, **more: Any) -> dict[str, Any]:
        request: dict[str, Any] = {"Name": name, **({"SecretString": canary()} | more)}
        client.create_secret(**request)
        read: dict[str, Any] = answered(client.get_secret_value, SecretId=name)
        return read

    return make


def error(secret_id: str, refusal: tuple[str, str]) -> dict[str, str]:
    return {"SecretId": secret_id, "ErrorCode": refusal[0], "Message": refusal[1]}


def by_name(*values: str) -> dict[str, Any]:
    return {"Filters": [{"Key": "name", "Values": list(values)}]}


def names(answer: dict[str, Any]) -> list[str]:
    return [each["Name"] for each in answer["SecretValues"]]


# By id


def test_the_current_values_of_several_secrets_are_read(client: Any, add: Any) -> None:
    text = add("text")
    client.create_secret(Name="binary", SecretBinary=b"\x00\xff")
    binary = answered(client.get_secret_value, SecretId="binary")
    client.put_secret_value(SecretId="text", SecretString="new", VersionStages=["AWSPENDING"])
    answer = answered(client.batch_get_secret_value, SecretIdList=["text", "binary"])
    assert answer == {"SecretValues": [text, binary], "Errors": []}
    assert set(text) == {"ARN", "Name", "VersionId", "SecretString", "VersionStages", "CreatedDate"}
    assert set(binary) == {"ARN", "Name", "VersionId", "SecretBinary", "VersionStages", "CreatedDate"}


def test_secrets_are_named_in_any_way_and_answered_in_order(client: Any, add: Any) -> None:
    a, b, c = (add(name) for name in ("a", "b", "c"))
    ids = ["c", a["ARN"], b["ARN"][:-7], "c"]
    assert answered(client.batch_get_secret_value, SecretIdList=ids)["SecretValues"] == [c, a, b, c]


def test_each_secret_that_cannot_be_read_has_its_error(client: Any, add: Any) -> None:
    add("marked")
    client.delete_secret(SecretId="marked")
    client.create_secret(Name="empty")
    good = add("good")
    gone = good["ARN"][:-6] + "AAAAAA"
    answer = answered(client.batch_get_secret_value, SecretIdList=["absent", "marked", "good", "empty", gone])
    assert answer["SecretValues"] == [good]
    assert answer["Errors"] == [
        error("absent", NOT_FOUND),
        error(
            "marked",
            (
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ),
        ),
        error(
            "empty",
            (
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
            ),
        ),
        error(gone, NOT_FOUND),
    ]


def test_another_region_has_none_of_them(server: Server, add: Any) -> None:
    arn = add("here")["ARN"]
    elsewhere = server.client("secretsmanager", region=a_region())
    answer = answered(elsewhere.batch_get_secret_value, SecretIdList=["here", arn])
    assert answer == {"SecretValues": [], "Errors": [error("here", NOT_FOUND), error(arn, NOT_FOUND)]}


def test_a_batch_answers_for_twenty_secrets(client: Any, add: Any) -> None:
    made = [add(f"s{number:02}") for number in range(20)]
    ids = [each["Name"] for each in made]
    assert answered(client.batch_get_secret_value, SecretIdList=ids) == {"SecretValues": made, "Errors": []}
    many = [*ids, "one-more"]
    shown = ", ".join(many)
    assert refused(client.batch_get_secret_value, SecretIdList=many) == invalid(
        f"Value '[{shown}]' at 'secretIdList' failed to satisfy constraint: "
        "Member must have length less than or equal to 20"
    )


def test_reading_in_a_batch_notes_the_day(client: Any) -> None:
    client.create_secret(Name="a", SecretString="x")
    client.create_secret(Name="b", SecretString="x")
    days = {today()}
    answered(client.batch_get_secret_value, SecretIdList=["a"])
    days.add(today())
    assert described_after_reading(client, "a")["LastAccessedDate"] in days
    assert "LastAccessedDate" not in client.describe_secret(SecretId="b")


@pytest.mark.parametrize(
    ("request_members", "expected"),
    [
        pytest.param({}, IDS_XOR_FILTERS, id="neither"),
        pytest.param({"SecretIdList": ["a"], **by_name("a")}, IDS_XOR_FILTERS, id="both"),
        pytest.param({"MaxResults": 5}, IDS_XOR_FILTERS, id="neither, with a size"),
        pytest.param({"SecretIdList": ["a"], "MaxResults": 5}, MAX_WITHOUT_FILTERS, id="size with ids"),
        pytest.param({"SecretIdList": ["a", "b c"]}, INVALID_NAME, id="bad name"),
        pytest.param(
            {"SecretIdList": []},
            invalid(
                "Value '[]' at 'secretIdList' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
            id="no ids",
        ),
        pytest.param(
            {"SecretIdList": [""]},
            invalid(
                "Value '' at 'secretIdList.1.member' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
            id="empty id",
        ),
        pytest.param(
            {**by_name("a"), "MaxResults": 21},
            invalid(
                "Value '21' at 'maxResults' failed to satisfy constraint: "
                "Member must have value less than or equal to 20"
            ),
            id="size too large",
        ),
        pytest.param(
            {**by_name("a"), "MaxResults": 0},
            invalid(
                "Value '0' at 'maxResults' failed to satisfy constraint: "
                "Member must have value greater than or equal to 1"
            ),
            id="size too small",
        ),
        pytest.param({**by_name("a"), "NextToken": "made up"}, BAD_TOKEN, id="token"),
    ],
)
def test_batches_that_are_refused(
    client: Any, add: Any, request_members: dict[str, Any], expected: tuple[str, str]
) -> None:
    add("a")
    with unchanged(client, "a"):
        assert refused(client.batch_get_secret_value, **request_members) == expected


# By filters


def test_secrets_are_found_by_filters(client: Any, add: Any) -> None:
    made = [add(f"prod/{number}", Tags=[{"Key": "team", "Value": "blue"}]) for number in range(3)]
    add("test/0", Tags=[{"Key": "team", "Value": "blue"}])
    add("prod/marked")
    client.delete_secret(SecretId="prod/marked")
    answer = answered(client.batch_get_secret_value, **by_name("prod/"))
    assert answer == {"SecretValues": made, "Errors": []}
    filters = [{"Key": "tag-value", "Values": ["blue"]}, {"Key": "name", "Values": ["!prod"]}]
    assert names(answered(client.batch_get_secret_value, Filters=filters)) == ["test/0"]
    assert answered(client.batch_get_secret_value, **by_name("none")) == {"SecretValues": [], "Errors": []}


def test_found_secrets_come_in_pages(server: Server, region: str, client: Any, add: Any) -> None:
    made = [add(f"s{number:02}")["Name"] for number in range(23)]
    first = answered(client.batch_get_secret_value, **by_name("s"))
    assert names(first) == made[:20]
    rest = answered(client.batch_get_secret_value, **by_name("s"), NextToken=first["NextToken"])
    assert names(rest) == made[20:]
    raw = send(
        server,
        json_call(
            server,
            "BatchGetSecretValue",
            {**by_name("s"), "NextToken": first["NextToken"]},
            region=region,
        ),
    )
    assert "NextToken" not in raw.json
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = answered(client.batch_get_secret_value, **by_name("s"), MaxResults=10, **token)
        found += names(page)
        if "NextToken" not in page:
            break
        assert len(names(page)) == 10
        token = {"NextToken": page["NextToken"]}
    assert found == made
    assert refused(client.batch_get_secret_value, **by_name("s1"), NextToken=first["NextToken"]) == BAD_TOKEN
    assert refused(client.list_secrets, **by_name("s"), NextToken=first["NextToken"]) == BAD_TOKEN


def test_changes_between_pages_neither_repeat_nor_hide_others(client: Any, add: Any) -> None:
    for name in "abcdef":
        add(name)
    filters = {"Filters": [{"Key": "name", "Values": [""]}], "MaxResults": 2}
    first = answered(client.batch_get_secret_value, **filters)
    assert names(first) == ["a", "b"]
    client.delete_secret(SecretId="b", ForceDeleteWithoutRecovery=True)
    client.delete_secret(SecretId="c")
    add("later")
    second = answered(client.batch_get_secret_value, **filters, NextToken=first["NextToken"])
    third = answered(client.batch_get_secret_value, **filters, NextToken=second["NextToken"])
    assert names(second) + names(third) == ["d", "e", "f", "later"]


# Permissions


def test_every_secret_needs_its_own_permission(server: Server, client: Any, region: str, add: Any) -> None:
    mine, theirs = add("mine"), add("theirs")
    person = a_person(server)
    own = person.client(region=region)
    ids = {"SecretIdList": ["mine", "theirs", "absent"]}
    assert refused(own.batch_get_secret_value, **ids) == denied(person.arn, BATCH, "*")
    person.may(allow(GET))
    assert refused(own.batch_get_secret_value, **ids) == denied(person.arn, BATCH, "*")
    person.may(allow(BATCH), allow(GET, mine["ARN"]))
    assert answered(own.batch_get_secret_value, **ids) == {
        "SecretValues": [mine],
        "Errors": [
            error("theirs", denied(person.arn, GET, "theirs")),
            error("absent", denied(person.arn, GET, "absent")),
        ],
    }
    person.may(allow([BATCH, GET]), deny(GET, theirs["ARN"]))
    reason = " with an explicit deny in an identity-based policy"
    assert answered(own.batch_get_secret_value, **ids) == {
        "SecretValues": [mine],
        "Errors": [
            error("theirs", denied(person.arn, GET, "theirs", reason)),
            error("absent", NOT_FOUND),
        ],
    }


def test_filters_need_the_permission_to_list(server: Server, client: Any, region: str, add: Any) -> None:
    mine, theirs = add("s/mine"), add("s/theirs")
    person = a_person(server)
    own = person.client(region=region)
    person.may(allow([BATCH, GET]))
    assert refused(own.batch_get_secret_value, **by_name("s/")) == denied(person.arn, LIST, "*")
    person.may(allow([BATCH, LIST]), allow(GET, mine["ARN"]))
    answer = answered(own.batch_get_secret_value, **by_name("s/"))
    assert answer["SecretValues"] == [mine]
    assert answer["Errors"] == [error(theirs["ARN"], denied(person.arn, GET, theirs["ARN"]))]


def test_values_are_in_the_answer_and_in_no_log(server: Server, client: Any) -> None:
    value, name = canary(), fresh("quiet")
    client.create_secret(Name=name, SecretString=value)
    (read,) = answered(client.batch_get_secret_value, SecretIdList=[name, "absent"])["SecretValues"]
    assert read["SecretString"] == value
    assert value not in server.log()
