"""A room in memory for tests of single operations: records in dictionaries, seeded entropy, fixed times.

`Room.run` takes the way of the pipeline: targets, authorization, handler. Nothing is rolled back, so a test
of a refusal sees whatever a handler left behind.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec

from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Account, User
from strongroom.names import AccountId, Arn, Region, StagingLabel, VersionId, root_arn, user_arn
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Call, Operation, Resources
from strongroom.ports import ACCOUNTS, SECRET_POLICIES, USERS, Kind, WriteUnit
from strongroom.secret.ordering import sort_position
from strongroom.secret.records import Secret, SecretVersion

R = TypeVar("R")
T = TypeVar("T")

ACCOUNT = AccountId("111122223333")
OTHER_ACCOUNT = AccountId("444455556666")
REGION = Region("eu-central-1")
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
MILLISECOND = dt.timedelta(milliseconds=1)


class SeededEntropy:
    """Repeatable, and as unbiased as `random` is."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def token_bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)


class NoRootKey:
    """Nothing under test here seals or opens anything."""

    def wrap(self, purpose: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        raise AssertionError(f"sealed for {purpose}")

    def unwrap(self, purpose: str, sealed: bytes, context: Mapping[str, str]) -> bytes:
        raise AssertionError(f"opened for {purpose}")


class Room:
    """A store, its one unit, and who may call."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str, str], Any] = {}
        self.stored_secrets: dict[str, Secret] = {}
        self.stored_versions: dict[tuple[str, str], SecretVersion] = {}
        self.events: list[dict[str, Any]] = []
        self.entropy = SeededEntropy()
        for account in (ACCOUNT, OTHER_ACCOUNT):
            self.save(ACCOUNTS, Account(account_id=account, created_at=NOON))

    # ReadUnit

    @property
    def mark(self) -> int | None:
        return None

    def find(self, kind: Kind[R], scope: str, key: str) -> R | None:
        return self.records.get((kind.name, scope, key))

    def find_alternate(self, kind: Kind[R], scope: str, alternate: str) -> R | None:
        return next((each for each in self.scan(kind, scope) if kind.alternate(each) == alternate), None)

    def scan(
        self, kind: Kind[R], scope: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> list[R]:
        found = [
            r for (name, in_scope, _), r in self.records.items() if (name, in_scope) == (kind.name, scope)
        ]
        found = [r for r in found if kind.alternate(r).startswith(prefix) and kind.alternate(r) > after]
        return sorted(found, key=kind.alternate)[:limit]

    def secret(self, arn: str) -> Secret | None:
        return self.stored_secrets.get(arn)

    def secret_named(self, account_id: str, region: str, name: str) -> Secret | None:
        wanted = (account_id, region, name)
        return next(
            (s for s in self.stored_secrets.values() if (s.account_id, s.region, s.name) == wanted), None
        )

    def secrets(
        self,
        account_id: str,
        region: str,
        *,
        sort_by: str = "created-date",
        descending: bool = False,
        after: tuple[Any, ...] | None = None,
    ) -> Iterator[Secret]:
        own = [s for s in self.stored_secrets.values() if (s.account_id, s.region) == (account_id, region)]
        for secret in sorted(own, key=lambda s: sort_position(s, sort_by), reverse=descending):
            position = sort_position(secret, sort_by)
            if after is None or (position < after if descending else position > after):
                yield secret

    def version(self, secret_arn: str, version_id: str) -> SecretVersion | None:
        return self.stored_versions.get((secret_arn, version_id))

    def versions(self, secret_arn: str) -> Sequence[SecretVersion]:
        found = (v for (arn, _), v in self.stored_versions.items() if arn == secret_arn)
        return sorted(found, key=lambda v: v.created_at)

    def secrets_due_for_deletion(self, now: dt.datetime, limit: int) -> Sequence[Secret]:
        due = [s for s in self.stored_secrets.values() if s.deletion_at is not None and s.deletion_at <= now]
        return due[:limit]

    def secrets_after(self, after: str, limit: int) -> Sequence[Secret]:
        return [self.stored_secrets[arn] for arn in sorted(self.stored_secrets) if arn > after][:limit]

    def crowded_secrets(self, more_than: int, after: str, limit: int) -> Sequence[Arn]:
        arns = [arn for arn, _ in self.stored_versions]
        return [Arn(arn) for arn in sorted(set(arns)) if arns.count(arn) > more_than and arn > after][:limit]

    # WriteUnit

    def save(self, kind: Kind[R], record: R) -> None:
        self.records[kind.name, kind.scope(record), kind.key(record)] = record

    def delete(self, kind: Kind[R], scope: str, key: str) -> None:
        self.records.pop((kind.name, scope, key), None)

    def save_secret(self, secret: Secret) -> None:
        self.stored_secrets[secret.arn] = secret

    def delete_secret(self, arn: str) -> None:
        self.stored_secrets.pop(arn, None)
        for version in self.versions(arn):
            del self.stored_versions[arn, version.version_id]
        for policy in self.scan(SECRET_POLICIES, arn):
            self.delete(SECRET_POLICIES, arn, policy.policy_name)

    def save_version(self, version: SecretVersion) -> None:
        self.stored_versions[version.secret_arn, version.version_id] = version

    def delete_version(self, secret_arn: str, version_id: str) -> None:
        self.stored_versions.pop((secret_arn, version_id), None)

    def record(self, event: bytes) -> None:
        self.events.append(msgspec.json.decode(event))

    # Store

    def read(self, work: Callable[[Room], T]) -> T:
        return work(self)

    def write(self, work: Callable[[WriteUnit], T]) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(work(self))
        return done

    def touch(self, secret_arn: Arn, version_id: VersionId, day: dt.date) -> None:
        raise AssertionError(f"{secret_arn} was read")

    def pending_events(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        return ()

    def drop_events(self, up_to: int) -> None: ...

    def close(self) -> None: ...

    # For tests

    def add(self, name: str, *, suffix: str = "abcdef", versions: int = 1, **members: Any) -> Secret:
        """Store a secret with so many versions, the last of them AWSCURRENT, and return it."""
        account = members.pop("account_id", ACCOUNT)
        region = members.pop("region", REGION)
        arn = Arn(f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-{suffix}")
        ids = [VersionId(f"{name:0<31}{number}") for number in range(versions)]
        labels = {StagingLabel("AWSCURRENT"): ids[-1]} if ids else {}
        values = {
            "arn": arn,
            "account_id": account,
            "region": region,
            "name": name,
            "created_at": NOON,
            "last_changed_at": NOON,
            "labels": labels,
            **members,
        }
        secret = Secret(**values)
        self.save_secret(secret)
        for version_id in ids:
            self.save_version(
                SecretVersion(
                    secret_arn=arn,
                    version_id=version_id,
                    created_at=NOON,
                    kms_key_arn=Arn(f"arn:aws:kms:{region}:{account}:key/1"),
                    envelope=b"sealed",
                )
            )
        return secret

    def user(self, name: str, *statements: Mapping[str, Any], account_id: AccountId = ACCOUNT) -> Principal:
        """Store a user whose one inline policy has `statements`, and return it as a caller."""
        arn = user_arn(account_id, "/", name)
        user_id = f"AIDA{name.upper():0<16}"
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        self.save(
            USERS,
            User(
                user_id=user_id,
                user_name=name,
                path="/",
                arn=arn,
                account_id=account_id,
                created_at=NOON,
                policies={"inline": msgspec.json.encode(policy).decode()},
            ),
        )
        return Principal(PrincipalType.USER, account_id, arn, user_id, "AKIAUSER", user_name=name)

    def run(
        self,
        operation: Operation,
        request: Mapping[str, Any],
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: Region = REGION,
    ) -> Any:
        """Answer a decoded request as the pipeline does; the caller is the account's root unless said."""
        caller = principal or root()
        call = Call(
            service="secretsmanager",
            operation=operation.name,
            request=request,
            principal=caller,
            region=region,
            received_at=now,
            request_id="11111111-2222-3333-4444-555555555555",
            resources=Resources(store=self, root_key=NoRootKey(), entropy=self.entropy),
            context={
                "aws:PrincipalArn": caller.arn,
                "aws:PrincipalAccount": caller.account_id,
                "aws:PrincipalType": caller.type.value,
            },
        )
        return operation.handle(authorize(call, self, operation.targets(call, self)), self)


def root(account_id: AccountId = ACCOUNT) -> Principal:
    return Principal(PrincipalType.ROOT, account_id, root_arn(account_id), account_id, "AKIAROOT")
