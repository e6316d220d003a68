"""ListSecrets over TCP: entries, filters, order and pages. Source: fact sheet secretsmanager sections 6 and 8.

Every test has a region of its own, which is a namespace of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from botocore.loaders import Loader

from support.dialogue import a_person, allow, answered, canary, denied, fresh, invalid, refused
from support.running import Server
from support.signing import json_call, send
from support.stillness import a_region, described_after_reading

BAD_TOKEN = ("InvalidNextTokenException", "The NextToken value is invalid.")

Add = Callable[..., str]


@pytest.fixture(scope="module")
def shelf(server: Server) -> Any:
    """A client of the region whose secrets the filter tests search."""
    client = server.client("secretsmanager", region=a_region(), parameter_validation=False)
    for name, description, tags in SHELF:
        request: dict[str, Any] = {"Name": name, "SecretString": canary()}
        if description is not None:
            request["Description"] = description
        if tags:
            request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        client.create_secret(**request)
    return client


@pytest.fixture
def region() -> str:
    return a_region()


@pytest.fixture
def client(server: Server, region: str) -> Iterator[Any]:
    made = server.client("secretsmanager", region=region, parameter_validation=False)
    yield made
    made.close()


def names(answer: dict[str, Any]) -> list[str]:
    return [entry["Name"] for entry in answer["SecretList"]]


def filled(client: Any, *some: str) -> Any:
    for name in some:
        client.create_secret(Name=name, SecretString="x")
    return client


def pages(client: Any, **request: Any) -> list[list[str]]:
    """Return the names on each page, following NextToken to the end."""
    found: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        answer = answered(client.list_secrets, **request, **token)
        found.append(names(answer))
        if "NextToken" not in answer:
            return found
        assert answer["NextToken"]
        token = {"NextToken": answer["NextToken"]}


# Entries


def test_an_empty_region_lists_nothing(server: Server, region: str, client: Any) -> None:
    assert answered(client.list_secrets) == {"SecretList": []}
    assert send(server, json_call(server, "ListSecrets", {}, region=region)).json == {"SecretList": []}


def test_an_entry_tells_what_describe_tells(client: Any) -> None:
    client.create_secret(
        Name="entry", SecretString="x", Description="words", Tags=[{"Key": "team", "Value": "blue"}]
    )
    current = client.put_secret_value(SecretId="entry", SecretString="y")["VersionId"]
    described = answered(client.describe_secret, SecretId="entry")
    (entry,) = answered(client.list_secrets)["SecretList"]
    assert entry["SecretVersionsToStages"][current] == ["AWSCURRENT"]
    described["SecretVersionsToStages"] = described.pop("VersionIdsToStages")
    assert entry == described


def test_an_entry_has_no_members_the_model_does_not_know(server: Server, region: str, client: Any) -> None:
    model = Loader().load_service_model("secretsmanager", "service-2")
    client.create_secret(
        Name="entry",
        SecretString=canary(),
        Description="words",
        Tags=[{"Key": "k", "Value": "v"}],
        AddReplicaRegions=[{"Region": a_region()}],
    )
    client.get_secret_value(SecretId="entry")
    client.delete_secret(SecretId=filled(client, "marked") and "marked")
    answer = send(server, json_call(server, "ListSecrets", {"IncludePlannedDeletion": True}, region=region))
    assert len(answer.json["SecretList"]) == 2
    for entry in answer.json["SecretList"]:
        assert set(entry) <= set(model["shapes"]["SecretListEntry"]["members"])
    for name in ("entry", "marked"):
        answer = send(server, json_call(server, "DescribeSecret", {"SecretId": name}, region=region))
        assert set(answer.json) <= set(model["shapes"]["DescribeSecretResponse"]["members"])


def test_a_secret_without_versions_has_no_stages(client: Any) -> None:
    client.create_secret(Name="empty")
    (entry,) = answered(client.list_secrets)["SecretList"]
    assert set(entry) == {"ARN", "Name", "CreatedDate", "LastChangedDate"}


def test_all_tags_removed_leave_an_empty_list(client: Any) -> None:
    filled(client, "tagged")
    client.tag_resource(SecretId="tagged", Tags=[{"Key": "k", "Value": "v"}])
    client.untag_resource(SecretId="tagged", TagKeys=["k"])
    (entry,) = answered(client.list_secrets)["SecretList"]
    assert entry["Tags"] == []


def test_values_are_in_no_listing(server: Server, region: str, client: Any) -> None:
    value = canary()
    client.create_secret(Name="quiet", SecretString=value)
    answer = send(server, json_call(server, "ListSecrets", {}, region=region))
    assert names(answer.json) == ["quiet"]
    assert value not in json.dumps(answer.json)


def test_marked_secrets_are_listed_on_demand(client: Any) -> None:
    filled(client, "a", "marked", "z")
    client.delete_secret(SecretId="marked")
    assert names(answered(client.list_secrets, SortBy="name")) == ["a", "z"]
    assert names(answered(client.list_secrets, IncludePlannedDeletion=False)) == ["a", "z"]
    every = answered(client.list_secrets, IncludePlannedDeletion=True, SortBy="name")
    assert names(every) == ["a", "marked", "z"]
    assert ["DeletedDate" in entry for entry in every["SecretList"]] == [False, True, False]


def test_other_regions_are_not_listed(server: Server, client: Any) -> None:
    filled(client, "here")
    filled(server.client("secretsmanager", region=a_region()), "there")
    assert names(answered(client.list_secrets)) == ["here"]


def test_listing_needs_its_own_permission(server: Server, client: Any, region: str) -> None:
    filled(client, "a")
    person = a_person(server)
    person.may(allow(["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]))
    own = person.client(region=region)
    assert refused(own.list_secrets) == denied(person.arn, "secretsmanager:ListSecrets", "*")
    person.may(allow("secretsmanager:ListSecrets"))
    assert names(answered(own.list_secrets)) == ["a"]


# Order


def test_the_order_is_that_of_creation_unless_asked_otherwise(client: Any) -> None:
    filled(client, "b", "a", "c")
    client.update_secret(SecretId="b", Description="changed last but one")
    client.update_secret(SecretId="a", Description="changed last")
    for sort_by, expected in (
        ({}, ["b", "a", "c"]),
        ({"SortBy": "created-date"}, ["b", "a", "c"]),
        ({"SortBy": "name"}, ["a", "b", "c"]),
        ({"SortBy": "last-changed-date"}, ["c", "b", "a"]),
    ):
        assert names(answered(client.list_secrets, **sort_by)) == expected
        assert names(answered(client.list_secrets, SortOrder="asc", **sort_by)) == expected
        assert names(answered(client.list_secrets, SortOrder="desc", **sort_by)) == expected[::-1]


def test_secrets_never_read_come_before_those_that_were(client: Any) -> None:
    filled(client, "a", "b", "c")
    client.get_secret_value(SecretId="b")
    described_after_reading(client, "b")
    assert names(answered(client.list_secrets, SortBy="last-accessed-date"))[-1] == "b"
    assert names(answered(client.list_secrets, SortBy="last-accessed-date", SortOrder="desc"))[0] == "b"


def test_names_are_ordered_by_code_point(client: Any) -> None:
    filled(client, "b", "a", "B", "a/b", "a-b", "a.b", "_", "9")
    expected = sorted(["b", "a", "B", "a/b", "a-b", "a.b", "_", "9"])
    assert names(answered(client.list_secrets, SortBy="name")) == expected


@pytest.mark.parametrize("member", ["SortBy", "SortOrder"])
def test_other_orders_are_refused(client: Any, member: str) -> None:
    choices = {
        "SortBy": "created-date, last-accessed-date, last-changed-date, name",
        "SortOrder": "asc, desc",
    }
    place = member[0].lower() + member[1:]
    assert refused(client.list_secrets, **{member: "Name"}) == invalid(
        f"Value 'Name' at '{place}' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{choices[member]}]"
    )


# Filters

SHELF: Sequence[tuple[str, str | None, dict[str, str]]] = (
    ("prod/db", "a secret", {"Team": "Blue sky", "env": "prod"}),
    ("prod/api", "an secret", {"team": "blue"}),
    ("Prod/db", "asecret", {}),
    ("test/db", "thesecret", {"env": "test"}),
    ("/rooted", None, {"cost": "blue"}),
    ("testing1/one-123", "Two words, Punctuated; DescTwo", {}),
    ("bare", "", {"camelCase": "x", "COMPANYthings": "y"}),
)


def found(client: Any, *filters: tuple[str, str | list[str]]) -> set[str]:
    sent = [
        {"Key": key, "Values": [values] if isinstance(values, str) else values} for key, values in filters
    ]
    return set(names(answered(client.list_secrets, Filters=sent)))


EVERY = {name for name, _, _ in SHELF}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("name", "prod/", {"prod/db", "prod/api"}),
        ("name", "Prod", {"Prod/db"}),
        ("name", "db", set()),
        ("name", "prod/db", {"prod/db"}),
        ("name", "testing1 one", set()),
        ("name", "", EVERY),
        ("name", "!/", EVERY - {"/rooted"}),
        ("name", "!prod/", EVERY - {"prod/db", "prod/api"}),
        ("tag-key", "team", {"prod/api"}),
        ("tag-key", "T", {"prod/db"}),
        ("tag-key", "e", {"prod/db", "test/db"}),
        ("tag-key", "eam", set()),
        ("tag-key", "!env", EVERY - {"prod/db", "test/db"}),
        ("tag-value", "blue", {"prod/api", "/rooted"}),
        ("tag-value", "Blue", {"prod/db"}),
        ("tag-value", "sky", set()),
        ("tag-value", "Blue sky", {"prod/db"}),
        ("tag-value", "!blue", EVERY - {"prod/api", "/rooted"}),
        ("description", "a", {"prod/db", "prod/api", "Prod/db"}),
        ("description", "A SECRET", {"prod/db", "prod/api"}),
        ("description", "a secret", {"prod/db", "prod/api"}),
        ("description", "secret a", {"prod/db", "prod/api"}),
        ("description", "secret", {"prod/db", "prod/api"}),
        ("description", "thesec", {"test/db"}),
        ("description", "words two", {"testing1/one-123"}),
        ("description", "nothing", set()),
        ("description", "!a", EVERY - {"prod/db", "prod/api", "Prod/db"}),
        ("description", "!secret", EVERY - {"prod/db", "prod/api"}),
        ("owning-service", "rds", set()),
        ("owning-service", "!rds", EVERY),
        ("primary-region", "eu", set()),
        ("all", "prod", {"prod/db", "prod/api", "Prod/db"}),
        ("all", "PROD", {"prod/db", "prod/api", "Prod/db"}),
        ("all", "blue", {"prod/db", "prod/api", "/rooted"}),
        ("all", "sky", {"prod/db"}),
        ("all", "secret", {"prod/db", "prod/api"}),
        ("all", "rooted", {"/rooted"}),
        ("all", "ooted", set()),
        ("all", "case", {"bare"}),
        ("all", "ythings", {"bare"}),
        ("all", "compan", {"bare"}),
        ("all", "ompan", set()),
        ("all", "/", set()),
        ("all", "!prod", EVERY - {"prod/db", "prod/api", "Prod/db"}),
    ],
)
def test_one_filter_with_one_value(shelf: Any, key: str, value: str, expected: set[str]) -> None:
    assert found(shelf, (key, value)) == expected


def test_several_values_of_a_filter_are_alternatives(shelf: Any) -> None:
    assert found(shelf, ("name", ["/", "bare", "none"])) == {"/rooted", "bare"}
    assert found(shelf, ("name", ["!prod", "prod/api"])) == EVERY - {"prod/db"}


def test_several_filters_must_all_match(shelf: Any) -> None:
    assert found(shelf, ("name", "prod"), ("tag-key", "env")) == {"prod/db"}
    assert found(shelf, ("name", "prod"), ("name", "!prod/db")) == {"prod/api"}
    assert found(shelf, ("name", "prod"), ("name", "test")) == set()
    assert found(shelf) == EVERY


def test_replicas_and_primaries_are_found_by_the_primary_region(server: Server, client: Any) -> None:
    there = a_region()
    client.create_secret(Name="shared", SecretString="x", AddReplicaRegions=[{"Region": there}])
    filled(client, "alone")
    here = client.meta.region_name
    other = server.client("secretsmanager", region=there)
    for each in (client, other):
        assert found(each, ("primary-region", here)) == {"shared"}
        assert found(each, ("primary-region", here[:4])) == {"shared"}
        assert found(each, ("primary-region", "eu-west")) == set()
    assert found(client, ("primary-region", "!" + here)) == {"alone"}


def test_filters_follow_changes_at_once(client: Any) -> None:
    filled(client, "a")
    assert found(client, ("tag-key", "k")) == set()
    client.tag_resource(SecretId="a", Tags=[{"Key": "k", "Value": "v"}])
    assert found(client, ("tag-key", "k")) == {"a"}
    client.update_secret(SecretId="a", Description="fresh words")
    assert found(client, ("description", "fresh")) == {"a"}
    client.untag_resource(SecretId="a", TagKeys=["k"])
    assert found(client, ("tag-key", "k")) == set()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param(
            [{"Key": "colour", "Values": ["x"]}],
            invalid(
                "Value 'colour' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum "
                "value set: [description, name, tag-key, tag-value, primary-region, owning-service, all]"
            ),
            id="unknown key",
        ),
        pytest.param(
            [{"Key": "name", "Values": ["a*"]}],
            invalid(
                "Value 'a*' at 'filters.1.member.values.1.member' failed to satisfy constraint: Member must "
                r"satisfy regular expression pattern: ^\!?[a-zA-Z0-9 :_@\/\+\=\.\-\!]*$"
            ),
            id="character",
        ),
        pytest.param(
            [{"Key": "name", "Values": ["a" * 513]}],
            invalid(
                f"Value '{'a' * 256}' at 'filters.1.member.values.1.member' failed to satisfy constraint: "
                "Member must have length less than or equal to 512"
            ),
            id="long value",
        ),
        pytest.param(
            [{"Key": "name", "Values": []}],
            invalid(
                "Value '[]' at 'filters.1.member.values' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
            id="no values",
        ),
        pytest.param(
            [{"Key": "name", "Values": ["v"] * 11}],
            invalid(
                f"Value '[{', '.join(['v'] * 11)}]' at 'filters.1.member.values' failed to satisfy constraint: "
                "Member must have length less than or equal to 10"
            ),
            id="11 values",
        ),
        pytest.param(
            [{"Key": "name", "Values": ["v"]}] * 11,
            invalid(
                "Value at 'filters' failed to satisfy constraint: "
                "Member must have length less than or equal to 10"
            ),
            id="11 filters",
        ),
        pytest.param(
            [{"Values": ["v"]}], ("InvalidParameterException", "Invalid filter key"), id="key missing"
        ),
        pytest.param(
            [{"Key": "name"}],
            ("InvalidParameterException", "Invalid filter values for key: name"),
            id="values missing",
        ),
    ],
)
def test_filters_that_are_refused(shelf: Any, filters: Any, expected: tuple[str, str]) -> None:
    assert refused(shelf.list_secrets, Filters=filters) == expected
    if expected[0] == "InvalidParameterException" or len(filters) == 1:
        assert refused(shelf.batch_get_secret_value, Filters=filters) == expected


# Pages


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    "order", [{}, {"SortBy": "name", "SortOrder": "desc"}, {"SortBy": "last-changed-date"}]
)
def test_pages_hold_what_one_list_holds(shelf: Any, size: int, order: dict[str, str]) -> None:
    whole = names(answered(shelf.list_secrets, **order))
    found = pages(shelf, MaxResults=size, **order)
    assert [name for page in found for name in page] == whole
    assert [len(page) for page in found[:-1]] == [size] * (len(found) - 1)
    assert len(found) == -(-len(whole) // size)


def test_a_page_holds_100_secrets_unless_asked_otherwise(client: Any) -> None:
    made = [f"s{number:03}" for number in range(101)]
    filled(client, *made)
    assert pages(client) == [made[:100], made[100:]]
    assert pages(client, Filters=[{"Key": "name", "Values": ["s0"]}], MaxResults=60) == [
        made[:60],
        made[60:100],
    ]


def test_the_paginator_of_the_sdk_walks_the_pages(shelf: Any) -> None:
    walk = shelf.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
    assert {entry["Name"] for page in walk for entry in page["SecretList"]} == EVERY


@pytest.mark.parametrize("order", [{}, {"SortBy": "name"}, {"SortBy": "name", "SortOrder": "desc"}])
def test_changes_between_pages_neither_repeat_nor_hide_others(client: Any, order: dict[str, str]) -> None:
    original = ["b", "d", "f", "h", "j", "l"]
    filled(client, *original)
    request = {"MaxResults": 2, **order}
    first = answered(client.list_secrets, **request)
    seen = names(first)
    # The last one seen goes, one before it goes, others come on both sides.
    for name in (seen[-1], seen[0]):
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    filled(client, "a", "c", "g", "m")
    rest = pages_from(client, first["NextToken"], **request)
    assert len(rest) == len(set(rest))
    assert not set(rest) & set(seen)
    assert set(original) - set(seen) <= set(rest)
    if order:
        side = (lambda name: name > seen[-1]) if "SortOrder" not in order else (lambda name: name < seen[-1])
        assert set(rest) - set(original) == {name for name in ("a", "c", "g", "m") if side(name)}
        assert rest == sorted(rest, reverse="SortOrder" in order)


def pages_from(client: Any, token: str | None, **request: Any) -> list[str]:
    found: list[str] = []
    while token is not None:
        answer = answered(client.list_secrets, NextToken=token, **request)
        found += names(answer)
        token = answer.get("NextToken")
    return found


def test_a_token_serves_more_than_once_and_with_another_page_size(shelf: Any) -> None:
    whole = names(answered(shelf.list_secrets))
    token = answered(shelf.list_secrets, MaxResults=2)["NextToken"]
    for _ in range(2):
        assert names(answered(shelf.list_secrets, MaxResults=3, NextToken=token)) == whole[2:5]
    assert pages_from(shelf, token) == whole[2:]


def test_tokens_of_another_query_are_refused(server: Server, shelf: Any) -> None:
    token = answered(shelf.list_secrets, MaxResults=1)["NextToken"]
    for other in (
        {"SortBy": "name"},
        {"SortOrder": "desc"},
        {"IncludePlannedDeletion": True},
        {"Filters": [{"Key": "name", "Values": ["p"]}]},
    ):
        assert refused(shelf.list_secrets, MaxResults=1, NextToken=token, **other) == BAD_TOKEN
    elsewhere = server.client("secretsmanager", region=a_region())
    assert refused(elsewhere.list_secrets, NextToken=token) == BAD_TOKEN
    assert (
        refused(shelf.batch_get_secret_value, NextToken=token, Filters=[{"Key": "name", "Values": ["p"]}])
        == BAD_TOKEN
    )


def test_made_up_and_damaged_tokens_are_refused(shelf: Any) -> None:
    token = answered(shelf.list_secrets, MaxResults=1)["NextToken"]
    damaged = [
        token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        for position in range(0, len(token), 7)
    ]
    for wrong in ("x", "é", "a b", "=", "A" * 4096, token + "=", token[:-1], token + token, *damaged):
        assert refused(shelf.list_secrets, NextToken=wrong) == BAD_TOKEN
    assert refused(shelf.list_secrets, NextToken="A" * 4097) == invalid(
        f"Value '{'A' * 256}' at 'nextToken' failed to satisfy constraint: "
        "Member must have length less than or equal to 4096"
    )
    assert refused(shelf.list_secrets, NextToken="") == invalid(
        "Value '' at 'nextToken' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )


@pytest.mark.parametrize(
    ("size", "constraint"),
    [
        (0, "greater than or equal to 1"),
        (101, "less than or equal to 100"),
        (-1, "greater than or equal to 1"),
    ],
)
def test_page_sizes_that_are_refused(shelf: Any, size: int, constraint: str) -> None:
    assert refused(shelf.list_secrets, MaxResults=size) == invalid(
        f"Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have value {constraint}"
    )


def test_a_name_that_is_fresh_is_found_at_once(secrets: Any) -> None:
    name = fresh("listed")
    secrets.create_secret(Name=name, SecretString="x")
    assert found(secrets, ("name", name)) == {name}
