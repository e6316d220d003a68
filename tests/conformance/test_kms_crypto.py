"""Key pairs, codes and shared secrets of KMS over TCP, checked outside by the cryptographic library.

Source: fact sheet kms sections 1, 3, 4, 9 and 15.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from support.accounts import TwoAccounts, two_accounts
from support.dialogue import Person, a_person, allow, answered, canary, denied, fresh, refused
from support.trails import records_of

DRY_RUN = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
MESSAGE = b"the meeting is on the bridge at seven"
CONTEXT = {"Purpose": "test"}


class House:
    """A server with two accounts, and KMS clients of both root users."""

    def __init__(self, accounts: TwoAccounts, directory: Path) -> None:
        self.accounts, self.directory = accounts, directory
        self.kms = accounts.client("kms", parameter_validation=False)
        self.there = accounts.other_client("kms", parameter_validation=False)

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    def key(self, spec: str, usage: str, **members: Any) -> str:
        """Return the ARN of a new key."""
        return str(self.kms.create_key(KeySpec=spec, KeyUsage=usage, **members)["KeyMetadata"]["Arn"])

    def unseen(self, *values: bytes) -> None:
        """None of these stands in a file of the data directory or in the log."""
        files = [path for path in self.directory.rglob("*") if path.is_file() and path.name != "root.key"]
        assert len(files) > 3
        for path in files:
            content = path.read_bytes()
            for value in values:
                assert value not in content, path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("kms-crypto")
    with two_accounts(directory) as accounts:
        yield House(accounts, directory)


@pytest.fixture
def person(house: House) -> Person:
    return a_person(house.accounts.server)


def public_key(house: House, key: str) -> Any:
    return load_der_public_key(answered(house.kms.get_public_key, KeyId=key)["PublicKey"])


SPECS: list[tuple[str, str, str, list[str]]] = [
    ("HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_224"]),
    ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_512"]),
    ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
    ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_512"]),
    ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", ["ED25519_SHA_512"]),
    ("ML_DSA_87", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
    ("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"]),
]


@pytest.mark.parametrize(("spec", "usage", "member", "algorithms"), SPECS)
def test_create_key_tells_what_the_key_is_for(
    house: House, spec: str, usage: str, member: str, algorithms: list[str]
) -> None:
    made = answered(house.kms.create_key, KeySpec=spec, KeyUsage=usage, Description="mine")["KeyMetadata"]
    assert answered(house.kms.describe_key, KeyId=made["KeyId"])["KeyMetadata"] == made
    assert made.pop("CreationDate").tzinfo is not None
    account, key_id = made["AWSAccountId"], made.pop("KeyId")
    assert made == {
        "AWSAccountId": account,
        "Arn": f"arn:aws:kms:eu-central-1:{account}:key/{key_id}",
        "CustomerMasterKeySpec": spec,
        "Description": "mine",
        "Enabled": True,
        "KeyManager": "CUSTOMER",
        "KeySpec": spec,
        "KeyState": "Enabled",
        "KeyUsage": usage,
        "MultiRegion": False,
        "Origin": "AWS_KMS",
        member: algorithms,
    }


def test_create_key_refuses_what_does_not_go_together(house: House) -> None:
    before = len(house.kms.list_keys()["Keys"])
    create = house.kms.create_key
    assert refused(create, KeySpec="HMAC_256") == (
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
    )
    assert refused(create, KeySpec="RSA_2048", KeyUsage="GENERATE_VERIFY_MAC") == (
        "ValidationException",
        "KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec RSA_2048",
    )
    assert refused(create, KeySpec="SM2", KeyUsage="SIGN_VERIFY") == (
        "UnsupportedOperationException",
        "KeySpec SM2 is not supported.",
    )
    code, message = refused(create, KeySpec="RSA_1024", KeyUsage="SIGN_VERIFY")
    assert (
        code,
        "at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set" in message,
    ) == (
        "ValidationException",
        True,
    )
    assert len(house.kms.list_keys()["Keys"]) == before


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512"),
        ("ECC_NIST_P256", "ECDSA_SHA_256"),
        ("ECC_NIST_P384", "ECDSA_SHA_384"),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
        ("ML_DSA_65", "ML_DSA_SHAKE_256"),
    ],
)
def test_signatures_hold_outside_and_wrong_ones_are_refused(house: House, spec: str, algorithm: str) -> None:
    key = house.key(spec, "SIGN_VERIFY")
    request = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": algorithm}
    answer = answered(house.kms.sign, **request)
    signature = answer.pop("Signature")
    assert answer == {"KeyId": key, "SigningAlgorithm": algorithm}
    public, hashed = public_key(house, key), _hash(algorithm)
    if isinstance(public, rsa.RSAPublicKey):
        pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
        public.verify(signature, MESSAGE, pss if "PSS" in algorithm else padding.PKCS1v15(), hashed)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, MESSAGE, ec.ECDSA(hashed))
    else:
        assert isinstance(public, ed25519.Ed25519PublicKey | mldsa.MLDSA65PublicKey)
        public.verify(signature, MESSAGE)
    assert answered(house.kms.verify, **request, Signature=signature) == {
        "KeyId": key,
        "SignatureValid": True,
        "SigningAlgorithm": algorithm,
    }
    for wrong in ({"Signature": signature[:-1] + b"?"}, {"Signature": b"?"}, {"Message": b"at eight"}):
        assert refused(house.kms.verify, **{**request, "Signature": signature, **wrong}) == (
            "KMSInvalidSignatureException",
            "",
        )


def _hash(algorithm: str) -> hashes.HashAlgorithm:
    return {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[algorithm[-3:]]()


def test_digests(house: House) -> None:
    key = house.key("ECC_NIST_P256", "SIGN_VERIFY")
    request = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256"}
    digest = hashlib.sha256(MESSAGE).digest()
    signature = house.kms.sign(Message=digest, MessageType="DIGEST", **request)["Signature"]
    public_key(house, key).verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    assert answered(house.kms.verify, Message=MESSAGE, Signature=signature, **request)["SignatureValid"]
    told = ("ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.")
    assert refused(house.kms.sign, Message=MESSAGE, MessageType="DIGEST", **request) == told
    assert refused(house.kms.verify, Message=b"x", MessageType="DIGEST", Signature=b"x", **request) == told


def test_longer_messages_than_4096_bytes_are_refused(house: House) -> None:
    key = house.key("ECC_NIST_P256", "SIGN_VERIFY")
    request = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256"}
    assert answered(house.kms.sign, Message=bytes(4096), **request)
    assert refused(house.kms.sign, Message=bytes(4097), **request) == (
        "ValidationException",
        "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length "
        "less than or equal to 4096",
    )


@pytest.mark.parametrize("size", [224, 256, 384, 512])
def test_codes(house: House, size: int) -> None:
    key, algorithm = house.key(f"HMAC_{size}", "GENERATE_VERIFY_MAC"), f"HMAC_SHA_{size}"
    request = {"KeyId": key, "Message": MESSAGE, "MacAlgorithm": algorithm}
    answer = answered(house.kms.generate_mac, **request)
    mac = answer.pop("Mac")
    assert len(mac) == size // 8
    assert answer == {"KeyId": key, "MacAlgorithm": algorithm}
    assert answered(house.kms.verify_mac, **request, Mac=mac) == {
        "KeyId": key,
        "MacValid": True,
        "MacAlgorithm": algorithm,
    }
    for wrong in ({"Mac": mac[:-1]}, {"Message": b"some different important message"}):
        assert refused(house.kms.verify_mac, **{**request, "Mac": mac, **wrong}) == (
            "KMSInvalidMacException",
            "",
        )
    other = "HMAC_SHA_512" if size != 512 else "HMAC_SHA_224"
    assert refused(house.kms.generate_mac, **{**request, "MacAlgorithm": other}) == (
        "InvalidKeyUsageException",
        f"Algorithm {other} is incompatible with key spec HMAC_{size}.",
    )


def test_a_key_does_only_what_it_is_for(house: House) -> None:
    symmetric = house.kms.create_key()["KeyMetadata"]["Arn"]
    mac_key = house.key("HMAC_256", "GENERATE_VERIFY_MAC")
    signer = house.key("ECC_NIST_P256", "SIGN_VERIFY")
    mac = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    signing = {"Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}

    def wrong(key: str, usage: str, operation: str) -> tuple[str, str]:
        return "InvalidKeyUsageException", f"{key} key usage is {usage} which is not valid for {operation}."

    kms = house.kms
    assert refused(kms.generate_mac, KeyId=symmetric, **mac) == wrong(
        symmetric, "ENCRYPT_DECRYPT", "GenerateMac"
    )
    assert refused(kms.sign, KeyId=mac_key, **signing) == wrong(mac_key, "GENERATE_VERIFY_MAC", "Sign")
    assert refused(kms.verify, KeyId=symmetric, Signature=b"x", **signing) == wrong(
        symmetric, "ENCRYPT_DECRYPT", "Verify"
    )
    assert refused(kms.encrypt, KeyId=signer, Plaintext=b"x") == wrong(signer, "SIGN_VERIFY", "Encrypt")
    blob = kms.encrypt(KeyId=symmetric, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.decrypt, KeyId=mac_key, CiphertextBlob=blob) == (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
    assert refused(kms.get_public_key, KeyId=symmetric)[0] == "UnsupportedOperationException"
    told = ("InvalidParameterException", "Cannot generate a data key with an asymmetric KMS key")
    secrets = house.accounts.client("secretsmanager")
    name = fresh()
    assert refused(secrets.create_secret, Name=name, SecretString="x", KmsKeyId=signer) == told
    assert refused(secrets.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_rsa_encryption(house: House, algorithm: str) -> None:
    key, secret = house.key("RSA_2048", "ENCRYPT_DECRYPT"), canary().encode()
    answer = answered(house.kms.encrypt, KeyId=key, Plaintext=secret, EncryptionAlgorithm=algorithm)
    blob = answer.pop("CiphertextBlob")
    assert (answer, len(blob)) == ({"KeyId": key, "EncryptionAlgorithm": algorithm}, 256)
    kind: Any = hashes.SHA1 if algorithm.endswith("SHA_1") else hashes.SHA256
    outside = public_key(house, key).encrypt(secret, padding.OAEP(padding.MGF1(kind()), kind(), None))
    for each in (blob, outside):
        opening = {"KeyId": key, "CiphertextBlob": each, "EncryptionAlgorithm": algorithm}
        assert answered(house.kms.decrypt, **opening) == {
            "KeyId": key,
            "Plaintext": secret,
            "EncryptionAlgorithm": algorithm,
        }
    limit = 214 if algorithm.endswith("SHA_1") else 190
    assert refused(
        house.kms.encrypt, KeyId=key, Plaintext=bytes(limit + 1), EncryptionAlgorithm=algorithm
    ) == (
        "ValidationException",
        f"Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {limit} bytes.",
    )
    for wrong in (
        {"CiphertextBlob": blob[:-1] + bytes((blob[-1] ^ 1,))},
        {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    ):
        assert refused(house.kms.decrypt, **{**opening, **wrong}) == ("InvalidCiphertextException", "")
    house.unseen(secret)


def test_two_sides_derive_one_secret(house: House) -> None:
    key, bob = house.key("ECC_NIST_P256", "KEY_AGREEMENT"), ec.generate_private_key(ec.SECP256R1())
    peer = bob.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    request = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH"}
    answer = answered(house.kms.derive_shared_secret, PublicKey=peer, **request)
    shared = bob.exchange(ec.ECDH(), public_key(house, key))
    assert answer == {**request, "SharedSecret": shared, "KeyOrigin": "AWS_KMS"}
    assert refused(house.kms.derive_shared_secret, PublicKey=b"x", **request)[0] == "ValidationException"
    signer = house.key("ECC_NIST_P256", "SIGN_VERIFY")
    assert refused(house.kms.derive_shared_secret, PublicKey=peer, **{**request, "KeyId": signer}) == (
        "InvalidKeyUsageException",
        f"{signer} key usage is SIGN_VERIFY which is not valid for DeriveSharedSecret.",
    )
    house.unseen(shared)


def test_a_secret_is_handed_to_the_owner_of_a_key(house: House) -> None:
    key = house.key("ML_KEM_768", "ENCAPSULATE_DECAPSULATE")
    request = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    secret, blob = public_key(house, key).encapsulate()
    opened = answered(house.kms.decapsulate, SharedSecretCiphertextBlob=blob, **request)
    assert opened == {**request, "SharedSecret": secret}
    answer = answered(house.kms.encapsulate, **request)
    blob = answer.pop("SharedSecretCiphertextBlob")
    assert answered(house.kms.decapsulate, SharedSecretCiphertextBlob=blob, **request) == answer
    assert refused(house.kms.decapsulate, SharedSecretCiphertextBlob=blob[1:], **request) == (
        "InvalidCiphertextException",
        "",
    )
    house.unseen(secret, answer["SharedSecret"])


@pytest.mark.parametrize("spec", ["RSA_3072", "ECC_NIST_P384", "ECC_NIST_EDWARDS25519"])
def test_data_key_pairs(house: House, spec: str) -> None:
    key = house.kms.create_key()["KeyMetadata"]["Arn"]
    request = {"KeyId": key, "KeyPairSpec": spec, "EncryptionContext": CONTEXT}
    answer = answered(house.kms.generate_data_key_pair, **request)
    plaintext = answer.pop("PrivateKeyPlaintext")
    private: Any = load_der_private_key(plaintext, None)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert answer.pop("PublicKey") == spki
    blob = answer.pop("PrivateKeyCiphertextBlob")
    opened = answered(house.kms.decrypt, CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (plaintext, answer.pop("KeyMaterialId"))
    assert answer == {"KeyId": key, "KeyPairSpec": spec}
    assert refused(house.kms.decrypt, CiphertextBlob=blob) == ("InvalidCiphertextException", "")
    other = answered(house.kms.generate_data_key_pair_without_plaintext, **request)
    assert set(other) == {"KeyId", "KeyPairSpec", "KeyMaterialId", "PublicKey", "PrivateKeyCiphertextBlob"}
    assert other["PublicKey"] != spki
    house.unseen(plaintext)


def test_data_keys_without_plaintext(house: House) -> None:
    key = house.kms.create_key()["KeyMetadata"]["Arn"]
    answer = answered(house.kms.generate_data_key_without_plaintext, KeyId=key, NumberOfBytes=24)
    assert set(answer) == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert len(answered(house.kms.decrypt, CiphertextBlob=answer["CiphertextBlob"])["Plaintext"]) == 24
    wrong = house.key("RSA_2048", "ENCRYPT_DECRYPT")
    assert refused(house.kms.generate_data_key, KeyId=wrong, KeySpec="AES_256") == (
        "InvalidKeyUsageException",
        "Cannot generate a data key with an asymmetric KMS key",
    )


def test_re_encrypting_from_rsa_to_symmetric(house: House) -> None:
    old, new = house.key("RSA_2048", "ENCRYPT_DECRYPT"), house.kms.create_key()["KeyMetadata"]["Arn"]
    algorithm = "RSAES_OAEP_SHA_256"
    blob = house.kms.encrypt(KeyId=old, Plaintext=MESSAGE, EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    answer = answered(
        house.kms.re_encrypt,
        CiphertextBlob=blob,
        SourceKeyId=old,
        SourceEncryptionAlgorithm=algorithm,
        DestinationKeyId=new,
        DestinationEncryptionContext=CONTEXT,
    )
    opened = answered(
        house.kms.decrypt, CiphertextBlob=answer.pop("CiphertextBlob"), EncryptionContext=CONTEXT
    )
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (MESSAGE, answer.pop("DestinationKeyMaterialId"))
    assert answer == {
        "SourceKeyId": old,
        "KeyId": new,
        "SourceEncryptionAlgorithm": algorithm,
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }


def test_dry_runs_tell_permission_and_do_nothing(house: House, person: Person) -> None:
    symmetric = house.kms.create_key()["KeyMetadata"]["Arn"]
    signer = house.key("RSA_2048", "SIGN_VERIFY")
    mac_key = house.key("HMAC_256", "GENERATE_VERIFY_MAC")
    agreement = house.key("ECC_NIST_P256", "KEY_AGREEMENT")
    peer = house.kms.get_public_key(KeyId=agreement)["PublicKey"]
    blob = house.kms.encrypt(KeyId=symmetric, Plaintext=b"x")["CiphertextBlob"]
    signing = {"KeyId": signer, "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    mac = {"KeyId": mac_key, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("encrypt", "Encrypt", {"KeyId": symmetric, "Plaintext": b"x"}),
        ("decrypt", "Decrypt", {"KeyId": symmetric, "CiphertextBlob": blob}),
        ("generate_data_key", "GenerateDataKey", {"KeyId": symmetric, "KeySpec": "AES_256"}),
        (
            "generate_data_key_without_plaintext",
            "GenerateDataKeyWithoutPlaintext",
            {"KeyId": symmetric, "KeySpec": "AES_256"},
        ),
        ("generate_data_key_pair", "GenerateDataKeyPair", {"KeyId": symmetric, "KeyPairSpec": "RSA_4096"}),
        (
            "generate_data_key_pair_without_plaintext",
            "GenerateDataKeyPairWithoutPlaintext",
            {"KeyId": symmetric, "KeyPairSpec": "RSA_4096"},
        ),
        ("sign", "Sign", signing),
        ("verify", "Verify", {**signing, "Signature": b"x"}),
        ("generate_mac", "GenerateMac", mac),
        ("verify_mac", "VerifyMac", {**mac, "Mac": b"x"}),
        (
            "derive_shared_secret",
            "DeriveSharedSecret",
            {"KeyId": agreement, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer},
        ),
    ]
    stranger = person.client("kms")
    for method, action, request in calls:
        assert refused(getattr(house.kms, method), DryRun=True, **request) == DRY_RUN, method
        refusal = refused(getattr(stranger, method), DryRun=True, **request)
        assert refusal == denied(person.arn, f"kms:{action}", request["KeyId"]), method
    re_encrypting = {"CiphertextBlob": blob, "DestinationKeyId": symmetric, "DryRun": True}
    assert refused(house.kms.re_encrypt, **re_encrypting) == DRY_RUN
    ignoring = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert refused(house.kms.decrypt, KeyId=symmetric, **ignoring) == DRY_RUN
    assert refused(stranger.decrypt, KeyId=symmetric, **ignoring) == denied(
        person.arn, "kms:Decrypt", symmetric
    )


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("disable_key", ("DisabledException", "{} is disabled.")),
        ("schedule_key_deletion", ("KMSInvalidStateException", "{} is pending deletion.")),
    ],
)
def test_keys_out_of_use_do_nothing(house: House, state: str, text: tuple[str, str]) -> None:
    signer = house.key("ECC_NIST_P256", "SIGN_VERIFY")
    mac_key = house.key("HMAC_256", "GENERATE_VERIFY_MAC")
    for key in (signer, mac_key):
        getattr(house.kms, state)(KeyId=key)
        house.kms.describe_key(KeyId=key)
    signing = {"KeyId": signer, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    mac = {"KeyId": mac_key, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    told = text[0], text[1].format(signer)
    assert refused(house.kms.sign, **signing) == told
    assert refused(house.kms.verify, **signing, Signature=b"x") == told
    assert refused(house.kms.get_public_key, KeyId=signer) == told
    told = text[0], text[1].format(mac_key)
    assert refused(house.kms.generate_mac, **mac) == told
    assert refused(house.kms.verify_mac, **mac, Mac=b"x") == told


def test_conditions_bind_signing_to_algorithm_and_alias(house: House, person: Person) -> None:
    key, alias = house.key("RSA_2048", "SIGN_VERIFY"), f"alias/{fresh('signer').replace('.', '-')}"
    house.kms.create_alias(AliasName=alias, TargetKeyId=key)
    person.may(
        allow(
            "kms:Sign",
            StringEquals={"kms:SigningAlgorithm": "RSASSA_PSS_SHA_256", "kms:RequestAlias": alias},
        )
    )
    sign = person.client("kms").sign
    good = {"KeyId": alias, "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    assert answered(sign, **good)["KeyId"] == key
    for wrong in ({"SigningAlgorithm": "RSASSA_PSS_SHA_512"}, {"KeyId": key}):
        assert refused(sign, **{**good, **wrong}) == denied(person.arn, "kms:Sign", key)


def test_another_account_signs_by_arn_when_both_sides_allow(house: House) -> None:
    key = house.key("ECC_NIST_P256", "SIGN_VERIFY")
    request = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    other = house.accounts.other_account_id
    assert refused(house.there.sign, **request)[0] == "AccessDeniedException"
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": action,
            "Resource": "*",
        }
        for account, action in ((key.split(":")[4], "kms:*"), (other, ["kms:Sign", "kms:GetPublicKey"]))
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    house.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document)
    signature = answered(house.there.sign, **request)["Signature"]
    public_key(house, key).verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    assert answered(house.there.get_public_key, KeyId=key)["KeyId"] == key
    assert refused(house.there.verify, Signature=signature, **request)[0] == "AccessDeniedException"
    assert refused(house.there.disable_key, KeyId=key)[0] == "AccessDeniedException"


def test_keys_are_made_side_by_side(house: House) -> None:
    # More at once than threads that make them; the others wait, and everything else is answered meanwhile.
    with ThreadPoolExecutor(8) as threads:
        making = [threads.submit(house.key, "RSA_3072", "SIGN_VERIFY") for _ in range(6)]
        while not all(each.done() for each in making):
            assert answered(house.kms.generate_random, NumberOfBytes=8)
        made = {each.result() for each in making}
    publics = {house.kms.get_public_key(KeyId=each)["PublicKey"] for each in made}
    assert (len(made), len(publics)) == (6, 6)


def test_records_name_the_key_and_hold_no_message(house: House) -> None:
    signer = house.key("RSA_2048", "SIGN_VERIFY")
    mac_key = house.key("HMAC_256", "GENERATE_VERIFY_MAC")
    secret = canary().encode()
    kms = house.kms
    signing = {"KeyId": signer, "Message": secret, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    signed = kms.sign(**signing)
    mac = kms.generate_mac(KeyId=mac_key, Message=secret, MacAlgorithm="HMAC_SHA_256")
    account = signer.split(":")[4]
    for answer, name, key, parameters in (
        (signed, "Sign", signer, {"keyId": signer, "signingAlgorithm": "RSASSA_PSS_SHA_256"}),
        (mac, "GenerateMac", mac_key, {"keyId": mac_key, "macAlgorithm": "HMAC_SHA_256"}),
    ):
        [record] = records_of(house.data_dir, answer["ResponseMetadata"]["RequestId"])
        assert (record["eventSource"], record["eventName"]) == ("kms.amazonaws.com", name)
        assert (record["readOnly"], record["responseElements"]) == (True, None)
        assert record["resources"] == [{"accountId": account, "type": "AWS::KMS::Key", "ARN": key}]
        kept = {member: value for member, value in record["requestParameters"].items() if value is not None}
        assert kept == parameters
        assert secret.decode() not in json.dumps(record)
    with pytest.raises(ClientError) as caught:
        kms.verify(Signature=b"x", **signing)
    [record] = records_of(house.data_dir, caught.value.response["ResponseMetadata"]["RequestId"])
    assert (record["eventName"], record["errorCode"]) == ("Verify", "KMSInvalidSignatureException")
    house.unseen(secret)


def test_a_slow_call_has_one_record(house: House) -> None:
    made = house.kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Description=fresh("slow"))
    [record] = records_of(house.data_dir, made["ResponseMetadata"]["RequestId"])
    assert (record["eventName"], record["readOnly"]) == ("CreateKey", False)
    assert record["requestParameters"]["keySpec"] == "RSA_2048"
    pair = house.kms.generate_data_key_pair(
        KeyId=house.kms.create_key()["KeyMetadata"]["KeyId"], KeyPairSpec="RSA_2048"
    )
    [record] = records_of(house.data_dir, pair["ResponseMetadata"]["RequestId"])
    assert (record["eventName"], record["responseElements"]) == ("GenerateDataKeyPair", None)


def test_codes_are_those_of_the_keys_material_only(house: House) -> None:
    one, two = (house.key("HMAC_256", "GENERATE_VERIFY_MAC") for _ in range(2))
    request = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    codes = [house.kms.generate_mac(KeyId=key, **request)["Mac"] for key in (one, one, two)]
    assert codes[0] == codes[1] != codes[2]
    assert not hmac.compare_digest(codes[0], hashlib.sha256(MESSAGE).digest())
