"""A real Redis on the loopback interface, with an ACL file; it keeps what it was sent for tests to look at."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from support.own_servers import Runas, await_answer, free_port, own_directory, stop

HOST = "127.0.0.1"
ADMIN = "default"
ADMIN_PASSWORD = "Canary-of-the-redis-superuser-1"


@dataclass
class RedisServer:
    port: int
    directory: Path
    process: subprocess.Popen[bytes]
    seen: list[bytes] = field(default_factory=list)
    """What MONITOR has shown."""

    def client(self, user: str = ADMIN, password: str = ADMIN_PASSWORD) -> Any:
        return redis.Redis(
            host=HOST, port=self.port, username=user, password=password, decode_responses=True, protocol=2
        )

    def run(self, *words: str) -> Any:
        with self.client() as client:
            return client.execute_command(*words)

    def logs_in(self, user: str, password: str) -> bool:
        try:
            with self.client(user, password) as client:
                return bool(client.ping())
        except redis.exceptions.NoPermissionError:
            return True
        except redis.AuthenticationError:
            return False

    def log(self) -> str:
        """Return all it has written or shown of commands: its log, MONITOR, SLOWLOG, ACL LOG."""
        with self.client() as client:
            kept = [client.execute_command("SLOWLOG", "GET", "-1"), client.execute_command("ACL", "LOG")]
        own = (self.directory / "log").read_text(errors="replace")
        return "\n".join([own, b"".join(self.seen).decode(errors="replace"), str(kept)])


@contextmanager
def running_redis(*options: str, acl_file: bool = True) -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: redis-server)")
    runas = Runas.lesser()
    with own_directory(runas, "strongroom-redis-") as directory:
        port = free_port()
        users = directory / "users.acl"
        users.write_text(f"user {ADMIN} on >{ADMIN_PASSWORD} ~* &* +@all\n")
        runas.own(users)
        keeping = ["--aclfile", str(users)] if acl_file else ["--requirepass", ADMIN_PASSWORD]
        command = [
            program, "--bind", HOST, "--port", str(port), "--dir", str(directory), "--save", "",
            "--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000", *keeping, *options,
        ]  # fmt: skip
        log = directory / "log"
        process = runas.start(command, log)
        server = RedisServer(port, directory, process)

        def answers() -> bool:
            with suppress(redis.RedisError, OSError):
                return bool(server.run("PING"))
            return False

        try:
            await_answer(process, log, answers)
            with _monitored(server):
                yield server
        finally:
            stop(process)


@contextmanager
def _monitored(server: RedisServer) -> Iterator[None]:
    with socket.create_connection((HOST, server.port)) as connection:
        connection.sendall(f"AUTH {ADMIN} {ADMIN_PASSWORD}\r\nMONITOR\r\n".encode())

        def watch() -> None:
            with suppress(OSError):
                while data := connection.recv(65536):
                    server.seen.append(data)

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        yield
        connection.shutdown(socket.SHUT_RDWR)
        watching.join(5)
