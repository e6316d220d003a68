"""Everyone who could call: the stored principals of all accounts, and those that resource policies name.

Each with what policies see of it, and with what they see only once it calls: which condition keys are open.
Source: fact sheet iam sections 4, 5 and 8.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from strongroom.identity.principal import Principal, PrincipalType, principal_context
from strongroom.identity.records import OidcProvider, Role, User
from strongroom.names import AccountId, Arn, assumed_role_arn, parse_arn, root_arn
from strongroom.policy.context import fold_key
from strongroom.policy.document import PolicyKind, PolicySyntaxError, compile_policy
from strongroom.policy.evaluation import Caller, CallerType
from strongroom.policy.principals import NamedPrincipal, PrincipalForm
from strongroom.policy.universe import Setting
from strongroom.ports import ACCOUNTS, OIDC_PROVIDERS, ROLES, USERS, ReadUnit

__all__ = [
    "Subject",
    "SubjectKind",
    "elsewhere",
    "named_subjects",
    "role_openings",
    "stored_subjects",
    "subject_of",
]

ANY_SESSION: Final = "*"
"""Stands for a session's name: no session can have it."""
_CONNECTION: Final = frozenset(
    (
        "aws:currenttime",
        "aws:epochtime",
        "aws:securetransport",
        "aws:sourceip",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:useragent",
        "aws:vpcsourceip",
    )
)
"""Keys that any call may have, whoever makes it."""
_CREDENTIALS: Final = frozenset(("aws:tokenissuetime", "aws:multifactorauthpresent"))
_TAG: Final = "aws:principaltag/"
_FOR_SERVICES: Final = frozenset(("aws:sourcearn", "aws:sourceaccount", "aws:principalservicename"))


class SubjectKind(StrEnum):
    ROOT = "root user"
    USER = "user"
    ROLE = "role"
    """Any session of it that has no name in the policies."""
    ROLE_SESSION = "role session"
    FEDERATED_SESSION = "federated session"
    """Made by the account's root user."""
    PROVIDER = "identity provider"
    """Whoever comes with a token of it."""
    SERVICE = "service"
    ELSEWHERE = "elsewhere"
    """Whom a policy names though this room has no such account, user or role."""


class Subject(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Somebody who could call."""

    kind: SubjectKind
    principal: Principal
    """For services and those elsewhere one without policies of its own, in whose place `caller` stands."""
    caller: Caller | None = None
    shown: str
    """ARN, or the name a policy has for it."""
    context: Mapping[str, str]
    """The condition keys that are known of it."""
    opened: frozenset[str]
    """Keys, folded, and beginnings of keys (with `/` or `:` at the end), that are known once it calls."""
    setting: Setting
    request: Mapping[str, str] = {}
    """Condition keys of its request that are known, seen where the thing itself is asked for."""
    closed: frozenset[str] = frozenset()
    """Keys, folded, that its request is known not to have."""
    trusts: tuple[str, ...] = ()
    """ROLE: whom its trust policy names."""

    def is_open(self, key: str) -> bool:
        """Whether a folded key may have a value that is not known."""
        return key in self.opened or any(
            each.endswith(("/", ":")) and key.startswith(each) for each in self.opened
        )


def stored_subjects(
    unit: ReadUnit, now: dt.datetime, accounts: Collection[str] | None = None
) -> Iterator[Subject]:
    """Yield root user, users, roles and identity providers of each account (None: of all)."""
    for account in unit.scan(ACCOUNTS, ""):
        if accounts is None or account.account_id in accounts:
            yield _root(account.account_id, now)
            yield from (_user(user, now) for user in unit.scan(USERS, account.account_id))
            yield from (_role(role, now) for role in unit.scan(ROLES, account.account_id))
            yield from (_provider(each, now) for each in unit.scan(OIDC_PROVIDERS, account.account_id))


def named_subjects(unit: ReadUnit, now: dt.datetime, named: Iterable[NamedPrincipal]) -> Iterator[Subject]:
    """Yield the sessions and services that policies name, and whoever they name who is not stored here."""
    for each in dict.fromkeys(named):
        account = each.account_id
        present = account is not None and unit.find(ACCOUNTS, "", account) is not None
        form = each.form
        if form is PrincipalForm.SERVICE:
            yield _outside(SubjectKind.SERVICE, each.name, now, _service_caller(each.name))
        elif form is PrincipalForm.ROLE_SESSION and present and account is not None:
            session = _role_session(unit, account, each.name, now)
            if session is not None:
                yield session
        elif form is PrincipalForm.FEDERATED_SESSION and present and account is not None:
            yield _federated_session(AccountId(account), each.name, now)
        elif form is PrincipalForm.ACCOUNT and not present and account is not None:
            yield elsewhere(each.name, account, now)
        elif form is PrincipalForm.EVERYONE:
            yield elsewhere("everyone else", "000000000000", now)


def elsewhere(shown: str, account_id: str, now: dt.datetime) -> Subject:
    """Return whoever of an account that is not in this room is allowed all that its own account can allow."""
    arn = root_arn(account_id)
    return _outside(SubjectKind.ELSEWHERE, shown, now, Caller(CallerType.ROOT, account_id, arn, account_id))


def subject_of(principal: Principal, kind: SubjectKind, now: dt.datetime) -> Subject:
    """Return a caller of whom all is known that is kept of one."""
    return Subject(
        kind=kind,
        principal=principal,
        shown=principal.role_arn or principal.arn,
        context=principal_context(principal),
        opened=_CONNECTION,
        setting=Setting(now=int(now.timestamp()), temporary=principal.is_temporary),
    )


def _root(account_id: AccountId, now: dt.datetime) -> Subject:
    principal = Principal(PrincipalType.ROOT, account_id, root_arn(account_id), account_id, "")
    return _of_long_term_keys(SubjectKind.ROOT, principal, now)


def _user(user: User, now: dt.datetime) -> Subject:
    principal = Principal(
        PrincipalType.USER,
        user.account_id,
        user.arn,
        user.user_id,
        "",
        user_name=user.user_name,
        tags=user.tags,
    )
    return _of_long_term_keys(SubjectKind.USER, principal, now)


def _of_long_term_keys(kind: SubjectKind, principal: Principal, now: dt.datetime) -> Subject:
    """Return one who signs with its own key, or with one of GetSessionToken."""
    subject = subject_of(principal, kind, now)
    setting = msgspec.structs.replace(subject.setting, temporary=None)
    return msgspec.structs.replace(subject, opened=_CONNECTION | _CREDENTIALS, setting=setting)


def _role(role: Role, now: dt.datetime, session: str = ANY_SESSION) -> Subject:
    """Return a session of the role without session policies, which can do no more than this one."""
    trusted, actions = _trusted(role)
    tags_open, always = role_openings(role)
    principal = Principal(
        PrincipalType.ASSUMED_ROLE,
        role.account_id,
        assumed_role_arn(role.account_id, role.role_name, session),
        f"{role.role_id}:{session}",
        "",
        tags={} if tags_open else role.tags,
        role_id=role.role_id,
        role_arn=role.arn,
    )
    context = principal_context(principal)
    opened = set(_CONNECTION | _CREDENTIALS | tags_open)
    if "sts:SetSourceIdentity" in actions:
        opened.add("aws:sourceidentity")
    if "sts:AssumeRoleWithWebIdentity" in actions:
        opened.add("aws:federatedprovider")
    prefix = ""
    if session == ANY_SESSION:
        del context["aws:userid"]
        opened.add("aws:userid")
        prefix = f"{role.role_id}:"
    return Subject(
        kind=SubjectKind.ROLE if session == ANY_SESSION else SubjectKind.ROLE_SESSION,
        principal=principal,
        shown=role.arn if session == ANY_SESSION else principal.arn,
        context=context,
        opened=frozenset(opened),
        setting=Setting(
            now=int(now.timestamp()),
            temporary=True,
            user_id_prefix=prefix,
            always=always,
        ),
        trusts=trusted,
    )


def role_openings(role: Role) -> tuple[set[str], Mapping[str, str]]:
    """Return which keys are open as sessions of the role may be given tags of their own, and what those that
    are not given are, folded."""
    if "sts:TagSession" not in _trusted(role)[1]:
        return set(), {}
    return {_TAG}, {fold_key(_TAG + key): value for key, value in role.tags.items()}


def _trusted(role: Role) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return whom the Allows of a role's trust policy name, and what they let them ask for with a session."""
    try:
        policy = compile_policy(role.trust_policy, PolicyKind.TRUST)
    except PolicySyntaxError:
        return (), frozenset()
    names = compile_policy(role.written_trust_policy or role.trust_policy, PolicyKind.TRUST)
    trusted = [
        each.name
        for statement in names.statements
        if not statement.denies and statement.principal is not None
        for each in statement.principal.named
    ]
    asked = ("sts:TagSession", "sts:SetSourceIdentity", "sts:AssumeRoleWithWebIdentity")
    return tuple(dict.fromkeys(trusted)), frozenset(
        action for action in asked if any(not each.denies for each in policy.statements_for(action))
    )


def _role_session(unit: ReadUnit, account_id: str, arn: str, now: dt.datetime) -> Subject | None:
    parsed = parse_arn(arn)
    if parsed is None:
        return None
    _, name, session = parsed.resource.split("/")
    role = unit.find_alternate(ROLES, account_id, name.lower())
    return None if role is None or role.role_name != name else _role(role, now, session)


def _federated_session(account_id: AccountId, arn: str, now: dt.datetime) -> Subject:
    principal = Principal(
        PrincipalType.FEDERATED_USER,
        account_id,
        Arn(arn),
        f"{account_id}:{arn.rpartition('/')[2]}",
        "",
        issuer_arn=root_arn(account_id),
    )
    subject = subject_of(principal, SubjectKind.FEDERATED_SESSION, now)
    setting = msgspec.structs.replace(subject.setting, temporary=True)
    return msgspec.structs.replace(subject, opened=_CONNECTION | _CREDENTIALS, setting=setting)


def _provider(provider: OidcProvider, now: dt.datetime) -> Subject:
    principal = Principal(
        PrincipalType.WEB_IDENTITY,
        provider.account_id,
        provider.arn,
        provider.arn,
        "",
        provider=provider.arn,
    )
    subject = subject_of(principal, SubjectKind.PROVIDER, now)
    return msgspec.structs.replace(subject, opened=_CONNECTION | {f"{fold_key(provider.url)}:"})


def _service_caller(name: str) -> Caller:
    return Caller(CallerType.SERVICE, "", name, name)


def _outside(kind: SubjectKind, shown: str, now: dt.datetime, caller: Caller) -> Subject:
    account = AccountId(caller.account_id or "000000000000")
    principal = Principal(PrincipalType.ROOT, account, root_arn(account), account, "")
    service = kind is SubjectKind.SERVICE
    context = {"aws:PrincipalIsAWSService": "true"} if service else {}
    opened = _CONNECTION | (_FOR_SERVICES if service else frozenset(("aws:",)))
    return Subject(
        kind=kind,
        principal=principal,
        caller=caller,
        shown=shown,
        context=context,
        opened=opened,
        setting=Setting(now=int(now.timestamp())),
    )
