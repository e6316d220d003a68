"""CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, DeleteFunction.

Source: fact sheet rotation section 9; botocore's model of Lambda; texts: `messages`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from strongroom.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ValidationException,
)
from strongroom.function.records import LATEST, Function, FunctionVersion
from strongroom.function.references import FunctionRef
from strongroom.operations.call import AuthorizedCall, Call, ConditionContext, Operation, Target, Unit
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.code import SealedCode, delete_code, save_code
from strongroom.operations.lambda_.configuration import (
    configured,
    layer_context,
    layer_targets,
    new_revision,
    pass_role_target,
    verify_runnable,
    verify_supported,
)
from strongroom.operations.lambda_.description import described_configuration, shown_arn
from strongroom.operations.lambda_.paging import marker_for, page_size, parse_marker
from strongroom.operations.lambda_.quota import verify_room
from strongroom.operations.lambda_.resolution import (
    function_ref,
    function_target,
    on_everything,
    on_function,
    present_function,
    present_version,
    requested,
    unqualified,
)
from strongroom.operations.lambda_.standing import stored_function
from strongroom.operations.lambda_.tags import accepted_tags, tag_context
from strongroom.operations.lambda_.uploads import release_code, requested_zip, sealing
from strongroom.operations.lambda_.versions import publish
from strongroom.ports import (
    FUNCTION_ALIASES,
    FUNCTION_POLICIES,
    FUNCTION_VERSIONS,
    FUNCTIONS,
    Kind,
    ReadUnit,
    WriteUnit,
    account_region,
)

__all__ = [
    "CREATE_FUNCTION",
    "DELETE_FUNCTION",
    "GET_FUNCTION",
    "GET_FUNCTION_CONFIGURATION",
    "LIST_FUNCTIONS",
]

R = TypeVar("R")

MAXIMUM_NAME: Final = 64
_INTERPRETER: Final = (
    "Runtimes are python3.9 and later; whichever it is, the function runs on the server's own interpreter."
)
READY_AT_ONCE: Final = "The answer says State Active and LastUpdateStatus Successful at once."
NOT_SUPPORTED: Final = (
    "Code comes as ZipFile only. VpcConfig with subnets, DeadLetterConfig, FileSystemConfigs, KMSKeyArn, "
    "CodeSigningConfigArn, SnapStart and the configurations of tenancy, capacity providers, durable "
    "executions and accelerators are refused. Architectures, EphemeralStorage, TracingConfig and "
    "LoggingConfig are kept and shown, and have no effect."
)
ENVIRONMENT_TEXT: Final = "The refusal of an environment over 4 KB does not repeat the variables."
ZIP_RULES: Final = (
    "A zip file with links, devices, encrypted or repeated entries, or names that lead outside, is refused, "
    "and so is one with more than 20,000 entries; all of it is unpacked once to see that it can be."
)


def _named(call: Call) -> FunctionRef:
    return unqualified(function_ref(call, call.request["FunctionName"]))


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    ref, request = _named(call), call.request
    tags = tag_context(request.get("Tags"))
    actions: dict[str, ConditionContext] = {"lambda:CreateFunction": {**tags, **layer_context(request)}}
    if request.get("Tags"):
        # AWS: as for a function that is there already.
        actions["lambda:TagResource"] = tags
    made = [
        replace(function_target(call, unit, ref, action, context), resource_policies=())
        for action, context in actions.items()
    ]
    return (*made, pass_role_target(call, unit, request["Role"], ref.arn), *layer_targets(call))


def create_function(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """There is a function, with its code sealed and its environment too; with Publish also version 1.

    Raises:
        InvalidParameterValueException: the role is no good; a member is not supported; code, environment,
            layers or tags are not as they must be; functions are not run here.
        ValidationException: a name over 64 characters, more than 900 seconds or 10,240 MB.
        ResourceConflictException: the name is taken.
        CodeStorageExceededException: the account's code would be too much.
    """
    call, request = authorized.call, authorized.request
    ref, code = _named(call), _prepared(call)
    tags = _verify_creatable(call, unit, ref)
    verify_room(call, unit, ref.account_id, ref.region, code.size)
    version = configured(call, _blank(call, ref, code))
    verify_runnable(unit, version)
    function = Function(
        account_id=ref.account_id,
        region=ref.region,
        name=ref.name,
        arn=ref.arn,
        created_at=call.received_at,
        tags=tags,
    )
    unit.save(FUNCTIONS, function)
    unit.save(FUNCTION_VERSIONS, version)
    save_code(unit, code)
    if request.get("Publish"):
        version = publish(call, unit, function, version)
    return described_configuration(unit, call.resources, version)


def _verify_creatable(call: Call, unit: ReadUnit, ref: FunctionRef) -> Mapping[str, str]:
    """Return the new function's tags; what can be said without its code has been looked at."""
    request = call.request
    if call.resources.functions is None:
        raise InvalidParameterValueException(messages.no_functions(call.resources.no_functions))
    verify_supported(request)
    if len(ref.name) > MAXIMUM_NAME:
        raise ValidationException(messages.too_long(ref.name, "functionName", MAXIMUM_NAME))
    if not request.get("Runtime") or not request.get("Handler"):
        raise InvalidParameterValueException(messages.RUNTIME_AND_HANDLER)
    tags = accepted_tags({}, request.get("Tags") or {})
    if stored_function(unit, ref) is not None:
        raise ResourceConflictException(messages.function_exists(ref.name))
    return tags


_seal = sealing(lambda request: request["Code"])


def _prepare_creation(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], Any] | None:
    call, ref = authorized.call, _named(authorized.call)
    _verify_creatable(call, unit, ref)
    verify_room(call, unit, ref.account_id, ref.region, len(requested_zip(call.request["Code"])))
    return _seal(authorized, unit)


def _prepared(call: Call) -> SealedCode:
    code = call.prepared
    assert isinstance(code, SealedCode)  # noqa: S101 - `sealing` gives nothing else
    return code


def _blank(call: Call, ref: FunctionRef, code: SealedCode) -> FunctionVersion:
    request = call.request
    return FunctionVersion(
        function_arn=ref.arn,
        account_id=ref.account_id,
        region=ref.region,
        function_name=ref.name,
        version=LATEST,
        runtime=request["Runtime"],
        role_arn=request["Role"],
        handler=request["Handler"],
        code_id=code.code_id,
        code_sha256=code.sha256,
        code_size=code.size,
        unzipped_size=code.unzipped_size,
        modified_at=call.received_at,
        revision_id=new_revision(call.resources.entropy),
    )


def get_function(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return configuration and tags of a function, version or alias.

    Raises:
        ResourceNotFoundException: there is none.
    """
    ref = requested(authorized.call)
    function = present_function(authorized.target, ref)
    version = present_version(unit, ref)
    answer: dict[str, Any] = {
        "Configuration": described_configuration(
            unit, authorized.call.resources, version, shown_arn(ref, version)
        ),
        "Code": {"RepositoryType": "S3"},
    }
    # AWS: tags belong to the function, and are shown without a qualifier only.
    if function.tags and ref.qualifier is None:
        answer["Tags"] = dict(function.tags)
    return answer


def get_function_configuration(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the configuration of a function, version or alias.

    Raises:
        ResourceNotFoundException: there is none.
    """
    ref = requested(authorized.call)
    version = present_version(unit, ref)
    return described_configuration(unit, authorized.call.resources, version, shown_arn(ref, version))


def list_functions(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the functions of the account and region by name, with FunctionVersion ALL each version of them.

    Raises:
        InvalidParameterValueException: a Marker this operation did not give out.
    """
    call, request = authorized.call, authorized.request
    size, after = page_size(request), parse_marker(request, LIST_FUNCTIONS.name)
    name, _, number = after.partition(":")
    every = request.get("FunctionVersion") == "ALL"
    page: list[FunctionVersion] = []
    for each in _versions(unit, account_region(call.account_id, call.region), name, number, every=every):
        if len(page) == size:
            last = page[-1]
            place = f"{last.function_name}:{FUNCTION_VERSIONS.alternate(last)}"
            return {**_listed(call, unit, page), "NextMarker": marker_for(LIST_FUNCTIONS.name, place)}
        page.append(each)
    return _listed(call, unit, page)


def _versions(
    unit: ReadUnit, scope: str, name: str, number: str, *, every: bool
) -> Iterator[FunctionVersion]:
    """Yield versions behind a place, function by function; `every`: the published ones, too."""
    if name and every:
        function = unit.find(FUNCTIONS, scope, name)
        if function is not None:
            yield from unit.scan(FUNCTION_VERSIONS, function.arn, after=number)
    for function in unit.scan(FUNCTIONS, scope, after=name):
        yield from unit.scan(FUNCTION_VERSIONS, function.arn, limit=None if every else 1)


def _listed(call: Call, unit: ReadUnit, page: Sequence[FunctionVersion]) -> dict[str, Any]:
    described = []
    for each in page:
        arn = each.qualified_arn if "FunctionVersion" in call.request else None
        configuration = described_configuration(unit, call.resources, each, arn)
        # AWS: lists leave the states out.
        described.append(
            {key: value for key, value in configuration.items() if key not in ("State", "LastUpdateStatus")}
        )
    return {"Functions": described}


def delete_function(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The function is gone with its versions, aliases, policies and code; with a qualifier that version is.

    Raises:
        ResourceNotFoundException: there is no such function; a version that is not there is no error.
        InvalidParameterValueException: $LATEST alone is to go, or what an alias names.
        ResourceConflictException: an alias refers to the version.
    """
    ref = requested(authorized.call)
    function = present_function(authorized.target, ref)
    if ref.qualifier is not None:
        _delete_version(unit, ref)
        return {"StatusCode": 204}
    for code_id in {each.code_id for each in unit.scan(FUNCTION_VERSIONS, ref.arn)}:
        delete_code(unit, code_id)
    _delete_all(unit, FUNCTION_VERSIONS, ref.arn)
    _delete_all(unit, FUNCTION_ALIASES, ref.arn)
    _delete_all(unit, FUNCTION_POLICIES, ref.arn)
    unit.delete(FUNCTIONS, account_region(function.account_id, function.region), function.name)
    return {"StatusCode": 204}


def _delete_all(unit: WriteUnit, kind: Kind[R], scope: str) -> None:
    for record in unit.scan(kind, scope):
        unit.delete(kind, scope, kind.key(record))


def _delete_version(unit: WriteUnit, ref: FunctionRef) -> None:
    if ref.qualifier == LATEST or not (ref.qualifier or "").isdecimal():
        raise InvalidParameterValueException(messages.LATEST_NOT_DELETABLE)
    version = unit.find(FUNCTION_VERSIONS, ref.arn, ref.version_or_alias)
    if version is None:
        return
    referring = [
        each.name for each in unit.scan(FUNCTION_ALIASES, ref.arn) if each.version == version.version
    ]
    if referring:
        raise ResourceConflictException(messages.aliases_refer(", ".join(referring)))
    unit.delete(FUNCTION_VERSIONS, ref.arn, version.version)
    unit.delete(FUNCTION_POLICIES, ref.arn, version.version)
    release_code(unit, version)


CREATE_FUNCTION = Operation(
    name="CreateFunction",
    action="lambda:CreateFunction",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_function,
    prepare=_prepare_creation,
    large=True,
    read_only=False,
    deviations=(
        _INTERPRETER,
        READY_AT_ONCE,
        NOT_SUPPORTED,
        ENVIRONMENT_TEXT,
        ZIP_RULES,
        "Records of Lambda's operations carry the operation's name, without the date and version that AWS's "
        "have behind it.",
    ),
)
GET_FUNCTION = Operation(
    name="GetFunction",
    action="lambda:GetFunction",
    unit=Unit.READ,
    targets=on_function("lambda:GetFunction"),
    handle=get_function,
    deviations=("Code has no Location: code that was given is not given out again.",),
)
GET_FUNCTION_CONFIGURATION = Operation(
    name="GetFunctionConfiguration",
    action="lambda:GetFunctionConfiguration",
    unit=Unit.READ,
    targets=on_function("lambda:GetFunctionConfiguration"),
    handle=get_function_configuration,
)
LIST_FUNCTIONS = Operation(
    name="ListFunctions",
    action="lambda:ListFunctions",
    unit=Unit.READ,
    targets=on_everything("lambda:ListFunctions"),
    handle=list_functions,
    deviations=("Functions come by name.", "MasterRegion has no effect."),
)
DELETE_FUNCTION = Operation(
    name="DeleteFunction",
    action="lambda:DeleteFunction",
    unit=Unit.WRITE,
    targets=on_function("lambda:DeleteFunction"),
    handle=delete_function,
    read_only=False,
    deviations=("Runs that are under way go on to their end.",),
)
