"""Who signed a call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from strongroom.names import AccountId, Arn


class PrincipalType(StrEnum):
    """The values of `aws:PrincipalType`."""

    ROOT = "Account"
    USER = "User"
    ASSUMED_ROLE = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    WEB_IDENTITY = "WebIdentity"
    """Who calls AssumeRoleWithWebIdentity: a token's subject, without a signature."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. Two are equal exactly when they are the same caller with the same rights."""

    type: PrincipalType
    account_id: AccountId
    arn: Arn
    """As shown in messages and records (the sts assumed-role ARN for a role session)."""
    principal_id: str
    """`aws:userid`: account id (root), AIDA… (user), AROA…:session (role session)."""
    access_key_id: str
    user_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """aws:PrincipalTag: of the user or role, overlaid by those of the session."""
    token_issued_at: dt.datetime | None = None
    """Set for temporary credentials only."""
    role_id: str | None = None
    """ASSUMED_ROLE: AROA…, by which the role is found at every call."""
    role_arn: Arn | None = None
    """ASSUMED_ROLE: the role's IAM ARN, with its path."""
    issuer_id: str | None = None
    """FEDERATED_USER: the user (AIDA…) that made the session; None when the root user did."""
    issuer_arn: Arn | None = None
    session_policies: tuple[str, ...] | None = None
    """Documents given when the session was made; None: neither documents nor ARNs were."""
    session_policy_arns: tuple[Arn, ...] = ()
    """Managed policies given when the session was made; they count as they are at each call."""
    source_identity: str | None = None
    provider: str | None = None
    """WEB_IDENTITY, and sessions such a caller made: the identity provider's ARN."""
    transitive_tag_keys: tuple[str, ...] = ()
    """Keys of session tags that go on to the sessions this one makes."""
    source_function_arn: Arn | None = None
    """The function that Lambda made the session for; sessions it makes itself have none."""

    @property
    def is_temporary(self) -> bool:
        """True when it signs with temporary credentials."""
        return self.token_issued_at is not None

    @property
    def is_root(self) -> bool:
        return self.type is PrincipalType.ROOT


def principal_context(principal: Principal) -> dict[str, str]:
    """Return the condition keys that tell of the principal (fact sheet iam section 8)."""
    if principal.type is PrincipalType.WEB_IDENTITY:
        # It has no identity here yet, only what its token says.
        return {}
    context: dict[str, str] = {
        "aws:PrincipalArn": principal.role_arn or principal.arn,
        "aws:PrincipalAccount": principal.account_id,
        "aws:PrincipalType": principal.type.value,
        "aws:userid": principal.principal_id,
    }
    if principal.type is PrincipalType.USER and principal.user_name is not None:
        context["aws:username"] = principal.user_name
    if principal.token_issued_at is not None:
        context["aws:TokenIssueTime"] = principal.token_issued_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        context["aws:MultiFactorAuthPresent"] = "false"
    if principal.source_identity is not None:
        context["aws:SourceIdentity"] = principal.source_identity
    if principal.provider is not None and principal.is_temporary:
        context["aws:FederatedProvider"] = principal.provider
    if principal.source_function_arn is not None:
        context["lambda:SourceFunctionArn"] = principal.source_function_arn
    for key, value in principal.tags.items():
        context[f"aws:PrincipalTag/{key}"] = value
    return context


def user_identity(principal: Principal) -> dict[str, object]:
    """Return the userIdentity of an audit record (fact sheet cloudtrail section 2)."""
    if principal.type is PrincipalType.WEB_IDENTITY:
        return {
            "type": _RECORDED_TYPES[principal.type],
            "principalId": principal.principal_id,
            "userName": principal.user_name,
            "identityProvider": principal.provider,
        }
    identity: dict[str, object] = {
        "type": _RECORDED_TYPES[principal.type],
        "principalId": principal.principal_id,
        "arn": principal.arn,
        "accountId": principal.account_id,
        "accessKeyId": principal.access_key_id,
    }
    if principal.user_name is not None:
        identity["userName"] = principal.user_name
    if principal.token_issued_at is not None:
        identity["sessionContext"] = _session_context(principal, principal.token_issued_at)
    return identity


def _session_context(principal: Principal, issued_at: dt.datetime) -> dict[str, object]:
    context: dict[str, object] = {}
    if principal.type is PrincipalType.ASSUMED_ROLE and principal.role_arn is not None:
        context["sessionIssuer"] = _issuer("Role", principal.role_id, principal.role_arn, principal)
    elif principal.type is PrincipalType.FEDERATED_USER and principal.issuer_arn is not None:
        if principal.issuer_id is None:
            context["sessionIssuer"] = {
                "type": "Root",
                "principalId": principal.account_id,
                "arn": principal.issuer_arn,
                "accountId": principal.account_id,
            }
        else:
            context["sessionIssuer"] = _issuer(
                "IAMUser", principal.issuer_id, principal.issuer_arn, principal
            )
    if principal.provider is not None:
        context["webIdFederationData"] = {"federatedProvider": principal.provider, "attributes": {}}
    context["attributes"] = {
        "creationDate": issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "mfaAuthenticated": "false",
    }
    if principal.source_identity is not None:
        context["sourceIdentity"] = principal.source_identity
    return context


def _issuer(kind: str, issuer_id: str | None, arn: Arn, principal: Principal) -> dict[str, object]:
    return {
        "type": kind,
        "principalId": issuer_id,
        "arn": arn,
        "accountId": principal.account_id,
        "userName": arn.rpartition("/")[2],
    }


_RECORDED_TYPES: Final = {
    PrincipalType.ROOT: "Root",
    PrincipalType.USER: "IAMUser",
    PrincipalType.ASSUMED_ROLE: "AssumedRole",
    PrincipalType.FEDERATED_USER: "FederatedUser",
    PrincipalType.WEB_IDENTITY: "WebIdentityUser",
}
