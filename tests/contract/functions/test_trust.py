"""Functions trust the server's certificate, and do not get its key."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from strongroom.functions.confinement import Level
from strongroom.functions.runner import SandboxRunner
from strongroom.secret.document import RotationFault
from support.certificates import self_signed
from support.function_room import LIMITS, RememberingLog, an_invocation, run_directory

CALLS = """
import boto3, os
from botocore.config import Config
def handler(event, context):
    client = boto3.client("secretsmanager", config=Config(retries={"total_max_attempts": 1}))
    trusted = open(os.environ["AWS_CA_BUNDLE"]).read()
    return [client.get_random_password()["RandomPassword"], "PRIVATE" in trusted, trusted.count("BEGIN CERTIFICATE") > 10]
"""


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"RandomPassword": "drawn"}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(certificate: Path) -> Iterator[str]:
    """Serve with that certificate; the file holds its key, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_servers_certificate_is_trusted_and_no_other_that_vouches_for_itself(
    tmp_path: Path, level: Level
) -> None:
    own, other = self_signed(tmp_path / "own.pem"), self_signed(tmp_path / "other.pem")
    own.chmod(0o600)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    runner = SandboxRunner(data, RememberingLog(), limits=LIMITS, ca_bundle=own)
    try:
        with serving(own) as endpoint:
            answer = runner.invoke(an_invocation(CALLS, endpoint_url=endpoint))
            assert json.loads(answer.payload) == ["drawn", False, True]
        with serving(other) as endpoint:
            answer = runner.invoke(an_invocation(CALLS, endpoint_url=endpoint))
            assert json.loads(answer.payload)["errorType"] == "SSLError"
    finally:
        runner.close()


def test_a_certificate_that_cannot_be_read_is_told(tmp_path: Path, level: Level) -> None:
    runner = SandboxRunner(tmp_path, RememberingLog(), limits=LIMITS, ca_bundle=tmp_path / "absent.pem")
    try:
        with pytest.raises(RotationFault) as raised:
            runner.invoke(an_invocation("def handler(e, c): return 1"))
        assert "absent.pem" in raised.value.message
        assert [path.name for path in run_directory(tmp_path).glob("*")] == ["lock"]
    finally:
        runner.close()
