"""Writers that know what they were told, so that what a crash left behind can be held against it.

Each writer changes secrets of its own, one call after the other, and keeps beside them what the server
acknowledged. When an answer does not come, the secret is as it was or as it would have become: both are
right, nothing else is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import http.client
import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from support.running import REGION, Server

SECONDS = 30
"""Waiting longer for an answer is a failure."""
CURRENT, PREVIOUS, GREEN = "AWSCURRENT", "AWSPREVIOUS", "GREEN"
SECRETS_EACH = 4
VERSIONS_EACH = 10
"""A secret with more is deleted, so that looking at all of them stays quick."""


class LostAnswer(Exception):
    """The connection ended before the answer to a call came."""


@dataclass(frozen=True)
class Reply:
    status: int
    request_id: str
    body: Mapping[str, Any]

    @property
    def error(self) -> str:
        return str(self.body.get("__type", ""))

    @property
    def message(self) -> str:
        return str(self.body.get("message", self.body.get("Message", "")))


class Connection:
    """One kept-open connection that signs its calls. For one thread at a time."""

    def __init__(self, server: Server) -> None:
        self._host = server.endpoint.partition("://")[2]
        self._key_id, self._secret = server.access_key_id, server.secret_access_key
        self._http = http.client.HTTPConnection(self._host, timeout=SECONDS)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Reply:
        """Return the answer. Raises LostAnswer when none, or not the whole of one, came."""
        body = json.dumps(parameters).encode()
        headers = self._signed(f"secretsmanager.{operation}", body)
        try:
            self._http.request("POST", "/", body, headers)
            answer = self._http.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise LostAnswer(operation) from error
        return Reply(answer.status, answer.getheader("x-amzn-requestid", ""), json.loads(content))

    def close(self) -> None:
        self._http.close()

    def _signed(self, target: str, body: bytes) -> dict[str, str]:
        at = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": self._host,
            "x-amz-date": at,
            "x-amz-target": target,
        }
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{at[:8]}/{REGION}/secretsmanager/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers


@dataclass(frozen=True)
class Known:
    """What a secret is, as far as its writer was told."""

    exists: bool = True
    marked: bool = False
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    """Version id to value: every version that was ever acknowledged."""

    def with_version(self, version_id: str, value: str, label: str = CURRENT) -> Known:
        return replace(self, values={**self.values, version_id: value}).labelled(label, version_id)

    def labelled(self, label: str, version_id: str) -> Known:
        labels = {**self.labels, label: version_id}
        left = self.labels.get(CURRENT)
        if label == CURRENT and left is not None and left != version_id:
            labels[PREVIOUS] = left
        return replace(self, labels=labels)

    @property
    def seen(self) -> tuple[bool, bool, str, Mapping[str, str]]:
        """What DescribeSecret would tell of it."""
        return (True, self.marked, self.description, self.labels) if self.exists else GONE.seen

    def __repr__(self) -> str:
        return f"<{self.exists} marked={self.marked} {self.description!r} {dict(self.labels)}>"


class _Gone(Known):
    @property
    def seen(self) -> tuple[bool, bool, str, Mapping[str, str]]:
        return False, False, "", {}


GONE = _Gone(exists=False)


@dataclass
class Shared:
    """A secret that all writers put values into at once."""

    name: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    doubtful: dict[str, str] = field(default_factory=dict)


class Ledger:
    """What all writers of a run were told. Its lock guards all of it."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        """The request id of every answer that arrived whole, but for those that only say the server cannot."""
        self.refused: list[Reply] = []
        """Answers that were neither a success nor foreseen."""
        self.values: set[str] = set()
        """Every value a call was made with: they may stand in answers and nowhere else."""
        self._news = threading.Condition()

    def tell(self, reply: Reply) -> None:
        with self._news:
            if reply.status != 503:
                self.answered.append(reply.request_id)
            self._news.notify_all()

    def refuse(self, reply: Reply) -> None:
        with self._news:
            self.refused.append(reply)
            self._news.notify_all()

    def wait(self, condition: Callable[[Ledger], bool]) -> None:
        """Return when `condition` holds; it is looked at after every answer."""
        with self._news:
            assert self._news.wait_for(lambda: condition(self), timeout=SECONDS), "the load came to a halt"


Change = tuple[str, Mapping[str, Any], Known]
"""An operation, its parameters without SecretId, and what the secret is when it is done."""


class Writer:
    """Changes its secrets until told to stop. A mistake of the server raises AssertionError."""

    def __init__(self, number: int, ledger: Ledger) -> None:
        self.known: dict[str, Known] = {}
        self.doubt: tuple[str, Known] | None = None
        self._number = number
        self._ledger = ledger
        self._random = random.Random(number)
        self._made = 0

    def work(self, connection: Connection, shared: Shared, stopped: Callable[[], bool]) -> None:
        """Make changes until `stopped`, or until an answer is lost (LostAnswer); that one is in doubt then."""
        while not stopped():
            if self._random.random() < 0.15:
                self._touch_shared(connection, shared)
            else:
                self._change(connection)

    def settle(self, connection: Connection) -> Iterator[str]:
        """Look at every secret, and yield what is not as it was acknowledged; nothing is in doubt after."""
        doubt = self.doubt
        for name, known in list(self.known.items()):
            choices = [known]
            if doubt is not None and doubt[0] == name:
                choices.append(doubt[1])
            seen = self._describe(connection, name)
            fitting = [choice for choice in choices if choice.seen == seen]
            if not fitting:
                yield f"{name} is {seen}; acknowledged or in doubt was {choices}"
                continue
            self._adopt(name, fitting[-1])
            if len(choices) > 1:
                self.doubt = None
            if fitting[-1].exists and not fitting[-1].marked:
                yield from self._wrong_values(connection, name, fitting[-1])

    def _wrong_values(self, connection: Connection, name: str, known: Known) -> Iterator[str]:
        for version_id, value in known.values.items():
            reply = self._call(connection, "GetSecretValue", {"SecretId": name, "VersionId": version_id})
            if reply.body.get("SecretString") != value:
                yield f"{name} version {version_id} is {reply.error or 'another value'}"
        for label, version_id in known.labels.items():
            reply = self._call(connection, "GetSecretValue", {"SecretId": name, "VersionStage": label})
            if reply.body.get("SecretString") != known.values[version_id]:
                yield f"{name} {label} is {reply.error or 'another value'}"

    def _call(self, connection: Connection, operation: str, parameters: Mapping[str, Any]) -> Reply:
        reply = connection.call(operation, parameters)
        self._ledger.tell(reply)
        return reply

    def _describe(self, connection: Connection, name: str) -> tuple[bool, bool, str, Mapping[str, str]]:
        reply = self._call(connection, "DescribeSecret", {"SecretId": name})
        if reply.error == "ResourceNotFoundException":
            return GONE.seen
        assert reply.status == 200, reply
        stages = reply.body["VersionIdsToStages"]
        pairs = [(label, version) for version, labels in stages.items() for label in labels]
        labels = dict(pairs)
        assert len(labels) == len(pairs), f"{name}: a label is on two versions: {stages}"
        return True, "DeletedDate" in reply.body, reply.body.get("Description", ""), labels

    def _adopt(self, name: str, known: Known) -> None:
        if known.exists:
            self.known[name] = known
        else:
            self.known.pop(name, None)

    def _change(self, connection: Connection) -> None:
        live = list(self.known)
        if (len(live) < SECRETS_EACH and self._random.random() < 0.3) or not live:
            self._made += 1
            name = f"own/{self._number}/{self._made}-{uuid.uuid4().hex[:6]}"
            value, token = self._value(name), str(uuid.uuid4())
            after = Known().with_version(token, value)
            self._try(
                connection,
                name,
                "CreateSecret",
                {"Name": name, "SecretString": value, "ClientRequestToken": token},
                after,
            )
            return
        name = self._random.choice(live)
        known = self.known[name]
        if self._random.random() < 0.25 and not known.marked:
            self._read(connection, name, known)
            return
        operation, parameters, after = self._next(name, known)
        self._try(connection, name, operation, {"SecretId": name, **parameters}, after)

    def _read(self, connection: Connection, name: str, known: Known) -> None:
        reply = self._call(connection, "GetSecretValue", {"SecretId": name})
        if reply.status != 200:
            self._ledger.refuse(reply)
            return
        assert reply.body["SecretString"] == known.values[known.labels[CURRENT]], (
            f"{name}: an old value was read"
        )

    def _try(
        self, connection: Connection, name: str, operation: str, parameters: Mapping[str, Any], after: Known
    ) -> None:
        self.known.setdefault(name, GONE)
        self.doubt = (name, after)
        reply = self._call(connection, operation, parameters)
        self.doubt = None
        if reply.status == 200:
            self._adopt(name, after)
            return
        self._adopt(name, self.known[name])
        self._ledger.refuse(reply)

    def _next(self, name: str, known: Known) -> Change:
        if known.marked:
            return "RestoreSecret", {}, replace(known, marked=False)
        if len(known.values) > VERSIONS_EACH:
            return "DeleteSecret", {"ForceDeleteWithoutRecovery": True}, GONE
        choice = self._random.random()
        token, value = str(uuid.uuid4()), self._value(name)
        made = {"ClientRequestToken": token, "SecretString": value}
        if choice < 0.35:
            return "PutSecretValue", made, known.with_version(token, value)
        if choice < 0.45:
            return (
                "PutSecretValue",
                {**made, "VersionStages": [GREEN]},
                known.with_version(token, value, GREEN),
            )
        if choice < 0.6:
            text = f"{self._random.random()}"
            return (
                "UpdateSecret",
                {**made, "Description": text},
                replace(known.with_version(token, value), description=text),
            )
        if choice < 0.9:
            return self._move(known)
        return "DeleteSecret", {"RecoveryWindowInDays": 7}, replace(known, marked=True)

    def _move(self, known: Known) -> Change:
        label = self._random.choice([CURRENT, GREEN])
        to = self._random.choice(list(known.values))
        parameters = {"VersionStage": label, "MoveToVersionId": to}
        if label in known.labels:
            parameters["RemoveFromVersionId"] = known.labels[label]
        return "UpdateSecretVersionStage", parameters, known.labelled(label, to)

    def _touch_shared(self, connection: Connection, shared: Shared) -> None:
        if self._random.random() < 0.3:
            self._move_shared(connection, shared)
        else:
            self._put_shared(connection, shared)

    def _move_shared(self, connection: Connection, shared: Shared) -> None:
        """Move AWSCURRENT away from where it was seen; refused when another writer was quicker."""
        versions = list(shared.acknowledged)
        if not versions:
            return
        seen = self._call(connection, "DescribeSecret", {"SecretId": shared.name})
        if seen.status != 200:
            self._ledger.refuse(seen)
            return
        stages = seen.body["VersionIdsToStages"]
        parameters = {
            "SecretId": shared.name,
            "VersionStage": CURRENT,
            "RemoveFromVersionId": next(each for each, labels in stages.items() if CURRENT in labels),
            "MoveToVersionId": self._random.choice(versions),
        }
        reply = self._call(connection, "UpdateSecretVersionStage", parameters)
        if reply.status != 200 and reply.error != "InvalidParameterException":
            self._ledger.refuse(reply)

    def _put_shared(self, connection: Connection, shared: Shared) -> None:
        token, value = str(uuid.uuid4()), self._value(shared.name)
        shared.doubtful[token] = value
        reply = self._call(
            connection,
            "PutSecretValue",
            {"SecretId": shared.name, "ClientRequestToken": token, "SecretString": value},
        )
        del shared.doubtful[token]
        if reply.status == 200:
            shared.acknowledged[token] = value
        else:
            self._ledger.refuse(reply)

    def _value(self, name: str) -> str:
        value = f"canary-{uuid.uuid4().hex}-of-{name}"
        self._ledger.values.add(value)
        return value
