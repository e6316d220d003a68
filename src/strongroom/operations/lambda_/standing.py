"""What is stored of functions, found as callers name them; and whether a service may do a thing.

Source: fact sheet rotation section 9; iam section 5 (service principals).
"""

from __future__ import annotations

from typing import Final

from strongroom.function.records import LATEST, Function, FunctionVersion
from strongroom.function.references import FunctionRef, parse_function_ref
from strongroom.identity.records import Role
from strongroom.names import AccountId, Arn, Region, parse_arn
from strongroom.operations.principals import entity_named
from strongroom.policy.document import PolicyKind, PolicySyntaxError, compile_policy
from strongroom.policy.evaluation import (
    AccessRequest,
    Caller,
    CallerType,
    Context,
    LabelledPolicy,
    PolicySet,
    evaluate,
)
from strongroom.ports import FUNCTION_ALIASES, FUNCTION_VERSIONS, FUNCTIONS, ReadUnit, account_region

__all__ = [
    "LAMBDA",
    "execution_role",
    "function_of",
    "service_allowed",
    "stored_function",
    "trusted_role",
    "version_of",
]

LAMBDA: Final = "lambda.amazonaws.com"


def stored_function(unit: ReadUnit, ref: FunctionRef) -> Function | None:
    return unit.find(FUNCTIONS, account_region(ref.account_id, ref.region), ref.name)


def version_of(unit: ReadUnit, ref: FunctionRef) -> FunctionVersion | None:
    """Return the version that a qualifier, or the lack of one, stands for."""
    qualifier = ref.qualifier or LATEST
    if qualifier != LATEST and not qualifier.isdecimal():
        alias = unit.find(FUNCTION_ALIASES, ref.arn, qualifier)
        if alias is None:
            return None
        qualifier = alias.version
    return unit.find(FUNCTION_VERSIONS, ref.arn, qualifier)


def function_of(unit: ReadUnit, arn: str) -> FunctionVersion | None:
    """Return what is run under a function ARN, with or without a qualifier; None when there is no such."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "lambda":
        return None
    ref = parse_function_ref(arn, Region(parsed.region), AccountId(parsed.account_id))
    return None if ref is None else version_of(unit, ref)


def service_allowed(
    service: str, action: str, resource: str, document: str, kind: PolicyKind, context: Context
) -> bool:
    """True when a resource policy (a role's trust policy) lets a service principal do this."""
    try:
        policy = compile_policy(document, kind)
    except PolicySyntaxError:
        # SECURITY: a stored policy that no longer parses might have held the Deny that matters.
        return False
    parsed = parse_arn(resource)
    request = AccessRequest(
        action=action,
        resource=resource,
        principal=Caller(CallerType.SERVICE, "", service, service),
        resource_account="" if parsed is None else parsed.account_id,
        context={
            **context,
            "aws:PrincipalIsAWSService": "true",
            "aws:PrincipalServiceName": service,
            "aws:ViaAWSService": "false",
        },
    )
    policies = PolicySet(
        resource=(LabelledPolicy(resource, policy),),
        resource_delegates_to_account=kind is PolicyKind.RESOURCE,
    )
    return evaluate(request, policies).allowed


def execution_role(unit: ReadUnit, role_arn: str) -> Role | None:
    """Return the role of an ARN that exists."""
    found = entity_named(unit, role_arn)
    return found if isinstance(found, Role) else None


def trusted_role(unit: ReadUnit, role_arn: str, function_arn: Arn, account_id: AccountId) -> Role | None:
    """Return the role a function is to run as; None when there is none, or it does not trust Lambda."""
    role = execution_role(unit, role_arn)
    if role is None:
        return None
    context = {"aws:SourceAccount": account_id, "aws:SourceArn": function_arn}
    trusts = service_allowed(LAMBDA, "sts:AssumeRole", role.arn, role.trust_policy, PolicyKind.TRUST, context)
    return role if trusts else None
