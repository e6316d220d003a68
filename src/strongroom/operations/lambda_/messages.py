"""What Lambda says when it refuses. AWS's texts are as LocalStack has recorded them (its snapshot tests of
Lambda) and as reports quote them; where it is said, they are ours."""

from __future__ import annotations

from typing import Final

ROLE_NOT_ASSUMABLE: Final = "The role defined for the function cannot be assumed by Lambda."
REVISION_DIFFERS: Final = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)
POLICY_REVISION_DIFFERS: Final = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetPolicy API to retrieve the latest Revision Id"
)
QUALIFIERS_DIFFER: Final = (
    "The derived qualifier from the function name does not match the specified qualifier."
)
RUNTIME_AND_HANDLER: Final = (
    "Runtime and Handler are mandatory parameters for functions created with deployment packages."
)
LATEST_NOT_DELETABLE: Final = "$LATEST version cannot be deleted without deleting the function."
NO_POLICY: Final = "The resource you requested does not exist."
PRINCIPAL_INVALID: Final = "The provided principal was invalid. Please check the principal and try again."
NOT_FOR_LATEST: Final = "We currently do not support adding policies for $LATEST."
NOT_JSON: Final = "Could not parse request body into json: Could not parse payload into json"
RESERVED_TAG: Final = "Tag keys that begin with aws: are reserved for system use."
TOO_MANY_TAGS: Final = "Cannot exceed quota of 50 tags per function."
RATE_EXCEEDED: Final = "Rate Exceeded."
CODE_STORAGE: Final = "Code storage limit exceeded."
MARKER: Final = "The Marker was not given out by this operation."
# Ours.
ZIP_ONLY: Final = "Code comes as a zip file in the call (ZipFile); there are no buckets and no images here."
ZIP_AND_MORE: Final = "Please do not provide other FunctionCode parameters when providing a ZipFile."
NO_CODE: Final = "Please provide a ZipFile."
NOT_STARTED: Final = "The function could not be started."
NO_QUEUE: Final = "InvocationType Event is not supported here: there are no queues for functions."
QUALIFIED_NAME: Final = "A function is created and changed under its name without a qualifier."


def no_functions(reason: str) -> str:
    return f"This server does not run functions{f': {reason}' if reason else ''}."


def no_function(arn: str) -> str:
    return f"Function not found: {arn}"


def other_region(region: str, own: str) -> str:
    return f"Functions from '{region}' are not reachable in this region ('{own}')"


def function_exists(name: str) -> str:
    return f"Function already exist: {name}"


def no_alias(arn: str) -> str:
    return f"Cannot find alias arn: {arn}"


def alias_exists(arn: str) -> str:
    return f"Alias already exists: {arn}"


def aliases_refer(names: str) -> str:
    return f"Unable to delete version because the following aliases reference it: [{names}]"


def no_layer_version(arn: str) -> str:
    return f"Layer version {arn} does not exist."


def code_differs(sent: str, own: str) -> str:
    return (
        f"CodeSHA256 ({sent}) is different from current CodeSHA256 in $LATEST ({own}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )


def no_statement(sid: str) -> str:
    return f"Statement {sid} is not found in resource policy."


def statement_exists(sid: str) -> str:
    return (
        f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
        "existing statement."
    )


def policy_too_long(size: int, limit: int) -> str:
    return f"The final policy size ({size}) is bigger than the limit ({limit})."


def unsupported(member: str) -> str:
    return f"{member} is not supported here."


def unsupported_runtime(runtime: str) -> str:
    return f"The runtime {runtime} is not supported here: functions are written in Python, 3.9 or later."


def too_great(value: int, member: str, limit: int) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have value less than or equal to {limit}"
    )


def too_long(value: str, member: str, limit: int) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}"
    )


def too_many_layers(limit: int) -> str:
    return f"Cannot reference more than {limit} layers."


def too_large_with_layers(size: int, limit: int) -> str:
    return (
        f"Function code combined with layers exceeds the maximum allowed size of {limit} bytes. "
        f"The actual size is {size} bytes."
    )


def payload_too_large(limit: int) -> str:
    return f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
