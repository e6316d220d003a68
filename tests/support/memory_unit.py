"""The store in memory: `ports.Store` and `ports.WriteUnit` over dictionaries, for tests of single operations.

`MemoryStore.write` undoes everything when the work raises, as the real store does, so a test of a refusal
can assert what is unchanged.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from strongroom.errors import IntegrityError
from strongroom.names import Arn, VersionId
from strongroom.ports import SECRET_POLICIES, Kind
from strongroom.secret.ordering import sort_position
from strongroom.secret.records import Secret, SecretVersion

R = TypeVar("R")
T = TypeVar("T")


class MemoryUnit:
    """A read and write unit; `records`, `secret_rows` and `version_rows` are open to assertions."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str, str], Any] = {}
        self.secret_rows: dict[str, Secret] = {}
        self.version_rows: dict[tuple[str, str], SecretVersion] = {}
        self.events: list[bytes] = []

    @property
    def mark(self) -> int | None:
        return None

    def find(self, kind: Kind[R], scope: str, key: str) -> R | None:
        return self.records.get((kind.name, scope, key))

    def find_alternate(self, kind: Kind[R], scope: str, alternate: str) -> R | None:
        return next((r for r in self._of(kind, scope) if kind.alternate(r) == alternate), None)

    def scan(
        self, kind: Kind[R], scope: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> list[R]:
        found = [
            r
            for r in self._of(kind, scope)
            if kind.alternate(r).startswith(prefix) and kind.alternate(r) > after
        ]
        return sorted(found, key=kind.alternate)[:limit]

    def secret(self, arn: str) -> Secret | None:
        return self.secret_rows.get(arn)

    def secret_named(self, account_id: str, region: str, name: str) -> Secret | None:
        wanted = (account_id, region, name)
        return next((s for s in self.secret_rows.values() if _name_of(s) == wanted), None)

    def secrets(
        self,
        account_id: str,
        region: str,
        *,
        sort_by: str = "created-date",
        descending: bool = False,
        after: tuple[Any, ...] | None = None,
    ) -> Iterator[Secret]:
        own = [s for s in self.secret_rows.values() if (s.account_id, s.region) == (account_id, region)]
        for secret in sorted(own, key=lambda s: sort_position(s, sort_by), reverse=descending):
            position = sort_position(secret, sort_by)
            if after is None or (position < after if descending else position > after):
                yield secret

    def version(self, secret_arn: str, version_id: str) -> SecretVersion | None:
        return self.version_rows.get((secret_arn, version_id))

    def versions(self, secret_arn: str) -> Sequence[SecretVersion]:
        found = (v for (arn, _), v in self.version_rows.items() if arn == secret_arn)
        return sorted(found, key=lambda v: v.created_at)

    def secrets_due_for_deletion(self, now: dt.datetime, limit: int) -> Sequence[Secret]:
        due = [s for s in self.secret_rows.values() if s.deletion_at is not None and s.deletion_at <= now]
        return due[:limit]

    def secrets_after(self, after: str, limit: int) -> Sequence[Secret]:
        return [self.secret_rows[arn] for arn in sorted(self.secret_rows) if arn > after][:limit]

    def crowded_secrets(self, more_than: int, after: str, limit: int) -> Sequence[Arn]:
        arns = [arn for arn, _ in self.version_rows]
        return [Arn(arn) for arn in sorted(set(arns)) if arns.count(arn) > more_than and arn > after][:limit]

    def save(self, kind: Kind[R], record: R) -> None:
        clash = self.find_alternate(kind, kind.scope(record), kind.alternate(record))
        if clash is not None and kind.key(clash) != kind.key(record):
            raise IntegrityError(f"{kind.name} {kind.alternate(record)} is there already")
        self.records[kind.name, kind.scope(record), kind.key(record)] = record

    def delete(self, kind: Kind[R], scope: str, key: str) -> None:
        self.records.pop((kind.name, scope, key), None)

    def save_secret(self, secret: Secret) -> None:
        other = self.secret_named(secret.account_id, secret.region, secret.name)
        if other is not None and other.arn != secret.arn:
            raise IntegrityError(f"secret {secret.name} is there already")
        self.secret_rows[secret.arn] = secret

    def delete_secret(self, arn: str) -> None:
        self.secret_rows.pop(arn, None)
        for version in self.versions(arn):
            self.delete_version(arn, version.version_id)
        for policy in self.scan(SECRET_POLICIES, arn):
            self.delete(SECRET_POLICIES, arn, policy.policy_name)

    def save_version(self, version: SecretVersion) -> None:
        self.version_rows[version.secret_arn, version.version_id] = version

    def delete_version(self, secret_arn: str, version_id: str) -> None:
        self.version_rows.pop((secret_arn, version_id), None)

    def record(self, event: bytes) -> None:
        self.events.append(event)

    def state(self) -> tuple[Any, ...]:
        """Return a copy of everything stored: compare before and after to show that nothing changed."""
        return dict(self.records), dict(self.secret_rows), dict(self.version_rows), list(self.events)

    def restore(self, state: tuple[Any, ...]) -> None:
        self.records, self.secret_rows, self.version_rows, self.events = (
            dict(state[0]),
            dict(state[1]),
            dict(state[2]),
            list(state[3]),
        )

    def _of(self, kind: Kind[R], scope: str) -> list[R]:
        return [
            r for (name, in_scope, _), r in self.records.items() if (name, in_scope) == (kind.name, scope)
        ]


class MemoryStore:
    """`ports.Store` around one MemoryUnit. Threads may share it: one works with it at a time."""

    def __init__(self) -> None:
        self.gate = threading.RLock()
        """For tests that use the unit itself while other threads are at work."""
        self.unit = MemoryUnit()
        self.touched: list[tuple[str, str, dt.date]] = []

    def read(self, work: Callable[[Any], T]) -> T:
        with self.gate:
            return work(self.unit)

    def write(self, work: Callable[[Any], T]) -> Future[T]:
        done: Future[T] = Future()
        with self.gate:
            before = self.unit.state()
            try:
                done.set_result(work(self.unit))
            except Exception as exc:
                self.unit.restore(before)
                done.set_exception(exc)
        return done

    def touch(self, secret_arn: Arn, version_id: VersionId, day: dt.date) -> None:
        self.touched.append((secret_arn, version_id, day))

    def pending_events(self, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        return list(enumerate(self.unit.events, 1))[after : after + limit]

    def drop_events(self, up_to: int) -> None:
        del self.unit.events[:up_to]

    def close(self) -> None: ...


def _name_of(secret: Secret) -> tuple[str, str, str]:
    return secret.account_id, secret.region, secret.name
