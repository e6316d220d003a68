"""Tags of users, roles, policies and providers: keys are compared ignoring case, and kept as written.

Source: fact sheet iam section 11.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from strongroom.errors import InvalidInputException, LimitExceededException

MAXIMUM_TAGS: Final = 50

# [iam 13] recorded for session tags.
DUPLICATE_TAG_KEYS: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
# Not established; ours.
RESERVED_TAG_KEY: Final = "Tag keys that begin with aws: are reserved for system use."


def too_many_tags(holder: str) -> str:
    return f"Cannot exceed quota for TagsPer{holder}: {MAXIMUM_TAGS}"


def with_tags(
    tags: Mapping[str, str], added: Sequence[Mapping[str, str]], holder: str = "User"
) -> dict[str, str]:
    """Return `tags` with `added` (a request's Key and Value pairs) set.

    A tag whose key differs in case only is replaced, key and all. `holder` is what the tags are on, as the
    refusal of too many names it.

    Raises:
        InvalidInputException: a key comes twice in `added`, or is reserved.
        LimitExceededException: there would be more than 50.
    """
    given = {tag["Key"]: tag["Value"] for tag in added}
    if len({key.lower() for key in given}) < len(added):
        raise InvalidInputException(DUPLICATE_TAG_KEYS)
    if any(key.lower().startswith("aws:") for key in given):
        raise InvalidInputException(RESERVED_TAG_KEY)
    merged = {**without_tags(tags, given), **given}
    if len(merged) > MAXIMUM_TAGS:
        raise LimitExceededException(too_many_tags(holder))
    return merged


def without_tags(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return `tags` without those whose keys are, ignoring case, among `keys`."""
    gone = {key.lower() for key in keys}
    return {key: value for key, value in tags.items() if key.lower() not in gone}
