"""IAM's texts about managed policies; in brackets their section in fact sheet iam, or how they are known."""

from __future__ import annotations

from typing import Final

# [10] recorded; two spaces.
INVALID_ARN: Final = "Invalid ARN:  Could not be parsed!"
# Published reports of the live service.
POLICY_ATTACHED: Final = "Cannot delete a policy attached to entities."
POLICY_HAS_VERSIONS: Final = (
    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
    "versions. The default version is deleted with the policy."
)
DEFAULT_VERSION_STAYS: Final = "Cannot delete the default version of a policy."
TOO_MANY_VERSIONS: Final = (
    "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
    "existing version."
)


def invalid_arn(arn: str) -> str:
    """Published reports of the live service."""
    return f"ARN {arn} is not valid."


def no_such_policy(arn: str) -> str:
    """[10] recorded."""
    return f"Policy {arn} was not found."


def not_attachable(arn: str) -> str:
    """[10] recorded."""
    return f"Policy {arn} does not exist or is not attachable."


def no_such_version(arn: str, version_id: str) -> str:
    """Published reports of the live service."""
    return f"Policy {arn} version {version_id} does not exist or is not attachable."


def policy_exists(name: str) -> str:
    """[10] MEM."""
    return f"A policy called {name} already exists. Duplicate names are not allowed."


def policy_too_large(maximum: int) -> str:
    """Published reports of the live service."""
    return f"Cannot exceed quota for PolicySize: {maximum}"


def too_many_attached(holder: str, maximum: int) -> str:
    """Published reports of the live service. `holder` is User, Role or Group."""
    return f"Cannot exceed quota for PoliciesPer{holder}: {maximum}"
