"""The operations of STS that exist, and the reason for each that does not."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation
from strongroom.operations.sts import authorization, identities, roles, user_sessions, web_identity

OPERATIONS: Final[tuple[Operation, ...]] = (
    roles.ASSUME_ROLE,
    web_identity.ASSUME_ROLE_WITH_WEB_IDENTITY,
    authorization.DECODE_AUTHORIZATION_MESSAGE,
    identities.GET_ACCESS_KEY_INFO,
    identities.GET_CALLER_IDENTITY,
    user_sessions.GET_FEDERATION_TOKEN,
    user_sessions.GET_SESSION_TOKEN,
)

UNSUPPORTED: Final[dict[str, str]] = {
    "AssumeRoleWithSAML": "SAML federation is not planned; OpenID Connect tokens are taken.",
    "AssumeRoot": "There are no organizations here, and only their management account may call it.",
    "GetDelegatedAccessToken": "Delegation to product providers is not planned.",
    "GetScopedCredentials": "Not planned: AssumeRole with a session policy narrows credentials as well.",
    "GetWebIdentityToken": "This server does not issue identity tokens for other services.",
}
