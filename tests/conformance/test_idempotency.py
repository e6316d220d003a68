"""ClientRequestToken: what a second call with the same token does. Source: fact sheet secretsmanager section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.dialogue import NOT_FOUND, a_person, allow, answered, canary, fresh, refused
from support.running import Server
from support.signing import json_call, send
from support.stillness import a_token, everything, labels, unchanged

NO_TOKEN = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
TOKEN_LENGTH = ("InvalidParameterException", "ClientRequestToken must be 32-64 characters long.")
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:rotate"


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


def in_use(token: str, arn: str) -> tuple[str, str]:
    return (
        "ResourceExistsException",
        f"You can't use ClientRequestToken {token} because that value is already in use for a version of "
        f"secret {arn}.",
    )


def name_in_use(name: str) -> tuple[str, str]:
    return "ResourceExistsException", f"The operation failed because the secret {name} already exists."


# Calls without a token


@pytest.mark.parametrize("exists", [True, False], ids=["of a secret", "of no secret"])
@pytest.mark.parametrize(
    ("operation", "request_members", "code"),
    [
        ("PutSecretValue", {"SecretString": "x"}, "InvalidRequestException"),
        ("UpdateSecret", {"SecretString": "x"}, "InvalidRequestException"),
        ("UpdateSecret", {"Description": "x"}, "InvalidRequestException"),
        ("RotateSecret", {}, "InvalidParameterException"),
    ],
)
def test_without_a_token_a_call_is_refused_before_the_secret_is_looked_up(
    server: Server, secrets: Any, operation: str, request_members: dict[str, str], code: str, exists: bool
) -> None:
    name = fresh("tokenless")
    if exists:
        secrets.create_secret(Name=name, SecretString="first")
        before = everything(secrets, name)
    answer = send(server, json_call(server, operation, {"SecretId": name, **request_members}))
    assert answer.error == (400, code, NO_TOKEN)
    # Recorded on AWS: a capital M.
    assert set(answer.json) == {"__type", "Message"}
    if exists:
        assert everything(secrets, name) == before
    else:
        assert refused(secrets.describe_secret, SecretId=name) == NOT_FOUND


def test_without_a_token_nothing_is_created(server: Server, secrets: Any) -> None:
    name = fresh("tokenless")
    answer = send(server, json_call(server, "CreateSecret", {"Name": name, "SecretString": "x"}))
    assert answer.error == (400, "InvalidRequestException", NO_TOKEN)
    assert refused(secrets.describe_secret, SecretId=name) == NOT_FOUND


@pytest.mark.parametrize("token", ["", "t" * 31, "t" * 65])
def test_a_token_of_another_length_is_refused(unchecked: Any, token: str) -> None:
    name, absent = fresh("length"), fresh("absent")
    unchecked.create_secret(Name=name, SecretString="first", ClientRequestToken=a_token())
    sent: dict[str, Any] = {"SecretString": "x", "ClientRequestToken": token}
    assert refused(unchecked.create_secret, Name=absent, **sent) == TOKEN_LENGTH
    assert refused(unchecked.describe_secret, SecretId=absent) == NOT_FOUND
    with unchanged(unchecked, name):
        assert refused(unchecked.put_secret_value, SecretId=name, **sent) == TOKEN_LENGTH
        assert refused(unchecked.update_secret, SecretId=name, **sent) == TOKEN_LENGTH


@pytest.mark.parametrize("token", ["t" * 32, "t" * 64, "terraform-" + "1" * 26, "with space/%.é" + "!" * 20])
def test_a_token_is_any_text_of_that_length_and_becomes_the_version_id(secrets: Any, token: str) -> None:
    name = fresh("token")
    made = answered(secrets.create_secret, Name=name, SecretString="x", ClientRequestToken=token)
    assert made["VersionId"] == token
    assert answered(secrets.get_secret_value, SecretId=name, VersionId=token)["SecretString"] == "x"
    assert labels(secrets, name) == {token: ["AWSCURRENT"]}


# CreateSecret


@pytest.mark.parametrize("value", [{"SecretString": "x"}, {"SecretBinary": b"\x00x"}], ids=["text", "binary"])
def test_creating_again_with_token_and_value_answers_alike(secrets: Any, value: dict[str, Any]) -> None:
    name, token = fresh("create"), a_token()
    request = {"Name": name, "ClientRequestToken": token, **value}
    first = answered(secrets.create_secret, **request)
    with unchanged(secrets, name):
        assert answered(secrets.create_secret, **request) == first
        assert answered(secrets.create_secret, **request, Description="ignored") == first


def test_creating_again_later_still_answers_alike(secrets: Any) -> None:
    name, token = fresh("create"), a_token()
    request = {"Name": name, "ClientRequestToken": token, "SecretString": "one"}
    first = answered(secrets.create_secret, **request)
    secrets.put_secret_value(SecretId=name, SecretString="two")
    with unchanged(secrets, name):
        assert answered(secrets.create_secret, **request) == first


@pytest.mark.parametrize(
    "value", [{"SecretString": "other"}, {"SecretBinary": b"one"}], ids=["other text", "same bytes as binary"]
)
def test_creating_again_with_another_value_is_refused(secrets: Any, value: dict[str, Any]) -> None:
    name, token = fresh("create"), a_token()
    made = secrets.create_secret(Name=name, ClientRequestToken=token, SecretString="one")
    with unchanged(secrets, name):
        again = {"Name": name, "ClientRequestToken": token, **value}
        assert refused(secrets.create_secret, **again) == in_use(token, made["ARN"])


@pytest.mark.parametrize("value", [{"SecretString": "one"}, {"SecretString": "other"}, {}])
def test_creating_again_with_another_token_is_refused(secrets: Any, value: dict[str, Any]) -> None:
    name = fresh("create")
    secrets.create_secret(Name=name, SecretString="one")
    with unchanged(secrets, name):
        again = {"Name": name, "ClientRequestToken": a_token(), **value}
        assert refused(secrets.create_secret, **again) == name_in_use(name)


def test_one_token_may_make_versions_of_several_secrets(secrets: Any) -> None:
    token = a_token()
    for value in ("one", "two"):
        name = fresh("shared")
        secrets.create_secret(Name=name, SecretString=value, ClientRequestToken=token)
        assert secrets.get_secret_value(SecretId=name, VersionId=token)["SecretString"] == value


# PutSecretValue and UpdateSecret


def test_putting_again_changes_nothing_and_answers_with_the_labels_there_are(secrets: Any) -> None:
    name, token = fresh("put"), a_token()
    secrets.create_secret(Name=name, SecretString="one")
    request = {"SecretId": name, "ClientRequestToken": token, "SecretString": "two"}
    first = answered(secrets.put_secret_value, **request)
    assert first["VersionStages"] == ["AWSCURRENT"]
    with unchanged(secrets, name):
        assert answered(secrets.put_secret_value, **request) == first
        assert answered(secrets.put_secret_value, **request, VersionStages=["OTHER"]) == first
    secrets.put_secret_value(SecretId=name, SecretString="three")
    with unchanged(secrets, name):
        again = answered(secrets.put_secret_value, **request)
        assert again == {**first, "VersionStages": ["AWSPREVIOUS"]}
    secrets.put_secret_value(SecretId=name, SecretString="four")
    with unchanged(secrets, name):
        assert "VersionStages" not in answered(secrets.put_secret_value, **request)


def test_updating_again_changes_nothing(secrets: Any) -> None:
    name, token = fresh("update"), a_token()
    secrets.create_secret(Name=name, SecretString="one")
    request = {"SecretId": name, "ClientRequestToken": token, "SecretString": "two"}
    first = answered(secrets.update_secret, **request)
    assert first["VersionId"] == token
    with unchanged(secrets, name):
        assert answered(secrets.update_secret, **request) == first


def test_the_token_of_the_creation_serves_a_put_and_an_update_of_the_same_value(secrets: Any) -> None:
    name, token = fresh("create"), a_token()
    secrets.create_secret(Name=name, SecretString="one", ClientRequestToken=token)
    request = {"SecretId": name, "ClientRequestToken": token, "SecretString": "one"}
    with unchanged(secrets, name):
        assert answered(secrets.put_secret_value, **request)["VersionId"] == token
        assert answered(secrets.update_secret, **request)["VersionId"] == token


@pytest.mark.parametrize("operation", ["put_secret_value", "update_secret"])
@pytest.mark.parametrize(
    "value", [{"SecretString": "other"}, {"SecretBinary": b"one"}], ids=["other text", "same bytes as binary"]
)
def test_a_token_is_refused_for_another_value(secrets: Any, operation: str, value: dict[str, Any]) -> None:
    name, token = fresh("other"), a_token()
    arn = secrets.create_secret(Name=name, SecretString="one", ClientRequestToken=token)["ARN"]
    request = {"SecretId": name, "ClientRequestToken": token, **value}
    if operation == "update_secret":
        request["Description"] = "not to be kept"
    with unchanged(secrets, name):
        assert refused(getattr(secrets, operation), **request) == in_use(token, arn)


def test_an_update_without_a_value_does_not_use_its_token_up(secrets: Any) -> None:
    name, token = fresh("update"), a_token()
    secrets.create_secret(Name=name, SecretString="one")
    secrets.update_secret(SecretId=name, ClientRequestToken=token, Description="words")
    updated = answered(secrets.update_secret, SecretId=name, ClientRequestToken=token, SecretString="two")
    assert updated["VersionId"] == token


def test_comparing_values_needs_decrypt_and_writing_does_not(server: Server, secrets: Any) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    name, token, value = fresh("compare"), a_token(), canary()
    secrets.create_secret(Name=name, SecretString=value, KmsKeyId=key, ClientRequestToken=token)
    person = a_person(server)
    person.may(allow("secretsmanager:*"), allow("kms:GenerateDataKey", key))
    client = person.client()
    again = {"SecretId": name, "ClientRequestToken": token, "SecretString": value}
    with unchanged(secrets, name):
        for operation in (client.put_secret_value, client.update_secret):
            assert refused(operation, **again) == ("AccessDeniedException", "Access to KMS is not allowed")
    answered(client.put_secret_value, SecretId=name, SecretString="new")
    person.may(allow("secretsmanager:*"), allow(["kms:GenerateDataKey", "kms:Decrypt"], key))
    assert answered(client.put_secret_value, **again)["VersionId"] == token
