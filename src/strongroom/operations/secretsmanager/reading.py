"""Reading values: of one secret, and of many at once. Sources: fact sheets secretsmanager 6, kms 13."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from strongroom.errors import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import AWSCURRENT, StagingLabel
from strongroom.operations.call import Again, AuthorizedCall, Call, Operation, Resources, Target, Unit
from strongroom.operations.datakeys import open_value, permitted_opening
from strongroom.operations.secretsmanager import messages
from strongroom.operations.secretsmanager.listing import secrets_page
from strongroom.operations.secretsmanager.resolution import alive, present, secret_target
from strongroom.operations.secretsmanager.settling import verify_settled
from strongroom.ports import ReadUnit
from strongroom.secret.filters import compile_filters
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.pagination import decode_token, encode_token
from strongroom.secret.records import Secret, SecretVersion
from strongroom.secret.staging import labels_of
from strongroom.secret.value import SecretValue

MAX_BATCH: Final = 20

# Section 6, BatchGetSecretValue; moto.
IDS_XOR_FILTERS: Final = "Either 'SecretIdList' or 'Filters' must be provided, but not both."
MAX_WITHOUT_FILTERS: Final = (
    "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided."
)

_GET: Final = "secretsmanager:GetSecretValue"
_BATCH: Final = "secretsmanager:BatchGetSecretValue"


# GetSecretValue


def _get_context(request: Mapping[str, Any]) -> dict[str, str]:
    context = {}
    if "VersionId" in request:
        context["secretsmanager:VersionId"] = request["VersionId"]
    if "VersionStage" in request:
        context["secretsmanager:VersionStage"] = request["VersionStage"]
    return context


def _get_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (secret_target(call, unit, call.request["SecretId"], _GET, _get_context(call.request)),)


def get_secret_value(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the value of one version, AWSCURRENT unless the caller says another.

    Raises:
        ResourceNotFoundException: no such secret, version or label; or a version without a value.
        InvalidRequestException: marked for deletion; VersionId and VersionStage name different versions;
            another account's secret under the default key.
        DecryptionFailure: the key is disabled or pending deletion.
    """
    request = authorized.request
    secret = present(authorized.target)
    answer = _read_value(authorized.call, unit, secret, request.get("VersionId"), request.get("VersionStage"))
    authorized.call.details["additional"] = _version_read(answer)
    return answer


def _version_read(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the record of a read says of the version that was given out: a request names it seldom."""
    return {"SecretVersionId": answer["VersionId"], "SecretVersionStages": answer.get("VersionStages", [])}


def _read_value(
    call: Call, unit: ReadUnit, secret: Secret, version_id: str | None, stage: str | None
) -> dict[str, Any]:
    version = _wanted_version(unit, secret, version_id, stage)
    if version_id is None and stage in (None, AWSCURRENT):
        verify_settled(call, unit, secret)
    value = open_value(call, unit, version, region=secret.region, account_id=secret.account_id)
    _note_read(call.resources, secret, version, call.received_at)
    return _with_value(_without_value(secret, version), value)


def _wanted_version(
    unit: ReadUnit, secret: Secret, version_id: str | None, stage: str | None
) -> SecretVersion:
    alive(secret)
    if version_id is None:
        label = StagingLabel(stage) if stage is not None else AWSCURRENT
        version_id = secret.labels.get(label)
        version = unit.version(secret.arn, version_id) if version_id is not None else None
        if version is None:
            raise ResourceNotFoundException(messages.no_value_for_label(label))
        return version
    version = unit.version(secret.arn, version_id)
    if version is None:
        raise ResourceNotFoundException(messages.no_value_for_version(version_id))
    if stage is not None and secret.labels.get(StagingLabel(stage)) != version_id:
        raise InvalidRequestException(messages.STAGE_NOT_OF_VERSION)
    return version


def _note_read(resources: Resources, secret: Secret, version: SecretVersion, now: dt.datetime) -> None:
    today = now.date()
    if version.last_accessed_on != today or secret.last_accessed_on != today:
        resources.store.touch(secret.arn, version.version_id, today)


def _without_value(secret: Secret, version: SecretVersion) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.version_id,
        "CreatedDate": version.created_at,
    }
    stages = labels_of(secret.labels, version.version_id)
    if stages:
        answer["VersionStages"] = stages
    return answer


def _with_value(answer: dict[str, Any], value: SecretValue) -> dict[str, Any]:
    if value.text is not None:
        answer["SecretString"] = value.text
    else:
        answer["SecretBinary"] = value.binary
    return answer


def repeat_get_secret_value(authorized: AuthorizedCall, unit: ReadUnit) -> Again | None:
    """Return what opens the same version's value again and answers with it (`Operation.repeat`).

    Everything but the value itself is kept: it is opened afresh each time, by both layers. What was put off
    is not kept.
    """
    call, request = authorized.call, authorized.request
    secret = present(authorized.target)
    version = _wanted_version(unit, secret, request.get("VersionId"), request.get("VersionStage"))
    opening = permitted_opening(call, unit, version, region=secret.region, account_id=secret.account_id)
    if call.details.get("timed") or call.waited:
        return None
    resources = call.resources
    answer = _without_value(secret, version)

    def again(now: dt.datetime) -> Mapping[str, Any]:
        value = opening.open(resources, now)
        _note_read(resources, secret, version, now)
        return _with_value(answer.copy(), value)

    return again


# BatchGetSecretValue


def _batch(call: Call, unit: ReadUnit) -> tuple[list[str], str | None]:
    """Return the ids this call reads, and the token of the next page."""
    request = call.request
    ids, filters = request.get("SecretIdList"), request.get("Filters")
    if (ids is None) == (filters is None):
        raise InvalidParameterException(IDS_XOR_FILTERS)
    if ids is not None:
        if "MaxResults" in request:
            raise InvalidParameterException(MAX_WITHOUT_FILTERS)
        return list(ids), None
    test = compile_filters(filters)
    bound = [call.account_id, call.region, filters]
    after = decode_token(_BATCH, bound, request["NextToken"]) if request.get("NextToken") else None
    page, position = secrets_page(
        unit,
        call.account_id,
        call.region,
        lambda secret: not is_marked(secret) and test(secret),
        size=request.get("MaxResults") or MAX_BATCH,
        after=after,
    )
    token = None if position is None else encode_token(_BATCH, bound, position)
    return [secret.arn for secret in page], token


def _batch_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    targets = [Target(action=_BATCH, resource="*", owner_account=call.account_id)]
    if "Filters" in call.request:
        targets.append(
            Target(action="secretsmanager:ListSecrets", resource="*", owner_account=call.account_id)
        )
    ids, _ = _batch(call, unit)
    return [*targets, *(secret_target(call, unit, each, _GET, optional=True) for each in ids)]


def batch_get_secret_value(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the current values of up to 20 secrets; what cannot be read is listed in Errors. Both lists
    are in the order of the request.

    Raises InvalidParameterException unless exactly one of SecretIdList and Filters is given.
    """
    call = authorized.call
    ids, token = _batch(call, unit)
    values: list[Mapping[str, Any]] = []
    errors: list[Mapping[str, Any]] = []
    events = call.details.setdefault("extra_events", [])
    for target, refusal in _outcomes(authorized, ids):
        request = {"SecretId": target.shown_as}
        event: dict[str, Any] = {"operation": "GetSecretValue", "request": request, "target": target}
        try:
            if refusal is not None:
                raise refusal
            answer = _read_value(call, unit, present(target), None, None)
            event["additional"] = _version_read(answer)
            values.append(answer)
        except ServiceError as error:
            code = type(error).__name__
            errors.append({"SecretId": target.shown_as, "ErrorCode": code, "Message": error.message})
            event.update(error_code=code, error_message=error.message)
        events.append(event)
    page: dict[str, Any] = {"SecretValues": values, "Errors": errors}
    if token is not None:
        page["NextToken"] = token
    return page


def _outcomes(authorized: AuthorizedCall, ids: Sequence[str]) -> Iterator[tuple[Target, Exception | None]]:
    """Yield the target of each id, with its refusal if policies do not allow it to be read."""
    refused = {target.shown_as: (target, refusal) for target, refusal in authorized.refused}
    granted = (target for target in authorized.targets if target.action == _GET)
    for secret_id in ids:
        yield refused[secret_id] if secret_id in refused else (next(granted), None)


GET_SECRET_VALUE = Operation(
    name="GetSecretValue",
    action=_GET,
    unit=Unit.READ,
    targets=_get_targets,
    handle=get_secret_value,
    repeat=repeat_get_secret_value,
    deviations=(
        "While a rotation changes the credential that is current, reads of AWSCURRENT wait for the label to "
        "move, 3 seconds at most for a step: else an application would be given a password that its target "
        "has just stopped to take. Those of the rotation itself do not wait.",
        "The text of DecryptionFailure is the API model's description of it.",
        "The key that a value is sealed or opened with is used without a KMS record of its own; AWS leaves "
        "one with invokedBy secretsmanager.amazonaws.com. The record of the read names the version.",
    ),
)
BATCH_GET_SECRET_VALUE = Operation(
    name="BatchGetSecretValue",
    action=_BATCH,
    unit=Unit.READ,
    targets=_batch_targets,
    handle=batch_get_secret_value,
    deviations=(
        "A SecretId that is no valid name or ARN refuses the whole call (ValidationException).",
        "Filters do not find secrets marked for deletion; a SecretIdList answers for them in Errors.",
        "A page holds 20 secrets unless MaxResults says otherwise. NextToken without Filters is ignored.",
    ),
)
