"""Everything that decides about an account's entities, in one answer. Source: fact sheet iam section 12."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from strongroom.identity.managed import AWS_MANAGED
from strongroom.identity.naming import fold_name
from strongroom.identity.records import Group, ManagedPolicy, Role, User
from strongroom.names import Arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam.boundaries import boundary_member
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.policy_resolution import (
    Usage,
    described_policy,
    find_policy,
    usage_of_policies,
)
from strongroom.operations.iam.tagging import tag_entries
from strongroom.operations.iam.trust_policies import shown_trust_policy
from strongroom.ports import GROUPS, MANAGED_POLICIES, ROLES, USERS, ReadUnit

Record = Group | ManagedPolicy | Role | User
_Described = Mapping[str, Any]

_EVERYTHING: Final = ("Group", "LocalManagedPolicy", "AWSManagedPolicy", "Role", "User")
_LISTS: Final = ("GroupDetailList", "Policies", "RoleDetailList", "UserDetailList")


def _targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (Target("iam:GetAccountAuthorizationDetails", "*", call.account_id),)


def get_account_authorization_details(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return groups, policies, roles and users with all their policies; a page holds up to MaxItems of all.

    Raises:
        ValidationException: a Marker this service did not give out.
    """
    call, request = authorized.call, authorized.request
    size, after = page_size(request), parse_marker(request)
    usage = usage_of_policies(unit, call.account_id)
    wanted = frozenset(
        request.get("Filter") or ("Group", "LocalManagedPolicy", "AWSManagedPolicy", "Role", "User")
    )
    rows = sorted(_all(unit, call, usage, wanted), key=lambda row: row[0])
    rows = [row for row in rows if row[0] > after]
    page = rows[:size]
    return {
        **{name: [describe() for _, member, describe in page if member == name] for name in _LISTS},
        **page_members(rows, size, page[-1][0] if page else ""),
    }


def _all(
    unit: ReadUnit, call: Call, usage: Usage, wanted: frozenset[str]
) -> Iterator[tuple[str, str, Callable[[], _Described]]]:
    """Yield position, list and description of every record; described is only what a page holds."""
    account = call.account_id
    if "Group" in wanted:
        for group in unit.scan(GROUPS, account):
            yield f"0 {fold_name(group.group_name)}", _LISTS[0], _later(_group, unit, call, group)
    if "LocalManagedPolicy" in wanted:
        for policy in unit.scan(MANAGED_POLICIES, account):
            yield f"1 {fold_name(policy.policy_name)} 0", _LISTS[1], _later(_policy, usage, policy)
    if "AWSManagedPolicy" in wanted:
        for policy in AWS_MANAGED.values():
            if usage.attached[policy.arn] or usage.boundaries[policy.arn]:
                yield f"1 {fold_name(policy.policy_name)} 1", _LISTS[1], _later(_policy, usage, policy)
    if "Role" in wanted:
        for role in unit.scan(ROLES, account):
            yield f"2 {fold_name(role.role_name)}", _LISTS[2], _later(_role, unit, call, role)
    if "User" in wanted:
        for user in unit.scan(USERS, account):
            yield f"3 {fold_name(user.user_name)}", _LISTS[3], _later(_user, unit, call, user)


def _later(describe: Callable[..., _Described], *arguments: Any) -> Callable[[], _Described]:
    return lambda: describe(*arguments)


def _group(unit: ReadUnit, call: Call, group: Group) -> _Described:
    return {
        "Path": group.path,
        "GroupName": group.group_name,
        "GroupId": group.group_id,
        "Arn": group.arn,
        "CreateDate": group.created_at,
        "GroupPolicyList": _inline(group.policies),
        "AttachedManagedPolicies": _attached(unit, call, group.attached),
    }


def _role(unit: ReadUnit, call: Call, role: Role) -> _Described:
    return {
        "Path": role.path,
        "RoleName": role.role_name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": shown_trust_policy(unit, role),
        "InstanceProfileList": [],
        "RolePolicyList": _inline(role.policies),
        "AttachedManagedPolicies": _attached(unit, call, role.attached),
        "Tags": tag_entries(role.tags),
        **boundary_member(role.boundary),
    }


def _user(unit: ReadUnit, call: Call, user: User) -> _Described:
    groups = (unit.find(GROUPS, user.account_id, group_id) for group_id in user.group_ids)
    return {
        "Path": user.path,
        "UserName": user.user_name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
        "UserPolicyList": _inline(user.policies),
        "GroupList": sorted(group.group_name for group in groups if group is not None),
        "AttachedManagedPolicies": _attached(unit, call, user.attached),
        "Tags": tag_entries(user.tags),
        **boundary_member(user.boundary),
    }


def _policy(usage: Usage, policy: ManagedPolicy) -> _Described:
    described = {} if policy.description is None else {"Description": policy.description}
    versions = [
        {
            "Document": version.document,
            "VersionId": version.version_id,
            "IsDefaultVersion": version.version_id == policy.default_version_id,
            "CreateDate": version.created_at,
        }
        for version in reversed(policy.versions)
    ]
    return {**described_policy(policy, usage), **described, "PolicyVersionList": versions}


def _inline(policies: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"PolicyName": name, "PolicyDocument": policies[name]} for name in sorted(policies)]


def _attached(unit: ReadUnit, call: Call, arns: Sequence[Arn]) -> list[dict[str, str]]:
    found = (find_policy(unit, call.account_id, arn) for arn in arns)
    return [{"PolicyName": each.policy_name, "PolicyArn": each.arn} for each in found if each is not None]


GET_ACCOUNT_AUTHORIZATION_DETAILS = Operation(
    name="GetAccountAuthorizationDetails",
    action="iam:GetAccountAuthorizationDetails",
    unit=Unit.READ,
    targets=_targets,
    handle=get_account_authorization_details,
    deviations=(
        "Of AWS's own policies those in use are listed.",
        "Groups come first, then policies, roles and users, each by name ignoring case.",
    ),
)
