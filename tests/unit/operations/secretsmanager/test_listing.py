"""ListSecrets: what is listed, in which order, and pages that neither repeat nor skip."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from strongroom.errors import AccessDeniedException, InvalidNextTokenException, InvalidParameterException
from strongroom.names import Region, StagingLabel, VersionId
from strongroom.operations.secretsmanager.listing import LIST_SECRETS, secrets_page
from strongroom.secret.records import Replica
from support.secret_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION, Room, root

MINUTE = dt.timedelta(minutes=1)


def names(response: Mapping[str, Any]) -> list[str]:
    return [entry["Name"] for entry in response["SecretList"]]


def pages(room: Room, request: Mapping[str, Any]) -> list[list[str]]:
    """Return the names on each page, following NextToken to the end."""
    found = []
    token: dict[str, Any] = {}
    while True:
        response = room.run(LIST_SECRETS, {**request, **token})
        found.append(names(response))
        if "NextToken" not in response:
            return found
        token = {"NextToken": response["NextToken"]}


def a_room(count: int = 5) -> Room:
    room = Room()
    for number in range(count):
        room.add(f"s{number}", created_at=NOON + number * MINUTE)
    return room


def test_an_empty_account_lists_nothing() -> None:
    assert Room().run(LIST_SECRETS, {}) == {"SecretList": []}


def test_only_the_callers_account_and_region_are_listed() -> None:
    room = Room()
    room.add("mine")
    room.add("elsewhere", region=Region("us-east-1"))
    room.add("theirs", account_id=OTHER_ACCOUNT)
    assert names(room.run(LIST_SECRETS, {})) == ["mine"]
    assert names(room.run(LIST_SECRETS, {}, region=Region("us-east-1"))) == ["elsewhere"]
    assert names(room.run(LIST_SECRETS, {}, principal=root(OTHER_ACCOUNT))) == ["theirs"]


def test_an_entry_shows_labels_by_version_and_no_replication() -> None:
    room = Room()
    one, two = VersionId("1" * 32), VersionId("2" * 32)
    labels = {
        StagingLabel("AWSPENDING"): two,
        StagingLabel("AWSCURRENT"): two,
        StagingLabel("AWSPREVIOUS"): one,
    }
    secret = room.add(
        "a",
        labels=labels,
        tags={"k": "v"},
        primary_region=REGION,
        replicas=(Replica(region=Region("eu-west-1"), arn=ACCOUNT),),  # type: ignore[arg-type]  # never shown
    )
    (entry,) = room.run(LIST_SECRETS, {})["SecretList"]
    assert entry["ARN"] == secret.arn
    assert entry["Tags"] == [{"Key": "k", "Value": "v"}]
    assert entry["SecretVersionsToStages"] == {one: ["AWSPREVIOUS"], two: ["AWSCURRENT", "AWSPENDING"]}
    assert not {"VersionIdsToStages", "ReplicationStatus", "CrossAccountReplicas"} & set(entry)


def test_a_secret_without_versions_has_no_stages() -> None:
    room = Room()
    room.add("empty", versions=0)
    (entry,) = room.run(LIST_SECRETS, {})["SecretList"]
    assert "SecretVersionsToStages" not in entry


def test_marked_secrets_are_listed_only_when_asked_for() -> None:
    room = a_room(2)
    room.add("marked", deleted_at=NOON, deletion_at=NOON + 7 * 24 * 60 * MINUTE)
    assert names(room.run(LIST_SECRETS, {})) == ["s0", "s1"]
    response = room.run(LIST_SECRETS, {"IncludePlannedDeletion": True, "SortBy": "name"})
    assert names(response) == ["marked", "s0", "s1"]
    assert response["SecretList"][0]["DeletedDate"] == NOON


@pytest.mark.parametrize(
    ("sort_by", "expected"),
    [
        (None, ["b", "c", "a"]),
        ("created-date", ["b", "c", "a"]),
        ("name", ["a", "b", "c"]),
        ("last-changed-date", ["c", "a", "b"]),
        ("last-accessed-date", ["c", "b", "a"]),
    ],
)
def test_sorting(sort_by: str | None, expected: list[str]) -> None:
    room = Room()
    day = NOON.date()
    room.add("a", created_at=NOON + 3 * MINUTE, last_changed_at=NOON + 4 * MINUTE, last_accessed_on=day)
    room.add(
        "b",
        created_at=NOON + 1 * MINUTE,
        last_changed_at=NOON + 5 * MINUTE,
        last_accessed_on=day - dt.timedelta(days=1),
    )
    room.add("c", created_at=NOON + 2 * MINUTE, last_changed_at=NOON + 3 * MINUTE)
    request = {} if sort_by is None else {"SortBy": sort_by}
    assert names(room.run(LIST_SECRETS, request)) == expected
    assert names(room.run(LIST_SECRETS, {**request, "SortOrder": "asc"})) == expected
    assert names(room.run(LIST_SECRETS, {**request, "SortOrder": "desc"})) == expected[::-1]


def test_filters_apply() -> None:
    room = a_room(3)
    room.add("other", created_at=NOON + 9 * MINUTE, description="the other one")
    assert names(room.run(LIST_SECRETS, {"Filters": [{"Key": "name", "Values": ["!s"]}]})) == ["other"]
    assert names(room.run(LIST_SECRETS, {"Filters": [{"Key": "all", "Values": ["s1", "oth"]}]})) == [
        "s1",
        "other",
    ]


def test_a_filter_without_key_is_refused() -> None:
    with pytest.raises(InvalidParameterException) as caught:
        a_room().run(LIST_SECRETS, {"Filters": [{"Values": ["a"]}]})
    assert caught.value.message == "Invalid filter key"


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", ["created-date", "last-accessed-date", "last-changed-date", "name"])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_together_are_the_whole_list(sort_by: str, order: str, size: int) -> None:
    room = a_room()
    request = {"SortBy": sort_by, "SortOrder": order}
    whole = names(room.run(LIST_SECRETS, request))
    found = pages(room, {**request, "MaxResults": size})
    assert [name for page in found for name in page] == whole
    assert all(len(page) == size for page in found[:-1])
    assert found[-1]


def test_the_default_page_holds_a_hundred() -> None:
    room = a_room(101)
    assert [len(page) for page in pages(room, {})] == [100, 1]


def test_no_token_is_sent_when_only_secrets_that_do_not_match_follow() -> None:
    assert pages(a_room(5), {"MaxResults": 2, "Filters": [{"Key": "name", "Values": ["s0", "s1"]}]}) == [
        ["s0", "s1"]
    ]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_changes_between_pages_neither_repeat_nor_skip_others(order: str) -> None:
    room = a_room(6)
    request = {"MaxResults": 3, "SortOrder": order}
    first = room.run(LIST_SECRETS, request)
    for gone in (names(first)[0], names(first)[-1]):
        room.delete_secret(room.secret_named(ACCOUNT, REGION, gone).arn)  # type: ignore[union-attr]  # listed
    room.add("between", created_at=NOON + MINUTE / 2 if order == "asc" else NOON + 6 * MINUTE)
    second = room.run(LIST_SECRETS, {**request, "NextToken": first["NextToken"]})
    expected = ["s3", "s4", "s5"] if order == "asc" else ["s2", "s1", "s0"]
    assert names(second) == expected
    assert "NextToken" not in second


def test_a_token_of_another_query_is_refused() -> None:
    room = a_room(3)
    token = {"NextToken": room.run(LIST_SECRETS, {"MaxResults": 1})["NextToken"]}
    assert names(room.run(LIST_SECRETS, {"MaxResults": 2, **token})) == ["s1", "s2"]
    for other in (
        {"SortOrder": "desc"},
        {"SortBy": "name"},
        {"IncludePlannedDeletion": True},
        {"Filters": [{"Key": "name", "Values": ["s"]}]},
    ):
        with pytest.raises(InvalidNextTokenException) as caught:
            room.run(LIST_SECRETS, {**token, **other})
        assert caught.value.message == "The NextToken value is invalid."
    with pytest.raises(InvalidNextTokenException):
        room.run(LIST_SECRETS, token, principal=root(OTHER_ACCOUNT))
    with pytest.raises(InvalidNextTokenException):
        room.run(LIST_SECRETS, token, region=Region("us-east-1"))


def test_a_made_up_token_is_refused() -> None:
    with pytest.raises(InvalidNextTokenException) as caught:
        a_room().run(LIST_SECRETS, {"NextToken": "made-up"})
    assert caught.value.message == "The NextToken value is invalid."


def test_a_long_search_goes_on_from_where_its_page_stopped() -> None:
    room = a_room(5)
    found: list[str] = []
    position, calls = None, 0
    while calls == 0 or position is not None:
        page, position = secrets_page(
            room, ACCOUNT, REGION, lambda s: s.name == "s3", size=10, after=position, scan_limit=2
        )
        found.extend(secret.name for secret in page)
        calls += 1
    assert found == ["s3"]
    assert calls == 3


def test_listing_needs_the_action_on_every_resource() -> None:
    room = a_room()
    scoped = room.user(
        "ann",
        {"Effect": "Allow", "Action": "secretsmanager:ListSecrets", "Resource": room.add("a").arn},
    )
    with pytest.raises(AccessDeniedException) as caught:
        room.run(LIST_SECRETS, {}, principal=scoped)
    assert (
        f"User: {scoped.arn} is not authorized to perform: secretsmanager:ListSecrets" in caught.value.message
    )
    everywhere = room.user(
        "bob", {"Effect": "Allow", "Action": "secretsmanager:ListSecrets", "Resource": "*"}
    )
    assert len(names(room.run(LIST_SECRETS, {}, principal=everywhere))) == 6
