"""Where the processor time of one call goes, without a network: `python bench/profiling.py`.

Drives the listener of one worker as the web server does (ASGI), with requests signed beforehand, on a room
made for it and removed afterwards. Prints the processor time a call takes, then what cProfile saw in a
second pass. The profiler makes every function call dearer, so its numbers say where, not how much.

(Not called profile.py: cProfile imports a module of that name.)
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import itertools
import json
import multiprocessing
import pstats
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from load import POLICY, Refused, token

from strongroom.operations.catalog import CATALOG
from strongroom.server.listener import Listener
from strongroom.server.opening import OpenRoom, open_room
from strongroom.server.settings import Settings
from strongroom.server.worker import Worker
from strongroom.server.world import SystemClock, SystemEntropy
from strongroom.wire.models import load_service

REGION = "us-east-1"
HOST = "127.0.0.1:7780"
WORK = Path(__file__).with_name(".work")

Request = tuple[dict[str, Any], bytes]
"""An ASGI scope and a body."""


def main() -> None:
    options = _options()
    multiprocessing.set_start_method("fork", force=True)
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK, prefix="profile-") as directory:
        settings = Settings(
            data_dir=Path(directory) / "data",
            ephemeral=True,  # the root key stays in memory
            workers=1,
            sync_every_record=options.sync_every_record,
        )
        opened = open_room(settings, SystemClock(), SystemEntropy())
        try:
            _in_worker(settings, opened, options)
        finally:
            opened.room.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Profile one worker without a network.")
    parser.add_argument("--operation", choices=["get", "put"], default="get")
    parser.add_argument("--secrets", type=int, default=1000, help="distinct secrets [1000]")
    parser.add_argument("--requests", type=int, default=10_000, help="calls in each pass [10000]")
    parser.add_argument("--passes", type=int, default=5, help="timed passes; the median is printed [5]")
    parser.add_argument("--top", type=int, default=40, help="functions listed [40]")
    parser.add_argument("--sort", choices=["tottime", "cumtime", "ncalls"], default="tottime")
    parser.add_argument("--as-root", action="store_true", help="call as the root user, not as an IAM user")
    parser.add_argument("--sync-every-record", action="store_true")
    parser.add_argument("--no-profile", action="store_true", help="only the timed passes")
    parser.add_argument("--save", type=Path, help="keep cProfile's data in this file (snakeviz, pstats)")
    return parser.parse_args()


def _in_worker(settings: Settings, opened: OpenRoom, options: argparse.Namespace) -> None:
    """Run the passes in a forked child, as the supervisor runs its workers."""
    models = {name: load_service(name) for name in CATALOG}
    worker = Worker(settings, opened.room, opened.root_key, models)
    account = opened.new_account
    assert account is not None
    root = Credentials(account.access_key_id, account.secret_access_key)
    gc.collect()
    gc.freeze()
    child = multiprocessing.Process(target=lambda: asyncio.run(_run(worker.listener(), root, options)))
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(1)


async def _run(listener: Listener, root: Credentials, options: argparse.Namespace) -> None:
    async with _started(listener):
        names = [f"bench/secret-{number:06}" for number in range(options.secrets)]
        caller = root if options.as_root else await _user(listener, root)
        await _all(listener, [_signed(root, "CreateSecret", _new_secret(name)) for name in names])
        requests = _requests(caller, names, options)
        one_at_a_time = options.operation == "get"
        await _pass(listener, next(requests), one_at_a_time)
        timed = [await _pass(listener, next(requests), one_at_a_time) for _ in range(options.passes)]
        _report(timed, options)
        if not options.no_profile:
            await _profile(listener, next(requests), one_at_a_time, options)


@asynccontextmanager
async def _started(listener: Listener) -> Any:
    """Start the application and stop it in the end, by the lifespan protocol."""
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outgoing: asyncio.Queue[Any] = asyncio.Queue()
    lifespan = asyncio.create_task(listener({"type": "lifespan"}, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    started = asyncio.create_task(outgoing.get())
    await asyncio.wait([lifespan, started], return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        lifespan.result()
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        await lifespan


def _requests(
    caller: Credentials, names: Sequence[str], options: argparse.Namespace
) -> Iterator[list[Request]]:
    """Give the calls of one pass after another. Writes are signed anew: their tokens count once."""
    rounds = -(-options.requests // len(names))
    if options.operation == "get":
        signed = [_signed(caller, "GetSecretValue", {"SecretId": name}) for name in names]
        yield from itertools.repeat((signed * rounds)[: options.requests])
    while True:
        turns = itertools.islice(itertools.cycle(names), options.requests)
        yield [
            _signed(
                caller,
                "PutSecretValue",
                {"SecretId": name, "SecretString": _value(name), "ClientRequestToken": token()},
            )
            for name in turns
        ]


async def _pass(
    listener: Listener, requests: Sequence[Request], one_at_a_time: bool
) -> tuple[float, float, float]:
    """Return microseconds per call: of the event loop's thread, of the whole process, by the clock."""
    gc.collect()
    thread, process, clock = time.thread_time_ns(), time.process_time_ns(), time.perf_counter_ns()
    if one_at_a_time:
        for request in requests:
            await _call(listener, request)
    else:
        await _all(listener, requests)
    spent = (
        time.thread_time_ns() - thread,
        time.process_time_ns() - process,
        time.perf_counter_ns() - clock,
    )
    on_thread, in_process, by_clock = (nanoseconds / 1000 / len(requests) for nanoseconds in spent)
    return on_thread, in_process, by_clock


def _report(timed: Sequence[tuple[float, float, float]], options: argparse.Namespace) -> None:
    thread, process, clock = (statistics.median(column) for column in zip(*timed, strict=True))
    who = "root" if options.as_root else "an IAM user"
    print(
        f"{options.operation}: {options.passes} passes of {options.requests} calls over "
        f"{options.secrets} secrets, as {who}; medians, in microseconds a call"
    )
    print(f"  processor, event loop   {thread:8.1f}   (best pass {min(t for t, _, _ in timed):.1f})")
    print(f"  processor, all threads  {process:8.1f}   (best pass {min(p for _, p, _ in timed):.1f})")
    print(f"  clock                   {clock:8.1f}", flush=True)


async def _profile(
    listener: Listener, requests: Sequence[Request], one_at_a_time: bool, options: argparse.Namespace
) -> None:
    profiler = cProfile.Profile(time.thread_time)
    profiler.enable()
    await _pass(listener, requests, one_at_a_time)
    profiler.disable()
    if options.save is not None:
        profiler.dump_stats(options.save)
    rows: dict[Any, Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    column = {"ncalls": 1, "tottime": 2, "cumtime": 3}[options.sort]
    ranked = sorted(rows.items(), key=lambda row: row[1][column], reverse=True)
    print(f"\n{'calls':>8} {'own us':>9} {'with callees':>13}   a request; function")
    for (path, line, name), (_, calls, own, cumulative, _) in ranked[: options.top]:
        count = len(requests)
        where = f"{_short(path)}:{line} " if line else ""
        print(
            f"{calls / count:8.2f} {own / count * 1e6:9.2f} {cumulative / count * 1e6:13.2f}   {where}{name}"
        )


def _short(path: str) -> str:
    for part in ("/src/", "/site-packages/", "/bench/"):
        if part in path:
            return path.rpartition(part)[2]
    return Path(path).name


async def _user(listener: Listener, root: Credentials) -> Credentials:
    """Return the access key of a new user whose policy allows the calls measured here."""
    for parameters in (
        {"Action": "CreateUser", "UserName": "bench"},
        {"Action": "PutUserPolicy", "UserName": "bench", "PolicyName": "bench", "PolicyDocument": POLICY},
    ):
        await _call(listener, _signed_query(root, parameters))
    answer = await _call(listener, _signed_query(root, {"Action": "CreateAccessKey", "UserName": "bench"}))
    found = {
        name: re.findall(f"<{name}>(.*?)</{name}>", answer.decode())[0]
        for name in ("AccessKeyId", "SecretAccessKey")
    }
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"])


async def _all(listener: Listener, requests: Iterable[Request], at_once: int = 32) -> None:
    waiting = iter(requests)

    async def one_after_another() -> None:
        for request in waiting:
            await _call(listener, request)

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))


async def _call(listener: Listener, request: Request) -> bytes:
    """Return the body of the answer. Raises Refused."""
    scope, body = request
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await listener(scope, receive, send)
    if messages[0]["status"] != 200:
        raise Refused(messages[0]["status"], messages[1]["body"].decode())
    return bytes(messages[1]["body"])


def _signed(credentials: Credentials, operation: str, body: dict[str, str]) -> Request:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"secretsmanager.{operation}"}
    return _scope(credentials, "secretsmanager", headers, json.dumps(body))


def _signed_query(credentials: Credentials, parameters: dict[str, str]) -> Request:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return _scope(credentials, "iam", headers, urlencode({**parameters, "Version": "2010-05-08"}))


def _scope(credentials: Credentials, service: str, headers: dict[str, str], body: str) -> Request:
    every = {"Host": HOST, "User-Agent": "bench", **headers}
    request = AWSRequest("POST", f"http://{HOST}/", data=body, headers=every)
    SigV4Auth(credentials, service, REGION).add_auth(request)
    content = body.encode()
    sent = {**dict(request.headers.items()), "Content-Length": str(len(content))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 7780),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }
    return scope, content


def _new_secret(name: str) -> dict[str, str]:
    return {"Name": name, "SecretString": _value(name), "ClientRequestToken": token()}


def _value(name: str) -> str:
    return json.dumps({"username": "app", "password": f"password of {name}", "host": "db.internal"})


if __name__ == "__main__":
    main()
