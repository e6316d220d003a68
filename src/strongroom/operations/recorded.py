"""What the trail tells of a call: who made it, on what, in which context, and whether policies let it.

A record does not hold everything a policy can look at. What is missing stays open. What was given to a
session when it was made stands in the record of that call, found by the access key given out.
Source: fact sheets cloudtrail sections 1 and 2; iam section 8.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from strongroom.identity.principal import Principal, PrincipalType, principal_context
from strongroom.identity.records import Role, User
from strongroom.identity.tags import without_tags
from strongroom.names import AccountId, Arn, root_arn
from strongroom.operations.catalog import CATALOG
from strongroom.operations.subjects import Subject, SubjectKind, role_openings
from strongroom.policy.context import fold_key
from strongroom.policy.universe import Setting
from strongroom.ports import ROLES, USERS, ReadUnit

__all__ = ["RecordedCall", "SessionGiven", "given_to_sessions", "recorded_call", "recorded_subject"]

Event = Mapping[str, Any]

_AGENT_LIMIT: Final = 1024
"""Bytes: a user agent as long as that may have been cut (`audit/event`)."""
_WITHOUT_RESOURCE: Final = frozenset(
    ("BatchGetSecretValue", "CreateKey", "GenerateRandom", "GetRandomPassword")
)
"""Operations that are permitted on `*`, besides those that list."""
_SERVICE: Final = ".amazonaws.com"


class RecordedCall(msgspec.Struct, frozen=True):
    action: str
    resources: tuple[str, ...]
    """ARNs the record names; `*` for an operation on nothing in particular."""
    allowed: bool


class SessionGiven(msgspec.Struct, frozen=True):
    """What a session was made with."""

    policies: tuple[str, ...] | None
    policy_arns: tuple[Arn, ...]
    tags: Mapping[str, str] | None
    """None: not known."""
    transitive: tuple[str, ...] = ()


def recorded_call(event: Event) -> RecordedCall | str:
    """Return what a record says was asked for; a text: why it cannot be asked again."""
    source = event.get("eventSource") or ""
    service = CATALOG.get(source.removesuffix(_SERVICE)) if source.endswith(_SERVICE) else None
    name = event.get("eventName") or ""
    operation = None if service is None else service.operations.get(name)
    if event.get("eventType") != "AwsApiCall" or operation is None or not operation.action:
        return "no call that policies decide"
    if (event.get("userIdentity") or {}).get("type") == "AWSAccount":
        return "another account's record of a call"
    error = event.get("errorCode")
    if error not in (None, "AccessDenied"):
        return "failed for another reason than policies"
    arns = tuple(dict.fromkeys(each["ARN"] for each in event.get("resources") or () if "ARN" in each))
    if name in _WITHOUT_RESOURCE or (name.startswith("List") and not arns):
        arns = ("*",)
    own = "iam" if source.startswith("sts.") else source.removesuffix(_SERVICE)
    arns = tuple(each for each in arns if each == "*" or each.split(":")[2:3] == [own])
    if not arns:
        return "names no resource that exists"
    return RecordedCall(operation.action, arns, error is None)


# --- sessions ---------------------------------------------------------------------------------------------


def given_to_sessions(events: Iterable[Event]) -> dict[str, SessionGiven]:
    """Return what sessions were made with, by the access keys that were given out."""
    made: dict[str, Event] = {}
    for event in events:
        credentials = ((event.get("responseElements") or {}).get("credentials")) or {}
        if event.get("eventName") in _MAKING and "accessKeyId" in credentials:
            made[credentials["accessKeyId"]] = event
    found: dict[str, SessionGiven] = {}
    for key in made:
        _given(key, made, found, 0)
    return found


_MAKING: Final = frozenset(
    ("AssumeRole", "AssumeRoleWithWebIdentity", "GetFederationToken", "GetSessionToken")
)
_CHAIN: Final = 64


def _given(
    key: str, made: Mapping[str, Event], found: dict[str, SessionGiven], depth: int
) -> SessionGiven | None:
    event = made.get(key)
    if key in found or event is None or depth > _CHAIN:
        return found.get(key)
    request = event.get("requestParameters") or {}
    document, arns = request.get("policy"), request.get("policyArns") or ()
    restricts = document is not None or bool(arns)
    sent = {each["key"]: each["value"] for each in request.get("tags") or ()}
    transitive = tuple(request.get("transitiveTagKeys") or ())
    tags: Mapping[str, str] | None = sent
    caller = (event.get("userIdentity") or {}).get("accessKeyId") or ""
    if event["eventName"] == "AssumeRoleWithWebIdentity":
        # Tags come in the token, of which records hold nothing.
        tags = None
    elif caller.startswith("ASIA") and event["eventName"] == "AssumeRole":
        before = _given(caller, made, found, depth + 1)
        if before is None or before.tags is None:
            tags = None
        else:
            handed_on = {name: before.tags[name] for name in before.transitive if name in before.tags}
            tags, transitive = {**handed_on, **sent}, (*handed_on, *transitive)
    given = SessionGiven(
        (() if document is None else (document,)) if restricts else None,
        tuple(Arn(each["arn"]) for each in arns if "arn" in each),
        tags,
        transitive,
    )
    found[key] = given
    return given


# --- who --------------------------------------------------------------------------------------------------


def recorded_subject(
    unit: ReadUnit, event: Event, sessions: Mapping[str, SessionGiven]
) -> tuple[Subject, bool] | str:
    """Return who made a recorded call, with the context of it, and whether its session's policies are known;
    a text: why that cannot be said.

    Users, roles and their tags are as they are stored now.
    """
    identity = event.get("userIdentity") or {}
    made = _principal(unit, identity, sessions)
    if isinstance(made, str):
        return made
    principal, opened, known, always = made
    context: dict[str, str] = {**principal_context(principal), **_connection(event, opened)}
    request, closed = _request(event)
    subject = Subject(
        kind=_KINDS[principal.type],
        principal=principal,
        shown=principal.arn,
        context=context,
        opened=frozenset(opened),
        setting=Setting(temporary=principal.is_temporary, always=always),
        request=request,
        closed=closed,
    )
    return subject, known


_KINDS: Final = {
    PrincipalType.ROOT: SubjectKind.ROOT,
    PrincipalType.USER: SubjectKind.USER,
    PrincipalType.ASSUMED_ROLE: SubjectKind.ROLE_SESSION,
    PrincipalType.FEDERATED_USER: SubjectKind.FEDERATED_SESSION,
}
_Made = tuple[Principal, set[str], bool, Mapping[str, str]]
"""The principal, keys that are open, whether session policies are known, tags that are at least there."""


def _principal(unit: ReadUnit, identity: Event, sessions: Mapping[str, SessionGiven]) -> _Made | str:
    account, key = AccountId(identity.get("accountId") or ""), identity.get("accessKeyId") or ""
    principal_id, arn = identity.get("principalId") or "", Arn(identity.get("arn") or "")
    session = identity.get("sessionContext") or {}
    issued = _moment((session.get("attributes") or {}).get("creationDate"))
    given = sessions.get(key)
    match identity.get("type"):
        case "Root":
            root = Principal(
                PrincipalType.ROOT, account, root_arn(account), account, key, token_issued_at=issued
            )
            return root, set(), True, {}
        case "IAMUser":
            user = unit.find(USERS, account, principal_id)
            if user is None:
                return "made by a user that is gone"
            return _user(user, key, issued), set(), True, {}
        case "AssumedRole":
            role = unit.find(ROLES, account, (session.get("sessionIssuer") or {}).get("principalId") or "")
            if role is None:
                return "made with a role that is gone"
            return _role_session(role, identity, session, issued, given)
        case "FederatedUser":
            issuer = session.get("sessionIssuer") or {}
            issuer_id = issuer.get("principalId") if issuer.get("type") == "IAMUser" else None
            if issuer_id is not None and unit.find(USERS, account, issuer_id) is None:
                return "made by a user that is gone"
            if given is None:
                return "made by a federated user whose policies are not on record"
            federated = Principal(
                PrincipalType.FEDERATED_USER,
                account,
                arn,
                principal_id,
                key,
                tags=given.tags or {},
                token_issued_at=issued,
                issuer_id=issuer_id,
                issuer_arn=Arn(issuer.get("arn") or root_arn(account)),
                session_policies=given.policies,
                session_policy_arns=given.policy_arns,
            )
            return federated, set(), True, {}
    return "made by nobody who signed it"


def _user(user: User, key: str, issued: dt.datetime | None) -> Principal:
    return Principal(
        PrincipalType.USER,
        user.account_id,
        user.arn,
        user.user_id,
        key,
        user_name=user.user_name,
        tags=user.tags,
        token_issued_at=issued,
    )


def _role_session(
    role: Role, identity: Event, session: Event, issued: dt.datetime | None, given: SessionGiven | None
) -> _Made:
    opened: set[str] = set()
    tags: Mapping[str, str] = role.tags
    always: Mapping[str, str] = {}
    if given is not None and given.tags is not None:
        tags = {**without_tags(role.tags, given.tags), **given.tags}
    else:
        opened, always = role_openings(role)
        if opened:
            tags = {}
    principal = Principal(
        PrincipalType.ASSUMED_ROLE,
        role.account_id,
        Arn(identity.get("arn") or ""),
        identity.get("principalId") or "",
        identity.get("accessKeyId") or "",
        tags=tags,
        token_issued_at=issued,
        role_id=role.role_id,
        role_arn=role.arn,
        session_policies=None if given is None else given.policies,
        session_policy_arns=() if given is None else given.policy_arns,
        source_identity=session.get("sourceIdentity"),
        provider=(session.get("webIdFederationData") or {}).get("federatedProvider"),
    )
    return principal, opened, given is not None, always


# --- in which context -------------------------------------------------------------------------------------


def _connection(event: Event, opened: set[str]) -> dict[str, str]:
    """Return the condition keys of a record's connection; those it does not tell are added to `opened`."""
    context: dict[str, str] = {"aws:RequestedRegion": event.get("awsRegion") or ""}
    address = event.get("sourceIPAddress") or ""
    endpoint = event.get("vpcEndpointId")
    if endpoint is None:
        context["aws:SourceIp"] = address
    else:
        context |= {"aws:SourceVpce": endpoint, "aws:VpcSourceIp": address}
        opened.add("aws:sourcevpc")
    agent = event.get("userAgent") or ""
    if len(agent.encode()) < _AGENT_LIMIT - 3:
        context["aws:UserAgent"] = agent
    else:
        opened.add("aws:useragent")
    if event.get("tlsDetails") is not None:
        context["aws:SecureTransport"] = "true"
    else:
        # A proxy may have spoken TLS with the caller.
        opened.add("aws:securetransport")
    at = _moment(event.get("eventTime"))
    if at is not None:
        context["aws:CurrentTime"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        context["aws:EpochTime"] = str(int(at.timestamp()))
    return context


def _request(event: Event) -> tuple[dict[str, str], frozenset[str]]:
    """Return the condition keys of a read's request, and those it has not; records of refused calls hold no
    request, so that both are open then."""
    parameters = event.get("requestParameters")
    if event.get("eventName") != "GetSecretValue" or parameters is None:
        return {}, frozenset()
    names = {"versionId": "secretsmanager:VersionId", "versionStage": "secretsmanager:VersionStage"}
    present = {names[each]: str(parameters[each]) for each in names if each in parameters}
    return present, frozenset(fold_key(each) for each in names.values() if each not in present)


def _moment(text: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None
