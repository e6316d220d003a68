"""REST-JSON through the whole pipeline: signed, answered, recorded; large bodies off the event loop, once."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import io
import json
import queue
import threading
import zipfile
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strongroom.operations import lambda_
from strongroom.operations.catalog import ServedService
from strongroom.operations.iam.credentials import make_access_key
from strongroom.operations.lambda_ import uploads
from strongroom.ports import ACCESS_KEYS, FUNCTIONS, InvocationResult
from strongroom.server.pipeline import SMALL_BODY_BYTES, Pipeline
from strongroom.wire import lifting
from strongroom.wire.http import HttpRequest, HttpResponse
from support.identity_room import service
from support.key_room import ACCOUNT, REGION
from support.lambda_room import FunctionRoom, zipped

CANARY = "canary-0c55e1"
PATH = "/2015-03-31/functions"
NOISE = bytes(range(256)) * (SMALL_BODY_BYTES // 200)


class Now:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class Events:
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, event: bytes) -> None:
        self.lines.append(event)

    def close(self) -> None: ...


class Log:
    def error(self, event: str, **fields: Any) -> None:
        raise AssertionError((event, fields))


class House:
    def __init__(self) -> None:
        self.room = FunctionRoom()
        self.trail = Events()
        made = make_access_key(self.room.root_key, self.room.entropy, dt.datetime.now(dt.UTC), ACCOUNT, None)
        self.room.unit.save(ACCESS_KEYS, made.record)
        self.credentials = Credentials(made.record.access_key_id, made.secret_access_key)
        operations = {each.name: each for each in lambda_.OPERATIONS}
        self.pipeline = Pipeline(
            models={"lambda": service("lambda")},
            catalog={"lambda": ServedService("Lambda", operations, lambda_.UNSUPPORTED)},
            store=self.room.store,
            trail=self.trail,
            resources=self.room.resources,
            clock=Now(),
            log=Log(),
        )

    def call(
        self, method: str, path: str, body: bytes = b"", *, sent: bytes | None = None, **headers: str
    ) -> HttpResponse:
        """Answer a signed call; `sent`: what arrives in place of the body that was signed."""
        return asyncio.run(self.pipeline.answer(self.sent(method, path, body, sent=sent, **headers)))

    def sent(
        self, method: str, path: str, body: bytes = b"", *, sent: bytes | None = None, **headers: str
    ) -> HttpRequest:
        """Return a signed call as it arrives."""
        named = {"Host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = AWSRequest(method=method, url=f"http://localhost{path}", data=body, headers=named)
        SigV4Auth(self.credentials, "lambda", REGION).add_auth(request)
        raw_path, _, raw_query = path.partition("?")
        return HttpRequest(
            method=method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers={str(name).lower(): str(value) for name, value in request.headers.items()},
            body=body if sent is None else sent,
            received_at=dt.datetime.now(dt.UTC),
            request_id="11111111-2222-4333-8444-555555555555",
            source_ip="192.0.2.7",
            secure=False,
        )

    def record(self) -> dict[str, Any]:
        """Return the last record of the trail or of a write."""
        lines = [*self.trail.lines, *self.room.unit.events]
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def creation(code: bytes, **members: Any) -> bytes:
    request: Mapping[str, Any] = {
        "FunctionName": "rotate",
        "Runtime": "python3.12",
        "Role": f"arn:aws:iam::{ACCOUNT}:role/rotate-role",
        "Handler": "main.handler",
        "Code": {"ZipFile": base64.b64encode(code).decode()},
        **members,
    }
    return json.dumps(request).encode()


def stored(noise: bytes) -> bytes:
    """Return a zip file that is as large as what is in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("main.py", "def handler(event, context): ...\n")
        archive.writestr("noise.bin", noise)
    return buffer.getvalue()


@pytest.fixture
def house() -> House:
    house = House()
    house.room.execution_role("rotate-role")
    return house


def test_a_call_is_answered_and_recorded_without_what_is_secret(house: House) -> None:
    body = creation(zipped({"main.py": CANARY.encode()}), Environment={"Variables": {"PASSWORD": CANARY}})
    answer = house.call("POST", PATH, body)
    assert (answer.status, answer.content_type) == (201, "application/json")
    assert json.loads(answer.body)["Environment"] == {"Variables": {"PASSWORD": CANARY}}
    record = house.record()
    assert CANARY not in json.dumps(record)
    assert (record["eventSource"], record["eventName"]) == ("lambda.amazonaws.com", "CreateFunction")
    assert record["requestParameters"]["functionName"] == "rotate"
    assert record["requestParameters"]["code"] == {}
    assert record["responseElements"]["version"] == "$LATEST"


def test_a_refusal_has_its_name_in_a_header(house: House) -> None:
    answer = house.call("GET", f"{PATH}/nobody")
    assert (answer.status, answer.headers) == (404, (("x-amzn-errortype", "ResourceNotFoundException"),))
    assert json.loads(answer.body) == {
        "Type": "User",
        "Message": f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:nobody",
    }
    assert house.record()["errorCode"] == "ResourceNotFoundException"


def test_an_answer_may_be_a_status_and_headers(house: House) -> None:
    house.call("POST", PATH, creation(zipped()))
    house.room.runner.behave = lambda run: InvocationResult(run.event, "Unhandled", b"log")
    invoked = house.call(
        "POST",
        f"{PATH}/rotate/invocations",
        b'{"a":1}',
        X_Amz_Log_Type="Tail",
        X_Amz_Invocation_Type="RequestResponse",
    )
    assert (invoked.status, invoked.body) == (200, b'{"a":1}')
    assert dict(invoked.headers) == {
        "X-Amz-Function-Error": "Unhandled",
        "X-Amz-Log-Result": base64.b64encode(b"log").decode(),
        "X-Amz-Executed-Version": "$LATEST",
    }
    assert house.record()["readOnly"] is False
    arn = quote(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate", safe="")
    tagged = house.call("POST", f"/2017-03-31/tags/{arn}", b'{"Tags":{"a":"b"}}')
    assert (tagged.status, tagged.body) == (204, b"")
    assert house.call("DELETE", f"{PATH}/rotate").status == 204


def test_a_large_body_is_looked_at_once_and_not_in_the_event_loop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    before = lifting.from_base64_within

    def watched(body: bytes, start: int, end: int) -> bytes:
        threads.append(threading.get_ident())
        return before(body, start, end)

    monkeypatch.setattr(lifting, "from_base64_within", watched)
    answer = house.call("POST", PATH, creation(stored(NOISE)))
    assert answer.status == 201
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_other_calls_are_answered_while_a_large_body_is_looked_at(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of its slow steps the large call waits until another one has been answered."""
    # As in the real store, readers do not wait for one another.
    monkeypatch.setattr(house.room.store, "gate", nullcontext())
    answered = {step: threading.Event() for step in ("decoded", "unpacked", "sealed")}
    begun: queue.Queue[str] = queue.Queue()

    def held(module: Any, name: str, step: str) -> None:
        before = getattr(module, name)

        def wait(*arguments: Any) -> Any:
            begun.put(step)
            assert answered[step].wait(30), f"nobody else was answered while it was {step}"
            return before(*arguments)

        monkeypatch.setattr(module, name, wait)

    held(lifting, "from_base64_within", "decoded")
    held(uploads, "unzipped_size", "unpacked")
    held(uploads, "seal_code", "sealed")

    async def both() -> list[int]:
        large = asyncio.create_task(house.pipeline.answer(house.sent("POST", PATH, creation(stored(NOISE)))))
        for step, event in answered.items():
            assert await asyncio.to_thread(begun.get, timeout=30) == step
            other = await house.pipeline.answer(house.sent("GET", f"{PATH}/nobody"))
            assert (other.status, large.done()) == (404, False)
            event.set()
        return [(await large).status]

    assert asyncio.run(both()) == [201]


def test_a_large_body_that_was_changed_on_the_way_is_refused(house: House) -> None:
    body = creation(stored(NOISE))
    changed = body.replace(b"main.handler", b"evil.handler")
    answer = house.call("POST", PATH, body, sent=changed)
    assert answer.status == 403
    assert dict(answer.headers) == {"x-amzn-errortype": "InvalidSignatureException"}
    assert house.room.unit.find(FUNCTIONS, f"{ACCOUNT}/{REGION}", "rotate") is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{PATH}/rotate/versions"),
        ("PUT", f"{PATH}/rotate/configuration"),
        ("POST", "/2015-03-31/event-source-mappings"),
    ],
)
def test_only_calls_that_bring_something_along_may_be_large(house: House, method: str, path: str) -> None:
    answer = house.call(method, path, b"{" + b" " * SMALL_BODY_BYTES + b"}")
    assert answer.status == 413
    assert json.loads(answer.body) == {"message": "The request body is larger than 1048576 bytes."}


def test_a_large_payload_is_invoked_with(house: House) -> None:
    house.call("POST", PATH, creation(zipped()))
    payload = json.dumps({"text": "x" * SMALL_BODY_BYTES}).encode()
    assert house.call("POST", f"{PATH}/rotate/invocations", payload).body == payload
