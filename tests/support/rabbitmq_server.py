"""A real RabbitMQ with its management API on the loopback interface."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import urllib3

from support.own_servers import Runas, await_answer, free_port, own_directory, stop

HOST = "127.0.0.1"
ADMIN = "keeper"
ADMIN_PASSWORD = "Canary-of-the-rabbitmq-superuser-1"
SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass
class RabbitServer:
    port: int
    api_port: int
    directory: Path

    def api(
        self, method: str, *place: str, body: Any = None, user: str = ADMIN, password: str = ADMIN_PASSWORD
    ) -> Any:
        """Ask the management API as the superuser; return what it answers, None for nothing."""
        headers = urllib3.make_headers(basic_auth=f"{user}:{password}")
        path = "/".join(quote(each, safe="") for each in place)
        answer = urllib3.request(
            method, f"http://{HOST}:{self.api_port}/api/{path}", json=body, headers=headers, retries=False
        )
        assert answer.status < 300, (answer.status, answer.data)
        return answer.json() if answer.data else None

    def log(self) -> str:
        """Return the broker's log, requests to the management API included."""
        return "\n".join(
            path.read_text(errors="replace")
            for path in self.directory.rglob("*")
            if path.is_file() and ("log" in path.name or path.parent.name == "access")
        )


@contextmanager
def running_rabbitmq() -> Iterator[RabbitServer]:
    epmd = shutil.which("epmd")
    if epmd is None or not SCRIPT.exists():
        pytest.skip("RabbitMQ is not installed (Debian: rabbitmq-server)")
    runas = Runas.lesser("rabbitmq")
    with own_directory(runas, "strongroom-rabbitmq-") as directory:
        port, api_port, epmd_port, dist_port = (free_port() for _ in range(4))
        (directory / "rabbitmq.conf").write_text(
            f"""
            listeners.tcp.1 = {HOST}:{port}
            management.tcp.ip = {HOST}
            management.tcp.port = {api_port}
            management.http_log_dir = {directory}/access
            default_user = {ADMIN}
            default_pass = {ADMIN_PASSWORD}
            log.console = true
            log.console.level = debug
            """
        )
        (directory / "enabled_plugins").write_text("[rabbitmq_management].")
        for path in directory.iterdir():
            runas.own(path)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "RABBITMQ_MNESIA_BASE": str(directory),
            "RABBITMQ_LOG_BASE": str(directory),
            "RABBITMQ_NODENAME": f"test{port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
        }
        log = directory / "log"
        # Started here, and so ended here: the broker would leave one behind.
        names = runas.start([epmd, "-address", HOST, "-port", str(epmd_port)], log, env=environment)
        broker = runas.start([str(SCRIPT)], log, env=environment)
        server = RabbitServer(port, api_port, directory)

        def answers() -> bool:
            with suppress(urllib3.exceptions.HTTPError, AssertionError):
                return bool(server.api("GET", "whoami"))
            return False

        try:
            await_answer(broker, log, answers)
            yield server
        finally:
            _stop_broker(directory / "pid", broker)
            stop(names)


def _stop_broker(pid_file: Path, script: subprocess.Popen[bytes]) -> None:
    """End the Erlang machine, whose parent the script is."""
    with suppress(OSError, ValueError):
        subprocess.run(["kill", "-TERM", str(int(pid_file.read_text()))], check=False, capture_output=True)
    try:
        script.wait(20)
    except subprocess.TimeoutExpired:
        stop(script)
