"""Wildcards, ARN patterns and policy variables, compiled to matchers whose work is bounded.

Every matcher does at most len(text) x len(pattern) steps, whatever the pattern: literal ends are compared in
place, and between two `*` the leftmost fit is taken and never given up again (atomic groups), so there is
nothing to backtrack over. Source: fact sheet iam sections 1 (Resource), 2 (ARN operators) and 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from strongroom.policy.context import ContextKeys, fold_key

Matcher = Callable[[str, ContextKeys], bool]
"""Tells whether a text fits; the keys of the request fill in policy variables."""

ARN_FIELDS = 6
"""arn, partition, service, region, account id, resource."""
_COMPILED_AT_ONCE = 4096
"""How many patterns with their variables filled in stay compiled."""


class Wildcard(Enum):
    ONE = "?"
    ANY = "*"


@dataclass(frozen=True, slots=True)
class Variable:
    """`${key}` or `${key, 'default'}`."""

    key: str
    """Folded."""
    default: str | None = None


Static = tuple[str | Wildcard, ...]
Template = tuple[str | Wildcard | Variable, ...]
"""Literal runs, wildcards and variables in order. Between two literals stands at most one run of wildcards:
any number of ONE, then at most one ANY."""


class TemplateError(ValueError):
    """A policy variable is not written as policy variables are. The message says how."""


_SPECIAL = re.compile(r"\$\{|[*?]")
_VARIABLE = re.compile(r"\$\{([^{}',]+)(?:,\s*'([^'{}]*)'\s*)?\}")


def parse_template(text: str, *, wildcards: bool, variables: bool) -> Template:
    """Return the parts of `text`; what is not asked for is literal text.

    Raises:
        TemplateError: `${` that does not begin `${key}`, `${key, 'default'}`, `${*}`, `${?}` or `${$}`.
    """
    parts: list[str | Wildcard | Variable] = []
    position = 0
    while (special := _SPECIAL.search(text, position)) is not None:
        parts.append(text[position : special.start()])
        position = special.end()
        if special.group() != "${":
            parts.append(Wildcard(special.group()) if wildcards else special.group())
        elif not variables:
            parts.append("${")
        elif text[position : position + 2] in ("*}", "?}", "$}"):
            parts.append(text[position])
            position += 2
        else:
            variable = _VARIABLE.match(text, special.start())
            if variable is None or not variable[1].strip():
                raise TemplateError(
                    "A policy variable must be written ${key} or ${key, 'default value'}: "
                    f"{text[special.start() : special.start() + 40]}"
                )
            parts.append(Variable(fold_key(variable[1].strip()), variable[2]))
            position = variable.end()
    parts.append(text[position:])
    return _normal(parts)


def _normal(parts: Iterable[str | Wildcard | Variable]) -> Template:
    """Join neighbouring literals, drop empty ones, and order each run of wildcards (`*?` is `?*`)."""
    normal: list[str | Wildcard | Variable] = []
    for part in parts:
        if part == "":
            continue
        last = normal[-1] if normal else None
        if isinstance(part, str) and isinstance(last, str):
            normal[-1] = last + part
        elif last is Wildcard.ANY and part is Wildcard.ANY:
            continue
        elif last is Wildcard.ANY and part is Wildcard.ONE:
            normal.insert(-1, Wildcard.ONE)
        else:
            normal.append(part)
    return tuple(normal)


def variables_of(template: Template) -> Iterator[str]:
    """Yield the (folded) keys a template reads."""
    for part in template:
        if isinstance(part, Variable):
            yield part.key


def resolve(template: Template, keys: ContextKeys) -> Static | None:
    """Return the template with its variables filled in; None when one has neither value nor default.

    SECURITY: a value is literal text. A `*` in a tag value is an asterisk, not a wildcard.
    """
    parts: list[str | Wildcard] = []
    for part in template:
        if not isinstance(part, Variable):
            parts.append(part)
            continue
        value = keys.single(part.key)
        if value is None:
            value = part.default
        if value is None:
            return None
        parts.append(value)
    return _static(_normal(parts))


def resolve_text(template: Template, keys: ContextKeys) -> str | None:
    """As `resolve`, for a template parsed without wildcards."""
    static = resolve(template, keys)
    return None if static is None else "".join(part for part in static if isinstance(part, str))


def _static(template: Template) -> Static:
    return tuple(part for part in template if not isinstance(part, Variable))


# --- plain text ------------------------------------------------------------------------------------------


def any_text(templates: Iterable[Template]) -> Matcher:
    """Return a matcher for texts that fit at least one template, `*` spanning everything."""
    return _Alternatives([_TextPattern(template) for template in templates]).matcher()


def any_arn(patterns: Iterable[ArnPattern]) -> Matcher:
    """Return a matcher for ARNs that fit at least one pattern."""
    return _Alternatives(list(patterns)).matcher()


class _TextPattern:
    """One wildcard pattern over a text as a whole."""

    __slots__ = ("template",)

    def __init__(self, template: Template) -> None:
        self.template = template

    def fixed(self) -> Static | None:
        """Return the parts when the pattern is the same for every request."""
        static = _static(self.template)
        return static if len(static) == len(self.template) else None

    def flat(self) -> Static | None:
        return self.fixed()

    def source(self) -> str:
        return _source(_static(self.template), ".", r"\Z")

    def matches(self, text: str, keys: ContextKeys) -> bool:
        return _fits(resolve(self.template, keys), text)


class ArnPattern:
    """An ARN with wildcards and variables: the first five fields are matched one by one, so that no wildcard
    there crosses a colon; in the last one `*` spans everything."""

    __slots__ = ("_fixed", "_head", "fields")

    def __init__(self, template: Template) -> None:
        """Missing fields at the end count as `*` (AWS completes an incomplete ARN so)."""
        fields = _split_fields(template)
        self.fields: tuple[Template, ...] = (
            fields if len(fields) == 1 else fields + ((Wildcard.ANY,),) * (ARN_FIELDS - len(fields))
        )
        self._fixed = not any(isinstance(part, Variable) for part in template)
        self._head: re.Pattern[str] | None = None
        """The first five fields, where only the last one has variables."""
        if not self._fixed and len(self.fields) == ARN_FIELDS:
            head = [_static(field) for field in self.fields[:-1]]
            if all(len(static) == len(field) for static, field in zip(head, self.fields, strict=False)):
                self._head = re.compile("".join(_source(static, "[^:]", ":") for static in head))

    def fixed(self) -> Static | None:
        return () if self._fixed else None

    def flat(self) -> Static | None:
        """Return the whole pattern's parts when no wildcard stands before the fifth colon."""
        if not self._fixed:
            return None
        fields = [_static(field) for field in self.fields]
        if fields == [(Wildcard.ANY,)]:
            return (Wildcard.ANY,)
        if len(fields) < ARN_FIELDS or not all(_is_literal(field) for field in fields[:-1]):
            return None
        head = "".join(f"{_text(field)}:" for field in fields[:-1])
        return _static(_normal((head, *fields[-1])))

    def source(self) -> str:
        return _arn_source(tuple(_static(field) for field in self.fields))

    def matches(self, text: str, keys: ContextKeys) -> bool:
        if self._head is not None:
            head = self._head.match(text)
            if head is None:
                return False
            return _fits(resolve(self.fields[-1], keys), text[head.end() :])
        if len(self.fields) == 1:
            # A variable that stands for an ARN as a whole.
            return resolve_text(self.fields[0], keys) == text
        given = text.split(":", ARN_FIELDS - 1)
        # SECURITY: field by field, so a value that holds a colon cannot move the borders between fields.
        return len(given) == ARN_FIELDS and all(
            _fits(resolve(field, keys), part) for field, part in zip(self.fields, given, strict=True)
        )


class _Alternatives:
    """Patterns of one list, sorted into what can be tested fastest."""

    def __init__(self, patterns: Sequence[_TextPattern | ArnPattern]) -> None:
        self.everything = False
        self.literals: set[str] = set()
        self.prefixes: list[str] = []
        self.sources: list[str] = []
        self.varying: list[_TextPattern | ArnPattern] = []
        for pattern in patterns:
            self._add(pattern)

    def _add(self, pattern: _TextPattern | ArnPattern) -> None:
        flat = pattern.flat()
        if pattern.fixed() is None:
            self.varying.append(pattern)
        elif flat is None:
            self.sources.append(pattern.source())
        elif flat == (Wildcard.ANY,):
            self.everything = True
        elif _is_literal(flat):
            self.literals.add(_text(flat))
        elif len(flat) == 2 and isinstance(flat[0], str) and flat[1] is Wildcard.ANY:
            self.prefixes.append(flat[0])
        else:
            self.sources.append(pattern.source())

    def matcher(self) -> Matcher:
        if self.everything:
            return lambda text, keys: True
        literals = frozenset(self.literals)
        prefixes = tuple(self.prefixes)
        if not self.sources and not self.varying:
            if not prefixes:
                return lambda text, keys: text in literals
            if not literals:
                return lambda text, keys: text.startswith(prefixes)
            return lambda text, keys: text in literals or text.startswith(prefixes)
        # `(?!)` fits nothing.
        fits = re.compile("|".join(self.sources) or "(?!)", re.DOTALL).match
        if not self.varying and not literals and not prefixes:
            return lambda text, keys: fits(text) is not None
        varying = tuple(pattern.matches for pattern in self.varying)

        def matches(text: str, keys: ContextKeys) -> bool:
            if text in literals or text.startswith(prefixes) or fits(text) is not None:
                return True
            return any(test(text, keys) for test in varying)

        return matches


# --- parts to regular expressions ------------------------------------------------------------------------


def _is_literal(static: Static) -> bool:
    return not static or (len(static) == 1 and isinstance(static[0], str))


def _text(static: Static) -> str:
    return "".join(part for part in static if isinstance(part, str))


def _fits(static: Static | None, text: str) -> bool:
    """True when `text` fits parts whose variables are filled in; None (one has no value) fits nothing."""
    if static is None:
        return False
    if _is_literal(static):
        return text == _text(static)
    if len(static) == 2 and isinstance(static[0], str) and static[1] is Wildcard.ANY:
        return text.startswith(static[0])
    return _text_regex(static).match(text) is not None


def _split_fields(template: Template) -> tuple[Template, ...]:
    """Cut a template at the colons of its literal text, into six fields at most."""
    fields: list[list[str | Wildcard | Variable]] = [[]]
    for part in template:
        if not isinstance(part, str):
            fields[-1].append(part)
            continue
        pieces = part.split(":", ARN_FIELDS - len(fields))
        fields[-1].append(pieces[0])
        fields.extend([piece] for piece in pieces[1:])
    return tuple(_normal(field) for field in fields)


def _source(static: Static, char: str, end: str) -> str:
    """Return a regular expression for the parts, `char` being what a wildcard may stand for."""
    runs: list[list[str | Wildcard]] = [[]]
    for part in static:
        if part is Wildcard.ANY:
            runs.append([])
        else:
            runs[-1].append(part)
    head, *others = (_run_source(run, char) for run in runs)
    if not others:
        return head + end
    middles = "".join(f"(?>{char}*?{middle})" for middle in others[:-1])
    # INVARIANT: the last run is looked at where the text (or field) ends, and `{width,}` keeps it clear of
    # what the runs before it have taken. Possessive: one attempt.
    width = sum(len(part) if isinstance(part, str) else 1 for part in runs[-1])
    tail = f"{char}{{{width},}}+(?<={others[-1]})" if width else f"{char}*+"
    return head + middles + tail + end


def _run_source(run: Sequence[str | Wildcard], char: str) -> str:
    return "".join(re.escape(part) if isinstance(part, str) else char for part in run)


def _arn_source(fields: tuple[Static, ...]) -> str:
    head = "".join(_source(field, "[^:]", ":") for field in fields[:-1])
    return head + _source(fields[-1], ".", r"\Z")


@lru_cache(_COMPILED_AT_ONCE)
def _text_regex(static: Static) -> re.Pattern[str]:
    return re.compile(_source(static, ".", r"\Z"), re.DOTALL)
