"""Users, access keys, inline policies and who-am-I over TCP; and that a revoked right is gone at once in every
worker. Source: fact sheet iam sections 4, 9 to 13; DESIGN promises 1 to 3.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.dialogue import (
    NO_KMS,
    NOT_FOUND,
    Person,
    a_person,
    allow,
    answered,
    denied,
    deny,
    fresh,
    invalid,
    missing,
    refused,
    until,
    value_of,
)
from support.running import REGION, Server, running
from support.signing import json_call, send

GET_VALUE = "secretsmanager:GetSecretValue"
DESCRIBE = "secretsmanager:DescribeSecret"
BY_A_DENY = " with an explicit deny in an identity-based policy"
UNKNOWN_KEY = ("UnrecognizedClientException", "The security token included in the request is invalid.")
UNKNOWN_KEY_QUERY = ("InvalidClientTokenId", UNKNOWN_KEY[1])
HAMMERED = 28
"""Connections opened to meet every worker: that one of two gets none of them has a chance below 1e-8."""


@pytest.fixture(scope="module")
def iam(server: Server) -> Iterator[Any]:
    client = server.client("iam", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    return str(server.client("sts").get_caller_identity()["Account"])


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


@pytest.fixture
def name(secrets: Any) -> str:
    made = fresh("guarded")
    secrets.create_secret(Name=made, SecretString="x")
    return made


def _user_name() -> str:
    return f"user-{uuid.uuid4().hex[:12]}"


def _no_user(name: str) -> tuple[str, str]:
    return "NoSuchEntity", f"The user with name {name} cannot be found."


def _query_denied(*about: str) -> tuple[str, str]:
    return "AccessDenied", denied(*about)[1]


# Who is it


def test_the_root_user_is_the_account(server: Server, account: str) -> None:
    sts = server.client("sts")
    assert answered(sts.get_caller_identity) == {
        "UserId": account,
        "Account": account,
        "Arn": f"arn:aws:iam::{account}:root",
    }
    sts.close()


def test_a_user_is_told_who_it_is_without_and_against_any_policy(
    person: Person, account: str, iam: Any
) -> None:
    sts = person.client("sts")
    expected = {
        "UserId": iam.get_user(UserName=person.name)["User"]["UserId"],
        "Account": account,
        "Arn": person.arn,
    }
    assert answered(sts.get_caller_identity) == expected
    person.may(deny("*"))
    assert answered(sts.get_caller_identity) == expected
    sts.close()


def test_the_account_of_a_key_is_told_to_those_who_may_ask(
    server: Server, person: Person, account: str
) -> None:
    root, sts = server.client("sts"), person.client("sts")
    asked = {"AccessKeyId": person.access_key_id}
    assert answered(root.get_access_key_info, **asked) == {"Account": account}
    assert refused(sts.get_access_key_info, status=403, **asked) == _query_denied(
        person.arn, "sts:GetAccessKeyInfo", "*"
    )
    root.close()
    sts.close()


# Users


def test_a_user_is_made_found_renamed_and_removed(iam: Any, account: str) -> None:
    name, renamed = _user_name(), _user_name()
    user = answered(iam.create_user, UserName=name, Path="/team/blue/", Tags=[{"Key": "a", "Value": "b"}])[
        "User"
    ]
    assert re.fullmatch("AIDA[A-Z2-7]{17}", user["UserId"])
    assert abs(dt.datetime.now(dt.UTC) - user["CreateDate"]) < dt.timedelta(minutes=1)
    assert user == {
        "Path": "/team/blue/",
        "UserName": name,
        "UserId": user["UserId"],
        "Arn": f"arn:aws:iam::{account}:user/team/blue/{name}",
        "CreateDate": user["CreateDate"],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert answered(iam.get_user, UserName=name)["User"] == user
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/team/", PaginationConfig={"PageSize": 1})
    assert name in [each["UserName"] for page in pages for each in page["Users"]]
    assert answered(iam.update_user, UserName=name, NewUserName=renamed, NewPath="/") == {}
    assert refused(iam.get_user, status=404, UserName=name) == _no_user(name)
    after = answered(iam.get_user, UserName=renamed)["User"]
    assert (after["UserId"], after["Arn"]) == (user["UserId"], f"arn:aws:iam::{account}:user/{renamed}")
    assert answered(iam.delete_user, UserName=renamed) == {}
    assert refused(iam.delete_user, status=404, UserName=renamed) == _no_user(renamed)


def test_a_name_is_taken_in_whatever_case(iam: Any) -> None:
    name = _user_name()
    iam.create_user(UserName=name)
    for taken in (name, name.upper()):
        assert refused(iam.create_user, status=409, UserName=taken) == (
            "EntityAlreadyExists",
            f"User with name {taken} already exists.",
        )
    assert answered(iam.get_user, UserName=name)["User"]["UserName"] == name


def test_names_have_a_pattern_and_a_length(iam: Any) -> None:
    assert refused(iam.create_user) == ("ValidationError", missing("userName")[1])
    assert refused(iam.create_user, UserName="n" * 65) == (
        "ValidationError",
        invalid(
            f"Value '{'n' * 65}' at 'userName' failed to satisfy constraint: "
            "Member must have length less than or equal to 64"
        )[1],
    )
    code, message = refused(iam.create_user, UserName="no spaces")
    assert code == "ValidationError"
    assert "'userName'" in message or "userName" in message


def test_a_user_with_keys_or_policies_is_not_removed(iam: Any, person: Person) -> None:
    person.may(allow("kms:*"))
    assert refused(iam.delete_user, status=409, UserName=person.name) == (
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )
    person.may_nothing()
    assert refused(iam.delete_user, status=409, UserName=person.name) == (
        "DeleteConflict",
        "Cannot delete entity, must delete access keys first.",
    )
    assert answered(iam.get_user, UserName=person.name)["User"]["Arn"] == person.arn
    iam.delete_access_key(UserName=person.name, AccessKeyId=person.access_key_id)
    assert answered(iam.delete_user, UserName=person.name) == {}


def test_tags_of_a_user_are_conditions_of_its_calls(iam: Any, secrets: Any, person: Person) -> None:
    name = fresh()
    secrets.create_secret(Name=name, SecretString="x", Tags=[{"Key": "team", "Value": "blue"}])
    person.may(allow(GET_VALUE, StringEquals={"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}))
    client = person.client()
    assert refused(client.get_secret_value, SecretId=name) == denied(person.arn, GET_VALUE, name)
    iam.tag_user(UserName=person.name, Tags=[{"Key": "team", "Value": "blue"}])
    assert answered(iam.list_user_tags, UserName=person.name)["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert value_of(client, name) == "x"
    iam.untag_user(UserName=person.name, TagKeys=["team"])
    assert refused(client.get_secret_value, SecretId=name) == denied(person.arn, GET_VALUE, name)
    client.close()


# Access keys


def test_a_user_has_two_access_keys_at_most(iam: Any, person: Person) -> None:
    second = answered(iam.create_access_key, UserName=person.name)["AccessKey"]
    assert re.fullmatch("AKIA[A-Z2-7]{16}", second["AccessKeyId"])
    assert re.fullmatch("[A-Za-z0-9/+]{40}", second["SecretAccessKey"])
    assert (second["UserName"], second["Status"]) == (person.name, "Active")
    too_many = ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    assert refused(iam.create_access_key, status=409, UserName=person.name) == too_many
    # An inactive key counts as well.
    iam.update_access_key(UserName=person.name, AccessKeyId=second["AccessKeyId"], Status="Inactive")
    assert refused(iam.create_access_key, status=409, UserName=person.name) == too_many
    listed = answered(iam.list_access_keys, UserName=person.name)
    assert listed["IsTruncated"] is False
    assert {each["AccessKeyId"]: each["Status"] for each in listed["AccessKeyMetadata"]} == {
        person.access_key_id: "Active",
        second["AccessKeyId"]: "Inactive",
    }
    assert "SecretAccessKey" not in json.dumps(listed, default=str)
    iam.delete_access_key(UserName=person.name, AccessKeyId=second["AccessKeyId"])
    third = answered(iam.create_access_key, UserName=person.name)["AccessKey"]
    assert third["AccessKeyId"] not in (person.access_key_id, second["AccessKeyId"])


def test_a_key_is_found_under_its_owner_only(iam: Any, server: Server, person: Person) -> None:
    other = a_person(server)
    request = {"UserName": other.name, "AccessKeyId": person.access_key_id}
    gone = ("NoSuchEntity", f"The Access Key with id {person.access_key_id} cannot be found")
    assert refused(iam.update_access_key, status=404, Status="Inactive", **request) == gone
    assert refused(iam.delete_access_key, status=404, **request) == gone
    assert refused(iam.list_access_keys, status=404, UserName="nobody-here") == _no_user("nobody-here")
    assert refused(iam.create_access_key, status=404, UserName="nobody-here") == _no_user("nobody-here")
    sts = person.client("sts")
    assert answered(sts.get_caller_identity)["Arn"] == person.arn
    sts.close()


def test_a_user_manages_its_own_keys_when_it_may(person: Person) -> None:
    client = person.client("iam")
    assert refused(client.list_access_keys, status=403) == _query_denied(
        person.arn, "iam:ListAccessKeys", f"user {person.name}"
    )
    person.may(allow("iam:*AccessKey*", "arn:aws:iam::*:user/${aws:username}"))
    (key,) = answered(client.list_access_keys)["AccessKeyMetadata"]
    assert key["AccessKeyId"] == person.access_key_id
    second = answered(client.create_access_key)["AccessKey"]
    assert second["UserName"] == person.name
    assert answered(client.delete_access_key, AccessKeyId=second["AccessKeyId"]) == {}
    client.close()


# Inline policies


def test_an_inline_policy_comes_back_as_it_was_put(iam: Any, person: Person) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [allow(GET_VALUE, "arn:aws:secretsmanager:*:*:secret:a+b %*")],
    }
    text = json.dumps(document, indent=1)
    assert answered(iam.put_user_policy, UserName=person.name, PolicyName="a=b", PolicyDocument=text) == {}
    assert answered(iam.get_user_policy, UserName=person.name, PolicyName="a=b") == {
        "UserName": person.name,
        "PolicyName": "a=b",
        "PolicyDocument": document,
    }
    assert answered(iam.list_user_policies, UserName=person.name) == {
        "PolicyNames": ["a=b"],
        "IsTruncated": False,
    }
    assert answered(iam.delete_user_policy, UserName=person.name, PolicyName="a=b") == {}
    gone = ("NoSuchEntity", "The user policy with name a=b cannot be found.")
    assert refused(iam.get_user_policy, status=404, UserName=person.name, PolicyName="a=b") == gone
    assert refused(iam.delete_user_policy, status=404, UserName=person.name, PolicyName="a=b") == gone


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param("not JSON", "This policy contains invalid Json", id="not JSON"),
        pytest.param("{}", "Syntax errors in policy.", id="no statement"),
        pytest.param(
            json.dumps({"Statement": {**allow(GET_VALUE), "Principal": "*"}}),
            "Policy document should not specify a principal.",
            id="a principal",
        ),
        pytest.param(
            json.dumps({"Statement": {"Effect": "Allow", "Resource": "*"}}),
            "Policy statement must contain actions.",
            id="no action",
        ),
        pytest.param(
            json.dumps({"Statement": {"Effect": "Allow", "Action": GET_VALUE}}),
            "Policy statement must contain resources.",
            id="no resource",
        ),
    ],
)
def test_a_malformed_policy_leaves_the_former_one(
    iam: Any, person: Person, document: str, message: str
) -> None:
    person.may(allow(GET_VALUE))
    before = iam.get_user_policy(UserName=person.name, PolicyName="all")["PolicyDocument"]
    assert refused(iam.put_user_policy, UserName=person.name, PolicyName="all", PolicyDocument=document) == (
        "MalformedPolicyDocument",
        message,
    )
    assert iam.get_user_policy(UserName=person.name, PolicyName="all")["PolicyDocument"] == before


def test_inline_policies_have_2048_characters_together(iam: Any, person: Person) -> None:
    def document(size: int) -> str:
        text = json.dumps(
            {"Statement": allow(GET_VALUE, "arn:aws:secretsmanager:*:*:secret:")}, separators=(",", ":")
        )
        return text.replace('secret:"', f'secret:{"x" * (size - len(text))}"')

    request = {"UserName": person.name, "PolicyName": "one"}
    assert refused(iam.put_user_policy, status=409, PolicyDocument=document(2049), **request) == (
        "LimitExceeded",
        f"Maximum policy size of 2048 bytes exceeded for user {person.name}",
    )
    assert answered(iam.list_user_policies, UserName=person.name)["PolicyNames"] == []
    assert answered(iam.put_user_policy, PolicyDocument=document(2048), **request) == {}


# What policies allow


def test_a_user_without_policies_is_denied_everything(secrets: Any, name: str, person: Person) -> None:
    client = person.client()
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    absent = fresh()
    for operation, action, request in (
        (client.get_secret_value, GET_VALUE, {}),
        (client.describe_secret, DESCRIBE, {}),
        (client.put_secret_value, "secretsmanager:PutSecretValue", {"SecretString": "y"}),
        (client.update_secret, "secretsmanager:UpdateSecret", {"Description": "y"}),
        (client.delete_secret, "secretsmanager:DeleteSecret", {}),
        (client.restore_secret, "secretsmanager:RestoreSecret", {}),
        (client.list_secret_version_ids, "secretsmanager:ListSecretVersionIds", {}),
    ):
        # A secret that is not there is not told from one that is.
        for secret_id in (name, arn, arn[:-7], absent):
            assert refused(operation, SecretId=secret_id, **request) == denied(person.arn, action, secret_id)
    assert refused(client.list_secrets) == denied(person.arn, "secretsmanager:ListSecrets", "*")
    assert refused(client.batch_get_secret_value, SecretIdList=[name]) == denied(
        person.arn, "secretsmanager:BatchGetSecretValue", "*"
    )
    assert refused(client.create_secret, Name=absent, SecretString="x") == denied(
        person.arn, "secretsmanager:CreateSecret", absent
    )
    assert refused(secrets.describe_secret, SecretId=absent) == NOT_FOUND
    assert value_of(secrets, name) == "x"
    theirs = person.client("iam")
    assert refused(theirs.create_user, status=403, UserName="intruder")[0] == "AccessDenied"
    assert refused(
        theirs.put_user_policy, status=403, UserName=person.name, PolicyName="p", PolicyDocument="{}"
    ) == (_query_denied(person.arn, "iam:PutUserPolicy", f"user {person.name}"))
    client.close()
    theirs.close()


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("*", True),
        ("secretsmanager:*", True),
        ("secretsmanager:Get*", True),
        ("secretsmanager:GetSecret?alue", True),
        ("SecretsManager:getsecretvalue", True),
        ("secretsmanager:GetSecretValu", False),
        ("secretsmanager:Get?ecret", False),
        ("kms:*", False),
        ("secretsmanager:Describe*", False),
    ],
)
def test_actions_match_by_wildcard_and_in_any_case(
    name: str, person: Person, action: str, allowed: bool
) -> None:
    person.may(allow(action))
    client = person.client()
    if allowed:
        assert value_of(client, name) == "x"
    else:
        assert refused(client.get_secret_value, SecretId=name) == denied(person.arn, GET_VALUE, name)
    client.close()


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        ("*", True),
        ("arn:aws:secretsmanager:*:*:secret:*", True),
        ("arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????", True),
        ("arn:aws:secretsmanager:{region}:{account}:secret:{name}-*", True),
        ("arn:aws:secretsmanager:{region}:{account}:secret:guarded/*", True),
        ("arn:aws:secretsmanager:{region}:{account}:secret:{name}-?????", False),
        ("arn:aws:secretsmanager:{region}:{account}:secret:{name}", False),
        ("arn:aws:secretsmanager:{region}:{account}:secret:GUARDED/*", False),
        ("arn:aws:secretsmanager:eu-west-1:{account}:secret:*", False),
        ("arn:aws:secretsmanager:{region}:999999999999:secret:*", False),
        ("arn:aws:ssm:{region}:{account}:secret:*", False),
    ],
)
def test_resources_match_by_wildcard_and_exactly_otherwise(
    name: str, person: Person, account: str, resource: str, allowed: bool
) -> None:
    person.may(allow(GET_VALUE, resource.format(region=REGION, account=account, name=name)))
    client = person.client()
    if allowed:
        assert value_of(client, name) == "x"
    else:
        assert refused(client.get_secret_value, SecretId=name) == denied(person.arn, GET_VALUE, name)
    client.close()


def test_a_deny_beats_every_allow(secrets: Any, name: str, person: Person) -> None:
    arn = secrets.describe_secret(SecretId=name)["ARN"]
    person.may(allow("*"), deny("secretsmanager:Get*", arn))
    client = person.client()
    assert refused(client.get_secret_value, SecretId=arn) == denied(person.arn, GET_VALUE, arn, BY_A_DENY)
    assert answered(client.describe_secret, SecretId=arn)["Name"] == name
    other = fresh()
    client.create_secret(Name=other, SecretString="mine")
    assert value_of(client, other) == "mine"
    assert answered(client.batch_get_secret_value, SecretIdList=[name, other])["Errors"] == [
        {
            "SecretId": name,
            "ErrorCode": "AccessDeniedException",
            "Message": denied(person.arn, GET_VALUE, name, BY_A_DENY)[1],
        }
    ]
    client.close()


def test_a_deny_in_another_policy_of_the_user_counts(iam: Any, name: str, person: Person) -> None:
    person.may(allow("*"))
    client = person.client()
    assert value_of(client, name) == "x"
    statement = {
        "Version": "2012-10-17",
        "Statement": deny("*", NotIpAddress={"aws:SourceIp": "203.0.113.0/24"}),
    }
    iam.put_user_policy(UserName=person.name, PolicyName="network", PolicyDocument=json.dumps(statement))
    assert refused(client.get_secret_value, SecretId=name) == denied(person.arn, GET_VALUE, name, BY_A_DENY)
    iam.delete_user_policy(UserName=person.name, PolicyName="network")
    assert value_of(client, name) == "x"
    client.close()


def test_the_root_user_may_do_everything_in_its_account(secrets: Any, name: str) -> None:
    assert value_of(secrets, name) == "x"


# Revocation holds in every worker from the moment its call returns


class Room:
    """A server with two workers and its trail, which tells the worker that answered."""

    def __init__(self, server: Server, data_dir: Path) -> None:
        self.server, self.data_dir = server, data_dir
        self.secrets = server.client("secretsmanager")
        self.name = fresh("hammered")
        self.secrets.create_secret(Name=self.name, SecretString="x")

    def hammer(self, person: Person) -> set[tuple[int, str, str]]:
        """Read the secret over many connections at a time; return the distinct outcomes.

        Fails unless each worker has answered at least once.
        """
        call = {"SecretId": self.name}

        def read(_: int) -> Any:
            return send(
                self.server, json_call(self.server, "GetSecretValue", call, credentials=person.credentials)
            )

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(read, range(HAMMERED)))
        asked = {answer.request_id for answer in answers}
        assert until(lambda: len(self._workers(asked)) == 2), "one worker was never met"
        return {
            (200, "", answer.json["SecretString"]) if answer.status == 200 else answer.error
            for answer in answers
        }

    def _workers(self, asked: set[str]) -> set[str]:
        found = set()
        for segment in (self.data_dir / "trail" / "segments").glob("*/*.jsonl"):
            lines = segment.read_bytes().rpartition(b"\n")[0].splitlines()
            if any(json.loads(line)["event"]["requestID"] in asked for line in lines):
                found.add(segment.parent.name)
        return found


GOOD = (200, "", "x")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    directory = tmp_path_factory.mktemp("hammered")
    data_dir = directory / "data"
    arguments = [
        "--data-dir",
        str(data_dir),
        "--root-key",
        f"file:{directory / 'root.key'}",
        "--workers",
        "2",
    ]
    with running(arguments, directory / "log") as server:
        made = Room(server, data_dir)
        yield made
        made.secrets.close()


def _told(refusal: tuple[str, str]) -> tuple[int, str, str]:
    return (400, *refusal)


def _deactivate(person: Person, status: str = "Inactive") -> None:
    person.iam.update_access_key(UserName=person.name, AccessKeyId=person.access_key_id, Status=status)


def test_a_deactivated_key_stops_and_an_activated_one_goes_on(room: Room) -> None:
    person = a_person(room.server)
    person.may(allow(GET_VALUE))
    for _ in range(2):
        assert room.hammer(person) == {GOOD}
        _deactivate(person)
        assert room.hammer(person) == {_told(UNKNOWN_KEY)}
        _deactivate(person, "Active")
    assert room.hammer(person) == {GOOD}
    iam = person.client("iam")
    _deactivate(person)
    assert refused(iam.get_user, status=403) == UNKNOWN_KEY_QUERY
    iam.close()


def test_a_deleted_key_stops_and_so_does_the_key_of_a_deleted_user(room: Room) -> None:
    person = a_person(room.server)
    person.may(allow(GET_VALUE))
    assert room.hammer(person) == {GOOD}
    person.iam.delete_access_key(UserName=person.name, AccessKeyId=person.access_key_id)
    assert room.hammer(person) == {_told(UNKNOWN_KEY)}
    person.may_nothing()
    person.iam.delete_user(UserName=person.name)
    assert room.hammer(person) == {_told(UNKNOWN_KEY)}


def test_a_user_made_anew_under_an_old_name_inherits_nothing(room: Room) -> None:
    person = a_person(room.server)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": person.arn},
        "Action": GET_VALUE,
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Statement": statement}
    room.secrets.put_resource_policy(SecretId=room.name, ResourcePolicy=json.dumps(policy))
    user_id = person.iam.get_user(UserName=person.name)["User"]["UserId"]
    assert room.hammer(person) == {GOOD}
    person.iam.delete_access_key(UserName=person.name, AccessKeyId=person.access_key_id)
    person.iam.delete_user(UserName=person.name)
    assert person.iam.create_user(UserName=person.name)["User"]["Arn"] == person.arn
    assert room.hammer(person) == {_told(UNKNOWN_KEY)}
    key = person.iam.create_access_key(UserName=person.name)["AccessKey"]
    anew = replace(person, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
    assert room.hammer(anew) == {_told(denied(person.arn, GET_VALUE, room.name))}
    shown = json.loads(answered(room.secrets.get_resource_policy, SecretId=room.name)["ResourcePolicy"])
    assert shown["Statement"]["Principal"] == {"AWS": user_id}
    room.secrets.delete_resource_policy(SecretId=room.name)


def test_a_renamed_user_keeps_what_a_secret_grants_it(room: Room) -> None:
    person = a_person(room.server)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [person.arn]},
        "Action": GET_VALUE,
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    room.secrets.put_resource_policy(SecretId=room.name, ResourcePolicy=json.dumps(policy))
    renamed = f"{person.name}-renamed"
    person.iam.update_user(UserName=person.name, NewUserName=renamed)
    assert room.hammer(person) == {GOOD}
    shown = json.loads(answered(room.secrets.get_resource_policy, SecretId=room.name)["ResourcePolicy"])
    assert shown["Statement"][0]["Principal"] == {"AWS": [f"{person.arn}-renamed"]}
    room.secrets.delete_resource_policy(SecretId=room.name)


@pytest.mark.parametrize(
    ("revoke", "reason"),
    [
        pytest.param(lambda room, person: person.may_nothing(), None, id="policy deleted"),
        pytest.param(lambda room, person: person.may(allow(DESCRIBE)), None, id="policy replaced"),
        pytest.param(lambda room, person: person.may(allow("*"), deny("*")), BY_A_DENY, id="deny added"),
        pytest.param(
            lambda room, person: room.secrets.put_resource_policy(
                SecretId=room.name,
                ResourcePolicy=json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": {
                            "Effect": "Deny",
                            "Principal": {"AWS": person.arn},
                            "Action": GET_VALUE,
                            "Resource": "*",
                        },
                    }
                ),
            ),
            " with an explicit deny in a resource-based policy",
            id="resource policy",
        ),
    ],
)
def test_a_changed_policy_holds_at_once(
    room: Room, revoke: Callable[[Room, Person], None], reason: str | None
) -> None:
    person = a_person(room.server)
    for _ in range(2):
        person.may(allow(GET_VALUE))
        room.secrets.delete_resource_policy(SecretId=room.name)
        assert room.hammer(person) == {GOOD}
        revoke(room, person)
        assert room.hammer(person) == {_told(denied(person.arn, GET_VALUE, room.name, reason))}
    room.secrets.delete_resource_policy(SecretId=room.name)


def test_a_key_that_closes_stops_reads_at_once(room: Room) -> None:
    person = a_person(room.server)
    person.may(allow(GET_VALUE), allow("kms:Decrypt"))
    kms = room.server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = kms.get_key_policy(KeyId=key)["Policy"]
    room.secrets.update_secret(SecretId=room.name, KmsKeyId=key)
    assert room.hammer(person) == {GOOD}
    kms.disable_key(KeyId=key)
    assert room.hammer(person) == {
        (
            400,
            "DecryptionFailure",
            "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
        )
    }
    kms.enable_key(KeyId=key)
    assert room.hammer(person) == {GOOD}
    denying = json.loads(policy)
    denying["Statement"].append(
        {"Effect": "Deny", "Principal": {"AWS": person.arn}, "Action": "kms:Decrypt", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key, Policy=json.dumps(denying))
    assert room.hammer(person) == {_told(NO_KMS)}
    kms.put_key_policy(KeyId=key, Policy=policy)
    assert room.hammer(person) == {GOOD}
    room.secrets.update_secret(SecretId=room.name, KmsKeyId="")
    kms.close()
