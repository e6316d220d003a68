"""What one reader remembers of the database, so that unchanged records are neither read nor decoded again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from strongroom.secret.records import Secret, SecretVersion

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SECRET = "secret"
VERSION = "version"
"""Kinds in the change feed that are not the name of a `ports.Kind`."""

Change = tuple[str, str]
"""(kind, key) as the `changes` table names what was saved or deleted."""

_SMALL_SCAN = 64


def record_key(scope: str, key: str) -> str:
    """Return how the change feed names a record. Scopes (accounts, regions, ARNs) hold no line break."""
    return f"{scope}\n{key}"


class Remembered(Generic[K, V]):
    """A bounded mapping that forgets what was not asked for lately. No value is None.

    Two generations: when the young one has half of what fits, it becomes the old one and the previous old
    one is forgotten, except for what was asked for since.
    """

    __slots__ = ("_entries", "_load", "_old", "_weigh", "_weight", "_young")

    def __init__(self, entries: int, weight: int, weigh: Callable[[V], int]) -> None:
        self._entries = max(entries // 2, 1)
        self._weight = max(weight // 2, 1)
        self._weigh = weigh
        self._load = 0
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        found = self._young.get(key)
        if found is None and self._old:
            found = self._old.pop(key, None)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        self.forget(key)
        weight = self._weigh(value)
        if self._load + weight > self._weight or len(self._young) >= self._entries:
            if weight > self._weight:
                return
            self._old, self._young, self._load = self._young, {}, 0
        self._young[key] = value
        self._load += weight

    def forget(self, key: K) -> V | None:
        """Return what was remembered, if anything; it is no more."""
        found = self._young.pop(key, None)
        if found is None:
            return self._old.pop(key, None)
        self._load -= self._weigh(found)
        return found

    def clear(self) -> None:
        self._young = {}
        self._old = {}
        self._load = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one reader may remember: entries of each sort, and bytes of sealed values."""

    entries: int = 20_000
    envelope_bytes: int = 24 * 1024 * 1024


class Memory:
    """Records by what they are found by. What it holds is true as of one state of the database.

    INVARIANT: an unchanged record is always the same object, as callers keep compiled things by identity.
    """

    __slots__ = ("alternates", "names", "records", "scans", "secrets", "versions")

    def __init__(self, limits: Limits) -> None:
        entries = limits.entries
        self.records: Remembered[tuple[str, str, str], Any] = Remembered(entries, entries, _one)
        self.alternates: Remembered[tuple[str, str, str], str] = Remembered(entries, entries, _one)
        """(kind, scope, alternate) to key: a hint, of use only while `records` has the record."""
        self.scans: Remembered[tuple[str, str], tuple[Any, ...]] = Remembered(entries, entries, _one)
        """(kind, scope) to all its records, in the order of their alternates."""
        self.secrets: Remembered[str, Secret] = Remembered(entries, entries, _one)
        self.names: Remembered[tuple[str, str, str], str] = Remembered(entries, entries, _one)
        """(account, region, name) to ARN: a hint, of use only while `secrets` has the secret."""
        self.versions: Remembered[tuple[str, str], SecretVersion] = Remembered(
            entries, limits.envelope_bytes, _envelope_size
        )

    def put_secret(self, secret: Secret) -> None:
        self.secrets.put(secret.arn, secret)
        self.names.put((secret.account_id, secret.region, secret.name), secret.arn)

    def put_scan(self, kind: str, scope: str, records: tuple[Any, ...]) -> None:
        if len(records) <= _SMALL_SCAN:
            self.scans.put((kind, scope), records)

    def forget(self, changes: Iterable[Change]) -> None:
        """Forget exactly what `changes` names, and every scan it stands in."""
        for kind, key in changes:
            if kind == SECRET:
                self.secrets.forget(key)
                continue
            scope, _, rest = key.partition("\n")
            if kind == VERSION:
                self.versions.forget((scope, rest))
            else:
                self.records.forget((kind, scope, rest))
                self.scans.forget((kind, scope))

    def clear(self) -> None:
        for remembered in (
            self.records, self.alternates, self.scans, self.secrets, self.names, self.versions
        ):  # fmt: skip
            remembered.clear()


def _one(_: object) -> int:
    return 1


def _envelope_size(version: SecretVersion) -> int:
    return len(version.envelope) + 512
