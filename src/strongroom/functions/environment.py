"""What a function finds in its environment. Pure."""

from __future__ import annotations

import re
from typing import Final

from strongroom.ports import Invocation

__all__ = ["LogNames", "environment_of", "log_names"]

LogNames = tuple[str, str]
"""Log group and log stream."""

_AWS: Final = re.compile(r"https://secretsmanager(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)/?")


def log_names(invocation: Invocation) -> LogNames:
    """Return what Lambda would call the function's log."""
    return f"/aws/lambda/{_function_name(invocation)}", f"[$LATEST]{invocation.request_id.replace('-', '')}"


def environment_of(invocation: Invocation, *, task: str, trust: str | None) -> dict[str, str]:
    """Return the whole environment, the credentials excepted: nothing is inherited.

    The variables that Lambda reserves are as Lambda has them, then the function's own count. AWS's rotation
    templates take the service's address from SECRETS_MANAGER_ENDPOINT and have no default for it; where it is
    not set, or names AWS's own endpoint, it is this server's: what was written for AWS runs here unmodified,
    and does not send this server's credentials to another.
    """
    group, stream = log_names(invocation)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        **({"AWS_CA_BUNDLE": trust, "SSL_CERT_FILE": trust} if trust else {}),
        **invocation.environment,
        "AWS_ENDPOINT_URL": invocation.endpoint_url,
        "AWS_REGION": invocation.region,
        "AWS_DEFAULT_REGION": invocation.environment.get("AWS_DEFAULT_REGION", invocation.region),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{invocation.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": _function_name(invocation),
        "AWS_LAMBDA_FUNCTION_VERSION": _version(invocation),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(invocation.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": task,
        "_HANDLER": invocation.handler,
        # No file of a home directory, and no other machine, gives credentials or settings.
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    endpoint = environment.get("SECRETS_MANAGER_ENDPOINT", "")
    if not endpoint or _AWS.fullmatch(endpoint):
        environment["SECRETS_MANAGER_ENDPOINT"] = invocation.endpoint_url
    return environment


def _function_name(invocation: Invocation) -> str:
    return invocation.function_arn.split(":")[6]


def _version(invocation: Invocation) -> str:
    parts = invocation.function_arn.split(":")
    return parts[7] if len(parts) > 7 and parts[7].isdigit() else "$LATEST"
