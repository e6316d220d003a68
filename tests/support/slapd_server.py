"""A real slapd on the loopback interface, with a small directory."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3
import pytest

from support.own_servers import Runas, await_answer, free_port, own_directory, stop

HOST = "127.0.0.1"
BASE = "dc=example,dc=org"
ADMIN = f"cn=admin,{BASE}"
ADMIN_PASSWORD = "Canary-of-the-directory-manager-1"
SCHEMAS = Path("/etc/ldap/schema")
MODULES = Path("/usr/lib/ldap")


@dataclass
class SlapdServer:
    port: int
    directory: Path

    @contextmanager
    def connect(self, user: str = ADMIN, password: str = ADMIN_PASSWORD) -> Iterator[Any]:
        server = ldap3.Server(HOST, self.port, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, user, password, raise_exceptions=True)
        connection.open(read_server_info=False)
        own = connection.socket
        try:
            connection.bind()
            yield connection
        finally:
            with suppress(ldap3.core.exceptions.LDAPException):
                connection.unbind()
            # What it gave up on it leaves open.
            own.close()

    def logs_in(self, user: str, password: str) -> bool:
        try:
            with self.connect(user, password):
                return True
        except ldap3.core.exceptions.LDAPException:
            return False

    def add(self, dn: str, classes: list[str], **attributes: Any) -> None:
        with self.connect() as connection:
            connection.add(dn, classes, attributes)

    def entries(self, text: str = "(objectClass=*)", attributes: Any = ("*",)) -> dict[str, dict[str, Any]]:
        with self.connect() as connection:
            connection.search(BASE, text, attributes=list(attributes))
            return {each["dn"]: dict(each["raw_attributes"]) for each in connection.response}

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")


@contextmanager
def running_slapd(*lines: str) -> Iterator[SlapdServer]:
    """Run one; `lines` go into the configuration of its database."""
    program = shutil.which("slapd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None or not SCHEMAS.is_dir():
        pytest.skip("slapd is not installed (Debian: slapd)")
    runas = Runas.lesser()
    with own_directory(runas, "strongroom-slapd-") as directory:
        port = free_port()
        data = directory / "data"
        data.mkdir()
        runas.own(data)
        configuration = directory / "slapd.conf"
        more = "\n".join(lines)
        configuration.write_text(
            f"""
include {SCHEMAS}/core.schema
include {SCHEMAS}/cosine.schema
include {SCHEMAS}/inetorgperson.schema
modulepath {MODULES}
moduleload back_mdb
pidfile {directory}/pid
database mdb
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw {ADMIN_PASSWORD}
directory {data}
access to attrs=userPassword by self write by anonymous auth by * none
access to * by users read by * none
{more}
"""
        )
        runas.own(configuration)
        log = directory / "log"
        command = [program, "-f", str(configuration), "-h", f"ldap://{HOST}:{port}/", "-d", "stats,args"]
        process = runas.start(command, log)
        server = SlapdServer(port, directory)

        def answers() -> bool:
            # The driver leaves a socket open that it could not connect.
            with suppress(OSError), socket.create_connection((HOST, port)):
                return _answers_as_a_directory()
            return False

        def _answers_as_a_directory() -> bool:
            with suppress(ldap3.core.exceptions.LDAPException), server.connect():
                return True
            return False

        try:
            await_answer(process, log, answers)
            server.add(BASE, ["domain"], dc="example")
            for unit in ("people", "groups"):
                server.add(f"ou={unit},{BASE}", ["organizationalUnit"])
            yield server
        finally:
            stop(process)
