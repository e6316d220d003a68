"""Where functions reach a server that asks others for client certificates, which functions do not have."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from strongroom.functions.confinement import Level, sandbox_level
from support.certificates import an_authority
from support.dialogue import until
from support.lambda_room import zipped
from support.rotation_functions import a_role
from support.running import STRONGROOM, Server, running

ASKS_HOME = b"""
import boto3, os

def handler(event, context):
    arn = boto3.client("sts").get_caller_identity()["Arn"]
    return [arn.split("/")[-1], os.environ["AWS_ENDPOINT_URL"]]
"""


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options of a server with mutual TLS; this process shows its certificate to it."""
    an_authority(tmp_path)
    shown = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    shown.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=shown))
    plain, client_of = Server.ready, Server.client

    def ready(server: Server) -> bool:
        if server.endpoint.startswith("http:"):
            return plain(server)
        try:
            with opener.open(f"{server.endpoint}/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def client(server: Server, service: str, **config: Any) -> Any:
        shown = str(tmp_path / "client.pem"), str(tmp_path / "client.key")
        return client_of(server, service, client_cert=shown, **config)

    monkeypatch.setattr(Server, "ready", ready)
    monkeypatch.setattr(Server, "client", client)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return [
        "--data-dir", str(tmp_path / "data"), "--root-key", f"file:{tmp_path / 'root.key'}", "--workers", "1",
        "--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"),
        "--client-ca", str(tmp_path / "ca.pem"),
    ]  # fmt: skip


def a_function(role: str) -> dict[str, Any]:
    return {
        "FunctionName": "asks-home",
        "Runtime": "python3.12",
        "Role": role,
        "Handler": "main.handler",
        "Timeout": 30,
        "MemorySize": 512,
        "Code": {"ZipFile": zipped({"main.py": ASKS_HOME})},
    }


@pytest.mark.parametrize(
    ("listeners", "home"),
    [("[[listener]]\nport = 0\n", 0), ("[[listener]]\nport = 0\n" * 2 + "functions = true\n", 1)],
    ids=["the one there is", "the one that is marked"],
)
def test_functions_call_home_where_nobody_is_asked_for_a_certificate(
    tmp_path: Path, options: list[str], listeners: str, home: int
) -> None:
    level, words = sandbox_level()
    if level is Level.NONE:
        pytest.skip(f"functions cannot be shut in here: {words}")
    (tmp_path / "listeners.toml").write_text(listeners)
    options = [*options, "--listeners", str(tmp_path / "listeners.toml")]
    with running(options, tmp_path / "log") as server:
        assert server.process.stdout is not None
        printed = [server.process.stdout.readline() for _ in range(listeners.count("port"))]
        urls = [line.split()[-1] for line in printed]
        assert server.endpoint.startswith("https:")
        with closing(server.client("lambda")) as functions:
            functions.create_function(**a_function(a_role(server)))
            answer = json.loads(functions.invoke(FunctionName="asks-home")["Payload"].read())
        assert answer == ["asks-home", urls[home]]


def test_without_such_an_address_functions_are_refused(tmp_path: Path, options: list[str]) -> None:
    told = (
        "This server does not run functions: every address of it asks for client certificates, which functions "
        "do not have; see --listeners."
    )
    with running(options, tmp_path / "log") as server, closing(server.client("lambda")) as functions:
        with pytest.raises(ClientError) as refused:
            functions.create_function(**a_function(a_role(server)))
        error = refused.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("InvalidParameterValueException", told)
        assert functions.list_functions()["Functions"] == []
        until(lambda: '"functions are not run"' in (tmp_path / "log").read_text())


@pytest.mark.parametrize(
    "text",
    [
        "[[listener]]\nport = 0\nfunctions = true\n[[listener]]\nport = 0\nfunctions = true\n",
        "[[listener]]\nport = 0\nfunctions = true\nclient-ca = 'ca.pem'\ntls-cert = 'server.pem'\n"
        "tls-key = 'server.key'\n",
    ],
    ids=["two of them", "one with client certificates"],
)
def test_an_address_for_functions_is_one_and_open_to_them(tmp_path: Path, text: str) -> None:
    an_authority(tmp_path)
    (tmp_path / "listeners.toml").write_text(text)
    ended = subprocess.run(
        [STRONGROOM, "serve", "--ephemeral", "--listeners", str(tmp_path / "listeners.toml")],
        capture_output=True, text=True, timeout=30, env={**os.environ, "COLUMNS": "400"}, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "functions = true belongs to one listener at most, and to none with client-ca" in ended.stderr
