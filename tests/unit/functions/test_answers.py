"""What is answered for each way in which a call ends."""

from __future__ import annotations

import json

import pytest

from strongroom.functions.answers import answer_of, report_line
from strongroom.functions.redaction import Redactor
from strongroom.functions.sandbox import End, Ending


def answered(end: End, *values: str) -> tuple[bytes, str | None]:
    redactor = Redactor()
    redactor.add(values)
    return answer_of(end, "the-id", 3, redactor)


def test_an_answer_is_handed_on_byte_for_byte() -> None:
    payload = '{"password": "canary-value", "number": NaN}'
    assert answered(End(Ending.ANSWER, payload), "canary-value") == (payload.encode(), None)


@pytest.mark.parametrize("over", [0, 1])
def test_an_answer_is_bounded(over: int) -> None:
    payload, error = answered(End(Ending.ANSWER, "x" * (6291556 + over)))
    assert (error == "Unhandled") is bool(over)
    assert len(payload) == 6291556 if not over else b"6291556 bytes" in payload


def test_values_are_taken_out_of_errors() -> None:
    text = json.dumps(
        {"errorMessage": 'no login with "canary\\value"', "errorType": "E", "stackTrace": ["canary\\value"]}
    )
    payload, error = answered(End(Ending.ANSWER, text, failed=True), "canary\\value")
    assert error == "Unhandled"
    assert json.loads(payload) == {
        "errorMessage": 'no login with "***"',
        "errorType": "E",
        "stackTrace": ["***"],
    }


@pytest.mark.parametrize("text", ["no JSON", "[]", "[" * 100_000, '{"errorMessage": "a","b": 1}'])
def test_an_error_that_is_no_longer_one_is_replaced(text: str) -> None:
    payload, error = answered(End(Ending.ANSWER, text, failed=True), '","b')
    assert error == "Unhandled"
    assert json.loads(payload)["errorMessage"] == "The function failed; its message is not shown."


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [
        (
            End(Ending.TIMED_OUT),
            "Sandbox.Timedout",
            "RequestId: the-id Error: Task timed out after 3.00 seconds",
        ),
        (
            End(Ending.MEMORY),
            "Runtime.OutOfMemory",
            "RequestId: the-id Error: Runtime exited with error: signal: killed",
        ),
        (
            End(Ending.EXITED),
            "Runtime.ExitError",
            "RequestId: the-id Error: Runtime exited without providing a reason",
        ),
        (
            End(Ending.EXITED, status=0),
            "Runtime.ExitError",
            "RequestId: the-id Error: Runtime exited without providing a reason",
        ),
        (
            End(Ending.EXITED, status=7),
            "Runtime.ExitError",
            "RequestId: the-id Error: Runtime exited with error: exit status 7",
        ),
        (
            End(Ending.EXITED, status=-9),
            "Runtime.ExitError",
            "RequestId: the-id Error: Runtime exited with error: signal: killed",
        ),
        (
            End(Ending.EXITED, status=-120),
            "Runtime.ExitError",
            "RequestId: the-id Error: Runtime exited with error: signal: 120",
        ),
    ],
)
def test_other_ends(end: End, kind: str, message: str) -> None:
    payload, error = answered(end)
    assert (json.loads(payload), error) == ({"errorType": kind, "errorMessage": message}, "Unhandled")


def test_the_report_line() -> None:
    assert report_line("the-id", 0.1234, 128, 45 << 20) == (
        "REPORT RequestId: the-id\tDuration: 123.40 ms\tMemory Size: 128 MB\tMax Memory Used: 45 MB\n"
    )
