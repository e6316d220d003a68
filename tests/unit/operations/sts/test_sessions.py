"""Session tokens: only those given out open, only with their key, and only while what they stand for is there."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from msgspec.structs import replace

from strongroom.identity.principal import PrincipalType
from strongroom.identity.sessions import Given, Session
from strongroom.operations.authorize import DecisionMemory
from strongroom.operations.iam import access_keys
from strongroom.operations.standing import StandingMemory
from strongroom.operations.sts.sessions import open_session, seal_session
from strongroom.operations.sts.user_sessions import GET_FEDERATION_TOKEN, GET_SESSION_TOKEN
from strongroom.ports import ACCESS_KEYS, ROLES, USERS
from strongroom.rootkey.held import HeldRootKey
from strongroom.server import callers as callers_module
from support.entropies import SeededEntropy, pattern
from support.key_room import ACCOUNT, NOON, allow, policy, root
from support.session_room import Credentials, SessionRoom, trusting


@pytest.fixture
def room() -> SessionRoom:
    return SessionRoom()


@pytest.fixture
def session(room: SessionRoom) -> Credentials:
    bob = room.user_with_key("bob", allow("sts:AssumeRole"))
    return room.assume(bob, room.role("deploy", may=(allow("secretsmanager:*"),)))


def test_a_token_opens_with_its_own_key_id_only(room: SessionRoom, session: Credentials) -> None:
    opened = open_session(room.root_key, session.access_key_id, session.token)
    assert opened is not None
    assert (opened.access_key_id, opened.secret_access_key) == (
        session.access_key_id,
        session.secret_access_key,
    )
    bob = room.user_with_key("bill", allow("sts:AssumeRole"))
    other = room.assume(bob, room.role("other"))
    for key_id in (other.access_key_id, "AKIAIOSFODNN7EXAMPLE", ""):
        assert open_session(room.root_key, key_id, session.token) is None


def test_every_changed_byte_spoils_a_token(room: SessionRoom, session: Credentials) -> None:
    raw = base64.b64decode(session.token)
    for place in range(len(raw)):
        spoiled = bytearray(raw)
        spoiled[place] ^= 1
        token = base64.b64encode(bytes(spoiled)).decode()
        assert open_session(room.root_key, session.access_key_id, token) is None, place


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda token: token[:-4], id="cut"),
        pytest.param(lambda token: token + "\n", id="a newline behind"),
        pytest.param(lambda token: token.replace("+", "-").replace("/", "_") + "=", id="another alphabet"),
        pytest.param(lambda token: token + "AAAA", id="longer"),
        pytest.param(lambda token: "A" * 20_000, id="very long"),
        pytest.param(lambda token: "é" + token, id="not ASCII"),
        pytest.param(lambda token: "", id="empty"),
    ],
)
def test_no_other_text_is_a_token(room: SessionRoom, session: Credentials, change: object) -> None:
    assert callable(change)
    assert open_session(room.root_key, session.access_key_id, change(session.token)) is None


def test_another_rooms_token_is_no_token(session: Credentials, room: SessionRoom) -> None:
    elsewhere = HeldRootKey(pattern("another room's root key", 32), SeededEntropy())
    opened = open_session(room.root_key, session.access_key_id, session.token)
    assert opened is not None
    forged = seal_session(elsewhere, opened)
    assert open_session(elsewhere, session.access_key_id, forged) == opened
    assert open_session(room.root_key, session.access_key_id, forged) is None


def test_the_token_and_no_record_says_who_signs(room: SessionRoom, session: Credentials) -> None:
    before = room.unit.state()
    principal = room.session(session)
    assert room.unit.state() == before
    assert principal.type is PrincipalType.ASSUMED_ROLE
    assert principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run"
    assert principal.role_arn == f"arn:aws:iam::{ACCOUNT}:role/deploy"
    assert principal.principal_id == "AROADEPLOY00000000000:run"
    assert principal.token_issued_at == NOON
    assert session.expires_at == NOON + dt.timedelta(hours=1)
    # Another process with the same root key knows it as well.
    again = callers_module.Callers(room.root_key).find(room.unit, session.access_key_id, session.token)
    assert again is not None
    assert again.principal == principal


def test_the_same_session_is_the_same_caller_until_its_role_changes(
    room: SessionRoom, session: Credentials
) -> None:
    first = room.callers.find(room.unit, session.access_key_id, session.token)
    assert room.callers.find(room.unit, session.access_key_id, session.token) is first
    role = room.unit.find(ROLES, ACCOUNT, "AROADEPLOY00000000000")
    room.unit.save(ROLES, replace(role, tags={"team": "blue"}))
    second = room.callers.find(room.unit, session.access_key_id, session.token)
    assert second is not None
    assert second is not first
    assert second.context["aws:PrincipalTag/team"] == "blue"


def test_a_temporary_key_needs_its_token(room: SessionRoom, session: Credentials) -> None:
    assert room.callers.find(room.unit, session.access_key_id) is None
    assert room.known(session) is not None
    # Also when the right one was seen before.
    spoiled = session.token[:-8] + "AAAAAAA="
    assert room.callers.find(room.unit, session.access_key_id, spoiled) is None


def test_a_session_ends_with_its_role_and_does_not_come_back_with_the_name(
    room: SessionRoom, session: Credentials
) -> None:
    assert room.known(session) is not None
    role = room.unit.find(ROLES, ACCOUNT, "AROADEPLOY00000000000")
    room.unit.delete(ROLES, ACCOUNT, role.role_id)
    assert room.known(session) is None
    room.unit.save(ROLES, replace(role, role_id="AROANEW"))
    assert room.known(session) is None


@pytest.mark.parametrize("operation", ["GetSessionToken", "GetFederationToken"])
@pytest.mark.parametrize("ending", ["user deleted", "key deleted", "key inactive"])
def test_a_users_session_ends_with_user_and_key(room: SessionRoom, operation: str, ending: str) -> None:
    bob = room.user_with_key("bob", allow("sts:GetFederationToken"))
    declared = GET_SESSION_TOKEN if operation == "GetSessionToken" else GET_FEDERATION_TOKEN
    request = {} if operation == "GetSessionToken" else {"Name": "guest"}
    session = Credentials.of(room.run(declared, request, principal=bob))
    assert room.known(session) is not None
    key = {"UserName": "bob", "AccessKeyId": bob.access_key_id}
    if ending == "user deleted":
        room.unit.delete(USERS, ACCOUNT, bob.principal_id)
    elif ending == "key deleted":
        room.run(access_keys.DELETE_ACCESS_KEY, key)
    else:
        room.run(access_keys.UPDATE_ACCESS_KEY, {**key, "Status": "Inactive"})
    assert room.known(session) is None
    if ending == "key inactive":
        room.run(access_keys.UPDATE_ACCESS_KEY, {**key, "Status": "Active"})
        assert room.known(session) is not None


def test_two_sessions_with_one_key_id_are_not_taken_for_each_other(room: SessionRoom) -> None:
    """Ids of temporary keys may repeat, by their 39 random bits; the token tells."""
    room.resources = replace(
        room.resources, standing_memory=StandingMemory(), decision_memory=DecisionMemory()
    )
    room.role("deploy", may=(allow("secretsmanager:*"),))
    wide = Session(
        access_key_id="ASIAQAAAAAAAAAAAAAAA",
        secret_access_key="x" * 40,
        account_id=ACCOUNT,
        type=PrincipalType.ASSUMED_ROLE,
        issued_at=NOON,
        expires_at=NOON + dt.timedelta(hours=1),
        name="run",
        role_id="AROADEPLOY00000000000",
    )
    narrow = replace(wide, given=Given(policies=(policy(allow("secretsmanager:ListSecrets")),)))
    for session, may in ((wide, True), (narrow, False), (wide, True)):
        found = room.callers.find(room.unit, wide.access_key_id, seal_session(room.root_key, session))
        assert found is not None
        assert room.may(found.principal, "secretsmanager:CreateSecret") is may


def test_sessions_remembered_are_bounded(room: SessionRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers_module, "SESSIONS_LIMIT", 3)
    bob = room.user_with_key("bob", allow("sts:AssumeRole"))
    role = room.role("deploy")
    for _ in range(8):
        assert room.known(room.assume(bob, role)) is not None
        assert len(room.callers._sessions) <= 3


def test_a_root_users_session_is_the_root_user(room: SessionRoom) -> None:
    made = room.run(access_keys.CREATE_ACCESS_KEY, principal=root())["AccessKey"]["AccessKeyId"]
    found = room.callers.find(room.unit, made)
    assert found is not None
    session = Credentials.of(room.run(GET_SESSION_TOKEN, principal=found.principal))
    principal = room.session(session)
    assert principal.is_root
    assert principal.is_temporary
    room.unit.delete(ACCESS_KEYS, "", made)
    assert room.known(session) is None


def test_a_role_may_trust_one_session_by_name(room: SessionRoom, session: Credentials) -> None:
    second = room.role("second", trusting(f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run"))
    assert room.session(room.assume(room.session(session), second)).arn.endswith("/second/run")
