"""Settings that functions here do not have, answered as AWS answers for a function that has none of them.

Infrastructure tools read them after every change. Source: botocore's model of Lambda.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from strongroom.function.archive import MAXIMUM_UNZIPPED, MAXIMUM_ZIPPED
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.lambda_.quota import kept_bytes
from strongroom.operations.lambda_.resolution import (
    on_everything,
    on_function,
    present_version,
    requested,
)
from strongroom.ports import FUNCTIONS, ReadUnit, account_region

__all__ = ["FIXED"]

_CONCURRENCY: Final = 32


def _fixed(name: str, answer: Callable[[str, str], Mapping[str, Any]], *deviations: str) -> Operation:
    def handle(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
        ref = requested(authorized.call)
        function = present_version(unit, ref)
        return answer(function.function_name, ref.qualified_arn)

    action = f"lambda:{name}"
    return Operation(
        name=name,
        action=action,
        unit=Unit.READ,
        targets=on_function(action),
        handle=handle,
        deviations=deviations,
    )


def get_account_settings(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return Lambda's limits, and how many functions the account has in the region and how large they are."""
    call = authorized.call
    functions = unit.scan(FUNCTIONS, account_region(call.account_id, call.region))
    return {
        "AccountLimit": {
            "TotalCodeSize": call.resources.code_bytes,
            "CodeSizeUnzipped": MAXIMUM_UNZIPPED,
            "CodeSizeZipped": MAXIMUM_ZIPPED,
            "ConcurrentExecutions": _CONCURRENCY,
            "UnreservedConcurrentExecutions": _CONCURRENCY,
        },
        "AccountUsage": {
            "TotalCodeSize": kept_bytes(unit, call.account_id, call.region),
            "FunctionCount": len(functions),
        },
    }


FIXED: Final[Sequence[Operation]] = (
    _fixed(
        "GetFunctionCodeSigningConfig",
        lambda name, _: {"CodeSigningConfigArn": "", "FunctionName": name},
        "Functions have no code signing configuration.",
    ),
    _fixed("GetFunctionConcurrency", lambda *_: {}, "Functions have no reserved concurrency."),
    _fixed(
        "GetFunctionRecursionConfig",
        lambda *_: {"RecursiveLoop": "Terminate"},
        "Recursive loops are not looked for.",
    ),
    _fixed(
        "GetRuntimeManagementConfig",
        lambda _, arn: {"UpdateRuntimeOn": "Auto", "FunctionArn": arn},
        "The runtime is the server's own interpreter, whatever is configured.",
    ),
    Operation(
        name="GetAccountSettings",
        action="lambda:GetAccountSettings",
        unit=Unit.READ,
        targets=on_everything("lambda:GetAccountSettings"),
        handle=get_account_settings,
        deviations=(
            "The limit on concurrent executions is that of one worker process.",
            "The limit on code storage is the server's (--function-code-mb). Code that several versions of a "
            "function have counts once.",
        ),
    ),
)
