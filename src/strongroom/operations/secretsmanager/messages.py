"""Texts that clients may match, each with the recording it comes from (fact sheet secretsmanager)."""

from __future__ import annotations

from typing import Final

# Section 2; localstack test_secret_not_found.
SECRET_NOT_FOUND: Final = "Secrets Manager can't find the specified secret."
# Section 7; localstack, Terraform, the user guide's CloudWatch filter.
MARKED_FOR_DELETION: Final = (
    "You can't perform this operation on the secret because it was marked for deletion."
)
# Section 6, CreateSecret; localstack.
NAME_MARKED_FOR_DELETION: Final = (
    "You can't create this secret because a secret with this name is already scheduled for deletion."
)
# Section 6, Replication; moto.
REPLICA_WRITE: Final = (
    "Operation not permitted on a replica secret. Call must be made in primary secret's region."
)
# Section 3; localstack test_no_client_request_token.
NO_TOKEN: Final = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
# Section 3; moto.
TOKEN_LENGTH: Final = "ClientRequestToken must be 32-64 characters long."
# Section 5; seen by many clients.
NO_VALUE: Final = "You must provide either SecretString or SecretBinary."
# Section 5; from memory of AWS.
BOTH_VALUES: Final = (
    "You can't specify both a binary secret value and a string secret value in the same secret."
)
# Section 6, GetSecretValue; localstack.
STAGE_NOT_OF_VERSION: Final = "You provided a VersionStage that is not associated to the provided VersionId."


def name_in_use(name: str) -> str:
    """Section 3; localstack, moto (verified on AWS)."""
    return f"The operation failed because the secret {name} already exists."


def token_in_use(token: str, arn: str) -> str:
    """Section 3; moto (verified on AWS)."""
    return (
        f"You can't use ClientRequestToken {token} because that value is already in use for a version of "
        f"secret {arn}."
    )


def no_value_for_label(label: str) -> str:
    """Section 6, GetSecretValue; localstack."""
    return f"Secrets Manager can't find the specified secret value for staging label: {label}"


def no_value_for_version(version_id: str) -> str:
    """Section 6, GetSecretValue; localstack."""
    return f"Secrets Manager can't find the specified secret value for VersionId: {version_id}"
