"""Which KMS key a secret's values are under. Source: fact sheets secretsmanager section 6, kms section 13."""

from __future__ import annotations

from typing import Any

import pytest

from support.dialogue import NO_KMS, NOT_FOUND, a_person, allow, answered, canary, deny, fresh, refused
from support.running import Server
from support.stillness import a_region, a_token, unchanged

DEFAULT = ["DefaultEncryptionKey"]
DEFAULT_ALIAS = "alias/aws/secretsmanager"
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
NOT_A_KEY = (
    "InvalidParameterException",
    "The parameter KmsKeyId is not a valid KMS key identifier for this Region.",
)


@pytest.fixture(scope="module")
def kms(server: Server) -> Any:
    return server.client("kms")


@pytest.fixture
def key(kms: Any) -> dict[str, str]:
    """A customer managed key, by each of its four names."""
    made = kms.create_key()["KeyMetadata"]
    alias = "alias/" + fresh("key").replace(".", "-")
    kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    arn = made["Arn"]
    return {
        "id": made["KeyId"],
        "arn": arn,
        "alias": alias,
        "alias arn": arn.rpartition(":")[0] + ":" + alias,
    }


def keys_of(client: Any, name: str) -> dict[str, list[str]]:
    """Return each version's keys."""
    listed = answered(client.list_secret_version_ids, SecretId=name, IncludeDeprecated=True)
    return {version["VersionId"]: version["KmsKeyIds"] for version in listed["Versions"]}


def shown_key(client: Any, name: str) -> str | None:
    described: dict[str, str] = answered(client.describe_secret, SecretId=name)
    return described.get("KmsKeyId")


def test_without_a_key_the_default_one_is_made_on_first_use(server: Server) -> None:
    region = a_region()
    client, kms = server.client("secretsmanager", region=region), server.client("kms", region=region)
    assert [each["AliasName"] for each in kms.list_aliases()["Aliases"]] == []
    name, token = fresh("default"), a_token()
    client.create_secret(Name=name, SecretString="x", ClientRequestToken=token)
    (alias,) = kms.list_aliases()["Aliases"]
    assert alias["AliasName"] == DEFAULT_ALIAS
    assert kms.describe_key(KeyId=DEFAULT_ALIAS)["KeyMetadata"]["KeyManager"] == "AWS"
    assert (keys_of(client, name), shown_key(client, name)) == ({token: DEFAULT}, None)


@pytest.mark.parametrize("kind", ["id", "arn", "alias", "alias arn"])
def test_a_key_may_be_named_four_ways_and_is_shown_as_named(
    secrets: Any, key: dict[str, str], kind: str
) -> None:
    created, updated, value = fresh("created"), fresh("updated"), canary()
    made = answered(secrets.create_secret, Name=created, SecretString=value, KmsKeyId=key[kind])
    assert keys_of(secrets, created) == {made["VersionId"]: [key["arn"]]}
    secrets.create_secret(Name=updated, SecretString=value)
    answered(secrets.update_secret, SecretId=updated, KmsKeyId=key[kind])
    for name in (created, updated):
        assert shown_key(secrets, name) == key[kind]
        assert answered(secrets.get_secret_value, SecretId=name)["SecretString"] == value
        (entry,) = secrets.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"]
        assert entry["KmsKeyId"] == key[kind]


@pytest.mark.parametrize("sent", ["", DEFAULT_ALIAS], ids=["empty", "its alias"])
def test_the_default_key_is_never_shown(secrets: Any, sent: str) -> None:
    name = fresh("default")
    made = secrets.create_secret(Name=name, SecretString="x", KmsKeyId=sent)
    assert (keys_of(secrets, name), shown_key(secrets, name)) == ({made["VersionId"]: DEFAULT}, None)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("alias/there-is-no-such-alias", NO_SUCH_KEY),
        ("11111111-2222-3333-4444-555555555555", NO_SUCH_KEY),
        ("not a key", NOT_A_KEY),
        ("arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555", NOT_A_KEY),
    ],
    ids=["alias", "id", "no name of a key", "other region"],
)
def test_a_key_that_is_not_there_is_refused(secrets: Any, named: str, expected: tuple[str, str]) -> None:
    absent, name = fresh("absent"), fresh("present")
    for value in ({"SecretString": "x"}, {}):
        assert refused(secrets.create_secret, Name=absent, KmsKeyId=named, **value) == expected
        assert refused(secrets.describe_secret, SecretId=absent) == NOT_FOUND
    secrets.create_secret(Name=name, SecretString="x")
    with unchanged(secrets, name):
        assert refused(secrets.update_secret, SecretId=name, KmsKeyId=named, Description="new") == expected


def test_a_new_key_encrypts_the_versions_in_use_anew_and_no_others(secrets: Any, key: dict[str, str]) -> None:
    name = fresh("changed")
    made = [secrets.create_secret(Name=name, SecretString="0")["VersionId"]]
    made += [secrets.put_secret_value(SecretId=name, SecretString=str(n))["VersionId"] for n in (1, 2)]
    for stage, value in (("AWSPENDING", "3"), ("MINE", "4")):
        put = {"SecretId": name, "SecretString": value, "VersionStages": [stage]}
        made.append(secrets.put_secret_value(**put)["VersionId"])
    deprecated, previous, current, pending, custom = made
    answered(secrets.update_secret, SecretId=name, KmsKeyId=key["arn"])
    own = [key["arn"]]
    expected = {deprecated: DEFAULT, previous: own, current: own, pending: own, custom: DEFAULT}
    assert keys_of(secrets, name) == expected
    for number, version in enumerate(made):
        read = answered(secrets.get_secret_value, SecretId=name, VersionId=version)
        assert read["SecretString"] == str(number)
    after = secrets.put_secret_value(SecretId=name, SecretString="5")["VersionId"]
    assert keys_of(secrets, name)[after] == own

    answered(secrets.update_secret, SecretId=name, KmsKeyId="")
    assert shown_key(secrets, name) is None
    keys = keys_of(secrets, name)
    assert (keys[after], keys[current], keys[previous]) == (DEFAULT, DEFAULT, own)
    assert answered(secrets.get_secret_value, SecretId=name)["SecretString"] == "5"


def test_key_and_value_may_change_in_one_update(secrets: Any, key: dict[str, str]) -> None:
    name = fresh("both")
    first = secrets.create_secret(Name=name, SecretString="one")["VersionId"]
    second = secrets.update_secret(SecretId=name, SecretString="two", KmsKeyId=key["id"])["VersionId"]
    assert keys_of(secrets, name) == {first: [key["arn"]], second: [key["arn"]]}
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "two"
    assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"] == "one"


def test_without_encrypt_on_the_new_key_versions_stay_under_the_old(
    server: Server, secrets: Any, key: dict[str, str]
) -> None:
    name = fresh("stays")
    first = secrets.create_secret(Name=name, SecretString="one")["VersionId"]
    person = a_person(server)
    person.may(allow("secretsmanager:*"), allow(["kms:GenerateDataKey", "kms:Decrypt"], key["arn"]))
    answered(person.client().update_secret, SecretId=name, KmsKeyId=key["arn"])
    assert (keys_of(secrets, name), shown_key(secrets, name)) == ({first: DEFAULT}, key["arn"])
    second = secrets.put_secret_value(SecretId=name, SecretString="two")["VersionId"]
    assert keys_of(secrets, name) == {first: DEFAULT, second: [key["arn"]]}
    assert secrets.get_secret_value(SecretId=name, VersionId=first)["SecretString"] == "one"


def test_a_disabled_key_stops_reading_and_writing_until_it_is_enabled(
    secrets: Any, kms: Any, key: dict[str, str]
) -> None:
    name, absent, other, value = fresh("disabled"), fresh("absent"), fresh("other"), canary()
    version = secrets.create_secret(Name=name, SecretString=value, KmsKeyId=key["arn"])["VersionId"]
    secrets.create_secret(Name=other, SecretString="x")
    before = secrets.describe_secret(SecretId=name)
    kms.disable_key(KeyId=key["id"])

    assert refused(secrets.get_secret_value, SecretId=name) == CANNOT_DECRYPT
    assert refused(secrets.get_secret_value, SecretId=name, VersionId=version) == CANNOT_DECRYPT
    batch = answered(secrets.batch_get_secret_value, SecretIdList=[name, other])
    assert [each["Name"] for each in batch["SecretValues"]] == [other]
    assert batch["Errors"] == [
        {"SecretId": name, "ErrorCode": CANNOT_DECRYPT[0], "Message": CANNOT_DECRYPT[1]}
    ]
    assert refused(secrets.put_secret_value, SecretId=name, SecretString="new") == CANNOT_ENCRYPT
    assert refused(secrets.update_secret, SecretId=name, SecretString="new") == CANNOT_ENCRYPT
    create = {"Name": absent, "SecretString": "x", "KmsKeyId": key["arn"]}
    assert refused(secrets.create_secret, **create) == CANNOT_ENCRYPT
    assert refused(secrets.describe_secret, SecretId=absent) == NOT_FOUND
    assert refused(secrets.update_secret, SecretId=other, KmsKeyId=key["arn"]) == CANNOT_ENCRYPT
    # The same token again: the values cannot be compared.
    again = {"SecretId": name, "SecretString": value, "ClientRequestToken": version}
    assert refused(secrets.put_secret_value, **again) == CANNOT_DECRYPT
    # A key that cannot open cannot be changed away from.
    assert refused(secrets.update_secret, SecretId=name, KmsKeyId="") == CANNOT_DECRYPT

    assert shown_key(secrets, other) is None
    assert keys_of(secrets, name) == {version: [key["arn"]]}
    after = secrets.describe_secret(SecretId=name)
    assert after["LastChangedDate"] == before["LastChangedDate"]
    secrets.update_secret(SecretId=name, Description="metadata needs no key")

    kms.enable_key(KeyId=key["id"])
    assert answered(secrets.get_secret_value, SecretId=name)["SecretString"] == value
    answered(secrets.put_secret_value, SecretId=name, SecretString="new")


def test_the_caller_needs_the_key_too(server: Server, secrets: Any, key: dict[str, str]) -> None:
    name, absent = fresh("keyed"), fresh("absent")
    secrets.create_secret(Name=name, SecretString="x", KmsKeyId=key["arn"])
    person = a_person(server)
    person.may(allow("secretsmanager:*"))
    client = person.client()
    with unchanged(secrets, name):
        assert refused(client.get_secret_value, SecretId=name) == NO_KMS
        assert refused(client.put_secret_value, SecretId=name, SecretString="new") == NO_KMS
        assert refused(client.update_secret, SecretId=name, SecretString="new") == NO_KMS
        batch = answered(client.batch_get_secret_value, SecretIdList=[name])
        assert batch == {
            "SecretValues": [],
            "Errors": [{"SecretId": name, "ErrorCode": NO_KMS[0], "Message": NO_KMS[1]}],
        }
        create = {"Name": absent, "SecretString": "x", "KmsKeyId": key["alias"]}
        assert refused(client.create_secret, **create) == NO_KMS
    assert refused(secrets.describe_secret, SecretId=absent) == NOT_FOUND
    # What needs no value needs no key.
    answered(client.describe_secret, SecretId=name)
    answered(client.update_secret, SecretId=name, Description="words")


def test_a_key_may_be_allowed_for_one_secret_only(server: Server, secrets: Any, key: dict[str, str]) -> None:
    arns = {}
    for word in ("mine", "theirs"):
        name = fresh(word)
        arns[word] = secrets.create_secret(Name=name, SecretString=word, KmsKeyId=key["arn"])["ARN"]
    person = a_person(server)
    bound = {"StringEquals": {"kms:EncryptionContext:SecretARN": arns["mine"]}}
    person.may(allow("secretsmanager:*"), allow("kms:Decrypt", key["arn"], **bound))
    client = person.client()
    assert answered(client.get_secret_value, SecretId=arns["mine"])["SecretString"] == "mine"
    assert refused(client.get_secret_value, SecretId=arns["theirs"]) == NO_KMS


def test_a_key_denied_stops_the_next_read(server: Server, secrets: Any, key: dict[str, str]) -> None:
    name = fresh("revoked")
    secrets.create_secret(Name=name, SecretString="x", KmsKeyId=key["arn"])
    person = a_person(server)
    person.may(allow("secretsmanager:*"), allow("kms:*"))
    client = person.client()
    answered(client.get_secret_value, SecretId=name)
    person.may(allow("secretsmanager:*"), allow("kms:*"), deny("kms:Decrypt", key["arn"]))
    assert refused(client.get_secret_value, SecretId=name) == NO_KMS


def test_an_alias_is_followed_for_each_new_version(secrets: Any, kms: Any, key: dict[str, str]) -> None:
    name = fresh("alias")
    first = secrets.create_secret(Name=name, SecretString="one", KmsKeyId=key["alias"])["VersionId"]
    other = kms.create_key()["KeyMetadata"]
    kms.update_alias(AliasName=key["alias"], TargetKeyId=other["KeyId"])
    second = secrets.put_secret_value(SecretId=name, SecretString="two")["VersionId"]
    assert keys_of(secrets, name) == {first: [key["arn"]], second: [other["Arn"]]}
    assert secrets.get_secret_value(SecretId=name, VersionId=first)["SecretString"] == "one"
