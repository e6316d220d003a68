"""AddPermission, RemovePermission, GetPolicy: the resource policies of functions, versions and aliases.

Source: fact sheet rotation section 9; texts: `messages`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from strongroom.function.records import LATEST, FunctionPolicy
from strongroom.function.references import FunctionRef
from strongroom.names import AccountId, is_account_id, root_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.configuration import new_revision
from strongroom.operations.lambda_.resolution import (
    function_target,
    on_function,
    present_version,
    requested,
)
from strongroom.operations.principals import pinned_document, shown_document, stranger
from strongroom.policy.principals import is_service_principal
from strongroom.ports import FUNCTION_POLICIES, ReadUnit, WriteUnit

__all__ = ["ADD_PERMISSION", "GET_POLICY", "REMOVE_PERMISSION"]

MAXIMUM_BYTES: Final = 20_480
_UNSUPPORTED: Final = ("EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "PrincipalOrgID")

Statement = dict[str, Any]


def _permission_targets(action: str) -> Any:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        principal = call.request.get("Principal")
        context = {} if principal is None else {"lambda:Principal": principal}
        return (function_target(call, unit, requested(call), action, context),)

    return targets


def add_permission(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The policy of the function, version or alias has one statement more, an Allow.

    Raises:
        ResourceNotFoundException: there is no such function, version or alias.
        InvalidParameterValueException: the principal is none, or not here; $LATEST is named; or a condition
            is not supported.
        ResourceConflictException: there is a statement of that id.
        PreconditionFailedException: the policy has another revision than the request names.
        PolicyLengthExceededException: it would be longer than 20,480 bytes.
    """
    call, request = authorized.call, authorized.request
    ref = _holder(call, unit)
    for member in _UNSUPPORTED:
        if member in request:
            raise InvalidParameterValueException(messages.unsupported(member))
    policy = unit.find(FUNCTION_POLICIES, ref.arn, ref.version_or_alias)
    _verify_revision(request, policy)
    statements = _statements(unit, policy)
    sid = request["StatementId"]
    if any(each.get("Sid") == sid for each in statements):
        raise ResourceConflictException(messages.statement_exists(sid))
    statement = _statement(request, ref)
    _verify_principal(unit, ref, statement)
    _save(call, unit, ref, [*statements, statement])
    return {"Statement": _text(statement)}


def remove_permission(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The policy has no statement of that id; without statements there is no policy.

    Raises:
        ResourceNotFoundException: there is no such function, version or alias, policy or statement.
        PreconditionFailedException: the policy has another revision than the request names.
    """
    call, request = authorized.call, authorized.request
    ref = _holder(call, unit)
    policy = unit.find(FUNCTION_POLICIES, ref.arn, ref.version_or_alias)
    if policy is None:
        raise ResourceNotFoundException(messages.NO_POLICY)
    _verify_revision(request, policy)
    statements = _statements(unit, policy)
    left = [each for each in statements if each.get("Sid") != request["StatementId"]]
    if len(left) == len(statements):
        raise ResourceNotFoundException(messages.no_statement(request["StatementId"]))
    if left:
        _save(call, unit, ref, left)
    else:
        unit.delete(FUNCTION_POLICIES, ref.arn, ref.version_or_alias)


def get_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the policy of a function, version or alias, as its statements were given.

    Raises:
        ResourceNotFoundException: there is no such function, version or alias, or it has no policy.
    """
    ref = requested(authorized.call)
    present_version(unit, ref)
    policy = unit.find(FUNCTION_POLICIES, ref.arn, ref.version_or_alias)
    if policy is None:
        raise ResourceNotFoundException(messages.NO_POLICY)
    return {
        "Policy": shown_document(unit, policy.document, policy.written),
        "RevisionId": policy.revision_id,
    }


def _holder(call: Call, unit: ReadUnit) -> FunctionRef:
    """Return what the policy belongs to, which exists."""
    ref = requested(call)
    if ref.qualifier == LATEST:
        raise InvalidParameterValueException(messages.NOT_FOR_LATEST)
    present_version(unit, ref)
    return ref


def _verify_revision(request: Mapping[str, Any], policy: FunctionPolicy | None) -> None:
    sent = request.get("RevisionId")
    if sent is not None and (policy is None or policy.revision_id != sent):
        raise PreconditionFailedException(messages.POLICY_REVISION_DIFFERS)


def _statements(unit: ReadUnit, policy: FunctionPolicy | None) -> list[Statement]:
    if policy is None:
        return []
    document = msgspec.json.decode(shown_document(unit, policy.document, policy.written))
    found: list[Statement] = document["Statement"]
    return found


def _statement(request: Mapping[str, Any], ref: FunctionRef) -> Statement:
    statement: Statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(request["Principal"]),
        "Action": request["Action"],
        "Resource": ref.qualified_arn,
    }
    condition: dict[str, Any] = {}
    if request.get("SourceAccount"):
        condition["StringEquals"] = {"AWS:SourceAccount": request["SourceAccount"]}
    if request.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
    return {**statement, "Condition": condition} if condition else statement


def _principal(name: str) -> str | dict[str, str]:
    """Return the Principal element for the principal of a request."""
    if name == "*":
        return "*"
    if is_account_id(name):
        return {"AWS": root_arn(AccountId(name))}
    return {"Service" if is_service_principal(name) else "AWS": name}


def _verify_principal(unit: ReadUnit, ref: FunctionRef, statement: Statement) -> None:
    if stranger(unit, ref.account_id, _document([statement])) is not None:
        raise InvalidParameterValueException(messages.PRINCIPAL_INVALID)


def _save(call: Call, unit: WriteUnit, ref: FunctionRef, statements: Sequence[Statement]) -> None:
    written = _document(statements)
    size = len(written.encode())
    if size > MAXIMUM_BYTES:
        raise PolicyLengthExceededException(messages.policy_too_long(size, MAXIMUM_BYTES))
    pinned = pinned_document(unit, written)
    unit.save(
        FUNCTION_POLICIES,
        FunctionPolicy(
            function_arn=ref.arn,
            qualifier=ref.version_or_alias,
            document=pinned,
            written=None if pinned == written else written,
            revision_id=new_revision(call.resources.entropy),
        ),
    )


def _document(statements: Sequence[Statement]) -> str:
    return _text({"Version": "2012-10-17", "Id": "default", "Statement": list(statements)})


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


ADD_PERMISSION = Operation(
    name="AddPermission",
    action="lambda:AddPermission",
    unit=Unit.WRITE,
    targets=_permission_targets("lambda:AddPermission"),
    handle=add_permission,
    read_only=False,
    deviations=(
        "Accounts, users and roles must exist in this installation; every service principal of the form "
        "<service>.amazonaws.com is accepted.",
        "EventSourceToken, FunctionUrlAuthType, InvokedViaFunctionUrl and PrincipalOrgID are refused.",
        "RevisionId is that of the policy, as GetPolicy gives it.",
    ),
)
REMOVE_PERMISSION = Operation(
    name="RemovePermission",
    action="lambda:RemovePermission",
    unit=Unit.WRITE,
    targets=_permission_targets("lambda:RemovePermission"),
    handle=remove_permission,
    read_only=False,
    deviations=("RevisionId is that of the policy, as GetPolicy gives it.",),
)
GET_POLICY = Operation(
    name="GetPolicy",
    action="lambda:GetPolicy",
    unit=Unit.READ,
    targets=on_function("lambda:GetPolicy"),
    handle=get_policy,
)
