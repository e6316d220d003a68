"""The principals stored policies name: users and roles are who they were, whatever their names are by now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.identity.records import OidcProvider, Role
from strongroom.names import Arn, oidc_provider_arn, role_arn, user_arn
from strongroom.operations.principals import (
    entity_named,
    names_star_alone,
    pinned_document,
    principals,
    shown_document,
    stranger,
)
from strongroom.ports import OIDC_PROVIDERS, ROLES, USERS
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, KeyRoom
from support.memory_unit import MemoryUnit

ANN = user_arn(ACCOUNT, "/", "ann")
ANN_ID = "AIDAANN00000000000000"
DEPLOY = role_arn(ACCOUNT, "/ci/", "Deploy")
DEPLOY_ID = "AROADEPLOY00000000000"
PROVIDER = oidc_provider_arn(ACCOUNT, "token.example.com/a")


def document(*principals_: Any) -> str:
    statements = [{"Effect": "Allow", "Principal": each, "Action": "*"} for each in principals_]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


def a_role(role_id: str = DEPLOY_ID) -> Role:
    return Role(
        role_id=role_id,
        role_name="Deploy",
        path="/ci/",
        arn=DEPLOY,
        account_id=ACCOUNT,
        created_at=NOON,
        trust_policy="{}",
    )


@pytest.fixture
def unit() -> MemoryUnit:
    room = KeyRoom()
    room.user("ann")
    room.user("eve", account_id=OTHER_ACCOUNT)
    room.unit.save(ROLES, a_role())
    provider = OidcProvider(arn=PROVIDER, url="token.example.com/a", account_id=ACCOUNT, created_at=NOON)
    room.unit.save(OIDC_PROVIDERS, provider)
    return room.unit


def test_principals_are_found_in_every_statement_and_element() -> None:
    text = {
        "Statement": [
            {"Principal": "*"},
            {"NotPrincipal": {"AWS": ["1", "2"], "Service": "s"}},
        ]
    }
    assert principals(json.dumps(text)) == [("AWS", "*"), ("AWS", "1"), ("AWS", "2"), ("Service", "s")]
    assert principals(' {"Statement" : {"Principal": {"AWS": "3"}}}') == [("AWS", "3")]


def test_the_bare_star_is_told_from_everyone() -> None:
    for element in ("Principal", "NotPrincipal"):
        assert names_star_alone(json.dumps({"Statement": [{"Principal": {"AWS": "1"}}, {element: "*"}]}))
        assert names_star_alone(json.dumps({"Statement": {element: "*"}}, indent=2))
    assert not names_star_alone(document({"AWS": "*"}, {"AWS": ["*"]}))


@pytest.mark.parametrize(
    "named",
    [
        pytest.param("*", id="everyone"),
        pytest.param({"AWS": [ACCOUNT, OTHER_ACCOUNT]}, id="accounts"),
        pytest.param({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, id="root"),
        pytest.param({"AWS": ANN}, id="user"),
        pytest.param({"AWS": user_arn(OTHER_ACCOUNT, "/", "eve")}, id="user of another account"),
        pytest.param({"AWS": DEPLOY}, id="role"),
        pytest.param({"AWS": [ANN_ID, DEPLOY_ID]}, id="unique ids"),
        pytest.param({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/run-1"}, id="role session"),
        pytest.param({"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/kate"}, id="federated session"),
        pytest.param({"Service": "lambda.amazonaws.com"}, id="service"),
        pytest.param({"Federated": PROVIDER}, id="identity provider"),
    ],
)
def test_who_exists_may_stand_in_a_policy(unit: MemoryUnit, named: Any) -> None:
    assert stranger(unit, ACCOUNT, document(named), ("AWS", "Service", "Federated")) is None


@pytest.mark.parametrize(
    ("named", "kind", "name"),
    [
        ({"AWS": [ANN, "111111111111"]}, "AWS", "111111111111"),
        ({"AWS": "arn:aws:iam::999999999999:root"}, "AWS", "arn:aws:iam::999999999999:root"),
        ({"AWS": user_arn(ACCOUNT, "/", "ANN")}, "AWS", user_arn(ACCOUNT, "/", "ANN")),
        ({"AWS": user_arn(ACCOUNT, "/x/", "ann")}, "AWS", user_arn(ACCOUNT, "/x/", "ann")),
        ({"AWS": role_arn(ACCOUNT, "/", "Deploy")}, "AWS", role_arn(ACCOUNT, "/", "Deploy")),
        (
            {"AWS": role_arn(OTHER_ACCOUNT, "/ci/", "Deploy")},
            "AWS",
            role_arn(OTHER_ACCOUNT, "/ci/", "Deploy"),
        ),
        ({"AWS": "AIDAGONE0000000000000"}, "AWS", "AIDAGONE0000000000000"),
        ({"AWS": "AROAGONE0000000000000"}, "AWS", "AROAGONE0000000000000"),
        (
            {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run"},
            "AWS",
            f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run",
        ),
        (
            {"AWS": f"arn:aws:iam::{ACCOUNT}:group/admins"},
            "AWS",
            f"arn:aws:iam::{ACCOUNT}:group/admins",
        ),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}, "AWS", f"arn:aws:iam::{ACCOUNT}:user/*"),
        ({"Service": "lambda"}, "Service", "lambda"),
        ({"Federated": PROVIDER + "b"}, "Federated", PROVIDER + "b"),
        ({"Federated": "accounts.google.com"}, "Federated", "accounts.google.com"),
        ({"CanonicalUser": "a" * 64}, "CanonicalUser", "a" * 64),
    ],
)
def test_the_first_stranger_is_told(unit: MemoryUnit, named: Any, kind: str, name: str) -> None:
    found = stranger(unit, ACCOUNT, document("*", named), ("AWS", "Service", "Federated"))
    assert found is not None
    assert (found.kind, found.name) == (kind, name)


def test_kinds_that_are_not_asked_for_may_not_stand_there(unit: MemoryUnit) -> None:
    found = stranger(unit, ACCOUNT, document({"AWS": ANN}, {"Federated": PROVIDER}))
    assert found is not None
    assert (found.kind, found.name) == ("Federated", PROVIDER)
    assert stranger(unit, OTHER_ACCOUNT, document({"Federated": PROVIDER}), ("Federated",)) is not None


def test_users_and_roles_are_kept_by_their_ids_in_every_element(unit: MemoryUnit) -> None:
    statements = [
        {"Principal": {"AWS": [ANN, ACCOUNT, DEPLOY]}},
        {"NotPrincipal": {"AWS": DEPLOY}},
        {"Principal": ANN},
        {"Principal": {"AWS": "*", "Federated": PROVIDER}},
    ]
    assert json.loads(pinned_document(unit, json.dumps({"Statement": statements}))) == {
        "Statement": [
            {"Principal": {"AWS": [ANN_ID, ACCOUNT, DEPLOY_ID]}},
            {"NotPrincipal": {"AWS": DEPLOY_ID}},
            {"Principal": ANN_ID},
            {"Principal": {"AWS": "*", "Federated": PROVIDER}},
        ]
    }
    single = json.dumps({"Statement": {"Principal": {"AWS": DEPLOY}}})
    assert json.loads(pinned_document(unit, single)) == {"Statement": {"Principal": {"AWS": DEPLOY_ID}}}


def test_nothing_but_principals_changes_its_spelling(unit: MemoryUnit) -> None:
    # A condition compares the digits of a number, however many there are.
    condition = '{"StringEquals":{"k":[1.50,123456789012345678901234567890,1e400]}}'
    text = f'{{"Statement":[{{"Principal":{{"AWS":"{ANN}"}},"Condition":{condition}}}]}}'
    assert pinned_document(unit, text) == text.replace(ANN, ANN_ID)


def test_a_policy_without_users_and_roles_is_kept_as_it_is(unit: MemoryUnit) -> None:
    text = document("*", {"AWS": [ACCOUNT, ANN_ID]}, {"Service": "rds.amazonaws.com"})
    assert pinned_document(unit, text) == text
    assert shown_document(unit, text, None) == text


def test_a_policy_is_shown_as_written_while_its_principals_stand(unit: MemoryUnit) -> None:
    text = document({"AWS": [ANN, ACCOUNT, DEPLOY]})
    assert shown_document(unit, pinned_document(unit, text), text) == text


def test_a_renamed_user_is_shown_under_its_new_arn(unit: MemoryUnit) -> None:
    text = document({"AWS": [ANN, ACCOUNT, DEPLOY]})
    pinned = pinned_document(unit, text)
    renamed = user_arn(ACCOUNT, "/team/", "anna")
    ann = unit.find(USERS, ACCOUNT, ANN_ID)
    assert ann is not None
    unit.save(USERS, replace(ann, user_name="anna", path="/team/", arn=renamed))
    expected = json.loads(document({"AWS": [renamed, ACCOUNT, DEPLOY]}))
    assert json.loads(shown_document(unit, pinned, text)) == expected


@pytest.mark.parametrize("kind", ["user", "role"])
def test_who_has_gone_is_shown_by_id_though_another_has_its_name(unit: MemoryUnit, kind: str) -> None:
    arn, gone_id = (ANN, ANN_ID) if kind == "user" else (DEPLOY, DEPLOY_ID)
    text = document({"AWS": arn})
    pinned = pinned_document(unit, text)
    expected = json.loads(document({"AWS": gone_id}))
    ann = unit.find(USERS, ACCOUNT, ANN_ID)
    assert ann is not None
    if kind == "user":
        unit.delete(USERS, ACCOUNT, ANN_ID)
    else:
        unit.delete(ROLES, ACCOUNT, DEPLOY_ID)
    assert json.loads(shown_document(unit, pinned, text)) == expected
    if kind == "user":
        unit.save(USERS, replace(ann, user_id="AIDAANNTHESECOND0000"))
    else:
        unit.save(ROLES, a_role("AROATHESECOND00000000"))
    assert json.loads(shown_document(unit, pinned, text)) == expected
    assert stranger(unit, ACCOUNT, json.dumps(expected)) is not None


def test_users_and_roles_are_found_by_their_exact_arns(unit: MemoryUnit) -> None:
    role = entity_named(unit, DEPLOY)
    assert isinstance(role, Role)
    assert role.role_id == DEPLOY_ID
    user = entity_named(unit, ANN)
    assert user is not None
    assert user.arn == ANN
    for arn in (f"arn:aws:iam::{ACCOUNT}:group/ann", ANN.replace("iam", "sts"), "ann", DEPLOY.lower()):
        assert entity_named(unit, Arn(arn)) is None
