"""The filters of ListSecrets and BatchGetSecretValue.

Source: fact sheet secretsmanager section 6, Filters. Decided here, because AWS is not known:
a negated value matches secrets that lack the attribute; `owning-service` is case-sensitive as the model
says; the words of an `all` value may be found in different attributes of the secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from strongroom.errors import InvalidParameterException
from strongroom.secret.records import Secret

Test = Callable[[Secret], bool]

INVALID_FILTER_KEY = "Invalid filter key"
INVALID_FILTER_VALUES = "Invalid filter values for key: {}"

SEPARATORS = "/-_+=.@"
"""A text holding one kind of these is split on it; one that mixes kinds is left whole, as observed on AWS."""

_BREAK = re.compile(r"[^\w/\-+=.@]+")
# COMPANYthings is COMPAN, Ythings; DescTwo is Desc, Two; db12 is db, 12.
_WORD = re.compile(r"[A-Z][^A-Z0-9]+|[A-Z]+(?![^A-Z0-9])|[0-9]+|[^A-Z0-9]+")


def compile_filters(filters: Iterable[Mapping[str, Any]] | None) -> Test:
    """Return the test a secret passes when it matches all `filters` (each by any of its values).

    `filters` is the request's member: mappings with Key and Values, already checked against their shapes.

    Raises:
        InvalidParameterException: a filter has no key, an unknown one, or no values.
    """
    tests = tuple(_compile_filter(each) for each in filters or ())
    if not tests:
        return _every_secret
    if len(tests) == 1:
        return tests[0]
    return lambda secret: all(test(secret) for test in tests)


def matches(secret: Secret, filters: Iterable[Mapping[str, Any]] | None) -> bool:
    """True when `secret` matches all `filters`. Compile them once to test many secrets."""
    return compile_filters(filters)(secret)


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of `text`, in lower case: what a word search compares.

    Words end at white space, at punctuation (SEPARATORS: see there), where lower case turns to upper case,
    and between letters and digits. A text of separators alone has no words.
    """
    return tuple(word.lower() for token in _BREAK.split(text) for word in _token_words(token))


def _token_words(token: str) -> Iterable[str]:
    kinds = {character for character in token if character in SEPARATORS}
    if len(kinds) > 1:
        # AWS: a name mixing two kinds of separators is one word (fact sheet, from getmoto's verified tests).
        return (token,) if token.strip(SEPARATORS) else ()
    parts = token.split(kinds.pop()) if kinds else (token,)
    return (word for part in parts for word in _WORD.findall(part))


def _every_secret(_: Secret) -> bool:
    return True


def _compile_filter(each: Mapping[str, Any]) -> Test:
    key = each.get("Key")
    compile_value = _VALUE_COMPILERS.get(key) if isinstance(key, str) else None
    if compile_value is None:
        raise InvalidParameterException(INVALID_FILTER_KEY)
    values = each.get("Values")
    if not values:
        raise InvalidParameterException(INVALID_FILTER_VALUES.format(key))
    tests = tuple(_negatable(compile_value, value) for value in values)
    if len(tests) == 1:
        return tests[0]
    return lambda secret: any(test(secret) for test in tests)


def _negatable(compile_value: Callable[[str], Test], value: str) -> Test:
    if not value.startswith("!"):
        return compile_value(value)
    test = compile_value(value[1:])
    return lambda secret: not test(secret)


def _name(value: str) -> Test:
    return lambda secret: secret.name.startswith(value)


def _tag_key(value: str) -> Test:
    return lambda secret: any(key.startswith(value) for key in secret.tags or ())


def _tag_value(value: str) -> Test:
    return lambda secret: any(text.startswith(value) for text in (secret.tags or {}).values())


def _primary_region(value: str) -> Test:
    return lambda secret: secret.primary_region is not None and secret.primary_region.startswith(value)


def _owning_service(value: str) -> Test:
    return lambda secret: secret.owning_service is not None and secret.owning_service.startswith(value)


def _description(value: str) -> Test:
    wanted = split_words(value)
    return lambda secret: _has_words(wanted, (secret.description or "",))


def _all(value: str) -> Test:
    wanted = split_words(value)
    return lambda secret: _has_words(wanted, _attributes(secret))


def _attributes(secret: Secret) -> Sequence[str]:
    tags = secret.tags or {}
    return secret.name, secret.description or "", *tags.keys(), *tags.values()


def _has_words(wanted: tuple[str, ...], texts: Iterable[str]) -> bool:
    """True when each wanted word begins some word of the texts; nothing matches no wanted word."""
    texts = tuple(texts)
    lowered = "\n".join(texts).lower()
    # Most secrets of a search end here: a word that begins somewhere stands there.
    if not wanted or any(each not in lowered for each in wanted):
        return False
    words = [word for text in texts for word in split_words(text)]
    return all(any(word.startswith(each) for word in words) for each in wanted)


_VALUE_COMPILERS: Mapping[str, Callable[[str], Test]] = {
    "name": _name,
    "description": _description,
    "tag-key": _tag_key,
    "tag-value": _tag_value,
    "primary-region": _primary_region,
    "owning-service": _owning_service,
    "all": _all,
}
