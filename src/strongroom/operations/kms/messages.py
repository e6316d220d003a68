"""KMS's texts that clients may match; in brackets their section in fact sheet kms, MEM as marked there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# [9] MEM: the blob's key is absent, elsewhere, or another account's and not permitted.
UNREACHABLE_CIPHERTEXT: Final = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
    "or you are not allowed to access."
)
# [3] Decrypt with the KeyId of another key.
INCORRECT_KEY: Final = "The key ID in the request does not identify a CMK that can perform this operation."
# [3] recorded by localstack.
DRY_RUN: Final = "The request would have succeeded, but the DryRun option is set."
# [3] MEM: GenerateDataKey with neither or both of KeySpec and NumberOfBytes.
DATA_KEY_SIZE: Final = "Please specify either number of bytes or key spec."
# [3] GenerateRandom.
NUMBER_OF_BYTES_REQUIRED: Final = "NumberOfBytes is required."
# [3] CreateKey of another spec without KeyUsage.
KEY_USAGE_REQUIRED: Final = (
    "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
)
# [2] recorded by localstack.
ALIAS_PREFIX_REQUIRED: Final = (
    'Alias must start with the prefix "alias/". Please see '
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)
# [3] PutKeyPolicy, CreateKey.
POLICY_LOCKS_OUT: Final = "The new key policy will not allow you to update the key policy in the future."
# Wording recalled, not established.
INVALID_PRINCIPALS: Final = "Policy contains a statement with one or more invalid principals."
# [3] tags.
DUPLICATE_TAG_KEYS: Final = "Duplicate tag keys"
TOO_MANY_TAGS: Final = "Too many tags"
RESERVED_TAG_KEY: Final = "Tags beginning with aws: are reserved"
# Not established [11]; ours.
RESERVED_ALIAS: Final = "Alias names that begin with alias/aws/ are reserved for AWS managed keys."
INVALID_ALIAS_NAME: Final = "The specified alias name is not valid."
ALIAS_OF_ANOTHER_KIND: Final = (
    "The current and the new KMS key of an alias must be of the same type and have the same key usage."
)
AWS_MANAGED_KEY: Final = "This operation is not permitted on an AWS managed key."
INVALID_MARKER: Final = "The specified marker is not valid."
INVALID_GRANT_TOKEN: Final = "The specified grant token is not valid."
INVALID_GRANT_ID: Final = "The specified grant ID is not valid."
TOO_MANY_GRANTS: Final = "The KMS key already has 50000 grants, which is the maximum."
RETIRE_BY_ONE: Final = "Please specify either a grant token, or a key ID and a grant ID."
CONSTRAINTS_NEED_SYMMETRIC: Final = (
    "Encryption context grant constraints are only valid on symmetric encryption KMS keys."
)
CONSTRAINT_PAIRS: Final = "An encryption context grant constraint must have 1 to 8 pairs."
CONSTRAINT_TEXT: Final = (
    "The names and values of an encryption context grant constraint can have at most 384 characters."
)
INVALID_IMPORT_TOKEN: Final = "The specified import token is not valid for this KMS key."
EXPIRED_IMPORT_TOKEN: Final = "The specified import token is expired."
OTHER_KEY_MATERIAL: Final = (
    "The key material is not the same key material that was previously imported into this KMS key."
)
VALID_TO_NOT_TAKEN: Final = (
    "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"
)
VALID_TO_RANGE: Final = "The validTo date must be in the future and no more than 365 days away."
# [3] ImportKeyMaterial, recorded by localstack.
VALID_TO_REQUIRED: Final = "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
# Not established; ours.
POLICY_NAME: Final = "Invalid policy name; the only valid policy name is default"
CONTEXT_TOO_LARGE: Final = "The encryption context is larger than 8192 bytes."
NO_CONTEXT: Final = "An encryption context is not supported with asymmetric KMS keys."
NOT_A_PAIR: Final = "GetPublicKey is only supported for asymmetric KMS keys."
PEER_KEY: Final = "The public key is not a valid key on the elliptic curve of the KMS key."
# [3] GenerateDataKey, from the troubleshooting page of the Secrets Manager guide.
NO_ASYMMETRIC_DATA_KEY: Final = "Cannot generate a data key with an asymmetric KMS key"


def wrong_usage(key_arn: str, usage: str, operation: str) -> str:
    """[3] recorded by localstack."""
    return f"{key_arn} key usage is {usage} which is not valid for {operation}."


def incompatible_algorithm(algorithm: str, spec: str) -> str:
    """[3] recorded by localstack."""
    return f"Algorithm {algorithm} is incompatible with key spec {spec}."


def message_length(what: str, algorithm: str) -> str:
    """[3] recorded by localstack for digests."""
    return f"{what} is invalid length for algorithm {algorithm}."


def plaintext_too_long(algorithm: str, spec: str, limit: int) -> str:
    """[3] recorded by localstack."""
    return f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {limit} bytes."


def incompatible_usage(usage: str, spec: str) -> str:
    """CreateKey; not established [11]."""
    return f"KeyUsage {usage} is not compatible with KeySpec {spec}"


def incompatible_message_type(message_type: str, what: str) -> str:
    """Sign, Verify; `what` is the algorithm or the key spec. Not established [11]."""
    return f"Message type {message_type} is incompatible with {what}."


def invalid_key_id(text: str) -> str:
    """[2] recorded by localstack."""
    return f"Invalid keyId '{text}'"


def no_such_key(key_arn: str) -> str:
    """[2] recorded by localstack: the ARN also when a bare id was sent."""
    return f"Key '{key_arn}' does not exist"


def no_such_alias(alias_arn: str) -> str:
    """[2] MEM."""
    return f"Alias {alias_arn} is not found."


def alias_exists(alias_arn: str) -> str:
    """[3]."""
    return f"An alias with the name {alias_arn} already exists"


def not_reachable(caller_arn: str, action: str, key_arn: str) -> str:
    """Another account's key and an operation for the owner only; wording recalled, not established."""
    return (
        f"User: {caller_arn} is not authorized to perform: {action} on resource: {key_arn} because the "
        "resource does not exist in this Region, no resource-based policies allow access, or a "
        "resource-based policy explicitly denies access"
    )


def not_a_primary(key_arn: str) -> str:
    """[3] ReplicateKey; the same for rotation settings of replica keys, not established there."""
    return f"{key_arn} is not a multi-region primary key."


def replica_exists(region: str) -> str:
    """ReplicateKey; not established."""
    return f"A related multi-region key already exists in {region}."


def invalid_region(region: str) -> str:
    """ReplicateKey, UpdatePrimaryRegion; not established."""
    return f"{region} is not a valid region for this operation."


def wrong_origin(key_arn: str, origin: str) -> str:
    """[3], [4] note 6."""
    return f"{key_arn} origin is {origin} which is not valid for this operation."


def too_many_rotations(key_arn: str) -> str:
    """[3] RotateKeyOnDemand."""
    return (
        "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can "
        f"be performed for this key: {key_arn}"
    )


def nothing_pending_rotation(key_arn: str) -> str:
    """[3] RotateKeyOnDemand."""
    return f"No available key material pending rotation for the key: {key_arn}."


def no_such_wrapping(algorithm: str, spec: str) -> str:
    """GetParametersForImport; not established."""
    return f"Wrapping algorithm {algorithm} with wrapping key spec {spec} is not supported."


def no_second_import(key_arn: str) -> str:
    """ImportKeyMaterial; not established."""
    return f"{key_arn} cannot take new key material before the key material it has is complete and current."


def no_such_grant(grant_id: str) -> str:
    """Not established; ours."""
    return f"Grant '{grant_id}' does not exist"


def no_such_principal(arn: str) -> str:
    """Wording recalled, not established."""
    return f"ARN does not refer to a valid principal: {arn}"


def not_entitled(caller_arn: str, action: str, key_arn: str) -> str:
    """A policy alone cannot allow retiring a grant ([6])."""
    return f"User: {caller_arn} is not authorized to perform: {action} on resource: {key_arn}"


def unfit_grant_operations(spec: str, usage: str, operations: Sequence[str]) -> str:
    """Not established; ours."""
    named = ", ".join(operations) or "none"
    return f"Grant operations {named} are not valid for a KMS key with KeySpec {spec} and KeyUsage {usage}."


def null_member(member: str) -> str:
    """The platform's text for a required member that is absent (fact sheet secretsmanager section 1)."""
    return (
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
        "Member must not be null"
    )


def constraint(member: str, constraint_text: str, value: object | None = None) -> str:
    """The platform's validation pattern, for limits the model does not state."""
    shown = "Value" if value is None else f"Value '{value}'"
    return (
        f"1 validation error detected: {shown} at '{member}' failed to satisfy constraint: {constraint_text}"
    )
