"""OpenID Connect identity providers, whose tokens AssumeRoleWithWebIdentity takes.

Source: fact sheet iam sections 11 to 13.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import (
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    ValidationException,
)
from strongroom.identity.oidc import parse_provider_url
from strongroom.identity.records import OidcProvider
from strongroom.identity.tags import with_tags, without_tags
from strongroom.names import oidc_provider_arn, parse_arn
from strongroom.operations.call import (
    AuthorizedCall,
    Call,
    ConditionContext,
    Operation,
    Target,
    Targets,
    Unit,
)
from strongroom.operations.iam import policy_messages
from strongroom.operations.iam.entities import resource_tags
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.tagging import tag_context, tag_entries
from strongroom.ports import OIDC_PROVIDERS, ReadUnit, WriteUnit

MAXIMUM_PROVIDERS: Final = 100
MAXIMUM_CLIENT_IDS: Final = 100
MAXIMUM_THUMBPRINTS: Final = 5
HOLDER: Final = "OpenIdConnectProvider"

# Published reports of the live service; it says fewer, and means at most.
TOO_MANY_THUMBPRINTS: Final = "Thumbprint list must contain fewer than 5 entries."
# Not established; ours.
THUMBPRINT_FORM: Final = "A thumbprint is 40 hexadecimal digits."
PROPAGATION: Final = "Trusted identity propagation is not supported here."

_THUMBPRINT: Final = re.compile("[0-9A-Fa-f]{40}")
_UNUSED_THUMBPRINTS: Final = (
    "Thumbprints are kept and answered, not used: certificates are verified as browsers do, and AWS's own "
    "fetching of a thumbprint does not take place."
)


def no_such_provider(arn: str) -> str:
    """Published reports of the live service."""
    return f"OpenIDConnect Provider not found for arn {arn}"


def provider_exists(url: str) -> str:
    """Published reports of the live service."""
    return f"Provider with url https://{url} already exists."


def _target(call: Call, unit: ReadUnit, action: str, context: ConditionContext | None = None) -> Target:
    arn = call.request["OpenIDConnectProviderArn"]
    parsed = parse_arn(arn)
    if parsed is None:
        raise ValidationException(policy_messages.INVALID_ARN)
    if parsed.service != "iam" or not parsed.resource.startswith("oidc-provider/"):
        raise InvalidInputException(policy_messages.invalid_arn(arn))
    # SECURITY: another account's provider is as good as absent, hence the scope is not taken from the ARN.
    provider = unit.find(OIDC_PROVIDERS, call.account_id, arn)
    tags: ConditionContext = {} if provider is None else resource_tags(provider.tags)
    return Target(action, arn, call.account_id, record=provider, context={**tags, **(context or {})})


def _on_provider(action: str) -> Targets:
    return lambda call, unit: (_target(call, unit, action),)


def _present(authorized: AuthorizedCall) -> OidcProvider:
    provider: OidcProvider | None = authorized.target.record
    if provider is None:
        raise NoSuchEntityException(no_such_provider(authorized.target.resource))
    return provider


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    arn = oidc_provider_arn(call.account_id, parse_provider_url(request["Url"]))
    tags = request.get("Tags")
    context = tag_context(tags)
    actions = ["iam:CreateOpenIDConnectProvider"]
    if tags:
        actions.append("iam:TagOpenIDConnectProvider")
    return tuple(Target(action, arn, call.account_id, context=context) for action in actions)


def create_open_id_connect_provider(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save a provider; roles that trust it take its tokens from the next call on.

    Raises:
        EntityAlreadyExistsException: the account has a provider of this URL.
        InvalidInputException: thumbprints or tags are not as they must be, or trusted identity propagation
            is asked for.
        LimitExceededException: over 100 providers or client ids, or 50 tags.
    """
    call, request = authorized.call, authorized.request
    if "ContextProvider" in request or "IdentityCenterInstanceArn" in request:
        raise InvalidInputException(PROPAGATION)
    thumbprints = _thumbprints(request.get("ThumbprintList") or ())
    client_ids = tuple(dict.fromkeys(request.get("ClientIDList") or ()))
    if len(client_ids) > MAXIMUM_CLIENT_IDS:
        raise LimitExceededException(_over("ClientIdsPerOpenIdConnectProvider", MAXIMUM_CLIENT_IDS))
    tags = with_tags({}, request.get("Tags") or (), HOLDER)
    url = parse_provider_url(request["Url"])
    arn = oidc_provider_arn(call.account_id, url)
    if unit.find(OIDC_PROVIDERS, call.account_id, arn) is not None:
        raise EntityAlreadyExistsException(provider_exists(url))
    if len(unit.scan(OIDC_PROVIDERS, call.account_id, limit=MAXIMUM_PROVIDERS)) >= MAXIMUM_PROVIDERS:
        raise LimitExceededException(_over("OpenIdConnectProvidersPerAccount", MAXIMUM_PROVIDERS))
    provider = OidcProvider(
        arn=arn,
        url=url,
        account_id=call.account_id,
        created_at=call.received_at,
        client_ids=client_ids,
        thumbprints=thumbprints,
        tags=tags,
    )
    unit.save(OIDC_PROVIDERS, provider)
    return {"OpenIDConnectProviderArn": arn, **_tagged(provider)}


def _over(quota: str, maximum: int) -> str:
    return f"Cannot exceed quota for {quota}: {maximum}"


def _thumbprints(given: Sequence[str]) -> tuple[str, ...]:
    if len(given) > MAXIMUM_THUMBPRINTS:
        raise InvalidInputException(TOO_MANY_THUMBPRINTS)
    if any(_THUMBPRINT.fullmatch(each) is None for each in given):
        raise InvalidInputException(THUMBPRINT_FORM)
    return tuple(each.lower() for each in given)


def _tagged(provider: OidcProvider) -> dict[str, Any]:
    return {"Tags": tag_entries(provider.tags)} if provider.tags else {}


def get_open_id_connect_provider(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a provider; its URL comes without `https://`, as AWS has it.

    Raises:
        NoSuchEntityException: no such provider.
    """
    provider = _present(authorized)
    return {
        "Url": provider.url,
        "ClientIDList": list(provider.client_ids),
        "ThumbprintList": list(provider.thumbprints),
        "CreateDate": provider.created_at,
        **_tagged(provider),
    }


def _list_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (
        Target(
            "iam:ListOpenIDConnectProviders",
            oidc_provider_arn(call.account_id, "*"),
            call.account_id,
        ),
    )


def list_open_id_connect_providers(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the ARNs of the account's providers, by URL."""
    found = unit.scan(OIDC_PROVIDERS, authorized.call.account_id)
    return {"OpenIDConnectProviderList": [{"Arn": each.arn} for each in found]}


def delete_open_id_connect_provider(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a provider, if there is one; no role takes its tokens any more."""
    unit.delete(OIDC_PROVIDERS, authorized.call.account_id, authorized.target.resource)


def update_open_id_connect_provider_thumbprint(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Replace a provider's thumbprints.

    Raises:
        NoSuchEntityException: no such provider.
        InvalidInputException: more than five, or one that is none.
    """
    provider = _present(authorized)
    thumbprints = _thumbprints(authorized.request["ThumbprintList"])
    unit.save(OIDC_PROVIDERS, msgspec.structs.replace(provider, thumbprints=thumbprints))


def add_client_id(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Let tokens for one more audience in; one that is there already changes nothing.

    Raises:
        NoSuchEntityException: no such provider.
        LimitExceededException: it has 100.
    """
    provider, client_id = _present(authorized), authorized.request["ClientID"]
    if client_id in provider.client_ids:
        return
    if len(provider.client_ids) >= MAXIMUM_CLIENT_IDS:
        raise LimitExceededException(_over("ClientIdsPerOpenIdConnectProvider", MAXIMUM_CLIENT_IDS))
    client_ids = (*provider.client_ids, client_id)
    unit.save(OIDC_PROVIDERS, msgspec.structs.replace(provider, client_ids=client_ids))


def remove_client_id(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Keep tokens for an audience out; one that is not there changes nothing.

    Raises:
        NoSuchEntityException: no such provider.
    """
    provider, client_id = _present(authorized), authorized.request["ClientID"]
    left = tuple(each for each in provider.client_ids if each != client_id)
    unit.save(OIDC_PROVIDERS, msgspec.structs.replace(provider, client_ids=left))


def _tag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (_target(call, unit, "iam:TagOpenIDConnectProvider", tag_context(call.request["Tags"])),)


def tag_open_id_connect_provider(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Set tags; a key that differs in case only is the same key.

    Raises:
        NoSuchEntityException: no such provider.
        InvalidInputException: a key comes twice or is reserved.
        LimitExceededException: the provider would have more than 50.
    """
    provider = _present(authorized)
    tags = with_tags(provider.tags, authorized.request["Tags"], HOLDER)
    unit.save(OIDC_PROVIDERS, msgspec.structs.replace(provider, tags=tags))


def _untag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    keys = call.request["TagKeys"]
    context = {"aws:TagKeys": tuple(keys)} if keys else {}
    return (_target(call, unit, "iam:UntagOpenIDConnectProvider", context),)


def untag_open_id_connect_provider(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove tags; unknown keys are ignored.

    Raises:
        NoSuchEntityException: no such provider.
    """
    provider = _present(authorized)
    tags = without_tags(provider.tags, authorized.request["TagKeys"])
    unit.save(OIDC_PROVIDERS, msgspec.structs.replace(provider, tags=tags))


def list_open_id_connect_provider_tags(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a provider's tags, by key.

    Raises:
        NoSuchEntityException: no such provider.
        ValidationException: a Marker this service did not give out.
    """
    request, provider = authorized.request, _present(authorized)
    size, after = page_size(request), parse_marker(request)
    rows = [tag for tag in tag_entries(provider.tags) if tag["Key"] > after]
    page = rows[:size]
    return {"Tags": page, **page_members(rows, size, page[-1]["Key"] if page else "")}


def _changing(name: str, handle: Any, targets: Targets | None = None, *deviations: str) -> Operation:
    action = f"iam:{name}"
    return Operation(
        name=name,
        action=action,
        unit=Unit.WRITE,
        targets=targets or _on_provider(action),
        handle=handle,
        read_only=False,
        deviations=deviations,
    )


CREATE_OPEN_ID_CONNECT_PROVIDER = _changing(
    "CreateOpenIDConnectProvider",
    create_open_id_connect_provider,
    _create_targets,
    _UNUSED_THUMBPRINTS,
    "A URL with a port is refused, since ARNs have no place for it.",
    "ContextProvider and IdentityCenterInstanceArn are refused with InvalidInput.",
)
DELETE_OPEN_ID_CONNECT_PROVIDER = _changing("DeleteOpenIDConnectProvider", delete_open_id_connect_provider)
UPDATE_OPEN_ID_CONNECT_PROVIDER_THUMBPRINT = _changing(
    "UpdateOpenIDConnectProviderThumbprint",
    update_open_id_connect_provider_thumbprint,
    None,
    _UNUSED_THUMBPRINTS,
)
ADD_CLIENT_ID_TO_OPEN_ID_CONNECT_PROVIDER = _changing("AddClientIDToOpenIDConnectProvider", add_client_id)
REMOVE_CLIENT_ID_FROM_OPEN_ID_CONNECT_PROVIDER = _changing(
    "RemoveClientIDFromOpenIDConnectProvider", remove_client_id
)
TAG_OPEN_ID_CONNECT_PROVIDER = _changing(
    "TagOpenIDConnectProvider", tag_open_id_connect_provider, _tag_targets
)
UNTAG_OPEN_ID_CONNECT_PROVIDER = _changing(
    "UntagOpenIDConnectProvider", untag_open_id_connect_provider, _untag_targets
)
GET_OPEN_ID_CONNECT_PROVIDER = Operation(
    name="GetOpenIDConnectProvider",
    action="iam:GetOpenIDConnectProvider",
    unit=Unit.READ,
    targets=_on_provider("iam:GetOpenIDConnectProvider"),
    handle=get_open_id_connect_provider,
    deviations=("A key set given on the command line is not shown.",),
)
LIST_OPEN_ID_CONNECT_PROVIDERS = Operation(
    name="ListOpenIDConnectProviders",
    action="iam:ListOpenIDConnectProviders",
    unit=Unit.READ,
    targets=_list_targets,
    handle=list_open_id_connect_providers,
)
LIST_OPEN_ID_CONNECT_PROVIDER_TAGS = Operation(
    name="ListOpenIDConnectProviderTags",
    action="iam:ListOpenIDConnectProviderTags",
    unit=Unit.READ,
    targets=_on_provider("iam:ListOpenIDConnectProviderTags"),
    handle=list_open_id_connect_provider_tags,
)
