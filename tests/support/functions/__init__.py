"""Rotation functions, written after the contract of AWS's templates (fact sheet rotation section 8), and packaged
as those are: a zip file with `lambda_function.py` and the packages it imports."""

from __future__ import annotations

import functools
import importlib
import io
import zipfile
from pathlib import Path

__all__ = ["HANDLER", "packaged"]

HANDLER = "lambda_function.lambda_handler"

_HERE = Path(__file__).parent
_PACKAGES = {"postgresql": ("pgdb", "pg"), "mariadb": ("pymysql",)}


@functools.cache
def packaged(engine: str, strategy: str) -> bytes:
    """Return the zip file of a function: `postgresql` or `mariadb`, `single_user` or `alternating_users`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _write(archive, "lambda_function.py", _HERE / f"{strategy}.py")
        _write(archive, "contract.py", _HERE / "contract.py")
        _write(archive, "engine.py", _HERE / f"{engine}.py")
        for package in _PACKAGES[engine]:
            root = Path(importlib.import_module(package).__file__ or "").parent
            for path in sorted(root.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    _write(archive, f"{package}/{path.relative_to(root)}", path)
    return buffer.getvalue()


def _write(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    # Without the file's date: equal functions make equal zip files.
    archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
