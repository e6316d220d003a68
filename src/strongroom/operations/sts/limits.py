"""What temporary credentials are no good for, whatever policies say. Source: fact sheet iam section 13."""

from __future__ import annotations

from typing import Final

from strongroom.errors import AccessDeniedException, UnrecognizedClientException
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.operations.sts import messages

__all__ = ["verify_may_call"]

UNKNOWN_TOKEN: Final = "The security token included in the request is invalid."
_NEVER: Final = frozenset({"GetSessionToken", "GetFederationToken"})
"""Operations of STS that need a long-term key."""
_FOR_USERS: Final = frozenset({"AssumeRole", "GetCallerIdentity"})
_FOR_FEDERATED_USERS: Final = frozenset({"GetCallerIdentity"})


def verify_may_call(principal: Principal, service: str, operation: str) -> None:
    """Pass when the caller's kind of credentials can call the operation at all.

    Raises:
        UnrecognizedClientException: IAM, with the session of GetSessionToken or GetFederationToken.
        AccessDeniedException: an operation of STS such a session has no use of, or, with any session, one
            that makes sessions of a long-term key.
    """
    if not principal.is_temporary or service not in ("iam", "sts"):
        return
    if principal.type is PrincipalType.ASSUMED_ROLE:
        allowed = operation not in _NEVER
    elif service == "iam":
        # AWS: not AccessDenied, but as if the token were unknown (published reports).
        raise UnrecognizedClientException(UNKNOWN_TOKEN)
    elif principal.type is PrincipalType.FEDERATED_USER:
        allowed = operation in _FOR_FEDERATED_USERS
    else:
        allowed = operation in _FOR_USERS
    if not allowed:
        raise AccessDeniedException(messages.no_session_credentials(operation))
