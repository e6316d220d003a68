"""The store as it would be with some records changed: nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from strongroom.names import Arn
from strongroom.ports import Kind, ReadUnit
from strongroom.secret.records import Secret, SecretVersion

__all__ = ["ChangedUnit"]

R = TypeVar("R")


class ChangedUnit(ReadUnit):
    """A unit that gives `records` in the place of those with the same scope and key."""

    def __init__(self, unit: ReadUnit, records: Mapping[Kind[Any], Any]) -> None:
        self._unit = unit
        self._records = {
            (kind.name, kind.scope(record), kind.key(record)): record for kind, record in records.items()
        }

    @property
    def mark(self) -> int | None:
        return None

    def find(self, kind: Kind[R], scope: str, key: str) -> R | None:
        found: R | None = self._records.get((kind.name, scope, key))
        return self._unit.find(kind, scope, key) if found is None else found

    def find_alternate(self, kind: Kind[R], scope: str, alternate: str) -> R | None:
        for changed in self._of(kind, scope):
            if kind.alternate(changed) == alternate:
                return changed
        return self._instead(kind, scope, self._unit.find_alternate(kind, scope, alternate))

    def scan(
        self, kind: Kind[R], scope: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> list[R]:
        changed = list(self._of(kind, scope))
        if not changed:
            return self._unit.scan(kind, scope, prefix=prefix, after=after, limit=limit)
        keys = {kind.key(each) for each in changed}
        found = [each for each in self._unit.scan(kind, scope) if kind.key(each) not in keys] + changed
        fitting = [
            each
            for each in sorted(found, key=kind.alternate)
            if kind.alternate(each).startswith(prefix) and kind.alternate(each) > after
        ]
        return fitting[:limit]

    def _of(self, kind: Kind[R], scope: str) -> Iterator[R]:
        for (name, in_scope, _), record in self._records.items():
            if (name, in_scope) == (kind.name, scope):
                yield record

    def _instead(self, kind: Kind[R], scope: str, found: R | None) -> R | None:
        if found is None:
            return None
        changed: R = self._records.get((kind.name, scope, kind.key(found)), found)
        return changed

    def secret(self, arn: str) -> Secret | None:
        return self._unit.secret(arn)

    def secret_named(self, account_id: str, region: str, name: str) -> Secret | None:
        return self._unit.secret_named(account_id, region, name)

    def secrets(
        self,
        account_id: str,
        region: str,
        *,
        sort_by: str = "created-date",
        descending: bool = False,
        after: tuple[Any, ...] | None = None,
    ) -> Iterator[Secret]:
        return self._unit.secrets(account_id, region, sort_by=sort_by, descending=descending, after=after)

    def version(self, secret_arn: str, version_id: str) -> SecretVersion | None:
        return self._unit.version(secret_arn, version_id)

    def versions(self, secret_arn: str) -> Sequence[SecretVersion]:
        return self._unit.versions(secret_arn)

    def secrets_due_for_deletion(self, now: Any, limit: int) -> Sequence[Secret]:
        return self._unit.secrets_due_for_deletion(now, limit)

    def secrets_after(self, after: str, limit: int) -> Sequence[Secret]:
        return self._unit.secrets_after(after, limit)

    def crowded_secrets(self, more_than: int, after: str, limit: int) -> Sequence[Arn]:
        return self._unit.crowded_secrets(more_than, after, limit)
