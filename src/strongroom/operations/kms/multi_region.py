"""Multi-Region keys: one key id and one material in several regions. Source: fact sheet kms sections 3 and 4.

Related keys share id, material, spec, usage and rotation; each has its own policy, state, aliases, tags,
description and grants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from strongroom.errors import (
    AlreadyExistsException,
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.policies import default_key_policy
from strongroom.keys.records import KmsKey
from strongroom.keys.reference import KeyRef
from strongroom.names import Region, is_region, kms_key_arn, partition_of
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit, note_created
from strongroom.operations.kms import messages
from strongroom.operations.kms.custody import material_for, related_keys, save_key, verify_primary
from strongroom.operations.kms.keys import key_metadata
from strongroom.operations.kms.policies import with_policy, written_policy
from strongroom.operations.kms.resolution import (
    absent_target,
    find_key,
    key_target,
    managed,
    named_key,
    present,
)
from strongroom.operations.kms.tags import tag_context, tagged
from strongroom.ports import ReadUnit, WriteUnit


def _replicate_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """The key may be replicated there, and a key may be made in that region (and be tagged)."""
    request = call.request
    region = request["ReplicaRegion"]
    target = named_key(
        call, unit, request["KeyId"], "kms:ReplicateKey", context={"kms:ReplicaRegion": region}
    )
    context: dict[str, str | tuple[str, ...]] = {
        "kms:CallerAccount": call.account_id,
        "kms:MultiRegion": "true",
        "kms:MultiRegionKeyType": "REPLICA",
        "kms:BypassPolicyLockoutSafetyCheck": _bypass(request),
        "aws:RequestedRegion": region,
        **tag_context(request.get("Tags")),
    }
    key = target.record
    if isinstance(key, KmsKey):
        context |= {
            "kms:KeySpec": key.spec,
            "kms:KeyUsage": key.usage,
            "kms:KeyOrigin": key.origin,
            "kms:PrimaryRegion": key.primary_region or key.region,
        }
    made = Target("kms:CreateKey", "*", call.account_id, context=context)
    if not request.get("Tags"):
        return (target, made)
    return (target, made, replace(made, action="kms:TagResource"))


def replicate_key(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The key has a replica in that region, which opens and seals the same.

    Raises:
        UnsupportedOperationException: not a multi-Region primary key.
        DisabledException, KMSInvalidStateException: the key's state.
        ValidationException: no such region, or the key's own.
        AlreadyExistsException: there is a related key in that region.
        TagException, LimitExceededException, MalformedPolicyDocumentException: see tags and policies.
    """
    call, request = authorized.call, authorized.request
    key = managed(authorized.target)
    _verify_multi_region(key)
    verify_primary(key)
    states.verify_usable(key)
    region = _other_region(key, request["ReplicaRegion"])
    if region in key.replica_regions:
        raise AlreadyExistsException(messages.replica_exists(region))
    arn = kms_key_arn(region, key.account_id, key.key_id)
    replica = KmsKey(
        key_id=key.key_id,
        arn=arn,
        account_id=key.account_id,
        region=region,
        created_at=call.received_at,
        policy=default_key_policy(key.account_id),
        materials=(),
        description=request.get("Description", ""),
        spec=key.spec,
        usage=key.usage,
        origin=key.origin,
        multi_region=True,
        tags=tagged({}, request.get("Tags") or ()),
        primary_region=key.region,
        replica_regions=tuple(sorted((*key.replica_regions, region))),
    )
    if "Policy" in request:
        bypass = bool(request.get("BypassPolicyLockoutSafetyCheck"))
        replica = with_policy(call, unit, replica, request["Policy"], bypass=bypass)
    root_key = call.resources.root_key
    materials = tuple([material_for(root_key, key, each, replica) for each in key.materials])
    replica = replace(replica, materials=materials)
    note_created(call, replica.arn)
    save_key(unit, replica)
    for related in (key, *related_keys(unit, key)):
        save_key(unit, replace(related, replica_regions=replica.replica_regions))
    return {
        "ReplicaKeyMetadata": key_metadata(replica),
        "ReplicaPolicy": written_policy(unit, replica),
        "ReplicaTags": [{"TagKey": name, "TagValue": value} for name, value in replica.tags.items()],
    }


def _primary_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """Both the primary key and the replica that is to take its place must allow it."""
    request = call.request
    region = request["PrimaryRegion"]
    action = "kms:UpdatePrimaryRegion"
    context = {"kms:PrimaryRegion": region}
    target = named_key(call, unit, request["KeyId"], action, context=context)
    key = target.record
    if not isinstance(key, KmsKey):
        return (target,)
    ref = KeyRef(key.account_id, Region(region), key_id=key.key_id)
    replica = find_key(unit, ref, call.received_at) if key.multi_region else None
    if replica is None:
        return (target, replace(absent_target(ref, action), resource_policies=target.resource_policies))
    return (target, key_target(call, replica, action, context=context))


def update_primary_region(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The replica in that region is the primary key from now on, and the primary key a replica.

    Raises:
        UnsupportedOperationException: not a multi-Region primary key.
        DisabledException, KMSInvalidStateException: the state of one of both keys.
        ValidationException: no such region, or the key's own.
        NotFoundException: there is no replica in that region.
    """
    request = authorized.request
    key = managed(authorized.target)
    _verify_multi_region(key)
    verify_primary(key)
    states.verify_usable(key)
    region = _other_region(key, request["PrimaryRegion"])
    if region not in key.replica_regions:
        raise NotFoundException(messages.no_such_key(kms_key_arn(region, key.account_id, key.key_id)))
    states.verify_usable(present(authorized.targets[1]))
    replicas = tuple(sorted({key.region, *key.replica_regions} - {region}))
    # The setting of rotation lives on the primary key, whichever that is.
    setting = (key.rotation_days, key.rotation_due_at)
    for related in (key, *related_keys(unit, key)):
        days, due_at = setting if related.region == region else (None, None)
        save_key(
            unit,
            replace(
                related,
                primary_region=region,
                replica_regions=replicas,
                rotation_days=days,
                rotation_due_at=due_at,
            ),
        )


def _verify_multi_region(key: KmsKey) -> None:
    if not key.multi_region:
        raise UnsupportedOperationException(messages.not_a_primary(key.arn))


def _other_region(key: KmsKey, text: str) -> Region:
    """Return the region named, one that a related key could be in."""
    if not is_region(text) or partition_of(Region(text)) != partition_of(key.region) or text == key.region:
        raise ValidationException(messages.invalid_region(text))
    return Region(text)


def _bypass(request: Mapping[str, Any]) -> str:
    return "true" if request.get("BypassPolicyLockoutSafetyCheck") else "false"


REPLICATE_KEY = Operation(
    name="ReplicateKey",
    action="kms:ReplicateKey",
    unit=Unit.WRITE,
    targets=_replicate_targets,
    handle=replicate_key,
    read_only=False,
    deviations=(
        "The replica is there when the call returns: the state Creating does not occur.",
        "The text for a region that cannot hold a replica is our own.",
    ),
)
UPDATE_PRIMARY_REGION = Operation(
    name="UpdatePrimaryRegion",
    action="kms:UpdatePrimaryRegion",
    unit=Unit.WRITE,
    targets=_primary_targets,
    handle=update_primary_region,
    read_only=False,
    deviations=("The change is done when the call returns: the state Updating does not occur.",),
)
