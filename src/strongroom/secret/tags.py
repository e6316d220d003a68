"""A secret's tags. Source: fact sheet secretsmanager section 6, TagResource and UntagResource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from strongroom.errors import InvalidParameterException

MAX_TAGS = 50
RESERVED_PREFIX = "aws:"

# The texts are ours: AWS's are not on record (fact sheet secretsmanager section 10).
TAG_WITHOUT_KEY = "You must provide a key for each tag."
DUPLICATE_TAG_KEY = "You can't provide the same tag key more than once: {}"
RESERVED_TAG_KEY = "You can't use the tag key {}: the prefix aws: is reserved for system use."
TOO_MANY_TAGS = f"You can't attach more than {MAX_TAGS} tags to a secret."


def parse_tags(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return key to value for a request's Tags, in their order. Keys are case-sensitive; no value is "".

    Raises:
        InvalidParameterException: a tag without key, a key given twice, a reserved key, or over 50 tags.
    """
    parsed: dict[str, str] = {}
    for tag in tags:
        key = tag.get("Key")
        if not key:
            raise InvalidParameterException(TAG_WITHOUT_KEY)
        if key in parsed:
            raise InvalidParameterException(DUPLICATE_TAG_KEY.format(key))
        _refuse_reserved(key)
        parsed[key] = tag.get("Value") or ""
    _refuse_too_many(parsed)
    return parsed


def with_tags(tags: Mapping[str, str] | None, added: Mapping[str, str]) -> Mapping[str, str]:
    """Return `tags` with `added` set; an existing key takes the new value and keeps its place.

    Raises:
        InvalidParameterException: the secret would have more than 50 tags of its user's own.
    """
    merged = {**(tags or {}), **added}
    _refuse_too_many(merged)
    return merged


def without_tags(tags: Mapping[str, str] | None, keys: Iterable[str]) -> Mapping[str, str] | None:
    """Return `tags` without `keys`; unknown keys are ignored. The last one gone leaves an empty mapping,
    while a secret that never had a tag stays without any (Describe tells them apart).

    Raises:
        InvalidParameterException: a key is reserved.
    """
    removed = frozenset(keys)
    for key in removed:
        _refuse_reserved(key)
    if tags is None:
        return None
    return {key: value for key, value in tags.items() if key not in removed}


def _is_reserved(key: str) -> bool:
    return key[: len(RESERVED_PREFIX)].lower() == RESERVED_PREFIX


def _refuse_reserved(key: str) -> None:
    if _is_reserved(key):
        raise InvalidParameterException(RESERVED_TAG_KEY.format(key))


def _refuse_too_many(tags: Mapping[str, str]) -> None:
    # Tags of the system's own (aws:…) do not count against the limit.
    if sum(not _is_reserved(key) for key in tags) > MAX_TAGS:
        raise InvalidParameterException(TOO_MANY_TAGS)
