"""A function is called, and answered for, as Lambda does it (fact sheet rotation section 9)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strongroom.functions.runner import SandboxRunner
from strongroom.ports import Invocation, InvocationResult
from strongroom.secret.document import FaultKind, RotationFault
from support.function_room import (
    FUNCTION_ARN,
    REQUEST_ID,
    SECRET_KEY,
    SESSION_TOKEN,
    a_zip,
    an_invocation,
    jailed,
    run_directory,
    sha256_of,
)


def answer(runner: SandboxRunner, invocation: Invocation) -> Any:
    """Return what a function that must succeed has returned."""
    result = runner.invoke(invocation)
    assert result.function_error is None, result.payload
    return json.loads(result.payload)


def fault(result: InvocationResult) -> dict[str, Any]:
    """Return the answer of a function that must have failed."""
    assert result.function_error == "Unhandled"
    found: dict[str, Any] = json.loads(result.payload)
    return found


def test_the_event_goes_in_and_the_answer_comes_out(runner: SandboxRunner) -> None:
    code = "def handler(event, context):\n    return {'got': event}\n"
    event = {"Step": "createSecret", "text": 'ö"\\\n\u2028', "deep": [[1.5, None, True]]}
    assert answer(runner, an_invocation(code, event=json.dumps(event).encode())) == {"got": event}


def test_an_event_may_be_in_another_encoding_of_unicode(runner: SandboxRunner) -> None:
    code = "def handler(event, context):\n    return event\n"
    assert answer(runner, an_invocation(code, event='"öß"'.encode("utf-16"))) == "öß"


def test_the_context_is_lambdas(runner: SandboxRunner) -> None:
    code = """
def handler(event, c):
    return [c.aws_request_id, c.function_name, c.function_version, c.invoked_function_arn, c.memory_limit_in_mb,
            c.log_group_name, c.log_stream_name, c.identity.cognito_identity_id, c.client_context,
            0 < c.get_remaining_time_in_millis() <= 7000]
"""
    assert answer(runner, an_invocation(code, timeout_seconds=7, memory_mb=192)) == [
        REQUEST_ID,
        "rotate",
        "$LATEST",
        FUNCTION_ARN,
        "192",
        "/aws/lambda/rotate",
        "[$LATEST]" + REQUEST_ID.replace("-", ""),
        None,
        None,
        True,
    ]


def test_a_version_is_told_which_it_is_and_as_what_it_was_invoked(runner: SandboxRunner) -> None:
    code = """
import os
def handler(event, c):
    return [c.function_name, c.function_version, c.invoked_function_arn, c.log_group_name, c.log_stream_name,
            os.environ["AWS_LAMBDA_FUNCTION_VERSION"], os.environ["AWS_LAMBDA_FUNCTION_NAME"]]
"""
    arn = f"{FUNCTION_ARN}:live"
    for version in ("7", "8"):
        result = runner.invoke(an_invocation(code, function_arn=arn, version=version))
        stream = f"[{version}]{REQUEST_ID.replace('-', '')}"
        told = ["rotate", version, arn, "/aws/lambda/rotate", stream, version, "rotate"]
        assert json.loads(result.payload) == told
        assert result.log.startswith(f"START RequestId: {REQUEST_ID} Version: {version}\n".encode())


def test_the_environment_is_lambdas_and_the_functions_and_nothing_of_the_servers(
    runner: SandboxRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "canary")
    code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    found = answer(
        runner,
        an_invocation(
            code, environment={"EXCLUDE_CHARACTERS": "/@", "AWS_SECRET_ACCESS_KEY": "of another call"}
        ),
    )
    assert found.pop("LAMBDA_TASK_ROOT")
    assert ("TMPDIR" in found) is not jailed()
    found.pop("TMPDIR", None)
    assert found == {
        "EXCLUDE_CHARACTERS": "/@",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "SECRETS_MANAGER_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "ASIACANARYACCESSKEYI",
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": SESSION_TOKEN,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_FUNCTION_NAME": "rotate",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/rotate",
        "AWS_LAMBDA_LOG_STREAM_NAME": "[$LATEST]" + REQUEST_ID.replace("-", ""),
        "AWS_EC2_METADATA_DISABLED": "true",
        "_HANDLER": "rotate.handler",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param("https://secretsmanager.us-east-1.amazonaws.com", "http://127.0.0.1:9", id="AWS's"),
        pytest.param("http://proxy.example:7780", "http://proxy.example:7780", id="another of the owner's"),
    ],
)
def test_the_endpoint_of_the_templates_is_this_server_unless_it_is_another_of_the_owners(
    runner: SandboxRunner, given: str, found: str
) -> None:
    code = "import os\ndef handler(event, context):\n    return os.environ['SECRETS_MANAGER_ENDPOINT']\n"
    assert answer(runner, an_invocation(code, environment={"SECRETS_MANAGER_ENDPOINT": given})) == found


def test_a_handler_may_lie_in_a_directory(runner: SandboxRunner) -> None:
    code = a_zip(
        {"deep/er/module.py": "import beside\ndef go(e, c): return beside.N\n", "beside.py": "N = 7"}
    )
    assert answer(runner, an_invocation(code, handler="deep/er/module.go")) == 7


def test_layers_are_found_and_the_functions_own_packages_come_first(runner: SandboxRunner) -> None:
    first = a_zip({"python/one.py": "N = 'first'", "python/two.py": "N = 'first'"})
    second = a_zip({"python/two.py": "N = 'second'", "python/three.py": "N = 'second'"})
    code = a_zip(
        {
            "rotate.py": "import one, two, three\ndef handler(e, c): return one.N, two.N, three.N\n",
            "three.py": "N = 'own'",
        }
    )
    layers = tuple((sha256_of(layer), lambda layer=layer: layer) for layer in (first, second))
    assert answer(runner, an_invocation(code, layers=layers)) == ["first", "second", "own"]


def test_the_functions_own_boto3_counts(runner: SandboxRunner) -> None:
    code = a_zip(
        {
            "rotate.py": "import boto3\ndef handler(e, c): return boto3.MINE\n",
            "boto3/__init__.py": "MINE = 'own'",
        }
    )
    assert answer(runner, an_invocation(code)) == "own"


def test_boto3_is_there_without_being_brought(runner: SandboxRunner) -> None:
    code = """
import boto3
def handler(event, context):
    client = boto3.client("secretsmanager")
    return [client.meta.region_name, client.meta.endpoint_url]
"""
    assert answer(runner, an_invocation(code)) == ["eu-central-1", "http://127.0.0.1:9"]


COUNTS = """
import boto3
client = boto3.client("secretsmanager")
calls = 0
def handler(event, context):
    global calls
    calls += 1
    keys = [c._request_signer._credentials.get_frozen_credentials() for c in (client, boto3.client("kms"))]
    return [calls, *(list(key)[:3] for key in keys)]
"""


def variables(credentials: tuple[str, str, str]) -> dict[str, str]:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    stream = {"AWS_LAMBDA_LOG_STREAM_NAME": f"of {credentials[0]}"}
    return {"TEST": "warm", **dict(zip(names, credentials, strict=True)), **stream}


def test_a_second_call_finds_the_sandbox_warm_and_has_its_own_credentials(runner: SandboxRunner) -> None:
    """They come twice: by themselves, and among the variables as Lambda sets them."""
    first, second = (
        ("ASIAFIRST", "first-secret", "first-token"),
        ("ASIASECOND", "second-secret", "second-token"),
    )
    before = answer(runner, an_invocation(COUNTS, credentials=first, environment=variables(first)))
    assert before == [1, list(first), list(first)]
    after = answer(runner, an_invocation(COUNTS, credentials=second, environment=variables(second)))
    assert after == [2, list(second), list(second)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"environment": {"TEST": "other"}}, id="environment"),
        pytest.param({"memory_mb": 256}, id="memory"),
        pytest.param({"function_arn": FUNCTION_ARN + "2"}, id="function"),
        pytest.param({"code": COUNTS + "# other\n"}, id="code"),
    ],
)
def test_no_sandbox_is_used_for_what_differs(runner: SandboxRunner, change: dict[str, Any]) -> None:
    code = change.pop("code", COUNTS)
    runner.invoke(an_invocation(COUNTS))
    assert answer(runner, an_invocation(code, **change))[0] == 1


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        pytest.param(
            "def handler(e, c): raise ValueError('no such step')",
            "rotate.handler",
            "ValueError",
            "no such step",
            id="raises",
        ),
        pytest.param(
            "import absent_module",
            "rotate.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'rotate': No module named 'absent_module'",
            id="imports what is not there",
        ),
        pytest.param(
            "x = 1",
            "rotate.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'rotate'",
            id="has no handler",
        ),
        pytest.param(
            "x = 1",
            "absent.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'absent': No module named 'absent'",
            id="has no module",
        ),
        pytest.param(
            "x = 1",
            "handler",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
            id="handler without a dot",
        ),
        pytest.param(
            "def handler(:\n",
            "rotate.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'rotate': invalid syntax (rotate.py, line 1)",
            id="syntax error",
        ),
        pytest.param(
            "x = {}['absent']",
            "rotate.handler",
            "KeyError",
            "'absent'",
            id="fails while it is imported",
        ),
        pytest.param(
            "def handler(e, c): return object()",
            "rotate.handler",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type object is not JSON serializable",
            id="returns no JSON",
        ),
        pytest.param(
            "def handler(e, c): return 'x' * 6291557",
            "rotate.handler",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            id="returns too much",
        ),
    ],
)
def test_failures_are_told_as_lambda_tells_them(
    runner: SandboxRunner, code: str, handler: str, kind: str, message: str
) -> None:
    found = fault(runner.invoke(an_invocation(code, handler=handler)))
    assert (found["errorType"], found["errorMessage"]) == (kind, message)
    assert answer(runner, an_invocation("def handler(e, c): return 'still here'")) == "still here"


def test_the_trace_shows_the_functions_frames_only(runner: SandboxRunner) -> None:
    code = "def inner(): return 1 / 0\ndef handler(e, c):\n    return inner()\n"
    trace = fault(runner.invoke(an_invocation(code)))["stackTrace"]
    assert [frame.splitlines()[0].split(", ", 1)[1] for frame in trace] == [
        "line 3, in handler",
        "line 1, in inner",
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("import sys\ndef handler(e, c): sys.exit(3)", "exit status 3", id="sys.exit"),
        pytest.param("import os\ndef handler(e, c): os._exit(4)", "exit status 4", id="os._exit"),
        pytest.param("import sys\nsys.exit(5)", "exit status 5", id="exits while it is imported"),
        pytest.param(
            "import os, signal\ndef handler(e, c): os.kill(os.getpid(), signal.SIGKILL)",
            "signal: killed",
            id="kills itself",
        ),
        pytest.param(
            "import ctypes\ndef handler(e, c): ctypes.string_at(0)",
            "signal: segmentation fault",
            id="crashes",
        ),
    ],
)
def test_a_function_that_ends_its_process(runner: SandboxRunner, code: str, message: str) -> None:
    assert fault(runner.invoke(an_invocation(code))) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {REQUEST_ID} Error: Runtime exited with error: {message}",
    }


def test_a_function_that_ends_without_a_reason(runner: SandboxRunner) -> None:
    found = fault(runner.invoke(an_invocation("import os\ndef handler(e, c): os._exit(0)")))
    assert (
        found["errorMessage"] == f"RequestId: {REQUEST_ID} Error: Runtime exited without providing a reason"
    )


def test_a_function_that_hangs_is_timed_out(runner: SandboxRunner) -> None:
    found = fault(
        runner.invoke(an_invocation("import time\ndef handler(e, c): time.sleep(600)", timeout_seconds=1))
    )
    assert found == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {REQUEST_ID} Error: Task timed out after 1.00 seconds",
    }


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            b"PK no zip", "the function cannot be started: the code is no sound zip file", id="damaged"
        ),
        pytest.param(
            a_zip({"../../escaped.py": "x = 1"}),
            "the function cannot be started: the code holds a file whose name leads elsewhere",
            id="leads elsewhere",
        ),
    ],
)
def test_code_that_cannot_be_unpacked(
    runner: SandboxRunner, data_dir: Path, code: bytes, message: str
) -> None:
    with pytest.raises(RotationFault) as raised:
        runner.invoke(an_invocation(code))
    assert raised.value.kind is FaultKind.FUNCTION
    assert raised.value.message.startswith(message)
    assert list(data_dir.rglob("escaped.py")) == []
    assert list(run_directory(data_dir).rglob("code/.*")) == []


def test_code_that_is_not_what_its_name_says(runner: SandboxRunner) -> None:
    with pytest.raises(RotationFault) as raised:
        runner.invoke(an_invocation("x = 1", code_sha256=sha256_of(b"other")))
    assert raised.value.message == "the function cannot be started: the code is not what its SHA-256 says"


def test_only_python_is_run(runner: SandboxRunner) -> None:
    with pytest.raises(RotationFault) as raised:
        runner.invoke(an_invocation("x = 1", runtime="nodejs22.x"))
    assert raised.value.message == "only Python functions are run"


def test_boto3_is_loaded_without_pyopenssl_which_others_get_all_the_same(runner: SandboxRunner) -> None:
    pytest.importorskip("OpenSSL", reason="pyOpenSSL is not installed")
    code = """
import boto3, ssl, sys
def handler(event, context):
    import botocore.httpsession
    of_boto3 = "OpenSSL" in sys.modules, botocore.httpsession.SSLContext is ssl.SSLContext
    import urllib3.contrib.pyopenssl
    return [*of_boto3, urllib3.contrib.pyopenssl.orig_util_SSLContext is ssl.SSLContext]
"""
    assert answer(runner, an_invocation(code)) == [False, True, True]


def test_decimals_are_answered_as_numbers(runner: SandboxRunner) -> None:
    code = "import decimal\ndef handler(event, context): return {'n': decimal.Decimal('1.5')}\n"
    assert answer(runner, an_invocation(code)) == {"n": 1.5}


def test_garbage_is_collected_once_the_function_is_loaded(runner: SandboxRunner) -> None:
    code = """
import gc, weakref
class Cycle:
    def __init__(self): self.own = self
def handler(event, context):
    gone = weakref.ref(Cycle())
    gc.collect()
    return [gc.isenabled(), gone() is None]
"""
    assert answer(runner, an_invocation(code)) == [True, True]
