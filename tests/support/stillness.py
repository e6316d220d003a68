"""Proof that a refused call changed nothing, and namespaces of secrets that no other test uses."""

from __future__ import annotations

import itertools
import secrets
import string
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.dialogue import answered, picture

_numbers = itertools.count(1)


def a_region() -> str:
    """Return the name of a region nothing was ever stored in: any name of that shape is a region."""
    word = "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))
    return f"xx-{word}-{next(_numbers) % 90 + 1}"


def a_token() -> str:
    return str(uuid.uuid4())


@contextmanager
def unchanged(client: Any, secret_id: str) -> Iterator[None]:
    """The block leaves the secret as it is: description, versions, labels, policies and every value."""
    before = everything(client, secret_id)
    yield
    assert everything(client, secret_id) == before


def everything(client: Any, secret_id: str) -> dict[str, Any]:
    """Return all that can be seen of a secret, values included, but for the days of its last reading."""
    seen = picture(client, secret_id)
    seen["description"].pop("LastAccessedDate", None)
    versions = seen["versions"]["Versions"]
    for version in versions:
        version.pop("LastAccessedDate", None)
    if "DeletedDate" not in seen["description"]:
        seen["values"] = [
            answered(client.get_secret_value, SecretId=secret_id, VersionId=each["VersionId"])
            for each in versions
        ]
    return seen


def labels(client: Any, secret_id: str) -> dict[str, list[str]]:
    """Return the secret's version ids, each with its labels in order."""
    described = answered(client.describe_secret, SecretId=secret_id)
    return {version: sorted(stages) for version, stages in described.get("VersionIdsToStages", {}).items()}


def described_after_reading(client: Any, secret_id: str) -> dict[str, Any]:
    """Return the description once it has the day of a reading, whose note is stored behind the answer."""
    deadline = time.monotonic() + 30
    while "LastAccessedDate" not in (described := answered(client.describe_secret, SecretId=secret_id)):
        assert time.monotonic() < deadline, "the day of the reading was never noted"
    return described
