"""botocore and boto3, in memory before a function asks for them, and at less cost when it does."""

from __future__ import annotations

import contextlib
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

__all__ = ["preload", "spare_pyopenssl"]

_USER: Final = "botocore.httpsession"
_PYOPENSSL: Final = "urllib3.contrib.pyopenssl"


def preload() -> None:
    """What nearly every function imports, and what clients read when they are made, is in memory."""
    with contextlib.suppress(ImportError):
        import boto3
        import botocore.session

        _share_models()
        session = botocore.session.Session()
        session.create_client(
            "secretsmanager",
            region_name="us-east-1",
            endpoint_url="http://127.0.0.1:1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )
        assert boto3  # noqa: S101  # imported for the import


def spare_pyopenssl() -> None:
    """botocore, when it is imported, does not load pyOpenSSL where that is installed.

    It wants nothing of it but a reference to the class of the standard library, which it takes from there
    where pyOpenSSL is not; and loading it takes a fifth of the whole start. Others get it as ever.
    """
    sys.meta_path.insert(0, _WithoutPyopenssl())


class _WithoutPyopenssl:
    """Finds one module, which is executed as if pyOpenSSL were not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _USER or _PYOPENSSL in sys.modules:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            modules: dict[str, Any] = sys.modules
            # None: the import system takes it for not there.
            modules[_PYOPENSSL] = None
            try:
                execute(module)
            finally:
                modules.pop(_PYOPENSSL, None)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # the loader is this spec's own
        return spec


def _share_models() -> None:
    """Sessions of botocore, which each read the service models anew, share what they have read."""
    import botocore.session

    make, made = botocore.session.create_loader, {}

    def create_loader(search_path: str | None = None) -> Any:
        if search_path not in made:
            made[search_path] = make(search_path)
        return made[search_path]

    vars(botocore.session)["create_loader"] = create_loader
