"""The rotators there are: those that come with the program, and those other packages bring.

A package adds an engine by an entry point of the group `strongroom.rotators`, whose name is the `engine` of
the secret's JSON and whose object, called without arguments, returns a Rotator. Modules are imported when an
engine is first asked for.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from strongroom.ports import Entropy, Rotator, Rotators
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial

__all__ = ["ENTRY_POINTS", "TEMPLATES", "load_rotators"]

ENTRY_POINTS = "strongroom.rotators"

Create = Callable[[], Rotator]

BUILT_IN: Mapping[str, str] = {
    "postgres": "strongroom.rotators.postgresql:postgresql",
    "aurora-postgresql": "strongroom.rotators.postgresql:postgresql",
    "redshift": "strongroom.rotators.redshift:redshift",
    "sqlserver": "strongroom.rotators.sqlserver:sqlserver",
    "oracle": "strongroom.rotators.oracle:oracle",
    "mysql": "strongroom.rotators.mysql:mysql",
    "aurora-mysql": "strongroom.rotators.mysql:mysql",
    "mariadb": "strongroom.rotators.mysql:mariadb",
    "redis": "strongroom.rotators.redis_acl:redis",
    "valkey": "strongroom.rotators.redis_acl:redis",
    "elasticache": "strongroom.rotators.redis_acl:redis",
    "http": "strongroom.rotators.webhook:webhook",
    "mongo": "strongroom.rotators.mongodb:mongodb",
    "ldap": "strongroom.rotators.ldap:ldap",
    "rabbitmq": "strongroom.rotators.rabbitmq:rabbitmq",
    "random": "strongroom.rotators.random_value:random_value",
    "ssh-key": "strongroom.rotators.ssh_key:ssh_key",
    "tls-key": "strongroom.rotators.tls_key:tls_key",
}
"""The function that makes the rotator of each `engine`, as `module:function`."""


def _both(product: str, engine: str) -> Mapping[str, tuple[str, Strategy]]:
    return {
        f"SecretsManager{product}RotationSingleUser": (engine, Strategy.SINGLE_USER),
        f"SecretsManager{product}RotationMultiUser": (engine, Strategy.ALTERNATING_USERS),
    }


TEMPLATES: Mapping[str, tuple[str, Strategy]] = {
    **_both("RDSPostgreSQL", "postgres"),
    **_both("RDSMySQL", "mysql"),
    **_both("RDSMariaDB", "mariadb"),
    **_both("RDSOracle", "oracle"),
    **_both("RDSSQLServer", "sqlserver"),
    **_both("Redshift", "redshift"),
    **_both("MongoDB", "mongo"),
    "SecretsManagerElasticacheUserRotation": ("elasticache", Strategy.SINGLE_USER),
}
"""AWS's rotation templates by name; one whose engine is not among the rotators is not served."""


def load_rotators() -> Rotators:
    """Return the rotators that are installed. What a package declares does not replace what is built in."""
    foreign = {entry.name: _loader(entry) for entry in entry_points(group=ENTRY_POINTS)}
    built_in = {engine: _own_loader(path) for engine, path in BUILT_IN.items()}
    return _Loaded({**foreign, **built_in})


class _Loaded:
    """Makes each rotator once, when it is first asked for. Threads share it."""

    def __init__(self, loaders: Mapping[str, Create]) -> None:
        self._loaders = dict(loaders)
        self._made: dict[str, Rotator] = {}
        self._lock = threading.Lock()

    def find(self, engine: str) -> Rotator | None:
        if engine not in self._loaders:
            return None
        with self._lock:
            if engine not in self._made:
                self._made[engine] = self._load(engine)
            return self._made[engine]

    def named(self, function_name: str) -> tuple[Rotator, Strategy] | None:
        engine, strategy = TEMPLATES.get(function_name, ("", Strategy.SINGLE_USER))
        rotator = self.find(engine)
        if rotator is None or strategy not in rotator.strategies:
            return None
        return rotator, strategy

    def engines(self) -> Sequence[str]:
        return sorted(self._loaders)

    def _load(self, engine: str) -> Rotator:
        try:
            return self._loaders[engine]()
        except Exception as exc:  # code of another package may raise anything
            return _Unavailable(engine, type(exc).__name__)


@dataclass(frozen=True, slots=True)
class _Unavailable:
    """Stands for a rotator that cannot be imported: secrets of its engine say so when they rotate."""

    engine: str
    cause: str

    @property
    def engines(self) -> frozenset[str]:
        return frozenset({self.engine})

    @property
    def strategies(self) -> frozenset[Strategy]:
        return frozenset(Strategy)

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        raise self._fault()

    def set(self, material: RotationMaterial) -> None:
        raise self._fault()

    def test(self, material: RotationMaterial) -> None:
        raise self._fault()

    def finish(self, material: RotationMaterial) -> None:
        raise self._fault()

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        return (CheckFinding("rotator", FaultKind.FUNCTION, self._fault().message),)

    def _fault(self) -> RotationFault:
        message = f"the rotator of the engine {self.engine} cannot be loaded ({self.cause})"
        return RotationFault(FaultKind.FUNCTION, message)


def _own_loader(path: str) -> Create:
    module, _, function = path.partition(":")

    def create() -> Rotator:
        return cast(Rotator, getattr(importlib.import_module(module), function)())

    return create


def _loader(entry: EntryPoint) -> Create:
    return lambda: cast(Rotator, entry.load()())
