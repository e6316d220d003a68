"""IAM's texts that clients may match; in brackets their section in fact sheet iam, or how they are known."""

from __future__ import annotations

from typing import Final

# Published reports of the live service.
POLICIES_LEFT: Final = "Cannot delete entity, must delete policies first."
POLICIES_ATTACHED: Final = "Cannot delete entity, must detach all policies first."
USERS_IN_GROUP: Final = "Cannot delete entity, must remove users from group first."
LOGIN_PROFILE_LEFT: Final = "Cannot delete entity, must delete login profile first."
ACCESS_KEYS_LEFT: Final = "Cannot delete entity, must delete access keys first."
STAR_TRUSTED: Final = 'AssumeRolepolicy contained an invalid principal: "STAR":"*".'
FEDERATED_MALFORMED: Final = "Federated principals must be valid domain names or SAML metadata ARNs"
USER_NAME_REQUIRED: Final = "Must specify userName when calling with non-User credentials"
# Not established; ours.
INVALID_MARKER: Final = "Invalid Marker."
PATH_OF_SERVICES: Final = "Roles below the path /aws-service-role/ are made by the services they belong to."
"""Ours."""
STATUS_NOT_SETTABLE: Final = "The status of an access key can be set to Active or Inactive only."
SIGNIN_SET_AND_RESET: Final = "MaxSigninSessionDuration cannot be set and reset at once."


def no_such_entity(noun: str, name: str) -> str:
    """[10] recorded for users, groups and roles."""
    return f"The {noun} with name {name} cannot be found."


def entity_exists(noun: str, name: str) -> str:
    """Recorded for users, groups and roles (LS-iam)."""
    return f"{noun.capitalize()} with name {name} already exists."


def no_such_user(name: str) -> str:
    return no_such_entity("user", name)


def user_exists(name: str) -> str:
    return entity_exists("user", name)


def no_such_access_key(access_key_id: str) -> str:
    """Published reports of the live service."""
    return f"The Access Key with id {access_key_id} cannot be found"


def no_such_inline_policy(noun: str, name: str) -> str:
    """Recorded for users, groups and roles (LS-iam)."""
    return f"The {noun} policy with name {name} cannot be found."


def too_many_access_keys(maximum: int) -> str:
    """[10] MEM."""
    return f"Cannot exceed quota for AccessKeysPerUser: {maximum}"


def policies_too_large(maximum: int, noun: str, name: str) -> str:
    """Published reports of the live service: characters, though it says bytes."""
    return f"Maximum policy size of {maximum} bytes exceeded for {noun} {name}"


def too_many_groups(maximum: int) -> str:
    """Published reports of the live service."""
    return f"Cannot exceed quota for GroupsPerUser: {maximum}"


def trust_policy_too_large(maximum: int) -> str:
    """Published reports of the live service."""
    return f"Cannot exceed quota for ACLSizePerRole: {maximum}"


def invalid_principal(kind: str, name: str) -> str:
    """[5]; published reports have the kind in capitals."""
    return f'Invalid principal in policy: "{kind.upper()}":"{name}"'


def no_boundary_arn(arn: str) -> str:
    """Recorded (LS-iam)."""
    return f"ARN {arn} is not valid."


def no_such_boundary(arn: str) -> str:
    """Recorded (LS-iam)."""
    return f"Scope ARN: {arn} does not exist or is not attachable."


def protected_role(name: str) -> str:
    """Published reports of the live service."""
    return (
        f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    )
