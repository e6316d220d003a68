"""The resource policies of a secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidNextTokenException,
    InvalidParameterException,
    InvalidRequestException,
    MalformedPolicyDocumentException,
    PublicPolicyException,
    ResourceNotFoundException,
)
from strongroom.operations.secretsmanager.policies import (
    DELETE_RESOURCE_POLICY,
    GET_RESOURCE_POLICY,
    LIST_RESOURCE_POLICIES,
    PUT_RESOURCE_POLICY,
    VALIDATE_RESOURCE_POLICY,
)
from strongroom.ports import SECRET_POLICIES
from strongroom.secret.records import SecretPolicy
from support.secret_room import ACCOUNT, MILLISECOND, NOON, OTHER_ACCOUNT, Room, root

MARKED = "You can't perform this operation on the secret because it was marked for deletion."
NOT_FOUND = "Secrets Manager can't find the specified secret."
SYNTAX = "This resource policy contains a syntax error."
PRINCIPAL = "This resource policy contains an unsupported principal."
SERVICE = "This resource policy contains an unsupported service principal."
LOCK_OUT = "Your requested changes will not allow you to manage this secret in the future."
BROAD = "You can't attach a resource-based policy that allows broad access to the secret."
ONLY_DEFAULT = "You can only attach or delete the resource policy named default."
NO_POLICY = "Secrets Manager can't find the specified resource policy."


def policy(principal: Any, *, effect: str = "Allow", **members: Any) -> str:
    statement = {
        "Effect": effect,
        "Principal": principal,
        "Action": "secretsmanager:*",
        "Resource": "*",
        **members,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def statements(document: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(document)["Statement"]
    return found


OTHER_ROOT = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
GOOD = policy({"AWS": OTHER_ROOT})
PUBLIC = policy("*")
DENY_ALL = policy("*", effect="Deny")
DENY_PUT = policy("*", effect="Deny", Action="secretsmanager:PutResourcePolicy")


def put(room: Room, document: str, **members: Any) -> Any:
    principal = members.pop("principal", None)
    request = {"SecretId": "a", "ResourcePolicy": document, **members}
    return room.run(PUT_RESOURCE_POLICY, request, principal=principal)


def attached(room: Room) -> str | None:
    (secret,) = room.stored_secrets.values()
    found = room.find(SECRET_POLICIES, secret.arn, "default")
    return None if found is None else found.document


def a_room(**members: Any) -> Room:
    room = Room()
    room.add("a", **members)
    return room


def test_a_policy_put_comes_back_as_it_was() -> None:
    room = a_room()
    document = GOOD.replace(", ", " ,\n ")
    (secret,) = room.stored_secrets.values()
    named = {"ARN": secret.arn, "Name": "a", "PolicyName": "default"}
    assert put(room, document) == named
    assert room.run(GET_RESOURCE_POLICY, {"SecretId": "a"}) == {**named, "ResourcePolicy": document}
    assert room.stored_secrets[secret.arn].last_changed_at == NOON + MILLISECOND


def test_a_second_put_replaces_the_whole_policy() -> None:
    room = a_room()
    put(room, GOOD)
    other = policy({"AWS": ACCOUNT})
    put(room, other, PolicyName="default")
    assert attached(room) == other


def test_without_a_policy_get_answers_without_one() -> None:
    room = a_room()
    (secret,) = room.stored_secrets.values()
    expected = {"ARN": secret.arn, "Name": "a", "PolicyName": "default"}
    assert room.run(GET_RESOURCE_POLICY, {"SecretId": "a"}) == expected
    assert room.run(GET_RESOURCE_POLICY, {"SecretId": "a", "PolicyName": "default"}) == expected


def test_get_of_another_unknown_name_is_not_found() -> None:
    with pytest.raises(ResourceNotFoundException) as caught:
        a_room().run(GET_RESOURCE_POLICY, {"SecretId": "a", "PolicyName": "other"})
    assert caught.value.message == NO_POLICY


def test_only_the_default_policy_can_be_put_or_deleted() -> None:
    room = a_room()
    put(room, GOOD)
    before = dict(room.stored_secrets)
    with pytest.raises(InvalidParameterException) as caught:
        put(room, PUBLIC, PolicyName="other")
    assert caught.value.message == ONLY_DEFAULT
    with pytest.raises(InvalidParameterException) as refused:
        room.run(DELETE_RESOURCE_POLICY, {"SecretId": "a", "PolicyName": "other"})
    assert refused.value.message == ONLY_DEFAULT
    assert attached(room) == GOOD
    assert room.stored_secrets == before


def test_deleting_is_idempotent_and_moves_the_change_date_once() -> None:
    room = a_room()
    put(room, GOOD)
    (secret,) = room.stored_secrets.values()
    expected = {"ARN": secret.arn, "Name": "a", "PolicyName": "default"}
    assert room.run(DELETE_RESOURCE_POLICY, {"SecretId": "a"}) == expected
    assert attached(room) is None
    changed = room.stored_secrets[secret.arn].last_changed_at
    assert changed == NOON + 2 * MILLISECOND
    assert room.run(DELETE_RESOURCE_POLICY, {"SecretId": "a"}) == expected
    assert room.stored_secrets[secret.arn].last_changed_at == changed


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param("not json", SYNTAX, id="not JSON"),
        pytest.param("[]", SYNTAX, id="not an object"),
        pytest.param("{}", SYNTAX, id="no statement"),
        pytest.param(policy("*", effect="Perhaps"), SYNTAX, id="no such effect"),
        pytest.param(
            '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}', SYNTAX, id="no principal"
        ),
        pytest.param(policy({"AWS": "999999999999"}), PRINCIPAL, id="unknown account"),
        pytest.param(policy({"AWS": "arn:aws:iam::999999999999:root"}), PRINCIPAL, id="unknown root"),
        pytest.param(policy({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}), PRINCIPAL, id="unknown user"),
        pytest.param(policy({"AWS": f"arn:aws:iam::{ACCOUNT}:user/x/ann"}), PRINCIPAL, id="other path"),
        pytest.param(policy({"AWS": f"arn:aws:iam::{ACCOUNT}:user/Ann"}), PRINCIPAL, id="other case"),
        pytest.param(policy({"AWS": f"arn:aws:iam::{ACCOUNT}:role/nothing"}), PRINCIPAL, id="unknown role"),
        pytest.param(policy({"AWS": f"arn:aws:iam::{ACCOUNT}:group/all"}), PRINCIPAL, id="group"),
        pytest.param(policy({"AWS": "AIDANOBODY000000"}), PRINCIPAL, id="unknown user id"),
        pytest.param(policy({"AWS": [OTHER_ROOT, "999999999999"]}), PRINCIPAL, id="one of several"),
        pytest.param(policy({"Federated": "accounts.example.com"}), PRINCIPAL, id="federated"),
        pytest.param(policy({"CanonicalUser": "a" * 64}), PRINCIPAL, id="canonical user"),
        pytest.param(policy({"Service": "example.com"}), SERVICE, id="no service"),
        pytest.param(policy({"Service": "amazonaws.com"}), SERVICE, id="service without a name"),
        pytest.param(policy({"Service": "lambda.amazonaws.com.evil.com"}), SERVICE, id="suffix"),
        pytest.param(DENY_ALL, LOCK_OUT, id="lock-out"),
        pytest.param(DENY_PUT, LOCK_OUT, id="lock-out from putting"),
    ],
)
def test_a_bad_policy_is_refused_and_the_old_one_stays(document: str, message: str) -> None:
    room = a_room()
    room.user("ann", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    put(room, GOOD)
    before = dict(room.stored_secrets)
    with pytest.raises(MalformedPolicyDocumentException) as caught:
        put(room, document)
    assert caught.value.message == message
    assert attached(room) == GOOD
    assert room.stored_secrets == before


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param({"AWS": ACCOUNT}, id="account"),
        pytest.param({"AWS": [OTHER_ROOT, ACCOUNT]}, id="accounts"),
        pytest.param({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}, id="user"),
        pytest.param({"AWS": "AIDAANN0000000000000"}, id="user id"),
        pytest.param({"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"}, id="federated user"),
        pytest.param({"Service": "secretsmanager.amazonaws.com"}, id="service"),
        pytest.param({"Service": ["logs.eu-west-1.amazonaws.com", "rds.amazonaws.com"]}, id="services"),
        pytest.param("*", id="everyone"),
    ],
)
def test_principals_that_exist_are_accepted(principal: Any) -> None:
    room = a_room()
    ann = room.user("ann", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert ann.principal_id == "AIDAANN0000000000000"
    document = policy(principal)
    put(room, document)
    assert room.run(GET_RESOURCE_POLICY, {"SecretId": "a"})["ResourcePolicy"] == document


def test_broad_access_is_refused_only_when_asked_to_block_it() -> None:
    room = a_room()
    with pytest.raises(PublicPolicyException) as caught:
        put(room, PUBLIC, BlockPublicPolicy=True)
    assert caught.value.message == BROAD
    assert attached(room) is None
    put(room, GOOD, BlockPublicPolicy=True)
    put(room, PUBLIC, BlockPublicPolicy=False)
    put(room, PUBLIC)
    assert attached(room) == PUBLIC


def test_nobody_can_lock_himself_out_but_may_lock_out_others() -> None:
    room = a_room()
    ann = room.user("ann", {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"})
    against_ann = policy({"AWS": ann.arn}, effect="Deny")
    with pytest.raises(MalformedPolicyDocumentException) as caught:
        put(room, against_ann, principal=ann)
    assert caught.value.message == LOCK_OUT
    assert attached(room) is None
    put(room, against_ann)
    assert json.loads(attached(room) or "") == json.loads(against_ann.replace(ann.arn, ann.principal_id))


def test_another_accounts_caller_cannot_take_the_policy_that_lets_it_in() -> None:
    room = a_room()
    put(room, GOOD)
    (secret,) = room.stored_secrets.values()
    only_read = policy({"AWS": OTHER_ROOT}, Action="secretsmanager:GetSecretValue")
    request = {"SecretId": secret.arn, "ResourcePolicy": only_read}
    with pytest.raises(MalformedPolicyDocumentException) as caught:
        room.run(PUT_RESOURCE_POLICY, request, principal=root(OTHER_ACCOUNT))
    assert caught.value.message == LOCK_OUT
    assert attached(room) == GOOD


REQUESTS: list[Any] = [
    pytest.param(PUT_RESOURCE_POLICY, {"ResourcePolicy": GOOD}, id="put"),
    pytest.param(GET_RESOURCE_POLICY, {}, id="get"),
    pytest.param(DELETE_RESOURCE_POLICY, {}, id="delete"),
    pytest.param(LIST_RESOURCE_POLICIES, {}, id="list"),
    pytest.param(VALIDATE_RESOURCE_POLICY, {"ResourcePolicy": GOOD}, id="validate"),
]


@pytest.mark.parametrize(("operation", "members"), REQUESTS)
def test_absent_and_marked_secrets_are_refused(operation: Any, members: Mapping[str, Any]) -> None:
    with pytest.raises(ResourceNotFoundException) as missing:
        Room().run(operation, {"SecretId": "a", **members})
    assert missing.value.message == NOT_FOUND
    room = a_room(deleted_at=NOON, deletion_at=NOON)
    before = dict(room.stored_secrets)
    with pytest.raises(InvalidRequestException) as caught:
        room.run(operation, {"SecretId": "a", **members})
    assert caught.value.message == MARKED
    assert room.stored_secrets == before
    assert attached(room) is None


@pytest.mark.parametrize(("operation", "members"), REQUESTS[:1] + REQUESTS[2:3])
def test_a_replicas_policy_cannot_be_changed(operation: Any, members: Mapping[str, Any]) -> None:
    room = a_room(replica_of="arn:aws:secretsmanager:us-east-1:111122223333:secret:a-abcdef")
    with pytest.raises(InvalidRequestException) as caught:
        room.run(operation, {"SecretId": "a", **members})
    assert caught.value.message == (
        "Operation not permitted on a replica secret. Call must be made in primary secret's region."
    )


def test_policies_are_listed_with_default_first_in_pages() -> None:
    room = a_room()
    (secret,) = room.stored_secrets.values()
    assert room.run(LIST_RESOURCE_POLICIES, {"SecretId": "a"}) == {"ResourcePolicies": []}
    for name in ("zeta", "default", "Alpha", "eta"):
        room.save(SECRET_POLICIES, SecretPolicy(secret_arn=secret.arn, policy_name=name, document=GOOD))
    assert room.run(LIST_RESOURCE_POLICIES, {"SecretId": "a"}) == {
        "ResourcePolicies": [{"PolicyName": name} for name in ("default", "Alpha", "eta", "zeta")]
    }
    first = room.run(LIST_RESOURCE_POLICIES, {"SecretId": "a", "MaxResults": 2})
    assert first["ResourcePolicies"] == [{"PolicyName": "default"}, {"PolicyName": "Alpha"}]
    room.delete(SECRET_POLICIES, secret.arn, "Alpha")
    rest = room.run(
        LIST_RESOURCE_POLICIES, {"SecretId": secret.arn, "MaxResults": 2, "NextToken": first["NextToken"]}
    )
    assert rest == {"ResourcePolicies": [{"PolicyName": "eta"}, {"PolicyName": "zeta"}]}


def test_a_token_of_another_secrets_list_is_refused() -> None:
    room = Room()
    first, other = room.add("a"), room.add("b")
    for name in ("default", "x"):
        room.save(
            SECRET_POLICIES,
            SecretPolicy(secret_arn=first.arn, policy_name=name, document=GOOD),
        )
    token = room.run(LIST_RESOURCE_POLICIES, {"SecretId": "a", "MaxResults": 1})["NextToken"]
    for secret_id, text in ((other.arn, token), ("a", "made-up")):
        with pytest.raises(InvalidNextTokenException) as caught:
            room.run(LIST_RESOURCE_POLICIES, {"SecretId": secret_id, "NextToken": text})
        assert caught.value.message == "The NextToken value is invalid."


@pytest.mark.parametrize("secret_id", [{"SecretId": "a"}, {}], ids=["of a secret", "of none"])
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(GOOD, [], id="good"),
        pytest.param("{", [("PolicySyntax", SYNTAX)], id="syntax"),
        pytest.param(policy({"AWS": "999999999999"}), [("PolicySyntax", PRINCIPAL)], id="principal"),
        pytest.param(PUBLIC, [("BroadAccess", BROAD)], id="broad"),
        pytest.param(DENY_ALL, [("CallerLockOut", LOCK_OUT)], id="lock-out"),
        pytest.param(
            json.dumps({"Version": "2012-10-17", "Statement": [*statements(PUBLIC), *statements(DENY_PUT)]}),
            [("BroadAccess", BROAD), ("CallerLockOut", LOCK_OUT)],
            id="both",
        ),
    ],
)
def test_validation_reports_all_that_is_wrong_and_stores_nothing(
    document: str, expected: list[tuple[str, str]], secret_id: dict[str, str]
) -> None:
    room = a_room()
    before = dict(room.stored_secrets)
    response = room.run(VALIDATE_RESOURCE_POLICY, {**secret_id, "ResourcePolicy": document})
    assert response == {
        "PolicyValidationPassed": not expected,
        "ValidationErrors": [{"CheckName": name, "ErrorMessage": text} for name, text in expected],
    }
    assert attached(room) is None
    assert room.stored_secrets == before


@pytest.mark.parametrize("secret_id", [{"SecretId": "a"}, {}], ids=["of a secret", "of none"])
def test_validation_needs_both_permissions(secret_id: dict[str, str]) -> None:
    room = a_room()
    request = {**secret_id, "ResourcePolicy": GOOD}
    actions = ["secretsmanager:ValidateResourcePolicy", "secretsmanager:PutResourcePolicy"]
    for missing, action in zip(reversed(actions), actions, strict=True):
        caller = room.user("ann", {"Effect": "Allow", "Action": action, "Resource": "*"})
        with pytest.raises(AccessDeniedException) as caught:
            room.run(VALIDATE_RESOURCE_POLICY, request, principal=caller)
        assert f"is not authorized to perform: {missing}" in caught.value.message
    caller = room.user("ann", {"Effect": "Allow", "Action": actions, "Resource": "*"})
    assert room.run(VALIDATE_RESOURCE_POLICY, request, principal=caller)["PolicyValidationPassed"]


def test_policies_see_whether_public_ones_are_blocked() -> None:
    room = a_room()
    caller = room.user(
        "ann",
        {
            "Effect": "Allow",
            "Action": "secretsmanager:PutResourcePolicy",
            "Resource": "*",
            "Condition": {"Bool": {"secretsmanager:BlockPublicPolicy": "true"}},
        },
    )
    for members in ({}, {"BlockPublicPolicy": False}):
        with pytest.raises(AccessDeniedException):
            put(room, GOOD, principal=caller, **members)
    put(room, GOOD, principal=caller, BlockPublicPolicy=True)
    assert attached(room) == GOOD
