"""What a request hands over to the session it makes: policies, tags, a length of time.

Sources: fact sheet iam sections 1 and 13; texts in `messages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from strongroom.errors import (
    InvalidParameterValueException,
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    ValidationException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.sessions import PACKED_LIMIT, Given
from strongroom.identity.tags import MAXIMUM_TAGS
from strongroom.names import Arn
from strongroom.operations.standing import managed_policy
from strongroom.operations.sts import messages
from strongroom.policy.context import fold_key
from strongroom.policy.document import (
    SESSION_POLICY_SIZE,
    PolicyKind,
    PolicySyntaxError,
    fits,
    parse_policy,
)
from strongroom.ports import ReadUnit

__all__ = [
    "MAXIMUM_POLICY_ARNS",
    "PACKING",
    "TagsSent",
    "packed_size",
    "parse_tag_pairs",
    "parse_tags",
    "role_session_seconds",
    "session_policies",
    "tag_context",
    "with_tags",
]

MAXIMUM_POLICY_ARNS: Final = 10
DEFAULT_SECONDS: Final = 3_600
CHAINING_SECONDS: Final = 3_600
PACKING: Final = (
    f"Session policies and tags may have {PACKED_LIMIT} bytes when packed in this server's own way; AWS's "
    "packing and limit are not known."
)

Tags = Mapping[str, str]


class TagsSent:
    """Tags of a request, checked, and those of the calling session that go on with it."""

    def __init__(self, sent: Tags, transitive: Sequence[str], inherited: Tags) -> None:
        self.sent = sent
        self.transitive = tuple(transitive)
        self.inherited = inherited

    @property
    def any(self) -> bool:
        """True when the session gets a tag, by the request or by inheritance: sts:TagSession is needed."""
        return bool(self.sent or self.inherited)

    @property
    def given(self) -> Given:
        """All of it as the session keeps it."""
        return Given(
            tags={**self.inherited, **self.sent},
            transitive_tag_keys=(*self.inherited, *self.transitive),
        )


def parse_tags(request: Mapping[str, Any], principal: Principal) -> TagsSent:
    """Return the request's Tags and TransitiveTagKeys, with what the caller's session hands on.

    Raises:
        InvalidParameterValueException: a key twice, reserved, transitive without being sent, or in conflict
            with a transitive tag of the calling session; or too many tags.
    """
    inherited = {key: principal.tags[key] for key in principal.transitive_tag_keys}
    return parse_tag_pairs(request.get("Tags", ()), request.get("TransitiveTagKeys", ()), inherited)


def parse_tag_pairs(
    pairs: Sequence[Mapping[str, str]], transitive_keys: Iterable[str], inherited: Tags
) -> TagsSent:
    """Return tags as they stand in a request, with those inherited; raises as `parse_tags` does."""
    sent = {tag["Key"]: tag["Value"] for tag in pairs}
    keys = {fold_key(key): key for key in sent}
    if len(keys) < len(pairs):
        raise InvalidParameterValueException(messages.DUPLICATE_TAG_KEYS)
    if any(key.startswith("aws:") for key in keys):
        raise InvalidParameterValueException(messages.RESERVED_TAG_KEY)
    transitive = {fold_key(key) for key in transitive_keys}
    if not transitive <= set(keys):
        raise InvalidParameterValueException(messages.TRANSITIVE_KEY_NOT_SENT)
    if any(fold_key(key) in keys for key in inherited):
        raise InvalidParameterValueException(messages.TRANSITIVE_KEY_CONFLICTS)
    if len(sent) + len(inherited) > MAXIMUM_TAGS:
        raise InvalidParameterValueException(messages.TOO_MANY_TAGS)
    return TagsSent(sent, [keys[key] for key in sorted(transitive)], inherited)


def tag_context(tags: TagsSent) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys of the tags a request sends."""
    if not tags.sent:
        return {}
    context: dict[str, str | tuple[str, ...]] = {
        f"aws:RequestTag/{key}": value for key, value in tags.sent.items()
    }
    context["aws:TagKeys"] = tuple(tags.sent)
    if tags.transitive:
        context["sts:TransitiveTagKeys"] = tags.transitive
    return context


def session_policies(request: Mapping[str, Any], unit: ReadUnit, account_id: str) -> Given:
    """Return the request's session policies, checked; managed ones are AWS's or of the session's account.

    Raises:
        ValidationException: too long, too many, or a managed policy that is not there.
        MalformedPolicyDocumentException: not a session policy.
    """
    document = request.get("Policy")
    if document is not None:
        if not fits(SESSION_POLICY_SIZE, document):
            raise ValidationException(messages.policy_too_long(SESSION_POLICY_SIZE.characters))
        try:
            parse_policy(document, PolicyKind.SESSION)
        except PolicySyntaxError as error:
            raise MalformedPolicyDocumentException(error.message) from error
    arns = tuple(dict.fromkeys(_arns(request.get("PolicyArns", ()))))
    if len(arns) > MAXIMUM_POLICY_ARNS:
        raise ValidationException(messages.too_many_policies(MAXIMUM_POLICY_ARNS))
    for arn in arns:
        # SECURITY: another account's policy must not be read, nor its existence be told.
        own = arn.split(":")[4:5] in ([account_id], ["aws"])
        if not own or managed_policy(unit, arn) is None:
            raise ValidationException(messages.no_such_policy(arn))
    return Given(policies=() if document is None else (document,), policy_arns=arns)


def _arns(descriptors: Iterable[Mapping[str, Any]]) -> Iterator[Arn]:
    return (Arn(each["arn"]) for each in descriptors if "arn" in each)


def with_tags(policies: Given, tags: TagsSent) -> Given:
    """Return both together."""
    both = tags.given
    return Given(policies.policies, policies.policy_arns, both.tags, both.transitive_tag_keys)


def packed_size(given: Given) -> dict[str, int]:
    """Return the PackedPolicySize member of an answer: percent of the room, left out for nothing given.

    Raises:
        PackedPolicyTooLargeException: over 100 percent.
    """
    size = len(given.packed())
    if not size:
        return {}
    percent = -(-size * 100 // PACKED_LIMIT)
    if percent > 100:
        text = messages.packed_too_large if given.restricts else messages.tags_too_large
        raise PackedPolicyTooLargeException(text(percent))
    return {"PackedPolicySize": percent}


def role_session_seconds(request: Mapping[str, Any], role_maximum: int, principal: Principal) -> int:
    """Return how long a role's session lasts.

    Raises:
        ValidationException: longer than the role allows, or than an hour for a session made by a session of
            a role.
    """
    seconds: int = request.get("DurationSeconds", DEFAULT_SECONDS)
    if principal.type is PrincipalType.ASSUMED_ROLE and seconds > CHAINING_SECONDS:
        raise ValidationException(messages.ABOVE_CHAINING_MAXIMUM)
    if seconds > role_maximum:
        raise ValidationException(messages.ABOVE_ROLE_MAXIMUM)
    return seconds
