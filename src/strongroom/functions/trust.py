"""The certificates that functions check this server's own with."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Final

__all__ = ["write_trust"]

_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII
)
_SYSTEM: Final = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)


def write_trust(certificate: Path, target: Path) -> None:
    """`target` holds the certificates of that file, which may sign for themselves, and those of the usual
    authorities: boto3 trusts what AWS_CA_BUNDLE names, and nothing beside it.

    Raises:
        OSError: the file cannot be read.
    """
    # SECURITY: certificates only. The file may hold the private key as well.
    found = _CERTIFICATE.findall(certificate.read_text("ascii", "replace"))
    usual = next((path for path in (*_SYSTEM, _of_botocore()) if path is not None and path.is_file()), None)
    if usual is not None:
        found += _CERTIFICATE.findall(usual.read_text("ascii", "replace"))
    target.write_text("\n".join(found) + "\n")
    target.chmod(0o644)


def _of_botocore() -> Path | None:
    spec = importlib.util.find_spec("botocore")
    return None if spec is None or spec.origin is None else Path(spec.origin).with_name("cacert.pem")
