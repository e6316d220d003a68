"""KMS over TCP, by itself and under Secrets Manager. Source: fact sheet kms sections 2 to 5, 12, 13 and 15."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dialogue import (
    NO_KMS,
    NOT_FOUND,
    Person,
    a_person,
    allow,
    answered,
    canary,
    denied,
    fresh,
    invalid,
    missing,
    picture,
    refused,
    value_of,
)
from support.running import REGION, Server

DEFAULT_ALIAS = "alias/aws/secretsmanager"
ABSENT = "12345678-1234-1234-1234-123456789012"
CONTEXT = {"Purpose": "test", "Case": "Kept"}
CANNOT_DECRYPT = (
    "DecryptionFailure",
    "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
)
CANNOT_ENCRYPT = (
    "EncryptionFailure",
    "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS "
    "key is available, enabled, and not in an invalid state.",
)
NO_SUCH_KEY = ("ResourceNotFoundException", "Secrets Manager can't find the specified KMS key.")


@pytest.fixture(scope="module")
def kms(server: Server) -> Iterator[Any]:
    client = server.client("kms", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    return str(server.client("sts").get_caller_identity()["Account"])


@pytest.fixture
def key(kms: Any) -> str:
    """The ARN of a new key."""
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


def _state(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


def _key_policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _to(principal: str, action: Any = "kms:*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*", **more}


def _without_message(operation: Any, **request: Any) -> str:
    """Return the code of an error that comes without a text."""
    with pytest.raises(ClientError) as caught:
        operation(**request)
    assert not caught.value.response["Error"].get("Message")
    return str(caught.value.response["Error"]["Code"])


# Keys


def test_a_new_key_is_symmetric_and_enabled(kms: Any, account: str) -> None:
    metadata = answered(
        kms.create_key, Description="for tests", Tags=[{"TagKey": "team", "TagValue": "blue"}]
    )["KeyMetadata"]
    key_id = metadata["KeyId"]
    assert uuid.UUID(key_id)
    created = metadata.pop("CreationDate")
    assert abs(dt.datetime.now(dt.UTC) - created) < dt.timedelta(minutes=1)
    assert re.fullmatch("[0-9a-f]{64}", metadata.pop("CurrentKeyMaterialId"))
    assert metadata == {
        "AWSAccountId": account,
        "Arn": f"arn:aws:kms:{REGION}:{account}:key/{key_id}",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "for tests",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": key_id,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }
    described = answered(kms.describe_key, KeyId=key_id)["KeyMetadata"]
    assert described["CreationDate"] == created
    assert described["Description"] == "for tests"
    listed = [each for page in kms.get_paginator("list_keys").paginate() for each in page["Keys"]]
    assert {"KeyId": key_id, "KeyArn": metadata["Arn"]} in listed
    assert answered(kms.list_resource_tags, KeyId=key_id) == {
        "Tags": [{"TagKey": "team", "TagValue": "blue"}],
        "Truncated": False,
    }


def test_a_new_key_has_the_policy_that_leaves_it_to_its_account(kms: Any, key: str, account: str) -> None:
    answer = answered(kms.get_key_policy, KeyId=key)
    assert answer["PolicyName"] == "default"
    policy = json.loads(answer["Policy"])
    assert policy["Id"] == "key-default-1"
    assert policy["Statement"] == [
        {"Sid": "Enable IAM User Permissions", **_to(f"arn:aws:iam::{account}:root")}
    ]
    assert answered(kms.list_key_policies, KeyId=key) == {"PolicyNames": ["default"], "Truncated": False}


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        pytest.param(
            {"KeySpec": "RSA_2048"},
            (
                "ValidationException",
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ),
            id="no usage",
        ),
        pytest.param(
            {"KeySpec": "RSA_2048", "KeyUsage": "GENERATE_VERIFY_MAC"},
            ("ValidationException", "KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec RSA_2048"),
            id="a usage of other keys",
        ),
        pytest.param({"Policy": "{}"}, ("MalformedPolicyDocumentException", None), id="no policy"),
        pytest.param(
            {"Tags": [{"TagKey": "a", "TagValue": ""}] * 2}, ("TagException", "Duplicate tag keys"), id="tags"
        ),
        pytest.param(
            {"Description": "d" * 8193},
            invalid(
                f"Value '{'d' * 256}' at 'description' failed to satisfy constraint: "
                "Member must have length less than or equal to 8192"
            ),
            id="description",
        ),
    ],
)
def test_a_key_that_cannot_be_is_not_made(
    kms: Any, request_: dict[str, Any], refusal: tuple[str, str | None]
) -> None:
    before = kms.list_keys(Limit=1000)["Keys"]
    code, message = refused(kms.create_key, **request_)
    assert code == refusal[0]
    assert refusal[1] in (message, None)
    assert kms.list_keys(Limit=1000)["Keys"] == before


def test_a_key_is_disabled_and_enabled(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert answered(kms.disable_key, KeyId=key) == {}
    described = answered(kms.describe_key, KeyId=key)["KeyMetadata"]
    assert (described["Enabled"], described["KeyState"]) == (False, "Disabled")
    disabled = ("DisabledException", f"{key} is disabled.")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == disabled
    assert refused(kms.decrypt, CiphertextBlob=blob) == disabled
    assert refused(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == disabled
    assert refused(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key) == disabled
    assert answered(kms.disable_key, KeyId=key) == {}
    assert answered(kms.enable_key, KeyId=key) == {}
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_key_is_scheduled_for_deletion_and_kept_disabled(kms: Any, key: str) -> None:
    answer = answered(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    date = answer.pop("DeletionDate")
    assert answer == {"KeyId": key, "KeyState": "PendingDeletion", "PendingWindowInDays": 7}
    described = answered(kms.describe_key, KeyId=key)["KeyMetadata"]
    assert (described["KeyState"], described["DeletionDate"]) == ("PendingDeletion", date)
    pending = ("KMSInvalidStateException", f"{key} is pending deletion.")
    for operation, request in (
        (kms.encrypt, {"Plaintext": b"x"}),
        (kms.enable_key, {}),
        (kms.disable_key, {}),
        (kms.schedule_key_deletion, {}),
        (kms.update_key_description, {"Description": "x"}),
        (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    ):
        assert refused(operation, KeyId=key, **request) == pending
    assert refused(kms.create_alias, AliasName=f"alias/{uuid.uuid4()}", TargetKeyId=key) == pending
    assert answered(kms.cancel_key_deletion, KeyId=key) == {"KeyId": key}
    assert _state(kms, key) == "Disabled"
    assert refused(kms.cancel_key_deletion, KeyId=key) == (
        "KMSInvalidStateException",
        f"{key} is not pending deletion.",
    )


@pytest.mark.parametrize(
    ("days", "bound"), [(6, "greater than or equal to 7"), (31, "less than or equal to 30")]
)
def test_the_window_before_deletion_is_7_to_30_days(kms: Any, key: str, days: int, bound: str) -> None:
    assert refused(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=days) == invalid(
        f"Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value {bound}"
    )
    assert _state(kms, key) == "Enabled"


@pytest.mark.parametrize(
    ("key_id", "message"),
    [
        pytest.param(ABSENT, "Key 'arn:aws:kms:{region}:{account}:key/{absent}' does not exist", id="id"),
        pytest.param(
            "arn:aws:kms:{region}:{account}:key/{absent}",
            "Key 'arn:aws:kms:{region}:{account}:key/{absent}' does not exist",
            id="ARN",
        ),
        pytest.param("fake-key-id", "Invalid keyId 'fake-key-id'", id="no id"),
        pytest.param("arn:aws:kms:eu-west-1:{account}:key/{absent}", "Invalid arn eu-west-1", id="elsewhere"),
        pytest.param(
            "alias/nothing", "Alias arn:aws:kms:{region}:{account}:alias/nothing is not found.", id="alias"
        ),
    ],
)
def test_what_names_no_key_is_not_found(kms: Any, account: str, key_id: str, message: str) -> None:
    words = {"region": REGION, "account": account, "absent": ABSENT}
    named, text = key_id.format(**words), message.format(**words)
    assert refused(kms.describe_key, KeyId=named) == ("NotFoundException", text)
    assert refused(kms.encrypt, KeyId=named, Plaintext=b"x") == ("NotFoundException", text)


# Ciphers


def test_what_is_encrypted_is_decrypted_under_the_same_context_only(kms: Any, key: str) -> None:
    plaintext = canary().encode()
    sealed = answered(kms.encrypt, KeyId=key, Plaintext=plaintext, EncryptionContext=CONTEXT)
    blob = sealed.pop("CiphertextBlob")
    assert sealed == {"KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    assert plaintext not in blob
    opened = answered(
        kms.decrypt, CiphertextBlob=blob, EncryptionContext=dict(reversed(CONTEXT.items())), KeyId=key
    )
    assert re.fullmatch("[0-9a-f]{64}", opened.pop("KeyMaterialId"))
    assert opened == {"KeyId": key, "Plaintext": plaintext, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    for context in (
        {},
        {**CONTEXT, "More": "x"},
        {"purpose": "test", "Case": "Kept"},
        {**CONTEXT, "Case": "kept"},
    ):
        assert (
            _without_message(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context)
            == "InvalidCiphertextException"
        )


def test_a_damaged_blob_is_refused_without_a_text(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    flipped = blob[:-1] + bytes([blob[-1] ^ 1])
    for damaged in (flipped, blob[:-1], blob + b"\x00", b"nonsense"):
        assert _without_message(kms.decrypt, CiphertextBlob=damaged) == "InvalidCiphertextException"


def test_a_blob_is_not_opened_with_another_key(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    other = kms.create_key()["KeyMetadata"]["Arn"]
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=other) == (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )


def test_a_blob_moves_to_another_key_and_context(kms: Any, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"moved", EncryptionContext=CONTEXT)["CiphertextBlob"]
    answer = answered(
        kms.re_encrypt, CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=other
    )
    assert (answer["SourceKeyId"], answer["KeyId"]) == (key, other)
    assert kms.decrypt(CiphertextBlob=answer["CiphertextBlob"], KeyId=other)["Plaintext"] == b"moved"


@pytest.mark.parametrize(
    ("request_", "size"),
    [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024)],
)
def test_a_data_key_comes_in_clear_and_sealed(
    kms: Any, key: str, request_: dict[str, Any], size: int
) -> None:
    answer = answered(kms.generate_data_key, KeyId=key, EncryptionContext=CONTEXT, **request_)
    assert answer["KeyId"] == key
    assert len(answer["Plaintext"]) == size
    opened = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == answer["Plaintext"]
    sealed = answered(kms.generate_data_key_without_plaintext, KeyId=key, **request_)
    assert "Plaintext" not in sealed
    assert len(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"]) == size


def test_ciphers_refuse_what_they_cannot_take(kms: Any, key: str) -> None:
    size = ("ValidationException", "Please specify either number of bytes or key spec.")
    assert refused(kms.generate_data_key, KeyId=key) == size
    assert refused(kms.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=32) == size
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097) == invalid(
        "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
    )
    assert refused(kms.encrypt, Plaintext=b"x") == missing("keyId")
    assert refused(kms.decrypt) == missing("ciphertextBlob")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == (
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
    )


def test_random_bytes_are_as_many_as_asked(kms: Any) -> None:
    assert len(answered(kms.generate_random, NumberOfBytes=1024)["Plaintext"]) == 1024
    assert refused(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")
    assert refused(kms.generate_random, NumberOfBytes=1025) == invalid(
        "Value '1025' at 'numberOfBytes' failed to satisfy constraint: "
        "Member must have value less than or equal to 1024"
    )


# Aliases


def test_an_alias_leads_to_a_key_then_to_another_then_nowhere(kms: Any, key: str, account: str) -> None:
    name = f"alias/{uuid.uuid4()}"
    arn = f"arn:aws:kms:{REGION}:{account}:{name}"
    other = kms.create_key()["KeyMetadata"]["Arn"]
    assert answered(kms.create_alias, AliasName=name, TargetKeyId=key) == {}
    assert answered(kms.describe_key, KeyId=name)["KeyMetadata"]["Arn"] == key
    assert answered(kms.encrypt, KeyId=arn, Plaintext=b"x")["KeyId"] == key
    (entry,) = answered(kms.list_aliases, KeyId=key)["Aliases"]
    assert entry.pop("CreationDate") == entry.pop("LastUpdatedDate")
    assert entry == {"AliasName": name, "AliasArn": arn, "TargetKeyId": key.rpartition("/")[2]}
    assert refused(kms.create_alias, AliasName=name, TargetKeyId=other) == (
        "AlreadyExistsException",
        f"An alias with the name {arn} already exists",
    )
    assert answered(kms.update_alias, AliasName=name, TargetKeyId=other) == {}
    assert answered(kms.describe_key, KeyId=name)["KeyMetadata"]["Arn"] == other
    assert answered(kms.delete_alias, AliasName=name) == {}
    gone = ("NotFoundException", f"Alias {arn} is not found.")
    assert refused(kms.describe_key, KeyId=name) == gone
    assert refused(kms.update_alias, AliasName=name, TargetKeyId=key) == gone
    assert refused(kms.delete_alias, AliasName=name) == gone


def test_names_that_cannot_be_aliases_are_refused(kms: Any, key: str) -> None:
    assert refused(kms.create_alias, AliasName="no-prefix", TargetKeyId=key) == (
        "ValidationException",
        'Alias must start with the prefix "alias/". Please see '
        "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
    )
    assert refused(kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=key) == (
        "InvalidAliasNameException",
        "Alias names that begin with alias/aws/ are reserved for AWS managed keys.",
    )
    assert answered(kms.list_aliases, KeyId=key)["Aliases"] == []


# Policies of keys


def test_a_policy_that_locks_everyone_out_is_refused_unless_wanted(kms: Any, key: str, account: str) -> None:
    before = kms.get_key_policy(KeyId=key)["Policy"]
    locked = _key_policy(_to(f"arn:aws:iam::{account}:root", "kms:Decrypt"))
    assert refused(kms.put_key_policy, KeyId=key, Policy=locked) == (
        "MalformedPolicyDocumentException",
        "The new key policy will not allow you to update the key policy in the future.",
    )
    assert kms.get_key_policy(KeyId=key)["Policy"] == before
    assert answered(kms.put_key_policy, KeyId=key, Policy=locked, BypassPolicyLockoutSafetyCheck=True) == {}
    who = f"arn:aws:iam::{account}:root"
    assert refused(kms.get_key_policy, KeyId=key)[0] == "AccessDeniedException"
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x") == denied(
        who, "kms:Encrypt", key, " because no resource-based policy allows the kms:Encrypt action"
    )


def test_without_the_accounts_statement_identity_policies_count_for_nothing(
    kms: Any, key: str, person: Person
) -> None:
    client = person.client("kms")
    other = a_person(person.server)
    person.may(allow("kms:*"))
    other.may(allow("kms:*"))
    assert answered(client.encrypt, KeyId=key, Plaintext=b"x")["KeyId"] == key
    kms.put_key_policy(KeyId=key, Policy=_key_policy(_to(other.arn)), BypassPolicyLockoutSafetyCheck=True)
    assert refused(client.encrypt, KeyId=key, Plaintext=b"x") == denied(
        person.arn, "kms:Encrypt", key, " because no resource-based policy allows the kms:Encrypt action"
    )
    theirs = other.client("kms")
    assert answered(theirs.encrypt, KeyId=key, Plaintext=b"x")["KeyId"] == key
    client.close()
    theirs.close()


def test_a_user_without_policies_uses_no_key(kms: Any, key: str, person: Person) -> None:
    client = person.client("kms")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for operation, action, request in (
        (client.describe_key, "kms:DescribeKey", {"KeyId": key}),
        (client.encrypt, "kms:Encrypt", {"KeyId": key, "Plaintext": b"x"}),
        (client.decrypt, "kms:Decrypt", {"CiphertextBlob": blob}),
        (client.generate_data_key, "kms:GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256"}),
        (client.disable_key, "kms:DisableKey", {"KeyId": key}),
        (client.schedule_key_deletion, "kms:ScheduleKeyDeletion", {"KeyId": key}),
    ):
        assert refused(operation, **request) == denied(person.arn, action, key)
    assert refused(client.create_key) == denied(person.arn, "kms:CreateKey", "*")
    assert refused(client.list_keys) == denied(person.arn, "kms:ListKeys", "*")
    assert _state(kms, key) == "Enabled"
    client.close()


# Under Secrets Manager


def test_the_default_key_is_made_on_first_use_in_a_region(server: Server, account: str) -> None:
    region = "ap-south-2"
    kms, secrets = server.client("kms", region=region), server.client("secretsmanager", region=region)
    alias = f"arn:aws:kms:{region}:{account}:{DEFAULT_ALIAS}"
    assert refused(kms.describe_key, KeyId=DEFAULT_ALIAS) == (
        "NotFoundException",
        f"Alias {alias} is not found.",
    )
    name = fresh()
    secrets.create_secret(Name=name, SecretString="x")
    described = answered(kms.describe_key, KeyId=DEFAULT_ALIAS)["KeyMetadata"]
    assert (described["KeyManager"], described["KeyState"]) == ("AWS", "Enabled")
    assert [each["AliasName"] for each in answered(kms.list_aliases)["Aliases"]] == [DEFAULT_ALIAS]
    assert "KmsKeyId" not in answered(secrets.describe_secret, SecretId=name)
    (version,) = answered(secrets.list_secret_version_ids, SecretId=name)["Versions"]
    assert version["KmsKeyIds"] == ["DefaultEncryptionKey"]
    for operation in (kms.disable_key, kms.schedule_key_deletion):
        assert refused(operation, KeyId=described["Arn"])[0] in (
            "AccessDeniedException",
            "UnsupportedOperationException",
        )
    assert value_of(secrets, name) == "x"
    kms.close()
    secrets.close()


def test_the_default_key_cannot_be_used_but_through_secrets_manager(
    kms: Any, secrets: Any, account: str
) -> None:
    secrets.create_secret(Name=fresh(), SecretString="x")
    key = kms.describe_key(KeyId=DEFAULT_ALIAS)["KeyMetadata"]["Arn"]
    who = f"arn:aws:iam::{account}:root"
    assert refused(kms.encrypt, KeyId=DEFAULT_ALIAS, Plaintext=b"x") == denied(
        who, "kms:Encrypt", key, " because no resource-based policy allows the kms:Encrypt action"
    )


@pytest.mark.parametrize("form", ["id", "ARN", "alias", "alias ARN"])
def test_a_secret_takes_its_key_in_every_form(
    kms: Any, secrets: Any, key: str, account: str, form: str
) -> None:
    alias = f"alias/{uuid.uuid4()}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    given = {
        "id": key.rpartition("/")[2],
        "ARN": key,
        "alias": alias,
        "alias ARN": f"arn:aws:kms:{REGION}:{account}:{alias}",
    }[form]
    name, value = fresh(), canary()
    secrets.create_secret(Name=name, SecretString=value, KmsKeyId=given)
    assert answered(secrets.describe_secret, SecretId=name)["KmsKeyId"] == given
    assert value_of(secrets, name) == value


def test_a_disabled_key_stops_reads_and_writes_at_once(kms: Any, secrets: Any, key: str) -> None:
    name = fresh()
    secrets.create_secret(Name=name, SecretString="x", KmsKeyId=key)
    for stop, start in (
        (kms.disable_key, kms.enable_key),
        (
            kms.schedule_key_deletion,
            lambda **which: (kms.cancel_key_deletion(**which), kms.enable_key(**which)),
        ),
    ):
        stop(KeyId=key)
        before = picture(secrets, name)
        assert refused(secrets.get_secret_value, SecretId=name) == CANNOT_DECRYPT
        assert refused(secrets.put_secret_value, SecretId=name, SecretString="y") == CANNOT_ENCRYPT
        assert answered(secrets.batch_get_secret_value, SecretIdList=[name]) == {
            "SecretValues": [],
            "Errors": [{"SecretId": name, "ErrorCode": CANNOT_DECRYPT[0], "Message": CANNOT_DECRYPT[1]}],
        }
        other = fresh()
        assert refused(secrets.create_secret, Name=other, SecretString="y", KmsKeyId=key) == CANNOT_ENCRYPT
        assert refused(secrets.describe_secret, SecretId=other) == NOT_FOUND
        assert picture(secrets, name) == before
        start(KeyId=key)
        assert value_of(secrets, name) == "x"


def test_a_key_that_is_not_there_makes_no_secret(secrets: Any) -> None:
    name = fresh()
    for key in (ABSENT, "alias/nothing"):
        assert refused(secrets.create_secret, Name=name, SecretString="x", KmsKeyId=key) == NO_SUCH_KEY
    assert refused(secrets.create_secret, Name=name, SecretString="x", KmsKeyId="fake") == (
        "InvalidParameterException",
        "The parameter KmsKeyId is not a valid KMS key identifier for this Region.",
    )
    assert refused(secrets.describe_secret, SecretId=name) == NOT_FOUND


def test_reading_needs_the_permission_to_decrypt_through_secrets_manager_for_this_secret(
    secrets: Any, key: str, person: Person
) -> None:
    name = fresh()
    arn = secrets.create_secret(Name=name, SecretString="x", KmsKeyId=key)["ARN"]
    client, kms = person.client(), person.client("kms")
    person.may(allow("secretsmanager:*"))
    assert refused(client.get_secret_value, SecretId=name) == NO_KMS
    assert refused(client.put_secret_value, SecretId=name, SecretString="y") == NO_KMS
    via = {
        "StringEquals": {
            "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": arn,
        }
    }
    person.may(allow("secretsmanager:*"), allow("kms:Decrypt", key, **via))
    assert value_of(client, name) == "x"
    assert refused(client.put_secret_value, SecretId=name, SecretString="y") == NO_KMS
    other = fresh()
    secrets.create_secret(Name=other, SecretString="x", KmsKeyId=key)
    assert refused(client.get_secret_value, SecretId=other) == NO_KMS
    assert refused(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == denied(
        person.arn, "kms:GenerateDataKey", key
    )
    client.close()
    kms.close()


def test_the_default_key_needs_no_permission_of_its_own(secrets: Any, person: Person) -> None:
    name = fresh()
    client = person.client()
    person.may(allow("secretsmanager:*"))
    client.create_secret(Name=name, SecretString="x")
    assert value_of(client, name) == "x"
    client.close()


def test_another_key_seals_the_current_and_previous_values_anew(kms: Any, secrets: Any, key: str) -> None:
    name = fresh()
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="2")["VersionId"]
    third = secrets.put_secret_value(SecretId=name, SecretString="3")["VersionId"]
    answer = answered(secrets.update_secret, SecretId=name, KmsKeyId=key)
    assert "VersionId" not in answer
    versions = answered(secrets.list_secret_version_ids, SecretId=name, IncludeDeprecated=True)["Versions"]
    keys = {each["VersionId"]: each["KmsKeyIds"] for each in versions}
    assert keys == {first: ["DefaultEncryptionKey"], second: [key], third: [key]}
    kms.disable_key(KeyId=key)
    assert refused(secrets.get_secret_value, SecretId=name) == CANNOT_DECRYPT
    assert answered(secrets.get_secret_value, SecretId=name, VersionId=first)["SecretString"] == "1"
    kms.enable_key(KeyId=key)
    assert answered(secrets.update_secret, SecretId=name, KmsKeyId="")["Name"] == name
    assert "KmsKeyId" not in answered(secrets.describe_secret, SecretId=name)
    assert value_of(secrets, name) == "3"
