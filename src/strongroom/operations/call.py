"""The vocabulary every operation is declared in: a call, its targets, its declaration."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from strongroom.identity.principal import Principal
from strongroom.names import AccountId, Region
from strongroom.ports import (
    Entropy,
    EventIndex,
    FunctionRunner,
    IssuerKeys,
    ReadUnit,
    RootKey,
    Rotators,
    Store,
)

if TYPE_CHECKING:
    from strongroom.policy.evaluation import Decision

ConditionContext = Mapping[str, "str | tuple[str, ...]"]
"""Condition key (as documented; matched ignoring case) to its value, or a tuple for a multivalued key."""


class Unit(Enum):
    """How an operation meets the store."""

    READ = "read"
    """Answered from memory or a read; runs inline."""
    WRITE = "write"
    """Runs on the writer inside the transaction that also holds its audit event."""


class Resources(msgspec.Struct, frozen=True, eq=False):
    """What handlers may use of the world, constructed by the server."""

    store: Store
    root_key: RootKey
    entropy: Entropy
    key_memory: Any = None
    """Opaque per-process memory of `operations/datakeys`."""
    decision_memory: Any = None
    """Opaque per-process memory of `operations/authorize`; None: every decision is made afresh."""
    standing_memory: Any = None
    """Opaque per-process memory of `operations/standing`; None: policies are collected for every decision."""
    keep_decision: Callable[[bytes], None] | None = None
    """Keeps the record of a refused decision (`operations/refusals`); None: none are kept."""
    find_decisions: Callable[[str], Sequence[Mapping[str, Any]]] | None = None
    """Returns the records kept of a request id; reads files, so for worker threads. None: none are kept."""
    issuers: IssuerKeys | None = None
    """None: keys of identity providers are not fetched."""
    functions: FunctionRunner | None = None
    """None: functions are not run in this process."""
    no_functions: str = ""
    """Why not, to whoever makes, invokes or rotates by one."""
    rotators: Rotators | None = None
    """None: there is no managed rotation."""
    events: EventIndex | None = None
    """None: the trail is not indexed."""
    endpoint_url: str = ""
    """Where this server answers, for functions to call."""
    code_bytes: int = 2 << 30
    """How much code of functions an account may keep in a region."""


class Call(msgspec.Struct, frozen=True, eq=False):
    """An authenticated, decoded and validated call, not yet authorized.

    `request` holds only members the model knows, checked against their shapes; blobs are `bytes`.
    """

    service: str
    operation: str
    request: Mapping[str, Any]
    principal: Principal
    region: Region
    received_at: dt.datetime
    request_id: str
    resources: Resources
    context: ConditionContext = {}
    """Condition keys of the request itself (aws:SourceIp, aws:PrincipalArn, …)."""
    endpoint_policy: str | None = None
    """Policy of the VPC endpoint the call came through (`server/settings`), if that has one."""
    identified: Any = None
    """What the caller was identified by, where the operation takes no signature (`Identified.evidence`)."""
    waited: bool = False
    """Whether it was put off as long as calls are (`NotSettled`), and is answered as things stand."""
    prepared: Any = None
    """What the operation's `prepare` had done on a worker thread; None when it asked for nothing."""
    details: dict[str, Any] = {}
    """What the handler wants in its audit record beyond the request: `created` (ARNs of what the call made,
    where no target names it: see `note_created`), `response_elements` (of a read that gives out something to
    be known again by, without what is secret of it), `additional` (additionalEventData of a call that
    succeeds), `extra_events` (one per secret of a batch: see audit.event). `timed` is set by
    `operations/authorize` when a decision may have looked at the time."""

    @property
    def account_id(self) -> AccountId:
        """The caller's account."""
        return self.principal.account_id

    def __repr__(self) -> str:
        """Say nothing of the request, which may hold a secret value."""
        return f"<Call {self.service} {self.operation} {self.request_id}>"


class NotSettled(Exception):
    """A read's answer will be another one in a moment, and better waits for that. It is asked again when
    something was committed, and with `Call.waited` when it has waited long enough."""


def note_created(call: Call, arn: str) -> None:
    """Name in the call's audit record what it made, which no target could name before it was there."""
    call.details.setdefault("created", []).append(arn)


class ResourcePolicy(msgspec.Struct, frozen=True):
    """A resource-based policy attached to a target."""

    document: str
    delegates_to_account: bool = True
    """True for secrets: the owner account's identity policies count by themselves. False for KMS keys:
    they count only when this policy allows the account principal."""
    trust: bool = False
    """True for a role's trust policy (with `delegates_to_account` False)."""


class Target(msgspec.Struct, frozen=True, eq=False):
    """One thing a call touches, and the action that must be allowed on it."""

    action: str
    """`secretsmanager:GetSecretValue`."""
    resource: str
    """Full ARN that policies are matched against; `*` for actions without a resource."""
    owner_account: AccountId
    shown_as: str = ""
    """How a denial names the resource: what the caller sent. Empty: `resource`."""
    denial: str = ""
    """The whole text of a denial, where AWS gives no reason (roles). Empty: the usual text."""
    record: Any = None
    """The stored Secret, KmsKey or User; None when absent (authorization comes before 'not found')."""
    resource_policies: tuple[ResourcePolicy, ...] = ()
    context: ConditionContext = {}
    """Condition keys of this target (secretsmanager:SecretId, aws:ResourceTag/…)."""
    grants: tuple[str, ...] = ()
    """Ids of the KMS grants that name the caller and fit action, encryption context and constraints."""
    grants_behind: bool = False
    """True: all of them name the role or user behind the caller's session, not the session."""
    optional: bool = False
    """True: a denial does not fail the call; the handler finds the target among `call.refused` and
    answers for it alone (BatchGetSecretValue)."""


class AuthorizedCall(msgspec.Struct, frozen=True, eq=False):
    """A call whose every required target was allowed. Only `operations/authorize.py` makes one."""

    call: Call
    targets: tuple[Target, ...]
    """Those allowed, in the order declared."""
    refused: tuple[tuple[Target, Exception], ...] = ()
    """Optional targets that were not, with the AccessDeniedException each deserves."""
    decisions: tuple[Decision, ...] = ()

    @property
    def request(self) -> Mapping[str, Any]:
        return self.call.request

    @property
    def target(self) -> Target:
        return self.targets[0]


@dataclass(frozen=True, slots=True)
class Identified:
    """Whom a call without a signature comes from."""

    principal: Principal
    evidence: Any
    """What it was established by, for `targets` and the handler: `call.identified`."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Slow work outside of the store that has to be done before a caller can be identified."""

    key: str
    """Calls that want the same work share it."""
    work: Callable[[], None]
    """Runs on a worker thread; what it brings is remembered for `identify` to find."""


@dataclass(frozen=True, slots=True)
class Identification:
    """How the caller of an operation is known that takes no signature: by what the request itself proves.

    Each function gets the decoded request.
    """

    account: Callable[[Mapping[str, Any], ReadUnit], AccountId | None]
    """The account that is to hear of the call, whoever made it."""
    errand: Callable[[Mapping[str, Any], ReadUnit, Resources], Errand | None]
    identify: Callable[[Mapping[str, Any], ReadUnit, Resources, dt.datetime], Identified]


Targets = Callable[[Call, ReadUnit], Sequence[Target]]
Handler = Callable[[AuthorizedCall, Any], "Mapping[str, Any] | None"]
"""Second argument: the ReadUnit, or for Unit.WRITE the WriteUnit. Returns the response's members, absent
ones left out; None for operations without output."""

Prepare = Callable[[AuthorizedCall, ReadUnit], "Callable[[], Any] | None"]
"""Checks an authorized call as its handler will, and returns the slow work the handler would otherwise do
(making an RSA key pair); None when there is none. The work runs on a worker thread, outside of any unit: it
must not touch the store. Then the call is authenticated and authorized anew and handled, with the work's
result as `call.prepared`; the handler must not trust it to fit what is stored by then."""


Again = Callable[[dt.datetime], "Mapping[str, Any]"]
"""Answers a call once more, at the moment given. Whatever it raises sends the call the long way."""
Repeat = Callable[[AuthorizedCall, ReadUnit], "Again | None"]


@dataclass(frozen=True, slots=True)
class Operation:
    """Declares one operation. Without `targets` it does not load: authorization cannot be forgotten."""

    name: str
    action: str
    """IAM action, `service:Name`; empty for operations AWS never authorizes (GetCallerIdentity)."""
    unit: Unit
    targets: Targets
    handle: Handler
    prepare: Prepare | None = None
    """Only for work that would hold up the event loop or the writer for milliseconds."""
    patient: bool = False
    """True: the work mostly waits, for minutes perhaps (a function runs), and must not hold up others."""
    large: bool = False
    """True: its requests may be larger than SMALL_BODY_BYTES. Only with `prepare`, where they are decoded."""
    read_only: bool = True
    """The audit record's readOnly."""
    identification: Identification | None = None
    """None: the call has to be signed."""
    repeat: Repeat | None = None
    """For reads that come over and over. Given a call that was answered just now, returns what answers it
    again as long as nothing was committed since; None when the answer depends on more than the store and
    the request. Decisions are not taken again, so see `server/repeats` for what else must be the same."""
    deviations: tuple[str, ...] = ()
    """Where we knowingly differ from AWS or decided what AWS does not document: one sentence each; the
    compatibility page prints them."""
