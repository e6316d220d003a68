"""A function's environment: what its owner gave, sealed at rest, and what Lambda sets.

Source: Lambda developer guide, "Defined runtime environment variables" and "Securing environment variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from strongroom.errors import IntegrityError, InvalidParameterValueException
from strongroom.function.records import FunctionVersion
from strongroom.names import Arn
from strongroom.ports import RootKey

__all__ = ["RESERVED", "accepted_environment", "open_environment", "runtime_environment", "seal_environment"]

MAXIMUM_BYTES: Final = 4096
RESERVED: Final = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "TZ",
        "_HANDLER",
    }
)
TOO_LARGE: Final = (
    "Lambda was unable to configure your environment variables because the environment variables you have "
    "provided exceeded the 4KB limit."
)
_PURPOSE: Final = "function-environment"


def reserved_keys(keys: str) -> str:
    return (
        "Lambda was unable to configure your environment variables because the environment variables you "
        "have provided contains reserved keys that are currently not supported for modification. Reserved "
        f"keys used in this request: {keys}"
    )


def accepted_environment(requested: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Return the variables of a request's Environment.

    Raises:
        InvalidParameterValueException: they are larger than 4 KB, or one is Lambda's own.
    """
    variables: Mapping[str, str] = (requested or {}).get("Variables") or {}
    if sum(len(key.encode()) + len(value.encode()) for key, value in variables.items()) > MAXIMUM_BYTES:
        raise InvalidParameterValueException(TOO_LARGE)
    reserved = sorted(RESERVED.intersection(variables))
    if reserved:
        raise InvalidParameterValueException(reserved_keys(", ".join(reserved)))
    return variables


def seal_environment(
    root_key: RootKey, variables: Mapping[str, str], function_arn: Arn, version: str
) -> bytes | None:
    """Return the variables sealed, bound to one version of one function; None for none."""
    if not variables:
        return None
    return root_key.wrap(_PURPOSE, msgspec.json.encode(dict(variables)), _bound(function_arn, version))


def open_environment(root_key: RootKey, function: FunctionVersion) -> Mapping[str, str]:
    """Return the variables a version was given.

    Raises:
        IntegrityError: they do not open.
    """
    if function.sealed_environment is None:
        return {}
    opened = root_key.unwrap(
        _PURPOSE, function.sealed_environment, _bound(function.function_arn, function.version)
    )
    try:
        return msgspec.json.decode(opened, type=dict[str, str])
    except msgspec.MsgspecError:
        # `from None`: the cause might carry a part of the plaintext.
        raise IntegrityError(f"the environment of {function.qualified_arn} does not decode") from None


def runtime_environment(
    function: FunctionVersion,
    own: Mapping[str, str],
    credentials: tuple[str, str, str],
    endpoint_url: str,
    log_stream: str,
) -> dict[str, str]:
    """Return the whole environment of a run: the function's own variables, then what Lambda sets.

    AWS_ENDPOINT_URL leads every AWS SDK to this server, where alone the credentials are good.
    SECRETS_MANAGER_ENDPOINT, which the rotation templates ask for, does so too, unless the function has one
    of its own.
    """
    access_key_id, secret_access_key, session_token = credentials
    return {
        "SECRETS_MANAGER_ENDPOINT": endpoint_url,
        "LANG": "en_US.UTF-8",
        **own,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret_access_key,
        "AWS_SESSION_TOKEN": session_token,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.function_name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "_HANDLER": function.handler,
        "TZ": ":UTC",
    }


def _bound(function_arn: Arn, version: str) -> dict[str, str]:
    return {"FunctionArn": function_arn, "Version": version}
