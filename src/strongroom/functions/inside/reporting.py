"""Tells the server which values the function has got to know, before the function knows them.

The server takes them out of what the function prints. A function that fetches secrets without botocore is not
seen; an honest one that prints what it fetched is.
"""

from __future__ import annotations

import importlib.machinery
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Final

__all__ = ["Credentials", "install"]

Credentials = tuple[str, str, str]
Report = Callable[[list[str]], None]

_TOLD: Final = frozenset(
    ("SecretString", "SecretBinary", "RandomPassword", "Plaintext", "PrivateKeyPlaintext", "SecretAccessKey")
)
"""Members of requests and answers of AWS that hold values."""


class _Known:
    """The credentials that botocore has taken from the environment, to be renewed where they are."""

    def __init__(self) -> None:
        self._taken: weakref.WeakSet[Any] = weakref.WeakSet()

    def add(self, credentials: Any) -> None:
        if credentials is not None:
            self._taken.add(credentials)

    def renew(self, credentials: Credentials) -> None:
        for taken in self._taken:
            taken.access_key, taken.secret_key, taken.token = credentials


def install(report: Report) -> Callable[[Credentials], None]:
    """botocore, once it is imported, reports values; returns what renews the credentials it has taken."""
    known = _Known()
    after: dict[str, Callable[[ModuleType], None]] = {
        "botocore.client": lambda module: _watch_calls(module, report),
        "botocore.credentials": lambda module: _watch_credentials(module, known),
    }
    for name in tuple(after):
        if name in sys.modules:
            after.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _AfterImport(after))
    return known.renew


class _AfterImport:
    """Runs something when a module has been imported."""

    def __init__(self, after: dict[str, Callable[[ModuleType], None]]) -> None:
        self._after = after

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        then = self._after.pop(name, None)
        if then is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            then(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # the loader is this spec's own
        return spec


def _watch_calls(module: ModuleType, report: Report) -> None:
    call = module.BaseClient._make_api_call

    def _make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:
        sent = told_values(api_params)
        if sent:
            report(sent)
        answer = call(self, operation_name, api_params)
        got = told_values(answer)
        if got:
            report(got)
        return answer

    module.BaseClient._make_api_call = _make_api_call


def _watch_credentials(module: ModuleType, known: _Known) -> None:
    load = module.EnvProvider.load

    def load_known(self: Any) -> Any:
        credentials = load(self)
        known.add(credentials)
        return credentials

    module.EnvProvider.load = load_known


def told_values(message: Any, depth: int = 0) -> list[str]:
    """Return the values in a request or an answer that must not be printed."""
    if depth > 8:
        return []
    if isinstance(message, Mapping):
        found = []
        for name, value in message.items():
            if name in _TOLD:
                found += _texts(value)
            elif isinstance(value, (Mapping, list)):
                found += told_values(value, depth + 1)
        return found
    if isinstance(message, list):
        return [text for item in message for text in told_values(item, depth + 1)]
    return []


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (bytes, bytearray)):
        return [value.decode("utf-8", "surrogateescape")]
    return []
