"""A directory as a target of rotations, for `support.rotator_contract`."""

from __future__ import annotations

import itertools

from strongroom.ports import Rotator
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.slapd_server import ADMIN, ADMIN_PASSWORD, BASE, HOST, SlapdServer

_numbers = itertools.count(1)


class LdapTarget:
    def __init__(self, server: SlapdServer) -> None:
        self.server = server
        self.port = server.port
        rotator = load_rotators().find("ldap")
        assert rotator is not None
        self.rotator: Rotator = rotator

    def document(self, user: str, password: str) -> SecretDocument:
        return SecretDocument(
            {
                "engine": "ldap",
                "host": HOST,
                "port": self.port,
                "username": user,
                "password": password,
                "ssl": False,
            }
        )

    def material(self, strategy: Strategy, name: str = "") -> RotationMaterial:
        name = name or f"app{next(_numbers)}"
        user, password = f"uid={name},ou=people,{BASE}", f"Canary-first-password-{next(_numbers)}"
        self.server.add(user, ["inetOrgPerson"], cn="An application", sn="App", mail="app@example.org")
        with self.server.connect() as connection:
            connection.extend.standard.modify_password(user=user, new_password=password)
        admin = self.document(ADMIN, ADMIN_PASSWORD) if strategy is Strategy.ALTERNATING_USERS else None
        return RotationMaterial("arn:app", "version", self.document(user, password), strategy, admin=admin)

    def logs_in(self, document: SecretDocument) -> bool:
        return self.server.logs_in(document["username"], document["password"])

    def dump(self) -> str:
        return repr(sorted((dn, sorted(found.items())) for dn, found in self.server.entries().items()))

    def log(self) -> str:
        return self.server.log()
