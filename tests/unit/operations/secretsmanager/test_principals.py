"""The principals a resource policy names: users are who they were, whatever their names are by now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.names import Arn, user_arn
from strongroom.operations.secretsmanager.principals import (
    UNSUPPORTED_PRINCIPAL,
    UNSUPPORTED_SERVICE,
    pinned_policy,
    principal_problem,
    shown_document,
)
from strongroom.ports import USERS
from strongroom.secret.records import SecretPolicy
from support.secret_room import ACCOUNT, Room

SECRET = Arn(f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:a-abcdef")
ANN = user_arn(ACCOUNT, "/", "ann")
ANN_ID = "AIDAANN0000000000000"


def document(*principals_: Any) -> str:
    statements = [{"Effect": "Allow", "Principal": each, "Action": "*"} for each in principals_]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


@pytest.fixture
def room() -> Room:
    made = Room()
    made.user("ann")
    return made


def pin(room: Room, text: str) -> SecretPolicy:
    return pinned_policy(room, SECRET, "default", text)


def change_ann(room: Room, **members: Any) -> None:
    ann = room.find(USERS, ACCOUNT, ANN_ID)
    assert ann is not None
    room.save(USERS, replace(ann, **members))


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"AWS": [ANN, "*"], "Service": "rds.amazonaws.com"}, None),
        ({"AWS": [ANN, ANN + "a"]}, UNSUPPORTED_PRINCIPAL),
        ({"Service": "rds"}, UNSUPPORTED_SERVICE),
        ({"Federated": "example.com"}, UNSUPPORTED_PRINCIPAL),
    ],
)
def test_the_first_principal_that_may_not_stand_there_is_told(
    room: Room, named: Any, problem: str | None
) -> None:
    assert principal_problem(room, ACCOUNT, document("*", named)) == problem


def test_users_are_kept_by_their_ids_in_every_element(room: Room) -> None:
    statements = [
        {"Principal": {"AWS": [ANN, ACCOUNT]}},
        {"NotPrincipal": {"AWS": ANN}},
        {"Principal": ANN},
        {"Principal": {"AWS": "*"}},
    ]
    policy = pin(room, json.dumps({"Statement": statements}))
    assert json.loads(policy.document) == {
        "Statement": [
            {"Principal": {"AWS": [ANN_ID, ACCOUNT]}},
            {"NotPrincipal": {"AWS": ANN_ID}},
            {"Principal": ANN_ID},
            {"Principal": {"AWS": "*"}},
        ]
    }


def test_a_policy_without_users_is_kept_as_it_is(room: Room) -> None:
    text = document("*", {"AWS": [ACCOUNT, ANN_ID]}, {"Service": "rds.amazonaws.com"})
    policy = pin(room, text)
    assert (policy.document, policy.written) == (text, None)
    assert shown_document(room, policy) == text


def test_a_policy_is_shown_as_written_while_its_users_stand(room: Room) -> None:
    text = document({"AWS": [ANN, ACCOUNT]})
    assert shown_document(room, pin(room, text)) == text


def test_a_renamed_user_is_shown_under_its_new_arn(room: Room) -> None:
    policy = pin(room, document({"AWS": [ANN, ACCOUNT]}))
    renamed = user_arn(ACCOUNT, "/team/", "anna")
    change_ann(room, user_name="anna", path="/team/", arn=renamed)
    assert json.loads(shown_document(room, policy)) == json.loads(document({"AWS": [renamed, ACCOUNT]}))


def test_a_user_that_has_gone_is_shown_by_its_id_though_another_has_its_name(room: Room) -> None:
    policy = pin(room, document({"AWS": ANN}))
    ann = room.find(USERS, ACCOUNT, ANN_ID)
    assert ann is not None
    room.delete(USERS, ACCOUNT, ANN_ID)
    expected = json.loads(document({"AWS": ANN_ID}))
    assert json.loads(shown_document(room, policy)) == expected
    room.save(USERS, replace(ann, user_id="AIDAANNTHESECOND0000"))
    assert json.loads(shown_document(room, policy)) == expected
