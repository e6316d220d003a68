"""What the inside needs from the outside world: Protocols only. Adapters live in store/, trail/, rootkey/."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from strongroom.audit.digest import DigestChain, LogPositions
from strongroom.audit.lookup import EventAttribute
from strongroom.audit.signer import TrailSigner
from strongroom.audit.trails import TrailSettings
from strongroom.function.records import (
    CodePart,
    Function,
    FunctionAlias,
    FunctionPolicy,
    FunctionVersion,
    Layer,
    LayerVersion,
    StoredCode,
)
from strongroom.identity.records import (
    AccessKey,
    Account,
    Group,
    LoginProfile,
    ManagedPolicy,
    OidcProvider,
    Role,
    User,
)
from strongroom.keys.records import Alias, Grant, KeyDuty, KmsKey, RetirableGrant, RootKeyCheck
from strongroom.names import AccountId, Arn, Region, VersionId
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial
from strongroom.secret.records import Secret, SecretPolicy, SecretVersion
from strongroom.secret.runs import RotationDuty, RotationRecord
from strongroom.secret.sweeps import RotationSweep

R = TypeVar("R")
T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Return the present time, aware UTC."""
        ...


class Entropy(Protocol):
    def token_bytes(self, size: int) -> bytes:
        """Return `size` bytes from the operating system's secure source."""
        ...

    def below(self, bound: int) -> int:
        """Return an unbiased integer in [0, bound)."""
        ...


class RootKey(Protocol):
    """The key everything else hangs from. Its bytes never leave the implementation."""

    def wrap(self, purpose: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """Return `plaintext` sealed under a subkey for `purpose`, bound to `context`."""
        ...

    def unwrap(self, purpose: str, sealed: bytes, context: Mapping[str, str]) -> bytes:
        """Return what `wrap` was given. Raises IntegrityError when key, purpose, bytes or context differ."""
        ...


class IssuerKeys(Protocol):
    """The keys of identity providers, as they publish them. Threads share it."""

    def keys(self, url: str, key_id: str | None) -> str | None:
        """Return the provider's JSON Web Key Set as it is remembered; None: `fetch` it first.

        `url` is the provider's host and path; `key_id` the key that is wanted: a set without it is given out
        only if it was fetched a moment ago.
        """
        ...

    def fetch(self, url: str) -> None:
        """Ask the provider for its keys and remember them; blocks for some seconds at most.

        Raises:
            IDPCommunicationErrorException: it did not answer, or not as it has to.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kind(Generic[R]):
    """A collection of small records in the store.

    A record is found by (scope, key), or by (scope, alternate): both are unique. `scope` is what the
    record belongs to (an account, an account and region, or "" for the whole room).
    """

    name: str
    record_type: type[R]
    scope: Callable[[R], str]
    key: Callable[[R], str]
    alternate: Callable[[R], str]
    remembered: bool = True
    """False for records too large to be kept in memory between reads."""


def account_region(account_id: str, region: str) -> str:
    """Return the scope of what belongs to one region of one account."""
    return f"{account_id}/{region}"


ACCOUNTS: Kind[Account] = Kind(
    "account", Account, lambda _: "", lambda r: r.account_id, lambda r: r.account_id
)
USERS: Kind[User] = Kind(
    "user", User, lambda r: r.account_id, lambda r: r.user_id, lambda r: r.user_name.lower()
)
GROUPS: Kind[Group] = Kind(
    "group", Group, lambda r: r.account_id, lambda r: r.group_id, lambda r: r.group_name.lower()
)
ROLES: Kind[Role] = Kind(
    "role", Role, lambda r: r.account_id, lambda r: r.role_id, lambda r: r.role_name.lower()
)
MANAGED_POLICIES: Kind[ManagedPolicy] = Kind(
    "managed_policy", ManagedPolicy, lambda r: r.account_id, lambda r: r.arn, lambda r: r.policy_name.lower()
)
OIDC_PROVIDERS: Kind[OidcProvider] = Kind(
    "oidc_provider", OidcProvider, lambda r: r.account_id, lambda r: r.arn, lambda r: r.url
)
LOGIN_PROFILES: Kind[LoginProfile] = Kind(
    "login_profile", LoginProfile, lambda r: r.account_id, lambda r: r.user_id, lambda r: r.user_id
)
ACCESS_KEYS: Kind[AccessKey] = Kind(
    "access_key",
    AccessKey,
    lambda _: "",
    lambda r: r.access_key_id,
    # Scanning the prefix "<account>/<user id or root>/" lists one user's keys.
    lambda r: f"{r.account_id}/{r.user_id or 'root'}/{r.access_key_id}",
)
KMS_KEYS: Kind[KmsKey] = Kind(
    "kms_key",
    KmsKey,
    lambda r: account_region(r.account_id, r.region),
    lambda r: r.key_id,
    lambda r: r.key_id,
)
ALIASES: Kind[Alias] = Kind(
    "alias",
    Alias,
    lambda r: account_region(r.arn.split(":")[4], r.arn.split(":")[3]),
    lambda r: r.alias_name,
    # Scanning the prefix "<key id>/" lists one key's aliases.
    lambda r: f"{r.key_id}/{r.alias_name}",
)
GRANTS: Kind[Grant] = Kind(
    "grant",
    Grant,
    lambda r: r.key_arn,
    lambda r: r.grant_id,
    # Scanning the prefix "<grantee>/" lists one grantee's grants.
    lambda r: f"{r.grantee}/{r.grant_id}",
)
RETIRABLE_GRANTS: Kind[RetirableGrant] = Kind(
    "retirable_grant",
    RetirableGrant,
    lambda r: account_region(r.account_id, r.region),
    lambda r: r.grant_id,
    lambda r: f"{r.retiring}/{r.grant_id}",
)
KEY_DUTIES: Kind[KeyDuty] = Kind(
    "key_duty",
    KeyDuty,
    lambda _: "",
    lambda r: r.key_arn,
    # In the order in which they are due.
    lambda r: f"{r.due_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}/{r.key_arn}",
)
ROOT_KEY_CHECKS: Kind[RootKeyCheck] = Kind(
    "root_key_check", RootKeyCheck, lambda _: "", lambda _: "root", lambda _: "root"
)
SECRET_POLICIES: Kind[SecretPolicy] = Kind(
    "secret_policy",
    SecretPolicy,
    lambda r: r.secret_arn,
    lambda r: r.policy_name,
    lambda r: r.policy_name,
)
TRAIL_SIGNERS: Kind[TrailSigner] = Kind(
    "trail_signer", TrailSigner, lambda _: "", lambda _: "trail", lambda _: "trail"
)

ROTATION_DUTIES: Kind[RotationDuty] = Kind(
    "rotation_duty",
    RotationDuty,
    lambda _: "",
    lambda r: r.secret_arn,
    # In the order in which they are due.
    lambda r: f"{r.due_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}/{r.secret_arn}",
)
ROTATION_HISTORY: Kind[RotationRecord] = Kind(
    "rotation_history",
    RotationRecord,
    lambda r: r.secret_arn,
    lambda r: f"{r.ended_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}/{r.version_id}",
    lambda r: f"{r.ended_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}/{r.version_id}",
)

ROTATION_SWEEPS: Kind[RotationSweep] = Kind(
    "rotation_sweep", RotationSweep, lambda _: "", lambda _: "sweep", lambda _: "sweep"
)

FUNCTIONS: Kind[Function] = Kind(
    "function",
    Function,
    lambda r: account_region(r.account_id, r.region),
    lambda r: r.name,
    lambda r: r.name,
)
FUNCTION_VERSIONS: Kind[FunctionVersion] = Kind(
    "function_version",
    FunctionVersion,
    lambda r: r.function_arn,
    lambda r: r.version,
    # $LATEST first, then by number.
    lambda r: f"{int(r.version) if r.version.isdecimal() else 0:012}",
)
FUNCTION_ALIASES: Kind[FunctionAlias] = Kind(
    "function_alias", FunctionAlias, lambda r: r.function_arn, lambda r: r.name, lambda r: r.name
)
FUNCTION_POLICIES: Kind[FunctionPolicy] = Kind(
    "function_policy", FunctionPolicy, lambda r: r.function_arn, lambda r: r.qualifier, lambda r: r.qualifier
)
LAYERS: Kind[Layer] = Kind(
    "layer", Layer, lambda r: account_region(r.account_id, r.region), lambda r: r.name, lambda r: r.name
)
LAYER_VERSIONS: Kind[LayerVersion] = Kind(
    "layer_version",
    LayerVersion,
    lambda r: r.layer_arn,
    lambda r: str(r.version),
    lambda r: f"{r.version:012}",
)
STORED_CODE: Kind[StoredCode] = Kind(
    "stored_code", StoredCode, lambda _: "", lambda r: r.code_id, lambda r: r.code_id
)
CODE_PARTS: Kind[CodePart] = Kind(
    "code_part",
    CodePart,
    lambda r: r.code_id,
    lambda r: f"{r.number:06}",
    lambda r: f"{r.number:06}",
    remembered=False,
)

DIGEST_CHAINS: Kind[DigestChain] = Kind(
    "digest_chain",
    DigestChain,
    lambda _: "",
    lambda r: f"{r.account_id}/{r.region}",
    lambda r: f"{r.account_id}/{r.region}",
)
LOG_POSITIONS: Kind[LogPositions] = Kind(
    "log_positions", LogPositions, lambda _: "", lambda _: "logs", lambda _: "logs"
)
TRAILS: Kind[TrailSettings] = Kind(
    "trail",
    TrailSettings,
    lambda r: r.account_id,
    lambda r: f"{r.home_region}/{r.name}",
    lambda r: f"{r.home_region}/{r.name}",
)


class ReadUnit(Protocol):
    """One call's view of the store. What it returns is at least as new as every write that was
    acknowledged, by any process of the node, before the unit was opened (DESIGN promise 3)."""

    @property
    def mark(self) -> int | None:
        """Equal marks of two units of one thread and type: nothing was committed between the two. None says
        nothing."""
        ...

    def find(self, kind: Kind[R], scope: str, key: str) -> R | None: ...

    def find_alternate(self, kind: Kind[R], scope: str, alternate: str) -> R | None: ...

    def scan(
        self, kind: Kind[R], scope: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> list[R]:
        """Return records whose *alternate* starts with `prefix` and is greater than `after`, in its order."""
        ...

    def secret(self, arn: str) -> Secret | None: ...

    def secret_named(self, account_id: str, region: str, name: str) -> Secret | None: ...

    def secrets(
        self,
        account_id: str,
        region: str,
        *,
        sort_by: str = "created-date",
        descending: bool = False,
        after: tuple[Any, ...] | None = None,
    ) -> Iterator[Secret]:
        """Yield an account and region's secrets, those marked for deletion included.

        `sort_by` is a ListSecrets SortBy value; ties are broken by ARN, so the order is total. `after` is
        `sort_position(secret, sort_by)` of the last secret already seen; the walk goes on behind it, also
        when that secret has gone since.
        """
        ...

    def version(self, secret_arn: str, version_id: str) -> SecretVersion | None: ...

    def versions(self, secret_arn: str) -> Sequence[SecretVersion]:
        """Return all stored versions, oldest first."""
        ...

    def secrets_due_for_deletion(self, now: dt.datetime, limit: int) -> Sequence[Secret]:
        """Return secrets, of all accounts, whose `deletion_at` is not after `now`."""
        ...

    def secrets_after(self, after: str, limit: int) -> Sequence[Secret]:
        """Return secrets, of all accounts and regions, with ARNs greater than `after`, ascending."""
        ...

    def crowded_secrets(self, more_than: int, after: str, limit: int) -> Sequence[Arn]:
        """Return ARNs, greater than `after` and ascending, of secrets with more than `more_than` stored
        versions. Looks at every version there is: not for calls."""
        ...


class WriteUnit(ReadUnit, Protocol):
    """A unit inside a write transaction: it sees its own and all earlier writes, and is all or nothing."""

    def save(self, kind: Kind[R], record: R) -> None:
        """Insert or replace by (scope, key)."""
        ...

    def delete(self, kind: Kind[R], scope: str, key: str) -> None: ...

    def save_secret(self, secret: Secret) -> None:
        """Insert or replace by ARN. (account, region, name) must stay unique, else IntegrityError."""
        ...

    def delete_secret(self, arn: str) -> None:
        """Remove the secret, its versions and its policies."""
        ...

    def save_version(self, version: SecretVersion) -> None:
        """Insert or replace by (secret ARN, version id)."""
        ...

    def delete_version(self, secret_arn: str, version_id: str) -> None: ...

    def record(self, event: bytes) -> None:
        """Keep one audit event (JSON, one line) in this transaction; the keeper exports it to the trail."""
        ...


class Store(Protocol):
    def read(self, work: Callable[[ReadUnit], T]) -> T:
        """Run `work` here and now on one consistent view of the store, and return what it returns.

        `work` may be run a second time when a write slipped in while it ran, so it must change nothing
        that outlives it but its result; it must not keep the unit, nor an iterator of it. May be called on
        any thread; nothing else of the process waits for it.
        """
        ...

    def write(self, work: Callable[[WriteUnit], T]) -> Future[T]:
        """Run `work` on the writer; the future is done when its effects are on disk (or it raised).

        Whatever `work` raises undoes its writes alone and comes back through the future. `work` may be
        run together with others' work in one transaction; it must not block or call `write` itself.
        """
        ...

    def touch(self, secret_arn: Arn, version_id: VersionId, day: dt.date) -> None:
        """Note that a version was read on `day`. Returns at once; on disk within a second, and not lost by
        a graceful stop. Repeats for the same day cost nothing."""
        ...

    def pending_events(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return recorded events with sequence numbers above `after`, ascending and without gaps."""
        ...

    def drop_events(self, up_to: int) -> None:
        """Remove exported events up to and including that sequence number."""
        ...

    def close(self) -> None: ...


class Trail(Protocol):
    """One process's own segment of the audit trail."""

    def append(self, event: bytes) -> None:
        """Write one event (JSON, one line) to the segment; it has left this process when this returns.

        Raises ServiceUnavailableException when it cannot be written: no answer may leave then.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some records that were found, newest first."""

    events: Sequence[bytes]
    position: tuple[int, ...] | None
    """To go on behind the last of them; None: there are no more."""


class EventIndex(Protocol):
    """Finds records of the trail. Threads share it."""

    def lookup(
        self,
        account_id: str,
        region: str,
        *,
        attribute: tuple[EventAttribute, str] | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        after: tuple[int, ...] | None = None,
        limit: int = 50,
    ) -> EventPage:
        """Return records that one account received of one region, from `start` to `end`, both included.

        `after` is the position of an earlier page of the same query: what has come since then neither
        repeats a record nor hides one. Blocks for some milliseconds.

        Raises:
            ServiceUnavailableException: the index cannot be read now.
        """
        ...


class Rotator(Protocol):
    """Rotates the credentials of one kind of target. Threads share it; it keeps nothing between calls.

    Every method may be called again for the same version id after a crash at any instant of it, and then
    comes to the same end. All raise RotationFault for whatever stands in the way, and nothing else on
    purpose. None returns later than `material.attempt_seconds`, more or less.
    """

    @property
    def engines(self) -> frozenset[str]:
        """The values of the secret's `engine` that it serves."""
        ...

    @property
    def strategies(self) -> frozenset[Strategy]: ...

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        """Return the document that is to be the pending version: a new password, or key, or also user name.

        Connects to nothing. With alternating users it names the other user.
        """
        ...

    def set(self, material: RotationMaterial) -> None:
        """The target takes the pending credential. What it takes already is left alone.

        Before it changes anything it makes sure that the credential it acts with is the right one: user and
        host of the pending version are those of the current one (or, alternating, its counterpart's).
        """
        ...

    def test(self, material: RotationMaterial) -> None:
        """The pending credential has logged in for real, and could do something harmless."""
        ...

    def finish(self, material: RotationMaterial) -> None:
        """Do what may be done only when applications get the new version (usually nothing)."""
        ...

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        """Return what a rotation would meet, in the order it would; changes nothing. Raises nothing."""
        ...


class Rotators(Protocol):
    """The rotators there are."""

    def find(self, engine: str) -> Rotator | None: ...

    def named(self, function_name: str) -> tuple[Rotator, Strategy] | None:
        """Return what stands in for one of AWS's rotation templates, by the template's name."""
        ...

    def engines(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True, repr=False)
class Invocation:
    """One run of a function. Prints nothing: it holds credentials, and its environment may."""

    function_arn: str
    """As it was invoked: with the alias or version, if one was named."""
    request_id: str
    runtime: str
    handler: str
    """`module.function`, as Lambda has it."""
    code_sha256: str
    """Base64 of the SHA-256 of the zip file; code is unpacked once for each."""
    load_code: Callable[[], bytes]
    """Returns the zip file; called only when it is not unpacked yet."""
    environment: Mapping[str, str]
    event: bytes
    timeout_seconds: int
    memory_mb: int
    credentials: tuple[str, str, str]
    """Access key id, secret access key and session token of the execution role."""
    region: str
    endpoint_url: str
    """Where this server answers, as seen from the function."""
    layers: tuple[tuple[str, Callable[[], bytes]], ...] = ()
    """(sha256, load) of zip files that are unpacked beside the code, in order."""
    version: str = "$LATEST"
    """The one that is run."""


@dataclass(frozen=True, slots=True, repr=False)
class InvocationResult:
    """How a run ended."""

    payload: bytes
    """What the handler returned, as JSON; or {errorMessage, errorType, stackTrace}."""
    function_error: str | None
    """None, `Handled` or `Unhandled` (fact sheet rotation section 9)."""
    log: bytes
    """The end of what it printed, redacted; at most 4 KB."""


class FunctionRunner(Protocol):
    """Runs functions, sandboxed. Threads share it."""

    def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run it to its end, or for `timeout_seconds`; blocks. A failure of the function is a result.

        Raises:
            RotationFault: (FUNCTION) it could not be started at all.
        """
        ...

    def expect(self, *, spare: bool) -> None:
        """A call is to be expected, and is served sooner for it; returns at once.

        `spare`: memory is taken for it, and kept as long as this is repeated.
        """
        ...

    def close(self) -> None:
        """No function runs any more."""
        ...


__all__ = [
    "ACCESS_KEYS",
    "ACCOUNTS",
    "ALIASES",
    "CODE_PARTS",
    "DIGEST_CHAINS",
    "FUNCTIONS",
    "FUNCTION_ALIASES",
    "FUNCTION_POLICIES",
    "FUNCTION_VERSIONS",
    "GRANTS",
    "GROUPS",
    "KEY_DUTIES",
    "KMS_KEYS",
    "LAYERS",
    "LAYER_VERSIONS",
    "LOGIN_PROFILES",
    "LOG_POSITIONS",
    "MANAGED_POLICIES",
    "OIDC_PROVIDERS",
    "RETIRABLE_GRANTS",
    "ROLES",
    "ROOT_KEY_CHECKS",
    "ROTATION_DUTIES",
    "ROTATION_HISTORY",
    "SECRET_POLICIES",
    "STORED_CODE",
    "TRAIL_SIGNERS",
    "USERS",
    "AccountId",
    "Clock",
    "Entropy",
    "FunctionRunner",
    "Invocation",
    "InvocationResult",
    "IssuerKeys",
    "Kind",
    "ReadUnit",
    "Region",
    "RootKey",
    "Rotator",
    "Rotators",
    "Store",
    "Trail",
    "WriteUnit",
    "account_region",
]
