"""Redis as a target of rotations, for `support.rotator_contract`."""

from __future__ import annotations

import itertools
from hashlib import sha256

from strongroom.ports import Rotator
from strongroom.rotators.registry import load_rotators
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.redis_server import ADMIN, ADMIN_PASSWORD, HOST, RedisServer

_numbers = itertools.count(1)
MAY_CHANGE = ("+acl", "+ping", "+config")
RIGHTS = ("~app:*", "&events:*", "+@read", "+set", "(~other:* +get)")


class RedisTarget:
    overlaps = True

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.port = server.port
        rotator = load_rotators().find("redis")
        assert rotator is not None
        self.rotator: Rotator = rotator

    def document(self, user: str, password: str) -> SecretDocument:
        return SecretDocument(
            {
                "engine": "redis",
                "host": HOST,
                "port": self.port,
                "username": user,
                "password": password,
                "ssl": False,
            }
        )

    def material(self, strategy: Strategy, *rules: str) -> RotationMaterial:
        user, password = f"app{next(_numbers)}", f"Canary-first-password-{next(_numbers)}"
        own = MAY_CHANGE if strategy is Strategy.SINGLE_USER else ()
        self.server.run("ACL", "SETUSER", user, "on", *(rules or (*RIGHTS, *own)))
        hashed = sha256(password.encode()).hexdigest()
        self.server.run("ACL", "SETUSER", user, f"#{hashed}")
        admin = self.document(ADMIN, ADMIN_PASSWORD) if strategy is Strategy.ALTERNATING_USERS else None
        return RotationMaterial("arn:app", "version", self.document(user, password), strategy, admin=admin)

    def logs_in(self, document: SecretDocument) -> bool:
        return self.server.logs_in(document["username"], document["password"])

    def dump(self) -> str:
        users = sorted(self.server.run("ACL", "LIST"))
        return "\n".join([*users, (self.server.directory / "users.acl").read_text()])

    def log(self) -> str:
        return self.server.log()
