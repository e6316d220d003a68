"""The world of `permission_world` with a value to read, and calls that ask for it."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from strongroom.identity.principal import Principal, principal_context
from strongroom.names import AWSCURRENT, VersionId
from strongroom.operations.call import Call, Resources
from strongroom.secret.records import SecretVersion
from support.memory_unit import MemoryUnit
from support.permission_world import KEY_ARN, NOON, REGION, SECRET_ARN, begin

NOBODY: Any = None
RESOURCES: Final = Resources(NOBODY, NOBODY, NOBODY)
VERSION: Final = VersionId("11111111-aaaa-bbbb-cccc-000000000001")


def a_world() -> MemoryUnit:
    unit = MemoryUnit()
    begin(unit)
    with_value(unit)
    return unit


def with_value(unit: Any, **members: Any) -> None:
    """The secret has a current value under the key."""
    secret = unit.secret(SECRET_ARN)
    unit.save_secret(replace(secret, labels={AWSCURRENT: VERSION}))
    made = SecretVersion(
        secret_arn=SECRET_ARN, version_id=VERSION, created_at=NOON, kms_key_arn=KEY_ARN, envelope=b""
    )
    unit.save_version(replace(made, **members))


def a_call(principal: Principal, **context: str) -> Call:
    return Call(
        service="secretsmanager",
        operation="GetSecretValue",
        request={},
        principal=principal,
        region=REGION,
        received_at=NOON,
        request_id="",
        resources=RESOURCES,
        context={**principal_context(principal), "aws:RequestedRegion": REGION, **context},
    )
