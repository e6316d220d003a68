"""Every refusal that ends a call is noted under it, with what it was decided by; one that ends none is not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from strongroom.errors import AccessDeniedException
from strongroom.identity.principal import Principal
from strongroom.names import Region, root_arn
from strongroom.operations.authorize import authorize
from strongroom.operations.catalog import CATALOG, known_actions
from strongroom.operations.kms import ciphers, grants, keys
from strongroom.operations.kms.policies import PUT_KEY_POLICY
from strongroom.operations.refusals import Refusal, decision_record, explained
from strongroom.operations.rotation_role import ROLE_NAME
from strongroom.operations.secretsmanager.policies import PUT_RESOURCE_POLICY, VALIDATE_RESOURCE_POLICY
from strongroom.operations.secretsmanager.reading import BATCH_GET_SECRET_VALUE, GET_SECRET_VALUE
from strongroom.operations.secretsmanager.replication import REPLICATE_SECRET_TO_REGIONS
from strongroom.operations.secretsmanager.rotation import ROTATE_SECRET
from strongroom.operations.secretsmanager.tags import TAG_RESOURCE
from strongroom.operations.secretsmanager.values import UPDATE_SECRET
from strongroom.policy.explanation import Explanation, NarrowDeny
from support.key_room import ACCOUNT, OTHER_ACCOUNT, KeyRoom, allow, deny, for_principal, policy
from support.refused import Outcome, attempt
from support.replica_room import PARIS, ReplicaRoom
from support.rotation_room import FUNCTION, RotationRoom

SECRETS = "secretsmanager"
UNREACHABLE = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you "
    "are not allowed to access."
)


@pytest.fixture
def room() -> ReplicaRoom:
    return ReplicaRoom()


def the_refusal(outcome: Outcome) -> Refusal:
    """Return the one refusal noted, whose message is what the caller is told."""
    assert outcome.error is not None
    (refusal,) = outcome.refusals
    assert refusal.message == str(outcome.error)
    return refusal


def recorded(outcome: Outcome, refusal: Refusal) -> dict[str, Any]:
    found = explained(refusal, known_actions(CATALOG))
    raw = None if found is None else msgspec.Raw(msgspec.json.encode(found))
    read: dict[str, Any] = json.loads(decision_record(outcome.call, refusal, raw))
    return read


def explanation_of(refusal: Refusal) -> Explanation:
    found = explained(refusal, known_actions(CATALOG))
    assert found is not None
    return found


# What a record says


def test_a_refusal_tells_its_layers_and_what_would_allow_it(room: ReplicaRoom) -> None:
    secret, ann = room.add_secret(), room.user("ann")
    outcome = attempt(room, GET_SECRET_VALUE, {"SecretId": "db"}, service=SECRETS, principal=ann)
    record = recorded(outcome, the_refusal(outcome))
    assert (record["request_id"], record["principal"], record["account"], record["resource_account"]) == (
        outcome.call.request_id, ann.arn, ACCOUNT, ACCOUNT,
    )  # fmt: skip
    assert record["refused_by"] == ["identity-based policy"]
    assert "note" not in record
    assert "assuming" not in record
    (change,) = record["explanation"]["remedies"][0]
    assert change["statement"] == {
        "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret.arn,
    }  # fmt: skip


def test_policies_that_cannot_be_read_are_said_to_be_so(room: ReplicaRoom) -> None:
    secret, ann = room.add_secret(), room.user("ann", allow("*"))
    room.attach_policy(secret.arn, "no policy at all")
    outcome = attempt(room, GET_SECRET_VALUE, {"SecretId": "db"}, service=SECRETS, principal=ann)
    record = recorded(outcome, the_refusal(outcome))
    assert record["note"].startswith("A policy of the caller or of the resource is missing")
    assert "explanation" not in record


def test_an_exception_to_a_wildcard_deny_spares_one_action(room: ReplicaRoom) -> None:
    room.add_secret()
    ann = room.user("ann", allow("*"), deny("secretsmanager:Get*", "s3:*"))
    outcome = attempt(room, GET_SECRET_VALUE, {"SecretId": "db"}, service=SECRETS, principal=ann)
    ((change,),) = explanation_of(the_refusal(outcome)).remedies
    assert isinstance(change, NarrowDeny)
    assert change.also_spares == ""
    # The same for everyone else; for ann without the action; and the action on other secrets.
    written = [each["Action"] for each in change.statements]
    (spelled,) = [each for each in written if "s3:*" in each and "secretsmanager:Get*" not in each]
    assert sorted(spelled) == [
        "s3:*", "secretsmanager:GetRandomPassword", "secretsmanager:GetResourcePolicy",
    ]  # fmt: skip


def test_every_action_that_can_be_asked_for_is_known() -> None:
    known = known_actions(CATALOG)
    assert "" not in known
    assert {"kms:ReEncryptFrom", "sts:TagSession", "secretsmanager:GetSecretValue"} <= known
    for name, service in CATALOG.items():
        assert {f"{name}:{operation}" for operation in service.unsupported} <= known
        assert {each.action for each in service.operations.values()} - {""} <= known


def test_a_process_that_keeps_no_records_notes_nothing(room: ReplicaRoom) -> None:
    room.add_secret()
    call = room.call("GetSecretValue", {"SecretId": "db"}, service=SECRETS, principal=room.user("ann"))
    with pytest.raises(AccessDeniedException):
        authorize(call, room.unit, GET_SECRET_VALUE.targets(call, room.unit))
    assert "refusals" not in call.details


# Checks inside a call


def test_tags_that_would_cost_the_caller_its_access(room: ReplicaRoom) -> None:
    room.add_secret(tags={"team": "red"})
    mine = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    ann = room.user("ann", allow("secretsmanager:*", Condition=mine))
    request = {"SecretId": "db", "Tags": [{"Key": "team", "Value": "blue"}]}
    refusal = the_refusal(attempt(room, TAG_RESOURCE, request, service=SECRETS, principal=ann))
    assert refusal.assuming == "the secret had the tags it would have after the call"
    seen = {each.key.lower(): each.values for each in explanation_of(refusal).keys}
    assert seen["aws:resourcetag/team"] == ("blue",)


def test_a_secrets_policy_that_would_lock_the_caller_out(room: ReplicaRoom) -> None:
    room.add_secret()
    ann = room.user("ann", allow("secretsmanager:*"))
    document = policy(for_principal("*", "secretsmanager:*", effect="Deny"))
    request = {"SecretId": "db", "ResourcePolicy": document}
    refusal = the_refusal(attempt(room, PUT_RESOURCE_POLICY, request, service=SECRETS, principal=ann))
    assert refusal.assuming == "the resource policy were the one of the request"
    assert [each.layer.value for each in explanation_of(refusal).refusals] == ["resource-based policy"]
    validated = attempt(room, VALIDATE_RESOURCE_POLICY, request, service=SECRETS, principal=ann)
    assert validated.answer["PolicyValidationPassed"] is False
    assert validated.refusals == []


def test_a_key_policy_that_would_lock_everybody_out(room: ReplicaRoom) -> None:
    key = room.add_key()
    locked = policy(for_principal(root_arn(ACCOUNT), "kms:DescribeKey"))
    outcome = attempt(room, PUT_KEY_POLICY, {"KeyId": key.key_id, "Policy": locked})
    refusal = the_refusal(outcome)
    assert refusal.assuming == "the key policy were the one of the request"
    assert refusal.target.action == "kms:PutKeyPolicy"
    assert room.key(key.key_id).policy == key.policy


# Refusals no policy made


def test_a_key_of_another_account_for_an_operation_of_its_own_account(room: ReplicaRoom) -> None:
    key = room.add_key(account_id=OTHER_ACCOUNT)
    outcome = attempt(room, keys.DISABLE_KEY, {"KeyId": key.arn})
    record = recorded(outcome, the_refusal(outcome))
    assert record["note"].startswith("The operation is for keys of the caller's own account only")
    assert (record["resource"], record["refused_by"]) == (key.arn, [])


def test_a_ciphertext_whose_key_is_in_another_region(room: ReplicaRoom) -> None:
    key = room.add_key()
    blob = room.run(ciphers.ENCRYPT, {"KeyId": key.key_id, "Plaintext": b"x"})["CiphertextBlob"]
    outcome = attempt(room, ciphers.DECRYPT, {"CiphertextBlob": blob}, region=Region("us-east-1"))
    refusal = the_refusal(outcome)
    assert (refusal.message, refusal.target.resource) == (UNREACHABLE, key.arn)
    assert refusal.note.startswith("The key that the ciphertext was made under is not there")


def test_a_grant_that_names_someone_else(room: ReplicaRoom) -> None:
    key, ann = room.add_key(), room.user("ann")
    made = room.run(
        grants.CREATE_GRANT, {"KeyId": key.key_id, "GranteePrincipal": ann.arn, "Operations": ["Decrypt"]}
    )
    admin = room.user("admin", allow("kms:*"))
    request = {"KeyId": key.arn, "GrantId": made["GrantId"]}
    refusal = the_refusal(attempt(room, grants.RETIRE_GRANT, request, principal=admin))
    assert refusal.note.startswith("Policies allow the call, but the grant does not name the caller")


def test_a_ciphertext_of_another_account_keeps_the_text_the_caller_was_told(room: ReplicaRoom) -> None:
    key = room.add_key()
    blob = room.run(ciphers.ENCRYPT, {"KeyId": key.key_id, "Plaintext": b"x"})["CiphertextBlob"]
    eve = room.user("eve", allow("kms:*"), account_id=OTHER_ACCOUNT)
    refusal = the_refusal(attempt(room, ciphers.DECRYPT, {"CiphertextBlob": blob}, principal=eve))
    assert refusal.message == UNREACHABLE
    assert explanation_of(refusal).refusals != ()


# Refusals that end no call


def test_a_version_left_under_its_old_key_leaves_no_refusal(room: ReplicaRoom) -> None:
    old, new = room.add_key(), room.add_key()
    secret = room.add_secret(kms_key_id=old.key_id)
    ann = room.user("ann", allow("secretsmanager:*"), allow("kms:Decrypt", "kms:GenerateDataKey"))
    request = {"SecretId": "db", "KmsKeyId": new.key_id, "ClientRequestToken": "t" * 32}
    outcome = attempt(room, UPDATE_SECRET, request, service=SECRETS, principal=ann)
    assert outcome.error is None
    assert outcome.refusals == []
    (version,) = room.unit.versions(secret.arn)
    assert version.kms_key_arn == old.arn


def test_a_replica_that_fails_leaves_a_status_and_no_refusal(room: ReplicaRoom) -> None:
    key, there = room.add_key(), room.add_key(region=PARIS)
    room.add_secret(kms_key_id=key.key_id)
    ann = room.user("ann", allow("secretsmanager:*"), allow("kms:*", resource=key.arn))
    regions = [{"Region": PARIS, "KmsKeyId": there.key_id}]
    request = {"SecretId": "db", "AddReplicaRegions": regions}
    outcome = attempt(room, REPLICATE_SECRET_TO_REGIONS, request, service=SECRETS, principal=ann)
    (status,) = outcome.answer["ReplicationStatus"]
    assert (status["Status"], status["StatusMessage"]) == ("Failed", "Access to KMS is not allowed")
    assert outcome.refusals == []


def test_each_refused_part_of_a_batch_is_noted(room: ReplicaRoom) -> None:
    for name in ("a", "b", "c"):
        room.add_secret(name, tags={"open": "yes"} if name == "b" else {})
    open_ones = {"StringEquals": {"aws:ResourceTag/open": "yes"}}
    ann: Principal = room.user(
        "ann",
        allow("secretsmanager:BatchGetSecretValue", "kms:*"),
        allow("secretsmanager:GetSecretValue", Condition=open_ones),
    )
    request = {"SecretIdList": ["a", "b", "c"]}
    outcome = attempt(room, BATCH_GET_SECRET_VALUE, request, service=SECRETS, principal=ann)
    assert [each["Name"] for each in outcome.answer["SecretValues"]] == ["b"]
    assert [each.target.resource.split(":")[-1][0] for each in outcome.refusals] == ["a", "c"]


def test_what_is_noted_does_not_change_with_the_store(room: KeyRoom) -> None:
    key, ann = keys_of(room), room.user("ann")
    outcome = attempt(room, ciphers.ENCRYPT, {"KeyId": key, "Plaintext": b"x"}, principal=ann)
    refusal = the_refusal(outcome)
    before = explanation_of(refusal)
    room.user("ann", allow("kms:*"))
    assert explanation_of(refusal) == before


def keys_of(room: KeyRoom) -> str:
    made: str = room.run(keys.CREATE_KEY, {})["KeyMetadata"]["KeyId"]
    return made


# Rotation


def test_a_function_secrets_manager_may_not_invoke() -> None:
    room = RotationRoom()
    room.add_secret()
    request = {"SecretId": "db", "ClientRequestToken": "a" * 32, "RotationLambdaARN": f"{FUNCTION}-other"}
    refusal = the_refusal(attempt(room, ROTATE_SECRET, request, service=SECRETS))
    assert (refusal.target.action, refusal.target.resource) == ("lambda:InvokeFunction", f"{FUNCTION}-other")
    assert refusal.note.startswith("The function is not there, or its policy does not let")


def test_what_refused_the_services_own_role_is_noted_as_that_of_the_role() -> None:
    room = RotationRoom()
    secret = room.add_rotated()
    document = policy(
        for_principal(
            "*",
            "secretsmanager:GetSecretValue",
            effect="Deny",
            Condition={
                "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/aws-service-role/*/{ROLE_NAME}"}
            },
        )
    )
    room.attach_policy(secret.arn, document)
    request = {
        "SecretId": "db",
        "ClientRequestToken": "a" * 32,
        "RotationRules": {"AutomaticallyAfterDays": 30},
    }
    outcome = attempt(room, ROTATE_SECRET, request, service=SECRETS)
    record = recorded(outcome, the_refusal(outcome))
    assert f"/{ROLE_NAME}/" in record["principal"]
    assert (record["account"], record["refused_by"]) == (ACCOUNT, ["resource-based policy"])
    assert [each["type"] for each in record["explanation"]["remedies"][0]] == ["narrow deny"]
