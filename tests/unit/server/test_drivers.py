"""What functions are shown of the server's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strongroom.server import drivers
from strongroom.server.settings import Settings, Tls
from support.function_room import RememberingLog

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII…\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMII…\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("content", [CERTIFICATE, CERTIFICATE + KEY])
def test_a_certificates_file_that_holds_the_key_too_is_not_shown_to_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(drivers, "SandboxRunner", lambda *_, **named: given.update(named))
    file, log = tmp_path / "server.pem", RememberingLog()
    file.write_text(content, encoding="utf-8")
    drivers.open_functions(Settings(data_dir=tmp_path, tls=Tls(file, file)), log)
    if content == CERTIFICATE:
        assert given["ca_bundle"] == file
        assert log.lines == []
        return
    assert given["ca_bundle"] is None
    assert log.lines == [
        (
            "warning",
            "functions cannot check the server's certificate: its file holds the private key as well; put the "
            "key into a file of its own",
            {"file": str(file)},
        )
    ]
