"""The resource policies of a secret: put, get, delete, list, validate.

Source: fact sheets secretsmanager section 6 (Resource policies), iam sections 1, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from strongroom.errors import (
    InvalidParameterException,
    MalformedPolicyDocumentException,
    PublicPolicyException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import partition_of
from strongroom.operations.authorize import allowed, note
from strongroom.operations.call import AuthorizedCall, Call, Operation, ResourcePolicy, Target, Unit
from strongroom.operations.refusals import overlooked
from strongroom.operations.secretsmanager.principals import (
    pinned_policy,
    principal_problem,
    shown_document,
)
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.resolution import (
    alive,
    one_secret,
    present,
    secret_target,
    writable,
)
from strongroom.policy.document import PolicyKind, PolicySyntaxError, parse_policy
from strongroom.policy.findings import is_public
from strongroom.ports import SECRET_POLICIES, ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.pagination import decode_token, encode_token
from strongroom.secret.records import Secret

DEFAULT_POLICY = "default"
"""The name of the one policy that callers may write, and that authorization evaluates."""
DEFAULT_PAGE = 100

_PUT = "secretsmanager:PutResourcePolicy"
_GET = "secretsmanager:GetResourcePolicy"
_DELETE = "secretsmanager:DeleteResourcePolicy"
_LIST = "secretsmanager:ListResourcePolicies"
_VALIDATE = "secretsmanager:ValidateResourcePolicy"

# Texts on record (fact sheet secretsmanager section 6, Resource policies).
SYNTAX_ERROR = "This resource policy contains a syntax error."
LOCK_OUT = "Your requested changes will not allow you to manage this secret in the future."
ASSUMING_POLICY = "the resource policy were the one of the request"
BROAD_ACCESS = "You can't attach a resource-based policy that allows broad access to the secret."
# Ours: the rules are the model's, the texts are not on record.
ONLY_DEFAULT_WRITABLE = "You can only attach or delete the resource policy named default."
POLICY_NOT_FOUND = "Secrets Manager can't find the specified resource policy."


class Check(StrEnum):
    """The CheckName of a ValidateResourcePolicy finding; the names are ours."""

    SYNTAX = "PolicySyntax"
    BROAD_ACCESS = "BroadAccess"
    LOCK_OUT = "CallerLockOut"


def _put_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    context: dict[str, str] = {}
    if "BlockPublicPolicy" in call.request:
        context["secretsmanager:BlockPublicPolicy"] = "true" if call.request["BlockPublicPolicy"] else "false"
    return (secret_target(call, unit, call.request["SecretId"], _PUT, context=context),)


def _validate_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """Both actions; without a SecretId on the secrets of the account and region as a whole."""
    secret_id = call.request.get("SecretId")
    if secret_id is not None:
        return tuple(secret_target(call, unit, secret_id, action) for action in (_VALIDATE, _PUT))
    every = f"arn:{partition_of(call.region)}:secretsmanager:{call.region}:{call.account_id}:secret:*"
    return tuple(
        Target(action=action, resource=every, owner_account=call.account_id) for action in (_VALIDATE, _PUT)
    )


def put_resource_policy(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The secret has this resource policy and no trace of the former one.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked or a replica.
        InvalidParameterException: a policy name other than `default`.
        MalformedPolicyDocumentException: not a resource policy; it names a principal that does not exist
            here; or the caller could not put a policy any more.
        PublicPolicyException: it grants broad access, and BlockPublicPolicy is set.
    """
    call, request = authorized.call, authorized.request
    secret = writable(present(authorized.target))
    name = _writable_name(request)
    document = request["ResourcePolicy"]
    for check, problem in _problems(call, unit, authorized.target, document):
        if check is not Check.BROAD_ACCESS or request.get("BlockPublicPolicy", False):
            raise problem
    unit.save(SECRET_POLICIES, pinned_policy(unit, secret.arn, name, document))
    _touch(call, unit, secret)
    return _named(secret, name)


def get_resource_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the policy as it was put, with users and roles that changed since as `principals.shown_document`
    says; without one, an answer that has no ResourcePolicy.

    Raises:
        ResourceNotFoundException: no such secret, or no policy of that name (other than `default`).
        InvalidRequestException: the secret is marked for deletion.
    """
    secret = alive(present(authorized.target))
    name = authorized.request.get("PolicyName", DEFAULT_POLICY)
    found = unit.find(SECRET_POLICIES, secret.arn, name)
    if found is None:
        if name != DEFAULT_POLICY:
            raise ResourceNotFoundException(POLICY_NOT_FOUND)
        return _named(secret, name)
    return {**_named(secret, name), "ResourcePolicy": shown_document(unit, found)}


def delete_resource_policy(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The secret has no resource policy, whether or not it had one.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked or a replica.
        InvalidParameterException: a policy name other than `default`.
    """
    secret = writable(present(authorized.target))
    name = _writable_name(authorized.request)
    if unit.find(SECRET_POLICIES, secret.arn, name) is not None:
        unit.delete(SECRET_POLICIES, secret.arn, name)
        _touch(authorized.call, unit, secret)
    return _named(secret, name)


def list_resource_policies(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the names of the secret's policies: `default` first, the others in alphabetical order.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked for deletion.
        InvalidNextTokenException: the token is none of ours, or of another secret's list.
    """
    request = authorized.request
    secret = alive(present(authorized.target))
    token = request.get("NextToken")
    names = sorted((each.policy_name for each in unit.scan(SECRET_POLICIES, secret.arn)), key=_rank)
    if token is not None:
        seen = decode_token(LIST_RESOURCE_POLICIES.name, secret.arn, token)
        names = [name for name in names if _rank(name) > seen]
    size = request.get("MaxResults", DEFAULT_PAGE)
    page = names[:size]
    response: dict[str, Any] = {"ResourcePolicies": [{"PolicyName": name} for name in page]}
    if len(names) > size:
        response["NextToken"] = encode_token(LIST_RESOURCE_POLICIES.name, secret.arn, _rank(page[-1]))
    return response


def validate_resource_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return whether PutResourcePolicy with BlockPublicPolicy would accept the policy, and all that is wrong.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked for deletion.
    """
    _, put = authorized.targets
    if "SecretId" in authorized.request:
        alive(present(put))
    with overlooked(authorized.call):
        problems = list(_problems(authorized.call, unit, put, authorized.request["ResourcePolicy"]))
    errors = [{"CheckName": str(check), "ErrorMessage": problem.message} for check, problem in problems]
    return {"PolicyValidationPassed": not errors, "ValidationErrors": errors}


def _problems(call: Call, unit: ReadUnit, put: Target, document: str) -> Iterator[tuple[Check, ServiceError]]:
    """Yield what is wrong with `document` as the policy of `put`, a PutResourcePolicy target."""
    try:
        policy = parse_policy(document, PolicyKind.RESOURCE)
    except PolicySyntaxError:
        yield Check.SYNTAX, MalformedPolicyDocumentException(SYNTAX_ERROR)
        return
    problem = principal_problem(unit, put.owner_account, document)
    if problem is not None:
        yield Check.SYNTAX, MalformedPolicyDocumentException(problem)
        return
    if is_public(policy):
        yield Check.BROAD_ACCESS, PublicPolicyException(BROAD_ACCESS)
    after = msgspec.structs.replace(put, resource_policies=(ResourcePolicy(document),))
    decision = allowed(call, unit, after)
    if not decision.allowed:
        note(call, unit, after, decision, LOCK_OUT, assuming=ASSUMING_POLICY)
        yield Check.LOCK_OUT, MalformedPolicyDocumentException(LOCK_OUT)


def _writable_name(request: Mapping[str, Any]) -> str:
    name: str = request.get("PolicyName", DEFAULT_POLICY)
    if name != DEFAULT_POLICY:
        raise InvalidParameterException(ONLY_DEFAULT_WRITABLE)
    return name


def _touch(call: Call, unit: WriteUnit, secret: Secret) -> None:
    changed = replace(secret, last_changed_at=changed_at(secret, call.received_at))
    unit.save_secret(changed)
    propagate(call, unit, changed)


def _named(secret: Secret, policy_name: str) -> dict[str, Any]:
    return {"ARN": secret.arn, "Name": secret.name, "PolicyName": policy_name}


def _rank(policy_name: str) -> tuple[int, str]:
    return (0 if policy_name == DEFAULT_POLICY else 1), policy_name


PUT_RESOURCE_POLICY = Operation(
    name="PutResourcePolicy",
    action=_PUT,
    unit=Unit.WRITE,
    targets=_put_targets,
    handle=put_resource_policy,
    read_only=False,
    deviations=(
        "A policy that names an account, user or role that does not exist in this installation is refused as "
        "an unsupported principal.",
        "Every service principal of the form <service>.amazonaws.com is accepted.",
        "The lock-out check asks whether the caller could still call PutResourcePolicy under the new policy.",
        "Putting or deleting a resource policy moves the LastChangedDate.",
        "The texts for a policy name other than default are our own.",
    ),
)
GET_RESOURCE_POLICY = Operation(
    name="GetResourcePolicy",
    action=_GET,
    unit=Unit.READ,
    targets=one_secret(_GET),
    handle=get_resource_policy,
    deviations=(
        "A secret marked for deletion is refused.",
        "The policy comes back character for character as it was put, unless a user it names was renamed "
        "since, or a user or role it names was deleted: then that one stands in it under its new ARN, or "
        "under its unique id.",
    ),
)
DELETE_RESOURCE_POLICY = Operation(
    name="DeleteResourcePolicy",
    action=_DELETE,
    unit=Unit.WRITE,
    targets=one_secret(_DELETE),
    handle=delete_resource_policy,
    read_only=False,
    deviations=("Deleting the policy of a secret that has none succeeds and changes nothing.",),
)
LIST_RESOURCE_POLICIES = Operation(
    name="ListResourcePolicies",
    action=_LIST,
    unit=Unit.READ,
    targets=one_secret(_LIST),
    handle=list_resource_policies,
    deviations=("A secret marked for deletion is refused.",),
)
VALIDATE_RESOURCE_POLICY = Operation(
    name="ValidateResourcePolicy",
    action=_VALIDATE,
    unit=Unit.READ,
    targets=_validate_targets,
    handle=validate_resource_policy,
    deviations=(
        "The CheckName values are PolicySyntax, BroadAccess and CallerLockOut.",
        "A syntax error or an unsupported principal is reported in ValidationErrors, not raised.",
        "Without SecretId both permissions are asked for on secret:* of the caller's account and region.",
    ),
)
