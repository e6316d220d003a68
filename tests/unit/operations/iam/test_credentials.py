"""How secret access keys are kept, and whom a key stands for."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from strongroom.errors import IntegrityError
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import AccessKey
from strongroom.names import root_arn, user_arn
from strongroom.operations.iam.credentials import (
    make_access_key,
    open_secret_access_key,
    owned_access_keys,
    principal_of,
    seal_secret_access_key,
)
from strongroom.ports import ACCESS_KEYS, USERS
from strongroom.rootkey.held import HeldRootKey
from support.entropies import pattern
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT

CANARY = "CANARYwJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAM"


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def key_of(room: IdentityRoom, user_id: str | None, given: tuple[str, str] | None = None) -> AccessKey:
    new = make_access_key(room.root_key, room.entropy, NOON, ACCOUNT, user_id, given)
    room.unit.save(ACCESS_KEYS, new.record)
    return new.record


def test_a_sealed_secret_opens_with_its_record(room: IdentityRoom) -> None:
    key = key_of(room, None, ("AKIAIOSFODNN7EXAMPLE", CANARY))
    assert open_secret_access_key(room.root_key, key) == CANARY
    again = seal_secret_access_key(room.root_key, key.access_key_id, ACCOUNT, CANARY)
    assert again != key.sealed_secret


def test_a_sealed_secret_opens_for_no_other_key_account_or_root_key(room: IdentityRoom) -> None:
    key = key_of(room, None, ("AKIAIOSFODNN7EXAMPLE", CANARY))
    another = HeldRootKey(pattern("another root key", 32), room.entropy)
    altered = bytes([key.sealed_secret[-1] ^ 1])
    for root_key, record in (
        (another, key),
        (room.root_key, msgspec.structs.replace(key, access_key_id="AKIAIOSFODNN7EXAMPL3")),
        (room.root_key, msgspec.structs.replace(key, account_id=OTHER_ACCOUNT)),
        (room.root_key, msgspec.structs.replace(key, sealed_secret=key.sealed_secret[:-1] + altered)),
        (room.root_key, msgspec.structs.replace(key, sealed_secret=b"")),
    ):
        with pytest.raises(IntegrityError) as refused:
            open_secret_access_key(root_key, record)
        assert CANARY not in str(refused.value)


def test_a_secret_of_other_bytes_is_damage_that_shows_none_of_them(room: IdentityRoom) -> None:
    key = key_of(room, None)
    context = {"AccessKeyId": key.access_key_id, "AccountId": ACCOUNT}
    sealed = room.root_key.wrap("access-key", CANARY.encode() + b"\xff", context)
    with pytest.raises(IntegrityError) as refused:
        open_secret_access_key(room.root_key, msgspec.structs.replace(key, sealed_secret=sealed))
    assert str(refused.value) == "a secret access key is not ASCII"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_records_and_text_forms_hold_no_secret(room: IdentityRoom) -> None:
    new = make_access_key(
        room.root_key, room.entropy, NOON, ACCOUNT, None, given=("AKIAIOSFODNN7EXAMPLE", CANARY)
    )
    assert new.secret_access_key == CANARY
    for stored in (msgspec.msgpack.encode(new.record), msgspec.json.encode(new.record)):
        assert CANARY.encode() not in stored
        assert CANARY[:12].encode() not in stored
    for shown in (repr(new), str(new), repr(new.record), str(dataclasses.replace(new))):
        assert CANARY not in shown


def test_a_key_without_user_is_the_root_users(room: IdentityRoom) -> None:
    key = key_of(room, None)
    assert principal_of(room.unit, key) == Principal(
        PrincipalType.ROOT, ACCOUNT, root_arn(ACCOUNT), ACCOUNT, key.access_key_id
    )


def test_a_users_key_stands_for_the_user_as_it_is_now(room: IdentityRoom) -> None:
    bob = room.user("bob")
    key = key_of(room, bob.principal_id)
    assert principal_of(room.unit, key) == dataclasses.replace(bob, access_key_id=key.access_key_id)
    user = room.found("bob")
    arn = user_arn(ACCOUNT, "/ops/", "robert")
    room.unit.save(USERS, msgspec.structs.replace(user, user_name="robert", arn=arn, tags={"team": "red"}))
    now = principal_of(room.unit, key)
    assert now is not None
    assert (now.user_name, now.arn, now.tags, now.principal_id) == (
        "robert",
        arn,
        {"team": "red"},
        bob.principal_id,
    )


def test_a_key_stands_for_nobody_once_its_user_has_gone(room: IdentityRoom) -> None:
    bob = room.user("bob")
    key, user = key_of(room, bob.principal_id), room.found("bob")
    room.unit.delete(USERS, ACCOUNT, bob.principal_id)
    assert principal_of(room.unit, key) is None
    # A user of the same name does not inherit it.
    room.unit.save(USERS, msgspec.structs.replace(user, user_id="AIDAANOTHERONE0000000"))
    assert principal_of(room.unit, key) is None


def test_keys_are_listed_by_owner_and_by_id(room: IdentityRoom) -> None:
    bob, bobby = room.user("bob"), room.user("bobby")
    for owner in (bob.principal_id, bob.principal_id, bobby.principal_id, None):
        key_of(room, owner)
    own = owned_access_keys(room.unit, ACCOUNT, bob.principal_id)
    assert [key.user_id for key in own] == [bob.principal_id] * 2
    assert own == sorted(own, key=lambda key: key.access_key_id)
    after = owned_access_keys(room.unit, ACCOUNT, bob.principal_id, after=own[0].access_key_id)
    assert after == own[1:]
    assert owned_access_keys(room.unit, ACCOUNT, bob.principal_id, limit=1) == own[:1]
    assert [key.user_id for key in owned_access_keys(room.unit, ACCOUNT, None)] == [None]
    assert owned_access_keys(room.unit, OTHER_ACCOUNT, None) == []
