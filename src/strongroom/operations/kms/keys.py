"""Making, describing and retiring KMS keys. Source: fact sheet kms sections 3, 4, 5 and 12."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from strongroom.crypto.private_keys import PrivateKeyHandle
from strongroom.errors import (
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.policies import default_key_policy
from strongroom.keys.records import KmsKey
from strongroom.keys.specs import (
    ALGORITHM_MEMBERS,
    ENCRYPT_DECRYPT,
    KEY_SPECS,
    SYMMETRIC,
    algorithms,
    is_key_pair,
)
from strongroom.names import Region, kms_key_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit, note_created
from strongroom.operations.kms import messages
from strongroom.operations.kms.custody import save_key
from strongroom.operations.kms.material import new_key
from strongroom.operations.kms.paging import page_members, page_size, parse_marker
from strongroom.operations.kms.policies import with_policy
from strongroom.operations.kms.resolution import managed, on_key, present, without_resource
from strongroom.operations.kms.rotation import expiration_model
from strongroom.operations.kms.tags import tag_context, tagged
from strongroom.ports import KMS_KEYS, ReadUnit, WriteUnit, account_region

NO_SUCH_SPEC: Final = "KeySpec {spec} is not supported."
ONE_SPEC: Final = (
    "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is "
    "deprecated."
)
NO_SUCH_ORIGIN: Final = "Key origin {origin} is not supported; supported origins are AWS_KMS and EXTERNAL."
IMPORTED_ARE_SYMMETRIC: Final = (
    "Imported key material is supported for single-Region symmetric encryption keys only."
)
NO_CUSTOM_STORE: Final = "Custom key stores are not supported."


def key_metadata(key: KmsKey) -> dict[str, Any]:
    """Return the KeyMetadata structure of a key."""
    metadata: dict[str, Any] = {
        "AWSAccountId": key.account_id,
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": key.state == states.ENABLED,
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": key.multi_region,
        ALGORITHM_MEMBERS[key.usage]: list(algorithms(key.spec, key.usage)),
    }
    if key.spec == SYMMETRIC and key.materials:
        metadata["CurrentKeyMaterialId"] = key.materials[-1].material_id
    if key.deletion_at is not None:
        metadata["DeletionDate"] = key.deletion_at
    if key.pending_window_days is not None:
        metadata["PendingDeletionWindowInDays"] = key.pending_window_days
    if key.origin == states.EXTERNAL and any(each.sealed for each in key.materials):
        valid_to = min((each.valid_to for each in key.materials if each.valid_to is not None), default=None)
        metadata["ExpirationModel"] = expiration_model(valid_to)
        if valid_to is not None:
            metadata["ValidTo"] = valid_to
    if key.multi_region:
        metadata["MultiRegionConfiguration"] = _multi_region_configuration(key)
    return metadata


def _multi_region_configuration(key: KmsKey) -> dict[str, Any]:
    def related(region: Region) -> dict[str, str]:
        return {"Arn": kms_key_arn(region, key.account_id, key.key_id), "Region": region}

    primary = key.primary_region or key.region
    return {
        "MultiRegionKeyType": "PRIMARY" if primary == key.region else "REPLICA",
        "PrimaryKey": related(primary),
        "ReplicaKeys": [related(region) for region in key.replica_regions],
    }


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context: dict[str, str | tuple[str, ...]] = {
        "kms:CallerAccount": call.account_id,
        "kms:KeySpec": _spec(request),
        "kms:KeyUsage": request.get("KeyUsage", ENCRYPT_DECRYPT),
        "kms:KeyOrigin": _origin(request),
        "kms:MultiRegion": "true" if request.get("MultiRegion") else "false",
        "kms:BypassPolicyLockoutSafetyCheck": _bypass(request),
        **tag_context(request.get("Tags")),
    }
    return (Target("kms:CreateKey", "*", call.account_id, context=context),)


def prepare_create_key(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], PrivateKeyHandle] | None:
    """An RSA key pair takes up to seconds to make; others are made with the key."""
    spec, _ = _verify_request(authorized.request)
    return partial(PrivateKeyHandle.generate, spec) if spec.startswith("RSA_") else None


def create_key(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save a new, enabled key.

    Raises:
        ValidationException: KeyUsage is absent or does not fit the key spec.
        UnsupportedOperationException: a spec, origin or store this service does not have.
        TagException, LimitExceededException, MalformedPolicyDocumentException: see tags and policies.
    """
    call, request = authorized.call, authorized.request
    spec, usage = _verify_request(request)
    multi_region, policy = bool(request.get("MultiRegion")), request.get("Policy")
    key = new_key(
        account_id=call.account_id,
        region=call.region,
        policy=default_key_policy(call.account_id) if policy is None else policy,
        now=call.received_at,
        entropy=call.resources.entropy,
        root_key=call.resources.root_key,
        spec=spec,
        usage=usage,
        private_key=_private_key(call, spec),
        multi_region=multi_region,
    )
    if _origin(request) == states.EXTERNAL:
        key = msgspec.structs.replace(key, origin=states.EXTERNAL, materials=(), state=states.PENDING_IMPORT)
    key = msgspec.structs.replace(
        key, description=request.get("Description", ""), tags=tagged({}, request.get("Tags") or ())
    )
    if policy is not None:
        bypass = bool(request.get("BypassPolicyLockoutSafetyCheck"))
        key = with_policy(call, unit, key, policy, bypass=bypass)
    unit.save(KMS_KEYS, key)
    note_created(call, key.arn)
    return {"KeyMetadata": key_metadata(key)}


def _verify_request(request: Mapping[str, Any]) -> tuple[str, str]:
    """Return the spec and usage of the key a request asks for, one that is made here."""
    spec, usage = _verify_spec(request)
    if request.get("CustomKeyStoreId") is not None or request.get("XksKeyId") is not None:
        raise UnsupportedOperationException(NO_CUSTOM_STORE)
    origin = _origin(request)
    if origin not in ("AWS_KMS", states.EXTERNAL):
        raise UnsupportedOperationException(NO_SUCH_ORIGIN.format(origin=origin))
    if origin == states.EXTERNAL and (request.get("MultiRegion") or spec != SYMMETRIC):
        raise UnsupportedOperationException(IMPORTED_ARE_SYMMETRIC)
    return spec, usage


def _verify_spec(request: Mapping[str, Any]) -> tuple[str, str]:
    """Return the spec and usage of the key a request asks for."""
    if "KeySpec" in request and "CustomerMasterKeySpec" in request:
        raise ValidationException(ONE_SPEC)
    spec, usage = _spec(request), request.get("KeyUsage")
    if usage is None:
        if spec != SYMMETRIC:
            raise ValidationException(messages.KEY_USAGE_REQUIRED)
        usage = ENCRYPT_DECRYPT
    if spec not in KEY_SPECS:
        raise UnsupportedOperationException(NO_SUCH_SPEC.format(spec=spec))
    if not algorithms(spec, usage):
        raise ValidationException(messages.incompatible_usage(usage, spec))
    return spec, usage


def _private_key(call: Call, spec: str) -> PrivateKeyHandle | None:
    """Return the private key of a new asymmetric key, made before or here; None for other specs."""
    if not is_key_pair(spec):
        return None
    made = call.prepared
    return made if isinstance(made, PrivateKeyHandle) else PrivateKeyHandle.generate(spec)


def describe_key(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    return {"KeyMetadata": key_metadata(present(authorized.target))}


def list_keys(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    call, request = authorized.call, authorized.request
    size = page_size(request, 100, 1000)
    owners = request.get("ResourceOwners")
    after = parse_marker(request)
    scope = account_region(call.account_id, call.region)
    found: list[KmsKey] = []
    # Keys left out of the answer (gone, or other owners are asked for) must not shorten a page to nothing.
    while len(found) <= size:
        rows = unit.scan(KMS_KEYS, scope, after=after, limit=size + 1)
        found += [k for k in rows if _listed(k, owners, call.received_at)]
        if len(rows) <= size:
            break
        after = rows[-1].key_id
    found = found[: size + 1]
    page = found[:size]
    entries = [{"KeyId": key.key_id, "KeyArn": key.arn} for key in page]
    return {"Keys": entries, **page_members(found, size, page[-1].key_id if page else "")}


def enable_key(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    _set_state(authorized, unit, states.ENABLED)


def disable_key(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    _set_state(authorized, unit, states.DISABLED)


def update_key_description(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    key = managed(authorized.target)
    states.verify_not_pending_deletion(key)
    unit.save(KMS_KEYS, msgspec.structs.replace(key, description=authorized.request["Description"]))


def schedule_key_deletion(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Put the key out of use now and have it gone when the window ends.

    Raises:
        ValidationException: PendingWindowInDays is not 7 to 30.
        KMSInvalidStateException: the key is pending deletion already.
    """
    call = authorized.call
    days = authorized.request.get("PendingWindowInDays", states.DEFAULT_PENDING_WINDOW_DAYS)
    if days < states.MINIMUM_PENDING_WINDOW_DAYS:
        raise ValidationException(_window_text("greater", states.MINIMUM_PENDING_WINDOW_DAYS, days))
    if days > states.MAXIMUM_PENDING_WINDOW_DAYS:
        raise ValidationException(_window_text("less", states.MAXIMUM_PENDING_WINDOW_DAYS, days))
    key = managed(authorized.target)
    states.verify_not_pending_deletion(key)
    if key.replica_regions and key.primary_region == key.region:
        # The window begins when the last replica has gone.
        state = states.PENDING_REPLICA_DELETION
        save_key(unit, msgspec.structs.replace(key, state=state, pending_window_days=days))
        return {"KeyId": key.arn, "KeyState": state, "PendingWindowInDays": days}
    deletion_at = call.received_at + dt.timedelta(days=days)
    save_key(unit, msgspec.structs.replace(key, state=states.PENDING_DELETION, deletion_at=deletion_at))
    return {
        "KeyId": key.arn,
        "DeletionDate": deletion_at,
        "KeyState": states.PENDING_DELETION,
        "PendingWindowInDays": days,
    }


def cancel_key_deletion(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Keep the key; it stays out of use (Disabled) until EnableKey, or until its material is imported."""
    key = managed(authorized.target)
    states.verify_pending_deletion(key)
    kept = msgspec.structs.replace(key, state=states.DISABLED, deletion_at=None, pending_window_days=None)
    save_key(unit, states.settled(kept) if key.origin == states.EXTERNAL else kept)
    return {"KeyId": key.arn}


def _set_state(authorized: AuthorizedCall, unit: WriteUnit, state: str) -> None:
    key = managed(authorized.target)
    states.verify_not_pending_deletion(key)
    states.verify_imported(key)
    if key.state != state:
        save_key(unit, msgspec.structs.replace(key, state=state))


def _spec(request: Mapping[str, Any]) -> str:
    return str(request.get("KeySpec") or request.get("CustomerMasterKeySpec") or SYMMETRIC)


def _origin(request: Mapping[str, Any]) -> str:
    return str(request.get("Origin", "AWS_KMS"))


def _bypass(request: Mapping[str, Any]) -> str:
    return "true" if request.get("BypassPolicyLockoutSafetyCheck") else "false"


def _listed(key: KmsKey, owners: Sequence[str] | None, now: dt.datetime) -> bool:
    return not states.is_gone(key, now) and (owners is None or "SELF" in owners)


def _window_text(bound: str, limit: int, days: int) -> str:
    return messages.constraint(
        "pendingWindowInDays", f"Member must have value {bound} than or equal to {limit}", days
    )


CREATE_KEY = Operation(
    name="CreateKey",
    action="kms:CreateKey",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_key,
    prepare=prepare_create_key,
    read_only=False,
    deviations=(
        "Key specs SM2 (AWS has it in China only) and ML_KEM_512 (the cryptographic library does not) answer "
        "UnsupportedOperationException.",
        "Keys of spec ECC_NIST_EDWARDS25519 sign with ED25519_SHA_512 only: the cryptographic library has no "
        "Ed25519ph, so ED25519_PH_SHA_512 is not listed and answers InvalidKeyUsageException.",
        "Keys of origin EXTERNAL are single-Region symmetric encryption keys; key stores and their origins "
        "are not supported.",
    ),
)
DESCRIBE_KEY = Operation(
    name="DescribeKey",
    action="kms:DescribeKey",
    unit=Unit.READ,
    targets=on_key("kms:DescribeKey", aliases=True, cross_account=True),
    handle=describe_key,
    deviations=(
        "A key or alias that does not exist answers NotFoundException only to callers whose identity "
        "policies allow the action on it; others hear AccessDeniedException.",
    ),
)
LIST_KEYS = Operation(
    name="ListKeys",
    action="kms:ListKeys",
    unit=Unit.READ,
    targets=without_resource("kms:ListKeys"),
    handle=list_keys,
    deviations=("No keys are shared through Resource Access Manager: OTHER_ACCOUNTS_VIA_RAM adds none.",),
)
ENABLE_KEY = Operation(
    name="EnableKey",
    action="kms:EnableKey",
    unit=Unit.WRITE,
    targets=on_key("kms:EnableKey"),
    handle=enable_key,
    read_only=False,
)
DISABLE_KEY = Operation(
    name="DisableKey",
    action="kms:DisableKey",
    unit=Unit.WRITE,
    targets=on_key("kms:DisableKey"),
    handle=disable_key,
    read_only=False,
)
UPDATE_KEY_DESCRIPTION = Operation(
    name="UpdateKeyDescription",
    action="kms:UpdateKeyDescription",
    unit=Unit.WRITE,
    targets=on_key("kms:UpdateKeyDescription"),
    handle=update_key_description,
    read_only=False,
)


def _schedule_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    days = call.request.get("PendingWindowInDays", states.DEFAULT_PENDING_WINDOW_DAYS)
    return on_key(
        "kms:ScheduleKeyDeletion", context={"kms:ScheduleKeyDeletionPendingWindowInDays": str(days)}
    )(call, unit)


SCHEDULE_KEY_DELETION = Operation(
    name="ScheduleKeyDeletion",
    action="kms:ScheduleKeyDeletion",
    unit=Unit.WRITE,
    targets=_schedule_targets,
    handle=schedule_key_deletion,
    read_only=False,
)
CANCEL_KEY_DELETION = Operation(
    name="CancelKeyDeletion",
    action="kms:CancelKeyDeletion",
    unit=Unit.WRITE,
    targets=on_key("kms:CancelKeyDeletion"),
    handle=cancel_key_deletion,
    read_only=False,
)
