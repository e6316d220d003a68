"""Operations on values: CreateSecret, GetSecretValue, BatchGetSecretValue, PutSecretValue, UpdateSecret.

Sources: fact sheets secretsmanager sections 3 to 6, kms section 13, iam section 6.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    InvalidParameterException,
    InvalidRequestException,
    NotFoundException,
    ResourceExistsException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.keys.reference import parse_key_ref
from strongroom.names import (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    SECRET_SUFFIX_ALPHABET,
    SECRET_SUFFIX_LENGTH,
    AccountId,
    Region,
    StagingLabel,
    VersionId,
    secret_arn,
)
from strongroom.operations.call import Again, AuthorizedCall, Call, Operation, Resources, Target, Unit
from strongroom.operations.datakeys import (
    open_value,
    permitted_opening,
    reseal,
    seal_value,
    validate_key_access,
)
from strongroom.operations.kms.resolution import find_key
from strongroom.operations.secretsmanager import messages
from strongroom.operations.secretsmanager.cross_account import create_replica
from strongroom.operations.secretsmanager.listing import secrets_page
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.replication import (
    add_region_context,
    add_replicas,
    replication_status,
)
from strongroom.operations.secretsmanager.resolution import alive, present, secret_target, writable
from strongroom.operations.secretsmanager.tags import request_tag_context
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.secret.filters import compile_filters
from strongroom.secret.lifecycle import changed_at, is_marked
from strongroom.secret.pagination import decode_token, encode_token
from strongroom.secret.records import Secret, SecretVersion
from strongroom.secret.reference import verify_name
from strongroom.secret.rotation import rescheduled
from strongroom.secret.staging import after_new_version, labels_of
from strongroom.secret.tags import parse_tags
from strongroom.secret.value import SecretValue

MAX_BATCH: Final = 20
FUTURE_SUFFIX: Final = "??????"
"""Stands for the six characters a new ARN will get; policies on `name-*` and `name-??????` match it."""

# Section 6, BatchGetSecretValue; moto.
IDS_XOR_FILTERS: Final = "Either 'SecretIdList' or 'Filters' must be provided, but not both."
MAX_WITHOUT_FILTERS: Final = (
    "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided."
)

_CREATE: Final = "secretsmanager:CreateSecret"
_GET: Final = "secretsmanager:GetSecretValue"
_BATCH: Final = "secretsmanager:BatchGetSecretValue"
_PUT: Final = "secretsmanager:PutSecretValue"
_UPDATE: Final = "secretsmanager:UpdateSecret"
_BOTH_KEY_ACTIONS: Final = ("kms:GenerateDataKey", "kms:Decrypt")


def sent_token(request: Mapping[str, Any]) -> VersionId:
    """Return the request's ClientRequestToken.

    Raises InvalidRequestException when there is none, InvalidParameterException when its length is wrong.
    """
    token = request.get("ClientRequestToken")
    if token is None:
        raise InvalidRequestException(messages.NO_TOKEN)
    if not 32 <= len(token) <= 64:
        raise InvalidParameterException(messages.TOKEN_LENGTH)
    return VersionId(token)


def sent_value(request: Mapping[str, Any]) -> SecretValue | None:
    """Return the value in the request; None when it has neither member.

    Raises InvalidParameterException for both, InvalidRequestException for an empty one.
    """
    text, binary = request.get("SecretString"), request.get("SecretBinary")
    if text is None and binary is None:
        return None
    if text is not None and binary is not None:
        raise InvalidParameterException(messages.BOTH_VALUES)
    if not text and not binary:
        raise InvalidRequestException(messages.NO_VALUE)
    return SecretValue(text=text, binary=binary)


# CreateSecret


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    verify_name(request["Name"])
    arn = secret_arn(call.region, call.account_id, request["Name"], FUTURE_SUFFIX)
    tags = request.get("Tags") or ()
    context: dict[str, str | tuple[str, ...]] = {
        "secretsmanager:SecretId": arn,
        "secretsmanager:Name": request["Name"],
        **_description_context(request),
        **_key_context(call, unit, call.region, call.account_id),
        **add_region_context(request),
    }
    if tags:
        context.update(request_tag_context(tags))
        for tag in tags:
            if tag.get("Key"):
                context[f"aws:ResourceTag/{tag['Key']}"] = tag.get("Value") or ""
                context[f"secretsmanager:ResourceTag/{tag['Key']}"] = tag.get("Value") or ""
    actions = [_CREATE]
    if tags:
        actions.append("secretsmanager:TagResource")
    if request.get("AddReplicaRegions"):
        actions.append("secretsmanager:ReplicateSecretToRegions")
    if request.get("CrossAccountPrimaryARN"):
        actions.append("secretsmanager:PutResourcePolicy")
    return [
        Target(
            action=action,
            resource=arn,
            owner_account=call.account_id,
            shown_as=request["Name"],
            context=context,
        )
        for action in actions
    ]


def _description_context(request: Mapping[str, Any]) -> dict[str, str]:
    context = {}
    if request.get("Description") is not None:
        context["secretsmanager:Description"] = request["Description"]
    if request.get("Type") is not None:
        context["secretsmanager:Type"] = request["Type"]
    return context


def _key_context(call: Call, unit: ReadUnit, region: Region, account_id: AccountId) -> dict[str, str]:
    """Return the condition keys of the KMS key a request names for a secret of this region and account."""
    sent = call.request.get("KmsKeyId")
    if not sent:
        return {}
    context = {"secretsmanager:KmsKeyId": sent}
    try:
        ref = parse_key_ref(sent, region, account_id)
    except NotFoundException:
        return context
    # SECURITY: the key an alias leads to, so that no other name for a key gets round a Deny of its ARN.
    key = find_key(unit, ref, call.received_at)
    if key is not None:
        context["secretsmanager:KmsKeyArn"] = key.arn
    elif ref.alias_name is None:
        context["secretsmanager:KmsKeyArn"] = ref.arn
    return context


def create_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The secret exists, with its first version under AWSCURRENT if a value was sent.

    Sending the same name, token and value again answers as the first time and changes nothing.

    Raises:
        InvalidRequestException: no token; an empty value; the name is scheduled for deletion.
        InvalidParameterException: token length; both kinds of value; tags that are not allowed.
        ResourceExistsException: the name, or the token with another value, is in use.
    """
    call, request = authorized.call, authorized.request
    token = sent_token(request)
    if request.get("CrossAccountPrimaryARN"):
        return create_replica(call, unit, request)
    value = sent_value(request)
    tags = parse_tags(request["Tags"]) if request.get("Tags") else None
    name = request["Name"]
    existing = unit.secret_named(call.account_id, call.region, name)
    if existing is not None:
        return _created_before(call, unit, existing, token, value)
    now = call.received_at
    secret = Secret(
        arn=secret_arn(call.region, call.account_id, name, _suffix(call)),
        account_id=call.account_id,
        region=call.region,
        name=name,
        created_at=now,
        last_changed_at=now,
        description=request.get("Description") or None,
        kms_key_id=request.get("KmsKeyId") or None,
        tags=tags,
        type=request.get("Type") or None,
    )
    if secret.kms_key_id is not None:
        secret = replace(secret, kms_key_id=_usable_key(call, unit, secret, secret.kms_key_id))
    if value is not None:
        # AWS: the dates of a new secret and of its first version are one and the same.
        secret = replace(_with_version(call, unit, secret, token, value, None), last_changed_at=now)
    unit.save_secret(secret)
    _note(call, secret)
    answer: dict[str, Any] = {"ARN": secret.arn, "Name": secret.name}
    if value is not None:
        answer["VersionId"] = token
    if request.get("AddReplicaRegions"):
        overwrite = bool(request.get("ForceOverwriteReplicaSecret"))
        secret = add_replicas(call, unit, secret, request["AddReplicaRegions"], overwrite)
        answer["ReplicationStatus"] = replication_status(secret, unit)
    return answer


def _created_before(
    call: Call, unit: WriteUnit, secret: Secret, token: VersionId, value: SecretValue | None
) -> Mapping[str, Any]:
    """Answer CreateSecret for a name that exists: the same answer again, or the refusal it deserves."""
    if is_marked(secret):
        raise InvalidRequestException(messages.NAME_MARKED_FOR_DELETION)
    version = unit.version(secret.arn, token)
    if version is None or value is None:
        raise ResourceExistsException(messages.name_in_use(secret.name))
    _require_same(call, unit, secret, version, value)
    answer: dict[str, Any] = {"ARN": secret.arn, "Name": secret.name, "VersionId": token}
    if secret.replicas:
        answer["ReplicationStatus"] = replication_status(secret, unit)
    return answer


def _suffix(call: Call) -> str:
    below = call.resources.entropy.below
    return "".join(
        SECRET_SUFFIX_ALPHABET[below(len(SECRET_SUFFIX_ALPHABET))] for _ in range(SECRET_SUFFIX_LENGTH)
    )


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
    return _read_value(authorized.call, unit, secret, request.get("VersionId"), request.get("VersionStage"))


def _read_value(
    call: Call, unit: ReadUnit, secret: Secret, version_id: str | None, stage: str | None
) -> dict[str, Any]:
    _note(call, secret)
    version = _wanted_version(unit, secret, version_id, stage)
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

    Everything but the value itself is kept: it is opened afresh each time, by both layers.
    """
    call, request = authorized.call, authorized.request
    secret = present(authorized.target)
    version = _wanted_version(unit, secret, request.get("VersionId"), request.get("VersionStage"))
    opening = permitted_opening(call, unit, version, region=secret.region, account_id=secret.account_id)
    if call.details.get("timed"):
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
            values.append(_read_value(call, unit, present(target), None, None))
        except ServiceError as error:
            code = type(error).__name__
            errors.append({"SecretId": target.shown_as, "ErrorCode": code, "Message": error.message})
            event.update(error_code=code, error_message=error.message)
        events.append(event)
    answer: dict[str, Any] = {"SecretValues": values, "Errors": errors}
    if token is not None:
        answer["NextToken"] = token
    return answer


def _outcomes(authorized: AuthorizedCall, ids: Sequence[str]) -> Iterator[tuple[Target, Exception | None]]:
    """Yield the target of each id, with its refusal if policies do not allow it to be read."""
    refused = {target.shown_as: (target, refusal) for target, refusal in authorized.refused}
    granted = (target for target in authorized.targets if target.action == _GET)
    for secret_id in ids:
        yield refused[secret_id] if secret_id in refused else (next(granted), None)


# PutSecretValue


def _put_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (secret_target(call, unit, call.request["SecretId"], _PUT),)


def put_secret_value(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The value is a version of the secret, under the labels asked for, or else AWSCURRENT.

    Sending the same token and value again changes nothing.

    Raises:
        InvalidRequestException: no token, no value, marked for deletion, a replica.
        InvalidParameterException: token length; both kinds of value.
        ResourceExistsException: the token belongs to a version with another value.
        LimitExceededException: more than 20 labels.
    """
    call, request = authorized.call, authorized.request
    token = sent_token(request)
    value = sent_value(request)
    if value is None:
        raise InvalidRequestException(messages.NO_VALUE)
    secret = writable(present(authorized.target))
    _note(call, secret)
    version = unit.version(secret.arn, token)
    if version is not None:
        _require_same(call, unit, secret, version, value)
    else:
        secret = _with_version(call, unit, secret, token, value, request.get("VersionStages"))
        unit.save_secret(secret)
        secret = propagate(call, unit, secret)
    answer: dict[str, Any] = {"ARN": secret.arn, "Name": secret.name, "VersionId": token}
    stages = labels_of(secret.labels, token)
    if stages:
        answer["VersionStages"] = stages
    return answer


def _require_same(
    call: Call, unit: WriteUnit, secret: Secret, version: SecretVersion, value: SecretValue
) -> None:
    """Raise ResourceExistsException unless the version holds `value`; compared in constant time."""
    stored = open_value(call, unit, version, region=secret.region, account_id=secret.account_id)
    if stored != value:
        raise ResourceExistsException(messages.token_in_use(version.version_id, secret.arn))


def _with_version(
    call: Call,
    unit: WriteUnit,
    secret: Secret,
    version_id: VersionId,
    value: SecretValue,
    stages: Sequence[str] | None,
    key_actions: Sequence[str] = ("kms:GenerateDataKey",),
) -> Secret:
    """Save the version and return the secret with its labels moved; the secret itself is not saved yet."""
    labels = after_new_version(secret.labels, version_id, stages)
    sealed = seal_value(
        call,
        unit,
        secret_arn=secret.arn,
        region=secret.region,
        account_id=secret.account_id,
        version_id=version_id,
        kms_key_id=secret.kms_key_id,
        value=value,
        key_actions=key_actions,
    )
    unit.save_version(
        SecretVersion(
            secret_arn=secret.arn,
            version_id=version_id,
            created_at=call.received_at,
            kms_key_arn=sealed.kms_key_arn,
            envelope=sealed.envelope,
            default_key=sealed.default_key,
        )
    )
    rotation = secret.rotation
    if labels.get(AWSCURRENT) != secret.labels.get(AWSCURRENT):
        rotation = rescheduled(rotation, call.received_at)
    return replace(
        secret,
        labels=labels,
        rotation=rotation,
        last_changed_at=changed_at(secret, call.received_at),
    )


# UpdateSecret


def _update_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    target = secret_target(call, unit, call.request["SecretId"], _UPDATE)
    region = call.region if target.record is None else target.record.region
    context = {
        **target.context,
        **_description_context(call.request),
        **_key_context(call, unit, region, target.owner_account),
    }
    return (replace(target, context=context),)


def update_secret(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The secret has the description, key, type and value that were sent; what was not sent stays.

    A new key seals the versions under AWSCURRENT, AWSPENDING and AWSPREVIOUS anew where the caller may
    encrypt with it; `""` means the account's `aws/secretsmanager` key.

    Raises:
        InvalidRequestException: no token, an empty value, marked for deletion, a replica.
        InvalidParameterException: token length; both kinds of value.
        ResourceExistsException: the token belongs to a version with another value.
    """
    call, request = authorized.call, authorized.request
    token = sent_token(request)
    value = sent_value(request)
    secret = writable(present(authorized.target))
    _note(call, secret)
    updated = secret
    if "Description" in request:
        updated = replace(updated, description=request["Description"] or None)
    if "Type" in request:
        updated = replace(updated, type=request["Type"] or None)
    if "KmsKeyId" in request:
        updated = _under_key(call, unit, updated, request["KmsKeyId"] or None)
    answer: dict[str, Any] = {"ARN": secret.arn, "Name": secret.name}
    if value is not None:
        answer["VersionId"] = token
        version = unit.version(secret.arn, token)
        if version is not None:
            _require_same(call, unit, secret, version, value)
        else:
            # AWS: UpdateSecret with a value asks for both, PutSecretValue for the first (fact sheet iam 6).
            updated = _with_version(call, unit, updated, token, value, None, _BOTH_KEY_ACTIONS)
    if updated != secret:
        updated = replace(updated, last_changed_at=changed_at(secret, call.received_at))
        unit.save_secret(updated)
        propagate(call, unit, updated)
    return answer


def _under_key(call: Call, unit: WriteUnit, secret: Secret, kms_key_id: str | None) -> Secret:
    if kms_key_id is not None:
        kms_key_id = _usable_key(call, unit, secret, kms_key_id)
    in_use = {
        secret.labels[label] for label in (AWSCURRENT, AWSPENDING, AWSPREVIOUS) if label in secret.labels
    }
    for version_id in sorted(in_use):
        version = unit.version(secret.arn, version_id)
        if version is not None:
            unit.save_version(
                reseal(
                    call,
                    unit,
                    version,
                    region=secret.region,
                    account_id=secret.account_id,
                    kms_key_id=kms_key_id,
                )
            )
    return replace(secret, kms_key_id=kms_key_id)


def _usable_key(call: Call, unit: WriteUnit, secret: Secret, kms_key_id: str) -> str | None:
    """Return the key to keep on the secret, which the caller may use: None for `aws/secretsmanager`, by
    whatever name it was sent (DescribeSecret omits it).

    Raises as `validate_key_access`.
    """
    is_default = validate_key_access(
        call,
        unit,
        secret_arn=secret.arn,
        region=secret.region,
        account_id=secret.account_id,
        kms_key_id=kms_key_id,
    )
    return None if is_default else kms_key_id


def _note(call: Call, secret: Secret) -> None:
    """Name the secret in the call's audit record."""
    entry = {"accountId": secret.account_id, "type": "AWS::SecretsManager::Secret", "ARN": secret.arn}
    call.details.setdefault("resources", []).append(entry)


CREATE_SECRET = Operation(
    name="CreateSecret",
    action=_CREATE,
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_secret,
    read_only=False,
    deviations=(
        "Policies are matched against the new secret's ARN with six question marks in the place of the six "
        "random characters, which no caller can know before.",
        "With CrossAccountPrimaryARN, and for a secret created without a value, sending the same token again "
        "is ResourceExistsException: there is no version to know it by.",
        "KmsKeyId is kept and shown as it was sent; an alias is looked up anew for each new version.",
        "A KmsKeyId that cannot name a key of the Region is InvalidParameterException, one that names no key "
        "is ResourceNotFoundException; both texts are ours.",
        "The text for SecretString and SecretBinary sent together is from memory of AWS.",
    ),
)
GET_SECRET_VALUE = Operation(
    name="GetSecretValue",
    action=_GET,
    unit=Unit.READ,
    targets=_get_targets,
    handle=get_secret_value,
    repeat=repeat_get_secret_value,
    deviations=("The text of DecryptionFailure is the API model's description of it.",),
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
PUT_SECRET_VALUE = Operation(
    name="PutSecretValue",
    action=_PUT,
    unit=Unit.WRITE,
    targets=_put_targets,
    handle=put_secret_value,
    read_only=False,
    deviations=(
        "Versions have no limit in number: beyond 100, those without a label are pruned after 24 hours.",
        "VersionStages with both AWSCURRENT and AWSPREVIOUS puts AWSPREVIOUS on the version AWSCURRENT left.",
        "The limit of 65,536 counts the bytes of SecretString in UTF-8.",
        "The text of EncryptionFailure is the API model's description of it; that for more than 20 staging "
        "labels is ours.",
    ),
)
UPDATE_SECRET = Operation(
    name="UpdateSecret",
    action=_UPDATE,
    unit=Unit.WRITE,
    targets=_update_targets,
    handle=update_secret,
    read_only=False,
    deviations=(
        "An update that changes nothing succeeds and leaves LastChangedDate alone.",
        "A changed KmsKeyId needs the old key to be usable for the versions that are encrypted anew.",
    ),
)
