"""The operations of STS that exist, and the reason for each that does not yet."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation
from strongroom.operations.sts import identities

OPERATIONS: Final[tuple[Operation, ...]] = (
    identities.GET_ACCESS_KEY_INFO,
    identities.GET_CALLER_IDENTITY,
)

_ROLES: Final = "Comes with roles and temporary credentials."

UNSUPPORTED: Final[dict[str, str]] = {
    "AssumeRole": _ROLES,
    "AssumeRoleWithSAML": "SAML federation is not planned; OpenID Connect comes with roles.",
    "AssumeRoleWithWebIdentity": _ROLES,
    "AssumeRoot": "There are no organizations here, and only their management account may call it.",
    "DecodeAuthorizationMessage": "Comes with the explanation of denials.",
    "GetDelegatedAccessToken": "Delegation to product providers is not planned.",
    "GetFederationToken": _ROLES,
    "GetScopedCredentials": _ROLES,
    "GetSessionToken": _ROLES,
    "GetWebIdentityToken": "This server does not issue identity tokens for other services.",
}
