"""Sessions of users: what they may, what they never may, and how long they last."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson
import pytest

from strongroom.errors import AccessDeniedException, ServiceError, UnrecognizedClientException
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.names import root_arn
from strongroom.operations.iam import access_keys
from strongroom.operations.sts.limits import verify_may_call
from strongroom.operations.sts.user_sessions import GET_FEDERATION_TOKEN, GET_SESSION_TOKEN
from support.key_room import ACCOUNT, NOON, allow, deny, policy, root
from support.session_room import Credentials, SessionRoom

CREATE, LIST = "secretsmanager:CreateSecret", "secretsmanager:ListSecrets"


@pytest.fixture
def room() -> SessionRoom:
    return SessionRoom()


@pytest.fixture
def bob(room: SessionRoom) -> Principal:
    return room.user_with_key("bob", allow("sts:*", CREATE, LIST), tags={"team": "red", "env": "prod"})


@pytest.fixture
def key_of_root(room: SessionRoom) -> Principal:
    made = room.run(access_keys.CREATE_ACCESS_KEY, principal=root())["AccessKey"]["AccessKeyId"]
    found = room.callers.find(room.unit, made)
    assert found is not None
    return found.principal


def federated(room: SessionRoom, caller: Principal, **request: Any) -> Principal:
    answered = room.run(GET_FEDERATION_TOKEN, {"Name": "guest", **request}, principal=caller)
    return room.session(Credentials.of(answered))


def test_a_users_session_is_the_user(room: SessionRoom, bob: Principal) -> None:
    answered = room.run(GET_SESSION_TOKEN, principal=bob)
    assert set(answered) == {"Credentials"}
    session = Credentials.of(answered)
    principal = room.session(session)
    assert (principal.type, principal.arn, principal.principal_id, principal.user_name) == (
        PrincipalType.USER,
        bob.arn,
        bob.principal_id,
        "bob",
    )
    assert principal.tags == bob.tags
    assert room.may(principal, CREATE)
    found = room.callers.find(room.unit, session.access_key_id, session.token)
    assert found is not None
    assert found.context["aws:username"] == "bob"
    assert found.context["aws:TokenIssueTime"] == "2026-01-01T12:00:00Z"
    assert found.context["aws:MultiFactorAuthPresent"] == "false"
    assert json.loads(orjson.dumps(found.identity)) == {
        "type": "IAMUser",
        "principalId": bob.principal_id,
        "arn": bob.arn,
        "accountId": ACCOUNT,
        "accessKeyId": session.access_key_id,
        "userName": "bob",
        "sessionContext": {
            "attributes": {"creationDate": "2026-01-01T12:00:00Z", "mfaAuthenticated": "false"}
        },
    }


def test_no_policy_forbids_a_session_token(room: SessionRoom) -> None:
    eve = room.user_with_key("eve", deny("*"))
    session = room.session(Credentials.of(room.run(GET_SESSION_TOKEN, principal=eve)))
    assert not room.may(session, CREATE)


@pytest.mark.parametrize(
    ("request_seconds", "of_user", "of_root"),
    [(None, 43_200, 3_600), (900, 900, 900), (3_600, 3_600, 3_600), (129_600, 129_600, 3_600)],
)
def test_how_long_they_last(
    room: SessionRoom,
    bob: Principal,
    key_of_root: Principal,
    request_seconds: int | None,
    of_user: int,
    of_root: int,
) -> None:
    request = {} if request_seconds is None else {"DurationSeconds": request_seconds}
    for caller, seconds in ((bob, of_user), (key_of_root, of_root)):
        for operation, more in ((GET_SESSION_TOKEN, {}), (GET_FEDERATION_TOKEN, {"Name": "guest"})):
            session = Credentials.of(room.run(operation, {**request, **more}, principal=caller))
            assert session.expires_at == NOON + dt.timedelta(seconds=seconds)


def test_there_are_no_mfa_devices(room: SessionRoom, bob: Principal) -> None:
    message = room.refused(
        AccessDeniedException,
        GET_SESSION_TOKEN,
        {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/bob", "TokenCode": "123456"},
        principal=bob,
    )
    assert message.startswith("MultiFactorAuthentication failed, unable to validate MFA code.")


# --- federated users


def test_a_federated_user_may_what_both_allow(room: SessionRoom, bob: Principal) -> None:
    answered = room.run(
        GET_FEDERATION_TOKEN, {"Name": "guest", "Policy": policy(allow(LIST, "kms:*"))}, principal=bob
    )
    assert answered["FederatedUser"] == {
        "FederatedUserId": f"{ACCOUNT}:guest",
        "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/guest",
    }
    assert answered["PackedPolicySize"] >= 1
    guest = room.session(Credentials.of(answered))
    assert [room.may(guest, each) for each in (LIST, CREATE, "kms:ListKeys")] == [True, False, False]
    assert guest.user_name is None


def test_without_a_session_policy_a_federated_user_may_nothing(room: SessionRoom, bob: Principal) -> None:
    assert not room.may(federated(room, bob), LIST)


def test_a_federated_user_of_the_root_user_may_what_its_session_policy_allows(
    room: SessionRoom, key_of_root: Principal
) -> None:
    guest = federated(room, key_of_root, Policy=policy(allow(LIST)))
    assert [room.may(guest, each) for each in (LIST, CREATE)] == [True, False]
    assert guest.issuer_arn == root_arn(ACCOUNT)


def test_what_is_known_of_a_federated_user(room: SessionRoom, bob: Principal) -> None:
    tags = [{"Key": "Team", "Value": "blue"}]
    session = Credentials.of(room.run(GET_FEDERATION_TOKEN, {"Name": "guest", "Tags": tags}, principal=bob))
    found = room.callers.find(room.unit, session.access_key_id, session.token)
    assert found is not None
    assert found.context == {
        "aws:PrincipalArn": f"arn:aws:sts::{ACCOUNT}:federated-user/guest",
        "aws:PrincipalAccount": ACCOUNT,
        "aws:PrincipalType": "FederatedUser",
        "aws:userid": f"{ACCOUNT}:guest",
        "aws:TokenIssueTime": "2026-01-01T12:00:00Z",
        "aws:MultiFactorAuthPresent": "false",
        "aws:PrincipalTag/Team": "blue",
        "aws:PrincipalTag/env": "prod",
    }
    assert json.loads(orjson.dumps(found.identity))["sessionContext"]["sessionIssuer"] == {
        "type": "IAMUser",
        "principalId": bob.principal_id,
        "arn": bob.arn,
        "accountId": ACCOUNT,
        "userName": "bob",
    }


@pytest.mark.parametrize(
    ("statements", "action"),
    [
        ((allow("sts:TagSession"),), "sts:GetFederationToken"),
        ((allow("sts:GetFederationToken"),), "sts:TagSession"),
    ],
)
def test_federation_needs_permission(room: SessionRoom, statements: Any, action: str) -> None:
    eve = room.user_with_key("eve", *statements)
    request = {"Name": "guest", "Tags": [{"Key": "team", "Value": "blue"}]}
    assert room.refused(AccessDeniedException, GET_FEDERATION_TOKEN, request, principal=eve) == (
        f"User: {eve.arn} is not authorized to perform: {action} on resource: "
        f"arn:aws:sts::{ACCOUNT}:federated-user/guest because no identity-based policy allows the {action} action"
    )


# --- what sessions are no good for


def sessions(room: SessionRoom, bob: Principal, key_of_root: Principal) -> dict[str, Principal]:
    return {
        "user": room.session(Credentials.of(room.run(GET_SESSION_TOKEN, principal=bob))),
        "root": room.session(Credentials.of(room.run(GET_SESSION_TOKEN, principal=key_of_root))),
        "federated": federated(room, bob),
        "role": room.session(room.assume(bob, room.role("deploy", may=(allow("*"),)))),
    }


UNKNOWN = (UnrecognizedClientException, "The security token included in the request is invalid.")


def never(operation: str) -> tuple[type[ServiceError], str]:
    return AccessDeniedException, f"Cannot call {operation} with session credentials"


@pytest.mark.parametrize(
    ("who", "service", "operation", "answer"),
    [
        ("user", "iam", "ListUsers", UNKNOWN),
        ("root", "iam", "ListUsers", UNKNOWN),
        ("federated", "iam", "ListUsers", UNKNOWN),
        ("role", "iam", "ListUsers", None),
        ("user", "sts", "AssumeRole", None),
        ("user", "sts", "GetCallerIdentity", None),
        ("user", "sts", "GetAccessKeyInfo", never("GetAccessKeyInfo")),
        ("federated", "sts", "GetCallerIdentity", None),
        ("federated", "sts", "AssumeRole", never("AssumeRole")),
        ("role", "sts", "AssumeRole", None),
        ("role", "sts", "GetAccessKeyInfo", None),
        *[
            (who, "sts", operation, never(operation))
            for who in ("user", "root", "federated", "role")
            for operation in ("GetSessionToken", "GetFederationToken")
        ],
        ("user", "secretsmanager", "GetSecretValue", None),
        ("federated", "kms", "Decrypt", None),
    ],
)
def test_what_sessions_can_call(
    room: SessionRoom,
    bob: Principal,
    key_of_root: Principal,
    who: str,
    service: str,
    operation: str,
    answer: tuple[type[ServiceError], str] | None,
) -> None:
    principal = sessions(room, bob, key_of_root)[who]
    if answer is None:
        verify_may_call(principal, service, operation)
        return
    with pytest.raises(ServiceError) as caught:
        verify_may_call(principal, service, operation)
    assert (type(caught.value), caught.value.message) == answer


def test_long_term_keys_can_call_everything(bob: Principal, key_of_root: Principal) -> None:
    for principal in (bob, key_of_root):
        for service, operation in (("iam", "ListUsers"), ("sts", "GetSessionToken")):
            verify_may_call(principal, service, operation)


@pytest.mark.parametrize("operation", [GET_SESSION_TOKEN, GET_FEDERATION_TOKEN], ids=lambda each: each.name)
def test_a_session_makes_no_session_of_its_user(room: SessionRoom, bob: Principal, operation: Any) -> None:
    role = room.session(room.assume(bob, room.role("deploy", may=(allow("*"),))))
    request = {"Name": "guest"} if operation is GET_FEDERATION_TOKEN else {}
    assert room.refused(AccessDeniedException, operation, request, principal=role) == (
        f"Cannot call {operation.name} with session credentials"
    )
