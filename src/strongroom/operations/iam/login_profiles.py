"""Login profiles: passwords of users, for a console to come. Source: fact sheet iam sections 11 and 12."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from strongroom.errors import (
    AccessDeniedException,
    EntityAlreadyExistsException,
    EntityTemporarilyUnmodifiableException,
    InvalidUserTypeException,
    NoSuchEntityException,
    PasswordPolicyViolationException,
    ValidationException,
)
from strongroom.identity.passwords import SALT_BYTES, hash_password, is_password, violation
from strongroom.identity.principal import PrincipalType
from strongroom.identity.records import LoginProfile, PasswordPolicy, User
from strongroom.operations.call import AuthorizedCall, Call, Operation, ResourcePolicy, Target, Targets, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.resolution import IGNORES_CASE, on_user, on_user_or_caller, present
from strongroom.ports import ACCOUNTS, LOGIN_PROFILES, USERS, ReadUnit, WriteUnit

# Published reports of the live service.
ONLY_USERS: Final = "Only IAM Users can change their own password."
WRONG_PASSWORD: Final = "The old password was incorrect."
# Not established; ours.
PASSWORD_REQUIRED: Final = (
    "1 validation error detected: Value at 'password' failed to satisfy constraint: Member must not be null"
)
CHANGED_MEANWHILE: Final = "The password was changed at the same time. Try again."

_ROOT_HAS_NONE: Final = "The account's root user has no password; a user has to be named when it calls."
_NO_SESSIONS: Final = "MaxSigninSessionDuration means nothing without a console."


def profile_exists(user_name: str) -> str:
    """Published reports of the live service."""
    return f"Login Profile for User {user_name} already exists."


def no_such_profile(user_name: str) -> str:
    """Published reports of the live service."""
    return f"Login Profile for User {user_name} cannot be found."


def _on_user_or_caller(action: str) -> Targets:
    found = on_user_or_caller(action)

    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        if call.request.get("UserName") is None and call.principal.is_root:
            raise ValidationException(messages.USER_NAME_REQUIRED)
        return found(call, unit)

    return targets


def _policy(call: Call, unit: ReadUnit) -> PasswordPolicy | None:
    account = unit.find(ACCOUNTS, "", call.account_id)
    return None if account is None else account.password_policy


def _verify_password(call: Call, unit: ReadUnit, password: str) -> None:
    wrong = violation(password, _policy(call, unit))
    if wrong is not None:
        raise PasswordPolicyViolationException(wrong)


def _profile(user: User, unit: ReadUnit) -> LoginProfile:
    profile = unit.find(LOGIN_PROFILES, user.account_id, user.user_id)
    if profile is None:
        raise NoSuchEntityException(no_such_profile(user.user_name))
    return profile


def _hashing(call: Call, password: str) -> Callable[[], str]:
    salt = call.resources.entropy.token_bytes(SALT_BYTES)
    return lambda: hash_password(password, salt)


def _described(user: User, profile: LoginProfile) -> dict[str, Any]:
    return {
        "LoginProfile": {
            "UserName": user.user_name,
            "CreateDate": profile.created_at,
            "PasswordResetRequired": profile.reset_required,
        }
    }


def _verify_create(authorized: AuthorizedCall, unit: ReadUnit) -> User:
    call, request = authorized.call, authorized.request
    user = present(call, authorized.target)
    if "Password" not in request:
        raise ValidationException(PASSWORD_REQUIRED)
    if unit.find(LOGIN_PROFILES, user.account_id, user.user_id) is not None:
        raise EntityAlreadyExistsException(profile_exists(user.user_name))
    _verify_password(call, unit, request["Password"])
    return user


def prepare_create(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], str]:
    _verify_create(authorized, unit)
    return _hashing(authorized.call, authorized.request["Password"])


def create_login_profile(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Give a user a password.

    Raises:
        NoSuchEntityException: no such user.
        EntityAlreadyExistsException: it has one.
        PasswordPolicyViolationException: the account's policy does not have it.
    """
    user = _verify_create(authorized, unit)
    profile = LoginProfile(
        user_id=user.user_id,
        account_id=user.account_id,
        password_hash=authorized.call.prepared,
        created_at=authorized.call.received_at,
        reset_required=authorized.request.get("PasswordResetRequired", False),
    )
    unit.save(LOGIN_PROFILES, profile)
    return _described(user, profile)


def get_login_profile(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return when a user was given a password, and whether it has to be changed.

    Raises:
        NoSuchEntityException: no such user, or it has no password.
    """
    user = present(authorized.call, authorized.target)
    return _described(user, _profile(user, unit))


def _verify_update(authorized: AuthorizedCall, unit: ReadUnit) -> LoginProfile:
    call, request = authorized.call, authorized.request
    profile = _profile(present(call, authorized.target), unit)
    if "Password" in request:
        _verify_password(call, unit, request["Password"])
    return profile


def prepare_update(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], str] | None:
    _verify_update(authorized, unit)
    password = authorized.request.get("Password")
    return None if password is None else _hashing(authorized.call, password)


def update_login_profile(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Give a user another password, or say whether it has to be changed, or both.

    Raises:
        NoSuchEntityException: no such user, or it has no password.
        PasswordPolicyViolationException: the account's policy does not have the new one.
    """
    profile = _verify_update(authorized, unit)
    reset = authorized.request.get("PasswordResetRequired", profile.reset_required)
    hashed = profile.password_hash if "Password" not in authorized.request else authorized.call.prepared
    unit.save(LOGIN_PROFILES, msgspec.structs.replace(profile, password_hash=hashed, reset_required=reset))


def delete_login_profile(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Take a user's password away.

    Raises:
        NoSuchEntityException: no such user, or it has none.
    """
    user = present(authorized.call, authorized.target)
    _profile(user, unit)
    unit.delete(LOGIN_PROFILES, user.account_id, user.user_id)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a worker thread found out about a change of password."""

    checked_hash: str = field(repr=False)
    old_is_right: bool
    new_hash: str = field(repr=False)


def _change_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    principal = call.principal
    if principal.type is not PrincipalType.USER:
        raise InvalidUserTypeException(ONLY_USERS)
    user = unit.find(USERS, call.account_id, principal.principal_id)
    policy = _policy(call, unit)
    allowing: tuple[ResourcePolicy, ...] = ()
    if policy is not None and policy.users_may_change:
        # AWS: AllowUsersToChangePassword lets every user do this on itself; a Deny still counts.
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": principal.principal_id},
            "Action": "iam:ChangePassword",
        }
        allowing = (ResourcePolicy(json.dumps({"Version": "2012-10-17", "Statement": statement})),)
    return (
        Target(
            "iam:ChangePassword",
            principal.arn,
            call.account_id,
            shown_as=f"user {principal.user_name}",
            record=user,
            resource_policies=allowing,
        ),
    )


def _verify_change(authorized: AuthorizedCall, unit: ReadUnit) -> LoginProfile:
    call = authorized.call
    profile = _profile(present(call, authorized.target), unit)
    _verify_password(call, unit, authorized.request["NewPassword"])
    return profile


def prepare_change(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], _Change]:
    profile, request = _verify_change(authorized, unit), authorized.request
    hash_new = _hashing(authorized.call, request["NewPassword"])
    checked, old = profile.password_hash, request["OldPassword"]
    return lambda: _Change(checked, is_password(checked, old), hash_new())


def change_password(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Replace the caller's own password.

    Raises:
        InvalidUserTypeException: the caller is not a user.
        NoSuchEntityException: it has no password.
        PasswordPolicyViolationException: the account's policy does not have the new one.
        AccessDeniedException: the old one is not right.
        EntityTemporarilyUnmodifiableException: another change came in between.
    """
    profile = _verify_change(authorized, unit)
    change: _Change = authorized.call.prepared
    # INVARIANT: the password that was checked is the one that is replaced.
    if change.checked_hash != profile.password_hash:
        raise EntityTemporarilyUnmodifiableException(CHANGED_MEANWHILE)
    if not change.old_is_right:
        raise AccessDeniedException(WRONG_PASSWORD)
    changed = msgspec.structs.replace(profile, password_hash=change.new_hash, reset_required=False)
    unit.save(LOGIN_PROFILES, changed)


CREATE_LOGIN_PROFILE = Operation(
    name="CreateLoginProfile",
    action="iam:CreateLoginProfile",
    unit=Unit.WRITE,
    targets=_on_user_or_caller("iam:CreateLoginProfile"),
    handle=create_login_profile,
    prepare=prepare_create,
    read_only=False,
    deviations=(IGNORES_CASE, _ROOT_HAS_NONE, _NO_SESSIONS, "Texts about passwords are our own."),
)
GET_LOGIN_PROFILE = Operation(
    name="GetLoginProfile",
    action="iam:GetLoginProfile",
    unit=Unit.READ,
    targets=_on_user_or_caller("iam:GetLoginProfile"),
    handle=get_login_profile,
    deviations=(IGNORES_CASE, _ROOT_HAS_NONE),
)
UPDATE_LOGIN_PROFILE = Operation(
    name="UpdateLoginProfile",
    action="iam:UpdateLoginProfile",
    unit=Unit.WRITE,
    targets=on_user("iam:UpdateLoginProfile"),
    handle=update_login_profile,
    prepare=prepare_update,
    read_only=False,
    deviations=(IGNORES_CASE, _NO_SESSIONS, "Texts about passwords are our own."),
)
DELETE_LOGIN_PROFILE = Operation(
    name="DeleteLoginProfile",
    action="iam:DeleteLoginProfile",
    unit=Unit.WRITE,
    targets=_on_user_or_caller("iam:DeleteLoginProfile"),
    handle=delete_login_profile,
    read_only=False,
    deviations=(IGNORES_CASE, _ROOT_HAS_NONE),
)
CHANGE_PASSWORD = Operation(
    name="ChangePassword",
    action="iam:ChangePassword",
    unit=Unit.WRITE,
    targets=_change_targets,
    handle=change_password,
    prepare=prepare_change,
    read_only=False,
    deviations=("Texts about passwords are our own.",),
)
