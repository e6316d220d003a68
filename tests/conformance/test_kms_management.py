"""Grants, rotation, import and multi-Region keys over TCP, by themselves and under Secrets Manager.

Source: fact sheet kms sections 3, 4, 6 and 13.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from support.dialogue import (
    NO_KMS,
    Person,
    a_person,
    allow,
    answered,
    canary,
    deny,
    fresh,
    refused,
    value_of,
)
from support.running import Server

CANNOT_DECRYPT = (
    "DecryptionFailure",
    "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
)
READ = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]


@pytest.fixture(scope="module")
def kms(server: Server) -> Iterator[Any]:
    client = server.client("kms")
    yield client
    client.close()


@pytest.fixture
def key(kms: Any) -> str:
    """The ARN of a new key."""
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


def test_a_secret_is_readable_through_a_grant_alone_and_not_once_it_is_revoked(
    kms: Any, secrets: Any, key: str, person: Person
) -> None:
    name, value = fresh(), canary()
    arn = answered(secrets.create_secret, Name=name, SecretString=value, KmsKeyId=key)["ARN"]
    person.may(allow(READ))
    client = person.client()
    assert refused(client.get_secret_value, SecretId=name) == NO_KMS
    made = answered(
        kms.create_grant,
        KeyId=key,
        GranteePrincipal=person.arn,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextSubset": {"SecretARN": arn}},
    )
    assert value_of(client, name) == value
    # The grant is for this secret alone, for reading alone, and a Deny is stronger.
    other = fresh()
    answered(secrets.create_secret, Name=other, SecretString=canary(), KmsKeyId=key)
    assert refused(client.get_secret_value, SecretId=other) == NO_KMS
    person.may(allow([*READ, "secretsmanager:PutSecretValue"]))
    assert refused(client.put_secret_value, SecretId=name, SecretString=canary()) == NO_KMS
    person.may(allow(READ), deny("kms:Decrypt"))
    assert refused(client.get_secret_value, SecretId=name) == NO_KMS
    person.may(allow(READ))
    assert value_of(client, name) == value
    assert answered(kms.revoke_grant, KeyId=key, GrantId=made["GrantId"]) == {}
    for _ in range(8):
        assert refused(client.get_secret_value, SecretId=name) == NO_KMS
    assert answered(kms.list_grants, KeyId=key) == {"Grants": [], "Truncated": False}


def test_a_grant_is_listed_retired_by_its_token_and_gone(kms: Any, key: str, person: Person) -> None:
    request = {
        "KeyId": key,
        "GranteePrincipal": person.arn,
        "RetiringPrincipal": person.arn,
        "Operations": ["Encrypt", "DescribeKey"],
        "Name": "one",
    }
    made, again = answered(kms.create_grant, **request), answered(kms.create_grant, **request)
    assert made["GrantId"] == again["GrantId"]
    assert made["GrantToken"] != again["GrantToken"]
    for listing in (
        answered(kms.list_grants, KeyId=key, GranteePrincipal=person.arn),
        answered(kms.list_retirable_grants, RetiringPrincipal=person.arn),
    ):
        assert [each["GrantId"] for each in listing["Grants"]] == [made["GrantId"]]
    mine = person.client("kms")
    sealed = answered(mine.encrypt, KeyId=key, Plaintext=b"value", GrantTokens=[made["GrantToken"]])
    assert answered(kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"] == b"value"
    answered(mine.retire_grant, GrantToken=again["GrantToken"])
    code, _ = refused(mine.encrypt, KeyId=key, Plaintext=b"value")
    assert code == "AccessDeniedException"
    code, message = refused(kms.retire_grant, KeyId=key, GrantId=made["GrantId"])
    assert (code, message) == ("NotFoundException", f"Grant '{made['GrantId']}' does not exist")


def test_secrets_outlive_the_rotation_of_their_key(kms: Any, secrets: Any, key: str) -> None:
    name, old, new = fresh(), canary(), canary()
    first = answered(secrets.create_secret, Name=name, SecretString=old, KmsKeyId=key)["VersionId"]
    answered(kms.rotate_key_on_demand, KeyId=key)
    assert value_of(secrets, name) == old
    answered(secrets.put_secret_value, SecretId=name, SecretString=new)
    assert value_of(secrets, name) == new
    assert answered(secrets.get_secret_value, SecretId=name, VersionId=first)["SecretString"] == old
    rotations = answered(kms.list_key_rotations, KeyId=key)["Rotations"]
    assert [each["RotationType"] for each in rotations] == ["ON_DEMAND"]
    answered(kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=90)
    status = answered(kms.get_key_rotation_status, KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    answered(kms.disable_key_rotation, KeyId=key)
    assert answered(kms.get_key_rotation_status, KeyId=key)["KeyRotationEnabled"] is False


def test_a_key_out_of_use_stops_its_secrets_and_back_in_use_opens_them(
    kms: Any, secrets: Any, key: str
) -> None:
    name, value = fresh(), canary()
    answered(secrets.create_secret, Name=name, SecretString=value, KmsKeyId=key)
    answered(kms.disable_key, KeyId=key)
    assert refused(secrets.get_secret_value, SecretId=name) == CANNOT_DECRYPT
    answered(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    assert refused(secrets.get_secret_value, SecretId=name) == CANNOT_DECRYPT
    answered(kms.cancel_key_deletion, KeyId=key)
    assert refused(secrets.get_secret_value, SecretId=name) == CANNOT_DECRYPT
    answered(kms.enable_key, KeyId=key)
    assert value_of(secrets, name) == value


def test_a_secret_under_imported_material_is_closed_while_that_is_away(kms: Any, secrets: Any) -> None:
    key = answered(kms.create_key, Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    material = bytes(range(32))

    def bring() -> None:
        given = answered(
            kms.get_parameters_for_import,
            KeyId=key,
            WrappingAlgorithm="RSAES_OAEP_SHA_256",
            WrappingKeySpec="RSA_2048",
        )
        public = load_der_public_key(given["PublicKey"])
        assert isinstance(public, rsa.RSAPublicKey)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        answered(
            kms.import_key_material,
            KeyId=key,
            ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=public.encrypt(material, oaep),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )

    bring()
    name, value = fresh(), canary()
    answered(secrets.create_secret, Name=name, SecretString=value, KmsKeyId=key)
    answered(kms.delete_imported_key_material, KeyId=key)
    assert refused(secrets.get_secret_value, SecretId=name) == CANNOT_DECRYPT
    assert answered(kms.describe_key, KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    bring()
    assert value_of(secrets, name) == value


def test_a_multi_region_key_opens_in_its_other_region(server: Server, kms: Any) -> None:
    key_id = answered(kms.create_key, MultiRegion=True)["KeyMetadata"]["KeyId"]
    blob = answered(kms.encrypt, KeyId=key_id, Plaintext=b"value")["CiphertextBlob"]
    there = server.client("kms", region="us-east-1")
    code, _ = refused(there.decrypt, CiphertextBlob=blob)
    assert code == "AccessDeniedException"
    made = answered(kms.replicate_key, KeyId=key_id, ReplicaRegion="us-east-1")["ReplicaKeyMetadata"]
    opened = answered(there.decrypt, CiphertextBlob=blob)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"value", made["Arn"])
    answered(kms.update_primary_region, KeyId=key_id, PrimaryRegion="us-east-1")
    kinds = {
        client: answered(client.describe_key, KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
        for client in (kms, there)
    }
    assert (kinds[kms]["MultiRegionKeyType"], kinds[there]["MultiRegionKeyType"]) == ("REPLICA", "PRIMARY")
