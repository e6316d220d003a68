"""Staging labels, UpdateSecretVersionStage and ListSecretVersionIds over TCP.

Source: fact sheet secretsmanager sections 4 and 6.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.dialogue import INVALID_NAME, NOT_FOUND, answered, fresh, invalid, missing, refused
from support.running import Server
from support.signing import json_call, send
from support.stillness import a_token, everything, labels, unchanged

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
# Typographic apostrophe: as Terraform's source quotes it.
CURRENT_CANNOT_GO = (
    "InvalidParameterException",
    "You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.",
)
TOO_MANY = (
    "LimitExceededException",
    "You can't have more than 20 staging labels across all versions of a secret.",
)
NOTHING_ASKED = (
    "InvalidParameterException",
    "You must provide RemoveFromVersionId, MoveToVersionId or both.",
)
BAD_TOKEN = ("InvalidNextTokenException", "The NextToken value is invalid.")

Put = Callable[..., str]
Move = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture
def name(secrets: Any) -> str:
    made = fresh("labels")
    secrets.create_secret(Name=made)
    return made


@pytest.fixture
def put(secrets: Any, name: str) -> Put:
    """Puts a value under labels and returns the version's id."""

    def make(value: str, *stages: str) -> str:
        more = {"VersionStages": list(stages)} if stages else {}
        answer = answered(secrets.put_secret_value, SecretId=name, SecretString=value, **more)
        return str(answer["VersionId"])

    return make


@pytest.fixture
def move(secrets: Any, name: str) -> Move:
    def ask(stage: str, *, to: str | None = None, off: str | None = None) -> dict[str, Any]:
        return answered(secrets.update_secret_version_stage, SecretId=name, **_request(stage, to, off))

    return ask


def _request(stage: str, to: str | None, off: str | None) -> dict[str, str]:
    request = {"VersionStage": stage}
    if to is not None:
        request["MoveToVersionId"] = to
    if off is not None:
        request["RemoveFromVersionId"] = off
    return request


def must_name(stage: str, holder: str) -> tuple[str, str]:
    return (
        "InvalidParameterException",
        f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
        f"version {holder}, so you must explicitly reference that version in RemoveFromVersionId.",
    )


def not_attached(stage: str, version: str) -> tuple[str, str]:
    return (
        "InvalidParameterException",
        f"The staging label {stage} is not attached to the version {version} that you gave in "
        "RemoveFromVersionId.",
    )


def no_version(version: str) -> tuple[str, str]:
    return (
        "ResourceNotFoundException",
        f"Secrets Manager can't find the specified secret value for VersionId: {version}",
    )


# Labels that new versions take


def test_the_first_version_is_current(secrets: Any, name: str, put: Put) -> None:
    first = put("1")
    assert labels(secrets, name) == {first: [CURRENT]}


def test_the_first_version_is_current_besides_the_labels_asked_for(secrets: Any, name: str, put: Put) -> None:
    first = put("1", "MINE", "AWSSOMETHING")
    assert labels(secrets, name) == {first: [CURRENT, "AWSSOMETHING", "MINE"]}


@pytest.mark.parametrize("operation", ["put_secret_value", "update_secret"])
def test_a_new_version_is_current_and_the_one_before_previous(
    secrets: Any, name: str, put: Put, operation: str
) -> None:
    versions = [put("1")]
    for number in (2, 3, 4):
        token = a_token()
        request = {"SecretId": name, "SecretString": str(number), "ClientRequestToken": token}
        answered(getattr(secrets, operation), **request)
        assert labels(secrets, name) == {token: [CURRENT], versions[-1]: [PREVIOUS]}
        versions.append(token)
    # Those without a label are deprecated, and can still be read by their ids.
    first = answered(secrets.get_secret_value, SecretId=name, VersionId=versions[0])
    assert first["SecretString"] == "1"
    assert "VersionStages" not in first


def test_other_labels_stay_where_they_are(secrets: Any, name: str, put: Put) -> None:
    first = put("1", CURRENT, "PUT0")
    second = put("2", CURRENT, "PUT1")
    assert labels(secrets, name) == {first: [PREVIOUS, "PUT0"], second: [CURRENT, "PUT1"]}
    third = put("3")
    assert labels(secrets, name) == {first: ["PUT0"], second: [PREVIOUS, "PUT1"], third: [CURRENT]}


def test_labels_asked_for_are_taken_from_where_they_were(secrets: Any, name: str, put: Put) -> None:
    first = put("1", CURRENT, "MINE")
    second = put("2", "MINE")
    assert labels(secrets, name) == {first: [CURRENT], second: ["MINE"]}
    third = put("3", "MINE", PREVIOUS)
    assert labels(secrets, name) == {first: [CURRENT], third: [PREVIOUS, "MINE"]}


def test_without_awscurrent_among_the_labels_it_stays(secrets: Any, name: str, put: Put) -> None:
    first = put("1")
    second = put("2", PENDING)
    assert labels(secrets, name) == {first: [CURRENT], second: [PENDING]}
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "1"
    assert secrets.get_secret_value(SecretId=name, VersionStage=PENDING)["SecretString"] == "2"


def test_a_put_answers_with_the_labels_the_version_got(secrets: Any, name: str) -> None:
    put = {"SecretId": name, "SecretString": "x", "VersionStages": ["Z", "A"]}
    assert sorted(answered(secrets.put_secret_value, **put)["VersionStages"]) == ["A", CURRENT, "Z"]
    assert answered(secrets.put_secret_value, **put)["VersionStages"] == ["A", "Z"]


@pytest.mark.parametrize("where", ["on the current version", "on a version of its own"])
@pytest.mark.parametrize("operation", ["put_secret_value", "update_secret"])
def test_a_value_set_by_hand_abandons_a_pending_one(
    secrets: Any, name: str, put: Put, where: str, operation: str
) -> None:
    first = put("1")
    pending = put("2", PENDING) if where == "on a version of its own" else put("2", CURRENT, PENDING)
    token = a_token()
    answered(getattr(secrets, operation), SecretId=name, SecretString="3", ClientRequestToken=token)
    left = first if where == "on a version of its own" else pending
    assert labels(secrets, name) == {token: [CURRENT], left: [PREVIOUS]}


def test_a_label_is_any_text_of_1_to_256_characters(secrets: Any, name: str, put: Put) -> None:
    odd = ["l" * 256, "x", "with space, é and \U0001f511", "line\nbreak"]
    first = put("1", *odd)
    assert labels(secrets, name) == {first: sorted([CURRENT, *odd])}
    for label in odd:
        assert secrets.get_secret_value(SecretId=name, VersionStage=label)["SecretString"] == "1"


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (
            [],
            "Value '[]' at 'versionStages' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            [f"L{number}" for number in range(21)],
            f"Value '[{', '.join(f'L{number}' for number in range(21))}]' at 'versionStages' failed to satisfy "
            "constraint: Member must have length less than or equal to 20",
        ),
        (
            ["l" * 257],
            f"Value '{'l' * 256}' at 'versionStages.1.member' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        ),
        (
            [""],
            "Value '' at 'versionStages.1.member' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
    ],
    ids=["none", "21", "too long", "empty"],
)
def test_lists_of_labels_that_are_refused(
    unchecked: Any, name: str, put: Put, stages: list[str], expected: str
) -> None:
    put("1")
    with unchanged(unchecked, name):
        request = {"SecretId": name, "SecretString": "2", "VersionStages": stages}
        assert refused(unchecked.put_secret_value, **request) == invalid(expected)


def test_a_secret_has_at_most_20_labels_on_all_its_versions(
    secrets: Any, name: str, put: Put, move: Move
) -> None:
    first = put("1", CURRENT, *(f"A{number}" for number in range(10)))
    second = put("2", *(f"B{number}" for number in range(9)))
    assert sum(len(each) for each in labels(secrets, name).values()) == 20
    with unchanged(secrets, name):
        put_one_more = {"SecretId": name, "SecretString": "3", "VersionStages": ["ONE MORE"]}
        assert refused(secrets.put_secret_value, **put_one_more) == TOO_MANY
        # AWSPREVIOUS would be the twenty-first.
        assert refused(secrets.put_secret_value, SecretId=name, SecretString="3") == TOO_MANY
        assert refused(secrets.update_secret, SecretId=name, SecretString="3") == TOO_MANY
        request = {"SecretId": name, **_request("ONE MORE", second, None)}
        assert refused(secrets.update_secret_version_stage, **request) == TOO_MANY
    third = put("3", "A0", "B0")
    move("A1", to=third, off=first)
    assert labels(secrets, name)[third] == ["A0", "A1", "B0"]
    move("A2", off=first)
    fourth = put("4")
    assert labels(secrets, name)[fourth] == [CURRENT]


# UpdateSecretVersionStage


def test_a_label_is_put_moved_and_taken_off(secrets: Any, name: str, put: Put, move: Move) -> None:
    first, second = put("1"), put("2")
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    assert move("MINE", to=first) == {"ARN": arn, "Name": name}
    assert labels(secrets, name) == {first: [PREVIOUS, "MINE"], second: [CURRENT]}
    assert secrets.get_secret_value(SecretId=name, VersionStage="MINE")["SecretString"] == "1"
    assert move("MINE", to=second, off=first) == {"ARN": arn, "Name": name}
    assert labels(secrets, name) == {first: [PREVIOUS], second: [CURRENT, "MINE"]}
    assert secrets.get_secret_value(SecretId=name, VersionStage="MINE")["SecretString"] == "2"
    assert move("MINE", off=second) == {"ARN": arn, "Name": name}
    assert labels(secrets, name) == {first: [PREVIOUS], second: [CURRENT]}


def test_a_move_of_a_label_moves_the_date_of_the_last_change(
    secrets: Any, name: str, put: Put, move: Move
) -> None:
    first = put("1")
    before = everything(secrets, name)
    move("MINE", to=first)
    after = everything(secrets, name)
    assert after["description"]["LastChangedDate"] > before["description"]["LastChangedDate"]
    assert after["description"]["CreatedDate"] == before["description"]["CreatedDate"]


def test_moving_awscurrent_leaves_awsprevious_behind(secrets: Any, name: str, put: Put, move: Move) -> None:
    first = put("1")
    second = put("2", PENDING)
    move(CURRENT, to=second, off=first)
    # A finished rotation: AWSPENDING stays beside AWSCURRENT.
    assert labels(secrets, name) == {first: [PREVIOUS], second: [CURRENT, PENDING]}
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "2"
    # A rollback: the target loses AWSPREVIOUS.
    move(CURRENT, to=first, off=second)
    assert labels(secrets, name) == {first: [CURRENT], second: [PENDING, PREVIOUS]}
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "1"


def test_moving_awscurrent_to_a_third_version_takes_awsprevious_along(
    secrets: Any, name: str, put: Put, move: Move
) -> None:
    first, second = put("1"), put("2")
    third = put("3", "MINE")
    move(CURRENT, to=third, off=second)
    assert labels(secrets, name) == {second: [PREVIOUS], third: [CURRENT, "MINE"]}
    assert secrets.get_secret_value(SecretId=name, VersionId=first)["SecretString"] == "1"


def test_a_deprecated_version_can_be_labelled_again(secrets: Any, name: str, put: Put, move: Move) -> None:
    first, second, third = put("1"), put("2"), put("3")
    assert labels(secrets, name) == {second: [PREVIOUS], third: [CURRENT]}
    move(CURRENT, to=first, off=third)
    assert labels(secrets, name) == {first: [CURRENT], third: [PREVIOUS]}


def test_moving_a_label_to_where_it_is_changes_nothing(secrets: Any, name: str, put: Put, move: Move) -> None:
    first = put("1", CURRENT, "MINE")
    with unchanged(secrets, name):
        for stage in (CURRENT, "MINE"):
            move(stage, to=first)
            move(stage, to=first, off=first)


@pytest.mark.parametrize("stage", [CURRENT, PREVIOUS, PENDING, "MINE"])
def test_a_label_that_is_elsewhere_must_be_removed_by_name(
    secrets: Any, name: str, put: Put, stage: str
) -> None:
    first = put("1")
    second = put("2")
    third = put("3", PENDING, "MINE")
    fourth = put("4", "TARGET")
    holder = {CURRENT: second, PREVIOUS: first, PENDING: third, "MINE": third}[stage]
    with unchanged(secrets, name):
        request = {"SecretId": name, **_request(stage, fourth, None)}
        assert refused(secrets.update_secret_version_stage, **request) == must_name(stage, holder)


def test_label_moves_that_are_refused(secrets: Any, name: str, put: Put) -> None:
    first, second = put("1"), put("2")
    unknown = "u" * 32
    ask = secrets.update_secret_version_stage
    with unchanged(secrets, name):
        assert refused(ask, SecretId=name, **_request(CURRENT, None, second)) == CURRENT_CANNOT_GO
        assert refused(ask, SecretId=name, **_request(CURRENT, second, first)) == not_attached(CURRENT, first)
        assert refused(ask, SecretId=name, **_request(PREVIOUS, None, second)) == not_attached(
            PREVIOUS, second
        )
        assert refused(ask, SecretId=name, **_request("NONE", None, first)) == not_attached("NONE", first)
        assert refused(ask, SecretId=name, **_request("NONE", second, first)) == not_attached("NONE", first)
        assert refused(ask, SecretId=name, **_request("MINE", unknown, None)) == no_version(unknown)
        assert refused(ask, SecretId=name, **_request(CURRENT, unknown, second)) == no_version(unknown)
        assert refused(ask, SecretId=name, **_request("MINE", None, None)) == NOTHING_ASKED


def test_label_moves_with_members_out_of_bounds(unchecked: Any, name: str, put: Put) -> None:
    first = put("1")
    ask = unchecked.update_secret_version_stage
    short = (
        "Value 'short' at '{}' failed to satisfy constraint: "
        "Member must have length greater than or equal to 32"
    )
    with unchanged(unchecked, name):
        assert refused(ask, SecretId=name, MoveToVersionId=first) == missing("versionStage")
        assert refused(ask, VersionStage="X", MoveToVersionId=first) == missing("secretId")
        assert refused(ask, SecretId=name, **_request("X", "short", None)) == invalid(
            short.format("moveToVersionId")
        )
        assert refused(ask, SecretId=name, **_request("X", None, "short")) == invalid(
            short.format("removeFromVersionId")
        )
        assert refused(ask, SecretId=name, **_request("", first, None)) == invalid(
            "Value '' at 'versionStage' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
        assert refused(ask, SecretId="a b", **_request("X", first, None)) == INVALID_NAME
        assert refused(ask, SecretId=fresh("absent"), **_request("X", first, None)) == NOT_FOUND


# ListSecretVersionIds


def test_the_versions_of_a_secret_are_listed(server: Server, secrets: Any, name: str, put: Put) -> None:
    started = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    first, second, third = put("1"), put("2"), put("3")
    custom = put("4", "MINE", "ALSO")
    listed = answered(secrets.list_secret_version_ids, SecretId=name)
    dates = [version.pop("CreatedDate") for version in listed["Versions"]]
    assert dates == sorted(dates)
    assert started <= dates[0] <= dates[-1] <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    described = answered(secrets.describe_secret, SecretId=name)
    default = {"KmsKeyIds": ["DefaultEncryptionKey"]}
    assert listed == {
        "ARN": described["ARN"],
        "Name": name,
        "Versions": [
            {"VersionId": second, "VersionStages": [PREVIOUS], **default},
            {"VersionId": third, "VersionStages": [CURRENT], **default},
            {"VersionId": custom, "VersionStages": ["ALSO", "MINE"], **default},
        ],
    }
    every = answered(secrets.list_secret_version_ids, SecretId=name, IncludeDeprecated=True)["Versions"]
    assert [each["VersionId"] for each in every] == [first, second, third, custom]
    assert "VersionStages" not in every[0]
    answer = send(server, json_call(server, "ListSecretVersionIds", {"SecretId": name}))
    assert "NextToken" not in answer.json


def _pages(client: Any, request: dict[str, Any]) -> list[list[str]]:
    found, token = [], {}
    while True:
        answer = answered(client.list_secret_version_ids, **request, **token)
        found.append([each["VersionId"] for each in answer["Versions"]])
        if "NextToken" not in answer:
            return found
        assert answer["NextToken"]
        token = {"NextToken": answer["NextToken"]}


def test_versions_come_in_pages(secrets: Any, name: str, put: Put) -> None:
    made = [put(str(number)) for number in range(7)]
    request = {"SecretId": name, "IncludeDeprecated": True}
    for size in (1, 2, 3, 7, 100):
        pages = _pages(secrets, {**request, "MaxResults": size})
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert [version for page in pages for version in page] == made
    assert _pages(secrets, request) == [made]
    assert _pages(secrets, {"SecretId": name, "MaxResults": 1}) == [[made[-2]], [made[-1]]]


def test_versions_made_between_pages_neither_repeat_nor_hide_others(
    secrets: Any, name: str, put: Put
) -> None:
    made = [put(str(number)) for number in range(3)]
    request = {"SecretId": name, "IncludeDeprecated": True, "MaxResults": 2}
    first = answered(secrets.list_secret_version_ids, **request)
    made.append(put("later"))
    rest = answered(secrets.list_secret_version_ids, **request, NextToken=first["NextToken"])
    assert [each["VersionId"] for each in first["Versions"] + rest["Versions"]] == made
    assert "NextToken" not in rest


def test_a_page_holds_100_versions_unless_asked_otherwise(secrets: Any, name: str, put: Put) -> None:
    made = [put(str(number)) for number in range(101)]
    pages = _pages(secrets, {"SecretId": name, "IncludeDeprecated": True})
    assert pages == [made[:100], made[100:]]


def test_tokens_of_version_lists_that_are_refused(unchecked: Any, name: str, put: Put) -> None:
    for number in range(3):
        put(str(number))
    other = fresh("other")
    unchecked.create_secret(Name=other, SecretString="x")
    ask = unchecked.list_secret_version_ids
    request = {"SecretId": name, "IncludeDeprecated": True, "MaxResults": 1}
    token = ask(**request)["NextToken"]
    for wrong in (token[:-1], token + "A", "AAAA", "not a token", token[::-1]):
        assert refused(ask, **request, NextToken=wrong) == BAD_TOKEN
    assert refused(ask, **{**request, "SecretId": other}, NextToken=token) == BAD_TOKEN
    assert refused(ask, **{**request, "IncludeDeprecated": False}, NextToken=token) == BAD_TOKEN
    assert refused(ask, **request, NextToken="") == invalid(
        "Value '' at 'nextToken' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )
    assert answered(ask, **request, NextToken=token)["Versions"]


@pytest.mark.parametrize(
    ("size", "constraint"),
    [
        (0, "greater than or equal to 1"),
        (101, "less than or equal to 100"),
        (-1, "greater than or equal to 1"),
    ],
)
def test_page_sizes_that_are_refused(unchecked: Any, name: str, size: int, constraint: str) -> None:
    assert refused(unchecked.list_secret_version_ids, SecretId=name, MaxResults=size) == invalid(
        f"Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have value {constraint}"
    )


def test_no_list_of_versions_shows_a_value(server: Server, name: str, put: Put) -> None:
    put("canary-of-the-list")
    for operation in ("ListSecretVersionIds", "DescribeSecret"):
        answer = send(server, json_call(server, operation, {"SecretId": name}))
        assert answer.status == 200
        assert "canary-of-the-list" not in json.dumps(answer.json)
