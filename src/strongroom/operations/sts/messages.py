"""Texts of STS, and where each comes from. Sources: fact sheet iam sections 9, 10 and 13."""

from __future__ import annotations

from typing import Final

# Recorded [iam 13].
DUPLICATE_TAG_KEYS: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
TRANSITIVE_KEY_NOT_SENT: Final = "The specified transitive tag key must be included in the requested tags."
TRANSITIVE_KEY_CONFLICTS: Final = (
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
    "from the calling session."
)
# As reported from AWS by many users.
ROOT_MAY_NOT_ASSUME: Final = "Roles may not be assumed by root accounts."
MFA_NOT_VALID: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is "
    "valid and associated with this user."
)
ABOVE_ROLE_MAXIMUM: Final = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
ABOVE_CHAINING_MAXIMUM: Final = (
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
)
NO_VERIFICATION_KEY: Final = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
# Not established; ours.
RESERVED_TAG_KEY: Final = "Tag keys that begin with aws: are reserved for system use."
TOO_MANY_TAGS: Final = (
    "A session can have at most 50 tags, those inherited from the calling session included."
)
SOURCE_IDENTITY_STAYS: Final = (
    "The source identity of the calling session cannot be changed by the sessions it makes."
)
CONTEXTS_UNSUPPORTED: Final = "Context assertions are made by IAM Identity Center, which is not here."


TAGS_CLAIM_MALFORMED: Final = "The claim https://aws.amazon.com/tags of the provided token is malformed"
SOURCE_IDENTITY_CLAIM_MALFORMED: Final = (
    "The claim https://aws.amazon.com/source_identity of the provided token is malformed"
)


def no_provider(issuer: str) -> str:
    """As reported from AWS by many users."""
    return f"No OpenIDConnect provider found in your account for {issuer[:255]}"


def web_identity_not_allowed(action: str) -> str:
    """As reported from AWS for sts:AssumeRoleWithWebIdentity."""
    return f"Not authorized to perform {action}"


def not_authorized(arn: str, action: str, resource: str) -> str:
    """Return the refusal of a role, the same whether it exists or not."""
    return f"User: {arn} is not authorized to perform: {action} on resource: {resource}"


def invalid_arn(arn: str) -> str:
    """Recorded [iam 13]."""
    return f"{arn} is invalid"


def no_session_credentials(operation: str) -> str:
    """As reported from AWS (GetSessionToken, GetFederationToken)."""
    return f"Cannot call {operation} with session credentials"


def policy_too_long(characters: int) -> str:
    """AWS's text for a member over its length; the policy itself is not repeated."""
    return (
        "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
        f"Member must have length less than or equal to {characters}"
    )


def too_many_policies(most: int) -> str:
    return (
        "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
        f"Member must have length less than or equal to {most}"
    )


def no_such_policy(arn: str) -> str:
    """Not established; AWS's text of IAM's AttachRolePolicy."""
    return f"Policy {arn} does not exist or is not attachable."


def packed_too_large(percent: int) -> str:
    """As reported from AWS, for policies; for tags it says "Packed size of session tags consumes …"."""
    return f"Packed policy consumes {percent}% of allotted space, please use smaller policy."


def tags_too_large(percent: int) -> str:
    return f"Packed size of session tags consumes {percent}% of allotted space."
