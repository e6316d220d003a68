"""What a run of a function is made of: code, environment, and the session of its role."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    IntegrityError,
    InvalidParameterValueException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.function.records import FunctionVersion, LayerVersion
from strongroom.operations.lambda_.code import PART_BYTES, delete_code, load_code, save_code, seal_code
from strongroom.operations.lambda_.invoking import invocation_of
from strongroom.operations.sts.sessions import open_session
from strongroom.ports import CODE_PARTS, FUNCTION_VERSIONS, LAYER_VERSIONS, ROLES, STORED_CODE, Invocation
from support.key_room import NOON, allow, policy
from support.lambda_room import ENDPOINT, LAMBDA_TRUST, FunctionRoom, zipped

REQUEST_ID = "11111111-2222-4333-8444-555555555555"
CANARY = "canary-4f1d"


@pytest.fixture
def room() -> FunctionRoom:
    return FunctionRoom()


def invocation(room: FunctionRoom, function: FunctionVersion, event: bytes = b"{}") -> Invocation:
    return invocation_of(room.unit, room.resources, function, event, NOON, REQUEST_ID)


def test_a_run_has_the_code_and_configuration_of_the_function(room: FunctionRoom) -> None:
    code = zipped({"main.py": b"x = 1"})
    run = invocation(room, room.function(code=code, timeout_seconds=7, memory_mb=256), b'{"Step":"x"}')
    assert run.function_arn == "arn:aws:lambda:eu-central-1:111122223333:function:rotate"
    assert (run.request_id, run.runtime, run.handler) == (REQUEST_ID, "python3.12", "main.handler")
    assert (run.event, run.timeout_seconds, run.memory_mb) == (b'{"Step":"x"}', 7, 256)
    assert (run.region, run.endpoint_url, run.layers) == ("eu-central-1", ENDPOINT, ())
    assert run.code_sha256 == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert run.load_code() == code


def test_a_run_acts_as_a_session_of_the_execution_role_named_as_the_function(room: FunctionRoom) -> None:
    function = room.function(timeout_seconds=30)
    run = invocation(room, function)
    caller = room.callers.find(room.unit, run.credentials[0], run.credentials[2])
    assert caller is not None
    assert caller.principal.arn == "arn:aws:sts::111122223333:assumed-role/rotate-role/rotate"
    assert caller.principal.role_arn == function.role_arn
    session = open_session(room.root_key, run.credentials[0], run.credentials[2])
    assert session is not None
    assert session.secret_access_key == run.credentials[1]
    assert session.expires_at == NOON + dt.timedelta(seconds=30 + 960)


def test_policies_see_which_function_calls(room: FunctionRoom) -> None:
    ours = {
        "ArnEquals": {"lambda:SourceFunctionArn": "arn:aws:lambda:eu-central-1:111122223333:function:rotate"}
    }
    may = (allow("secretsmanager:GetSecretValue", Condition=ours), allow("sts:AssumeRole"))
    role = room.execution_role("shared", may=may)
    callers = []
    for name in ("rotate", "other"):
        run = invocation(room, room.function(name, role_arn=role.arn))
        found = room.callers.find(room.unit, run.credentials[0], run.credentials[2])
        assert found is not None
        callers.append(found)
    may_read = [room.may(each.principal, "secretsmanager:GetSecretValue", **each.context) for each in callers]
    assert may_read == [True, False]
    chained = room.assume(callers[0].principal, room.role("next"))
    assert room.session(chained).source_function_arn is None


def test_the_environment_is_the_functions_own_and_what_lambda_sets(room: FunctionRoom) -> None:
    run = invocation(room, room.function(environment={"EXCLUDE_CHARACTERS": "/@", "COLOUR": "blue"}))
    environment = dict(run.environment)
    assert environment == {
        "EXCLUDE_CHARACTERS": "/@",
        "COLOUR": "blue",
        "SECRETS_MANAGER_ENDPOINT": ENDPOINT,
        "AWS_ENDPOINT_URL": ENDPOINT,
        "LANG": "en_US.UTF-8",
        "AWS_ACCESS_KEY_ID": run.credentials[0],
        "AWS_SECRET_ACCESS_KEY": run.credentials[1],
        "AWS_SESSION_TOKEN": run.credentials[2],
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_FUNCTION_NAME": "rotate",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/rotate",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]11111111222243338444555555555555",
        "_HANDLER": "main.handler",
        "TZ": ":UTC",
    }


def test_a_function_may_speak_to_another_secrets_manager(room: FunctionRoom) -> None:
    own = {
        "SECRETS_MANAGER_ENDPOINT": "https://elsewhere.example",
        "AWS_ENDPOINT_URL": "https://elsewhere.example",
    }
    environment = invocation(room, room.function(environment=own)).environment
    assert environment["SECRETS_MANAGER_ENDPOINT"] == "https://elsewhere.example"
    assert environment["AWS_ENDPOINT_URL"] == ENDPOINT


@pytest.mark.parametrize("what", ["gone", "distrustful", "denying"])
def test_a_role_that_is_gone_or_trusts_lambda_no_more_ends_it(room: FunctionRoom, what: str) -> None:
    function = room.function()
    role = next(each for each in room.unit.scan(ROLES, "111122223333") if each.arn == function.role_arn)
    if what == "gone":
        room.unit.delete(ROLES, role.account_id, role.role_id)
    elif what == "distrustful":
        other = {**LAMBDA_TRUST, "Principal": {"Service": "ec2.amazonaws.com"}}
        room.unit.save(ROLES, replace(role, trust_policy=policy(other)))
    else:
        no = {**LAMBDA_TRUST, "Effect": "Deny"}
        room.unit.save(ROLES, replace(role, trust_policy=policy(LAMBDA_TRUST, no)))
    with pytest.raises(InvalidParameterValueException) as refused:
        invocation(room, function)
    assert refused.value.message == "The role defined for the function cannot be assumed by Lambda."


def test_layers_come_in_their_order_and_one_that_is_gone_is_named(room: FunctionRoom) -> None:
    arns = []
    for number, content in enumerate((b"one", b"two"), 1):
        sealed = seal_code(room.root_key, room.entropy, content, 3)
        save_code(room.unit, sealed)
        layer = LayerVersion(
            layer_arn=f"arn:aws:lambda:eu-central-1:111122223333:layer:drivers{number}",
            version=number,
            code_id=sealed.code_id,
            code_sha256=sealed.sha256,
            code_size=3,
            unzipped_size=3,
            created_at=NOON,
        )
        room.unit.save(LAYER_VERSIONS, layer)
        arns.append(layer.arn)
    function = room.function(layers=tuple(reversed(arns)))
    assert [load() for _, load in invocation(room, function).layers] == [b"two", b"one"]
    missing = f"{arns[0][:-1]}9"
    with pytest.raises(ResourceNotFoundException) as refused:
        invocation(room, replace(function, layers=(missing,)))
    assert refused.value.message == f"Layer version {missing} does not exist."


def test_an_environment_opens_for_its_own_version_only(room: FunctionRoom) -> None:
    function = room.function(environment={"PASSWORD": CANARY})
    assert CANARY.encode() not in (function.sealed_environment or b"")
    assert CANARY not in repr(invocation(room, function))
    for other in (replace(function, version="1"), replace(function, function_arn="arn:other")):
        with pytest.raises(IntegrityError):
            room.unit.save(FUNCTION_VERSIONS, other)
            invocation(room, replace(other, role_arn=function.role_arn))


def test_code_comes_back_whole_and_rests_sealed(room: FunctionRoom) -> None:
    zip_file = CANARY.encode() + bytes(range(256)) * (2 * PART_BYTES // 256) + b"end"
    code = seal_code(room.root_key, room.entropy, zip_file, 1)
    save_code(room.unit, code)
    assert len(code.parts) == 3
    assert load_code(room.unit, room.root_key, code.code_id) == zip_file
    assert all(CANARY.encode() not in part.sealed for part in code.parts)
    delete_code(room.unit, code.code_id)
    assert room.unit.scan(CODE_PARTS, code.code_id) == []
    assert room.unit.find(STORED_CODE, "", code.code_id) is None
    with pytest.raises(IntegrityError):
        load_code(room.unit, room.root_key, code.code_id)


@pytest.mark.parametrize("damage", ["swapped", "missing", "cut", "changed", "other code"])
def test_damaged_code_does_not_load(room: FunctionRoom, damage: str) -> None:
    code = seal_code(room.root_key, room.entropy, bytes(2 * PART_BYTES + 5), 1)
    save_code(room.unit, code)
    first, second, third = code.parts
    if damage == "swapped":
        room.unit.save(CODE_PARTS, replace(first, number=1))
        room.unit.save(CODE_PARTS, replace(second, number=0))
    elif damage == "missing":
        room.unit.delete(CODE_PARTS, code.code_id, "000001")
    elif damage == "cut":
        room.unit.save(STORED_CODE, replace(code.record, parts=2))
    elif damage == "changed":
        room.unit.save(CODE_PARTS, replace(third, sealed=third.sealed[:-1] + bytes([third.sealed[-1] ^ 1])))
    else:
        other = seal_code(room.root_key, room.entropy, bytes(2 * PART_BYTES + 5), 1)
        room.unit.save(CODE_PARTS, replace(other.parts[0], code_id=code.code_id))
    with pytest.raises(IntegrityError):
        load_code(room.unit, room.root_key, code.code_id)


def test_nothing_of_a_refusal_is_stored(room: FunctionRoom) -> None:
    function = room.function(role_arn="arn:aws:iam::111122223333:role/nobody")
    before = room.unit.state()
    with pytest.raises(ServiceError):
        invocation(room, function)
    assert room.unit.state() == before
