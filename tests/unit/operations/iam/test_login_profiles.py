"""Login profiles: a hash of a password that the account's policy has, changed by those who know it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from strongroom.errors import (
    AccessDeniedException,
    EntityAlreadyExistsException,
    EntityTemporarilyUnmodifiableException,
    InvalidUserTypeException,
    NoSuchEntityException,
    PasswordPolicyViolationException,
    ServiceError,
    ValidationException,
)
from strongroom.identity import passwords
from strongroom.identity.passwords import is_password
from strongroom.identity.records import LoginProfile
from strongroom.operations.authorize import authorize
from strongroom.operations.iam import account, login_profiles
from strongroom.ports import LOGIN_PROFILES
from support.identity_room import IdentityRoom, service
from support.key_room import ACCOUNT, DAY, NOON, allow, deny, root

FIRST, SECOND = "Canary-Password-0001", "Canary-Password-0002"
CREATE, UPDATE = login_profiles.CREATE_LOGIN_PROFILE, login_profiles.UPDATE_LOGIN_PROFILE
GET, DELETE = login_profiles.GET_LOGIN_PROFILE, login_profiles.DELETE_LOGIN_PROFILE
CHANGE = login_profiles.CHANGE_PASSWORD
SELF = allow("iam:*Password", "iam:GetLoginProfile", resource="arn:aws:iam::*:user/${aws:username}")


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """How costly a hash is has its own test."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "_TIME_COST", 1)


@pytest.fixture
def room() -> IdentityRoom:
    made = IdentityRoom()
    made.user("bob")
    return made


def create(room: IdentityRoom, password: str = FIRST, user_name: str = "bob", **more: Any) -> Any:
    return room.run(CREATE, {"UserName": user_name, "Password": password, **more})


def stored(room: IdentityRoom, name: str = "bob") -> LoginProfile:
    found: LoginProfile | None = room.unit.find(LOGIN_PROFILES, ACCOUNT, room.found(name).user_id)
    assert found is not None
    return found


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, request: Any, **how: Any) -> str:
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request, **how)
    assert room.unit.state() == before
    assert "anary" not in repr(caught.value)
    return caught.value.message


def test_a_password_is_given_and_taken(room: IdentityRoom) -> None:
    expected = {"LoginProfile": {"UserName": "bob", "CreateDate": NOON, "PasswordResetRequired": True}}
    assert create(room, PasswordResetRequired=True, user_name="BOB") == expected
    assert is_password(stored(room).password_hash, FIRST)
    assert room.run(GET, {"UserName": "bob"}) == expected
    message = refused(EntityAlreadyExistsException, room, CREATE, {"UserName": "bob", "Password": SECOND})
    assert message == "Login Profile for User bob already exists."
    assert room.run(DELETE, {"UserName": "bob"}) is None
    for operation, more in ((GET, {}), (UPDATE, {"Password": SECOND}), (DELETE, {})):
        message = refused(NoSuchEntityException, room, operation, {"UserName": "bob", **more})
        assert message == "Login Profile for User bob cannot be found."


def test_what_is_updated_and_what_stays(room: IdentityRoom) -> None:
    create(room, PasswordResetRequired=True)
    assert room.run(UPDATE, {"UserName": "bob", "Password": SECOND}, now=NOON + DAY) is None
    profile = stored(room)
    assert is_password(profile.password_hash, SECOND)
    assert (profile.reset_required, profile.created_at) == (True, NOON)
    room.run(UPDATE, {"UserName": "bob", "PasswordResetRequired": False})
    assert stored(room) == msgspec.structs.replace(profile, reset_required=False)


def test_passwords_come_up_to_the_accounts_policy(room: IdentityRoom) -> None:
    create(room)
    weak, default = "abcdefg1", "Password does not conform to the account password policy."
    room.user("kate")
    requests = [
        (CREATE, {"UserName": "kate", "Password": weak}),
        (UPDATE, {"UserName": "bob", "Password": weak}),
    ]
    for operation, request in requests:
        assert refused(PasswordPolicyViolationException, room, operation, request) == default
    room.run(account.UPDATE_ACCOUNT_PASSWORD_POLICY, {"RequireSymbols": True})
    for operation, request in requests:
        message = refused(PasswordPolicyViolationException, room, operation, request)
        assert message == "Password should have at least one symbol"
    room.run(account.UPDATE_ACCOUNT_PASSWORD_POLICY, {})
    for operation, request in requests:
        room.run(operation, request)
    assert is_password(stored(room, "kate").password_hash, weak)


def test_users_change_their_own(room: IdentityRoom) -> None:
    kate = room.user("kate", SELF)
    create(room, user_name="kate", PasswordResetRequired=True)
    message = refused(
        AccessDeniedException, room, CHANGE, {"OldPassword": SECOND, "NewPassword": SECOND}, principal=kate
    )
    assert message == "The old password was incorrect."
    message = refused(
        PasswordPolicyViolationException,
        room,
        CHANGE,
        {"OldPassword": FIRST, "NewPassword": "x"},
        principal=kate,
    )
    assert message == "Password does not conform to the account password policy."
    assert room.run(CHANGE, {"OldPassword": FIRST, "NewPassword": SECOND}, principal=kate) is None
    assert is_password(stored(room, "kate").password_hash, SECOND)
    assert room.run(GET, principal=kate)["LoginProfile"]["PasswordResetRequired"] is False


def test_only_users_with_a_password_change_one(room: IdentityRoom) -> None:
    kate = room.user("kate", SELF)
    request = {"OldPassword": FIRST, "NewPassword": SECOND}
    message = refused(NoSuchEntityException, room, CHANGE, request, principal=kate)
    assert message == "Login Profile for User kate cannot be found."
    message = refused(InvalidUserTypeException, room, CHANGE, request, principal=root())
    assert message == "Only IAM Users can change their own password."


def test_the_accounts_policy_can_let_users_change_theirs(room: IdentityRoom) -> None:
    kate, eve = room.user("kate"), room.user("eve", deny("iam:ChangePassword"))
    for name in ("kate", "eve"):
        create(room, user_name=name)
    request = {"OldPassword": FIRST, "NewPassword": SECOND}
    denied = f"User: {kate.arn} is not authorized to perform: iam:ChangePassword on resource: user kate "
    message = refused(AccessDeniedException, room, CHANGE, request, principal=kate)
    assert message == denied + "because no identity-based policy allows the iam:ChangePassword action"
    room.run(account.UPDATE_ACCOUNT_PASSWORD_POLICY, {"AllowUsersToChangePassword": True})
    room.run(CHANGE, request, principal=kate)
    assert is_password(stored(room, "kate").password_hash, SECOND)
    message = refused(AccessDeniedException, room, CHANGE, request, principal=eve)
    assert message.endswith("with an explicit deny in an identity-based policy")
    # It lets nobody do anything else.
    refused(AccessDeniedException, room, UPDATE, {"UserName": "kate", "Password": SECOND}, principal=kate)


def test_a_change_that_another_overtook_is_not_made(room: IdentityRoom) -> None:
    """What was checked on a worker thread must be what is replaced."""
    kate = room.user("kate", SELF)
    create(room, user_name="kate")
    call = room.call("ChangePassword", {"OldPassword": FIRST, "NewPassword": SECOND}, principal=kate)
    authorized = authorize(call, room.unit, CHANGE.targets(call, room.unit))
    assert CHANGE.prepare is not None
    work = CHANGE.prepare(authorized, room.unit)
    assert work is not None
    room.run(UPDATE, {"UserName": "kate", "Password": "Canary-Password-0003"})
    late = msgspec.structs.replace(call, prepared=work())
    before = room.unit.state()
    with pytest.raises(EntityTemporarilyUnmodifiableException) as caught:
        CHANGE.handle(authorize(late, room.unit, CHANGE.targets(late, room.unit)), room.unit)
    assert caught.value.message == "The password was changed at the same time. Try again."
    assert room.unit.state() == before
    assert "argon2" not in repr(late.prepared)


def test_a_password_and_a_user_have_to_be_given(room: IdentityRoom) -> None:
    message = refused(ValidationException, room, CREATE, {"UserName": "bob"})
    assert "'password' failed to satisfy constraint: Member must not be null" in message
    for operation, more in ((CREATE, {"Password": FIRST}), (GET, {}), (DELETE, {})):
        message = refused(ValidationException, room, operation, more)
        assert message == "Must specify userName when calling with non-User credentials"


@pytest.mark.parametrize("operation", [CREATE, GET, UPDATE, DELETE], ids=lambda each: str(each.name))
def test_a_user_that_is_not_there_and_one_who_may_not(room: IdentityRoom, operation: Any) -> None:
    more = {"Password": FIRST} if operation in (CREATE, UPDATE) else {}
    message = refused(NoSuchEntityException, room, operation, {"UserName": "nobody", **more})
    assert message == "The user with name nobody cannot be found."
    eve = room.user("eve")
    for name in ("bob", "nobody"):
        request = {"UserName": name, **more}
        assert refused(AccessDeniedException, room, operation, request, principal=eve) == (
            f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: user {name} "
            f"because no identity-based policy allows the {operation.action} action"
        )


def test_no_password_is_kept_or_recorded(room: IdentityRoom) -> None:
    kate = room.user("kate", SELF)
    create(room, user_name="kate")
    room.run(CHANGE, {"OldPassword": FIRST, "NewPassword": SECOND}, principal=kate)
    kept = [msgspec.msgpack.encode(stored(room, "kate")).decode("latin-1"), repr(room.unit.state())]
    for name, request in (
        ("CreateLoginProfile", {"UserName": "kate", "Password": FIRST}),
        ("UpdateLoginProfile", {"UserName": "kate", "Password": FIRST}),
        ("ChangePassword", {"OldPassword": FIRST, "NewPassword": SECOND}),
    ):
        kept.append(repr(service("iam").operations[name].redact_request(request)))
    assert not any("anary" in text for text in kept)
