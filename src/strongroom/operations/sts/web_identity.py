"""AssumeRoleWithWebIdentity: a session of a role for the subject of an OpenID Connect token.

The one call without a signature: its caller is whom the token names, once the issuer, which has to be an
identity provider of the role's account, vouches for it. Sources: fact sheets iam section 13, cloudtrail
section 2.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from strongroom.errors import (
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import OidcProvider
from strongroom.identity.web_tokens import (
    SOURCE_IDENTITY_CLAIM,
    TAGS_CLAIM,
    UnverifiedToken,
    WebIdentity,
    parse_web_token,
    verify_web_token,
)
from strongroom.names import AccountId, Arn, parse_arn
from strongroom.operations.call import (
    AuthorizedCall,
    Call,
    Errand,
    Identification,
    Identified,
    Operation,
    Resources,
    Target,
    Unit,
)
from strongroom.operations.sts import messages
from strongroom.operations.sts.given import PACKING, TagsSent, parse_tag_pairs, tag_context
from strongroom.operations.sts.roles import SIZES_LEFT_OUT, role_session, role_targets
from strongroom.ports import ACCOUNTS, OIDC_PROVIDERS, ReadUnit

__all__ = ["ASSUME_ROLE_WITH_WEB_IDENTITY"]

SCHEME: Final = "https://"
GITHUB: Final = "token.actions.githubusercontent.com"
_GITHUB_CLAIMS: Final = (
    "actor",
    "actor_id",
    "enterprise_id",
    "environment",
    "job_workflow_ref",
    "ref",
    "repository",
    "repository_id",
    "repository_owner_id",
    "workflow",
)
"""Claims of GitHub's tokens that are condition keys, beside aud and sub."""
_SOURCE_IDENTITY: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-")


def _account(request: Mapping[str, Any], unit: ReadUnit) -> AccountId | None:
    """Return the role's account, if there is such an account."""
    parsed = parse_arn(request["RoleArn"])
    account = unit.find(ACCOUNTS, "", parsed.account_id) if parsed is not None else None
    return None if account is None else account.account_id


def _provider(request: Mapping[str, Any], unit: ReadUnit) -> tuple[OidcProvider, UnverifiedToken]:
    """Return the role's account's provider for the token's issuer.

    Raises:
        InvalidIdentityTokenException: not a token, or no such provider.
    """
    token = parse_web_token(request["WebIdentityToken"])
    account_id = _account(request, unit)
    provider = None
    if account_id is not None and token.issuer.startswith(SCHEME):
        provider = unit.find_alternate(OIDC_PROVIDERS, account_id, token.issuer.removeprefix(SCHEME))
    if provider is None:
        raise InvalidIdentityTokenException(messages.no_provider(token.issuer))
    return provider, token


def _errand(request: Mapping[str, Any], unit: ReadUnit, resources: Resources) -> Errand | None:
    """Return the fetching of the issuer's keys, when they are neither given nor remembered."""
    provider, token = _provider(request, unit)
    issuers = resources.issuers
    if provider.jwks is not None or issuers is None or issuers.keys(provider.url, token.key_id) is not None:
        return None
    return Errand(provider.url, partial(issuers.fetch, provider.url))


def _identify(
    request: Mapping[str, Any], unit: ReadUnit, resources: Resources, now: dt.datetime
) -> Identified:
    """Return the token's subject as caller, the token verified.

    Raises:
        InvalidIdentityTokenException, ExpiredWebIdentityTokenException, IDPRejectedClaimException: see
            `verify_web_token`.
        IDPCommunicationErrorException: there are no keys of the issuer's.
    """
    provider, token = _provider(request, unit)
    keys = provider.jwks
    if keys is None and resources.issuers is not None:
        keys = resources.issuers.keys(provider.url, token.key_id)
    if keys is None:
        raise IDPCommunicationErrorException(messages.NO_VERIFICATION_KEY)
    identity = verify_web_token(
        request["WebIdentityToken"],
        keys,
        issuer=SCHEME + provider.url,
        client_ids=provider.client_ids,
        now=now,
    )
    audience = identity.authorized_party or ",".join(identity.audience)
    principal = Principal(
        type=PrincipalType.WEB_IDENTITY,
        account_id=provider.account_id,
        arn=provider.arn,
        principal_id=f"{provider.arn}:{audience}:{identity.subject}",
        access_key_id="",
        user_name=identity.subject,
        provider=provider.arn,
    )
    return Identified(principal, identity)


def _claim_context(identity: WebIdentity) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys that a token's claims are."""
    host = identity.issuer.removeprefix(SCHEME)
    party = identity.authorized_party
    context: dict[str, str | tuple[str, ...]] = {
        f"{host}:sub": identity.subject,
        f"{host}:aud": _one_or_more(identity.audience) if party is None else party,
    }
    if party is not None:
        context[f"{host}:oaud"] = _one_or_more(identity.audience)
    amr = identity.claims.get("amr")
    if isinstance(amr, list):
        context[f"{host}:amr"] = tuple(each for each in amr if isinstance(each, str))
    if host.partition("/")[0] == GITHUB:
        for name in _GITHUB_CLAIMS:
            value = identity.claims.get(name)
            if isinstance(value, str):
                context[f"{host}:{name}"] = value
    return context


def _one_or_more(values: tuple[str, ...]) -> str | tuple[str, ...]:
    return values[0] if len(values) == 1 else values


def _tags(identity: WebIdentity) -> TagsSent:
    """Return the session tags that come as a claim.

    Raises:
        IDPRejectedClaimException: the claim does not have AWS's form.
        InvalidParameterValueException: see `parse_tag_pairs`.
    """
    claim = identity.claims.get(TAGS_CLAIM)
    if claim is None:
        return TagsSent({}, (), {})
    tags = claim.get("principal_tags", {}) if isinstance(claim, dict) else None
    transitive = claim.get("transitive_tag_keys", []) if isinstance(claim, dict) else None
    if not isinstance(tags, dict) or not isinstance(transitive, list):
        raise IDPRejectedClaimException(messages.TAGS_CLAIM_MALFORMED)
    pairs: list[Mapping[str, str]] = []
    for key, values in tags.items():
        value = values[0] if isinstance(values, list) and len(values) == 1 else values
        if not isinstance(value, str) or not 1 <= len(key) <= 128 or len(value) > 256:
            raise IDPRejectedClaimException(messages.TAGS_CLAIM_MALFORMED)
        pairs.append({"Key": key, "Value": value})
    if not all(isinstance(each, str) for each in transitive):
        raise IDPRejectedClaimException(messages.TAGS_CLAIM_MALFORMED)
    return parse_tag_pairs(pairs, transitive, {})


def _source_identity(identity: WebIdentity) -> str | None:
    claim = identity.claims.get(SOURCE_IDENTITY_CLAIM)
    if claim is None:
        return None
    if not isinstance(claim, str) or not 2 <= len(claim) <= 256 or not set(claim) <= _SOURCE_IDENTITY:
        raise IDPRejectedClaimException(messages.SOURCE_IDENTITY_CLAIM_MALFORMED)
    return claim


def _targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    identity: WebIdentity = call.identified
    tags, source_identity = _tags(identity), _source_identity(identity)
    context = {
        **_claim_context(identity),
        **tag_context(tags),
        "sts:RoleSessionName": call.request["RoleSessionName"],
    }
    actions = ["sts:AssumeRoleWithWebIdentity"]
    if tags.any:
        actions.append("sts:TagSession")
    if source_identity is not None:
        actions.append("sts:SetSourceIdentity")
        context["sts:SourceIdentity"] = source_identity
    denials = [messages.web_identity_not_allowed(action) for action in actions]
    return role_targets(unit, call.request["RoleArn"], actions, context, denials)


def assume_role_with_web_identity(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return temporary credentials of the role; nothing is written.

    Raises:
        ValidationException, MalformedPolicyDocumentException, PackedPolicyTooLargeException: see `given`.
    """
    identity: WebIdentity = authorized.call.identified
    provider = Arn(authorized.call.principal.arn)
    answer = role_session(
        authorized,
        unit,
        _tags(identity),
        source_identity=_source_identity(identity),
        provider=provider,
    )
    return {
        **answer,
        "SubjectFromWebIdentityToken": identity.subject,
        "Provider": provider,
        "Audience": identity.authorized_party or identity.audience[0],
    }


ASSUME_ROLE_WITH_WEB_IDENTITY = Operation(
    name="AssumeRoleWithWebIdentity",
    action="sts:AssumeRoleWithWebIdentity",
    unit=Unit.READ,
    targets=_targets,
    handle=assume_role_with_web_identity,
    identification=Identification(account=_account, errand=_errand, identify=_identify),
    deviations=(
        "Only OpenID Connect providers of the role's account count; ProviderId, for access tokens of two "
        "other services, is ignored.",
        "A signature on the call is not looked at.",
        "Thumbprints of a provider are kept but not used: its certificate must be one the machine trusts.",
        "The call counts as made in us-east-1, since nothing in it names a region.",
        "A claim that is absent or malformed (sub, exp, iat, nbf, the session tags, the source identity) is "
        "IDPRejectedClaim.",
        "Texts for a wrong signature or algorithm and for absent or malformed claims are this server's own.",
        "At most four keys with the token's kid are tried; RSA keys over 8,192 bits are no keys.",
        PACKING,
        SIZES_LEFT_OUT,
    ),
)
