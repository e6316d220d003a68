"""Who a resource-based policy names, and whether a caller is among them.

Source: fact sheet iam sections 4 (tables) and 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import msgspec

from strongroom.names import is_account_id, parse_arn


class CallerType(StrEnum):
    """The values of `aws:PrincipalType`, and two callers that have no identity of their own in an account."""

    ROOT = "Account"
    USER = "User"
    ASSUMED_ROLE = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    SERVICE = "Service"
    WEB_IDENTITY = "WebIdentity"


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as far as policies can name him."""

    type: CallerType
    account_id: str
    """Empty for a service."""
    arn: str
    """As messages show him: for a role session the sts assumed-role ARN, for a service its principal
    (`lambda.amazonaws.com`)."""
    principal_id: str
    """`aws:userid`: account id, AIDA…, AROA…:session, account:name."""
    role_arn: str | None = None
    """ASSUMED_ROLE: the IAM ARN of the role, with its path."""
    issuer_arn: str | None = None
    """FEDERATED_USER: the user (or root) whose GetFederationToken made the session."""
    issuer_id: str | None = None
    """FEDERATED_USER: the id (AIDA…) of that user."""
    provider: str | None = None
    """WEB_IDENTITY: the identity provider as trust policies name it (ARN or host)."""

    @property
    def stands_alone(self) -> bool:
        """True for callers without identity policies in any account: only resource policies let them in."""
        return self.type in (CallerType.SERVICE, CallerType.WEB_IDENTITY)


class Grade(IntEnum):
    """How directly an Allow of a resource policy names the caller; the greater, the less else is needed."""

    NONE = 0
    ACCOUNT = 1
    """By its account: delegates, the account's identity policies decide."""
    ROLE = 2
    """By the role (or user) behind the session: boundary and session policy still limit."""
    DIRECT = 3
    """Itself, or everyone: nothing else has to allow within the account."""


class PrincipalForm(StrEnum):
    """What one name in a Principal element is."""

    EVERYONE = "everyone"
    ACCOUNT = "account"
    USER = "user"
    ROLE = "role"
    ROLE_SESSION = "role session"
    FEDERATED_SESSION = "federated session"
    UNIQUE_ID = "unique id"
    SERVICE = "service"
    PROVIDER = "identity provider"
    CANONICAL_USER = "canonical user"
    UNSUPPORTED = "unsupported"
    """Nothing that can be a principal: a group, a partial wildcard, another kind of ARN."""


@dataclass(frozen=True, slots=True)
class NamedPrincipal:
    """One name in a Principal or NotPrincipal element."""

    kind: str
    """`AWS`, `Service`, `Federated` or `CanonicalUser`; `"*"` alone counts as AWS."""
    name: str
    """As written."""
    form: PrincipalForm
    account_id: str | None = None
    """The account the name belongs to, where the name tells."""


PRINCIPAL_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")

_UNIQUE_ID = re.compile(r"(?:AIDA|AROA)[A-Z0-9]{12,124}")
_CANONICAL_ID = re.compile(r"[0-9a-f]{64}")
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+){0,2}\.amazonaws\.com(?:\.cn)?")
_PATH = r"(?:[\x21-\x29\x2b-\x3e\x40-\x7e]+/)?"
_NAME = r"[A-Za-z0-9_+=,.@-]+"
_RESOURCES: Mapping[tuple[str, str], PrincipalForm] = {
    ("iam", rf"user/{_PATH}{_NAME}"): PrincipalForm.USER,
    ("iam", rf"role/{_PATH}{_NAME}"): PrincipalForm.ROLE,
    ("sts", rf"assumed-role/{_NAME}/{_NAME}"): PrincipalForm.ROLE_SESSION,
    ("sts", rf"federated-user/{_NAME}"): PrincipalForm.FEDERATED_SESSION,
}


def is_service_principal(name: str) -> bool:
    """True for names of the form AWS gives service principals (`logs.eu-west-1.amazonaws.com`)."""
    return _SERVICE.fullmatch(name) is not None


def named_principal(kind: str, name: str) -> NamedPrincipal:
    """Return what `name` under `kind` stands for; nothing is refused here."""
    if kind == "AWS":
        form, account = _aws_form(name)
        return NamedPrincipal(kind, name, form, account)
    if kind == "Service":
        known = is_service_principal(name)
        return NamedPrincipal(kind, name, PrincipalForm.SERVICE if known else PrincipalForm.UNSUPPORTED)
    if kind == "Federated" and name and "*" not in name and "?" not in name:
        arn = parse_arn(name)
        account = arn.account_id if arn is not None else None
        return NamedPrincipal(kind, name, PrincipalForm.PROVIDER, account or None)
    if kind == "CanonicalUser" and _CANONICAL_ID.fullmatch(name):
        return NamedPrincipal(kind, name, PrincipalForm.CANONICAL_USER)
    return NamedPrincipal(kind, name, PrincipalForm.UNSUPPORTED)


def _aws_form(name: str) -> tuple[PrincipalForm, str | None]:
    if name == "*":
        return PrincipalForm.EVERYONE, None
    if is_account_id(name):
        return PrincipalForm.ACCOUNT, name
    if _UNIQUE_ID.fullmatch(name):
        return PrincipalForm.UNIQUE_ID, None
    arn = parse_arn(name)
    if arn is None or arn.region or not is_account_id(arn.account_id):
        return PrincipalForm.UNSUPPORTED, None
    if (arn.service, arn.resource) == ("iam", "root"):
        return PrincipalForm.ACCOUNT, arn.account_id
    for (service, resource), form in _RESOURCES.items():
        if arn.service == service and re.fullmatch(resource, arn.resource):
            return form, arn.account_id
    return PrincipalForm.UNSUPPORTED, None


class PrincipalElement:
    """A Principal or NotPrincipal element, compiled."""

    __slots__ = (
        "_accounts",
        "_everyone",
        "_names",
        "_providers",
        "_services",
        "_unsupported",
        "named",
        "negated",
    )

    def __init__(self, named: Sequence[NamedPrincipal], *, negated: bool) -> None:
        self.named = tuple(named)
        """In the order written."""
        self.negated = negated
        forms = {each.form for each in named}
        self._everyone = PrincipalForm.EVERYONE in forms
        self._unsupported = PrincipalForm.UNSUPPORTED in forms
        self._accounts = frozenset(self._of(PrincipalForm.ACCOUNT))
        self._services = frozenset(each.name for each in named if each.form is PrincipalForm.SERVICE)
        self._providers = frozenset(each.name for each in named if each.form is PrincipalForm.PROVIDER)
        self._names = frozenset(
            each.name for each in named if each.kind == "AWS" and each.form is not PrincipalForm.UNSUPPORTED
        )

    def _of(self, form: PrincipalForm) -> Iterator[str]:
        for each in self.named:
            if each.form is form and each.account_id is not None:
                yield each.account_id

    def allows(self, caller: Caller) -> Grade:
        """Return how directly an Allow with this element names the caller."""
        if not self.negated:
            return self._grade(caller)
        # SECURITY: a name that cannot be read might be the caller, whom the policy means to leave out.
        left_out = self._unsupported or self._grade(caller) is not Grade.NONE
        return Grade.NONE if left_out else Grade.DIRECT

    def denies(self, caller: Caller) -> bool:
        """True when a Deny with this element meets the caller.

        A name that cannot be read denies everyone. With NotPrincipal the account and the user or role must
        both be listed to be spared, as AWS demands.
        """
        if not self.negated:
            return self._unsupported or self._grade(caller) is not Grade.NONE
        return not self._spares(caller)

    def _grade(self, caller: Caller) -> Grade:
        if self._everyone:
            return Grade.DIRECT
        kind = caller.type
        if kind == CallerType.SERVICE:
            return Grade.DIRECT if caller.arn in self._services else Grade.NONE
        if kind == CallerType.WEB_IDENTITY:
            return Grade.DIRECT if caller.provider in self._providers else Grade.NONE
        if self._names:
            if self._is_itself(caller):
                return Grade.DIRECT
            if self._is_behind(caller):
                return Grade.ROLE
        return Grade.ACCOUNT if caller.account_id in self._accounts else Grade.NONE

    def _is_itself(self, caller: Caller) -> bool:
        if caller.type == CallerType.ROOT:
            return False
        names = self._names
        return caller.arn in names or (caller.type == CallerType.USER and caller.principal_id in names)

    def _is_behind(self, caller: Caller) -> bool:
        """True when the role, or the user, behind the caller's session is named."""
        names = self._names
        if caller.type == CallerType.ASSUMED_ROLE:
            return caller.role_arn in names or caller.principal_id.partition(":")[0] in names
        if caller.type == CallerType.FEDERATED_USER and caller.issuer_arn is not None:
            by_user = not caller.issuer_arn.endswith(":root")
            return by_user and (caller.issuer_arn in names or caller.issuer_id in names)
        return False

    def _spares(self, caller: Caller) -> bool:
        if self._everyone:
            return True
        if caller.stands_alone:
            return self._grade(caller) is not Grade.NONE
        if caller.account_id not in self._accounts:
            return False
        if caller.type == CallerType.ASSUMED_ROLE:
            return self._is_behind(caller)
        return caller.type == CallerType.ROOT or self._is_itself(caller) or self._is_behind(caller)
