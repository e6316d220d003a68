"""Who may invoke a function from outside its account: its resource policy.

Source: fact sheet rotation sections 1 and 9.
"""

from __future__ import annotations

from typing import Final

from strongroom.function.records import LATEST
from strongroom.function.references import parse_function_ref
from strongroom.names import AccountId, Region, parse_arn
from strongroom.operations.lambda_.standing import function_of, service_allowed
from strongroom.policy.document import PolicyKind
from strongroom.ports import FUNCTION_POLICIES, ReadUnit

__all__ = ["INVOKE", "function_of", "may_invoke"]

INVOKE: Final = "lambda:InvokeFunction"
_ROTATION: Final = "secretsmanager.amazonaws.com"


def may_invoke(unit: ReadUnit, function_arn: str, secret_arn: str, source_account: str) -> bool:
    """True when there is such a function, and its policy lets Secrets Manager invoke it for this secret.

    The service comes for the secret's account (aws:SourceAccount) and the secret (aws:SourceArn).
    """
    parsed = parse_arn(function_arn)
    if parsed is None or function_of(unit, function_arn) is None:
        return False
    ref = parse_function_ref(function_arn, Region(parsed.region), AccountId(parsed.account_id))
    if ref is None:
        return False
    # A version or alias has a policy of its own, and is not covered by that of the function.
    policy = unit.find(FUNCTION_POLICIES, ref.arn, ref.qualifier or LATEST)
    if policy is None:
        return False
    context = {"aws:SourceAccount": source_account, "aws:SourceArn": secret_arn}
    return service_allowed(
        _ROTATION, INVOKE, ref.qualified_arn, policy.document, PolicyKind.RESOURCE, context
    )
