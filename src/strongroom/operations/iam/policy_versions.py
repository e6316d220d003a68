"""Versions of managed policies; the default one is what decides. Source: fact sheet iam sections 10 to 12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from strongroom.errors import DeleteConflictException, LimitExceededException, NoSuchEntityException
from strongroom.identity.records import ManagedPolicy, PolicyVersion
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.iam import policy_messages
from strongroom.operations.iam.managed_policies import AWS_OWN_TEXT, AWS_POLICIES
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.policy_resolution import on_policy, own_policy, present_policy, verify_document
from strongroom.ports import MANAGED_POLICIES, ReadUnit, WriteUnit

MAXIMUM_VERSIONS: Final = 5
_WITHOUT_DOCUMENT = "The answer has no Document, as AWS's examples have none."


def create_policy_version(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save one more version; it decides from the next call on when it is to be the default.

    Raises:
        NoSuchEntityException: no such policy.
        AccessDeniedException: it is AWS's.
        MalformedPolicyDocumentException: not an identity policy.
        LimitExceededException: more than 6,144 characters, or there are five versions.
    """
    request, policy = authorized.request, own_policy(authorized)
    verify_document(request["PolicyDocument"])
    if len(policy.versions) >= MAXIMUM_VERSIONS:
        raise LimitExceededException(policy_messages.TOO_MANY_VERSIONS)
    version = PolicyVersion(
        version_id=f"v{policy.next_version}",
        document=request["PolicyDocument"],
        created_at=authorized.call.received_at,
    )
    changed = msgspec.structs.replace(
        policy,
        versions=(*policy.versions, version),
        next_version=policy.next_version + 1,
        updated_at=version.created_at,
        default_version_id=version.version_id if request.get("SetAsDefault") else policy.default_version_id,
    )
    unit.save(MANAGED_POLICIES, changed)
    return {"PolicyVersion": _described(changed, version)}


def get_policy_version(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a version with its document as it was written; the wire encodes it for URLs.

    Raises:
        NoSuchEntityException: no such policy, or no such version of it.
    """
    policy = present_policy(authorized)
    version = _version(policy, authorized.request["VersionId"])
    return {"PolicyVersion": {**_described(policy, version), "Document": version.document}}


def list_policy_versions(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a policy's versions, newest first, without documents.

    Raises:
        NoSuchEntityException: no such policy.
        ValidationException: a Marker this service did not give out.
    """
    request, policy = authorized.request, present_policy(authorized)
    size, after = page_size(request), parse_marker(request)
    rows = [each for each in reversed(policy.versions) if not after or _place(each) > after]
    page = rows[:size]
    return {
        "Versions": [_described(policy, each) for each in page],
        **page_members(rows, size, _place(page[-1]) if page else ""),
    }


def set_default_policy_version(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Let a version decide, from the next call on.

    Raises:
        NoSuchEntityException: no such policy, or no such version of it.
        AccessDeniedException: the policy is AWS's.
    """
    policy = own_policy(authorized)
    version = _version(policy, authorized.request["VersionId"])
    unit.save(MANAGED_POLICIES, msgspec.structs.replace(policy, default_version_id=version.version_id))


def delete_policy_version(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a version that is not the default one; its number is not given again.

    Raises:
        NoSuchEntityException: no such policy, or no such version of it.
        AccessDeniedException: the policy is AWS's.
        DeleteConflictException: the version is the default one.
    """
    policy = own_policy(authorized)
    version = _version(policy, authorized.request["VersionId"])
    if version.version_id == policy.default_version_id:
        raise DeleteConflictException(policy_messages.DEFAULT_VERSION_STAYS)
    left = tuple(each for each in policy.versions if each is not version)
    unit.save(MANAGED_POLICIES, msgspec.structs.replace(policy, versions=left))


def _version(policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    for each in policy.versions:
        if each.version_id == version_id:
            return each
    raise NoSuchEntityException(policy_messages.no_such_version(policy.arn, version_id))


def _place(version: PolicyVersion) -> str:
    """Return a text that is the greater, the older the version."""
    return f"{10**9 - int(version.version_id[1:]):010}"


def _described(policy: ManagedPolicy, version: PolicyVersion) -> dict[str, Any]:
    return {
        "VersionId": version.version_id,
        "IsDefaultVersion": version.version_id == policy.default_version_id,
        "CreateDate": version.created_at,
    }


CREATE_POLICY_VERSION = Operation(
    name="CreatePolicyVersion",
    action="iam:CreatePolicyVersion",
    unit=Unit.WRITE,
    targets=on_policy("iam:CreatePolicyVersion"),
    handle=create_policy_version,
    read_only=False,
    deviations=(AWS_OWN_TEXT, _WITHOUT_DOCUMENT),
)
GET_POLICY_VERSION = Operation(
    name="GetPolicyVersion",
    action="iam:GetPolicyVersion",
    unit=Unit.READ,
    targets=on_policy("iam:GetPolicyVersion"),
    handle=get_policy_version,
    deviations=(AWS_POLICIES,),
)
LIST_POLICY_VERSIONS = Operation(
    name="ListPolicyVersions",
    action="iam:ListPolicyVersions",
    unit=Unit.READ,
    targets=on_policy("iam:ListPolicyVersions"),
    handle=list_policy_versions,
    deviations=(
        _WITHOUT_DOCUMENT,
        "Versions come newest first; of AWS's policies there is the default one only.",
    ),
)
SET_DEFAULT_POLICY_VERSION = Operation(
    name="SetDefaultPolicyVersion",
    action="iam:SetDefaultPolicyVersion",
    unit=Unit.WRITE,
    targets=on_policy("iam:SetDefaultPolicyVersion"),
    handle=set_default_policy_version,
    read_only=False,
    deviations=(AWS_OWN_TEXT,),
)
DELETE_POLICY_VERSION = Operation(
    name="DeletePolicyVersion",
    action="iam:DeletePolicyVersion",
    unit=Unit.WRITE,
    targets=on_policy("iam:DeletePolicyVersion"),
    handle=delete_policy_version,
    read_only=False,
    deviations=(AWS_OWN_TEXT,),
)
