"""What every record of the trail has to be like: fact sheet cloudtrail sections 1 to 4 and 12."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from strongroom.names import is_region
from strongroom.operations.catalog import CATALOG
from strongroom.wire.models import ServiceModel, load_service, lowered

ORDER = [
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
    "userAgent", "errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData",
    "requestID", "eventID", "readOnly", "resources", "eventType", "managementEvent", "recipientAccountId",
    "sharedEventID", "vpcEndpointId", "eventCategory", "tlsDetails",
]  # fmt: skip
OPTIONAL = {
    "errorCode", "errorMessage", "additionalEventData", "resources", "sharedEventID", "vpcEndpointId",
    "tlsDetails",
}  # fmt: skip
SERVICE_EVENTS = {
    "secretsmanager.amazonaws.com": {
        "RotationStarted", "RotationSucceeded", "RotationFailed", "RotationAbandoned", "TestRotationStarted",
        "TestRotationSucceeded", "TestRotationFailed", "TestRotationAbandoned", "StartSecretVersionDelete",
        "EndSecretVersionDelete", "CancelSecretVersionDelete", "CanarySecretRead",
    },
    "kms.amazonaws.com": {"RotateKey", "DeleteKey", "DeleteExpiredKeyMaterial"},
}  # fmt: skip
"""Section 4, and KMS's names for what it does by itself."""
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ACCOUNT = re.compile(r"[0-9]{12}")
NEVER = {"secretstring", "secretbinary", "randompassword", "rotationtoken", "plaintext", "ciphertextblob",
         "secretaccesskey", "sessiontoken", "webidentitytoken", "password", "oldpassword", "newpassword",
         "privatekeyplaintext", "privatekeyciphertextblob", "zipfile"}  # fmt: skip
"""Section 12: members with a value or a key in them, ignoring case. The owner's name for a tag may be one."""
KINDS: Mapping[str, tuple[set[str], set[str]]] = {
    # What there has to be, and what there may be besides.
    "Root": ({"principalId", "arn", "accountId", "accessKeyId"}, {"sessionContext"}),
    "IAMUser": ({"principalId", "arn", "accountId", "accessKeyId", "userName"}, {"sessionContext"}),
    "AssumedRole": ({"principalId", "arn", "accountId", "accessKeyId", "sessionContext"}, set()),
    "FederatedUser": ({"principalId", "arn", "accountId", "accessKeyId", "sessionContext"}, set()),
    "WebIdentityUser": ({"principalId", "userName", "identityProvider"}, set()),
    "AWSAccount": ({"principalId", "accountId"}, set()),
    "Unknown": (set(), {"accessKeyId"}),
    "LocalOperator": ({"principalId", "accountId", "userName"}, set()),
}


@cache
def _services() -> Mapping[str, ServiceModel]:
    models = (load_service(name) for name in CATALOG)
    return {model.event_source: model for model in models}


def faults(record: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a record, a sentence each."""
    return list(_faults(record))


def _faults(record: Mapping[str, Any]) -> Iterator[str]:
    names = list(record)
    if names != sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else -1):
        yield f"the members are not in CloudTrail's order: {names}"
    for name in sorted(set(names) - set(ORDER)):
        yield f"{name} is no member of a record"
    missing = sorted(set(ORDER) - OPTIONAL - set(names))
    if missing:
        yield f"{', '.join(missing)} is not there"
        return
    yield from _plain_faults(record)
    yield from _identity_faults(record)
    yield from _member_faults(record)
    if record["eventType"] == "AwsServiceEvent":
        yield from _service_event_faults(record)
    else:
        yield from _call_faults(record)


def _plain_faults(record: Mapping[str, Any]) -> Iterator[str]:
    checks: Mapping[str, bool] = {
        "eventVersion": re.fullmatch(r"1\.[0-9]{2}", record["eventVersion"]) is not None,
        "eventTime": _is_time(record["eventTime"]),
        "eventID": UUID.fullmatch(record["eventID"]) is not None,
        "awsRegion": record["awsRegion"] == "" or is_region(record["awsRegion"]),
        "readOnly": type(record["readOnly"]) is bool,
        "eventType": record["eventType"] in ("AwsApiCall", "AwsServiceEvent"),
        "managementEvent": record["managementEvent"] is True,
        "eventCategory": record["eventCategory"] == "Management",
        "recipientAccountId": record["recipientAccountId"] == ""
        or ACCOUNT.fullmatch(record["recipientAccountId"]) is not None,
        "userAgent": len(record["userAgent"].encode()) <= 1024,
        "errorMessage": len(record.get("errorMessage", "").encode()) <= 1024,
        "sharedEventID": UUID.fullmatch(record.get("sharedEventID", record["eventID"])) is not None,
    }
    for name, holds in checks.items():
        if not holds:
            yield f"{name} is {record.get(name)!r}"
    for each in record.get("resources", ()):
        if list(each) != ["accountId", "type", "ARN"] or not each["type"].startswith("AWS::"):
            yield f"a resource is {each}"
    if record.get("resources") == []:
        yield "resources is there and empty"


def _is_time(text: str) -> bool:
    try:
        dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - the Z is in the format
    except ValueError:
        return False
    return True


def _identity_faults(record: Mapping[str, Any]) -> Iterator[str]:
    identity = record["userIdentity"]
    if "type" not in identity:
        if list(identity) != ["accountId", "invokedBy"]:
            yield f"a service's identity is {identity}"
        return
    kind = identity["type"]
    if kind not in KINDS:
        yield f"userIdentity has the type {kind}"
        return
    required, optional = KINDS[kind]
    given = set(identity) - {"type"}
    if not required <= given <= required | optional:
        yield f"the identity of type {kind} has {sorted(given)}"
        return
    if kind == "Root" and identity["arn"] != f"arn:aws:iam::{identity['accountId']}:root":
        yield f"root's ARN is {identity['arn']}"
    session = identity.get("sessionContext")
    if session is None:
        return
    attributes = session.get("attributes", {})
    if attributes.get("mfaAuthenticated") != "false" or not _is_time(attributes.get("creationDate", "")):
        yield f"the attributes of a session are {attributes}"
    if kind == "AssumedRole":
        issuer = session.get("sessionIssuer", {})
        if issuer.get("type") != "Role" or set(issuer) != {
            "type", "principalId", "arn", "accountId", "userName",
        }:  # fmt: skip
            yield f"the issuer of a role's session is {issuer}"
        elif not identity["principalId"].startswith(f"{issuer['principalId']}:"):
            yield f"{identity['principalId']} is no session of {issuer['principalId']}"


def _member_faults(record: Mapping[str, Any]) -> Iterator[str]:
    for member in ("requestParameters", "responseElements", "additionalEventData"):
        value = record.get(member)
        if value is not None and not isinstance(value, dict):
            yield f"{member} is {value!r}"
        for name in _names(value):
            if name.lower() in NEVER:
                yield f"{member} has the member {name}"
    for member in ("requestParameters", "responseElements"):
        for name in record[member] or {}:
            if name != lowered(name):
                yield f"{member} has the member {name}, not {lowered(name)}"


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)


def _service_event_faults(record: Mapping[str, Any]) -> Iterator[str]:
    source = record["eventSource"]
    if source == "strongroom":
        return
    if record["eventName"] not in SERVICE_EVENTS.get(source, set()):
        yield f"{source} has no event {record['eventName']}"
    expected = {"accountId": record["recipientAccountId"], "invokedBy": source}
    if record["eventName"] != "CanarySecretRead":
        if record["userIdentity"] != expected:
            yield f"the identity of a service event is {record['userIdentity']}"
        if (record["sourceIPAddress"], record["userAgent"]) != (source, source):
            yield "a service event comes from somewhere else than its service"
    if record["requestParameters"] is not None or record["responseElements"] is not None:
        yield "a service event has requestParameters or responseElements"


def _call_faults(record: Mapping[str, Any]) -> Iterator[str]:
    source, name = record["eventSource"], record["eventName"]
    if UUID.fullmatch(record["requestID"]) is None:
        yield f"requestID is {record['requestID']!r}"
    if ("errorMessage" in record) and "errorCode" not in record:
        yield "there is an errorMessage without errorCode"
    if "errorCode" in record and record["responseElements"] is not None:
        yield "a call that failed has responseElements"
    # A refused part of a batch names its secret: the batch itself, which was not refused, names it too.
    of_a_batch = name == "GetSecretValue" and list(record["requestParameters"] or ()) == ["secretId"]
    if (
        record.get("errorCode") == "AccessDenied"
        and record["requestParameters"] is not None
        and not of_a_batch
    ):
        yield "a call that was refused for lack of rights has requestParameters"
    if "errorCode" not in record and record["userIdentity"]["type"] == "Unknown":
        yield "an unknown caller's call succeeded"
    model = _services().get(source)
    if model is None or name not in model.operations:
        if "errorCode" not in record:
            yield f"{source} {name} is no operation"
        return
    served = CATALOG[model.name].operations.get(name)
    if served is None:
        if "errorCode" not in record:
            yield f"{name} is not served, and succeeded"
        return
    if record["readOnly"] is not served.read_only:
        yield f"readOnly of {name} is {record['readOnly']}"
