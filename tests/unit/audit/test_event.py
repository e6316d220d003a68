"""Records in CloudTrail's shape: which members there are, and that any call can be recorded."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit.event import EVENT_VERSION, call_event, service_event

AT = dt.datetime(2026, 1, 1, 10, 0, 5, 999_999, dt.UTC)
IDENTITY = {"type": "Root", "principalId": "123456789012", "accountId": "123456789012"}
ALWAYS = [
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
    "userAgent", "requestParameters", "responseElements", "requestID", "eventID", "readOnly", "eventType",
    "managementEvent", "recipientAccountId", "eventCategory",
]  # fmt: skip


def encoded(**given: Any) -> bytes:
    return call_event(
        **{
            "event_source": "secretsmanager.amazonaws.com",
            "event_name": "GetSecretValue",
            "region": "eu-central-1",
            "user_identity": IDENTITY,
            "source_ip": "192.0.2.10",
            "user_agent": "aws-cli/2",
            "request_id": "request-1",
            "event_id": "event-1",
            "at": AT,
            "read_only": True,
            "recipient_account_id": "123456789012",
            **given,
        }
    )


def a_record(**given: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(encoded(**given))
    return record


class TestOfACall:
    def test_a_success_has_these_members_and_no_others(self) -> None:
        assert a_record(request_parameters={"secretId": "MyTestSecret"}) == {
            "eventVersion": EVENT_VERSION,
            "userIdentity": IDENTITY,
            "eventTime": "2026-01-01T10:00:05Z",
            "eventSource": "secretsmanager.amazonaws.com",
            "eventName": "GetSecretValue",
            "awsRegion": "eu-central-1",
            "sourceIPAddress": "192.0.2.10",
            "userAgent": "aws-cli/2",
            "requestParameters": {"secretId": "MyTestSecret"},
            "responseElements": None,
            "requestID": "request-1",
            "eventID": "event-1",
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": "123456789012",
            "eventCategory": "Management",
        }

    def test_members_stand_in_cloudtrails_order(self) -> None:
        assert list(a_record()) == ALWAYS

    def test_what_only_some_calls_have_is_left_out_of_the_others(self) -> None:
        some = a_record(
            error_code="AccessDenied",
            error_message="no",
            additional={"a": 1},
            resources=[{"accountId": "1", "type": "t", "ARN": "arn"}],
            shared_event_id="shared",
            tls={"tlsVersion": "TLSv1.3"},
        )
        assert set(some) - set(ALWAYS) == {
            "errorCode", "errorMessage", "additionalEventData", "resources", "sharedEventID", "tlsDetails",
        }  # fmt: skip

    def test_times_are_utc(self) -> None:
        east = dt.timezone(dt.timedelta(hours=5, minutes=30))
        assert a_record(at=AT.astimezone(east))["eventTime"] == "2026-01-01T10:00:05Z"


class TestLimits:
    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("a" * 1024, "a" * 1024),
            ("a" * 1025, "a" * 1024),
            ("é" * 512, "é" * 512),
            ("é" * 513, "é" * 512),
            ("a" + "é" * 512, "a" + "é" * 511),
            ("\U0001f511" * 257, "\U0001f511" * 256),
        ],
        ids=[
            "just fits",
            "one over",
            "two-byte fits",
            "two-byte over",
            "cut between characters",
            "four-byte",
        ],
    )
    def test_texts_are_cut_to_a_kilobyte(self, text: str, kept: str) -> None:
        record = a_record(user_agent=text, error_code="X", error_message=text)
        assert record["userAgent"] == kept
        assert record["errorMessage"] == kept

    @pytest.mark.parametrize("member", ["request_parameters", "response_elements"])
    def test_members_over_a_hundred_kilobytes_are_replaced_by_their_size(self, member: str) -> None:
        name = {"request_parameters": "requestParameters", "response_elements": "responseElements"}[member]
        # {"a":"…"} is eight bytes around the text.
        fits, too_much = {"a": "x" * (102_400 - 8)}, {"a": "x" * (102_400 - 7)}
        assert a_record(**{member: fits})[name] == fits
        assert a_record(**{member: too_much})[name] == {"omitted": True, "originalSize": 102_401}

    def test_additional_data_has_a_limit_of_its_own(self) -> None:
        fits, too_much = {"a": "x" * (28 * 1024 - 8)}, {"a": "x" * (28 * 1024 - 7)}
        assert a_record(additional=fits)["additionalEventData"] == fits
        omitted = {"omitted": True, "originalSize": 28 * 1024 + 1}
        assert a_record(additional=too_much)["additionalEventData"] == omitted

    def test_the_other_members_stay_when_one_is_too_large(self) -> None:
        record = a_record(request_parameters={"a": "x" * 200_000}, response_elements={"aRN": "arn"})
        assert record["responseElements"] == {"aRN": "arn"}
        assert record["requestParameters"] == {"omitted": True, "originalSize": 200_008}


class TestAnythingCanBeRecorded:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("\ud800 alone", "? alone"),
            (2**70, str(2**70)),
            (b"bytes", None),
            (float("nan"), None),
            ("line\nbreak\r\u2028", "line\nbreak\r\u2028"),
            ("\0", "\0"),
        ],
        ids=["lone surrogate", "large number", "bytes", "not a number", "line breaks", "nul"],
    )
    def test_what_json_cannot_hold_is_mended(self, given: Any, kept: Any) -> None:
        line = encoded(request_parameters={"name": given})
        assert b"\n" not in line
        assert json.loads(line)["requestParameters"] == {"name": kept}

    def test_a_deep_nesting_ends_somewhere(self) -> None:
        value: Any = "end"
        for _ in range(2000):
            value = [value]
        record = a_record(request_parameters={"deep": value})
        assert record["requestID"] == "request-1"

    @given(
        st.dictionaries(
            st.text(st.characters(), max_size=20),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats()
                | st.text(st.characters())
                | st.binary(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=10,
            ),
        ),
        st.text(st.characters(), max_size=2000),
    )
    def test_a_record_is_always_one_line_of_json(self, parameters: dict[str, Any], text: str) -> None:
        line = encoded(request_parameters=parameters, user_agent=text, error_message=text, error_code="X")
        assert b"\n" not in line
        record = orjson.loads(line)
        assert record["requestID"] == "request-1"
        assert len(record["userAgent"].encode()) <= 1024


def test_a_service_event_has_the_documented_shape() -> None:
    record = json.loads(
        service_event(
            name="RotationFailed",
            account_id="123456789012",
            region="us-east-2",
            at=AT,
            event_id="event-1",
            request_id="Rotation-arn-token",
            additional={"SecretId": "arn"},
            error_message="Error when executing lambda arn during setSecret step",
        )
    )
    assert record == {
        "eventVersion": EVENT_VERSION,
        "userIdentity": {"accountId": "123456789012", "invokedBy": "secretsmanager.amazonaws.com"},
        "eventTime": "2026-01-01T10:00:05Z",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "RotationFailed",
        "awsRegion": "us-east-2",
        "sourceIPAddress": "secretsmanager.amazonaws.com",
        "userAgent": "secretsmanager.amazonaws.com",
        "errorMessage": "Error when executing lambda arn during setSecret step",
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": {"SecretId": "arn"},
        "requestID": "Rotation-arn-token",
        "eventID": "event-1",
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": "123456789012",
        "eventCategory": "Management",
    }
