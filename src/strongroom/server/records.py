"""The audit records of a call: who gets one, and what each of them may tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Final

import orjson

from strongroom.audit.event import call_event
from strongroom.errors import AccessDeniedException, ServiceError
from strongroom.names import parse_arn
from strongroom.operations.call import Target
from strongroom.operations.secretsmanager.canaries import canary_alerts
from strongroom.server.attempt import GLOBAL_REGION, Attempt
from strongroom.server.world import Uuids
from strongroom.wire.faults import fault_of
from strongroom.wire.http import HttpRequest

__all__ = ["events_of"]

_DENIED: Final = "AccessDenied"
_PATTERN: Final = frozenset("*?")
MAX_HOST: Final = 256
"""Characters kept of a Host header: a name has 253 at most."""
_GLOBAL_SERVICES: Final = frozenset({"iam"})
_CLAIMED_KEY = re.compile(r"Credential=([\w-]{1,128})/|[?&]X-Amz-Credential=([\w-]{1,128})%2[Ff]")
_RESOURCE_TYPES: Final[Mapping[str, str]] = {
    "secret": "AWS::SecretsManager::Secret",
    "key": "AWS::KMS::Key",
    "alias": "AWS::KMS::Alias",
    "function": "AWS::Lambda::Function",
    "group": "AWS::IAM::Group",
    "layer": "AWS::Lambda::LayerVersion",
    "oidc-provider": "AWS::IAM::OIDCProvider",
    "policy": "AWS::IAM::Policy",
    "role": "AWS::IAM::Role",
    "trail": "AWS::CloudTrail::Trail",
    "user": "AWS::IAM::User",
}


def events_of(
    attempt: Attempt, response: Mapping[str, Any] | None, uuids: Uuids, error: ServiceError | None = None
) -> Iterator[bytes]:
    """Yield the records of a call: one for the caller's account, and one for each other account whose
    resources it reached for, tied together by a shared id; and those of the parts of a batch.

    The other accounts learn which account called, what it asked of them, and no more (fact sheet cloudtrail
    sections 1 and 2). The batch itself is the caller's matter: it names the secrets of all accounts.
    """
    request, call, model, service = attempt.request, attempt.call, attempt.model, attempt.service
    read_only = attempt.declared is not None and attempt.declared.read_only
    parameters: Mapping[str, Any] | None = None
    if call is not None and model is not None and not isinstance(error, AccessDeniedException):
        parameters = model.redact_request(call.request) or None
    elements: Mapping[str, Any] | None = None
    if response is not None and model is not None and not read_only:
        elements = model.redact_response(response) or None
    elif call is not None and error is None:
        elements = call.details.get("response_elements")
    code = message = None
    if error is not None:
        fault = fault_of(error, service)
        code = _DENIED if isinstance(error, AccessDeniedException) else fault.code
        message = fault.message or None
    record = partial(
        _records,
        attempt,
        uuids,
        event_source=service.event_source if service is not None else "strongroom",
        region=_region(attempt),
        source_ip=request.source_ip,
        user_agent=request.headers.get("user-agent") or "",
        request_id=request.request_id,
        at=request.received_at,
        tls=_tls(request),
        vpc_endpoint_id=None if request.endpoint is None else request.endpoint.endpoint_id,
    )
    yield from record(
        attempt.targets,
        event_name=attempt.operation,
        read_only=read_only,
        request_parameters=parameters,
        response_elements=elements,
        error_code=code,
        error_message=message,
        additional=None if call is None or error is not None else call.details.get("additional"),
        refused=error is not None,
    )
    if call is None or service is None:
        return
    for part in call.details.get("extra_events", ()):
        yield from record(
            (part["target"],),
            event_name=part["operation"],
            read_only=True,
            request_parameters=service.operations[part["operation"]].redact_request(part["request"]),
            error_code=_record_code(part.get("error_code")),
            error_message=part.get("error_message"),
            additional=part.get("additional"),
            refused=part.get("error_code") is not None,
            whole=False,
        )
    yield from canary_alerts(
        call, attempt.targets, source_ip=request.source_ip, error_code=code, next_id=uuids.next
    )


def _records(
    attempt: Attempt,
    uuids: Uuids,
    targets: Iterable[Target],
    *,
    additional: Mapping[str, Any] | None,
    refused: bool,
    whole: bool = True,
    **members: Any,
) -> Iterator[bytes]:
    """Yield a record for each account concerned. `whole`: of the call, not of one of its optional parts."""
    own = attempt.claimed_account if attempt.caller is None else attempt.caller.principal.account_id
    found = [target for target in targets if target.record is not None]
    reached = [t for t in targets if t.owner_account != own and not (whole and t.optional)]
    if attempt.caller is None:
        reached = []
    # SECURITY: only what exists makes a record elsewhere. Who merely writes an account's id into an ARN
    # writes nothing into that account's trail; and who is denied does not see by his own record whether
    # there is one elsewhere.
    others = {target.owner_account for target in reached if target.record is not None}
    denied = members.get("error_code") == _DENIED
    of_own = [target for target in found if target.owner_account == own] if denied else found
    shared = uuids.next() if reached else None
    made = [] if refused or not whole else _made(attempt, own)
    pointer = {"decisionRecord": attempt.request.request_id}
    for account in [own, *sorted(others)]:
        touched = of_own if account == own else [t for t in found if t.owner_account == account]
        yield call_event(
            user_identity=_identity(attempt) if account == own else _account_of(attempt),
            event_id=uuids.next(),
            recipient_account_id=account,
            resources=_resources(
                [(each.owner_account, each.resource) for each in touched] + (made if account == own else [])
            ),
            shared_event_id=shared,
            additional=pointer if refused and account in attempt.explained_to else additional,
            **members,
        )


def _made(attempt: Attempt, own: str) -> list[tuple[str, str]]:
    """Return owner and ARN of what a successful write has made: targets that were not there before, and what
    the handler names."""
    if attempt.call is None or attempt.declared is None or attempt.declared.read_only:
        return []
    named = [
        target.resource
        for target in attempt.targets
        if target.record is None and target.owner_account == own and _PATTERN.isdisjoint(target.resource)
    ]
    return [(own, arn) for arn in dict.fromkeys([*named, *attempt.call.details.get("created", ())])]


def _tls(request: HttpRequest) -> Mapping[str, Any] | None:
    if request.tls_version is None:
        return None
    host = request.headers.get("host", "")[:MAX_HOST]
    return {"tlsVersion": request.tls_version, "clientProvidedHostHeader": host}


def _region(attempt: Attempt) -> str:
    if attempt.service is not None and attempt.service.name in _GLOBAL_SERVICES:
        return GLOBAL_REGION
    return attempt.region


def _record_code(code: str | None) -> str | None:
    return _DENIED if code == AccessDeniedException.__name__ else code


def _identity(attempt: Attempt) -> Mapping[str, Any] | orjson.Fragment:
    if attempt.caller is not None:
        return attempt.caller.identity
    unknown: dict[str, Any] = {"type": "Unknown"}
    request = attempt.request
    claimed = _CLAIMED_KEY.search(request.headers.get("authorization") or f"?{request.raw_query}")
    if claimed is not None:
        unknown["accessKeyId"] = claimed.group(1) or claimed.group(2)
    return unknown


def _account_of(attempt: Attempt) -> Mapping[str, Any]:
    """Return the caller as another account is told of it."""
    assert attempt.caller is not None  # noqa: S101 - others are concerned by authenticated calls only
    principal = attempt.caller.principal
    return {"type": "AWSAccount", "principalId": principal.principal_id, "accountId": principal.account_id}


def _resources(owned: Iterable[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """Return the things a call touched, given by owner and ARN, as the record names them."""
    return [
        {"accountId": owner, "type": kind, "ARN": arn}
        for owner, arn in owned
        if (kind := _resource_type(arn)) is not None
    ]


@lru_cache(maxsize=4096)
def _resource_type(arn: str) -> str | None:
    parsed = parse_arn(arn)
    if parsed is None:
        return None
    kind = re.split("[:/]", parsed.resource, maxsplit=1)[0]
    # What has no type of its own (the root user, a session) is named by who called, not as a resource.
    return _RESOURCE_TYPES.get(kind)
