"""HTTP: the only code that knows the web server's interface (ASGI 3).

Bounds every body in size and time before anything looks at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

from strongroom.errors import (
    RequestEntityTooLargeException,
    RequestTimeoutException,
    ServiceError,
    TooManyRequestsException,
)
from strongroom.ports import Clock
from strongroom.server.proxies import forwarded
from strongroom.server.settings import Network
from strongroom.server.world import Uuids
from strongroom.wire.http import HttpRequest, HttpResponse, joined_headers

__all__ = ["Listener"]

MAX_BODY_BYTES: Final = 1_048_576
"""No call of most services comes near: the largest is a 65,536-byte value with every byte escaped."""
LARGE_BODY_BYTES: Final = 73_400_320
"""For calls that may bring code along: 50 MB of it in base64, and what is said of it."""
LARGE_PATHS: Final = ("/2015-03-31/functions", "/2018-10-31/layers/")
LARGE_BYTES_AT_ONCE: Final = 2 * LARGE_BODY_BYTES
"""SECURITY: of bodies beyond MAX_BODY_BYTES, so much is read or answered by one process at a time. Nobody has
proved anything yet while a body is read, so memory is what they must not be able to take."""
LARGE_BYTES_PER_SECOND: Final = 1_048_576
"""How fast a large body has to come, at least."""
BODY_SECONDS: Final = 20.0
"""How long a body may take to arrive, give or take a sweep."""
SWEEP_SECONDS: Final = 1.0

_TOO_MANY: Final = "Too many large requests are being read. Try again in a moment."
_TOO_SLOW: Final = "The request body did not arrive in time."
_CUT_OFF: Final = "The request body ended before it was complete."

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Hold = Callable[[int], None] | None
"""Called with its greatest size before a large body is read; None where there can be none."""
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Answers(Protocol):
    """The pipeline, as far as the listener needs it."""

    async def answer(self, request: HttpRequest) -> HttpResponse: ...

    def refuse(self, request: HttpRequest, error: ServiceError) -> HttpResponse: ...


class Listener:
    """An ASGI application. `open_pipeline` is called once, when the worker starts."""

    def __init__(
        self,
        open_pipeline: Callable[[], Answers],
        close: Callable[[], None],
        ready: Callable[[], bool],
        clock: Clock,
        network: Network | None = None,
    ) -> None:
        network = network or Network()
        self._endpoint = network.endpoint
        self._trusted = network.trusted_proxies
        self._open_pipeline = open_pipeline
        self._close = close
        self._ready = ready
        self._clock = clock
        self._uuids = Uuids()
        self._pipeline: Answers | None = None
        self._reading: dict[asyncio.Task[Any], float] = {}
        """The requests whose bodies are being read, and until when; 0 for one that was interrupted."""
        self._large = 0
        """Bytes of large bodies that are in memory, or may come to be."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._pipeline = self._open_pipeline()
        except Exception:
            # Said, not raised: the server would take raising for "knows no startup", and serve without one.
            await send({"type": "lifespan.startup.failed"})
            return
        self._sweep()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        pipeline = self._pipeline
        assert pipeline is not None  # noqa: S101 - the server calls after startup only
        if scope["method"] == "GET" and scope["path"] in ("/health", "/ready"):
            await _send(send, self._state(scope["path"]), self._uuids.next())
            return
        if scope["path"].startswith(LARGE_PATHS) and scope["method"] in ("POST", "PUT"):
            with self._large_body() as hold:
                answer, request_id = await self._answered(pipeline, scope, receive, LARGE_BODY_BYTES, hold)
        else:
            answer, request_id = await self._answered(pipeline, scope, receive, MAX_BODY_BYTES, None)
        await _send(send, answer, request_id)

    async def _answered(
        self, pipeline: Answers, scope: Scope, receive: Receive, limit: int, hold: Hold
    ) -> tuple[HttpResponse, str]:
        """Return the answer to a request, whose body has at most `limit` bytes, and the request's id."""
        headers = joined_headers(scope["headers"])
        declared = _declared_length(scope["method"], headers)
        seconds = BODY_SECONDS
        if hold is not None:
            seconds += min(declared or 0, limit) // LARGE_BYTES_PER_SECOND
        try:
            body = await self._in_time(_body(declared, receive, limit, hold), seconds)
        except ServiceError as error:
            request = self._request(scope, headers, b"")
            return pipeline.refuse(request, error), request.request_id
        request = self._request(scope, headers, body)
        return await pipeline.answer(request), request.request_id

    @contextmanager
    def _large_body(self) -> Iterator[Callable[[int], None]]:
        """Gives what is to be called once, when a body turns out to be large; its size counts until the end.

        That raises TooManyRequestsException when there would be more than LARGE_BYTES_AT_ONCE.
        """
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            if self._large + size > LARGE_BYTES_AT_ONCE:
                raise TooManyRequestsException(_TOO_MANY)
            self._large += size
            held = size

        try:
            yield hold
        finally:
            self._large -= held

    async def _in_time(self, body: Awaitable[bytes], seconds: float) -> bytes:
        """Return what `body` gives. Raises RequestTimeoutException when it takes longer than `seconds`.

        A timer for every request would cost more than reading the body; one for all of them is enough.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs every request in a task
        self._reading[task] = asyncio.get_running_loop().time() + seconds
        try:
            return await body
        except asyncio.CancelledError:
            if self._reading[task] > 0:
                raise
            task.uncancel()
            raise RequestTimeoutException(_TOO_SLOW) from None
        finally:
            del self._reading[task]

    def _sweep(self) -> None:
        """Interrupt the requests whose bodies are overdue, and look again in a second."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for task, deadline in list(self._reading.items()):
            if 0 < deadline <= now:
                self._reading[task] = 0
                task.cancel()
        loop.call_later(SWEEP_SECONDS, self._sweep)

    def _request(self, scope: Scope, headers: Mapping[str, str], body: bytes) -> HttpRequest:
        client = scope.get("client")
        encrypted = scope.get("scheme") == "https"
        source_ip, secure = client[0] if client else "", encrypted
        if self._trusted:
            source_ip, secure = forwarded(source_ip, encrypted, headers, self._trusted)
        raw_path = scope.get("raw_path")
        return HttpRequest(
            method=scope["method"],
            raw_path=scope["path"] if raw_path is None else raw_path.decode("latin-1"),
            raw_query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            received_at=self._clock.now(),
            request_id=self._uuids.next(),
            source_ip=source_ip,
            secure=secure,
            # The web server speaks no other (`Tls`), and does not say which cipher it speaks.
            tls_version="TLSv1.3" if encrypted else None,
            endpoint=self._endpoint,
        )

    def _state(self, path: str) -> HttpResponse:
        if path == "/health" or self._ready():
            return HttpResponse(200, "application/json", b'{"status":"ok"}')
        return HttpResponse(503, "application/json", b'{"status":"unavailable"}')


def _declared_length(method: str, headers: Mapping[str, str]) -> int | None:
    """Return how long the body says it is; None when it does not say (chunks, HTTP/2)."""
    declared = headers.get("content-length", "")
    if declared.isdecimal():
        return int(declared)
    return 0 if method in ("GET", "HEAD") else None


async def _body(declared: int | None, receive: Receive, limit: int, hold: Hold) -> bytes:
    """Return the whole body; calls `hold` before more than MAX_BODY_BYTES of it are read, or once they are
    where it does not say how long it is.

    Raises:
        RequestEntityTooLargeException: it is longer than `limit`, which no such call can be.
        RequestTimeoutException: it does not come, or stops before its end.
    And what `hold` raises.
    """
    if declared == 0:
        return b""
    if declared is not None and declared > limit:
        raise RequestEntityTooLargeException(_too_large(limit))
    if hold is not None and declared is not None and declared > MAX_BODY_BYTES:
        hold(declared)
        hold = None
    chunks: list[bytes] = []
    size = 0
    while size != declared:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestTimeoutException(_CUT_OFF)
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise RequestEntityTooLargeException(_too_large(limit))
        if hold is not None and size > MAX_BODY_BYTES:
            hold(limit)
            hold = None
        if not message.get("more_body"):
            break
    if declared is not None and size != declared:
        raise RequestTimeoutException(_CUT_OFF)
    if size <= MAX_BODY_BYTES:
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    # On a thread: 70 MB are not put together in a moment.
    return await asyncio.get_running_loop().run_in_executor(None, b"".join, chunks)


def _too_large(limit: int) -> str:
    return f"The request body is larger than {limit} bytes."


async def _send(send: Send, answer: HttpResponse, request_id: str) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"x-amzn-requestid", request_id.encode()),
        *((name.encode(), value.encode()) for name, value in answer.headers),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
