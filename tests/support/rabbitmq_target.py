"""RabbitMQ as a target of rotations, for `support.rotator_contract`."""

from __future__ import annotations

import itertools
import os

import pika

from strongroom.ports import Rotator
from strongroom.rotators.rabbitmq import password_hash
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.rabbitmq_server import ADMIN, ADMIN_PASSWORD, HOST, RabbitServer

_numbers = itertools.count(1)


class RabbitTarget:
    def __init__(self, server: RabbitServer) -> None:
        self.server = server
        self.port = server.port
        rotator = load_rotators().find("rabbitmq")
        assert rotator is not None
        self.rotator: Rotator = rotator

    def document(self, user: str, password: str) -> SecretDocument:
        return SecretDocument(
            {
                "engine": "rabbitmq",
                "host": HOST,
                "port": self.port,
                "managementPort": self.server.api_port,
                "username": user,
                "password": password,
                "ssl": False,
            }
        )

    def material(self, strategy: Strategy, tags: str | None = None) -> RotationMaterial:
        single = strategy is Strategy.SINGLE_USER
        user, password = f"app{next(_numbers)}", f"Canary-first-password-{next(_numbers)}"
        if tags is None:
            tags = "administrator" if single else ""
        hashed = password_hash(password, os.urandom(4))
        self.server.api("PUT", "users", user, body={"password_hash": hashed, "tags": tags})
        rights = {"configure": "^app", "write": "^app", "read": ".*"}
        self.server.api("PUT", "permissions", "/", user, body=rights)
        admin = None if single else self.document(ADMIN, ADMIN_PASSWORD)
        return RotationMaterial("arn:app", "version", self.document(user, password), strategy, admin=admin)

    def logs_in(self, document: SecretDocument) -> bool:
        credentials = pika.PlainCredentials(document["username"], document["password"])
        try:
            pika.BlockingConnection(
                pika.ConnectionParameters(HOST, self.port, credentials=credentials)
            ).close()
        except pika.exceptions.AMQPConnectionError:
            return False
        return True

    def dump(self) -> str:
        found = self.server.api("GET", "definitions")
        kept = {name: found[name] for name in ("users", "permissions", "topic_permissions")}
        return repr({name: sorted(map(repr, members)) for name, members in kept.items()})

    def log(self) -> str:
        return self.server.log()
