"""Refused decisions keep a record; what cannot be kept changes nothing about the refusal."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from strongroom.errors import AccessDeniedException
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import User
from strongroom.names import AccountId, Arn, Region
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Call, Resources, Target
from strongroom.ports import USERS
from support.memory_unit import MemoryUnit
from support.secret_room import ACCOUNT, NOON

ANN = Arn(f"arn:aws:iam::{ACCOUNT}:user/ann")
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:prod/db-AbCdEf"
GET = "secretsmanager:GetSecretValue"


def refused(keep: Any, resource: str = SECRET, agent: str = "cli") -> AccessDeniedException:
    unit = MemoryUnit()
    user = User(
        user_id="AIDAANN0000000000000",
        user_name="ann",
        path="/",
        arn=ANN,
        account_id=ACCOUNT,
        created_at=NOON,
    )
    unit.records[USERS.name, ACCOUNT, user.user_id] = user
    resources: Any = Resources(store=None, root_key=None, entropy=None, keep_decision=keep)  # type: ignore[arg-type]
    call = Call(
        service="secretsmanager",
        operation="GetSecretValue",
        request={"SecretId": "prod/db"},
        principal=Principal(PrincipalType.USER, AccountId(ACCOUNT), ANN, user.user_id, "AKIA", "ann"),
        region=Region("eu-central-1"),
        received_at=NOON,
        request_id="r-1",
        resources=resources,
        context={"aws:PrincipalArn": ANN, "aws:UserAgent": agent},
    )
    with pytest.raises(AccessDeniedException) as error:
        authorize(call, unit, (Target(GET, resource, AccountId(ACCOUNT)),))
    return error.value


def test_a_refusal_keeps_its_layers_and_what_would_allow_it() -> None:
    kept: list[bytes] = []
    error = refused(kept.append)
    (record,) = [json.loads(each) for each in kept]
    assert (record["request_id"], record["principal"], record["message"]) == ("r-1", ANN, str(error))
    assert record["refused_by"] == ["identity-based policy"]
    ((change,),) = record["explanation"]["remedies"]
    assert change["statement"] == {"Effect": "Allow", "Action": GET, "Resource": SECRET}


def test_a_record_that_cannot_be_written_leaves_the_refusal_as_it_is() -> None:
    def full(_: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    assert str(refused(full)) == str(refused(None))


def test_a_resource_no_policy_could_name_is_refused_as_ever() -> None:
    kept: list[bytes] = []
    assert str(refused(kept.append, resource="not an arn")) == str(refused(None, resource="not an arn"))
    assert kept == []
