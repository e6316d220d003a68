"""TagResource and UntagResource over TCP. Source: fact sheets secretsmanager section 6, iam sections 6, 9."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.dialogue import (
    INVALID_NAME,
    MARKED,
    NOT_FOUND,
    ON_A_REPLICA,
    Person,
    a_person,
    allow,
    answered,
    denied,
    fresh,
    invalid,
    missing,
    picture,
    refused,
)
from support.running import Server

TAG = "secretsmanager:TagResource"
UNTAG = "secretsmanager:UntagResource"


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture
def name(secrets: Any) -> str:
    """A secret with the tag team=blue."""
    made = fresh("tagged")
    secrets.create_secret(Name=made, SecretString="x", Tags=[{"Key": "team", "Value": "blue"}])
    return made


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


def _tags(client: Any, secret_id: str) -> Any:
    return answered(client.describe_secret, SecretId=secret_id).get("Tags")


def _arn(client: Any, name: str) -> str:
    return str(client.describe_secret(SecretId=name)["ARN"])


def _many(number: int, word: str = "key") -> list[dict[str, str]]:
    return [{"Key": f"{word}-{each}", "Value": ""} for each in range(number)]


# Success


def test_tagging_adds_tags_and_overwrites_equal_keys(secrets: Any, name: str) -> None:
    before = picture(secrets, name)
    tags = [{"Key": "team", "Value": "red"}, {"Key": "Team", "Value": "other case"}, {"Key": "empty"}]
    assert answered(secrets.tag_resource, SecretId=name, Tags=tags) == {}
    after = picture(secrets, name)
    assert after["description"].pop("Tags") == [
        {"Key": "team", "Value": "red"},
        {"Key": "Team", "Value": "other case"},
        {"Key": "empty", "Value": ""},
    ]
    assert after["description"].pop("LastChangedDate") > before["description"].pop("LastChangedDate")
    before["description"].pop("Tags")
    assert after == before


def test_untagging_removes_what_is_there_and_ignores_the_rest(secrets: Any, name: str) -> None:
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "Team", "Value": "red"}])
    assert answered(secrets.untag_resource, SecretId=name, TagKeys=["team", "never", "TEAM"]) == {}
    assert _tags(secrets, name) == [{"Key": "Team", "Value": "red"}]


def test_tags_are_absent_before_the_first_and_an_empty_list_after_the_last(secrets: Any) -> None:
    name = fresh()
    secrets.create_secret(Name=name)
    assert "Tags" not in answered(secrets.describe_secret, SecretId=name)
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "b"}])
    secrets.untag_resource(SecretId=name, TagKeys=["a"])
    assert answered(secrets.describe_secret, SecretId=name)["Tags"] == []


def test_a_secret_is_tagged_by_its_arn_and_by_its_partial_arn(secrets: Any, name: str) -> None:
    arn = _arn(secrets, name)
    secrets.tag_resource(SecretId=arn, Tags=[{"Key": "by", "Value": "arn"}])
    secrets.tag_resource(SecretId=arn[:-7], Tags=[{"Key": "and", "Value": "partial"}])
    assert [tag["Key"] for tag in _tags(secrets, name)] == ["team", "by", "and"]


def test_fifty_tags_of_the_longest_key_and_value_are_kept(secrets: Any, name: str) -> None:
    longest = {"Key": "é" * 128, "Value": "ü" * 256}
    secrets.tag_resource(SecretId=name, Tags=[longest, *_many(48)])
    tags = _tags(secrets, name)
    assert len(tags) == 50
    assert longest in tags


def test_setting_a_tag_to_the_value_it_has_changes_nothing(secrets: Any, name: str) -> None:
    before = picture(secrets, name)
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "team", "Value": "blue"}])
    secrets.untag_resource(SecretId=name, TagKeys=["never"])
    assert picture(secrets, name) == before


# Refusals


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        pytest.param(
            [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
            "You can't provide the same tag key more than once: a",
            id="twice",
        ),
        pytest.param(
            [{"Key": "aws:owner", "Value": "1"}],
            "You can't use the tag key aws:owner: the prefix aws: is reserved for system use.",
            id="reserved",
        ),
        pytest.param(
            [{"Key": "AWS:owner", "Value": "1"}],
            "You can't use the tag key AWS:owner: the prefix aws: is reserved for system use.",
            id="reserved in any case",
        ),
        pytest.param(_many(51), "You can't attach more than 50 tags to a secret.", id="51 at once"),
        pytest.param(_many(50), "You can't attach more than 50 tags to a secret.", id="51 with the old one"),
        pytest.param([{"Value": "1"}], "You must provide a key for each tag.", id="no key"),
    ],
)
def test_tags_that_may_not_be_change_nothing(
    secrets: Any, name: str, tags: list[dict[str, str]], message: str
) -> None:
    before = picture(secrets, name)
    assert refused(secrets.tag_resource, SecretId=name, Tags=[{"Key": "good", "Value": "1"}, *tags]) == (
        "InvalidParameterException",
        message,
    )
    assert picture(secrets, name) == before


@pytest.mark.parametrize(
    ("tag", "failure"),
    [
        pytest.param(
            {"Key": "k" * 129, "Value": ""},
            f"Value '{'k' * 129}' at 'tags.1.member.key' failed to satisfy constraint: "
            "Member must have length less than or equal to 128",
            id="key too long",
        ),
        pytest.param(
            {"Key": "", "Value": ""},
            "Value '' at 'tags.1.member.key' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            id="key empty",
        ),
        pytest.param(
            {"Key": "k", "Value": "v" * 257},
            f"Value '{'v' * 256}' at 'tags.1.member.value' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
            id="value too long",
        ),
    ],
)
def test_members_out_of_their_bounds_change_nothing(
    unchecked: Any, name: str, tag: dict[str, str], failure: str
) -> None:
    before = picture(unchecked, name)
    assert refused(unchecked.tag_resource, SecretId=name, Tags=[tag]) == invalid(failure)
    assert picture(unchecked, name) == before


def test_a_reserved_key_cannot_be_removed(secrets: Any, name: str) -> None:
    before = picture(secrets, name)
    assert refused(secrets.untag_resource, SecretId=name, TagKeys=["team", "aws:owner"]) == (
        "InvalidParameterException",
        "You can't use the tag key aws:owner: the prefix aws: is reserved for system use.",
    )
    assert picture(secrets, name) == before


def test_required_members_are_missed(unchecked: Any, name: str) -> None:
    assert refused(unchecked.tag_resource, SecretId=name) == missing("tags")
    assert refused(unchecked.tag_resource, Tags=[]) == missing("secretId")
    assert refused(unchecked.untag_resource, SecretId=name) == missing("tagKeys")
    assert refused(unchecked.untag_resource, TagKeys=["a"]) == missing("secretId")


def test_a_secret_that_is_not_there_cannot_be_tagged(secrets: Any) -> None:
    name = fresh()
    assert refused(secrets.tag_resource, SecretId=name, Tags=[{"Key": "a", "Value": "b"}]) == NOT_FOUND
    assert refused(secrets.untag_resource, SecretId=name, TagKeys=["a"]) == NOT_FOUND
    assert refused(secrets.describe_secret, SecretId=name) == NOT_FOUND


def test_a_name_that_cannot_be_is_refused(secrets: Any) -> None:
    assert refused(secrets.tag_resource, SecretId="a b", Tags=[{"Key": "a", "Value": "b"}]) == INVALID_NAME
    assert refused(secrets.untag_resource, SecretId="a?", TagKeys=["a"]) == INVALID_NAME


def test_a_secret_marked_for_deletion_keeps_its_tags(secrets: Any, name: str) -> None:
    secrets.delete_secret(SecretId=name)
    before = picture(secrets, name)
    assert refused(secrets.tag_resource, SecretId=name, Tags=[{"Key": "a", "Value": "b"}]) == MARKED
    assert refused(secrets.untag_resource, SecretId=name, TagKeys=["team"]) == MARKED
    assert picture(secrets, name) == before
    secrets.restore_secret(SecretId=name)
    assert answered(secrets.tag_resource, SecretId=name, Tags=[{"Key": "a", "Value": "b"}]) == {}


def test_a_replica_has_its_primarys_tags_and_takes_none_itself(
    server: Server, secrets: Any, name: str
) -> None:
    secrets.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": "eu-west-1"}])
    there = server.client("secretsmanager", region="eu-west-1")
    assert refused(there.tag_resource, SecretId=name, Tags=[{"Key": "a", "Value": "b"}]) == ON_A_REPLICA
    assert refused(there.untag_resource, SecretId=name, TagKeys=["team"]) == ON_A_REPLICA
    assert _tags(there, name) == _tags(secrets, name) == [{"Key": "team", "Value": "blue"}]
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "b"}])
    secrets.untag_resource(SecretId=name, TagKeys=["team"])
    assert _tags(there, name) == _tags(secrets, name) == [{"Key": "a", "Value": "b"}]
    there.close()


# Permissions


def test_a_user_without_policies_tags_nothing(secrets: Any, name: str, person: Person) -> None:
    client = person.client()
    before = picture(secrets, name)
    arn = _arn(secrets, name)
    request = {"SecretId": name, "Tags": [{"Key": "a", "Value": "b"}]}
    assert refused(client.tag_resource, **request) == denied(person.arn, TAG, name)
    assert refused(client.untag_resource, SecretId=arn, TagKeys=["team"]) == denied(person.arn, UNTAG, arn)
    assert picture(secrets, name) == before
    client.close()


def test_conditions_see_the_tags_of_the_request_and_of_the_secret(
    secrets: Any, name: str, person: Person
) -> None:
    person.may(
        allow(
            TAG,
            StringEquals={"aws:RequestTag/stage": "test", "secretsmanager:ResourceTag/team": "blue"},
            **{"ForAllValues:StringEquals": {"aws:TagKeys": ["stage", "note"]}},
        )
    )
    client = person.client()
    good = [{"Key": "stage", "Value": "test"}, {"Key": "note", "Value": "x"}]
    for tags in (
        [{"Key": "stage", "Value": "production"}],
        [{"Key": "note", "Value": "x"}],
        [*good, {"Key": "more", "Value": "x"}],
    ):
        assert refused(client.tag_resource, SecretId=name, Tags=tags) == denied(person.arn, TAG, name)
    assert _tags(secrets, name) == [{"Key": "team", "Value": "blue"}]
    assert answered(client.tag_resource, SecretId=name, Tags=good) == {}
    assert _tags(secrets, name) == [{"Key": "team", "Value": "blue"}, *good]
    client.close()


def test_a_tag_change_that_costs_the_caller_its_access_is_refused(
    secrets: Any, name: str, person: Person
) -> None:
    person.may(allow("secretsmanager:*", StringEquals={"aws:ResourceTag/team": "blue"}))
    client = person.client()
    before = picture(secrets, name)
    for action, call in (
        (TAG, lambda: refused(client.tag_resource, SecretId=name, Tags=[{"Key": "team", "Value": "red"}])),
        (UNTAG, lambda: refused(client.untag_resource, SecretId=name, TagKeys=["team"])),
    ):
        assert call() == (
            "AccessDeniedException",
            f"User: {person.arn} is not authorized to perform: {action} on resource: {name}",
        )
    assert picture(secrets, name) == before
    assert answered(client.tag_resource, SecretId=name, Tags=[{"Key": "note", "Value": "x"}]) == {}
    client.close()
