"""What a function finds in its environment. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from strongroom.ports import Invocation

__all__ = ["environment_of", "facts_of", "lasting_environment"]

_OF_ONE_CALL: Final = frozenset(
    (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "_X_AMZN_TRACE_ID",
    )
)
_AWS: Final = re.compile(r"https://secretsmanager(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)/?")


def lasting_environment(invocation: Invocation) -> dict[str, str]:
    """Return the variables that are the same in every call: each brings its own credentials beside them."""
    return {name: value for name, value in invocation.environment.items() if name not in _OF_ONE_CALL}


def environment_of(
    invocation: Invocation, *, task: str, temporary: str | None, trust: str | None
) -> dict[str, str]:
    """Return the whole environment, the credentials excepted: nothing is inherited.

    What Lambda sets is there, then what the call brings. AWS's rotation templates take the service's address
    from SECRETS_MANAGER_ENDPOINT and have no default for it. Where it is not set, or names one of AWS,
    it is this server's: what was set up for AWS runs here unmodified, and does not send this server's
    credentials there.
    """
    given = invocation.environment
    name = invocation.function_arn.split(":")[6]
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # No other machine gives credentials.
        "AWS_EC2_METADATA_DISABLED": "true",
        **({"AWS_CA_BUNDLE": trust} if trust else {}),
        **({"TMPDIR": temporary} if temporary else {}),
        "AWS_ENDPOINT_URL": invocation.endpoint_url,
        "AWS_REGION": invocation.region,
        "AWS_DEFAULT_REGION": invocation.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{invocation.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": invocation.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(invocation.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": _log_stream(invocation),
        **lasting_environment(invocation),
        "LAMBDA_TASK_ROOT": task,
        "_HANDLER": invocation.handler,
    }
    if not given.get("SECRETS_MANAGER_ENDPOINT") or _AWS.fullmatch(given["SECRETS_MANAGER_ENDPOINT"]):
        environment["SECRETS_MANAGER_ENDPOINT"] = invocation.endpoint_url
    return environment


def facts_of(invocation: Invocation) -> Mapping[str, Any]:
    """Return what the context object tells."""
    name = invocation.function_arn.split(":")[6]
    return {
        "request_id": invocation.request_id,
        "function_name": name,
        "function_version": invocation.version,
        "function_arn": invocation.function_arn,
        "memory_mb": invocation.memory_mb,
        "log_group": f"/aws/lambda/{name}",
        "log_stream": _log_stream(invocation),
    }


def _log_stream(invocation: Invocation) -> str:
    made = f"[{invocation.version}]{invocation.request_id.replace('-', '')}"
    return invocation.environment.get("AWS_LAMBDA_LOG_STREAM_NAME", made)
