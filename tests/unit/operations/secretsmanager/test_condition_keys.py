"""What policies are told of each call, and which other permissions a call asks for (fact sheet iam section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import AccessDeniedException
from strongroom.keys.records import Alias, KmsKey
from strongroom.names import Arn
from strongroom.operations.call import Operation, Target
from strongroom.operations.secretsmanager import OPERATIONS
from strongroom.operations.secretsmanager.reading import (
    GET_SECRET_VALUE,
)
from strongroom.operations.secretsmanager.replication import REPLICATE_SECRET_TO_REGIONS
from strongroom.operations.secretsmanager.values import (
    CREATE_SECRET,
    PUT_SECRET_VALUE,
    UPDATE_SECRET,
)
from strongroom.ports import ALIASES, KMS_KEYS
from strongroom.secret.records import CrossAccountPrimary, Rotation
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, REGION, allow, deny, for_principal, policy
from support.replica_room import PARIS, ReplicaRoom, version_id

BY_NAME = {each.name: each for each in OPERATIONS}
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate"
ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-AbCdEf"
TOKEN = version_id(9)
TAGS = [{"Key": "team", "Value": "b"}, {"Key": "Stage", "Value": ""}]
NO_KMS = "Access to KMS is not allowed"

OF_THE_SECRET = {
    "secretsmanager:SecretId": ARN,
    "secretsmanager:resource/AllowRotationLambdaArn": FUNCTION,
    "secretsmanager:resource/Type": "SalesforceClientSecret",
    "secretsmanager:SecretPrimaryRegion": REGION,
    "secretsmanager:ResourceTag/team": "a",
    "aws:ResourceTag/team": "a",
}
OF_TAGS = {
    "aws:RequestTag/team": "b",
    "aws:RequestTag/Stage": "",
    "aws:TagKeys": ("team", "Stage"),
}
ONE_SECRET = {"SecretId": "db"}


@pytest.fixture
def room() -> ReplicaRoom:
    made = ReplicaRoom()
    made.add_secret(
        tags={"team": "a"},
        type="SalesforceClientSecret",
        rotation=Rotation(enabled=True, function_arn=Arn(FUNCTION)),
    )
    return made


def an_alias(room: ReplicaRoom, key: KmsKey) -> None:
    """`alias/mine` leads to the key."""
    arn = Arn(f"arn:aws:kms:{key.region}:{key.account_id}:alias/mine")
    room.unit.save(
        ALIASES,
        Alias(alias_name="alias/mine", arn=arn, key_id=key.key_id, created_at=NOON, updated_at=NOON),
    )


def targets(room: ReplicaRoom, operation: Operation, request: Mapping[str, Any]) -> list[Target]:
    call = room.call(operation.name, request, service="secretsmanager")
    return list(operation.targets(call, room.unit))


SECRET_LEVEL: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("CancelRotateSecret", {}, {}),
    (
        "DeleteSecret",
        {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": False},
        {"secretsmanager:RecoveryWindowInDays": "7", "secretsmanager:ForceDeleteWithoutRecovery": "false"},
    ),
    ("DeleteSecret", {}, {}),
    (
        "DeleteSecret",
        {"ForceDeleteWithoutRecovery": True},
        {"secretsmanager:ForceDeleteWithoutRecovery": "true"},
    ),
    ("DeleteResourcePolicy", {}, {}),
    ("DescribeSecret", {}, {}),
    ("GetResourcePolicy", {}, {}),
    ("GetSecretValue", {}, {}),
    ("GetSecretValue", {"VersionId": TOKEN}, {"secretsmanager:VersionId": TOKEN}),
    ("GetSecretValue", {"VersionStage": "AWSPREVIOUS"}, {"secretsmanager:VersionStage": "AWSPREVIOUS"}),
    ("ListResourcePolicies", {}, {}),
    ("ListSecretVersionIds", {}, {}),
    ("PutResourcePolicy", {"ResourcePolicy": "{}"}, {}),
    (
        "PutResourcePolicy",
        {"ResourcePolicy": "{}", "BlockPublicPolicy": True},
        {"secretsmanager:BlockPublicPolicy": "true"},
    ),
    (
        "PutResourcePolicy",
        {"ResourcePolicy": "{}", "BlockPublicPolicy": False},
        {"secretsmanager:BlockPublicPolicy": "false"},
    ),
    ("PutSecretValue", {"SecretString": "x"}, {}),
    ("RemoveRegionsFromReplication", {"RemoveReplicaRegions": [PARIS]}, {}),
    (
        "ReplicateSecretToRegions",
        {"AddReplicaRegions": [{"Region": PARIS}, {"Region": "us-east-2"}]},
        {"secretsmanager:AddReplicaRegions": (PARIS, "us-east-2")},
    ),
    (
        "ReplicateSecretToRegions",
        {"AddReplicaRegions": [{"Region": PARIS}], "ForceOverwriteReplicaSecret": True},
        {
            "secretsmanager:AddReplicaRegions": (PARIS,),
            "secretsmanager:ForceOverwriteReplicaSecret": "true",
        },
    ),
    ("RestoreSecret", {}, {}),
    (
        "RotateSecret",
        {},
        {"secretsmanager:ModifyRotationRules": "false", "secretsmanager:RotateImmediately": "true"},
    ),
    (
        "RotateSecret",
        {
            "RotationLambdaARN": FUNCTION + "2",
            "RotationRules": {"AutomaticallyAfterDays": 3},
            "RotateImmediately": False,
            "ExternalSecretRotationRoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
        },
        {
            "secretsmanager:RotationLambdaARN": FUNCTION + "2",
            "secretsmanager:ModifyRotationRules": "true",
            "secretsmanager:RotateImmediately": "false",
            "secretsmanager:ExternalSecretRotationRoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
        },
    ),
    ("StopReplicationToReplica", {}, {}),
    ("TagResource", {"Tags": TAGS}, OF_TAGS),
    ("UntagResource", {"TagKeys": ["team"]}, {"aws:TagKeys": ("team",)}),
    ("UpdateSecret", {}, {}),
    (
        "UpdateSecret",
        {"Description": "new", "Type": "Other"},
        {"secretsmanager:Description": "new", "secretsmanager:Type": "Other"},
    ),
    ("UpdateSecretVersionStage", {"VersionStage": "mine"}, {"secretsmanager:VersionStage": "mine"}),
    ("ValidateResourcePolicy", {"ResourcePolicy": "{}"}, {}),
    ("DisassociateCrossAccountReplica", {"CrossAccountReplicaARN": ARN}, {}),
    ("AssociateCrossAccountReplica", {"CrossAccountReplicaARN": ARN}, {}),
]


@pytest.mark.parametrize(
    ("name", "more", "of_the_request"),
    [pytest.param(*each, id=f"{each[0]} {' '.join(each[1])}") for each in SECRET_LEVEL],
)
def test_a_call_on_a_secret_tells_of_secret_and_request(
    room: ReplicaRoom, name: str, more: dict[str, Any], of_the_request: dict[str, Any]
) -> None:
    for secret_id in ("db", ARN, ARN[:-7]):
        found = targets(room, BY_NAME[name], {"SecretId": secret_id, **more})
        assert found[0].action == BY_NAME[name].action
        assert found[0].context == {**OF_THE_SECRET, **of_the_request}
        assert (found[0].resource, found[0].owner_account) == (ARN, ACCOUNT)


def test_every_operation_on_a_secret_is_in_the_table_above() -> None:
    elsewhere = {"BatchGetSecretValue", "CreateSecret", "GetRandomPassword", "ListSecrets"}
    assert {name for name, *_ in SECRET_LEVEL} | elsewhere == set(BY_NAME)


def test_a_replica_tells_the_region_of_its_primary(room: ReplicaRoom) -> None:
    room.run(REPLICATE_SECRET_TO_REGIONS, {**ONE_SECRET, "AddReplicaRegions": [{"Region": PARIS}]})
    call = room.call("DescribeSecret", ONE_SECRET, region=PARIS, service="secretsmanager")
    (target,) = BY_NAME["DescribeSecret"].targets(call, room.unit)
    assert target.context["secretsmanager:SecretPrimaryRegion"] == REGION
    assert target.context["secretsmanager:SecretId"] == ARN.replace(REGION, PARIS)


def test_a_secret_that_is_not_there_is_known_by_its_name_only(room: ReplicaRoom) -> None:
    (target,) = targets(room, GET_SECRET_VALUE, {"SecretId": "gone", "VersionStage": "x"})
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:gone"
    assert (target.resource, target.resource_policies) == (arn, ())
    assert target.context == {"secretsmanager:SecretId": arn, "secretsmanager:VersionStage": "x"}


def test_a_new_secret_tells_what_it_will_be(room: ReplicaRoom) -> None:
    key = room.add_key()
    request = {
        "Name": "new",
        "Description": "words",
        "Type": "Kind",
        "KmsKeyId": key.key_id,
        "Tags": TAGS,
        "AddReplicaRegions": [{"Region": PARIS}],
        "ForceOverwriteReplicaSecret": False,
        "CrossAccountPrimaryARN": ARN,
    }
    future = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:new-??????"
    expected = {
        "secretsmanager:SecretId": future,
        "secretsmanager:Name": "new",
        "secretsmanager:Description": "words",
        "secretsmanager:Type": "Kind",
        "secretsmanager:KmsKeyId": key.key_id,
        "secretsmanager:KmsKeyArn": key.arn,
        "secretsmanager:AddReplicaRegions": (PARIS,),
        "secretsmanager:ForceOverwriteReplicaSecret": "false",
        **OF_TAGS,
        "aws:ResourceTag/team": "b",
        "aws:ResourceTag/Stage": "",
        "secretsmanager:ResourceTag/team": "b",
        "secretsmanager:ResourceTag/Stage": "",
    }
    found = targets(room, CREATE_SECRET, request)
    assert [each.action.partition(":")[2] for each in found] == [
        "CreateSecret",
        "TagResource",
        "ReplicateSecretToRegions",
        "PutResourcePolicy",
    ]
    for each in found:
        assert (each.context, each.resource) == (expected, future)


def test_a_new_secret_asks_for_no_more_than_it_has(room: ReplicaRoom) -> None:
    (target,) = targets(room, CREATE_SECRET, {"Name": "new"})
    assert set(target.context) == {"secretsmanager:SecretId", "secretsmanager:Name"}


def test_a_key_is_told_by_its_arn_whatever_it_was_called(room: ReplicaRoom) -> None:
    key = room.add_key()
    an_alias(room, key)
    alias_arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/mine"
    for sent in (key.key_id, key.arn, "alias/mine", alias_arn):
        for operation, request in ((UPDATE_SECRET, ONE_SECRET), (CREATE_SECRET, {"Name": "n"})):
            (target,) = targets(room, operation, {**request, "KmsKeyId": sent})
            assert target.context["secretsmanager:KmsKeyId"] == sent
            assert target.context["secretsmanager:KmsKeyArn"] == key.arn
    absent = key.arn[:-4] + "0000"
    (target,) = targets(room, UPDATE_SECRET, {**ONE_SECRET, "KmsKeyId": absent})
    assert target.context["secretsmanager:KmsKeyArn"] == absent
    for sent in ("alias/none", "no key", ""):
        (target,) = targets(room, UPDATE_SECRET, {**ONE_SECRET, "KmsKeyId": sent})
        assert "secretsmanager:KmsKeyArn" not in target.context


def test_no_other_name_gets_round_a_deny_of_a_key(room: ReplicaRoom) -> None:
    key = room.add_key()
    an_alias(room, key)
    banned = deny("*", Condition={"ArnEquals": {"secretsmanager:KmsKeyArn": key.arn}})
    ann = room.user("ann", allow("*"), banned)
    for sent in (key.key_id, key.arn, "alias/mine"):
        for operation, request in ((UPDATE_SECRET, ONE_SECRET), (CREATE_SECRET, {"Name": "n"})):
            sent_all = {**request, "KmsKeyId": sent, "ClientRequestToken": TOKEN}
            message = denied(room, operation, sent_all, ann)
            assert message.endswith("with an explicit deny in an identity-based policy")


def test_the_key_of_a_foreign_secret_is_looked_for_where_the_secret_is(room: ReplicaRoom) -> None:
    key = room.add_key()
    an_alias(room, key)
    call = room.call(
        "UpdateSecret",
        {"SecretId": ARN, "KmsKeyId": "alias/mine"},
        principal=room.user("eve", account_id=OTHER_ACCOUNT),
        service="secretsmanager",
    )
    (target,) = UPDATE_SECRET.targets(call, room.unit)
    assert target.context["secretsmanager:KmsKeyArn"] == key.arn


# What else a call asks for


def denied(room: ReplicaRoom, operation: Operation, request: Mapping[str, Any], principal: Any) -> str:
    before = room.unit.state()
    with pytest.raises(AccessDeniedException) as caught:
        room.run(operation, request, principal=principal)
    assert room.unit.state() == before
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "request_", "actions"),
    [
        ("CreateSecret", {"Name": "n"}, ["CreateSecret"]),
        ("CreateSecret", {"Name": "n", "Tags": TAGS}, ["CreateSecret", "TagResource"]),
        (
            "CreateSecret",
            {"Name": "n", "AddReplicaRegions": [{"Region": PARIS}]},
            ["CreateSecret", "ReplicateSecretToRegions"],
        ),
        (
            "CreateSecret",
            {"Name": "n", "CrossAccountPrimaryARN": ARN},
            ["CreateSecret", "PutResourcePolicy"],
        ),
        ("BatchGetSecretValue", {"SecretIdList": ["db"]}, ["BatchGetSecretValue", "GetSecretValue"]),
        (
            "BatchGetSecretValue",
            {"Filters": [{"Key": "name", "Values": ["db"]}]},
            ["BatchGetSecretValue", "ListSecrets", "GetSecretValue"],
        ),
        (
            "ValidateResourcePolicy",
            {**ONE_SECRET, "ResourcePolicy": "{}"},
            ["ValidateResourcePolicy", "PutResourcePolicy"],
        ),
        ("ValidateResourcePolicy", {"ResourcePolicy": "{}"}, ["ValidateResourcePolicy", "PutResourcePolicy"]),
        ("RotateSecret", ONE_SECRET, ["RotateSecret", "lambda:InvokeFunction"]),
        ("StopReplicationToReplica", ONE_SECRET, ["StopReplicationToReplica"]),
        (
            "StopReplicationToReplica",
            {"SecretId": "copy"},
            ["StopReplicationToReplica", "DeleteResourcePolicy"],
        ),
        ("GetRandomPassword", {}, ["GetRandomPassword"]),
        ("ListSecrets", {}, ["ListSecrets"]),
    ],
)
def test_a_call_asks_for_every_permission_it_needs(
    room: ReplicaRoom, name: str, request_: dict[str, Any], actions: list[str]
) -> None:
    foreign = Arn(f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:db-AbCdEf")
    room.add_secret("copy", cross_account_primary=CrossAccountPrimary(arn=foreign, status="InSync"))
    found = targets(room, BY_NAME[name], request_)
    assert [each.action for each in found] == [
        each if ":" in each else f"secretsmanager:{each}" for each in actions
    ]
    without_resource = {"BatchGetSecretValue", "GetRandomPassword", "ListSecrets"}
    for each in found:
        assert (each.resource == "*") is (each.action.partition(":")[2] in without_resource)


NEW_VALUE = {"ClientRequestToken": TOKEN, "SecretString": "new"}
KEY_NEEDS: list[tuple[Operation, dict[str, Any], list[str]]] = [
    (CREATE_SECRET, {"Name": "n", **NEW_VALUE}, ["kms:Decrypt", "kms:GenerateDataKey"]),
    (CREATE_SECRET, {"Name": "n", "ClientRequestToken": TOKEN}, ["kms:Decrypt", "kms:GenerateDataKey"]),
    (GET_SECRET_VALUE, {"SecretId": "own"}, ["kms:Decrypt"]),
    (PUT_SECRET_VALUE, {"SecretId": "own", **NEW_VALUE}, ["kms:GenerateDataKey"]),
    (UPDATE_SECRET, {"SecretId": "own", **NEW_VALUE}, ["kms:Decrypt", "kms:GenerateDataKey"]),
    (
        UPDATE_SECRET,
        {"SecretId": "db", "KmsKeyId": "alias/mine", "ClientRequestToken": TOKEN},
        ["kms:Decrypt", "kms:GenerateDataKey"],
    ),
]


@pytest.mark.parametrize(("operation", "request_", "needs"), KEY_NEEDS)
def test_the_key_asks_for_exactly_its_permissions(
    room: ReplicaRoom, operation: Operation, request_: dict[str, Any], needs: list[str]
) -> None:
    key = room.add_key()
    an_alias(room, key)
    room.add_secret("own", kms_key_id="alias/mine", suffix="OwnOwn")
    if operation is CREATE_SECRET:
        request_ = {**request_, "KmsKeyId": "alias/mine"}
    for lacking in needs:
        others = allow(*[each for each in needs if each != lacking], "kms:DescribeKey")
        ann = room.user("ann", allow("secretsmanager:*"), others)
        assert denied(room, operation, request_, ann) == NO_KMS
    bob = room.user("bob", allow("secretsmanager:*"), allow(*needs))
    assert room.run(operation, request_, principal=bob)["ARN"]


def test_a_repeated_put_is_compared_and_so_needs_decrypt(room: ReplicaRoom) -> None:
    key = room.add_key()
    room.add_secret("own", kms_key_id=key.arn)
    request = {"SecretId": "own", **NEW_VALUE}
    ann = room.user("ann", allow("secretsmanager:*"), allow("kms:GenerateDataKey"))
    answer = room.run(PUT_SECRET_VALUE, request, principal=ann)
    assert denied(room, PUT_SECRET_VALUE, request, ann) == NO_KMS
    bob = room.user("bob", allow("secretsmanager:*"), allow("kms:Decrypt"))
    assert room.run(PUT_SECRET_VALUE, request, principal=bob) == answer


VIA = f"secretsmanager.{REGION}.amazonaws.com"


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ({"StringEquals": {"kms:ViaService": VIA}}, True),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, True),
        ({"StringEquals": {"kms:CallerAccount": OTHER_ACCOUNT}}, False),
        ({"StringEquals": {"kms:EncryptionContext:SecretARN": ARN.replace("db-AbCdEf", "own-OwnOwn")}}, True),
        ({"StringEquals": {"kms:EncryptionContext:SecretARN": ARN}}, False),
        (
            {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["SecretARN", "SecretVersionId"]}},
            True,
        ),
        ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["SecretARN"]}}, False),
        ({"Bool": {"aws:ViaAWSService": "true"}}, True),
        ({"Bool": {"aws:ViaAWSService": "false"}}, False),
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": "secretsmanager.amazonaws.com"}}, True),
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": "ssm.amazonaws.com"}}, False),
        ({"StringEquals": {"aws:CalledViaFirst": "secretsmanager.amazonaws.com"}}, True),
        ({"StringEquals": {"aws:CalledViaLast": "secretsmanager.amazonaws.com"}}, True),
        ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, True),
    ],
)
@pytest.mark.parametrize("where", ["identity policy", "key policy"])
def test_the_key_is_told_that_and_how_the_service_calls(
    room: ReplicaRoom, condition: dict[str, Any], passes: bool, where: str
) -> None:
    key = room.add_key()
    room.add_secret("own", kms_key_id=key.arn, suffix="OwnOwn")
    if where == "key policy":
        document = policy(for_principal(f"arn:aws:iam::{ACCOUNT}:root", "kms:*", Condition=condition))
        room.unit.save(KMS_KEYS, replace(key, policy=document))
        ann = room.user("ann", allow("*"))
    else:
        ann = room.user("ann", allow("secretsmanager:*"), allow("kms:*", Condition=condition))
    if passes:
        assert room.run(GET_SECRET_VALUE, {"SecretId": "own"}, principal=ann)["SecretString"] == "first"
    else:
        assert denied(room, GET_SECRET_VALUE, {"SecretId": "own"}, ann) == NO_KMS


@pytest.mark.parametrize(
    "condition",
    [
        {"Bool": {"aws:ViaAWSService": "false"}},
        {"Null": {"aws:CalledVia": "true"}},
        {"Null": {"aws:CalledViaFirst": "true"}},
        {"Bool": {"aws:PrincipalIsAWSService": "false"}},
        {"Null": {"kms:ViaService": "true"}},
    ],
)
def test_the_call_itself_comes_from_its_caller(room: ReplicaRoom, condition: dict[str, Any]) -> None:
    ann = room.user("ann", allow("secretsmanager:*", Condition=condition))
    assert room.run(GET_SECRET_VALUE, ONE_SECRET, principal=ann)["SecretString"] == "first"


def test_a_policy_sees_the_tags_of_secret_and_request_apart(room: ReplicaRoom) -> None:
    tag = BY_NAME["TagResource"]
    only_own = {
        "StringEquals": {"aws:ResourceTag/team": "a", "secretsmanager:ResourceTag/team": "a"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["stage"]},
        "StringEqualsIgnoreCase": {"aws:RequestTag/stage": "test"},
    }
    ann = room.user("ann", allow("secretsmanager:TagResource", Condition=only_own))
    for tags in (
        [{"Key": "stage", "Value": "prod"}],
        [{"Key": "stage", "Value": "test"}, {"Key": "team", "Value": "b"}],
    ):
        assert denied(room, tag, {**ONE_SECRET, "Tags": tags}, ann).endswith(
            "because no identity-based policy allows the secretsmanager:TagResource action"
        )
    room.run(tag, {**ONE_SECRET, "Tags": [{"Key": "stage", "Value": "Test"}]}, principal=ann)
    assert room.secret(ARN).tags == {"team": "a", "stage": "Test"}


def test_the_replicas_key_asks_for_no_more_than_replication_needs(room: ReplicaRoom) -> None:
    key = room.add_key(region=PARIS)
    needs = allow("kms:GenerateDataKey", "kms:Encrypt", resource=key.arn)
    ann = room.user("ann", allow("secretsmanager:*"), needs)
    request = {**ONE_SECRET, "AddReplicaRegions": [{"Region": PARIS, "KmsKeyId": key.arn}]}
    answer = room.run(REPLICATE_SECRET_TO_REGIONS, request, principal=ann)
    assert [each["Status"] for each in answer["ReplicationStatus"]] == ["InSync"]
