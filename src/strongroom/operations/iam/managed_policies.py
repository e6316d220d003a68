"""Managed policies: making, finding, listing, tagging and removing them. Source: fact sheet iam 10 to 12."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import DeleteConflictException, EntityAlreadyExistsException
from strongroom.identity import ids
from strongroom.identity.managed import AWS_ACCOUNT, AWS_MANAGED
from strongroom.identity.naming import ROOT_PATH, fold_name, verify_name
from strongroom.identity.records import ManagedPolicy, PolicyVersion
from strongroom.identity.tags import with_tags, without_tags
from strongroom.names import policy_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.iam import policy_messages
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.policy_resolution import (
    OTHER_ACCOUNTS,
    Usage,
    described_policy,
    on_policy,
    own_policy,
    policy_target,
    present_policy,
    usage_of_policies,
    verify_document,
)
from strongroom.operations.iam.tagging import tag_context, tag_entries
from strongroom.ports import MANAGED_POLICIES, ReadUnit, WriteUnit

AWS_OWN_TEXT = (
    "What AWS answers to a change of one of its own policies is not on record; here it is AccessDenied."
)
AWS_POLICIES = (
    "Of AWS's own managed policies there are those that concern secrets, with their statements on the "
    "services that are here; their ids, and of ReadOnlyAccess the version and dates, are not AWS's."
)
HOLDER: Final = "Policy"


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    name = request["PolicyName"]
    verify_name("policyName", name)
    arn = policy_arn(call.account_id, request.get("Path", ROOT_PATH), name)
    context = tag_context(request.get("Tags"))
    actions = ("iam:CreatePolicy", "iam:TagPolicy") if request.get("Tags") else ("iam:CreatePolicy",)
    return tuple(
        Target(action, arn, call.account_id, shown_as=f"policy {name}", context=context) for action in actions
    )


def create_policy(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save a policy with one version, v1, which nobody has yet.

    Raises:
        EntityAlreadyExistsException: the name is taken, in whatever case and under whatever path.
        MalformedPolicyDocumentException: not an identity policy.
        LimitExceededException: more than 6,144 characters, or too many tags.
        InvalidInputException: the tags are not as they must be.
    """
    call, request = authorized.call, authorized.request
    name, path = request["PolicyName"], request.get("Path", ROOT_PATH)
    verify_document(request["PolicyDocument"])
    tags = with_tags({}, request.get("Tags") or (), HOLDER)
    if unit.find_alternate(MANAGED_POLICIES, call.account_id, fold_name(name)) is not None:
        raise EntityAlreadyExistsException(policy_messages.policy_exists(name))
    first = PolicyVersion(version_id="v1", document=request["PolicyDocument"], created_at=call.received_at)
    policy = ManagedPolicy(
        policy_id=ids.policy_id(call.resources.entropy.token_bytes(ids.POLICY_ID_RANDOM_BYTES)),
        policy_name=name,
        path=path,
        arn=policy_arn(call.account_id, path, name),
        account_id=call.account_id,
        created_at=call.received_at,
        updated_at=call.received_at,
        versions=(first,),
        default_version_id=first.version_id,
        description=request.get("Description"),
        tags=tags,
    )
    unit.save(MANAGED_POLICIES, policy)
    return {"Policy": {**described_policy(policy, Usage(iter(()))), **_tagged(policy)}}


def get_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a policy with its tags and with how often it is used; the documents have their own operation.

    Raises:
        NoSuchEntityException: no such policy.
    """
    policy = present_policy(authorized)
    usage = usage_of_policies(unit, authorized.call.account_id)
    described = {} if policy.description is None else {"Description": policy.description}
    return {"Policy": {**described_policy(policy, usage), **described, **_tagged(policy)}}


def _tagged(policy: ManagedPolicy) -> dict[str, Any]:
    return {"Tags": tag_entries(policy.tags)} if policy.tags else {}


def delete_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a policy that nobody has, with its one version.

    Raises:
        NoSuchEntityException: no such policy.
        AccessDeniedException: it is AWS's.
        DeleteConflictException: it is attached, or is a permissions boundary, or has other versions.
    """
    policy = own_policy(authorized)
    usage = usage_of_policies(unit, policy.account_id)
    if usage.attached[policy.arn] or usage.boundaries[policy.arn]:
        raise DeleteConflictException(policy_messages.POLICY_ATTACHED)
    if len(policy.versions) > 1:
        raise DeleteConflictException(policy_messages.POLICY_HAS_VERSIONS)
    unit.delete(MANAGED_POLICIES, policy.account_id, policy.arn)


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    arn = policy_arn(call.account_id, call.request.get("PathPrefix", ROOT_PATH), "")
    return (Target("iam:ListPolicies", arn, call.account_id, shown_as=f"policy path {_path(call)}"),)


def _path(call: Call) -> str:
    return str(call.request.get("PathPrefix", ROOT_PATH))


def list_policies(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's and AWS's policies, or one of them, by name ignoring case, without tags.

    Raises:
        ValidationException: a Marker this service did not give out.
    """
    call, request = authorized.call, authorized.request
    size, after, scope = page_size(request), parse_marker(request), request.get("Scope", "All")
    usage = usage_of_policies(unit, call.account_id)
    wanted = _used_as(request, usage)
    found: list[ManagedPolicy] = []
    if scope != "AWS":
        found += unit.scan(MANAGED_POLICIES, call.account_id)
    if scope != "Local":
        found += AWS_MANAGED.values()
    rows = sorted(
        (
            each
            for each in found
            if each.path.startswith(_path(call)) and wanted(each) and position(each) > after
        ),
        key=position,
    )
    page = rows[:size]
    return {
        "Policies": [described_policy(each, usage) for each in page],
        **page_members(rows, size, position(page[-1]) if page else ""),
    }


def _used_as(request: Mapping[str, Any], usage: Usage) -> Callable[[ManagedPolicy], bool]:
    match request.get("PolicyUsageFilter"):
        case "PermissionsPolicy":
            return lambda policy: usage.attached[policy.arn] > 0
        case "PermissionsBoundary":
            return lambda policy: usage.boundaries[policy.arn] > 0
    if request.get("OnlyAttached"):
        return lambda policy: usage.attached[policy.arn] > 0
    return lambda policy: True


def position(policy: ManagedPolicy) -> str:
    """Return where a policy stands in lists: by name ignoring case, the account's own before AWS's."""
    return f"{fold_name(policy.policy_name)} {int(policy.account_id == AWS_ACCOUNT)}"


def _tag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (policy_target(call, unit, "iam:TagPolicy", tag_context(call.request["Tags"])),)


def tag_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Set tags; a key that differs in case only is the same key.

    Raises:
        NoSuchEntityException: no such policy.
        AccessDeniedException: it is AWS's.
        InvalidInputException: a key comes twice or is reserved.
        LimitExceededException: the policy would have more than 50.
    """
    policy = own_policy(authorized)
    tags = with_tags(policy.tags, authorized.request["Tags"], HOLDER)
    unit.save(MANAGED_POLICIES, msgspec.structs.replace(policy, tags=tags))


def _untag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    keys = call.request["TagKeys"]
    context = {"aws:TagKeys": tuple(keys)} if keys else {}
    return (policy_target(call, unit, "iam:UntagPolicy", context),)


def untag_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove tags; unknown keys are ignored.

    Raises:
        NoSuchEntityException: no such policy.
        AccessDeniedException: it is AWS's.
    """
    policy = own_policy(authorized)
    tags = without_tags(policy.tags, authorized.request["TagKeys"])
    unit.save(MANAGED_POLICIES, msgspec.structs.replace(policy, tags=tags))


def list_policy_tags(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a policy's tags, by key.

    Raises:
        NoSuchEntityException: no such policy.
        ValidationException: a Marker this service did not give out.
    """
    request, policy = authorized.request, present_policy(authorized)
    size, after = page_size(request), parse_marker(request)
    rows = [tag for tag in tag_entries(policy.tags) if tag["Key"] > after]
    page = rows[:size]
    return {"Tags": page, **page_members(rows, size, page[-1]["Key"] if page else "")}


CREATE_POLICY = Operation(
    name="CreatePolicy",
    action="iam:CreatePolicy",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_policy,
    read_only=False,
    deviations=("There is no quota on the number of policies.",),
)
GET_POLICY = Operation(
    name="GetPolicy",
    action="iam:GetPolicy",
    unit=Unit.READ,
    targets=on_policy("iam:GetPolicy"),
    handle=get_policy,
    deviations=(AWS_POLICIES, OTHER_ACCOUNTS),
)
DELETE_POLICY = Operation(
    name="DeletePolicy",
    action="iam:DeletePolicy",
    unit=Unit.WRITE,
    targets=on_policy("iam:DeletePolicy"),
    handle=delete_policy,
    read_only=False,
    deviations=(AWS_OWN_TEXT, "Of attachments and versions left behind, the attachments are named first."),
)
LIST_POLICIES = Operation(
    name="ListPolicies",
    action="iam:ListPolicies",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_policies,
    deviations=(AWS_POLICIES, "Policies come in the order of their names, ignoring case."),
)
TAG_POLICY = Operation(
    name="TagPolicy",
    action="iam:TagPolicy",
    unit=Unit.WRITE,
    targets=_tag_targets,
    handle=tag_policy,
    read_only=False,
    deviations=(AWS_OWN_TEXT, "The texts for reserved tag keys and for more than 50 tags are our own."),
)
UNTAG_POLICY = Operation(
    name="UntagPolicy",
    action="iam:UntagPolicy",
    unit=Unit.WRITE,
    targets=_untag_targets,
    handle=untag_policy,
    read_only=False,
    deviations=(AWS_OWN_TEXT,),
)
LIST_POLICY_TAGS = Operation(
    name="ListPolicyTags",
    action="iam:ListPolicyTags",
    unit=Unit.READ,
    targets=on_policy("iam:ListPolicyTags"),
    handle=list_policy_tags,
)
