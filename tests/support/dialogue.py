"""Talking to a running server the way tests assert: answers without their metadata, refusals as code and
text, and a picture of a secret that shows whether a refused call changed anything.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.running import Server

_numbers = itertools.count(1)

NOT_FOUND = ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
MARKED = (
    "InvalidRequestException",
    "You can't perform this operation on the secret because it was marked for deletion.",
)
ON_A_REPLICA = (
    "InvalidRequestException",
    "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
)
INVALID_NAME = (
    "ValidationException",
    "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
)
NO_KMS = ("AccessDeniedException", "Access to KMS is not allowed")
NO_LABEL = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"


def fresh(word: str = "secret") -> str:
    """Return a name no other test uses."""
    return f"{word}/{uuid.uuid4().hex[:12]}.{next(_numbers)}"


def canary() -> str:
    """Return a value that can be searched for and means nothing."""
    return f"canary-{uuid.uuid4().hex}"


def answered(operation: Callable[..., Any], **request: Any) -> dict[str, Any]:
    """Return the members of a successful answer; its metadata is checked here and left out."""
    answer: dict[str, Any] = operation(**request)
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200
    assert uuid.UUID(metadata["RequestId"])
    return answer


def refused(operation: Callable[..., Any], *, status: int = 400, **request: Any) -> tuple[str, str]:
    """Return code and message of a refused call, whose status is `status`."""
    with pytest.raises(ClientError) as caught:
        operation(**request)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    return response["Error"]["Code"], response["Error"]["Message"]


def invalid(*failures: str) -> tuple[str, str]:
    """Return the ValidationException of these constraint failures."""
    count = "1 validation error" if len(failures) == 1 else f"{len(failures)} validation errors"
    return "ValidationException", f"{count} detected: {'; '.join(failures)}"


def missing(member: str) -> tuple[str, str]:
    """Return the ValidationException for a required member that was not sent."""
    return invalid(f"Value null at '{member}' failed to satisfy constraint: Member must not be null")


def denied(who: str, action: str, resource: str, reason: str | None = None) -> tuple[str, str]:
    """Return AWS's words for a denial; without a reason the one of a caller no policy allows anything.

    Across accounts no reason is told: "".
    """
    because = f" because no identity-based policy allows the {action} action" if reason is None else reason
    return (
        "AccessDeniedException",
        f"User: {who} is not authorized to perform: {action} on resource: {resource}{because}",
    )


def picture(client: Any, secret_id: str) -> dict[str, Any]:
    """Return all that can be seen of a secret but its values: equal pictures, equal secrets.

    Days of access are left out: they are stored some time after the answer of the read.
    """
    described = answered(client.describe_secret, SecretId=secret_id)
    versions = answered(client.list_secret_version_ids, SecretId=secret_id, IncludeDeprecated=True)
    seen = {"description": described, "versions": versions}
    if "DeletedDate" not in described:
        seen["policy"] = answered(client.get_resource_policy, SecretId=secret_id)
        seen["policies"] = answered(client.list_resource_policies, SecretId=secret_id)
    for each in (described, *described.get("ReplicationStatus", ()), *versions["Versions"]):
        each.pop("LastAccessedDate", None)
    return seen


def value_of(client: Any, secret_id: str) -> str:
    return str(answered(client.get_secret_value, SecretId=secret_id)["SecretString"])


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what `condition` gives once that is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return result


def today() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass
class Person:
    """A user of an account, with one access key."""

    server: Server
    name: str
    arn: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    iam: Any = field(repr=False)
    """An IAM client of the account's root user."""

    @property
    def credentials(self) -> tuple[str, str]:
        return self.access_key_id, self.secret_access_key

    def client(self, service: str = "secretsmanager", **options: Any) -> Any:
        return self.server.client(service, credentials=self.credentials, **options)

    def may(self, *statements: Mapping[str, Any]) -> None:
        """The user's only policy has these statements from now on."""
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.iam.put_user_policy(UserName=self.name, PolicyName="all", PolicyDocument=json.dumps(document))

    def may_nothing(self) -> None:
        self.iam.delete_user_policy(UserName=self.name, PolicyName="all")


def a_person(server: Server, credentials: tuple[str, str] | None = None) -> Person:
    """Return a new user without any policy, of the account whose root user has `credentials`."""
    iam = server.client("iam", credentials=credentials)
    name = f"person-{uuid.uuid4().hex[:12]}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Person(server, name, arn, key["AccessKeyId"], key["SecretAccessKey"], iam)


def allow(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    return _statement("Allow", action, resource, condition)


def deny(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    return _statement("Deny", action, resource, condition)


def _statement(
    effect: str, action: str | list[str], resource: str | list[str], condition: dict[str, Any]
) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement
