"""Operations on values: CreateSecret, GetSecretValue, BatchGetSecretValue, PutSecretValue, UpdateSecret.

Sources: fact sheets secretsmanager sections 3 to 6, kms section 13, iam section 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    InvalidParameterException,
    InvalidRequestException,
    NotFoundException,
    ResourceExistsException,
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
    VersionId,
    secret_arn,
)
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit, note_created
from strongroom.operations.datakeys import (
    open_value,
    reseal,
    seal_value,
    validate_key_access,
)
from strongroom.operations.kms.resolution import find_key
from strongroom.operations.secretsmanager import messages
from strongroom.operations.secretsmanager.cross_account import create_replica
from strongroom.operations.secretsmanager.labels import note_labels
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.replication import (
    add_region_context,
    add_replicas,
    replication_status,
)
from strongroom.operations.secretsmanager.resolution import (
    present,
    secret_target,
    writable,
)
from strongroom.operations.secretsmanager.rotation_runs import (
    follow_change,
    verify_rotation_token,
    verify_version_may_come,
)
from strongroom.operations.secretsmanager.tags import request_tag_context
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at, is_marked
from strongroom.secret.records import Secret, SecretVersion
from strongroom.secret.reference import verify_name
from strongroom.secret.rotation import rescheduled
from strongroom.secret.staging import abandoned_labels, after_new_version, labels_of
from strongroom.secret.tags import parse_tags
from strongroom.secret.value import SecretValue

FUTURE_SUFFIX: Final = "??????"
"""Stands for the six characters a new ARN will get; policies on `name-*` and `name-??????` match it."""

_CREATE: Final = "secretsmanager:CreateSecret"
_PUT: Final = "secretsmanager:PutSecretValue"
_UPDATE: Final = "secretsmanager:UpdateSecret"
_BOTH_KEY_ACTIONS: Final = ("kms:GenerateDataKey", "kms:Decrypt")
_NOT_WHILE_SET: Final = (
    "While setSecret, testSecret or finishSecret of a rotation is being done, a value that would take the "
    "last label off the version being rotated to is InvalidRequestException: the target may get that "
    "version's password at that moment."
)


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
    note_created(call, secret.arn)
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


# PutSecretValue


def _put_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    return (secret_target(call, unit, call.request["SecretId"], _PUT),)


def put_secret_value(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The value is a version of the secret, under the labels asked for, or else AWSCURRENT.

    Sending the same token and value again changes nothing.

    Raises:
        InvalidRequestException: no token, no value, marked for deletion, a replica; a RotationToken that was
            given to nobody for this version.
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
    if request.get("RotationToken"):
        verify_rotation_token(unit, secret, token, request["RotationToken"])
    version = unit.version(secret.arn, token)
    if version is not None:
        _require_same(call, unit, secret, version, value)
    else:
        secret = _with_version(call, unit, secret, token, value, request.get("VersionStages"))
        secret = follow_change(unit, secret, call.received_at, call.resources.entropy)
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
    if secret.rotation is not None:
        verify_version_may_come(unit, secret, labels, call.received_at)
    note_labels(call, secret.labels, labels)
    unit.save_version(sealed_version(call, unit, secret, version_id, value, key_actions))
    rotation = secret.rotation
    if labels.get(AWSCURRENT) != secret.labels.get(AWSCURRENT):
        rotation = rescheduled(rotation, call.received_at)
    return replace(
        secret,
        labels=labels,
        rotation=rotation,
        last_changed_at=changed_at(secret, call.received_at),
    )


def sealed_version(
    call: Call,
    unit: WriteUnit,
    secret: Secret,
    version_id: VersionId,
    value: SecretValue,
    key_actions: Sequence[str] = ("kms:GenerateDataKey",),
) -> SecretVersion:
    """Return the value as a version of the secret, sealed under its key, not saved yet.

    Raises as `seal_value`.
    """
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
    return SecretVersion(
        secret_arn=secret.arn,
        version_id=version_id,
        created_at=call.received_at,
        kms_key_arn=sealed.kms_key_arn,
        envelope=sealed.envelope,
        default_key=sealed.default_key,
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
        updated = follow_change(unit, updated, call.received_at, call.resources.entropy)
        unit.save_secret(updated)
        propagate(call, unit, updated)
    return answer


def _under_key(call: Call, unit: WriteUnit, secret: Secret, kms_key_id: str | None) -> Secret:
    if kms_key_id is not None:
        kms_key_id = _usable_key(call, unit, secret, kms_key_id)
    kept = (AWSCURRENT, AWSPENDING, AWSPREVIOUS, *abandoned_labels(secret.labels))
    in_use = {secret.labels[label] for label in kept if label in secret.labels}
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
        "An asymmetric or HMAC key is InvalidParameterException, with the text that AWS's troubleshooting "
        "page has for GenerateDataKey.",
        "The text for SecretString and SecretBinary sent together is from memory of AWS.",
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
        "A RotationToken that was not given out for the version being made is InvalidRequestException, with "
        "a text of our own; without one the call is as any other.",
        _NOT_WHILE_SET,
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
        _NOT_WHILE_SET,
        "A changed KmsKeyId needs the old key to be usable for the versions that are encrypted anew.",
    ),
)
