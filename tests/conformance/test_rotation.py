"""RotateSecret and CancelRotateSecret over TCP: what is kept, validated and answered, and what comes of it.

Source: fact sheet rotation sections 1, 2, 3 and 5.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.dialogue import (
    INVALID_NAME,
    MARKED,
    NOT_FOUND,
    ON_A_REPLICA,
    Person,
    a_person,
    allow,
    answered,
    denied,
    fresh,
    invalid,
    missing,
    picture,
    refused,
    until,
)
from support.drawer import Drawer
from support.rotating_server import ACCOUNT, SINGLE_USER, rotating
from support.rotation_functions import a_function, a_role
from support.running import REGION, Server
from support.signing import json_call, send

FUNCTION = SINGLE_USER
OTHER_FUNCTION = f"{SINGLE_USER}:live"
ROTATE = "secretsmanager:RotateSecret"
CANCEL = "secretsmanager:CancelRotateSecret"
NO_TOKEN = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
NOT_COMPLETE = (
    "InvalidRequestException",
    "A previous rotation isn't complete. That rotation will be reattempted.",
)
CANNOT_INVOKE = (
    "AccessDeniedException",
    "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
    "access to the principal secretsmanager.amazonaws.com.",
)
NO_FUNCTION = (
    "InvalidRequestException",
    "No Lambda rotation function ARN is associated with this secret.",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own, with a target they can look into."""
    with rotating(tmp_path_factory.mktemp("rotating"), "--workers", "1") as started:
        yield started


@pytest.fixture(scope="module")
def secrets(server: Server) -> Iterator[Any]:
    client = server.client("secretsmanager")
    yield client
    client.close()


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    made = Drawer(tmp_path / "drawer")
    made.set_password("bob", "old")
    return made


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture
def name(secrets: Any, drawer: Drawer) -> str:
    """A secret that rotates."""
    made = fresh("rotated")
    value = {"engine": "drawer", "host": str(drawer.path), "username": "bob", "password": "old"}
    secrets.create_secret(Name=made, SecretString=json.dumps(value))
    return made


@pytest.fixture
def plain(secrets: Any) -> str:
    """A secret that nothing here can rotate."""
    made = fresh("plain")
    secrets.create_secret(Name=made, SecretString="x")
    return made


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


def _rotate(client: Any, name: str, **request: Any) -> dict[str, Any]:
    """Call RotateSecret, and return its answer when what it began has ended."""
    answer = answered(client.rotate_secret, SecretId=name, **request)
    until(lambda: "AWSPENDING" not in str(_described(client, name)["VersionIdsToStages"]))
    return answer


def _current(client: Any, name: str) -> dict[str, str]:
    value: dict[str, str] = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    return value


def _described(client: Any, name: str) -> dict[str, Any]:
    """Return the description without the day of the last read, which is stored some time after the read."""
    described = answered(client.describe_secret, SecretId=name)
    described.pop("LastAccessedDate", None)
    return described


def _end_of_day(day: dt.datetime) -> dt.datetime:
    return day.astimezone(dt.UTC).replace(hour=23, minute=59, second=59, microsecond=0)


# Success


def test_a_secret_is_rotated_configured_and_scheduled(secrets: Any, name: str, drawer: Drawer) -> None:
    before = _described(secrets, name)
    token = str(uuid.uuid4())
    answer = _rotate(
        secrets,
        name,
        ClientRequestToken=token,
        RotationLambdaARN=FUNCTION,
        RotationRules={"AutomaticallyAfterDays": 30},
    )
    assert answer == {"ARN": before["ARN"], "Name": name, "VersionId": token}
    after = _described(secrets, name)
    changed = after["LastChangedDate"]
    assert changed > before["LastChangedDate"]
    [first] = before["VersionIdsToStages"]
    assert drawer.calls() == [f"{step} {token}" for step in ("create", "set", "test", "finish")]
    assert drawer.takes_value(_current(secrets, name))
    assert after == {
        **before,
        "VersionIdsToStages": {token: ["AWSCURRENT"], first: ["AWSPREVIOUS"]},
        "LastRotatedDate": changed,
        "LastChangedDate": changed,
        "RotationEnabled": True,
        "RotationLambdaARN": FUNCTION,
        "RotationRules": {"AutomaticallyAfterDays": 30},
        "NextRotationDate": _end_of_day(changed + dt.timedelta(days=30)),
    }
    listed = secrets.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"][0]
    for member in ("RotationEnabled", "RotationLambdaARN", "RotationRules", "NextRotationDate"):
        assert listed[member] == after[member]


def test_a_secret_without_configuration_shows_nothing_of_rotation(secrets: Any, name: str) -> None:
    assert not [member for member in _described(secrets, name) if "Rotat" in member]


def test_what_a_later_call_names_replaces_what_is_stored_and_the_rest_stays(secrets: Any, name: str) -> None:
    _rotate(secrets, name, RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 30})
    _rotate(secrets, name, RotationLambdaARN=OTHER_FUNCTION)
    described = _described(secrets, name)
    assert described["RotationLambdaARN"] == OTHER_FUNCTION
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}
    _rotate(secrets, name, RotationRules={"ScheduleExpression": "rate(10 days)", "Duration": "3h"})
    described = _described(secrets, name)
    assert described["RotationLambdaARN"] == OTHER_FUNCTION
    assert described["RotationRules"] == {
        "AutomaticallyAfterDays": 10,
        "Duration": "3h",
        "ScheduleExpression": "rate(10 days)",
    }
    _rotate(secrets, name)
    assert _described(secrets, name)["RotationRules"] == described["RotationRules"]


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("rate(4 hours)", 1),
        ("rate(1 day)", 1),
        ("rate(1000 days)", 1000),
        ("cron(0 /8 * * ? *)", 1),
        ("cron(0 10 * * ? *)", 1),
        ("cron(0 18 ? * SAT *)", 7),
        ("cron(0 8 1 * ? *)", 31),
        ("cron(0 1 ? 1/3 SUN#1 *)", 98),
        ("cron(0 17 L * ? *)", 31),
        ("cron(0 8 ? * MON-FRI *)", 3),
        ("cron(0 16 1,15 * ? *)", 17),
    ],
)
def test_schedule_expressions_are_kept_with_the_days_between_rotations(
    secrets: Any, name: str, expression: str, days: int
) -> None:
    _rotate(secrets, name, RotationLambdaARN=FUNCTION, RotationRules={"ScheduleExpression": expression})
    described = _described(secrets, name)
    assert described["RotationRules"] == {
        "AutomaticallyAfterDays": days,
        "ScheduleExpression": expression,
    }
    at = described["LastChangedDate"]
    assert at < described["NextRotationDate"] <= at + dt.timedelta(days=days + 1)


def test_a_value_written_by_hand_moves_the_next_date_and_not_the_last_rotation(
    secrets: Any, name: str
) -> None:
    _rotate(secrets, name, RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 7})
    before = _described(secrets, name)
    secrets.put_secret_value(SecretId=name, SecretString="by hand")
    described = _described(secrets, name)
    at = described["LastChangedDate"]
    assert described["NextRotationDate"] == _end_of_day(at + dt.timedelta(days=7))
    assert described["LastRotatedDate"] == before["LastRotatedDate"] < at


def test_the_same_token_again_answers_alike_and_rotates_once(secrets: Any, name: str, drawer: Drawer) -> None:
    token = str(uuid.uuid4())
    first = _rotate(secrets, name, ClientRequestToken=token, RotationLambdaARN=FUNCTION)
    before = picture(secrets, name)
    assert _rotate(secrets, name, ClientRequestToken=token, RotationLambdaARN=FUNCTION) == first
    assert picture(secrets, name) == before
    assert len(drawer.calls()) == 4


def test_not_rotating_at_once_tests_the_configuration(secrets: Any, name: str, drawer: Drawer) -> None:
    answer = _rotate(
        secrets,
        name,
        RotationLambdaARN=FUNCTION,
        RotationRules={"AutomaticallyAfterDays": 2},
        RotateImmediately=False,
    )
    described = _described(secrets, name)
    assert described["RotationEnabled"] is True
    assert [*described["VersionIdsToStages"].values()] == [["AWSCURRENT"]]
    assert answer["VersionId"] not in described["VersionIdsToStages"]
    assert drawer.calls() == [f"test {answer['VersionId']}"]
    tried = secrets.get_secret_value(SecretId=name, VersionId=answer["VersionId"])
    assert json.loads(tried["SecretString"]) == _current(secrets, name)
    assert "LastRotatedDate" not in described


def test_cancelling_turns_rotation_off_and_keeps_its_configuration(secrets: Any, name: str) -> None:
    _rotate(secrets, name, RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 30})
    before = _described(secrets, name)
    assert answered(secrets.cancel_rotate_secret, SecretId=name) == {"ARN": before["ARN"], "Name": name}
    after = _described(secrets, name)
    assert after.pop("LastChangedDate") > before.pop("LastChangedDate")
    del before["NextRotationDate"]
    assert after == {**before, "RotationEnabled": False}
    _rotate(secrets, name)
    assert _described(secrets, name)["RotationEnabled"] is True


def test_cancelling_names_the_version_of_an_unfinished_rotation_and_leaves_its_label(
    secrets: Any, name: str
) -> None:
    _rotate(secrets, name, RotationLambdaARN=FUNCTION)
    pending = str(uuid.uuid4())
    secrets.put_secret_value(
        SecretId=name, ClientRequestToken=pending, SecretString="next", VersionStages=["AWSPENDING"]
    )
    assert answered(secrets.cancel_rotate_secret, SecretId=name)["VersionId"] == pending
    assert _described(secrets, name)["VersionIdsToStages"][pending] == ["AWSPENDING"]


# Refusals


def test_an_unfinished_rotation_blocks_the_next_until_its_label_goes(secrets: Any, name: str) -> None:
    _rotate(secrets, name, RotationLambdaARN=FUNCTION)
    pending = secrets.put_secret_value(SecretId=name, SecretString="next", VersionStages=["AWSPENDING"])
    before = picture(secrets, name)
    assert refused(secrets.rotate_secret, SecretId=name, RotationLambdaARN=OTHER_FUNCTION) == NOT_COMPLETE
    assert picture(secrets, name) == before
    secrets.update_secret_version_stage(
        SecretId=name, VersionStage="AWSPENDING", RemoveFromVersionId=pending["VersionId"]
    )
    assert _rotate(secrets, name)["Name"] == name


def test_a_pending_label_on_the_current_version_does_not_block(secrets: Any, name: str) -> None:
    value = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.put_secret_value(SecretId=name, SecretString=value, VersionStages=["AWSCURRENT", "AWSPENDING"])
    assert _rotate(secrets, name, RotationLambdaARN=FUNCTION)["Name"] == name


def test_writing_a_value_without_labels_ends_an_unfinished_rotation(secrets: Any, name: str) -> None:
    secrets.put_secret_value(SecretId=name, SecretString="next", VersionStages=["AWSPENDING"])
    assert refused(secrets.rotate_secret, SecretId=name, RotationLambdaARN=FUNCTION) == NOT_COMPLETE
    value = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.put_secret_value(SecretId=name, SecretString=value)
    assert "AWSPENDING" not in str(_described(secrets, name)["VersionIdsToStages"])
    assert _rotate(secrets, name, RotationLambdaARN=FUNCTION)["Name"] == name


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({}, id="nothing named"),
        pytest.param({"RotationLambdaARN": ""}, id="an empty ARN"),
        pytest.param({"RotationRules": {"AutomaticallyAfterDays": 1}}, id="rules alone"),
    ],
)
def test_without_a_function_nothing_is_stored(secrets: Any, plain: str, request_: dict[str, Any]) -> None:
    before = picture(secrets, plain)
    assert refused(secrets.rotate_secret, SecretId=plain, **request_) == NO_FUNCTION
    assert picture(secrets, plain) == before


def test_a_function_that_is_not_there_is_refused_and_nothing_stored(secrets: Any, name: str) -> None:
    before = picture(secrets, name)
    absent = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:absent"
    assert refused(secrets.rotate_secret, SecretId=name, RotationLambdaARN=absent) == CANNOT_INVOKE
    assert picture(secrets, name) == before


def test_a_function_that_does_not_admit_the_service_is_refused_and_nothing_stored(
    server: Server, secrets: Any, name: str
) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("lambda_function.py", "def lambda_handler(event, context): ...")
    function = a_function(server, a_role(server), "none", "none", code=code.getvalue())
    functions = server.client("lambda")
    admitted = {"FunctionName": function, "StatementId": "service"}
    functions.remove_permission(**admitted)
    before = picture(secrets, name)
    wrong: list[dict[str, str]] = [
        {},
        {"Principal": "events.amazonaws.com"},
        {"Principal": "secretsmanager.amazonaws.com", "SourceAccount": "999999999999"},
        {"Principal": "secretsmanager.amazonaws.com", "SourceArn": f"{before['description']['ARN']}x"},
    ]
    for permission in wrong:
        if permission:
            functions.add_permission(**admitted, Action="lambda:InvokeFunction", **permission)
        assert refused(secrets.rotate_secret, SecretId=name, RotationLambdaARN=function) == CANNOT_INVOKE
        assert picture(secrets, name) == before
        if permission:
            functions.remove_permission(**admitted)
    functions.add_permission(
        **admitted, Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
    )
    secrets.rotate_secret(SecretId=name, RotationLambdaARN=function)
    secrets.cancel_rotate_secret(SecretId=name)
    functions.close()


def test_a_token_of_another_version_is_refused(secrets: Any, name: str) -> None:
    before = picture(secrets, name)
    [token] = before["description"]["VersionIdsToStages"]
    assert refused(secrets.rotate_secret, SecretId=name, ClientRequestToken=token) == (
        "ResourceExistsException",
        f"You can't use ClientRequestToken {token} because that value is already in use for a version of "
        f"secret {before['description']['ARN']}.",
    )
    assert picture(secrets, name) == before


# What goes wrong


def test_a_failed_rotation_is_told_and_keeps_the_current_value(
    server: Server, secrets: Any, name: str, drawer: Drawer
) -> None:
    drawer.refuse("set")
    token = answered(secrets.rotate_secret, SecretId=name)["VersionId"]
    until(lambda: f"set {token}" in drawer.calls())
    until(lambda: "rotation failed" in server.log())
    assert _current(secrets, name)["password"] == "old"
    [before] = [key for key, labels in _stages(secrets, name).items() if labels == ["AWSCURRENT"]]
    assert _stages(secrets, name) == {before: ["AWSCURRENT"], token: ["AWSPENDING"]}
    assert refused(secrets.rotate_secret, SecretId=name) == NOT_COMPLETE
    drawer.allow("set")
    until(lambda: _stages(secrets, name) == {token: ["AWSCURRENT"], before: ["AWSPREVIOUS"]})
    assert drawer.takes_value(_current(secrets, name))


def test_two_users_take_turns(secrets: Any, drawer: Drawer) -> None:
    admin = fresh("admin")
    drawer.set_password("admin", "root")
    value = {"engine": "drawer", "host": str(drawer.path), "username": "bob", "password": "old"}
    made = secrets.create_secret(
        Name=admin, SecretString=json.dumps({**value, "username": "admin", "password": "root"})
    )
    name = fresh("alternating")
    secrets.create_secret(Name=name, SecretString=json.dumps({**value, "masterarn": made["ARN"]}))
    for user in ("bob_clone", "bob", "bob_clone"):
        before = _current(secrets, name)
        _rotate(secrets, name)
        assert _current(secrets, name)["username"] == user
        assert drawer.takes_value(_current(secrets, name))
        assert drawer.takes_value(before), "who still has the value from before goes on"


def test_calls_of_the_service_are_recorded_as_its_roles(server: Server, secrets: Any, name: str) -> None:
    _rotate(secrets, name)
    roles = server.client("iam")
    [role] = roles.list_roles(PathPrefix="/aws-service-role/")["Roles"]
    assert role["RoleName"] == "AWSServiceRoleForSecretsManagerRotation"
    attached = roles.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["SecretsManagerRotationServiceRolePolicy"]
    roles.close()
    arn = _described(secrets, name)["ARN"]
    assert server.log_path is not None
    slot = server.log_path.parent / "data" / "trail" / "segments" / "rotation"
    lines = [line for file in slot.glob("*.jsonl") for line in file.read_text().splitlines()]
    events = [json.loads(line)["event"] for line in lines]
    reads = [each for each in events if (each["requestParameters"] or {}).get("secretId") == arn]
    assert {each["eventName"] for each in reads} == {"DescribeSecret", "GetSecretValue"}
    for each in reads:
        session = f"assumed-role/{role['RoleName']}/SecretsManagerRotation"
        assert each["userIdentity"]["arn"] == f"arn:aws:sts::{ACCOUNT}:{session}"
        assert each["sourceIPAddress"] == "secretsmanager.amazonaws.com"


def _stages(client: Any, name: str) -> dict[str, list[str]]:
    stages: dict[str, list[str]] = _described(client, name)["VersionIdsToStages"]
    return stages


# Validation


def test_a_missing_token_is_told_before_the_secret_is_looked_at(
    server: Server, secrets: Any, name: str
) -> None:
    before = picture(secrets, name)
    for secret_id in (name, fresh("absent")):
        answer = send(
            server, json_call(server, "RotateSecret", {"SecretId": secret_id, "RotationLambdaARN": FUNCTION})
        )
        assert answer.error == (400, "InvalidParameterException", NO_TOKEN)
    assert picture(secrets, name) == before


@pytest.mark.parametrize("length", [1, 31, 65, 200])
def test_a_token_of_a_wrong_length_is_refused(unchecked: Any, name: str, length: int) -> None:
    before = picture(unchecked, name)
    assert refused(
        unchecked.rotate_secret,
        SecretId=name,
        RotationLambdaARN=FUNCTION,
        ClientRequestToken="t" * length,
    ) == ("InvalidParameterException", "ClientRequestToken must be 32-64 characters long.")
    assert picture(unchecked, name) == before


def _bad_schedule(expression: str, why: str) -> tuple[dict[str, Any], str]:
    return (
        {"ScheduleExpression": expression},
        f"The ScheduleExpression '{expression}' is not valid: {why}",
    )


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        pytest.param(
            {}, "RotationRules must contain AutomaticallyAfterDays or ScheduleExpression.", id="no schedule"
        ),
        pytest.param(
            {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"},
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules. Choose one.",
            id="two schedules",
        ),
        pytest.param(
            {"ScheduleExpression": "rate(1 day)", "Duration": "25h"},
            "The Duration '25h' is not valid: windows open 24 hours apart, and a window must not extend into "
            "the next one.",
            id="window longer than the rate",
        ),
        pytest.param(
            {"ScheduleExpression": "cron(0 20 1 * ? *)", "Duration": "5h"},
            "The Duration '5h' is not valid: a window opens at 20:00 UTC, and it must not extend into the "
            "next UTC day.",
            id="window past midnight",
        ),
        pytest.param(
            *_bad_schedule("rate(3 hours)", "the rate must be at least 4 hours."), id="rate too high"
        ),
        pytest.param(
            *_bad_schedule("rate(1001 days)", "the rate must be at most 1000 days."), id="rate too low"
        ),
        pytest.param(*_bad_schedule("cron(5 8 1 * ? *)", "the minutes must be 0."), id="minutes"),
        pytest.param(
            *_bad_schedule("cron(0 8 1 * 2 *)", "exactly one of day of month and day of week must be ?."),
            id="two kinds of days",
        ),
        pytest.param(
            *_bad_schedule("cron(0 8 30 FEB ? *)", "no day ever matches."), id="a day that never comes"
        ),
        pytest.param(
            *_bad_schedule(
                "cron(0 /2 * * ? *)", "rotations must be at least 4 hours apart, across midnight too."
            ),
            id="cron too often",
        ),
    ],
)
def test_rules_that_make_no_schedule_are_refused_and_nothing_is_stored(
    secrets: Any, name: str, rules: dict[str, Any], message: str
) -> None:
    before = picture(secrets, name)
    assert refused(secrets.rotate_secret, SecretId=name, RotationLambdaARN=FUNCTION, RotationRules=rules) == (
        "InvalidParameterException",
        message,
    )
    assert picture(secrets, name) == before


@pytest.mark.parametrize(
    ("rules", "failure"),
    [
        pytest.param(
            {"AutomaticallyAfterDays": 0},
            "Value '0' at 'rotationRules.automaticallyAfterDays' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
            id="no days",
        ),
        pytest.param(
            {"AutomaticallyAfterDays": 1001},
            "Value '1001' at 'rotationRules.automaticallyAfterDays' failed to satisfy constraint: "
            "Member must have value less than or equal to 1000",
            id="too many days",
        ),
        pytest.param(
            {"ScheduleExpression": "rate(1 day);"},
            "Value 'rate(1 day);' at 'rotationRules.scheduleExpression' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [0-9A-Za-z\(\)#\?\*\-\/, ]+",
            id="characters",
        ),
        pytest.param(
            {"AutomaticallyAfterDays": 1, "Duration": "3d"},
            "Value '3d' at 'rotationRules.duration' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [0-9]+h",
            id="days for hours",
        ),
    ],
)
def test_members_out_of_their_bounds_are_refused(
    unchecked: Any, name: str, rules: dict[str, Any], failure: str
) -> None:
    before = picture(unchecked, name)
    assert refused(
        unchecked.rotate_secret, SecretId=name, RotationLambdaARN=FUNCTION, RotationRules=rules
    ) == invalid(failure)
    assert picture(unchecked, name) == before


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param(
            {"RotationLambdaARN": "rotate-it"},
            "The RotationLambdaARN 'rotate-it' is not the ARN of a Lambda function.",
            id="a function's name",
        ),
        pytest.param(
            {"RotationLambdaARN": "arn:aws:iam::123456789012:role/rotate-it"},
            "The RotationLambdaARN 'arn:aws:iam::123456789012:role/rotate-it' is not the ARN of a Lambda "
            "function.",
            id="another ARN",
        ),
        pytest.param(
            {
                "RotationLambdaARN": FUNCTION,
                "ExternalSecretRotationRoleArn": "arn:aws:iam::123456789012:role/rotator",
            },
            "You can specify ExternalSecretRotationMetadata and ExternalSecretRotationRoleArn only for a "
            "managed external secret.",
            id="an external role for an ordinary secret",
        ),
    ],
)
def test_arns_of_the_wrong_kind_are_refused_and_nothing_is_stored(
    secrets: Any, name: str, request_: dict[str, Any], message: str
) -> None:
    before = picture(secrets, name)
    assert refused(secrets.rotate_secret, SecretId=name, **request_) == (
        "InvalidParameterException",
        message,
    )
    assert picture(secrets, name) == before


def test_rotation_that_was_never_configured_cannot_be_cancelled(secrets: Any, name: str) -> None:
    before = picture(secrets, name)
    assert refused(secrets.cancel_rotate_secret, SecretId=name) == (
        "InvalidRequestException",
        "You can't cancel rotation for this secret because rotation has never been configured for it.",
    )
    assert picture(secrets, name) == before


def test_secrets_that_are_not_there_are_refused(secrets: Any, unchecked: Any) -> None:
    name = fresh()
    assert refused(secrets.rotate_secret, SecretId=name, RotationLambdaARN=FUNCTION) == NOT_FOUND
    assert refused(secrets.cancel_rotate_secret, SecretId=name) == NOT_FOUND
    assert refused(secrets.rotate_secret, SecretId="a b", RotationLambdaARN=FUNCTION) == INVALID_NAME
    assert refused(secrets.cancel_rotate_secret, SecretId="a*") == INVALID_NAME
    assert refused(unchecked.rotate_secret) == missing("secretId")
    assert refused(unchecked.cancel_rotate_secret) == missing("secretId")


def test_a_secret_marked_for_deletion_keeps_its_rotation(secrets: Any, name: str) -> None:
    _rotate(secrets, name, RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 3})
    secrets.delete_secret(SecretId=name)
    before = picture(secrets, name)
    assert refused(secrets.rotate_secret, SecretId=name) == MARKED
    assert refused(secrets.cancel_rotate_secret, SecretId=name) == MARKED
    assert picture(secrets, name) == before
    secrets.restore_secret(SecretId=name)
    assert _described(secrets, name)["RotationRules"] == {"AutomaticallyAfterDays": 3}


def test_a_replica_shows_its_primarys_rotation_and_is_not_rotated_itself(
    server: Server, secrets: Any, name: str
) -> None:
    secrets.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": "eu-west-1"}])
    there = server.client("secretsmanager", region="eu-west-1")
    before = picture(there, name)
    assert refused(there.rotate_secret, SecretId=name, RotationLambdaARN=FUNCTION) == ON_A_REPLICA
    assert refused(there.cancel_rotate_secret, SecretId=name) == ON_A_REPLICA
    assert picture(there, name) == before
    _rotate(secrets, name, RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 3})
    shown = _described(there, name)
    assert shown["RotationEnabled"] is True
    assert shown["RotationRules"] == {"AutomaticallyAfterDays": 3}
    there.close()


# Permissions


def test_a_caller_needs_to_rotate_the_secret_and_to_invoke_the_function(
    secrets: Any, name: str, person: Person
) -> None:
    client = person.client()
    request = {"SecretId": name, "RotationLambdaARN": FUNCTION}
    before = picture(secrets, name)
    assert refused(client.rotate_secret, **request) == denied(person.arn, ROTATE, name)
    person.may(allow(ROTATE))
    assert refused(client.rotate_secret, **request) == denied(person.arn, "lambda:InvokeFunction", FUNCTION)
    assert picture(secrets, name) == before
    person.may(allow(ROTATE), allow("lambda:InvokeFunction", FUNCTION))
    assert answered(client.rotate_secret, **request)["Name"] == name
    until(lambda: "AWSPENDING" not in str(_described(secrets, name)["VersionIdsToStages"]))
    assert refused(client.cancel_rotate_secret, SecretId=name) == denied(person.arn, CANCEL, name)
    person.may(allow(CANCEL))
    assert answered(client.cancel_rotate_secret, SecretId=name)["Name"] == name
    # The function stored is invoked, too, when the call names none.
    person.may(allow(ROTATE))
    assert refused(client.rotate_secret, SecretId=name) == denied(
        person.arn, "lambda:InvokeFunction", FUNCTION
    )
    client.close()


def test_conditions_see_the_function_and_whether_rules_change(
    secrets: Any, name: str, person: Person
) -> None:
    person.may(
        allow("lambda:InvokeFunction"),
        allow(
            ROTATE,
            ArnEquals={"secretsmanager:RotationLambdaARN": FUNCTION},
            Bool={"secretsmanager:ModifyRotationRules": "false"},
        ),
    )
    client = person.client()
    before = picture(secrets, name)
    for request in (
        {"RotationLambdaARN": OTHER_FUNCTION},
        {"RotationLambdaARN": FUNCTION, "RotationRules": {"AutomaticallyAfterDays": 1}},
    ):
        assert refused(client.rotate_secret, SecretId=name, **request) == denied(person.arn, ROTATE, name)
    assert picture(secrets, name) == before
    assert answered(client.rotate_secret, SecretId=name, RotationLambdaARN=FUNCTION)["Name"] == name
    client.close()
