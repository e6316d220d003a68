"""ExplainDecision tells each account what concerns it, and nobody else whether there is anything to tell."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    InvalidAuthorizationMessageException,
    ResourceNotFoundException,
)
from strongroom.identity.principal import Principal
from strongroom.names import AccountId, root_arn
from strongroom.operations.catalog import CATALOG, known_actions
from strongroom.operations.kms import ciphers
from strongroom.operations.refusals import decision_record, explained
from strongroom.operations.secretsmanager.reading import BATCH_GET_SECRET_VALUE, GET_SECRET_VALUE
from strongroom.operations.strongroom import OPERATIONS, UNSUPPORTED
from strongroom.operations.strongroom.decisions import EXPLAIN_DECISION
from strongroom.operations.sts.authorization import DECODE_AUTHORIZATION_MESSAGE
from strongroom.wire.models import load_service
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow, deny, for_principal, policy, root
from support.refused import Outcome, attempt
from support.replica_room import ReplicaRoom

REQUEST_ID = "11111111-2222-3333-4444-555555555555"
NOWHERE = "99999999-2222-3333-4444-555555555555"
EXPLAIN = "strongroom:ExplainDecision"
NOT_FOUND = "No decision of your account is on record under this request id."


class Room(ReplicaRoom):
    """A room whose refusals are kept in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []
        self.resources = replace(self.resources, find_decisions=self.find)

    def find(self, request_id: str) -> Sequence[dict[str, Any]]:
        return [each for each in self.records if each["request_id"] == request_id]

    def keep(self, outcome: Outcome) -> None:
        for refusal in outcome.refusals:
            found = explained(refusal, known_actions(CATALOG))
            raw = None if found is None else msgspec.Raw(msgspec.json.encode(found))
            self.records.append(json.loads(decision_record(outcome.call, refusal, raw)))

    def explain(self, who: Principal, request_id: str = REQUEST_ID) -> list[dict[str, Any]]:
        answer = self.run(EXPLAIN_DECISION, {"RequestId": request_id}, principal=who)
        assert answer["RequestId"] == request_id
        decisions: list[dict[str, Any]] = answer["Decisions"]
        return decisions


@pytest.fixture
def room() -> Room:
    return Room()


def read_refused(room: Room, who: Principal, secret_id: str = "db") -> None:
    room.keep(
        attempt(room, GET_SECRET_VALUE, {"SecretId": secret_id}, service="secretsmanager", principal=who)
    )


def test_the_whole_model_is_served() -> None:
    assert {each.name for each in OPERATIONS} | set(UNSUPPORTED) == set(load_service("strongroom").operations)


def test_a_decision_is_told_whole_within_the_account(room: Room) -> None:
    secret, ann = room.add_secret(), room.user("ann", deny("secretsmanager:GetSecretValue"))
    read_refused(room, ann)
    (entry,) = room.explain(root())
    assert (entry["PrincipalArn"], entry["ResourceArn"], entry["Action"]) == (
        ann.arn, secret.arn, "secretsmanager:GetSecretValue",
    )  # fmt: skip
    assert entry["RefusedBy"] == ["identity-based policy"]
    statement = {"Layer": "identity-based policy", "PolicyLabel": "inline", "Sid": "", "Index": 0}
    assert entry["Refusals"] == [{"Layer": "identity-based policy", "Denies": [statement]}]
    changes = entry["Remedies"][0]["Changes"]
    assert [each["Type"] for each in changes] == ["narrow deny", "add statement"]
    assert json.loads(changes[1]["Statements"][0])["Resource"] == secret.arn
    assert "Note" not in entry
    assert [name for name in entry if name not in SHAPE] == []


SHAPE = load_service("strongroom").shapes["DecisionEntry"]["members"]


@pytest.mark.parametrize(
    "resource",
    ["*", "arn:aws:secretsmanager:*:*:secret:db-??????"],
    ids=["everything", "the resource"],
)
def test_who_may_explain_decisions_on_the_resource_hears_of_them(room: Room, resource: str) -> None:
    room.add_secret()
    read_refused(room, room.user("ann"))
    (entry,) = room.explain(room.user("bob", allow(EXPLAIN, resource=resource)))
    assert entry["RefusedBy"] == ["identity-based policy"]


@pytest.mark.parametrize(
    "statements",
    [
        (),
        (allow(EXPLAIN, resource="arn:aws:secretsmanager:*:*:secret:other-*"),),
        (
            allow(EXPLAIN, resource="arn:aws:secretsmanager:*:*:secret:db-*"),
            deny(EXPLAIN, resource="arn:aws:secretsmanager:*:*:secret:db-*"),
        ),
    ],
    ids=["nothing allowed", "another resource", "denied"],
)
def test_others_hear_the_same_whether_there_is_a_record_or_not(room: Room, statements: Any) -> None:
    room.add_secret()
    read_refused(room, room.user("ann"))
    bob = room.user("bob", *statements)
    heard = set()
    for request_id in (REQUEST_ID, NOWHERE):
        with pytest.raises(AccessDeniedException) as refused:
            room.explain(bob, request_id)
        heard.add(str(refused.value))
    assert heard == {f"User: {bob.arn} is not authorized to perform: {EXPLAIN}"}


def test_another_accounts_decisions_are_as_absent_as_those_that_never_were(room: Room) -> None:
    room.add_secret()
    read_refused(room, room.user("ann"))
    heard = set()
    for request_id in (REQUEST_ID, NOWHERE):
        with pytest.raises(ResourceNotFoundException) as refused:
            room.explain(root(OTHER_ACCOUNT), request_id)
        heard.add(str(refused.value))
    assert heard == {NOT_FOUND}


def test_of_a_batch_those_on_permitted_resources_are_told(room: Room) -> None:
    for name in ("a", "b"):
        room.add_secret(name)
    ann = room.user("ann", allow("secretsmanager:BatchGetSecretValue"))
    request = {"SecretIdList": ["a", "b"]}
    room.keep(attempt(room, BATCH_GET_SECRET_VALUE, request, service="secretsmanager", principal=ann))
    bob = room.user("bob", allow(EXPLAIN, resource="arn:aws:secretsmanager:*:*:secret:b-*"))
    assert [each["ResourceArn"].split(":")[-1][0] for each in room.explain(bob)] == ["b"]
    assert len(room.explain(root())) == 2


def across(room: Room, *own: Any) -> tuple[Principal, list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a caller of the other account, and what its account and the secret's are told."""
    secret = room.add_secret(tags={"team": "canary-tag"})
    shared = policy(
        for_principal(root_arn(OTHER_ACCOUNT), "secretsmanager:GetSecretValue", Condition={
            "StringEquals": {"aws:ResourceTag/team": "canary-wanted"}
        })
    )  # fmt: skip
    room.attach_policy(secret.arn, shared)
    eve = room.user("eve", *own, account_id=OTHER_ACCOUNT)
    read_refused(room, eve, secret.arn)
    return eve, room.explain(root(OTHER_ACCOUNT)), room.explain(root(ACCOUNT))


def test_across_accounts_the_caller_hears_of_its_own_policies_only(room: Room) -> None:
    eve, (told,), _ = across(room)
    assert told["PrincipalArn"] == eve.arn
    assert told["RefusedBy"] == ["identity-based policy"]
    assert told["Remedies"] == []
    assert told["Note"].startswith("The account of the resource has to allow it as well")
    assert "canary" not in json.dumps(told, default=str)


def test_a_caller_whose_own_policies_allow_hears_no_reason(room: Room) -> None:
    _, (told,), _ = across(room, allow("*"))
    assert (told["RefusedBy"], told["Refusals"], told["NearMisses"], told["Remedies"]) == ([], [], [], [])
    assert "canary" not in json.dumps(told, default=str)


def test_across_accounts_the_owner_hears_of_its_own_policies_only(room: Room) -> None:
    eve, _, (told,) = across(room)
    assert told["RefusedBy"] == ["resource-based policy"]
    assert [each["Misses"] for each in told["NearMisses"]] == [["StringEquals aws:ResourceTag/team"]]
    assert told["Remedies"] == []
    assert "PrincipalArn" not in told
    assert eve.arn not in json.dumps({**told, "Message": ""}, default=str)


def test_a_ciphertexts_key_in_another_account_is_not_told_from_one_that_is_not_there(room: Room) -> None:
    key = room.add_key()
    blob = room.run(ciphers.ENCRYPT, {"KeyId": key.key_id, "Plaintext": b"x"})["CiphertextBlob"]
    eve = room.user("eve", allow("kms:*"), account_id=OTHER_ACCOUNT)
    told = []
    for region in ("eu-central-1", "us-east-1"):
        room.records.clear()
        request = {"CiphertextBlob": blob}
        room.keep(attempt(room, ciphers.DECRYPT, request, principal=eve, region=region))
        (entry,) = room.explain(root(OTHER_ACCOUNT))
        told.append({name: entry[name] for name in entry if name not in ("Region", "EncodedMessage")})
    assert told[0] == told[1]


# Encoded messages


def decode(room: Room, who: Principal, message: str) -> dict[str, Any]:
    answer = room.run(DECODE_AUTHORIZATION_MESSAGE, {"EncodedMessage": message}, principal=who)
    decoded: dict[str, Any] = json.loads(answer["DecodedMessage"])
    return decoded


def test_a_message_says_what_the_decision_was(room: Room) -> None:
    secret = room.add_secret()
    address = {"IpAddress": {"aws:PrincipalArn": "10.0.0.0/8"}}
    ann = room.user("ann", deny("*"), allow("*", Condition=address))
    read_refused(room, ann)
    (entry,) = room.explain(root())
    decoded = decode(room, room.user("bob", allow("sts:DecodeAuthorizationMessage")), entry["EncodedMessage"])
    assert (decoded["allowed"], decoded["explicitDeny"]) == (False, True)
    assert decoded["matchedStatements"]["items"] == [
        {"statementId": "", "effect": "DENY", "policy": "inline"}
    ]
    assert decoded["failures"]["items"] == [{"layer": "identity-based policy"}]
    context = decoded["context"]
    assert context["principal"] == {"id": ann.principal_id, "arn": ann.arn}
    assert (context["action"], context["resource"]) == ("secretsmanager:GetSecretValue", secret.arn)
    assert context["conditions"]["items"] == [
        {"key": "aws:PrincipalArn", "values": {"items": [{"value": ann.arn}]}}
    ]


def test_a_message_opens_in_its_account_only_and_unaltered_only(room: Room) -> None:
    room.add_secret()
    read_refused(room, room.user("ann"))
    (entry,) = room.explain(root())
    message = entry["EncodedMessage"]
    assert len(message) <= 10_240
    altered = message[:40] + ("A" if message[40] != "A" else "B") + message[41:]
    other: AccountId = OTHER_ACCOUNT
    for who, text in [
        (root(other), message), (root(), altered), (root(), "x"), (root(), "A" * 400), (root(), "é" * 40),
    ]:  # fmt: skip
        with pytest.raises(InvalidAuthorizationMessageException) as refused:
            decode(room, who, text)
        assert refused.value.message == "Message is not valid"
    assert decode(room, root(), message)["allowed"] is False


def test_decoding_needs_its_permission(room: Room) -> None:
    room.add_secret()
    ann = room.user("ann")
    read_refused(room, ann)
    (entry,) = room.explain(root())
    with pytest.raises(AccessDeniedException) as refused:
        decode(room, ann, entry["EncodedMessage"])
    assert refused.value.message == (
        f"User: {ann.arn} is not authorized to perform: sts:DecodeAuthorizationMessage on resource: * because no "
        "identity-based policy allows the sts:DecodeAuthorizationMessage action"
    )


def test_a_message_never_outgrows_what_can_be_decoded(room: Room) -> None:
    room.add_secret()
    dice = random.Random(7)
    keys = {f"aws:PrincipalTag/{dice.randbytes(20).hex()}": dice.randbytes(30).hex() for _ in range(45)}
    denies = [deny("*", Sid=dice.randbytes(60).hex()) for _ in range(150)]
    ann = room.user("ann", allow("*", Condition={"StringEquals": keys}), *denies)
    read_refused(room, ann)
    (entry,) = room.explain(root())
    assert len(entry["EncodedMessage"]) <= 10_240
    assert decode(room, root(), entry["EncodedMessage"])["explicitDeny"] is True


@pytest.mark.parametrize(
    "own",
    [
        (),
        (allow("secretsmanager:*", resource=f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:db-*"),),
        (allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}),),
        (allow("*", Condition={"StringEquals": {"secretsmanager:ResourceTag/team": "red"}}),),
        (deny("*", Condition={"StringNotEquals": {"secretsmanager:SecretPrimaryRegion": "eu-central-1"}}),),
        (deny("*", Condition={"Null": {"secretsmanager:resource/Type": "false"}}),),
    ],
)
@pytest.mark.parametrize("reference", ["complete", "partial"])
def test_a_caller_cannot_tell_what_is_in_another_account(own: Any, reference: str) -> None:
    """The same is told of a secret that is there, whatever it is like, and of one that is not."""
    told = []
    for members in (None, {}, {"tags": {"team": "red"}}, {"tags": {"team": "blue"}, "type": "x"}):
        room = Room()
        eve = room.user("eve", *own, account_id=OTHER_ACCOUNT)
        if members is not None:
            secret = room.add_secret(**members)
            room.attach_policy(
                secret.arn, policy(for_principal("*", "secretsmanager:GetSecretValue", effect="Deny"))
            )
        arn = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:db"
        read_refused(room, eve, f"{arn}-AbCdEf" if reference == "complete" else arn)
        (entry,) = room.explain(root(OTHER_ACCOUNT))
        message = decode(room, root(OTHER_ACCOUNT), entry.pop("EncodedMessage"))
        told.append((entry, message))
    assert told == told[:1] * len(told)
    assert reference == "partial" or own or told[0][0]["RefusedBy"] == ["identity-based policy"]
