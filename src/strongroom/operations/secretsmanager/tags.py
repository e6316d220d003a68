"""TagResource and UntagResource. Source: fact sheets secretsmanager section 6, iam sections 6 and 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from strongroom.errors import AccessDeniedException
from strongroom.operations.authorize import allowed, note
from strongroom.operations.call import AuthorizedCall, Call, ConditionContext, Operation, Target, Unit
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.operations.secretsmanager.resolution import present, secret_target, writable
from strongroom.ports import ReadUnit, WriteUnit
from strongroom.secret.lifecycle import changed_at
from strongroom.secret.records import Secret
from strongroom.secret.tags import parse_tags, with_tags, without_tags

ASSUMING_TAGS = "the secret had the tags it would have after the call"

TAG_CONTEXT_PREFIXES = ("aws:ResourceTag/", "secretsmanager:ResourceTag/")
_LOWER_PREFIXES = tuple(prefix.lower() for prefix in TAG_CONTEXT_PREFIXES)

_TAG = "secretsmanager:TagResource"
_UNTAG = "secretsmanager:UntagResource"


def request_tag_context(tags: Sequence[Mapping[str, str]]) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys of the tags a request sets: `aws:RequestTag/<key>` and `aws:TagKeys`."""
    context: dict[str, str | tuple[str, ...]] = {
        f"aws:RequestTag/{tag['Key']}": tag.get("Value") or "" for tag in tags if tag.get("Key")
    }
    context["aws:TagKeys"] = tuple(tag["Key"] for tag in tags if tag.get("Key"))
    return context


def with_resource_tags(context: ConditionContext, tags: Mapping[str, str] | None) -> ConditionContext:
    """Return a target's condition keys as they would be if the secret had exactly `tags`."""
    kept = {key: value for key, value in context.items() if not key.lower().startswith(_LOWER_PREFIXES)}
    for prefix in TAG_CONTEXT_PREFIXES:
        kept.update((prefix + key, value) for key, value in (tags or {}).items())
    return kept


def _tag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    context = request_tag_context(call.request["Tags"])
    return (secret_target(call, unit, call.request["SecretId"], _TAG, context=context),)


def _untag_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    context: ConditionContext = {"aws:TagKeys": tuple(call.request["TagKeys"])}
    return (secret_target(call, unit, call.request["SecretId"], _UNTAG, context=context),)


def tag_resource(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The secret has the request's tags besides those it had; equal keys take the new values.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked or a replica.
        InvalidParameterException: bad tags, or more than 50 on the secret then.
        AccessDeniedException: with these tags the caller could not have made this call.
    """
    secret = writable(present(authorized.target))
    added = parse_tags(authorized.request["Tags"])
    _save(authorized, unit, secret, with_tags(secret.tags, added) if added else secret.tags)


def untag_resource(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The secret has none of the tags named; keys it does not have are ignored.

    Raises:
        ResourceNotFoundException, InvalidRequestException: no such secret; it is marked or a replica.
        InvalidParameterException: a key is reserved.
        AccessDeniedException: without these tags the caller could not have made this call.
    """
    secret = writable(present(authorized.target))
    _save(authorized, unit, secret, without_tags(secret.tags, authorized.request["TagKeys"]))


def _save(
    authorized: AuthorizedCall, unit: WriteUnit, secret: Secret, tags: Mapping[str, str] | None
) -> None:
    if tags == secret.tags:
        return
    call, target = authorized.call, authorized.target
    _refuse_loss_of_access(call, unit, target, tags)
    changed = replace(secret, tags=tags, last_changed_at=changed_at(secret, call.received_at))
    unit.save_secret(changed)
    propagate(call, unit, changed)


def _refuse_loss_of_access(
    call: Call, unit: ReadUnit, target: Target, tags: Mapping[str, str] | None
) -> None:
    # SECURITY: without this, a caller whose rights hang on a tag could hand the secret to another team, or
    # strand it where nobody can reach it.
    after = replace(target, context=with_resource_tags(target.context, tags))
    decision = allowed(call, unit, after)
    if not decision.allowed:
        message = (
            f"User: {call.principal.arn} is not authorized to perform: {target.action} "
            f"on resource: {target.shown_as or target.resource}"
        )
        note(call, unit, after, decision, message, assuming=ASSUMING_TAGS)
        raise AccessDeniedException(message)


TAG_RESOURCE = Operation(
    name="TagResource",
    action=_TAG,
    unit=Unit.WRITE,
    targets=_tag_targets,
    handle=tag_resource,
    read_only=False,
    deviations=(
        "The texts for duplicate and reserved tag keys and for more than 50 tags are our own; all three are "
        "InvalidParameterException.",
        "Setting tags to the values they have changes nothing, the LastChangedDate included.",
        "A tag change is refused as costing the caller its access when, with the new tags, the same call "
        "would be denied.",
    ),
)
UNTAG_RESOURCE = Operation(
    name="UntagResource",
    action=_UNTAG,
    unit=Unit.WRITE,
    targets=_untag_targets,
    handle=untag_resource,
    read_only=False,
    deviations=("Removing a tag whose key begins with aws: is an InvalidParameterException.",),
)
