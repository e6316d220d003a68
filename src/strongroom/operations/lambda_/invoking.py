"""From a stored function to one run of it: its code, its environment, and the session of its role.

Source: fact sheet rotation sections 8 and 9.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

from strongroom.errors import InvalidParameterValueException, ResourceNotFoundException
from strongroom.function.records import FunctionVersion
from strongroom.function.references import parse_layer_ref
from strongroom.identity.principal import PrincipalType
from strongroom.identity.records import Role
from strongroom.names import Arn
from strongroom.operations.call import Resources
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.code import loader
from strongroom.operations.lambda_.environment import open_environment, runtime_environment
from strongroom.operations.lambda_.standing import trusted_role
from strongroom.operations.sts.sessions import mint
from strongroom.ports import LAYER_VERSIONS, Invocation, ReadUnit

__all__ = ["invocation_of"]

SESSION_SECONDS: Final = 960
"""How much longer than the function may run its role's session lasts: a runner may keep a function ready for
some minutes, with what it made of the first call's credentials."""


def invocation_of(
    unit: ReadUnit,
    resources: Resources,
    function: FunctionVersion,
    event: bytes,
    now: dt.datetime,
    request_id: str,
    *,
    invoked_arn: Arn | None = None,
) -> Invocation:
    """Return one run of `function` with `event`, as its execution role as that is now. Writes nothing.

    `invoked_arn`: what it is told it was invoked as: with an alias or version, if one was named; None: the
    function's. The session is called as the function is, as in AWS.

    Raises:
        InvalidParameterValueException: the role has gone, or no longer trusts Lambda.
        ResourceNotFoundException: a layer has gone.
    """
    role = trusted_role(unit, function.role_arn, function.function_arn, function.account_id)
    if role is None:
        raise InvalidParameterValueException(messages.ROLE_NOT_ASSUMABLE)
    credentials = _credentials(resources, function, role, now)
    stream = f"{now:%Y/%m/%d}/[{function.version}]{request_id.replace('-', '')}"
    return Invocation(
        function_arn=invoked_arn or function.function_arn,
        version=function.version,
        request_id=request_id,
        runtime=function.runtime,
        handler=function.handler,
        code_sha256=function.code_sha256,
        load_code=loader(resources, function.code_id),
        environment=runtime_environment(
            function,
            open_environment(resources.root_key, function),
            credentials,
            resources.endpoint_url,
            stream,
        ),
        event=event,
        timeout_seconds=function.timeout_seconds,
        memory_mb=function.memory_mb,
        credentials=credentials,
        region=function.region,
        endpoint_url=resources.endpoint_url,
        layers=tuple(_layer(unit, resources, function, arn) for arn in function.layers),
    )


def _credentials(
    resources: Resources, function: FunctionVersion, role: Role, now: dt.datetime
) -> tuple[str, str, str]:
    session, token = mint(
        resources,
        now,
        account_id=role.account_id,
        type=PrincipalType.ASSUMED_ROLE,
        seconds=function.timeout_seconds + SESSION_SECONDS,
        name=function.function_name,
        role_id=role.role_id,
        source_function_arn=function.function_arn,
    )
    return session.access_key_id, session.secret_access_key, token


def _layer(
    unit: ReadUnit, resources: Resources, function: FunctionVersion, arn: str
) -> tuple[str, Callable[[], bytes]]:
    ref = parse_layer_ref(arn, function.region, function.account_id)
    found = None if ref is None else unit.find(LAYER_VERSIONS, ref.arn, str(ref.version))
    if found is None:
        raise ResourceNotFoundException(messages.no_layer_version(arn))
    return found.code_sha256, loader(resources, found.code_id)
