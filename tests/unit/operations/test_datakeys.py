"""Sealing and opening secret values: the KMS key's policy, state and context all have a say."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from strongroom.crypto import envelope
from strongroom.crypto.context import encode_context
from strongroom.crypto.envelope import ValueKind
from strongroom.errors import (
    AccessDeniedException,
    DecryptionFailure,
    EncryptionFailure,
    IntegrityError,
    InvalidParameterException,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.identity.principal import Principal
from strongroom.keys.ciphertext import parse_ciphertext
from strongroom.names import Arn, Region, VersionId
from strongroom.operations.datakeys import (
    SealedValue,
    open_value,
    reseal,
    seal_value,
    validate_key_access,
)
from strongroom.operations.kms import aliases, keys, policies
from strongroom.operations.kms.material import decrypt
from strongroom.ports import KMS_KEYS, account_region
from strongroom.secret.records import SecretVersion
from strongroom.secret.value import SecretValue
from support.key_pairs import a_key
from support.key_room import (
    ACCOUNT,
    DAY,
    NOON,
    OTHER_ACCOUNT,
    REGION,
    KeyRoom,
    allow,
    deny,
    for_principal,
    policy,
    root,
)

SECRET_ARN = Arn("arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-a1B2c3")
VERSION_ID = VersionId("11111111-2222-3333-4444-555555555555")
VALUE = SecretValue(text='{"password":"hünter2"}')
DEFAULT_ALIAS = "alias/aws/secretsmanager"
OWNER = "arn:aws:iam::111122223333:root"
FRIEND = "arn:aws:iam::444455556666:root"
CANNOT_DECRYPT = "Secrets Manager can't decrypt the protected secret text using the provided KMS key."
CANNOT_ENCRYPT = (
    "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS "
    "key is available, enabled, and not in an invalid state."
)
ELSEWHERE = (
    "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS "
    "service key."
)
NOT_ALLOWED = "Access to KMS is not allowed"
ABSENT = "99999999-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


def new_key(room: KeyRoom, **members: Any) -> str:
    return str(room.run(keys.CREATE_KEY, members)["KeyMetadata"]["KeyId"])


def arn_of(key_id: str) -> str:
    return f"arn:aws:kms:eu-central-1:111122223333:key/{key_id}"


def seal(
    room: KeyRoom,
    kms_key_id: str | None = None,
    *,
    value: SecretValue = VALUE,
    principal: Principal | None = None,
    **where: Any,
) -> SealedValue:
    call = room.call("PutSecretValue", principal=principal, service="secretsmanager")
    place = {
        "secret_arn": SECRET_ARN,
        "region": REGION,
        "account_id": ACCOUNT,
        "version_id": VERSION_ID,
        **where,
    }
    return room.store.write(
        lambda unit: seal_value(call, unit, kms_key_id=kms_key_id, value=value, **place)
    ).result()


def stored(sealed: SealedValue, **changes: Any) -> SecretVersion:
    members = {
        "secret_arn": SECRET_ARN,
        "version_id": VERSION_ID,
        "created_at": NOON,
        "kms_key_arn": sealed.kms_key_arn,
        "envelope": sealed.envelope,
        "default_key": sealed.default_key,
        **changes,
    }
    return SecretVersion(**members)


def opened(
    room: KeyRoom,
    version: SecretVersion,
    *,
    principal: Principal | None = None,
    region: str = REGION,
    **call: Any,
) -> SecretValue:
    asked = room.call("GetSecretValue", principal=principal, service="secretsmanager", **call)
    before = room.unit.state()
    value = open_value(asked, room.unit, version, region=region, account_id=ACCOUNT)
    assert room.unit.state() == before
    return value


def refused_opening(
    room: KeyRoom, version: SecretVersion, error: type[ServiceError], **how: Any
) -> ServiceError:
    with pytest.raises(error) as refused:
        opened(room, version, **how)
    return refused.value


def refused_sealing(room: KeyRoom, kms_key_id: str | None, error: type[ServiceError], **how: Any) -> str:
    before = room.unit.state()
    with pytest.raises(error) as refused:
        seal(room, kms_key_id, **how)
    assert room.unit.state() == before
    assert "hünter2" not in refused.value.message
    return refused.value.message


def default_key(room: KeyRoom, region: Region = REGION) -> Any:
    alias = room.alias(DEFAULT_ALIAS, region=region)
    return None if alias is None else room.key(alias.key_id, region=region)


# The account's own key.


def test_the_default_key_is_made_on_first_use(room: KeyRoom) -> None:
    assert default_key(room) is None
    sealed = seal(room)
    key = default_key(room)
    assert (sealed.kms_key_arn, sealed.default_key) == (key.arn, True)
    assert (key.manager, key.state, key.alias_names) == ("AWS", "Enabled", (DEFAULT_ALIAS,))
    assert key.description == "Default key that protects my Secrets Manager data when no other key is defined"
    assert json.loads(key.policy)["Id"] == "auto-secretsmanager-1"
    assert opened(room, stored(sealed)) == VALUE


def test_the_default_key_is_made_once_per_account_and_region(room: KeyRoom) -> None:
    first, again = seal(room), seal(room, "")
    elsewhere = seal(room, region="us-east-1")
    assert first.kms_key_arn == again.kms_key_arn == seal(room, DEFAULT_ALIAS).kms_key_arn
    assert elsewhere.kms_key_arn == default_key(room, Region("us-east-1")).arn != first.kms_key_arn
    assert len(room.unit.scan(KMS_KEYS, account_region(ACCOUNT, REGION))) == 1


def test_the_default_key_is_known_by_any_of_its_names(room: KeyRoom) -> None:
    key = room.key(seal(room).kms_key_arn.rpartition("/")[2])
    for name in (key.key_id, key.arn, f"arn:aws:kms:eu-central-1:111122223333:{DEFAULT_ALIAS}"):
        assert seal(room, name).default_key


def test_a_refused_first_use_makes_no_key(room: KeyRoom) -> None:
    bob = room.user("bob", deny("kms:*"))
    assert refused_sealing(room, None, AccessDeniedException, principal=bob) == NOT_ALLOWED
    # Nor when the one who asked catches the refusal inside its write, as replication does.
    call = room.call("ReplicateSecretToRegions", principal=bob, service="secretsmanager")
    with pytest.raises(AccessDeniedException):
        seal_value(
            call,
            room.unit,
            secret_arn=SECRET_ARN,
            region=REGION,
            account_id=ACCOUNT,
            version_id=VERSION_ID,
            kms_key_id=None,
            value=VALUE,
        )
    assert default_key(room) is None


def test_the_default_key_needs_no_identity_permission_but_heeds_a_deny(room: KeyRoom) -> None:
    version = stored(seal(room, principal=room.user("anyone")))
    assert opened(room, version, principal=room.user("reader")) == VALUE
    denied = room.user("denied", deny("kms:Decrypt"))
    assert refused_opening(room, version, AccessDeniedException, principal=denied).message == NOT_ALLOWED


def test_the_default_key_is_not_for_other_accounts(room: KeyRoom) -> None:
    carol = room.user("carol", allow("*"), account_id=OTHER_ACCOUNT)
    assert refused_sealing(room, None, InvalidRequestException, principal=carol) == ELSEWHERE
    version = stored(seal(room))
    for caller in (carol, root(OTHER_ACCOUNT)):
        assert refused_opening(room, version, InvalidRequestException, principal=caller).message == ELSEWHERE
        for name in (None, DEFAULT_ALIAS, version.kms_key_arn):
            assert refused_sealing(room, name, InvalidRequestException, principal=caller) == ELSEWHERE


def test_the_default_key_cannot_be_managed_or_used_directly(room: KeyRoom) -> None:
    key = room.key(seal(room).kms_key_arn.rpartition("/")[2])
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": key.arn})["KeyMetadata"]["KeyManager"] == "AWS"
    assert room.run(policies.GET_KEY_POLICY, {"KeyId": key.key_id})["Policy"] == key.policy
    for operation, members in (
        (keys.DISABLE_KEY, {}),
        (keys.SCHEDULE_KEY_DELETION, {}),
        (keys.UPDATE_KEY_DESCRIPTION, {"Description": "mine"}),
        (policies.PUT_KEY_POLICY, {"Policy": policy(for_principal(OWNER, "kms:*"))}),
        (aliases.CREATE_ALIAS, {"AliasName": "alias/mine", "TargetKeyId": key.key_id}),
    ):
        with pytest.raises(AccessDeniedException):
            room.run(operation, {"KeyId": key.key_id, **members})
    assert room.key(key.key_id) == key


# Keys of customers.


@pytest.mark.parametrize(
    "value", [VALUE, SecretValue(binary=bytes(range(256))), SecretValue(text="x" * 65_536)]
)
@pytest.mark.parametrize(
    "name",
    [
        "{id}",
        "arn:aws:kms:eu-central-1:111122223333:key/{id}",
        "alias/app",
        "arn:aws:kms:eu-central-1:111122223333:alias/app",
    ],
)
def test_what_was_sealed_opens_whatever_the_key_was_called(
    room: KeyRoom, name: str, value: SecretValue
) -> None:
    key_id = new_key(room)
    room.run(aliases.CREATE_ALIAS, {"AliasName": "alias/app", "TargetKeyId": key_id})
    sealed = seal(room, name.format(id=key_id), value=value)
    assert (sealed.kms_key_arn, sealed.default_key) == (arn_of(key_id), False)
    assert value.encoded() not in sealed.envelope
    assert opened(room, stored(sealed)) == value


def test_every_value_gets_a_data_key_of_its_own(room: KeyRoom) -> None:
    first, second = (envelope.parse(seal(room).envelope) for _ in range(2))
    assert first.wrapped_key != second.wrapped_key
    assert first.nonce != second.nonce
    assert first.sealed != second.sealed


def test_no_envelope_opens_for_another_secret_or_version(room: KeyRoom) -> None:
    sealed = seal(room)
    for version in (
        stored(sealed, secret_arn=Arn(SECRET_ARN + "x")),
        stored(sealed, version_id=VersionId("another-version-of-this-secret-1")),
    ):
        refusal = refused_opening(room, version, DecryptionFailure)
        assert refusal.message == CANNOT_DECRYPT
        assert isinstance(refusal.__cause__, IntegrityError)


def test_no_envelope_of_another_key_passes_for_this_one(room: KeyRoom) -> None:
    sealed = seal(room, new_key(room))
    refusal = refused_opening(room, stored(sealed, kms_key_arn=Arn(arn_of(new_key(room)))), DecryptionFailure)
    assert isinstance(refusal.__cause__, IntegrityError)


def test_no_changed_byte_opens_and_no_message_says_which(room: KeyRoom) -> None:
    sealed = seal(room, value=SecretValue(text="hunter2"))
    for at in range(len(sealed.envelope)):
        damaged = sealed.envelope[:at] + bytes((sealed.envelope[at] ^ 1,)) + sealed.envelope[at + 1 :]
        refusal = refused_opening(room, stored(sealed, envelope=damaged), DecryptionFailure)
        assert refusal.message == CANNOT_DECRYPT
        assert isinstance(refusal.__cause__, IntegrityError)
        assert str(refusal.__cause__) == "what was sealed does not open"


def test_text_that_is_not_utf_8_is_damage(room: KeyRoom) -> None:
    sealed = seal(room)
    parts = envelope.parse(sealed.envelope)
    wrapped = parse_ciphertext(parts.wrapped_key)
    assert wrapped is not None
    context = encode_context({"SecretARN": SECRET_ARN, "SecretVersionId": VERSION_ID})
    wrong = envelope.encode(
        ValueKind.TEXT,
        b"\xff",
        data_key=decrypt(room.resources, room.key(wrapped.key_id), wrapped, context),
        wrapped_key=parts.wrapped_key,
        context=context,
        nonce=bytes(12),
    )
    refusal = refused_opening(room, stored(sealed, envelope=wrong), DecryptionFailure)
    assert refusal.message == CANNOT_DECRYPT
    assert isinstance(refusal.__cause__, IntegrityError)


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ],
)
def test_only_symmetric_keys_wrap_data_keys(room: KeyRoom, spec: str, usage: str) -> None:
    key_id = a_key(room, spec, usage).key_id
    told = "Cannot generate a data key with an asymmetric KMS key"
    assert refused_sealing(room, key_id, InvalidParameterException) == told
    call = room.call("CreateSecret", service="secretsmanager")
    with pytest.raises(InvalidParameterException) as refused:
        validate_key_access(
            call, room.unit, secret_arn=SECRET_ARN, region=REGION, account_id=ACCOUNT, kms_key_id=key_id
        )
    assert refused.value.message == told


@pytest.mark.parametrize("put_out", [keys.DISABLE_KEY, keys.SCHEDULE_KEY_DELETION])
def test_a_key_out_of_use_neither_seals_nor_opens(room: KeyRoom, put_out: Any) -> None:
    key_id = new_key(room)
    version = stored(seal(room, key_id))
    assert opened(room, version) == VALUE
    room.run(put_out, {"KeyId": key_id})
    refusal = refused_opening(room, version, DecryptionFailure)
    assert (refusal.message, refusal.__cause__) == (CANNOT_DECRYPT, None)
    assert refused_sealing(room, key_id, EncryptionFailure) == CANNOT_ENCRYPT
    call = room.call("CreateSecret", service="secretsmanager")
    with pytest.raises(EncryptionFailure):
        validate_key_access(
            call, room.unit, secret_arn=SECRET_ARN, region=REGION, account_id=ACCOUNT, kms_key_id=key_id
        )


def test_a_key_out_of_use_works_again_when_enabled(room: KeyRoom) -> None:
    key_id = new_key(room)
    version = stored(seal(room, key_id))
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    room.run(keys.ENABLE_KEY, {"KeyId": key_id})
    assert opened(room, version) == VALUE


def test_a_key_that_is_gone_opens_nothing(room: KeyRoom) -> None:
    key_id = new_key(room)
    version = stored(seal(room, key_id))
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id, "PendingWindowInDays": 7})
    late = NOON + 7 * DAY
    assert refused_opening(room, version, DecryptionFailure, now=late).message == CANNOT_DECRYPT
    bob = room.user("bob")
    assert (
        refused_opening(room, version, AccessDeniedException, now=late, principal=bob).message == NOT_ALLOWED
    )


# Who may.


def test_the_permissions_needed_to_seal_can_be_others(room: KeyRoom) -> None:
    key_id = new_key(room)
    bob = room.user("bob", allow("kms:Encrypt"))
    both = ("kms:GenerateDataKey", "kms:Encrypt")
    assert seal(room, key_id, principal=bob, key_actions=("kms:Encrypt",)).kms_key_arn == arn_of(key_id)
    assert (
        refused_sealing(room, key_id, AccessDeniedException, principal=bob, key_actions=both) == NOT_ALLOWED
    )


def test_sealing_needs_generate_data_key_and_opening_needs_decrypt(room: KeyRoom) -> None:
    key_id = new_key(room)
    writer = room.user("writer", allow("kms:GenerateDataKey"))
    reader = room.user("reader", allow("kms:Decrypt"))
    version = stored(seal(room, key_id, principal=writer))
    assert opened(room, version, principal=reader) == VALUE
    assert refused_opening(room, version, AccessDeniedException, principal=writer).message == NOT_ALLOWED
    assert refused_sealing(room, key_id, AccessDeniedException, principal=reader) == NOT_ALLOWED


def test_a_key_policy_without_the_account_keeps_even_root_out(room: KeyRoom) -> None:
    alice = room.user("alice", allow("kms:CreateKey"))
    only_alice = policy(for_principal(alice.arn, "kms:*"))
    made = room.run(keys.CREATE_KEY, {"Policy": only_alice}, principal=alice)
    version = stored(seal(room, made["KeyMetadata"]["KeyId"], principal=alice))
    assert opened(room, version, principal=alice) == VALUE
    assert refused_opening(room, version, AccessDeniedException).message == NOT_ALLOWED


def test_a_change_of_the_key_policy_holds_for_the_next_opening(room: KeyRoom) -> None:
    key_id = new_key(room)
    version = stored(seal(room, key_id))
    assert opened(room, version) == VALUE
    closed = policy(for_principal(OWNER, "kms:PutKeyPolicy"))
    room.run(policies.PUT_KEY_POLICY, {"KeyId": key_id, "Policy": closed})
    assert refused_opening(room, version, AccessDeniedException).message == NOT_ALLOWED


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        pytest.param(
            {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}, True, id="this service"
        ),
        pytest.param({"kms:ViaService": "ssm.eu-central-1.amazonaws.com"}, False, id="another service"),
        pytest.param(
            {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}, False, id="another region"
        ),
        pytest.param({"kms:CallerAccount": ACCOUNT}, True, id="this account"),
        pytest.param({"kms:CallerAccount": OTHER_ACCOUNT}, False, id="another account"),
        pytest.param({"kms:EncryptionContext:SecretARN": SECRET_ARN}, True, id="this secret"),
        pytest.param({"kms:EncryptionContext:SecretARN": SECRET_ARN + "x"}, False, id="another secret"),
        pytest.param({"kms:EncryptionContext:SecretVersionId": VERSION_ID}, True, id="this version"),
        pytest.param({"kms:EncryptionContext:SecretVersionId": "x"}, False, id="another version"),
        pytest.param({"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, True, id="algorithm"),
        pytest.param({"kms:KeyOrigin": "EXTERNAL"}, False, id="origin"),
        pytest.param({"aws:ResourceTag/team": "a"}, True, id="the key's tag"),
        pytest.param({"aws:ResourceTag/team": "b"}, False, id="another tag"),
    ],
)
def test_policies_see_how_and_for_what_the_key_is_used(
    room: KeyRoom, condition: dict[str, str], passes: bool
) -> None:
    bound = policy(
        for_principal(OWNER, "kms:PutKeyPolicy"),
        for_principal(OWNER, "kms:*", Condition={"StringEquals": condition}),
    )
    key_id = new_key(room, Tags=[{"TagKey": "team", "TagValue": "a"}])
    version = stored(seal(room, key_id))
    room.run(policies.PUT_KEY_POLICY, {"KeyId": key_id, "Policy": bound})
    if passes:
        assert opened(room, version) == VALUE
        assert seal(room, key_id).kms_key_arn == arn_of(key_id)
    else:
        assert refused_opening(room, version, AccessDeniedException).message == NOT_ALLOWED
        assert refused_sealing(room, key_id, AccessDeniedException) == NOT_ALLOWED


def test_policies_see_which_context_keys_there_are(room: KeyRoom) -> None:
    keys_named = {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "SecretVersionId"}}
    bob = room.user("bob", allow("kms:*", Condition=keys_named))
    assert seal(room, new_key(room), principal=bob)


def test_another_account_opens_when_key_policy_and_its_own_policies_allow(room: KeyRoom) -> None:
    shared = policy(
        for_principal(OWNER, "kms:*"), for_principal(FRIEND, "kms:Decrypt", "kms:GenerateDataKey")
    )
    key_id, closed = new_key(room, Policy=shared), new_key(room)
    carol = room.user("carol", allow("kms:*"), account_id=OTHER_ACCOUNT)
    dan = room.user("dan", account_id=OTHER_ACCOUNT)
    version = stored(seal(room, arn_of(key_id), principal=carol))
    assert opened(room, version, principal=carol) == VALUE
    assert refused_opening(room, version, AccessDeniedException, principal=dan).message == NOT_ALLOWED
    assert refused_sealing(room, closed, AccessDeniedException, principal=carol) == NOT_ALLOWED


def test_a_secret_can_be_under_a_key_of_another_account(room: KeyRoom) -> None:
    shared = policy(
        for_principal(FRIEND, "kms:*"), for_principal(OWNER, "kms:Decrypt", "kms:GenerateDataKey")
    )
    made = room.run(keys.CREATE_KEY, {"Policy": shared}, principal=root(OTHER_ACCOUNT))["KeyMetadata"]
    version = stored(seal(room, made["Arn"]))
    assert (version.kms_key_arn, version.default_key) == (made["Arn"], False)
    assert opened(room, version) == VALUE
    # A bare id is one of the secret's own account.
    assert refused_sealing(room, made["KeyId"], ResourceNotFoundException)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (ABSENT, ResourceNotFoundException, "Secrets Manager can't find the specified KMS key."),
        ("alias/absent", ResourceNotFoundException, "Secrets Manager can't find the specified KMS key."),
        (
            "not a key",
            InvalidParameterException,
            "The parameter KmsKeyId is not a valid KMS key identifier for this Region.",
        ),
        (
            f"arn:aws:kms:us-east-1:111122223333:key/{ABSENT}",
            InvalidParameterException,
            "The parameter KmsKeyId is not a valid KMS key identifier for this Region.",
        ),
        (f"arn:aws:kms:eu-central-1:444455556666:key/{ABSENT}", AccessDeniedException, NOT_ALLOWED),
    ],
)
def test_keys_that_are_not_there(room: KeyRoom, name: str, error: type[ServiceError], message: str) -> None:
    assert refused_sealing(room, name, error) == message


def test_a_key_that_is_not_there_tells_a_caller_without_permission_nothing(room: KeyRoom) -> None:
    bob = room.user("bob")
    for name in (ABSENT, new_key(room)):
        assert refused_sealing(room, name, AccessDeniedException, principal=bob) == NOT_ALLOWED


# Trying a key, and changing it.


def validate(room: KeyRoom, kms_key_id: str, principal: Principal | None = None) -> None:
    call = room.call("UpdateSecret", principal=principal, service="secretsmanager")
    validate_key_access(
        call, room.unit, secret_arn=SECRET_ARN, region=REGION, account_id=ACCOUNT, kms_key_id=kms_key_id
    )


def test_validation_tries_sealing_and_opening(room: KeyRoom) -> None:
    key_id = new_key(room)
    validate(room, key_id)
    validate(room, key_id, room.user("both", allow("kms:GenerateDataKey", "kms:Decrypt")))
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        with pytest.raises(AccessDeniedException) as refused:
            validate(room, key_id, room.user("half", allow(action)))
        assert refused.value.message == NOT_ALLOWED


def test_validation_is_told_apart_by_its_context(room: KeyRoom) -> None:
    trying = {"StringEquals": {"kms:EncryptionContext:SecretVersionId": "RequestToValidateKeyAccess"}}
    bob = room.user("bob", allow("kms:*", Condition=trying))
    key_id = new_key(room)
    validate(room, key_id, bob)
    assert refused_sealing(room, key_id, AccessDeniedException, principal=bob) == NOT_ALLOWED


def moved(
    room: KeyRoom, version: SecretVersion, kms_key_id: str | None, principal: Principal | None = None
) -> SecretVersion:
    call = room.call("UpdateSecret", principal=principal, service="secretsmanager")
    return reseal(call, room.unit, version, region=REGION, account_id=ACCOUNT, kms_key_id=kms_key_id)


def test_reseal_moves_a_version_to_another_key(room: KeyRoom) -> None:
    version = stored(seal(room))
    key_id = new_key(room)
    after = moved(room, version, key_id)
    assert (after.kms_key_arn, after.default_key) == (arn_of(key_id), False)
    assert (
        msgspec.structs.replace(
            after, envelope=version.envelope, kms_key_arn=version.kms_key_arn, default_key=True
        )
        == version
    )
    assert opened(room, after) == opened(room, version) == VALUE
    back = moved(room, after, None)
    assert (back.default_key, opened(room, back)) == (True, VALUE)


def test_reseal_leaves_a_version_that_is_under_the_key_already(room: KeyRoom) -> None:
    key_id = new_key(room)
    version = stored(seal(room, key_id))
    assert moved(room, version, arn_of(key_id)) is version


def test_reseal_leaves_a_version_when_the_caller_may_not_encrypt(room: KeyRoom) -> None:
    version, key_id = stored(seal(room, new_key(room))), new_key(room)
    bob = room.user("bob", allow("kms:Decrypt", "kms:GenerateDataKey"))
    assert moved(room, version, key_id, bob) is version


def test_reseal_needs_to_open_under_the_old_key(room: KeyRoom) -> None:
    old, new = new_key(room), new_key(room)
    version = stored(seal(room, old))
    bob = room.user("bob", allow("kms:Encrypt"))
    with pytest.raises(AccessDeniedException) as refused:
        moved(room, version, new, bob)
    assert refused.value.message == NOT_ALLOWED
    room.run(keys.DISABLE_KEY, {"KeyId": old})
    with pytest.raises(DecryptionFailure):
        moved(room, version, new)


def test_key_material_is_unwrapped_once_for_many_openings(room: KeyRoom) -> None:
    version = stored(seal(room))
    for _ in range(3):
        assert opened(room, version) == VALUE
    assert len(room.memory) == 1
