"""The five resource policy operations over TCP. Source: fact sheets secretsmanager section 6, iam section 6."""

from __future__ import annotations

import json
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
    deny,
    fresh,
    invalid,
    missing,
    picture,
    refused,
    value_of,
)
from support.running import Server

PUT = "secretsmanager:PutResourcePolicy"
GET = "secretsmanager:GetResourcePolicy"
DELETE = "secretsmanager:DeleteResourcePolicy"
LIST = "secretsmanager:ListResourcePolicies"
VALIDATE = "secretsmanager:ValidateResourcePolicy"
GET_VALUE = "secretsmanager:GetSecretValue"

SYNTAX = "This resource policy contains a syntax error."
PRINCIPAL = "This resource policy contains an unsupported principal."
SERVICE = "This resource policy contains an unsupported service principal."
LOCK_OUT = "Your requested changes will not allow you to manage this secret in the future."
BROAD = "You can't attach a resource-based policy that allows broad access to the secret."
ONLY_DEFAULT = (
    "InvalidParameterException",
    "You can only attach or delete the resource policy named default.",
)
BAD_POLICY_NAME = invalid(
    r"Value 'no spaces' at 'policyName' failed to satisfy constraint: "
    r"Member must satisfy regular expression pattern: [0-9A-Za-z\-\_]+"
)


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    return str(server.client("sts").get_caller_identity()["Account"])


@pytest.fixture
def name(secrets: Any) -> str:
    made = fresh("ruled")
    secrets.create_secret(Name=made, SecretString="x")
    return made


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


def _arn(client: Any, name: str) -> str:
    return str(client.describe_secret(SecretId=name)["ARN"])


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _grant(principal: Any, action: str = GET_VALUE, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}


def _root(account: str) -> dict[str, str]:
    return {"AWS": f"arn:aws:iam::{account}:root"}


# Success


def test_a_policy_comes_back_as_it_was_put(secrets: Any, name: str, account: str) -> None:
    before = picture(secrets, name)["description"]
    document = (
        '{ "Version":"2012-10-17",\n "Id": "ünïcode",'
        + f' "Statement":{json.dumps(_grant(_root(account)))}}}'
    )
    named = {"ARN": before["ARN"], "Name": name, "PolicyName": "default"}
    assert answered(secrets.put_resource_policy, SecretId=name, ResourcePolicy=document) == named
    assert answered(secrets.get_resource_policy, SecretId=name) == {**named, "ResourcePolicy": document}
    assert answered(secrets.get_resource_policy, SecretId=name, PolicyName="default") == {
        **named,
        "ResourcePolicy": document,
    }
    after = picture(secrets, name)["description"]
    assert after.pop("LastChangedDate") > before.pop("LastChangedDate")
    assert after == before


def test_putting_replaces_the_whole_policy(secrets: Any, name: str, person: Person) -> None:
    client = person.client()
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=_policy(_grant({"AWS": person.arn})))
    assert value_of(client, name) == "x"
    other = _policy(_grant({"AWS": person.arn}, "secretsmanager:DescribeSecret"))
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=other, PolicyName="default")
    assert refused(client.get_secret_value, SecretId=name) == denied(person.arn, GET_VALUE, name)
    assert answered(client.describe_secret, SecretId=name)["Name"] == name
    assert answered(secrets.list_resource_policies, SecretId=name) == {
        "ResourcePolicies": [{"PolicyName": "default"}]
    }
    client.close()


def test_without_a_policy_there_is_none_to_see(secrets: Any, name: str) -> None:
    named = {"ARN": _arn(secrets, name), "Name": name, "PolicyName": "default"}
    assert answered(secrets.get_resource_policy, SecretId=name) == named
    assert answered(secrets.list_resource_policies, SecretId=name) == {"ResourcePolicies": []}


def test_deleting_a_policy_ends_what_it_allowed_and_can_be_repeated(
    secrets: Any, name: str, person: Person
) -> None:
    client = person.client()
    named = {"ARN": _arn(secrets, name), "Name": name, "PolicyName": "default"}
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=_policy(_grant({"AWS": person.arn})))
    assert value_of(client, name) == "x"
    assert answered(secrets.delete_resource_policy, SecretId=name) == named
    assert refused(client.get_secret_value, SecretId=name) == denied(person.arn, GET_VALUE, name)
    before = picture(secrets, name)
    assert before["policy"] == named
    assert answered(secrets.delete_resource_policy, SecretId=name, PolicyName="default") == named
    assert picture(secrets, name) == before
    client.close()


def test_a_deny_in_the_policy_holds_against_the_accounts_own_root(
    secrets: Any, name: str, account: str
) -> None:
    statement = {**_grant(_root(account), GET_VALUE), "Effect": "Deny"}
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=_policy(statement))
    root = f"arn:aws:iam::{account}:root"
    assert refused(secrets.get_secret_value, SecretId=name) == denied(
        root, GET_VALUE, name, " with an explicit deny in a resource-based policy"
    )
    secrets.delete_resource_policy(SecretId=name)
    assert value_of(secrets, name) == "x"


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param("account id", id="account id"),
        pytest.param("root", id="account root"),
        pytest.param({"Service": "lambda.amazonaws.com"}, id="service"),
        pytest.param(
            {"Service": ["ecs-tasks.amazonaws.com", "logs.eu-central-1.amazonaws.com"]}, id="services"
        ),
        pytest.param("*", id="anyone"),
        pytest.param({"AWS": "*"}, id="any principal"),
    ],
)
def test_principals_that_exist_are_taken(secrets: Any, name: str, account: str, principal: Any) -> None:
    known = {"account id": {"AWS": account}, "root": _root(account)}
    wanted = known.get(principal, principal) if isinstance(principal, str) else principal
    document = _policy(_grant(wanted))
    assert answered(secrets.put_resource_policy, SecretId=name, ResourcePolicy=document)["Name"] == name
    assert answered(secrets.get_resource_policy, SecretId=name)["ResourcePolicy"] == document


def test_the_longest_policy_is_taken_and_one_character_more_is_not(
    unchecked: Any, name: str, account: str
) -> None:
    policy = _policy(_grant(_root(account)))
    longest = policy + " " * (20_480 - len(policy))
    assert answered(unchecked.put_resource_policy, SecretId=name, ResourcePolicy=longest)["Name"] == name
    before = picture(unchecked, name)
    too_long = longest + " "
    assert refused(unchecked.put_resource_policy, SecretId=name, ResourcePolicy=too_long) == invalid(
        f"Value '{too_long[:256]}' at 'resourcePolicy' failed to satisfy constraint: "
        "Member must have length less than or equal to 20480"
    )
    assert picture(unchecked, name) == before


# Documents that are refused


MALFORMED = [
    pytest.param("not JSON", id="not JSON"),
    pytest.param("{}", id="no statement"),
    pytest.param("[]", id="a list"),
    pytest.param('{"Version":"2012-10-17","Statement":[],"Statement":[]}', id="a duplicate key"),
    pytest.param('{"Version":"2011-01-01","Statement":{}}', id="a version that never was"),
    pytest.param(_policy({**_grant("*"), "Effect": "allow"}), id="effect in lower case"),
    pytest.param(_policy({**_grant("*"), "Surprise": "x"}), id="an unknown element"),
    pytest.param(_policy({"Effect": "Allow", "Action": GET_VALUE, "Resource": "*"}), id="no principal"),
    pytest.param(_policy({"Effect": "Allow", "Principal": "*", "Resource": "*"}), id="no action"),
    pytest.param(_policy(_grant("*", Condition={"StringLooksLike": {"a": "b"}})), id="an unknown operator"),
]


@pytest.mark.parametrize("document", MALFORMED)
def test_malformed_documents_leave_the_policy_as_it_was(
    secrets: Any, name: str, account: str, document: str
) -> None:
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=_policy(_grant(_root(account))))
    before = picture(secrets, name)
    assert refused(secrets.put_resource_policy, SecretId=name, ResourcePolicy=document) == (
        "MalformedPolicyDocumentException",
        SYNTAX,
    )
    assert picture(secrets, name) == before
    assert answered(secrets.validate_resource_policy, SecretId=name, ResourcePolicy=document) == {
        "PolicyValidationPassed": False,
        "ValidationErrors": [{"CheckName": "PolicySyntax", "ErrorMessage": SYNTAX}],
    }


@pytest.mark.parametrize(
    ("principal", "message"),
    [
        pytest.param({"AWS": "arn:aws:iam::{account}:user/nobody-here"}, PRINCIPAL, id="no such user"),
        pytest.param({"AWS": "arn:aws:iam::{account}:role/nobody-here"}, PRINCIPAL, id="no such role"),
        pytest.param({"AWS": "999999999999"}, PRINCIPAL, id="no such account"),
        pytest.param({"AWS": "arn:aws:iam::999999999999:root"}, PRINCIPAL, id="no such account's root"),
        pytest.param({"AWS": "AIDAAAAAAAAAAAAAAAAAA"}, PRINCIPAL, id="no such unique id"),
        pytest.param({"Service": "secretsmanager"}, SERVICE, id="no service"),
        pytest.param({"Service": "lambda.example.com"}, SERVICE, id="somebody else's service"),
    ],
)
def test_principals_that_do_not_exist_leave_the_policy_as_it_was(
    secrets: Any, name: str, account: str, principal: dict[str, str], message: str
) -> None:
    document = _policy(_grant({kind: who.replace("{account}", account) for kind, who in principal.items()}))
    before = picture(secrets, name)
    assert refused(secrets.put_resource_policy, SecretId=name, ResourcePolicy=document) == (
        "MalformedPolicyDocumentException",
        message,
    )
    assert picture(secrets, name) == before


def test_a_caller_cannot_lock_itself_out(secrets: Any, name: str, account: str) -> None:
    document = _policy({**_grant(_root(account), "secretsmanager:*"), "Effect": "Deny"})
    before = picture(secrets, name)
    assert refused(secrets.put_resource_policy, SecretId=name, ResourcePolicy=document) == (
        "MalformedPolicyDocumentException",
        LOCK_OUT,
    )
    assert picture(secrets, name) == before
    assert answered(secrets.validate_resource_policy, SecretId=name, ResourcePolicy=document) == {
        "PolicyValidationPassed": False,
        "ValidationErrors": [{"CheckName": "CallerLockOut", "ErrorMessage": LOCK_OUT}],
    }


BROAD_POLICIES = [
    pytest.param(_grant("*"), id="anyone"),
    pytest.param(_grant({"AWS": "*"}), id="any principal"),
    pytest.param(
        _grant("*", Condition={"StringLike": {"aws:SourceVpce": "vpce-*"}}), id="narrowed by a pattern"
    ),
    pytest.param(
        _grant("*", Condition={"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}),
        id="narrowed if present",
    ),
    pytest.param(
        _grant("*", Condition={"StringEquals": {"aws:UserAgent": "good"}}),
        id="narrowed by what callers choose",
    ),
]


@pytest.mark.parametrize("statement", BROAD_POLICIES)
def test_broad_access_is_refused_where_that_is_asked_for(
    secrets: Any, name: str, statement: dict[str, Any]
) -> None:
    document = _policy(statement)
    before = picture(secrets, name)
    assert refused(
        secrets.put_resource_policy, SecretId=name, ResourcePolicy=document, BlockPublicPolicy=True
    ) == ("PublicPolicyException", BROAD)
    assert picture(secrets, name) == before
    assert answered(secrets.validate_resource_policy, SecretId=name, ResourcePolicy=document) == {
        "PolicyValidationPassed": False,
        "ValidationErrors": [{"CheckName": "BroadAccess", "ErrorMessage": BROAD}],
    }
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=document, BlockPublicPolicy=False)
    assert answered(secrets.get_resource_policy, SecretId=name)["ResourcePolicy"] == document


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, id="endpoint"),
        pytest.param({"StringEquals": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}}, id="networks"),
        pytest.param({"StringEquals": {"aws:SourceAccount": "123456789012"}}, id="account"),
        pytest.param({"ArnLike": {"aws:SourceArn": "arn:aws:sns:eu-central-1:123456789012:*"}}, id="source"),
        pytest.param({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, id="organization"),
        pytest.param({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}, id="addresses"),
    ],
)
def test_access_narrowed_to_fixed_values_is_not_broad(
    secrets: Any, name: str, condition: dict[str, Any]
) -> None:
    document = _policy(_grant("*", Condition=condition))
    assert answered(secrets.validate_resource_policy, SecretId=name, ResourcePolicy=document) == {
        "PolicyValidationPassed": True,
        "ValidationErrors": [],
    }
    assert (
        answered(secrets.put_resource_policy, SecretId=name, ResourcePolicy=document, BlockPublicPolicy=True)[
            "Name"
        ]
        == name
    )


# Names of policies


def test_only_the_policy_named_default_is_written(secrets: Any, name: str, account: str) -> None:
    document = _policy(_grant(_root(account)))
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=document)
    before = picture(secrets, name)
    assert (
        refused(secrets.put_resource_policy, SecretId=name, ResourcePolicy=document, PolicyName="other")
        == ONLY_DEFAULT
    )
    assert refused(secrets.delete_resource_policy, SecretId=name, PolicyName="other") == ONLY_DEFAULT
    assert picture(secrets, name) == before
    assert refused(secrets.get_resource_policy, SecretId=name, PolicyName="other") == (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified resource policy.",
    )


def test_names_of_policies_have_a_pattern(secrets: Any, name: str, account: str) -> None:
    wrong = {"SecretId": name, "PolicyName": "no spaces"}
    document = _policy(_grant(_root(account)))
    assert refused(secrets.put_resource_policy, ResourcePolicy=document, **wrong) == BAD_POLICY_NAME
    assert refused(secrets.get_resource_policy, **wrong) == BAD_POLICY_NAME
    assert refused(secrets.delete_resource_policy, **wrong) == BAD_POLICY_NAME
    assert answered(secrets.list_resource_policies, SecretId=name) == {"ResourcePolicies": []}


def test_a_list_goes_on_only_with_a_token_of_its_own(secrets: Any, name: str, account: str) -> None:
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=_policy(_grant(_root(account))))
    assert answered(secrets.list_resource_policies, SecretId=name, MaxResults=1) == {
        "ResourcePolicies": [{"PolicyName": "default"}]
    }
    assert refused(secrets.list_resource_policies, SecretId=name, NextToken="made up") == (
        "InvalidNextTokenException",
        "The NextToken value is invalid.",
    )
    pages = [*secrets.get_paginator("list_resource_policies").paginate(SecretId=name)]
    assert [each["PolicyName"] for page in pages for each in page["ResourcePolicies"]] == ["default"]


@pytest.mark.parametrize("size", [0, 101])
def test_a_page_has_1_to_100_names(unchecked: Any, name: str, size: int) -> None:
    bound = "greater than or equal to 1" if size == 0 else "less than or equal to 100"
    assert refused(unchecked.list_resource_policies, SecretId=name, MaxResults=size) == invalid(
        f"Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have value {bound}"
    )


# Validation


def test_validation_without_a_secret_looks_at_the_document_alone(secrets: Any, account: str) -> None:
    good = _policy(_grant(_root(account)))
    assert answered(secrets.validate_resource_policy, ResourcePolicy=good) == {
        "PolicyValidationPassed": True,
        "ValidationErrors": [],
    }
    assert answered(secrets.validate_resource_policy, ResourcePolicy=_policy(_grant("*"))) == {
        "PolicyValidationPassed": False,
        "ValidationErrors": [{"CheckName": "BroadAccess", "ErrorMessage": BROAD}],
    }


def test_validation_tells_all_that_is_wrong_and_stores_nothing(secrets: Any, name: str, account: str) -> None:
    lock_out = {**_grant(_root(account), "secretsmanager:*"), "Effect": "Deny"}
    before = picture(secrets, name)
    assert answered(
        secrets.validate_resource_policy, SecretId=name, ResourcePolicy=_policy(_grant("*"), lock_out)
    ) == {
        "PolicyValidationPassed": False,
        "ValidationErrors": [
            {"CheckName": "BroadAccess", "ErrorMessage": BROAD},
            {"CheckName": "CallerLockOut", "ErrorMessage": LOCK_OUT},
        ],
    }
    assert picture(secrets, name) == before


# Secrets that are absent, marked or replicas


def test_secrets_that_are_not_there_are_refused(secrets: Any, unchecked: Any, account: str) -> None:
    document = _policy(_grant(_root(account)))
    for secret_id, refusal in ((fresh(), NOT_FOUND), ("a b", INVALID_NAME)):
        for operation, request in (
            (secrets.put_resource_policy, {"ResourcePolicy": document}),
            (secrets.validate_resource_policy, {"ResourcePolicy": document}),
            (secrets.get_resource_policy, {}),
            (secrets.delete_resource_policy, {}),
            (secrets.list_resource_policies, {}),
        ):
            assert refused(operation, SecretId=secret_id, **request) == refusal
    for operation in (
        unchecked.get_resource_policy,
        unchecked.delete_resource_policy,
        unchecked.list_resource_policies,
    ):
        assert refused(operation) == missing("secretId")
    assert refused(unchecked.put_resource_policy, SecretId="x") == missing("resourcePolicy")
    assert refused(unchecked.validate_resource_policy) == missing("resourcePolicy")


def test_a_secret_marked_for_deletion_keeps_its_policy(secrets: Any, name: str, account: str) -> None:
    document = _policy(_grant(_root(account)))
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=document)
    secrets.delete_secret(SecretId=name)
    before = picture(secrets, name)
    for operation, request in (
        (secrets.put_resource_policy, {"ResourcePolicy": document}),
        (secrets.validate_resource_policy, {"ResourcePolicy": document}),
        (secrets.get_resource_policy, {}),
        (secrets.delete_resource_policy, {}),
        (secrets.list_resource_policies, {}),
    ):
        assert refused(operation, SecretId=name, **request) == MARKED
    assert picture(secrets, name) == before
    secrets.restore_secret(SecretId=name)
    assert answered(secrets.get_resource_policy, SecretId=name)["ResourcePolicy"] == document


def test_a_replica_has_its_primarys_policy_and_takes_none_itself(
    server: Server, secrets: Any, name: str, account: str
) -> None:
    document = _policy(_grant(_root(account)))
    secrets.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": "eu-west-1"}])
    there = server.client("secretsmanager", region="eu-west-1")
    before = picture(there, name)
    assert refused(there.put_resource_policy, SecretId=name, ResourcePolicy=document) == ON_A_REPLICA
    assert refused(there.delete_resource_policy, SecretId=name) == ON_A_REPLICA
    assert picture(there, name) == before
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=document)
    assert answered(there.get_resource_policy, SecretId=name)["ResourcePolicy"] == document
    assert answered(there.list_resource_policies, SecretId=name) == {
        "ResourcePolicies": [{"PolicyName": "default"}]
    }
    secrets.delete_resource_policy(SecretId=name)
    assert "ResourcePolicy" not in answered(there.get_resource_policy, SecretId=name)
    there.close()


# Permissions


def test_a_user_without_policies_may_do_nothing_with_policies(
    secrets: Any, name: str, account: str, person: Person
) -> None:
    client = person.client()
    document = _policy(_grant(_root(account)))
    before = picture(secrets, name)
    for operation, action, request in (
        (client.put_resource_policy, PUT, {"ResourcePolicy": document}),
        (client.get_resource_policy, GET, {}),
        (client.delete_resource_policy, DELETE, {}),
        (client.list_resource_policies, LIST, {}),
        (client.validate_resource_policy, VALIDATE, {"ResourcePolicy": document}),
    ):
        assert refused(operation, SecretId=name, **request) == denied(person.arn, action, name)
    assert picture(secrets, name) == before
    client.close()


def test_validation_needs_the_permission_to_put_as_well(
    secrets: Any, name: str, account: str, person: Person
) -> None:
    client = person.client()
    request = {"SecretId": name, "ResourcePolicy": _policy(_grant(_root(account)))}
    person.may(allow(VALIDATE))
    assert refused(client.validate_resource_policy, **request) == denied(person.arn, PUT, name)
    person.may(allow([VALIDATE, PUT]))
    assert answered(client.validate_resource_policy, **request)["PolicyValidationPassed"] is True
    client.close()


def test_a_condition_can_require_that_public_policies_are_blocked(
    secrets: Any, name: str, account: str, person: Person
) -> None:
    client = person.client()
    person.may(allow(PUT), deny(PUT, BoolIfExists={"secretsmanager:BlockPublicPolicy": "false"}))
    request = {"SecretId": name, "ResourcePolicy": _policy(_grant(_root(account)))}
    before = picture(secrets, name)
    assert refused(client.put_resource_policy, **request) == denied(
        person.arn, PUT, name, " with an explicit deny in an identity-based policy"
    )
    assert refused(client.put_resource_policy, BlockPublicPolicy=False, **request) == denied(
        person.arn, PUT, name, " with an explicit deny in an identity-based policy"
    )
    assert picture(secrets, name) == before
    assert answered(client.put_resource_policy, BlockPublicPolicy=True, **request)["Name"] == name
    client.close()
