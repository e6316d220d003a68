"""One suite for every store: whatever holds the records, `ports.Store` holds.

Tests that take `store` run against the store in memory too, which is what tests of single operations use;
those that take `room` are about disks, processes and what a store remembers.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strongroom.errors import IntegrityError, ResourceExistsException, ServiceUnavailableException
from strongroom.function.records import CodePart
from strongroom.identity.records import AccessKey, Account, User
from strongroom.names import AccountId, Arn, Region, StagingLabel, VersionId
from strongroom.ports import (
    ACCESS_KEYS,
    ACCOUNTS,
    CODE_PARTS,
    SECRET_POLICIES,
    USERS,
    ReadUnit,
    Store,
    WriteUnit,
)
from strongroom.secret.ordering import SORT_KEYS, sort_position
from strongroom.secret.records import Secret, SecretPolicy, SecretVersion
from strongroom.store.memory import Limits
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from support.memory_unit import MemoryStore

ACCOUNT, REGION = AccountId("111122223333"), Region("eu-central-1")
NOW = dt.datetime(2026, 11, 20, 10, 30, 0, 123456, tzinfo=dt.UTC)
DAY = NOW.date()
SECOND, ONE_DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)


def a_secret(name: str = "db/main", **changes: Any) -> Secret:
    arn = Arn(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf")
    fields = {
        "arn": arn,
        "account_id": ACCOUNT,
        "region": REGION,
        "name": name,
        "created_at": NOW,
        "last_changed_at": NOW,
    }
    return Secret(**{**fields, **changes})


def a_version(secret: Secret, number: int = 1, **changes: Any) -> SecretVersion:
    fields = {
        "secret_arn": secret.arn,
        "version_id": VersionId(f"{number:032}"),
        "created_at": NOW + number * SECOND,
        "kms_key_arn": Arn("arn:aws:kms:eu-central-1:111122223333:key/k"),
        "envelope": b"sealed %d" % number,
    }
    return SecretVersion(**{**fields, **changes})


def a_policy(secret: Secret, name: str = "default", document: str = "{}") -> SecretPolicy:
    return SecretPolicy(secret_arn=secret.arn, policy_name=name, document=document)


def a_user(name: str, user_id: str | None = None) -> User:
    return User(
        user_id=user_id or f"AIDA{name.upper()}",
        user_name=name,
        path="/",
        arn=Arn(f"arn:aws:iam::{ACCOUNT}:user/{name}"),
        account_id=ACCOUNT,
        created_at=NOW,
        tags={"team": "a"},
        policies={"p": '{"Statement": []}'},
    )


def an_access_key(key_id: str, user_id: str | None) -> AccessKey:
    return AccessKey(
        access_key_id=key_id, account_id=ACCOUNT, created_at=NOW, sealed_secret=b"s", user_id=user_id
    )


def save_all(
    *records: Secret | SecretVersion | SecretPolicy | User | AccessKey,
) -> Callable[[WriteUnit], None]:
    def work(unit: WriteUnit) -> None:
        for record in records:
            match record:
                case Secret():
                    unit.save_secret(record)
                case SecretVersion():
                    unit.save_version(record)
                case SecretPolicy():
                    unit.save(SECRET_POLICIES, record)
                case User():
                    unit.save(USERS, record)
                case AccessKey():
                    unit.save(ACCESS_KEYS, record)

    return work


def write(store: Store, *records: Secret | SecretVersion | SecretPolicy | User | AccessKey) -> None:
    store.write(save_all(*records)).result()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "room"
    with Room.create(path):
        yield path


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    opened = SqliteStore.open(request.getfixturevalue("room"))
    yield opened
    opened.close()


@pytest.fixture
def open_store(room: Path) -> Iterator[Callable[..., SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_another(**options: Any) -> SqliteStore:
        opened.append(SqliteStore.open(room, **options))
        return opened[-1]

    yield open_another
    for each in opened:
        each.close()


class TestRecords:
    def test_a_saved_record_is_found_by_key_and_by_alternate(self, store: Store) -> None:
        anna = a_user("Anna")
        write(store, anna)
        assert store.read(lambda unit: unit.find(USERS, ACCOUNT, anna.user_id)) == anna
        assert store.read(lambda unit: unit.find_alternate(USERS, ACCOUNT, "anna")) == anna

    def test_what_is_not_there_is_none(self, store: Store) -> None:
        write(store, a_user("anna"))
        assert store.read(lambda unit: unit.find(USERS, ACCOUNT, "AIDANOBODY")) is None
        assert store.read(lambda unit: unit.find(USERS, "999999999999", "AIDAANNA")) is None
        assert store.read(lambda unit: unit.find_alternate(USERS, ACCOUNT, "nobody")) is None
        assert store.read(lambda unit: unit.find(ACCOUNTS, "", ACCOUNT)) is None

    def test_save_replaces_and_frees_the_old_alternate(self, store: Store) -> None:
        write(store, a_user("anna", "AIDA1"))
        write(store, a_user("bert", "AIDA1"))
        assert store.read(lambda unit: unit.find_alternate(USERS, ACCOUNT, "anna")) is None
        found = store.read(lambda unit: unit.find_alternate(USERS, ACCOUNT, "bert"))
        assert found is not None
        assert found.user_id == "AIDA1"
        write(store, a_user("anna", "AIDA2"))
        found = store.read(lambda unit: unit.find_alternate(USERS, ACCOUNT, "anna"))
        assert found is not None
        assert found.user_id == "AIDA2"

    def test_an_alternate_of_another_record_is_refused_and_nothing_changes(self, store: Store) -> None:
        anna = a_user("anna", "AIDA1")
        write(store, anna)
        with pytest.raises(IntegrityError):
            write(store, a_user("bert", "AIDA3"), a_user("ANNA", "AIDA2"))
        assert store.read(lambda unit: unit.scan(USERS, ACCOUNT)) == [anna]

    def test_a_work_may_go_on_after_a_refused_save(self, store: Store) -> None:
        write(store, a_user("anna", "AIDA1"))

        def work(unit: WriteUnit) -> None:
            with pytest.raises(IntegrityError):
                unit.save(USERS, a_user("anna", "AIDA2"))
            unit.save(USERS, a_user("bert", "AIDA2"))

        store.write(work).result()
        users = store.read(lambda unit: unit.scan(USERS, ACCOUNT))
        assert [user.user_id for user in users] == ["AIDA1", "AIDA2"]

    def test_delete_removes_and_an_absent_record_is_no_error(self, store: Store) -> None:
        write(store, a_user("anna"))
        store.write(lambda unit: unit.delete(USERS, ACCOUNT, "AIDAANNA")).result()
        store.write(lambda unit: unit.delete(USERS, ACCOUNT, "AIDAANNA")).result()
        assert store.read(lambda unit: unit.find(USERS, ACCOUNT, "AIDAANNA")) is None
        assert store.read(lambda unit: unit.scan(USERS, ACCOUNT)) == []

    def test_scan_is_ordered_by_alternate_and_bounded(self, store: Store) -> None:
        write(store, *(a_user(name) for name in ("carl", "anna", "dora", "bert")))

        def names(**bounds: Any) -> list[str]:
            return [u.user_name for u in store.read(lambda unit: unit.scan(USERS, ACCOUNT, **bounds))]

        assert names() == ["anna", "bert", "carl", "dora"]
        assert names(limit=2) == ["anna", "bert"]
        assert names(after="bert") == ["carl", "dora"]
        assert names(after="bert", limit=1) == ["carl"]
        assert names(limit=0) == []

    def test_scan_by_prefix_sees_that_prefix_only(self, store: Store) -> None:
        keys = [an_access_key(f"AKIA{n}", user) for n, user in enumerate(["u", "u", "uu", None, "U"])]
        write(store, *keys)

        def ids(prefix: str, **bounds: Any) -> list[str]:
            work = store.read(lambda unit: unit.scan(ACCESS_KEYS, "", prefix=prefix, **bounds))
            return [key.access_key_id for key in work]

        assert ids(f"{ACCOUNT}/u/") == ["AKIA0", "AKIA1"]
        assert ids(f"{ACCOUNT}/root/") == ["AKIA3"]
        assert ids(f"{ACCOUNT}/u/", after=f"{ACCOUNT}/u/AKIA0") == ["AKIA1"]
        assert ids(f"{ACCOUNT}/u/", limit=1) == ["AKIA0"]
        assert ids(f"{ACCOUNT}/x") == []
        assert len(ids(ACCOUNT)) == 5

    def test_a_scan_result_is_the_callers_own(self, store: Store) -> None:
        write(store, a_user("anna"))
        for _ in range(2):
            found = store.read(lambda unit: unit.scan(USERS, ACCOUNT))
            assert len(found) == 1
            found.clear()


class TestSecrets:
    def test_a_saved_secret_is_found_by_arn_and_by_name(self, store: Store) -> None:
        secret = a_secret(
            labels={StagingLabel("AWSCURRENT"): VersionId("v" * 32)},
            tags={"a": "b"},
            deletion_at=NOW + ONE_DAY,
            last_accessed_on=DAY,
        )
        write(store, secret)
        assert store.read(lambda unit: unit.secret(secret.arn)) == secret
        assert store.read(lambda unit: unit.secret_named(ACCOUNT, REGION, secret.name)) == secret
        assert store.read(lambda unit: unit.secret_named(ACCOUNT, "us-east-1", secret.name)) is None
        assert store.read(lambda unit: unit.secret_named(ACCOUNT, REGION, "DB/MAIN")) is None
        assert store.read(lambda unit: unit.secret(secret.arn[:-1])) is None

    def test_a_name_taken_by_another_arn_is_refused_and_nothing_changes(self, store: Store) -> None:
        first = a_secret()
        write(store, first)
        with pytest.raises(IntegrityError):
            write(
                store, a_secret("other"), msgspec.structs.replace(first, arn=Arn(first.arn[:-6] + "ZZZZZZ"))
            )
        assert store.read(lambda unit: list(unit.secrets(ACCOUNT, REGION))) == [first]

    def test_a_name_is_free_again_after_deletion(self, store: Store) -> None:
        first = a_secret()
        write(store, first)
        assert store.read(lambda unit: unit.secret_named(ACCOUNT, REGION, first.name)) == first
        second = msgspec.structs.replace(first, arn=Arn(first.arn[:-6] + "ZZZZZZ"))

        def work(unit: WriteUnit) -> None:
            unit.delete_secret(first.arn)
            assert unit.secret_named(ACCOUNT, REGION, first.name) is None
            unit.save_secret(second)

        store.write(work).result()
        assert store.read(lambda unit: unit.secret_named(ACCOUNT, REGION, first.name)) == second
        assert store.read(lambda unit: unit.secret(first.arn)) is None

    def test_delete_secret_takes_its_versions_and_policies_and_no_others(self, store: Store) -> None:
        gone, kept = a_secret("gone"), a_secret("kept")
        for secret in (gone, kept):
            write(store, secret, a_version(secret, 1), a_version(secret, 2))
            write(store, a_policy(secret), a_policy(secret, "more"))

        def everything(unit: ReadUnit, secret: Secret) -> tuple[Any, ...]:
            return (
                unit.secret(secret.arn),
                unit.version(secret.arn, f"{1:032}"),
                unit.versions(secret.arn),
                unit.scan(SECRET_POLICIES, secret.arn),
                unit.find(SECRET_POLICIES, secret.arn, "default"),
            )

        before = store.read(lambda unit: everything(unit, kept))
        assert store.read(lambda unit: everything(unit, gone))[0] == gone
        store.write(lambda unit: unit.delete_secret(gone.arn)).result()
        assert store.read(lambda unit: everything(unit, gone)) == (None, None, [], [], None)
        assert store.read(lambda unit: everything(unit, kept)) == before

    def test_versions_come_oldest_first_and_are_replaced_by_id(self, store: Store) -> None:
        secret = a_secret()
        versions = [a_version(secret, number) for number in (3, 1, 2)]
        write(store, secret, *versions)
        sealed_again = msgspec.structs.replace(versions[0], envelope=b"under another key")
        write(store, sealed_again)
        assert store.read(lambda unit: list(unit.versions(secret.arn))) == [
            versions[1],
            versions[2],
            sealed_again,
        ]
        assert store.read(lambda unit: unit.version(secret.arn, f"{3:032}")) == sealed_again
        store.write(lambda unit: unit.delete_version(secret.arn, f"{1:032}")).result()
        assert store.read(lambda unit: unit.version(secret.arn, f"{1:032}")) is None
        assert store.read(lambda unit: unit.secret(secret.arn)) == secret

    def test_a_version_id_may_hold_any_character(self, store: Store) -> None:
        secret = a_secret()
        odd = a_version(secret, version_id=VersionId("line\nbreak / 'quote' é \N{SNAKE} " + "x" * 20))
        write(store, secret, odd)
        assert store.read(lambda unit: unit.version(secret.arn, odd.version_id)) == odd
        store.write(lambda unit: unit.delete_version(secret.arn, odd.version_id)).result()
        assert store.read(lambda unit: unit.version(secret.arn, odd.version_id)) is None

    def test_due_secrets_are_those_whose_time_has_come(self, store: Store) -> None:
        due, past = a_secret("due", deletion_at=NOW), a_secret("past", deletion_at=NOW - ONE_DAY)
        write(store, a_secret("alive"), a_secret("later", deletion_at=NOW + SECOND), due, past)
        found = store.read(lambda unit: unit.secrets_due_for_deletion(NOW, 10))
        assert sorted(found, key=lambda secret: secret.name) == [due, past]
        assert len(store.read(lambda unit: unit.secrets_due_for_deletion(NOW, 1))) == 1
        assert not store.read(lambda unit: unit.secrets_due_for_deletion(NOW - 2 * ONE_DAY, 10))

    def test_a_restored_secret_is_not_due(self, store: Store) -> None:
        write(store, a_secret(deletion_at=NOW))
        write(store, a_secret())
        assert not store.read(lambda unit: unit.secrets_due_for_deletion(NOW, 10))

    def test_all_secrets_can_be_walked_through_in_pages(self, store: Store) -> None:
        elsewhere, other = Region("us-east-1"), AccountId("9" * 12)
        arn = Arn(f"arn:aws:secretsmanager:{elsewhere}:{other}:secret:a-AbCdEf")
        far = a_secret("a", arn=arn, account_id=other, region=elsewhere)
        write(store, far, a_secret("marked", deletion_at=NOW), a_secret("b"), a_secret("a"))

        def page(after: str, limit: int) -> list[Secret]:
            return store.read(lambda unit: list(unit.secrets_after(after, limit)))

        seen = page("", 3)
        assert [each.name for each in seen] == ["a", "b", "marked"]
        assert page(seen[-1].arn, 3) == [far]
        assert page(far.arn, 3) == []

    def test_crowded_secrets_are_those_with_too_many_versions(self, store: Store) -> None:
        secrets = [a_secret(name) for name in ("a", "b", "c")]
        write(store, *secrets)
        for secret, count in zip(secrets, (3, 2, 3), strict=True):
            write(store, *(a_version(secret, number) for number in range(count)))
        a, _, c = (secret.arn for secret in secrets)
        assert store.read(lambda unit: list(unit.crowded_secrets(2, "", 10))) == [a, c]
        assert store.read(lambda unit: list(unit.crowded_secrets(2, "", 1))) == [a]
        assert store.read(lambda unit: list(unit.crowded_secrets(2, a, 10))) == [c]


def listed_secrets() -> list[Secret]:
    """Secrets with ties in every sort key but the name."""
    chance = random.Random(7)
    return [
        a_secret(
            f"{chance.choice('aAzZ_é')}{number}",
            created_at=NOW + chance.randrange(3) * SECOND,
            last_changed_at=NOW + chance.randrange(3) * SECOND,
            last_accessed_on=chance.choice([None, DAY, DAY - ONE_DAY]),
            deletion_at=chance.choice([None, NOW]),
        )
        for number in range(24)
    ]


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("sort_by", SORT_KEYS)
class TestListing:
    def test_order_is_that_of_sort_position(self, store: Store, sort_by: str, descending: bool) -> None:
        secrets = listed_secrets()
        elsewhere = [
            a_secret("x", arn=Arn("arn:elsewhere"), region=Region("us-east-1")),
            a_secret("x", arn=Arn("arn:foreign"), account_id=AccountId("999999999999")),
        ]
        write(store, *secrets, *elsewhere)
        found = store.read(
            lambda unit: list(unit.secrets(ACCOUNT, REGION, sort_by=sort_by, descending=descending))
        )
        assert found == sorted(secrets, key=lambda s: sort_position(s, sort_by), reverse=descending)

    def test_the_walk_goes_on_behind_any_position(self, store: Store, sort_by: str, descending: bool) -> None:
        secrets = listed_secrets()
        write(store, *secrets)
        order = sorted(secrets, key=lambda s: sort_position(s, sort_by), reverse=descending)
        for at, secret in enumerate(order):
            after = sort_position(secret, sort_by)
            found = store.read(
                lambda unit, after=after: list(
                    unit.secrets(ACCOUNT, REGION, sort_by=sort_by, descending=descending, after=after)
                )
            )
            assert found == order[at + 1 :]

    def test_the_walk_goes_on_where_a_secret_has_gone(
        self, store: Store, sort_by: str, descending: bool
    ) -> None:
        secrets = listed_secrets()
        write(store, *secrets)
        order = sorted(secrets, key=lambda s: sort_position(s, sort_by), reverse=descending)
        gone = order[9]
        store.write(lambda unit: unit.delete_secret(gone.arn)).result()
        found = store.read(
            lambda unit: list(
                unit.secrets(
                    ACCOUNT,
                    REGION,
                    sort_by=sort_by,
                    descending=descending,
                    after=sort_position(gone, sort_by),
                )
            )
        )
        assert found == order[10:]


def test_a_long_listing_is_whole(store: Store) -> None:
    secrets = [a_secret(f"s{number:04}") for number in range(450)]
    write(store, *secrets)
    for sort_by in SORT_KEYS:
        found = store.read(lambda unit, key=sort_by: list(unit.secrets(ACCOUNT, REGION, sort_by=key)))
        assert found == secrets


def test_an_unknown_sort_key_is_an_error(store: Store) -> None:
    write(store, a_secret())
    with pytest.raises(ValueError, match="not a sort key: arn"):
        store.read(lambda unit: list(unit.secrets(ACCOUNT, REGION, sort_by="arn")))


class TestWrites:
    def test_write_returns_what_the_work_returns(self, store: Store) -> None:
        assert store.write(lambda _: 42).result() == 42

    def test_a_work_sees_its_own_writes(self, store: Store) -> None:
        secret = a_secret()
        write(store, secret, a_policy(secret))

        def work(unit: WriteUnit) -> None:
            assert unit.secret(secret.arn) == secret
            changed = msgspec.structs.replace(secret, description="new")
            unit.save_secret(changed)
            assert unit.secret(secret.arn) == changed
            assert unit.secret_named(ACCOUNT, REGION, secret.name) == changed
            assert list(unit.secrets(ACCOUNT, REGION)) == [changed]
            unit.save_version(a_version(secret))
            assert unit.version(secret.arn, f"{1:032}") == a_version(secret)
            assert [p.document for p in unit.scan(SECRET_POLICIES, secret.arn)] == ["{}"]
            unit.save(SECRET_POLICIES, a_policy(secret, document="[]"))
            assert [p.document for p in unit.scan(SECRET_POLICIES, secret.arn)] == ["[]"]
            unit.delete(SECRET_POLICIES, secret.arn, "default")
            assert unit.scan(SECRET_POLICIES, secret.arn) == []

        store.write(work).result()

    def test_what_a_work_raises_undoes_all_of_it_and_nothing_else(self, store: Store) -> None:
        secret, other = a_secret(), a_secret("other")
        write(store, secret, a_version(secret), a_policy(secret), a_user("anna"))
        assert store.read(lambda unit: unit.secret(secret.arn)) == secret

        def refuse(unit: WriteUnit) -> None:
            unit.save_secret(msgspec.structs.replace(secret, description="changed"))
            assert unit.secret(secret.arn) != secret
            unit.save(USERS, a_user("bert"))
            unit.delete_secret(secret.arn)
            unit.record(b"{}")
            raise ResourceExistsException("no")

        outcomes = [store.write(refuse), store.write(save_all(other)), store.write(refuse)]
        for outcome in (outcomes[0], outcomes[2]):
            with pytest.raises(ResourceExistsException, match=r"^no$"):
                outcome.result()
        outcomes[1].result()

        def state(unit: ReadUnit) -> tuple[Any, ...]:
            return (
                unit.secret(secret.arn),
                unit.versions(secret.arn),
                unit.scan(SECRET_POLICIES, secret.arn),
                unit.scan(USERS, ACCOUNT),
                unit.secret(other.arn),
            )

        expected = (secret, [a_version(secret)], [a_policy(secret)], [a_user("anna")], other)
        assert store.read(state) == expected
        # The same through the writer's own eyes.
        assert store.write(state).result() == expected
        assert store.pending_events(0, 10) == []

    def test_events_are_kept_in_order(self, store: Store) -> None:
        for number in range(3):
            store.write(lambda unit, n=number: unit.record(b"event %d" % n)).result()
        assert store.pending_events(0, 10) == [(1, b"event 0"), (2, b"event 1"), (3, b"event 2")]
        assert store.pending_events(1, 1) == [(2, b"event 1")]
        store.drop_events(3)
        assert store.pending_events(0, 10) == []


class TestTogether:
    """Writes of several callers share a transaction."""

    def test_a_refused_event_leaves_no_gap(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()

        def refuse(unit: WriteUnit) -> None:
            unit.record(b"never")
            raise ResourceExistsException("no")

        def keep(unit: WriteUnit) -> None:
            unit.record(b"kept")
            unit.record(b"kept")

        futures = [store.write(work) for work in (keep, refuse) * 40]
        assert sum(future.exception() is None for future in futures) == 40
        assert [seq for seq, _ in store.pending_events(0, 1000)] == list(range(1, 81))
        # Also after all were exported: a number is never given twice.
        store.drop_events(80)
        store.write(keep).result()
        assert [seq for seq, _ in store.pending_events(0, 1000)] == [81, 82]

    def test_writers_of_many_threads_lose_nothing(self, open_store: Callable[..., SqliteStore]) -> None:
        stores = [open_store(), open_store()]
        secret = a_secret(description="0")
        write(stores[0], secret)

        def count(unit: WriteUnit) -> None:
            found = unit.secret(secret.arn)
            assert found is not None
            assert found.description is not None
            unit.save_secret(msgspec.structs.replace(found, description=str(int(found.description) + 1)))

        def run(store: SqliteStore) -> None:
            for _ in range(25):
                store.write(count).result()

        threads = [threading.Thread(target=run, args=(store,)) for store in stores * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for store in stores:
            found = store.read(lambda unit: unit.secret(secret.arn))
            assert found is not None
            assert found.description == "200"

    def test_a_cancelled_write_is_not_run(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()
        entered, go = threading.Event(), threading.Event()

        def hold(_: WriteUnit) -> None:
            entered.set()
            go.wait(5)

        held = store.write(hold)
        assert entered.wait(5)
        cancelled = store.write(save_all(a_secret()))
        assert cancelled.cancel()
        go.set()
        held.result()
        with pytest.raises(CancelledError):
            cancelled.result()
        assert store.read(lambda unit: unit.secret(a_secret().arn)) is None


class TestMemory:
    """What a store remembers is never older than what was acknowledged."""

    def look(self, unit: ReadUnit) -> tuple[Any, ...]:
        secret = a_secret()
        return (
            unit.secret(secret.arn),
            unit.secret_named(ACCOUNT, REGION, secret.name),
            unit.version(secret.arn, f"{1:032}"),
            unit.find(USERS, ACCOUNT, "AIDAANNA"),
            unit.find_alternate(USERS, ACCOUNT, "anna"),
            unit.find(SECRET_POLICIES, secret.arn, "default"),
            *unit.scan(SECRET_POLICIES, secret.arn),
        )

    def test_an_unchanged_record_is_the_same_object(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()
        secret = a_secret()
        write(store, secret, a_version(secret), a_policy(secret), a_user("anna"))
        first = store.read(self.look)
        assert None not in first
        # Changes of others leave it alone, and so does the feed of them.
        write(store, a_secret("other"), a_user("bert"))
        store.write(lambda unit: unit.record(b"{}")).result()
        again = store.read(self.look)
        assert all(one is other for one, other in zip(first, again, strict=True))
        by_writer = store.write(self.look).result()
        write(store, a_secret("third"))
        assert all(
            one is other for one, other in zip(by_writer, store.write(self.look).result(), strict=True)
        )

    def test_a_scan_hands_out_the_objects_that_are_known(
        self, open_store: Callable[..., SqliteStore]
    ) -> None:
        store = open_store()
        write(store, a_user("anna"), a_user("bert"))
        anna = store.read(lambda unit: unit.find(USERS, ACCOUNT, "AIDAANNA"))
        assert store.read(lambda unit: unit.scan(USERS, ACCOUNT))[0] is anna
        write(store, a_user("bert", "AIDABERT"))
        assert store.read(lambda unit: unit.scan(USERS, ACCOUNT))[0] is anna

    @pytest.mark.parametrize("own", [True, False], ids=["own write", "write of another store"])
    def test_the_next_read_sees_a_write(self, open_store: Callable[..., SqliteStore], own: bool) -> None:
        store = open_store()
        other = store if own else open_store()
        secret = a_secret()
        write(other, secret, a_version(secret), a_policy(secret), a_user("anna"))
        before = store.read(self.look)
        assert None not in before
        write(
            other,
            msgspec.structs.replace(secret, description="new"),
            a_version(secret, envelope=b"new"),
            a_policy(secret, document="[]"),
            msgspec.structs.replace(a_user("anna"), tags={}),
        )
        after = store.read(self.look)
        assert all(new is not None and new != old for new, old in zip(after, before, strict=True))
        assert store.write(self.look).result() == after
        other.write(lambda unit: unit.delete_secret(secret.arn)).result()
        other.write(lambda unit: unit.delete(USERS, ACCOUNT, "AIDAANNA")).result()
        assert store.read(self.look) == (None,) * 6
        write(other, secret, a_policy(secret))
        assert store.read(self.look)[-1] == a_policy(secret)

    def test_a_new_record_joins_a_remembered_scan(self, open_store: Callable[..., SqliteStore]) -> None:
        store, other = open_store(), open_store()
        secret = a_secret()
        assert store.read(lambda unit: unit.scan(SECRET_POLICIES, secret.arn)) == []
        write(other, a_policy(secret))
        assert store.read(lambda unit: unit.scan(SECRET_POLICIES, secret.arn)) == [a_policy(secret)]

    def test_more_changes_than_the_feed_is_read_for(self, open_store: Callable[..., SqliteStore]) -> None:
        store, other = open_store(), open_store()
        write(other, a_user("anna"))
        assert store.read(lambda unit: unit.find(USERS, ACCOUNT, "AIDAANNA")) == a_user("anna")

        def many(unit: WriteUnit) -> None:
            unit.delete(USERS, ACCOUNT, "AIDAANNA")
            for number in range(11_000):
                unit.delete(USERS, ACCOUNT, f"AIDA{number}")

        other.write(many).result()
        assert store.read(lambda unit: unit.find(USERS, ACCOUNT, "AIDAANNA")) is None

    def test_limits_bound_what_is_remembered_and_not_what_is_found(
        self, open_store: Callable[..., SqliteStore]
    ) -> None:
        store = open_store(limits=Limits(entries=4, envelope_bytes=2000))
        secrets = [a_secret(f"s{number}") for number in range(20)]
        versions = [a_version(secret, envelope=bytes(600)) for secret in secrets]
        write(store, *secrets, *versions)
        for _ in range(2):
            for secret, version in zip(secrets, versions, strict=True):
                found = store.read(
                    lambda unit, name=secret.name, arn=secret.arn: (
                        unit.secret_named(ACCOUNT, REGION, name),
                        unit.version(arn, f"{1:032}"),
                    )
                )
                assert found == (secret, version)

    def test_records_too_large_to_be_remembered_are_read_again(
        self, open_store: Callable[..., SqliteStore]
    ) -> None:
        store = open_store()
        parts = [CodePart(code_id="c", number=number, sealed=bytes(9)) for number in range(3)]

        def fill(unit: WriteUnit) -> None:
            for part in parts:
                unit.save(CODE_PARTS, part)

        store.write(fill).result()
        for look in (
            lambda unit: unit.find(CODE_PARTS, "c", "000001"),
            lambda unit: unit.find_alternate(CODE_PARTS, "c", "000001"),
            lambda unit: unit.scan(CODE_PARTS, "c")[1],
        ):
            first, second = store.read(look), store.read(look)
            assert first == second == parts[1]
            assert first is not second

    def test_a_write_by_another_process_is_seen(
        self, open_store: Callable[..., SqliteStore], room: Path
    ) -> None:
        store = open_store()
        write(store, a_user("anna"))
        assert store.read(lambda unit: unit.find(USERS, ACCOUNT, "AIDAANNA")) == a_user("anna")
        run_script(
            room,
            "store.write(lambda unit: unit.delete(USERS, '111122223333', 'AIDAANNA')).result()\nstore.close()",
        )
        assert store.read(lambda unit: unit.find(USERS, ACCOUNT, "AIDAANNA")) is None


class TestOneView:
    def test_a_read_never_sees_half_a_write(self, open_store: Callable[..., SqliteStore]) -> None:
        reading, writing = open_store(limits=Limits(entries=8)), open_store()
        left, right = a_secret("left", description="0"), a_secret("right", description="0")
        write(writing, left, right)
        stop = threading.Event()

        def keep_writing() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                write(
                    writing,
                    msgspec.structs.replace(left, description=str(number)),
                    msgspec.structs.replace(right, description=str(number)),
                )

        def both(unit: ReadUnit) -> tuple[str | None, str | None]:
            one = unit.secret(left.arn)
            # Misses memory, so that the database is asked in the middle of the unit.
            unit.secret("arn:absent")
            other = unit.secret(right.arn)
            assert one is not None
            assert other is not None
            return one.description, other.description

        thread = threading.Thread(target=keep_writing)
        thread.start()
        seen = set()
        try:
            until = time.monotonic() + 0.7
            while time.monotonic() < until:
                one, other = reading.read(both)
                assert one == other
                seen.add(one)
        finally:
            stop.set()
            thread.join()
        assert len(seen) > 10

    def test_a_write_in_the_middle_runs_the_work_again(self, open_store: Callable[..., SqliteStore]) -> None:
        store, other = open_store(), open_store()
        left, right = a_secret("left"), a_secret("right")
        write(other, left, right)
        assert store.read(lambda unit: unit.secret(left.arn)) == left
        runs = []

        def work(unit: ReadUnit) -> tuple[Secret | None, Secret | None]:
            one = unit.secret(left.arn)
            runs.append(one)
            if len(runs) == 1:
                write(
                    other,
                    msgspec.structs.replace(left, description="new"),
                    msgspec.structs.replace(right, description="new"),
                )
            return one, unit.secret(right.arn)

        one, two = store.read(work)
        assert len(runs) == 2
        assert one is not None
        assert two is not None
        assert (one.description, two.description) == ("new", "new")

    def test_a_snapshot_stays_while_others_write(self, open_store: Callable[..., SqliteStore]) -> None:
        store, other = open_store(), open_store()
        secret = a_secret()
        write(other, secret)
        runs = []

        def work(unit: ReadUnit) -> list[Secret | None]:
            runs.append(1)
            before = unit.secret(secret.arn)
            other.write(lambda unit: unit.delete_secret(secret.arn)).result()
            return [before, *unit.secrets(ACCOUNT, REGION)]

        assert store.read(work) == [secret, secret]
        assert len(runs) == 1
        assert store.read(lambda unit: unit.secret(secret.arn)) is None

    def test_a_read_that_raises_ends_its_view(self, open_store: Callable[..., SqliteStore]) -> None:
        store, other = open_store(), open_store()

        def work(unit: ReadUnit) -> None:
            unit.secret("arn:absent")
            raise ResourceExistsException("no")

        with pytest.raises(ResourceExistsException):
            store.read(work)
        write(other, a_secret())
        assert store.read(lambda unit: unit.secret(a_secret().arn)) == a_secret()

    def test_an_iterator_does_not_outlive_its_unit(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()
        write(store, a_secret())
        walk = store.read(lambda unit: unit.secrets(ACCOUNT, REGION))
        with pytest.raises(RuntimeError, match="after its unit had ended"):
            next(walk)

    def test_a_read_inside_a_read_is_refused(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()
        with pytest.raises(RuntimeError, match="inside a read"):
            store.read(lambda _: store.read(lambda _: None))
        assert store.read(lambda _: 1) == 1


class TestTouch:
    def accessed(self, store: Store) -> tuple[dt.date | None, dt.date | None]:
        secret = a_secret()

        def work(unit: ReadUnit) -> tuple[dt.date | None, dt.date | None]:
            found, version = unit.secret(secret.arn), unit.version(secret.arn, f"{1:032}")
            assert found is not None
            assert version is not None
            return found.last_accessed_on, version.last_accessed_on

        return store.read(work)

    def test_a_touch_is_on_disk_within_a_second(self, open_store: Callable[..., SqliteStore]) -> None:
        store, other = open_store(), open_store()
        secret = a_secret()
        write(store, secret, a_version(secret), a_version(secret, 2))
        assert self.accessed(other) == (None, None)
        store.touch(secret.arn, VersionId(f"{1:032}"), DAY)
        until = time.monotonic() + 5
        while self.accessed(other) == (None, None) and time.monotonic() < until:
            time.sleep(0.02)
        assert self.accessed(other) == (DAY, DAY)
        assert [v.last_accessed_on for v in other.read(lambda unit: unit.versions(secret.arn))] == [DAY, None]
        found = other.read(lambda unit: list(unit.secrets(ACCOUNT, REGION, sort_by="last-accessed-date")))
        assert [s.last_accessed_on for s in found] == [DAY]

    def test_close_loses_no_touch(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()
        secret = a_secret()
        write(store, secret, a_version(secret))
        for _ in range(3):
            store.touch(secret.arn, VersionId(f"{1:032}"), DAY)
        store.close()
        assert self.accessed(open_store()) == (DAY, DAY)

    def test_an_older_day_does_not_go_back(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()
        secret = a_secret(last_accessed_on=DAY)
        write(store, secret, a_version(secret))
        store.touch(secret.arn, VersionId(f"{1:032}"), DAY - ONE_DAY)
        store.close()
        assert self.accessed(open_store()) == (DAY, DAY - ONE_DAY)

    def test_a_touch_and_a_change_of_the_same_secret_both_stay(
        self, open_store: Callable[..., SqliteStore]
    ) -> None:
        store, other = open_store(), open_store()
        secret = a_secret()
        write(store, secret, a_version(secret))
        store.touch(secret.arn, VersionId(f"{1:032}"), DAY)
        write(other, msgspec.structs.replace(secret, description="new"))
        store.close()
        assert self.accessed(other) == (DAY, DAY)
        found = other.read(lambda unit: unit.secret(secret.arn))
        assert found is not None
        assert found.description == "new"

    def test_a_touch_of_what_is_gone_is_forgotten(self, open_store: Callable[..., SqliteStore]) -> None:
        store = open_store()
        store.touch(Arn("arn:gone"), VersionId("v" * 32), DAY)
        store.close()
        assert open_store().read(lambda unit: unit.secret("arn:gone")) is None


class TestClosing:
    def test_what_was_submitted_is_done_and_later_writes_are_refused(
        self, open_store: Callable[..., SqliteStore]
    ) -> None:
        store = open_store()
        futures = [store.write(save_all(a_secret(f"s{number}"))) for number in range(300)]
        store.close()
        assert all(future.done() and future.exception() is None for future in futures)
        with pytest.raises(
            ServiceUnavailableException, match=r"The server is stopping; nothing was changed\."
        ):
            store.write(save_all(a_secret("late"))).result()
        with pytest.raises(ServiceUnavailableException, match="The server is stopping"):
            store.read(lambda unit: unit.secret("arn:absent"))
        store.close()
        found = open_store().read(lambda unit: list(unit.secrets(ACCOUNT, REGION)))
        assert len(found) == 300


class TestBadDisk:
    def test_a_write_the_disk_refuses_changes_nothing_and_later_ones_work(
        self, open_store: Callable[..., SqliteStore], room: Path
    ) -> None:
        store = open_store()
        secret = a_secret()
        write(store, secret)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        full = (room / "room.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, hard))
        try:
            futures = [store.write(save_all(a_version(secret, n, envelope=bytes(65536)))) for n in range(5)]
            errors = [future.exception(10) for future in futures]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for error in errors:
            assert isinstance(error, ServiceUnavailableException)
            assert "nothing was changed" in error.message
            assert str(room) not in error.message
            assert error.__cause__ is not None
        assert store.read(lambda unit: unit.versions(secret.arn)) == []
        write(store, a_version(secret))
        assert store.read(lambda unit: unit.versions(secret.arn)) == [a_version(secret)]

    def test_flipped_bytes_never_come_back_as_records(self, room: Path, tmp_path: Path) -> None:
        secrets = {s.arn: s for s in (a_secret(f"s{n}", description=f"text {n}" * 8) for n in range(30))}
        policies = {s.arn: a_policy(s, document='{"Effect": "Deny"}') for s in secrets.values()}
        versions = {s.arn: a_version(s, envelope=bytes(300)) for s in secrets.values()}
        store = SqliteStore.open(room)
        write(store, *secrets.values(), *policies.values(), *versions.values())
        store.close()
        content = (room / "room.db").read_bytes()
        damaged_room = tmp_path / "damaged"
        shutil.copytree(room, damaged_room)
        chance, told = random.Random(3), 0
        for _ in range(120):
            damaged = bytearray(content)
            damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            (damaged_room / "room.db").write_bytes(damaged)
            told += self.read_all(damaged_room, secrets, policies, versions)
        assert told > 30

    def read_all(self, room: Path, secrets: Any, policies: Any, versions: Any) -> int:
        """Return how many reads were told of the damage; nothing but what was saved may be read."""
        told = 0

        def attempt(store: SqliteStore, work: Callable[[ReadUnit], Any]) -> Any:
            nonlocal told
            try:
                return store.read(work)
            except IntegrityError:
                told += 1
                return None

        try:
            store = SqliteStore.open(room)
        except IntegrityError:
            return 1
        try:
            for arn, secret in secrets.items():
                found = attempt(store, lambda unit, arn=arn: unit.secret(arn))
                named = attempt(
                    store, lambda unit, name=secret.name: unit.secret_named(ACCOUNT, REGION, name)
                )
                version = attempt(store, lambda unit, arn=arn: unit.version(arn, f"{1:032}"))
                scanned = attempt(store, lambda unit, arn=arn: unit.scan(SECRET_POLICIES, arn))
                for each, saved in ((found, secret), (named, secret), (version, versions[arn])):
                    # The day of the last access stands outside the checksum (docs/spec/data-dir.md).
                    assert each is None or msgspec.structs.replace(each, last_accessed_on=None) == saved
                assert scanned in (None, [], [policies[arn]])
            for listed in attempt(store, lambda unit: list(unit.secrets(ACCOUNT, REGION))) or ():
                assert msgspec.structs.replace(listed, last_accessed_on=None) == secrets[listed.arn]
        finally:
            store.close()
        return told

    def test_a_file_that_is_no_database_is_damage(self, room: Path) -> None:
        (room / "room.db").write_bytes(b"not a database, but long enough to have a header" * 100)
        with pytest.raises(IntegrityError, match=r"The database file is damaged\."):
            SqliteStore.open(room)


SCRIPT = """
import datetime as dt, sys
from pathlib import Path
from strongroom.ports import *
from strongroom.secret.records import *
from strongroom.store.sqlite import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]))
"""

ENDLESS_WRITER = """
start = int(sys.argv[2])
now = dt.datetime.now(dt.UTC)
def put(number):
    arn = f"arn:{number}"
    def work(unit):
        unit.save_secret(Secret(arn=arn, account_id="1", region="r", name=str(number), created_at=now,
            last_changed_at=now, labels={"AWSCURRENT": "v"}))
        unit.save_version(SecretVersion(secret_arn=arn, version_id="v", created_at=now, kms_key_arn="k",
            envelope=bytes(2000)))
        unit.record(b"%d" % number)
    return work
while True:
    futures = [(n, store.write(put(n))) for n in range(start, start + 7)]
    start += 7
    for number, future in futures:
        future.result()
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def run_script(room: Path, text: str) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT + text, str(room)], check=True, timeout=30)


class TestKilled:
    def test_every_acknowledged_write_is_there(self, room: Path) -> None:
        acknowledged: set[int] = set()
        for number in range(10):
            process = subprocess.Popen(
                [sys.executable, "-c", SCRIPT + ENDLESS_WRITER, str(room), str(number * 100_000)],
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            try:
                for _ in range(5 + 6 * number):
                    acknowledged.add(int(process.stdout.readline()))
                os.kill(process.pid, signal.SIGKILL)
                # What it had said before it died counts too.
                acknowledged |= {
                    int(line) for line in process.stdout.read().splitlines(True) if b"\n" in line
                }
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
        store = SqliteStore.open(room)
        try:
            found = store.read(lambda unit: list(unit.secrets("1", "r")))
            numbers = {int(secret.name) for secret in found}
            assert acknowledged <= numbers
            versions = store.read(lambda unit: {s.arn for s in found if unit.version(s.arn, "v")})
            assert versions == {secret.arn for secret in found}
            events = store.pending_events(0, 1_000_000)
            assert {int(event) for _, event in events} == numbers
            assert [seq for seq, _ in events] == list(range(1, len(numbers) + 1))
        finally:
            store.close()


def test_accounts_need_no_scope(store: Store) -> None:
    account = Account(account_id=ACCOUNT, created_at=NOW)
    store.write(lambda unit: unit.save(ACCOUNTS, account)).result()
    assert store.read(lambda unit: unit.find(ACCOUNTS, "", ACCOUNT)) == account
