"""A real MariaDB on the loopback interface, from the installed program `mariadbd`.

It logs every statement, writes a binary log, and offers TLS with a certificate that vouches for itself.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from support.certificates import self_signed
from support.own_servers import Runas, await_answer, free_port, own_directory, stop

HOST = "127.0.0.1"
ADMIN = "keeper"
ADMIN_PASSWORD = "Canary-of-the-mariadb-superuser-1"
RIGHTS = ("global_priv", "db", "tables_priv", "columns_priv", "procs_priv", "roles_mapping", "proxies_priv")
PLUGINS = ("simple_password_check", "auth_ed25519")


@dataclass
class MariadbServer:
    """One that runs."""

    port: int
    directory: Path
    certificate: str
    """PEM of what vouches for its TLS."""
    process: subprocess.Popen[bytes]

    def document(self, user: str, password: str, **more: Any) -> dict[str, Any]:
        """Return the members of a secret's JSON for a user."""
        return {
            "engine": "mariadb",
            "host": HOST,
            "port": self.port,
            "username": user,
            "password": password,
            "ssl": False,
            **more,
        }

    def connect(self, user: str = ADMIN, password: str = ADMIN_PASSWORD, **more: Any) -> Any:
        return pymysql.connect(
            host=HOST,
            port=self.port,
            user=user,
            password=password,
            autocommit=True,
            ssl_disabled=True,
            **more,
        )

    def logs_in(self, user: str, password: str) -> bool:
        try:
            self.connect(user, password).close()
        except pymysql.MySQLError:
            return False
        return True

    def run(self, *statements: str) -> None:
        """Carry out statements as the superuser."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return list(cursor.fetchall())

    def users_dump(self) -> str:
        """Return all accounts with their password hashes, rights and roles."""
        lines: list[str] = []
        for table in RIGHTS:
            rows = self.rows(f"SELECT * FROM mysql.{table}")  # noqa: S608 - a name of ours
            lines += sorted(f"{table} {row!r}" for row in rows)
        return "\n".join(lines)

    def log(self) -> str:
        """Return all that the server has written but its tables: statements, errors, binary log."""
        paths = [self.directory / "general.log", self.directory / "error.log"]
        paths += sorted((self.directory / "data").glob("binlog.0*"))
        return "\n".join(path.read_bytes().decode(errors="replace") for path in paths)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It takes connections and answers none of them."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def configured(self, **variables: str) -> Iterator[None]:
        """Other global variables hold while the block runs."""
        before = {name: self.rows(f"SELECT @@GLOBAL.{name}")[0][0] for name in variables}
        self._set(variables)
        try:
            yield
        finally:
            self._set(before)

    def _set(self, variables: dict[str, Any]) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for name, value in variables.items():
                cursor.execute(f"SET GLOBAL {name} = %s", (value,))


@contextmanager
def running_mariadb(plugins: Sequence[str] = PLUGINS) -> Iterator[MariadbServer]:
    """Give a server of its own; skip the test where MariaDB is not installed."""
    program = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    install = shutil.which("mariadb-install-db")
    if program is None or install is None:
        pytest.skip("mariadb-server is not installed")
    runas = Runas.lesser()
    with own_directory(runas, "strongroom-mariadb-") as directory:
        server = _start(program, install, runas, directory, plugins)
        try:
            yield server
        finally:
            stop(server.process)


def _start(
    program: str, install: str, runas: Runas, directory: Path, plugins: Sequence[str]
) -> MariadbServer:
    data = directory / "data"
    runas.run(
        [
            *(install, "--no-defaults", f"--datadir={data}", "--skip-test-db"),
            *("--auth-root-authentication-method=normal", "--innodb-log-file-size=4M"),
        ]
    )
    certificate = self_signed(directory / "server.pem")
    certificate.chmod(0o600)
    runas.own(certificate)
    init = directory / "init.sql"
    init.write_text(
        f"CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{ADMIN_PASSWORD}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;\n"
    )
    runas.own(init)
    log = directory / "error.log"
    log.touch()
    runas.own(log)
    port = free_port()
    options = [
        "--no-defaults",
        f"--datadir={data}",
        f"--socket={directory / 's'}",
        f"--port={port}",
        f"--bind-address={HOST}",
        "--skip-name-resolve",
        "--general-log=1",
        f"--general-log-file={directory / 'general.log'}",
        "--log-bin=binlog",
        "--server-id=1",
        f"--ssl-cert={certificate}",
        f"--ssl-key={certificate}",
        f"--init-file={init}",
        "--innodb-buffer-pool-size=16M",
        "--innodb-log-file-size=4M",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        *(f"--plugin-load-add={plugin}" for plugin in plugins),
    ]
    process = runas.start([program, *options], log)
    pem = certificate.read_text()
    server = MariadbServer(port, directory, pem[: pem.index("-----BEGIN PRIVATE")], process)
    try:
        await_answer(process, log, lambda: server.logs_in(ADMIN, ADMIN_PASSWORD))
        init.unlink()
    except BaseException:
        stop(process, signal.SIGKILL)
        raise
    return server
