"""Roles: making, finding, changing and removing them. Source: fact sheet iam sections 1, 5 and 10 to 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    UnmodifiableEntityException,
)
from strongroom.identity import ids
from strongroom.identity.naming import ROOT_PATH, verify_name
from strongroom.identity.records import Role
from strongroom.identity.tags import with_tags
from strongroom.names import role_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam import messages, trust_policies
from strongroom.operations.iam.boundaries import boundary_context, boundary_member, requested_boundary
from strongroom.operations.iam.entities import (
    ROLE,
    find_entity,
    ignores_case,
    on_entity,
    present_entity,
)
from strongroom.operations.iam.paging import filtered_page, parse_marker
from strongroom.operations.iam.tagging import OWN_TEXTS, tag_context, tag_entries
from strongroom.operations.iam.trust_policies import accepted_trust_policy, shown_trust_policy
from strongroom.ports import ROLES, ReadUnit, WriteUnit

SERVICES_PATH: Final = "/aws-service-role/"
"""SECURITY: roles below it are the service's, which finds its own by path and name: nobody else makes one
there, or says who may assume it."""
_IGNORES_CASE: Final = ignores_case(ROLE)
_SHOWN_TRUST: Final = (
    "The trust policy comes back character for character as it was written, unless a user it names was "
    "renamed, or a user or role it names was deleted: then that one stands in it under its new ARN, or under "
    "its unique id."
)


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    verify_name("roleName", request["RoleName"])
    arn = role_arn(call.account_id, request.get("Path", ROOT_PATH), request["RoleName"])
    context = {**tag_context(request.get("Tags")), **boundary_context(request)}
    actions = ("iam:CreateRole", "iam:TagRole") if request.get("Tags") else ("iam:CreateRole",)
    return tuple(Target(action, arn, call.account_id, context=context) for action in actions)


def create_role(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save a role without permissions, which those may assume whom its trust policy admits.

    Raises:
        MalformedPolicyDocumentException: AssumeRolePolicyDocument is not a trust policy, or names a
            principal that does not exist.
        InvalidInputException: the tags are not as they must be, PermissionsBoundary is no policy's ARN, or
            the path is kept for roles of services.
        LimitExceededException: the trust policy is longer than 2,048 characters, white space not counted.
        NoSuchEntityException: there is no such policy to be the boundary.
        EntityAlreadyExistsException: the name is taken, in whatever case.
    """
    call, request = authorized.call, authorized.request
    name, path = request["RoleName"], request.get("Path", ROOT_PATH)
    if path.startswith(SERVICES_PATH):
        raise InvalidInputException(messages.PATH_OF_SERVICES)
    tags = with_tags({}, request.get("Tags") or (), "Role")
    trust = accepted_trust_policy(unit, call.account_id, request["AssumeRolePolicyDocument"])
    if find_entity(unit, call, ROLE, name) is not None:
        raise EntityAlreadyExistsException(messages.entity_exists(ROLE.noun, name))
    role = Role(
        role_id=ids.role_id(call.resources.entropy.token_bytes(ids.ROLE_ID_RANDOM_BYTES)),
        role_name=name,
        path=path,
        arn=role_arn(call.account_id, path, name),
        account_id=call.account_id,
        created_at=call.received_at,
        trust_policy=trust.pinned,
        written_trust_policy=trust.written,
        description=request.get("Description"),
        max_session_seconds=request.get("MaxSessionDuration", 3600),
        max_signin_session_seconds=request.get("MaxSigninSessionDuration"),
        tags=tags,
        boundary=requested_boundary(call, unit),
    )
    unit.save(ROLES, role)
    # AWS: neither description nor durations are in this answer (recorded, LS-iam).
    return {"Role": {**_named(unit, role), **_bounded_and_tagged(role)}}


def get_role(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a role with everything that is known of it but its permissions.

    Raises:
        NoSuchEntityException: no such role.
    """
    role = present_entity(ROLE, authorized.call, authorized.target)
    last_used: dict[str, Any] = {}
    if role.last_used_at is not None:
        last_used = {"LastUsedDate": role.last_used_at, "Region": role.last_used_region}
    return {"Role": {**_listed(unit, role), **_bounded_and_tagged(role), "RoleLastUsed": last_used}}


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    prefix = call.request.get("PathPrefix", ROOT_PATH)
    return (Target("iam:ListRoles", role_arn(call.account_id, prefix, ""), call.account_id),)


def list_roles(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's roles whose path begins with PathPrefix, by name ignoring case, without tags.

    Raises:
        ValidationException: a Marker this service did not give out.
    """
    call, request = authorized.call, authorized.request
    prefix = request.get("PathPrefix", ROOT_PATH)
    page, members = filtered_page(
        unit, ROLES, call.account_id, request, lambda role: role.path.startswith(prefix)
    )
    return {"Roles": [_listed(unit, role) for role in page], **members}


def update_role(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Change the description and the durations that the request has; sessions that exist stay as they are.

    Raises:
        NoSuchEntityException: no such role.
        InvalidInputException: MaxSigninSessionDuration is set and reset at once.
    """
    request = authorized.request
    role = present_entity(ROLE, authorized.call, authorized.target)
    signin = request.get("MaxSigninSessionDuration", role.max_signin_session_seconds)
    if request.get("ResetMaxSigninSessionDuration"):
        if "MaxSigninSessionDuration" in request:
            raise InvalidInputException(messages.SIGNIN_SET_AND_RESET)
        signin = None
    changed = msgspec.structs.replace(
        role,
        description=request.get("Description", role.description),
        max_session_seconds=request.get("MaxSessionDuration", role.max_session_seconds),
        max_signin_session_seconds=signin,
    )
    unit.save(ROLES, changed)
    return {}


def update_role_description(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Change the description.

    Raises:
        NoSuchEntityException: no such role.
    """
    role = present_entity(ROLE, authorized.call, authorized.target)
    changed = msgspec.structs.replace(role, description=authorized.request["Description"])
    unit.save(ROLES, changed)
    return {"Role": {**_named(unit, changed), "Description": changed.description}}


def update_assume_role_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Change whom the role may be assumed by, from the next call on; sessions that exist stay.

    Raises:
        NoSuchEntityException: no such role.
        UnmodifiableEntityException: it is a service's own.
        MalformedPolicyDocumentException: not a trust policy, or it names a principal that does not exist.
        LimitExceededException: it is longer than 2,048 characters, white space not counted.
    """
    call = authorized.call
    role = present_entity(ROLE, call, authorized.target)
    if role.path.startswith(SERVICES_PATH):
        raise UnmodifiableEntityException(messages.protected_role(role.role_name))
    trust = accepted_trust_policy(unit, role.account_id, call.request["PolicyDocument"])
    changed = msgspec.structs.replace(role, trust_policy=trust.pinned, written_trust_policy=trust.written)
    unit.save(ROLES, changed)


def delete_role(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a role; its sessions end with it. One made under the same name later has another id.

    Raises:
        NoSuchEntityException: no such role.
        DeleteConflictException: it has policies.
    """
    role = present_entity(ROLE, authorized.call, authorized.target)
    if role.attached:
        raise DeleteConflictException(messages.POLICIES_ATTACHED)
    if role.policies:
        raise DeleteConflictException(messages.POLICIES_LEFT)
    unit.delete(ROLES, role.account_id, role.role_id)


def list_instance_profiles_for_role(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return an empty list: no role is in an instance profile, because there are none.

    Raises:
        NoSuchEntityException: no such role.
        ValidationException: a Marker this service did not give out.
    """
    present_entity(ROLE, authorized.call, authorized.target)
    parse_marker(authorized.request)
    return {"InstanceProfiles": [], "IsTruncated": False}


def _named(unit: ReadUnit, role: Role) -> dict[str, Any]:
    return {
        "Path": role.path,
        "RoleName": role.role_name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": shown_trust_policy(unit, role),
    }


def _listed(unit: ReadUnit, role: Role) -> dict[str, Any]:
    members = {**_named(unit, role), "MaxSessionDuration": role.max_session_seconds}
    if role.description is not None:
        members["Description"] = role.description
    if role.max_signin_session_seconds is not None:
        members["MaxSigninSessionDuration"] = role.max_signin_session_seconds
    return members


def _bounded_and_tagged(role: Role) -> dict[str, Any]:
    tags = {"Tags": tag_entries(role.tags)} if role.tags else {}
    return {**boundary_member(role.boundary), **tags}


CREATE_ROLE = Operation(
    name="CreateRole",
    action="iam:CreateRole",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_role,
    read_only=False,
    deviations=(
        *trust_policies.DEVIATIONS,
        OWN_TEXTS,
        "There is no quota of roles for an account.",
        "The text refusing a path below /aws-service-role/ is ours.",
    ),
)
GET_ROLE = Operation(
    name="GetRole",
    action="iam:GetRole",
    unit=Unit.READ,
    targets=on_entity(ROLE, "iam:GetRole"),
    handle=get_role,
    deviations=(_IGNORES_CASE, _SHOWN_TRUST),
)
LIST_ROLES = Operation(
    name="ListRoles",
    action="iam:ListRoles",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_roles,
    deviations=("Roles come in the order of their names, ignoring case.", _SHOWN_TRUST),
)
UPDATE_ROLE = Operation(
    name="UpdateRole",
    action="iam:UpdateRole",
    unit=Unit.WRITE,
    targets=on_entity(ROLE, "iam:UpdateRole"),
    handle=update_role,
    read_only=False,
    deviations=(
        _IGNORES_CASE,
        "MaxSigninSessionDuration is kept and shown, and limits nothing: nobody signs in to a console here.",
    ),
)
UPDATE_ROLE_DESCRIPTION = Operation(
    name="UpdateRoleDescription",
    action="iam:UpdateRoleDescription",
    unit=Unit.WRITE,
    targets=on_entity(ROLE, "iam:UpdateRoleDescription"),
    handle=update_role_description,
    read_only=False,
    deviations=(_IGNORES_CASE,),
)
UPDATE_ASSUME_ROLE_POLICY = Operation(
    name="UpdateAssumeRolePolicy",
    action="iam:UpdateAssumeRolePolicy",
    unit=Unit.WRITE,
    targets=on_entity(ROLE, "iam:UpdateAssumeRolePolicy"),
    handle=update_assume_role_policy,
    read_only=False,
    deviations=(_IGNORES_CASE, *trust_policies.DEVIATIONS),
)
DELETE_ROLE = Operation(
    name="DeleteRole",
    action="iam:DeleteRole",
    unit=Unit.WRITE,
    targets=on_entity(ROLE, "iam:DeleteRole"),
    handle=delete_role,
    read_only=False,
    deviations=(_IGNORES_CASE, "Of the policies left behind, attached ones are named first."),
)
LIST_INSTANCE_PROFILES_FOR_ROLE = Operation(
    name="ListInstanceProfilesForRole",
    action="iam:ListInstanceProfilesForRole",
    unit=Unit.READ,
    targets=on_entity(ROLE, "iam:ListInstanceProfilesForRole"),
    handle=list_instance_profiles_for_role,
    deviations=(_IGNORES_CASE, "The list is always empty: there are no instance profiles."),
)
