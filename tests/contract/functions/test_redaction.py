"""What functions print is kept without the values they know."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from strongroom.functions.logs import FunctionLogs
from strongroom.functions.runner import SandboxRunner
from support.function_room import FUNCTION_ARN, SECRET_KEY, SESSION_TOKEN, an_invocation

PASSWORD = 'Canary-"q7fetched"-Password'
DRAWN = "Canary-Drawn-Random-Password"
MADE = "Canary-Made-By-The-Function"
BINARY = b"Canary-Binary\0\xff-Value"
ROTATION_TOKEN = "canary-rotation-token-0123456789abcdef"


class Answers(BaseHTTPRequestHandler):
    """As much of the service as the functions of these tests call."""

    answers: ClassVar[dict[str, dict[str, Any]]] = {
        "GetSecretValue": {
            "Name": "n",
            "SecretString": json.dumps({"engine": "postgres", "username": "app", "password": PASSWORD}),
        },
        "GetRandomPassword": {"RandomPassword": DRAWN},
        "PutSecretValue": {"Name": "n"},
        "BatchGetSecretValue": {"SecretValues": [{"SecretBinary": base64.b64encode(BINARY).decode()}]},
    }

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(self.answers[self.headers["x-amz-target"].split(".")[1]]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


PRINTS_ALL = f"""
import base64, boto3, json, logging, os, sys
logger = logging.getLogger()
logger.setLevel(logging.INFO)
def handler(event, context):
    client = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])
    value = client.get_secret_value(SecretId="n")
    drawn = client.get_random_password()["RandomPassword"]
    binary = client.batch_get_secret_value(SecretIdList=["n"])["SecretValues"][0]["SecretBinary"]
    client.put_secret_value(SecretId="n", SecretString=json.dumps({{"password": {MADE!r}}}))
    password = json.loads(value["SecretString"])["password"]
    logger.info("got %s", value)
    print(password, repr(password), json.dumps(password), base64.b64encode(("user:" + password).encode()))
    print(drawn, file=sys.stderr)
    os.write(2, drawn.encode() + b" " + {MADE!r}.encode() + b"\\n")
    print(binary, binary.hex(), base64.b64encode(binary))
    print(event, dict(os.environ))
    for character in password:
        sys.stdout.write(character)
        sys.stdout.flush()
    print("engine postgres, user app")
    if event["fail"]:
        raise RuntimeError(f"could not log in with {{password!r}}")
    return "done"
"""


@pytest.mark.parametrize("fail", [False, True], ids=["answers", "fails"])
def test_no_value_a_function_knows_is_kept(
    runner: SandboxRunner, data_dir: Path, endpoint: str, fail: bool
) -> None:
    result = runner.invoke(
        an_invocation(
            PRINTS_ALL,
            event=json.dumps({"fail": fail, "RotationToken": ROTATION_TOKEN}).encode(),
            environment={"DB_PASSWORD": "Canary-In-The-Environment"},
            endpoint_url=endpoint,
        )
    )
    assert (result.function_error == "Unhandled") is fail
    entry = FunctionLogs(data_dir).read(FUNCTION_ARN)[0][-1]
    assert "engine postgres, user app" in entry.text
    assert "[INFO]\t" in entry.text
    kept = [path for path in data_dir.rglob("*") if path.is_file()]
    everything = b"".join([result.payload, result.log, *(path.read_bytes() for path in kept)])
    for canary in (
        "q7fetched",
        DRAWN,
        "Canary-Made",
        "Canary-Binary",
        BINARY.hex(),
        base64.b64encode(BINARY).decode()[:-4],
        base64.b64encode(PASSWORD.encode()).decode()[4:-4],
        ROTATION_TOKEN,
        SECRET_KEY,
        SESSION_TOKEN,
        "Canary-In-The-Environment",
    ):
        # The code itself, which says how one of them is made, is kept while the runner lives.
        assert canary.encode() not in everything.replace(PRINTS_ALL.encode(), b"")
    if fail:
        assert json.loads(result.payload)["errorMessage"] == "could not log in with '***'"


def test_a_value_at_the_end_of_what_is_kept_is_taken_out_whole(
    runner: SandboxRunner, data_dir: Path, endpoint: str
) -> None:
    code = """
import boto3, json
def handler(event, context):
    value = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId="n")["SecretString"])["password"]
    print("x" * (256 * 1024 - 10) + value + "more")
"""
    runner.invoke(an_invocation(code, endpoint_url=endpoint))
    text = FunctionLogs(data_dir).read(FUNCTION_ARN)[0][-1].text
    assert "Canary" not in text
    assert "x" * 1000 + "***more" in text


def test_a_function_that_times_out_after_printing_is_redacted_too(
    runner: SandboxRunner, data_dir: Path, endpoint: str
) -> None:
    code = """
import boto3, json, time
def handler(event, context):
    print(boto3.client("secretsmanager").get_random_password()["RandomPassword"], flush=True)
    time.sleep(600)
"""
    result = runner.invoke(an_invocation(code, endpoint_url=endpoint, timeout_seconds=4))
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"
    text = FunctionLogs(data_dir).read(FUNCTION_ARN)[0][-1].text
    assert DRAWN not in text
    assert "***\n" in text
    assert "Task timed out after 4.00 seconds" in text
