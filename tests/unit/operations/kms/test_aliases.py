"""Aliases: names that lead to keys."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    AlreadyExistsException,
    InvalidAliasNameException,
    KMSInvalidStateException,
    LimitExceededException,
    NotFoundException,
    ServiceError,
    ValidationException,
)
from strongroom.operations.kms import aliases, keys
from support.key_pairs import a_key
from support.key_room import ACCOUNT, DAY, NOON, OTHER_ACCOUNT, KeyRoom, allow, root

ALIAS_ARN = "arn:aws:kms:eu-central-1:111122223333:alias/app"


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return new_key(room)


def new_key(room: KeyRoom, **members: Any) -> str:
    return str(room.run(keys.CREATE_KEY, members)["KeyMetadata"]["KeyId"])


def create(room: KeyRoom, key_id: str, name: str = "alias/app", **how: Any) -> None:
    assert room.run(aliases.CREATE_ALIAS, {"AliasName": name, "TargetKeyId": key_id}, **how) is None


@pytest.mark.parametrize("form", ["{id}", "arn:aws:kms:eu-central-1:111122223333:key/{id}"])
def test_an_alias_leads_to_its_key(room: KeyRoom, key_id: str, form: str) -> None:
    create(room, form.format(id=key_id))
    for name in ("alias/app", ALIAS_ARN):
        assert room.run(keys.DESCRIBE_KEY, {"KeyId": name})["KeyMetadata"]["KeyId"] == key_id
    assert room.key(key_id).alias_names == ("alias/app",)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        pytest.param(
            "app",
            ValidationException,
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
            id="no prefix",
        ),
        pytest.param(
            "alias/aws/app",
            InvalidAliasNameException,
            "Alias names that begin with alias/aws/ are reserved for AWS managed keys.",
            id="reserved",
        ),
        pytest.param(
            "alias/", InvalidAliasNameException, "The specified alias name is not valid.", id="empty"
        ),
        pytest.param(
            "alias/a:b", InvalidAliasNameException, "The specified alias name is not valid.", id="colon"
        ),
    ],
)
@pytest.mark.parametrize("operation", [aliases.CREATE_ALIAS, aliases.UPDATE_ALIAS, aliases.DELETE_ALIAS])
def test_names_customers_cannot_use(
    room: KeyRoom, key_id: str, operation: Any, name: str, error: type[ServiceError], message: str
) -> None:
    before = room.unit.state()
    with pytest.raises(error) as refused:
        room.run(operation, {"AliasName": name, "TargetKeyId": key_id})
    assert refused.value.message == message
    assert room.unit.state() == before


def test_an_alias_in_use_is_not_taken_over(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    other, before = new_key(room), room.alias("alias/app")
    for target in (key_id, other):
        with pytest.raises(AlreadyExistsException) as refused:
            create(room, target)
        assert refused.value.message == f"An alias with the name {ALIAS_ARN} already exists"
    assert room.alias("alias/app") == before
    assert room.key(other).alias_names == ()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("alias/other", "Invalid keyId 'alias/other'"),
        ("x", "Invalid keyId 'x'"),
        (
            "99999999-12ab-34cd-56ef-1234567890ab",
            "Key 'arn:aws:kms:eu-central-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab' "
            "does not exist",
        ),
    ],
)
def test_an_alias_needs_a_key(room: KeyRoom, target: str, message: str) -> None:
    with pytest.raises(NotFoundException) as refused:
        create(room, target)
    assert refused.value.message == message
    assert room.alias("alias/app") is None


def test_a_key_pending_deletion_gets_no_alias(room: KeyRoom, key_id: str) -> None:
    create(room, new_key(room))
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    before = room.unit.state()
    for operation, name in ((aliases.CREATE_ALIAS, "alias/new"), (aliases.UPDATE_ALIAS, "alias/app")):
        with pytest.raises(KMSInvalidStateException) as refused:
            room.run(operation, {"AliasName": name, "TargetKeyId": key_id})
        assert refused.value.message == f"{room.key(key_id).arn} is pending deletion."
    assert room.unit.state() == before


def test_update_alias_moves_it(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    other = new_key(room)
    request = {"AliasName": "alias/app", "TargetKeyId": other}
    assert room.run(aliases.UPDATE_ALIAS, request, now=NOON + DAY) is None
    alias = room.alias("alias/app")
    assert alias is not None
    assert (alias.key_id, alias.created_at, alias.updated_at) == (other, NOON, NOON + DAY)
    assert (room.key(key_id).alias_names, room.key(other).alias_names) == ((), ("alias/app",))


def test_update_alias_can_leave_a_key_pending_deletion(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    other = new_key(room)
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    room.run(aliases.UPDATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": other})
    assert room.key(other).alias_names == ("alias/app",)


def test_update_alias_to_the_same_key_changes_the_date_only(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    room.run(aliases.UPDATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": key_id}, now=NOON + DAY)
    alias = room.alias("alias/app")
    assert alias is not None
    assert alias.updated_at == NOON + DAY
    assert room.key(key_id).alias_names == ("alias/app",)


@pytest.mark.parametrize("operation", [aliases.UPDATE_ALIAS, aliases.DELETE_ALIAS])
def test_an_absent_alias_is_not_found(room: KeyRoom, key_id: str, operation: Any) -> None:
    before = room.unit.state()
    with pytest.raises(NotFoundException) as refused:
        room.run(operation, {"AliasName": "alias/app", "TargetKeyId": key_id})
    assert refused.value.message == f"Alias {ALIAS_ARN} is not found."
    assert room.unit.state() == before


def test_delete_alias_leaves_the_key(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    assert room.run(aliases.DELETE_ALIAS, {"AliasName": "alias/app"}) is None
    assert room.alias("alias/app") is None
    assert (room.key(key_id).state, room.key(key_id).alias_names) == ("Enabled", ())


def test_a_key_has_at_most_50_aliases(room: KeyRoom, key_id: str) -> None:
    for number in range(50):
        create(room, key_id, f"alias/{number}")
    before = room.unit.state()
    with pytest.raises(LimitExceededException) as refused:
        create(room, key_id, "alias/50")
    assert refused.value.message == "The KMS key already has 50 aliases, which is the maximum."
    assert room.unit.state() == before


def test_alias_operations_need_the_alias_and_every_key_they_touch(room: KeyRoom, key_id: str) -> None:
    other = new_key(room)
    create(room, key_id)
    alias_only = room.user("alias-only", allow("kms:*", resource="arn:aws:kms:*:*:alias/*"))
    keys_only = room.user("keys-only", allow("kms:*", resource="arn:aws:kms:*:*:key/*"))
    new_only = room.user(
        "new-only",
        allow("kms:*", resource="arn:aws:kms:*:*:alias/*"),
        allow("kms:*", resource=f"arn:aws:kms:*:*:key/{other}"),
    )
    before = room.unit.state()
    for caller in (alias_only, keys_only, new_only):
        with pytest.raises(AccessDeniedException):
            room.run(aliases.UPDATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": other}, principal=caller)
        with pytest.raises(AccessDeniedException):
            room.run(aliases.DELETE_ALIAS, {"AliasName": "alias/app"}, principal=caller)
    for caller in (alias_only, keys_only):
        with pytest.raises(AccessDeniedException):
            create(room, other, "alias/new", principal=caller)
    assert room.unit.state() == before


def test_a_policy_can_speak_of_the_aliases_of_a_key(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}
    bob = room.user("bob", allow("kms:DescribeKey", Condition=by_alias))
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=bob)
    with pytest.raises(AccessDeniedException):
        room.run(keys.DESCRIBE_KEY, {"KeyId": new_key(room)}, principal=bob)


def test_a_policy_can_demand_that_the_alias_is_used(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    by_request = {"StringEquals": {"kms:RequestAlias": "alias/app"}}
    bob = room.user("bob", allow("kms:DescribeKey", Condition=by_request))
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": "alias/app"}, principal=bob)
    with pytest.raises(AccessDeniedException):
        room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=bob)


def test_list_aliases_pages_through_all(room: KeyRoom, key_id: str) -> None:
    other = new_key(room)
    for number in range(3):
        create(room, key_id, f"alias/a{number}")
        create(room, other, f"alias/b{number}")
    found: list[str] = []
    request: dict[str, Any] = {"Limit": 4}
    page = room.run(aliases.LIST_ALIASES, request)
    assert (len(page["Aliases"]), page["Truncated"]) == (4, True)
    found += [entry["AliasName"] for entry in page["Aliases"]]
    page = room.run(aliases.LIST_ALIASES, {**request, "Marker": page["NextMarker"]})
    assert (len(page["Aliases"]), page["Truncated"]) == (2, False)
    found += [entry["AliasName"] for entry in page["Aliases"]]
    assert sorted(found) == ["alias/a0", "alias/a1", "alias/a2", "alias/b0", "alias/b1", "alias/b2"]


def test_list_aliases_of_one_key(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    create(room, new_key(room), "alias/other")
    assert room.run(aliases.LIST_ALIASES, {"KeyId": key_id}) == {
        "Aliases": [
            {
                "AliasName": "alias/app",
                "AliasArn": ALIAS_ARN,
                "TargetKeyId": key_id,
                "CreationDate": NOON,
                "LastUpdatedDate": NOON,
            }
        ],
        "Truncated": False,
    }


def test_list_aliases_of_a_key_that_is_not_there(room: KeyRoom) -> None:
    absent = "99999999-12ab-34cd-56ef-1234567890ab"
    with pytest.raises(NotFoundException) as refused:
        room.run(aliases.LIST_ALIASES, {"KeyId": absent})
    assert refused.value.message == f"Key 'arn:aws:kms:eu-central-1:{ACCOUNT}:key/{absent}' does not exist"


def test_accounts_do_not_see_each_others_aliases(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    listed = room.run(aliases.LIST_ALIASES, principal=root(OTHER_ACCOUNT))
    assert listed == {"Aliases": [], "Truncated": False}


def test_the_aliases_of_a_deleted_key_go_with_it(room: KeyRoom, key_id: str) -> None:
    create(room, key_id)
    other = new_key(room)
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": 7})
    late = NOON + 7 * DAY
    assert room.run(aliases.LIST_ALIASES, now=late)["Aliases"] == []
    create(room, other, now=late)
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": "alias/app"}, now=late)["KeyMetadata"]["KeyId"] == other


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("RSA_2048", "ENCRYPT_DECRYPT")),
        (("RSA_2048", "ENCRYPT_DECRYPT"), ("RSA_2048", "SIGN_VERIFY")),
        (("HMAC_256", "GENERATE_VERIFY_MAC"), ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")),
    ],
)
def test_an_alias_stays_with_keys_of_one_type_and_usage(
    room: KeyRoom, old: tuple[str, str], new: tuple[str, str]
) -> None:
    left, key = a_key(room, *old), a_key(room, *new)
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": left.key_id})
    before = room.unit.state()
    with pytest.raises(ValidationException) as refused:
        room.run(aliases.UPDATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": key.key_id})
    assert refused.value.message == (
        "The current and the new KMS key of an alias must be of the same type and have the same key usage."
    )
    assert room.unit.state() == before


def test_an_alias_may_go_to_another_spec_of_the_type(room: KeyRoom) -> None:
    left, key = a_key(room, "RSA_2048", "SIGN_VERIFY"), a_key(room, "ECC_NIST_P256", "SIGN_VERIFY")
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": left.key_id})
    room.run(aliases.UPDATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": key.key_id})
    assert room.key(key.key_id).alias_names == ("alias/app",)
