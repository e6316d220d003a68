"""The listener, driven as the web server drives it: bodies bounded in size and time, starts that fail."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from strongroom.errors import ServiceError
from strongroom.server import listener
from strongroom.server.listener import MAX_BODY_BYTES, Listener
from strongroom.wire.http import HttpRequest, HttpResponse

MOMENT = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
Message = dict[str, Any]


class StoppedClock:
    def now(self) -> dt.datetime:
        return MOMENT


class Repeating:
    """Stands for the pipeline: answers with what it was asked, and remembers it."""

    def __init__(self) -> None:
        self.answered: list[HttpRequest] = []
        self.refused: list[tuple[HttpRequest, ServiceError]] = []

    async def answer(self, request: HttpRequest) -> HttpResponse:
        self.answered.append(request)
        return HttpResponse(200, "text/plain", request.body, (("x-more", "1"),))

    def refuse(self, request: HttpRequest, error: ServiceError) -> HttpResponse:
        self.refused.append((request, error))
        return HttpResponse(400, "text/plain", type(error).__name__.encode())


class Server:
    """What the web server does: starts the application, hands it requests, stops it."""

    def __init__(self, pipeline: Callable[[], Any], *, ready: bool = True) -> None:
        self.closed = 0
        self.app = Listener(pipeline, self._close, lambda: ready, StoppedClock())
        self.lifespan: list[str] = []

    def _close(self) -> None:
        self.closed += 1

    def during(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Return what `work` gives between the start and the stop of the application."""

        async def run() -> Any:
            steps: asyncio.Queue[Message] = asyncio.Queue()
            started = asyncio.Event()

            async def send(message: Message) -> None:
                self.lifespan.append(message["type"])
                started.set()

            life = asyncio.create_task(self.app({"type": "lifespan"}, steps.get, send))
            steps.put_nowait({"type": "lifespan.startup"})
            await started.wait()
            result = await work()
            steps.put_nowait({"type": "lifespan.shutdown"})
            await life
            return result

        return asyncio.run(run())

    async def ask(self, messages: Iterable[Message] = (), **scope: Any) -> tuple[int, dict[str, str], bytes]:
        """Return the answer to a request whose body comes in `messages`; then nothing more comes."""
        coming = iter(messages)
        sent: list[Message] = []

        async def receive() -> Message:
            message = next(coming, None)
            if message is None:
                await asyncio.Event().wait()
            assert message is not None
            return message

        async def send(message: Message) -> None:
            sent.append(message)

        base = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "query_string": b"",
            "headers": [],
            "client": ("192.0.2.7", 5000),
            "scheme": "http",
        }
        await self.app({**base, **scope}, receive, send)
        start, body = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], headers, body["body"]


def chunk(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def length(number: int | str) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", str(number).encode())]


def asked(messages: Iterable[Message] = (), **scope: Any) -> tuple[Repeating, int, dict[str, str], bytes]:
    pipeline = Repeating()
    server = Server(lambda: pipeline)
    status, headers, body = server.during(lambda: server.ask(messages, **scope))
    return pipeline, status, headers, body


def test_a_request_is_handed_on_as_it_came() -> None:
    pipeline, status, headers, body = asked(
        [chunk(b"Action=", more=True), chunk(b"x")],
        headers=[(b"host", b"h:1"), (b"x-a", b" 1 "), (b"x-a", b"2   3")],
        raw_path=b"/a%2fb",
        path="/a/b",
        query_string=b"q=%20",
        scheme="https",
    )
    [request] = pipeline.answered
    assert (request.method, request.raw_path, request.raw_query) == ("POST", "/a%2fb", "q=%20")
    assert request.headers == {"host": "h:1", "x-a": "1,2 3"}
    assert (request.body, request.source_ip, request.secure) == (b"Action=x", "192.0.2.7", True)
    assert request.received_at == MOMENT
    assert (status, body) == (200, b"Action=x")
    assert headers == {"content-type": "text/plain", "x-amzn-requestid": request.request_id, "x-more": "1"}


def test_a_request_from_nowhere_has_no_address() -> None:
    pipeline, *_ = asked([chunk(b"")], client=None)
    assert pipeline.answered[0].source_ip == ""


def test_every_request_has_an_id_of_its_own() -> None:
    pipeline = Repeating()
    server = Server(lambda: pipeline)

    async def work() -> None:
        for _ in range(50):
            await server.ask([chunk(b"")])

    server.during(work)
    assert len({request.request_id for request in pipeline.answered}) == 50


@pytest.mark.parametrize(
    ("messages", "scope"),
    [
        ([], {"headers": length(0)}),
        ([], {"method": "GET"}),
        ([], {"method": "HEAD"}),
        ([chunk(b"")], {"headers": length("many")}),
    ],
    ids=["length of nothing", "GET", "HEAD", "a length in words, and nothing"],
)
def test_a_body_that_is_none_is_not_waited_for(messages: list[Message], scope: dict[str, Any]) -> None:
    pipeline, status, *_ = asked(messages, **scope)
    assert status == 200
    assert pipeline.answered[0].body == b""


@pytest.mark.parametrize(
    "messages",
    [
        [chunk(b"x" * MAX_BODY_BYTES, more=True), chunk(b"")],
        [chunk(b"x" * (MAX_BODY_BYTES - 1), more=True), chunk(b"x")],
    ],
    ids=["at once", "in two"],
)
def test_a_body_of_the_limit_is_read(messages: list[Message]) -> None:
    pipeline, status, *_ = asked(messages)
    assert status == 200
    assert len(pipeline.answered[0].body) == MAX_BODY_BYTES


REFUSED: dict[str, tuple[list[Message], dict[str, Any], str, str]] = {
    "declared too long": (
        [],
        {"headers": length(MAX_BODY_BYTES + 1)},
        "RequestEntityTooLargeException",
        "The request body is larger than 1048576 bytes.",
    ),
    "too long on the way": (
        [chunk(b"x" * MAX_BODY_BYTES, more=True), chunk(b"x", more=True)],
        {},
        "RequestEntityTooLargeException",
        "The request body is larger than 1048576 bytes.",
    ),
    "hung up in between": (
        [chunk(b"x", more=True), {"type": "http.disconnect"}],
        {"headers": length(2)},
        "RequestTimeoutException",
        "The request body ended before it was complete.",
    ),
    "shorter than declared": (
        [chunk(b"x")],
        {"headers": length(2)},
        "RequestTimeoutException",
        "The request body ended before it was complete.",
    ),
    "longer than declared": (
        [chunk(b"xyz")],
        {"headers": length(2)},
        "RequestTimeoutException",
        "The request body ended before it was complete.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_body_that_is_not_whole_is_refused_and_recorded(case: str) -> None:
    messages, scope, code, text = REFUSED[case]
    pipeline, status, headers, body = asked(messages, **scope)
    assert pipeline.answered == []
    [(request, error)] = pipeline.refused
    assert (type(error).__name__, error.message) == (code, text)
    assert request.body == b""
    assert (status, body) == (400, code.encode())
    assert headers["x-amzn-requestid"] == request.request_id


CODE_PATHS = ["/2015-03-31/functions", "/2015-03-31/functions/a/code", "/2018-10-31/layers/a/versions"]
LARGE = MAX_BODY_BYTES + 1


@pytest.mark.parametrize("path", CODE_PATHS)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in chunks"])
def test_calls_that_bring_code_along_may_be_large(path: str, declared: bool) -> None:
    messages = [chunk(b"x" * MAX_BODY_BYTES, more=True), chunk(b"x")]
    pipeline, status, *_ = asked(messages, path=path, headers=length(LARGE) if declared else [])
    assert status == 200
    assert len(pipeline.answered[0].body) == LARGE


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2015-03-31/functions"),
        ("DELETE", "/2015-03-31/functions/a"),
        ("POST", "/2018-10-31/layers"),
        ("POST", "/"),
        ("POST", "/x/2015-03-31/functions"),
    ],
)
def test_other_calls_may_not_be_large(method: str, path: str) -> None:
    pipeline, *_ = asked([], method=method, path=path, headers=length(LARGE))
    [(_, error)] = pipeline.refused
    assert error.message == "The request body is larger than 1048576 bytes."


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in chunks"])
def test_code_has_a_limit_too(declared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LARGE_BODY_BYTES", LARGE)
    messages = [] if declared else [chunk(b"x" * LARGE, more=True), chunk(b"x")]
    headers = length(LARGE + 1) if declared else []
    pipeline, *_ = asked(messages, path=CODE_PATHS[0], headers=headers)
    [(_, error)] = pipeline.refused
    assert (type(error).__name__, error.message) == (
        "RequestEntityTooLargeException",
        f"The request body is larger than {LARGE} bytes.",
    )


def test_few_large_bodies_are_read_at_a_time_and_small_ones_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listener, "LARGE_BODY_BYTES", 2 * LARGE)
    monkeypatch.setattr(listener, "LARGE_BYTES_AT_ONCE", 3 * LARGE)
    pipeline = Repeating()
    server = Server(lambda: pipeline)
    path = CODE_PATHS[0]

    async def work() -> None:
        waiting = [
            asyncio.create_task(server.ask([], path=path, headers=length(size)))
            for size in (LARGE, LARGE + 1)
        ]
        await asyncio.sleep(0)
        await server.ask([], path=path, headers=length(LARGE))
        unannounced = [chunk(b"x" * MAX_BODY_BYTES, more=True), chunk(b"x")]
        await server.ask(unannounced, path=path)
        assert [(type(error).__name__, error.message) for _, error in pipeline.refused] == [
            ("TooManyRequestsException", "Too many large requests are being read. Try again in a moment.")
        ] * 2
        await server.ask([chunk(b"x")], path=path)
        await server.ask([chunk(b"x")])
        assert len(pipeline.answered) == 2
        waiting.pop().cancel()
        await asyncio.sleep(0)
        await server.ask([chunk(b"x" * LARGE)], path=path, headers=length(LARGE))
        await server.ask(unannounced, path=path)
        assert [len(request.body) for request in pipeline.answered[2:]] == [LARGE, LARGE]
        waiting.pop().cancel()

    server.during(work)


def test_a_large_body_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "BODY_SECONDS", -30)
    monkeypatch.setattr(listener, "SWEEP_SECONDS", 0)
    pipeline = Repeating()
    server = Server(lambda: pipeline)

    async def work() -> None:
        declared = length(60 * listener.LARGE_BYTES_PER_SECOND)
        patient = asyncio.create_task(server.ask([], path=CODE_PATHS[0], headers=declared))
        await server.ask([chunk(b"y", more=True)], path=CODE_PATHS[0], headers=length(2))
        assert not patient.done()
        patient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await patient

    server.during(work)
    assert [type(error).__name__ for _, error in pipeline.refused] == ["RequestTimeoutException"]


def test_a_body_that_does_not_come_is_given_up_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SWEEP_SECONDS", 0)
    pipeline = Repeating()
    server = Server(lambda: pipeline)

    async def work() -> None:
        monkeypatch.setattr(listener, "BODY_SECONDS", 3600)
        patient = asyncio.create_task(server.ask([chunk(b"x", more=True)], headers=length(2)))
        await asyncio.sleep(0)
        monkeypatch.setattr(listener, "BODY_SECONDS", 0)
        await server.ask([chunk(b"y", more=True)], headers=length(2))
        assert not patient.done()
        patient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await patient

    server.during(work)
    [(_, error)] = pipeline.refused
    assert type(error).__name__ == "RequestTimeoutException"
    assert error.message == "The request body did not arrive in time."
    assert pipeline.answered == []


@pytest.mark.parametrize(
    ("path", "ready", "status", "body"),
    [
        ("/health", True, 200, b'{"status":"ok"}'),
        ("/health", False, 200, b'{"status":"ok"}'),
        ("/ready", True, 200, b'{"status":"ok"}'),
        ("/ready", False, 503, b'{"status":"unavailable"}'),
    ],
)
def test_the_state_is_told_without_the_pipeline(path: str, ready: bool, status: int, body: bytes) -> None:
    pipeline = Repeating()
    server = Server(lambda: pipeline, ready=ready)
    answer = server.during(lambda: server.ask(method="GET", path=path))
    assert (answer[0], answer[1]["content-type"], answer[2]) == (status, "application/json", body)
    assert (pipeline.answered, pipeline.refused) == ([], [])


def test_it_starts_and_closes_once() -> None:
    server = Server(Repeating)
    server.during(lambda: asyncio.sleep(0))
    assert server.lifespan == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert server.closed == 1


def test_a_start_that_fails_is_said_to_have_failed() -> None:
    """Raised, the web server would go on without a start, and answer every request with a fault."""

    def broken() -> Any:
        raise OSError("no trail")

    server = Server(broken)
    server.during(lambda: asyncio.sleep(0))
    assert server.lifespan == ["lifespan.startup.failed"]
    assert server.closed == 0


def test_other_protocols_are_not_spoken() -> None:
    server = Server(Repeating)

    async def never(*_: Any) -> Any:
        raise AssertionError("nothing is asked or said")

    asyncio.run(server.app({"type": "websocket"}, never, never))
