"""Users: making, finding, renaming and removing them. Source: fact sheet iam sections 10 to 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from strongroom.errors import DeleteConflictException, EntityAlreadyExistsException
from strongroom.identity import ids
from strongroom.identity.naming import ROOT_PATH, verify_name
from strongroom.identity.records import User
from strongroom.identity.tags import with_tags
from strongroom.names import root_arn, user_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.boundaries import boundary_context, boundary_member, requested_boundary
from strongroom.operations.iam.credentials import owned_access_keys
from strongroom.operations.iam.paging import filtered_page
from strongroom.operations.iam.resolution import (
    IGNORES_CASE,
    ROOT_HAS_NO_NAME,
    described,
    find_user,
    is_root_itself,
    on_user,
    on_user_or_caller,
    present,
    user_target,
)
from strongroom.operations.iam.tagging import tag_context, tag_entries
from strongroom.ports import ACCOUNTS, LOGIN_PROFILES, USERS, ReadUnit, WriteUnit


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    verify_name("userName", request["UserName"])
    arn = user_arn(call.account_id, request.get("Path", ROOT_PATH), request["UserName"])
    context = {**tag_context(request.get("Tags")), **boundary_context(request)}
    actions = ("iam:CreateUser", "iam:TagUser") if request.get("Tags") else ("iam:CreateUser",)
    return tuple(Target(action, arn, call.account_id, context=context) for action in actions)


def create_user(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save a user without permissions and without keys.

    Raises:
        InvalidInputException: the tags are not as they must be, or PermissionsBoundary is no policy's ARN.
        NoSuchEntityException: there is no such policy to be the boundary.
        EntityAlreadyExistsException: the name is taken, in whatever case.
    """
    call, request = authorized.call, authorized.request
    name, path = request["UserName"], request.get("Path", ROOT_PATH)
    tags = with_tags({}, request.get("Tags") or ())
    if find_user(unit, call, name) is not None:
        raise EntityAlreadyExistsException(messages.user_exists(name))
    boundary = requested_boundary(call, unit)
    user = User(
        user_id=ids.user_id(call.resources.entropy.token_bytes(ids.USER_ID_RANDOM_BYTES)),
        user_name=name,
        path=path,
        arn=user_arn(call.account_id, path, name),
        account_id=call.account_id,
        created_at=call.received_at,
        tags=tags,
        boundary=boundary,
    )
    unit.save(USERS, user)
    return {"User": _in_full(user)}


def get_user(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a user with its boundary and tags; without UserName the caller.

    Raises:
        NoSuchEntityException: no such user.
    """
    call = authorized.call
    if not is_root_itself(call):
        return {"User": _in_full(present(call, authorized.target))}
    root: dict[str, Any] = {"UserId": call.account_id, "Arn": root_arn(call.account_id)}
    account = unit.find(ACCOUNTS, "", call.account_id)
    if account is not None:
        root["CreateDate"] = account.created_at
    return {"User": root}


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    prefix = call.request.get("PathPrefix", ROOT_PATH)
    return (Target("iam:ListUsers", user_arn(call.account_id, prefix, ""), call.account_id),)


def list_users(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's users whose path begins with PathPrefix, by name ignoring case, without tags.

    Raises:
        ValidationException: a Marker this service did not give out.
    """
    call, request = authorized.call, authorized.request
    prefix = request.get("PathPrefix", ROOT_PATH)
    page, members = filtered_page(
        unit, USERS, call.account_id, request, lambda user: user.path.startswith(prefix)
    )
    return {"Users": [described(user) for user in page], **members}


def _update_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """What the user is, and what it would be, must both be allowed."""
    request = call.request
    if "NewUserName" in request:
        verify_name("newUserName", request["NewUserName"])
    target = user_target(call, unit, "iam:UpdateUser", request["UserName"])
    user: User | None = target.record
    if user is None:
        return (target,)
    renamed = _renamed(user, request)
    if renamed.arn == user.arn:
        return (target,)
    return (target, Target("iam:UpdateUser", renamed.arn, call.account_id, context=target.context))


def update_user(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Give a user another name, another path, or both; its id, keys, policies and tags stay.

    Raises:
        NoSuchEntityException: no such user.
        EntityAlreadyExistsException: the new name is taken, in whatever case.
    """
    call = authorized.call
    user = present(call, authorized.target)
    renamed = _renamed(user, call.request)
    # AWS: a change of case alone is refused, too, because the name is taken: by the user itself.
    if renamed.user_name != user.user_name and find_user(unit, call, renamed.user_name) is not None:
        raise EntityAlreadyExistsException(messages.user_exists(renamed.user_name))
    unit.save(USERS, renamed)


def _renamed(user: User, request: Mapping[str, Any]) -> User:
    name = request.get("NewUserName", user.user_name)
    path = request.get("NewPath", user.path)
    return msgspec.structs.replace(user, user_name=name, path=path, arn=user_arn(user.account_id, path, name))


def delete_user(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a user. One made under the same name later has another id, and nothing of this one's rights.

    Raises:
        NoSuchEntityException: no such user.
        DeleteConflictException: it has policies, access keys or a login profile, or is in a group.
    """
    call = authorized.call
    user = present(call, authorized.target)
    if user.policies:
        raise DeleteConflictException(messages.POLICIES_LEFT)
    if user.attached:
        raise DeleteConflictException(messages.POLICIES_ATTACHED)
    if owned_access_keys(unit, user.account_id, user.user_id, limit=1):
        raise DeleteConflictException(messages.ACCESS_KEYS_LEFT)
    if unit.find(LOGIN_PROFILES, user.account_id, user.user_id) is not None:
        raise DeleteConflictException(messages.LOGIN_PROFILE_LEFT)
    if user.group_ids:
        raise DeleteConflictException(messages.USERS_IN_GROUP)
    unit.delete(USERS, user.account_id, user.user_id)


def _in_full(user: User) -> dict[str, Any]:
    tags = {"Tags": tag_entries(user.tags)} if user.tags else {}
    return {**described(user), **boundary_member(user.boundary), **tags}


CREATE_USER = Operation(
    name="CreateUser",
    action="iam:CreateUser",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_user,
    read_only=False,
    deviations=("There is no quota of users for an account.",),
)
GET_USER = Operation(
    name="GetUser",
    action="iam:GetUser",
    unit=Unit.READ,
    targets=on_user_or_caller("iam:GetUser"),
    handle=get_user,
    deviations=(IGNORES_CASE, ROOT_HAS_NO_NAME, "PasswordLastUsed is never there."),
)
LIST_USERS = Operation(
    name="ListUsers",
    action="iam:ListUsers",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_users,
    deviations=("Users come in the order of their names, ignoring case.",),
)
UPDATE_USER = Operation(
    name="UpdateUser",
    action="iam:UpdateUser",
    unit=Unit.WRITE,
    targets=_update_targets,
    handle=update_user,
    read_only=False,
    deviations=(IGNORES_CASE, "A NewUserName equal to the present one changes nothing."),
)
DELETE_USER = Operation(
    name="DeleteUser",
    action="iam:DeleteUser",
    unit=Unit.WRITE,
    targets=on_user("iam:DeleteUser"),
    handle=delete_user,
    read_only=False,
    deviations=(
        IGNORES_CASE,
        "Of what is left behind, inline policies are named first, then attached ones, access keys, the login "
        "profile and groups.",
    ),
)
