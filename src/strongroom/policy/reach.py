"""Whether a caller may, not in one context but in all there can be: always, never, or if. Pure.

What a question leaves open are condition keys. Statements that cannot apply, whatever these are, are left
out; if the strictest and the mildest reading of the others agree, the answer is proven. Else the evaluator
is asked about the contexts of `policy/universe`. So `ALWAYS` and `NEVER` hold for every context, and an `IF`
that is `decided` has a context that allows and one that refuses, both found by the evaluator itself.
Source: DESIGN promise 8; fact sheet iam section 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain, product
from math import gcd, prod

import msgspec

from strongroom.policy.conditions import Condition
from strongroom.policy.context import ContextKeys, fold_key
from strongroom.policy.document import PatternElement, Policy, PolicyKind, Statement
from strongroom.policy.evaluation import (
    AccessRequest,
    Decision,
    DeterminingStatement,
    LabelledPolicy,
    Layer,
    PolicySet,
    evaluate,
)
from strongroom.policy.patterns import Static, parse_template, resolve, variables_of
from strongroom.policy.universe import Choice, Dimension, KeyTest, Setting, dimensions

__all__ = [
    "Check",
    "Difference",
    "GrantTerm",
    "If",
    "Reach",
    "RefusedBy",
    "Term",
    "Verdict",
    "compare",
    "reach",
]

MOST_CONTEXTS: int = 4_096
"""Contexts that are tried for one question."""
MOST_STATEMENTS: int = 200_000
"""Statements that are looked at for it, each once in every context: bounds the work on large policies."""
_CONTEXT_PREFIX = "kms:EncryptionContext:"
_CUTS = tuple(re.compile(each) for each in ("[:/_-]", "[:/]", ":", "/", "[-_]"))
"""Where a resource's name may be cut to find what a variable in a pattern could stand for."""


class Verdict(StrEnum):
    ALWAYS = "yes"
    NEVER = "no"
    IF = "if"


class GrantTerm(msgspec.Struct, frozen=True):
    """A KMS grant that allows the action, where the encryption context fits."""

    grant_id: str
    behind: bool = False
    """True: it names the role or user behind the caller's session."""
    equals: Mapping[str, str] | None = None
    subset: Mapping[str, str] | None = None

    def covers(self, given: Mapping[str, str]) -> bool:
        """True when an encryption context fits; its names are folded."""
        equals, subset = _folded(self.equals), _folded(self.subset)
        return (equals is None or given == equals) and (subset is None or subset.items() <= given.items())

    @property
    def asked(self) -> dict[str, list[str]]:
        """Return the names it asks for, with the values."""
        found: dict[str, list[str]] = {}
        for name, value in (*(self.equals or {}).items(), *(self.subset or {}).items()):
            found.setdefault(name, []).append(value)
        return found

    @property
    def ifs(self) -> Iterator[If]:
        for operator, pairs in (("equals", self.equals), ("subset", self.subset)):
            for name, value in (pairs or {}).items():
                yield If(operator, _CONTEXT_PREFIX + name, (value,))


def _folded(pairs: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if pairs is None else {fold_key(name): value for name, value in pairs.items()}


class Check(msgspec.Struct, frozen=True, eq=False):
    """One decision that has to come out as allowed. Its request holds the keys that are known."""

    request: AccessRequest
    policies: PolicySet
    """Grants that fit whatever the context is stand in it."""
    is_open: Callable[[str], bool]
    """Whether a (folded) key that the request does not hold may have a value; else it is absent."""
    grants: tuple[GrantTerm, ...] = ()
    """Further grants, for whose encryption context it is open whether it fits."""


class If(msgspec.Struct, frozen=True):
    """A condition that is left of a statement once everything known is put in."""

    operator: str
    key: str
    values: tuple[str, ...]


class Term(msgspec.Struct, frozen=True):
    """A statement that has a part in the answer, and the conditions it hangs on."""

    action: str
    """What the check is about: the action itself, or kms:Decrypt."""
    effect: str
    """`Allow` or `Deny`."""
    statement: DeterminingStatement
    conditions: tuple[If, ...] = ()


class RefusedBy(msgspec.Struct, frozen=True):
    """A layer that refuses, and what it refuses."""

    action: str
    layer: Layer


class Reach(msgspec.Struct, frozen=True):
    verdict: Verdict
    decided: bool = True
    """False, with IF: it may hang on the context; in all contexts that were tried it came out one way."""
    terms: tuple[Term, ...] = ()
    """ALWAYS and IF: the Allows by which, and the Denies that are in the way if their conditions hold.
    NEVER: the Denies that always apply."""
    allowing: Choice | None = None
    """IF: a context in which it is allowed, as far as it was open."""
    refusing: Choice | None = None
    refused_by: tuple[RefusedBy, ...] = ()
    """NEVER: the layers that refuse in the mildest reading."""


class Difference(msgspec.Struct, frozen=True):
    """Outcomes of one question under two sets of policies, over the contexts that fit what is known."""

    before: frozenset[bool]
    """The outcomes there are, of True (allowed) and False."""
    after: frozenset[bool]
    same: bool
    """True: in every context both come out the same."""
    decided: bool
    """False: not all contexts could be tried."""
    keys: tuple[str, ...] = ()
    """The keys that were open."""


# --- what is left of a check -----------------------------------------------------------------------------


class _Left(msgspec.Struct, frozen=True, eq=False):
    """A statement that may apply, and what that hangs on."""

    found: DeterminingStatement
    statement: Statement
    """With the open conditions only, and its Resource only where that is open."""
    variables: bool
    """Whether the document has policy variables."""

    @property
    def certain(self) -> bool:
        return not self.statement.conditions and self.statement.resource is None

    def mild(self) -> Statement | None:
        return None if self.statement.denies and not self.certain else _with(self.statement, (), None)

    def strict(self) -> Statement | None:
        return _with(self.statement, (), None) if self.statement.denies or self.certain else None


class _Residue:
    """A check without what is known: `decide` is the evaluator on what is left of it."""

    def __init__(self, check: Check) -> None:
        self.check = check
        request = check.request
        context = request.context
        self._known = context if isinstance(context, ContextKeys) else ContextKeys(context)
        self._open: dict[str, bool] = {}
        self._lefts: dict[tuple[int, Layer], list[_Left]] = {}
        self._live = self._reduced(lambda left: left.statement)

    @property
    def lefts(self) -> Iterator[_Left]:
        for found in self._lefts.values():
            yield from found

    def mildest(self) -> Decision:
        """Return the decision where everything that is open speaks for the caller."""
        return evaluate(self.check.request, _granting(self._reduced(_Left.mild), self.check.grants))

    def strictest(self) -> Decision:
        """Return the decision where everything that is open speaks against the caller."""
        return evaluate(self.check.request, self._reduced(_Left.strict))

    def extreme(self) -> bool | None:
        """Return the outcome if it is the same whatever is open."""
        if not self.mildest().allowed:
            return False
        return True if self.strictest().allowed else None

    def decide(self, choice: Choice) -> bool:
        """Return the evaluator's outcome in one context."""
        policies = self._live
        if self.check.grants:
            pairs = _encryption_context(choice)
            policies = _granting(policies, [each for each in self.check.grants if each.covers(pairs)])
        keys = self.keys_with(choice)
        return evaluate(msgspec.structs.replace(self.check.request, context=keys), policies).allowed

    def keys_with(self, choice: Choice) -> ContextKeys:
        """Return the keys of a context, as far as they are open to this check, and those that are known."""
        given = {key: value for key, value in choice.items() if self.is_open(fold_key(key))}
        return _Layered(self._known, given)

    def is_open(self, key: str) -> bool:
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = self._known.values(key) is None and self.check.is_open(key)
        return found

    def tests(self) -> Iterator[tuple[str, KeyTest | None]]:
        """Yield each open key with a test on it; None: it is looked at in another way."""
        for left in self.lefts:
            for condition in left.statement.conditions:
                yield from self._tests(condition, left.variables)
            if left.statement.resource is not None:
                yield from ((key, None) for key in left.statement.resource.keys_read if self.is_open(key))
        for grant in self.check.grants:
            for name in grant.asked:
                yield fold_key(_CONTEXT_PREFIX + name), None

    def pool(self) -> Iterator[str]:
        """Yield values that keys which are compared with each other may have in common."""
        for left in self.lefts:
            for condition in left.statement.conditions:
                found = self._known.values(fold_key(condition.key))
                yield from () if found is None else (found,) if isinstance(found, str) else found
                yield from condition.values
            if left.statement.resource is not None:
                text = self.check.request.resource
                yield from (piece for cut in _CUTS for piece in cut.split(text))
        for grant in self.check.grants:
            yield from chain.from_iterable(grant.asked.values())

    def _reduced(self, kept: Callable[[_Left], Statement | None]) -> PolicySet:
        """Return the policies with what `kept` makes of each statement that may apply."""
        policies, action = self.check.policies, self.check.request.action

        def one(layer: Layer, each: LabelledPolicy) -> LabelledPolicy:
            place = (id(each), layer)
            if place not in self._lefts:
                self._lefts[place] = list(self._left_of(layer, each))
            statements = tuple([found for left in self._lefts[place] if (found := kept(left)) is not None])
            policy = each.policy
            reduced = Policy(
                policy.kind, policy.version, policy.id, statements, policy.keys_read, {action: statements}
            )
            return LabelledPolicy(each.label, reduced)

        def every(layer: Layer, found: Iterable[LabelledPolicy]) -> tuple[LabelledPolicy, ...]:
            return tuple([one(layer, each) for each in found])

        def perhaps(layer: Layer, found: LabelledPolicy | None) -> LabelledPolicy | None:
            return None if found is None else one(layer, found)

        trust = any(each.policy.kind is PolicyKind.TRUST for each in policies.resource)
        return msgspec.structs.replace(
            policies,
            identity=every(Layer.IDENTITY, policies.identity),
            resource=every(Layer.TRUST if trust else Layer.RESOURCE, policies.resource),
            boundary=perhaps(Layer.BOUNDARY, policies.boundary),
            session=None if policies.session is None else every(Layer.SESSION, policies.session),
            vpc_endpoint=perhaps(Layer.VPC_ENDPOINT, policies.vpc_endpoint),
            service_control=every(Layer.SERVICE_CONTROL, policies.service_control),
            resource_control=every(Layer.RESOURCE_CONTROL, policies.resource_control),
        )

    def _left_of(self, layer: Layer, labelled: LabelledPolicy) -> Iterator[_Left]:
        request = self.check.request
        for statement in labelled.policy.statements_for(request.action):
            principal = statement.principal
            if principal is not None:
                names = principal.denies if statement.denies else principal.allows
                if not names(request.principal):
                    continue
            resource = statement.resource
            if resource is not None and not any(map(self.is_open, resource.keys_read)):
                if not resource.matches(request.resource, self._known):
                    continue
                resource = None
            conditions = [each for each in statement.conditions if any(map(self.is_open, each.keys_read))]
            closed = (each for each in statement.conditions if each not in conditions)
            if all(each.holds(self._known) for each in closed):
                yield _Left(
                    DeterminingStatement(layer, labelled.label, statement.sid, statement.index),
                    _with(statement, tuple(conditions), resource),
                    labelled.policy.version == "2012-10-17",
                )

    def _tests(self, condition: Condition, variables: bool) -> Iterator[tuple[str, KeyTest]]:
        key, operator = fold_key(condition.key), condition.operator
        values: list[Static] = []
        tangled: set[str] = set()
        if operator.family in ("String", "Arn", "Bool"):
            wild = operator.family == "Arn" or operator.name.endswith("Like")
            for value in condition.values:
                template = parse_template(value, wildcards=wild, variables=variables)
                others = {each for each in variables_of(template) if self.is_open(each)}
                tangled |= others
                static = None if others else resolve(template, self._known)
                if static is not None:
                    values.append(static)
        if self.is_open(key):
            yield key, KeyTest(operator, tuple(values), condition.values, bool(tangled))
        for other in tangled:
            yield other, KeyTest(operator, (), (), entangled=True)


class _Layered(ContextKeys):
    """Known keys, and those of a choice, which are none of them."""

    __slots__ = ("_known",)

    def __init__(self, known: ContextKeys, choice: Choice) -> None:
        super().__init__(choice)
        self._known = known

    def values(self, folded_key: str) -> str | tuple[str, ...] | None:
        found = self._known.values(folded_key)
        return super().values(folded_key) if found is None else found


def _with(
    statement: Statement, conditions: tuple[Condition, ...], resource: PatternElement | None
) -> Statement:
    return Statement(
        statement.index,
        statement.sid,
        statement.effect,
        statement.denies,
        statement.principal,
        statement.action,
        resource,
        conditions,
    )


def _granting(policies: PolicySet, grants: Sequence[GrantTerm]) -> PolicySet:
    """Return the policies with these grants as well."""
    if not grants:
        return policies
    behind = all(each.behind for each in grants) and (policies.grants_behind or not policies.grants)
    ids = (*policies.grants, *(each.grant_id for each in grants))
    return msgspec.structs.replace(policies, grants=ids, grants_behind=behind)


def _encryption_context(given: Choice) -> dict[str, str]:
    """Return the pairs of a choice, their names folded."""
    prefix = fold_key(_CONTEXT_PREFIX)
    return {
        name.removeprefix(prefix): value
        for key, value in given.items()
        if (name := fold_key(key)).startswith(prefix) and isinstance(value, str)
    }


# --- answers ---------------------------------------------------------------------------------------------


def reach(checks: Sequence[Check], setting: Setting) -> Reach:
    """Return whether all checks come out as allowed: in every context, in none, or in some.

    A context gives values to the keys that are open, the same to all checks (each sees those open to it).
    """
    residues = [_Residue(each) for each in checks]
    mild = [each.mildest() for each in residues]
    if not all(each.allowed for each in mild):
        denies = [
            Term(residue.check.request.action, "Deny", found)
            for residue, decision in zip(residues, mild, strict=True)
            if not decision.allowed
            for found in decision.determining
        ]
        refused = (
            RefusedBy(residue.check.request.action, layer)
            for residue, decision in zip(residues, mild, strict=True)
            for layer in decision.refusing
        )
        return Reach(Verdict.NEVER, terms=tuple(denies), refused_by=tuple(refused))
    strict = [each.strictest() for each in residues]
    if all(each.allowed for each in strict):
        return Reach(Verdict.ALWAYS, terms=_terms(residues, mild))
    contexts, complete = _contexts(residues, setting)
    allowing = refusing = None
    for choice in contexts:
        if all(each.decide(choice) for each in residues):
            allowing = choice if allowing is None else allowing
        else:
            refusing = choice if refusing is None else refusing
        if allowing is not None and refusing is not None:
            break
    terms = _terms(residues, mild)
    if allowing is not None and refusing is not None:
        return Reach(Verdict.IF, terms=terms, allowing=allowing, refusing=refusing)
    if not complete:
        return Reach(Verdict.IF, decided=False, terms=terms, allowing=allowing, refusing=refusing)
    if refusing is None:
        return Reach(Verdict.ALWAYS, terms=terms)
    return Reach(Verdict.NEVER, terms=tuple(each for each in terms if each.effect == "Deny"))


def compare(
    before: Sequence[Check],
    after: Sequence[Check],
    setting: Setting,
    fits: Callable[[bool], bool] = lambda outcome: True,
) -> Difference:
    """Return how the same question comes out under two sets of policies.

    Only contexts count in which `fits` is true of the outcome before: what is on record of it tells something
    about the context.
    """
    old, new = [_Residue(each) for each in before], [_Residue(each) for each in after]
    keys = tuple(sorted({key for each in (*old, *new) for key, _ in each.tests()}))
    certain = _certain(old), _certain(new)
    complete = True
    outcomes: set[tuple[bool, bool]] = set()
    if certain[0] is not None and certain[1] is not None:
        outcomes.add((certain[0], certain[1]))
    else:
        # What comes out the same everywhere needs no trying.
        varying = [
            each for side, known in zip((old, new), certain, strict=True) if known is None for each in side
        ]
        contexts, complete = _contexts(varying, setting)
        for choice in contexts:
            was, now = (
                all(each.decide(choice) for each in side) if known is None else known
                for side, known in zip((old, new), certain, strict=True)
            )
            outcomes.add((was, now))
    fitting = {(was, now) for was, now in outcomes if fits(was)}
    return Difference(
        frozenset(was for was, _ in fitting),
        frozenset(now for _, now in fitting),
        all(was == now for was, now in fitting),
        complete,
        keys,
    )


def _certain(residues: Sequence[_Residue]) -> bool | None:
    """Return the outcome of all checks together, if it is the same in every context."""
    outcomes = [each.extreme() for each in residues]
    if False in outcomes:
        return False
    return None if None in outcomes else True


def _contexts(residues: Sequence[_Residue], setting: Setting) -> tuple[Iterator[Choice], bool]:
    """Return contexts to try, and whether nothing can come out in another that does not in one of them."""
    tests: dict[str, list[KeyTest]] = {}
    inexact: set[str] = set()
    for residue in residues:
        for key, test in residue.tests():
            found = tests.setdefault(key, [])
            if test is None:
                inexact.add(key)
            else:
                found.append(test)
    pool = tuple(dict.fromkeys(value for each in residues for value in each.pool() if value))[:256]
    varied = [each for each in dimensions(tests, setting, pool) if each.choices]
    exact = all(each.complete and inexact.isdisjoint(each.keys) for each in varied)
    varied = [each if inexact & set(each.keys) else _distinct(each, residues) for each in varied]
    total = prod(len(each.choices) for each in varied)
    statements = sum(1 for residue in residues for _ in residue.lefts)
    most = min(MOST_CONTEXTS, MOST_STATEMENTS // (statements + 1))
    if total <= most:
        return (_merged(picked) for picked in product(*(each.choices for each in varied))), exact
    return _sampled(varied, total, most), False


def _distinct(dimension: Dimension, residues: Sequence[_Residue]) -> Dimension:
    """Return the dimension with one choice only of those that all conditions take for the same.

    It stays as it is where a condition looks at another open key besides.
    """
    asked: list[tuple[_Residue, Condition]] = []
    for residue in residues:
        for left in residue.lefts:
            for condition in left.statement.conditions:
                read = {key for key in condition.keys_read if residue.is_open(key)}
                if read.isdisjoint(dimension.keys):
                    continue
                if not read.issubset(dimension.keys):
                    return dimension
                asked.append((residue, condition))
    found: dict[tuple[bool, ...], Choice] = {}
    for choice in dimension.choices:
        seen = {id(residue): residue.keys_with(choice) for residue in residues}
        outcomes = tuple([condition.holds(seen[id(residue)]) for residue, condition in asked])
        found.setdefault(outcomes, choice)
    return Dimension(dimension.keys, tuple(found.values()), dimension.complete)


def _sampled(varied: Sequence[Dimension], total: int, most: int) -> Iterator[Choice]:
    """Yield contexts from all over the product, always the same ones, none twice."""
    step = total * 618 // 1000 | 1
    while gcd(step, total) != 1:
        step += 2
    at = 0
    for _ in range(min(most, total)):
        rest, picked = at, []
        for each in varied:
            rest, place = divmod(rest, len(each.choices))
            picked.append(each.choices[place])
        yield _merged(picked)
        at = (at + step) % total


def _merged(picked: Iterable[Choice]) -> Choice:
    merged: dict[str, str | tuple[str, ...]] = {}
    for each in picked:
        merged.update(each)
    return merged


def _terms(residues: Sequence[_Residue], mild: Sequence[Decision]) -> tuple[Term, ...]:
    """Return the Allows of the mildest reading, and the Denies that it leaves out."""
    found: list[Term] = []
    for residue, decision in zip(residues, mild, strict=True):
        action = residue.check.request.action
        found += (
            Term(action, left.statement.effect.value, left.found, tuple(_ifs(left.statement)))
            for left in residue.lefts
            if left.statement.denies or left.found in decision.determining
        )
        grants = {each.grant_id: each for each in residue.check.grants}
        for each in decision.determining:
            if each.layer is Layer.GRANT:
                grant = grants.get(each.label)
                found.append(Term(action, "Allow", each, () if grant is None else tuple(grant.ifs)))
    return tuple(dict.fromkeys(found))


def _ifs(statement: Statement) -> Iterator[If]:
    if statement.resource is not None:
        name = "NotResource" if statement.resource.negated else "Resource"
        yield If(name, "", statement.resource.patterns)
    for each in statement.conditions:
        yield If(each.operator.text, each.key, each.values)
