"""What a caller's own policies are at this moment: of user and groups, role, boundary and session.

Nothing here is decided; `operations/authorize` does that. Source: fact sheet iam sections 1, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from strongroom.identity.managed import AWS_MANAGED
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Group, ManagedPolicy, Role, User
from strongroom.names import Arn
from strongroom.operations.call import Call
from strongroom.policy.document import PolicyKind, PolicySyntaxError, compile_policy
from strongroom.policy.evaluation import LabelledPolicy
from strongroom.ports import GROUPS, MANAGED_POLICIES, ROLES, USERS, ReadUnit

__all__ = ["Standing", "StandingMemory", "managed_policy", "standing_of"]


class Standing(msgspec.Struct, frozen=True, eq=False):
    """A caller's own policies, compiled. The same object as long as nothing it was made from has changed."""

    identity: tuple[LabelledPolicy, ...] = ()
    """Labels: an inline policy's name, a managed policy's ARN."""
    boundary: LabelledPolicy | None = None
    session: tuple[LabelledPolicy, ...] | None = None
    readable: bool = True
    """False: a policy that belongs here is missing or does not parse, and might have held a Deny; or the user
    or role itself has gone."""


_NOTHING: Final = Standing()
_UNREADABLE: Final = Standing(readable=False)


class _Sources(msgspec.Struct, frozen=True, eq=False):
    """The stored records a standing is made from."""

    entity: User | Role | None
    groups: tuple[Group | None, ...] = ()
    managed: tuple[ManagedPolicy | None, ...] = ()
    """Attached to the entity, to its groups, the boundary, and the session's, in this order."""

    def are(self, other: _Sources) -> bool:
        """True when both hold the very same records."""
        return (
            self.entity is other.entity
            and len(self.groups) == len(other.groups)
            and len(self.managed) == len(other.managed)
            and all(one is two for one, two in zip(self.groups, other.groups, strict=True))
            and all(one is two for one, two in zip(self.managed, other.managed, strict=True))
        )


class _Known(msgspec.Struct, frozen=True, eq=False):
    mark: int | None
    sources: _Sources
    standing: Standing


class StandingMemory:
    """Standings of one process, by access key. Threads may share it.

    SECURITY: one is good only while nothing was committed since, or for the very records it was made from;
    the store gives another object for a record that has changed.
    """

    LIMIT: Final = 5_000

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], _Known] = {}

    def get(self, place: tuple[object, ...]) -> _Known | None:
        return self._known.get(place)

    def put(self, place: tuple[object, ...], known: _Known) -> None:
        if len(self._known) >= self.LIMIT:
            self._known.clear()
        self._known[place] = known


def standing_of(call: Call, unit: ReadUnit) -> Standing:
    """Return the caller's own policies as they are in the view of `unit`."""
    principal = call.principal
    if principal.type is PrincipalType.ROOT and principal.session_policies is None:
        return _NOTHING
    memory = call.resources.standing_memory
    if not isinstance(memory, StandingMemory):
        return _compiled(principal, _sources(unit, principal))
    # Records of one type of unit are objects of their own.
    # SECURITY: ids of temporary keys are too short to tell all sessions apart.
    place = (
        type(unit), principal.access_key_id, principal.principal_id,
        principal.session_policies, principal.session_policy_arns, principal.issuer_id,
    )  # fmt: skip
    mark = unit.mark
    known = memory.get(place)
    if known is not None and known.mark == mark and mark is not None:
        return known.standing
    sources = _sources(unit, principal)
    if known is not None and known.sources.are(sources):
        standing = known.standing
    else:
        standing = _compiled(principal, sources)
    memory.put(place, _Known(mark, sources, standing))
    return standing


def managed_policy(unit: ReadUnit, arn: Arn) -> ManagedPolicy | None:
    """Return the managed policy of an ARN, AWS's own included; None when there is none."""
    known = AWS_MANAGED.get(arn)
    return known if known is not None else unit.find(MANAGED_POLICIES, arn.split(":")[4], arn)


def _sources(unit: ReadUnit, principal: Principal) -> _Sources:
    entity = _entity(unit, principal)
    groups: tuple[Group | None, ...] = ()
    if isinstance(entity, User):
        groups = tuple([unit.find(GROUPS, entity.account_id, each) for each in entity.group_ids])
    return _Sources(
        entity,
        groups,
        tuple([managed_policy(unit, arn) for arn in _managed_arns(entity, groups, principal)]),
    )


def _entity(unit: ReadUnit, principal: Principal) -> User | Role | None:
    """Return whose identity policies count: the user, the role, or the user behind a federated session."""
    if principal.type is PrincipalType.USER:
        return unit.find(USERS, principal.account_id, principal.principal_id)
    if principal.type is PrincipalType.ASSUMED_ROLE and principal.role_id is not None:
        return unit.find(ROLES, principal.account_id, principal.role_id)
    if principal.type is PrincipalType.FEDERATED_USER and principal.issuer_id is not None:
        return unit.find(USERS, principal.account_id, principal.issuer_id)
    return None


def _stands_for_an_entity(principal: Principal) -> bool:
    """True when the caller is a user or a session of a user or role, whose record must be there."""
    match principal.type:
        case PrincipalType.USER | PrincipalType.ASSUMED_ROLE:
            return True
        case PrincipalType.FEDERATED_USER:
            return principal.issuer_id is not None
    return False


def _managed_arns(
    entity: User | Role | None, groups: Iterable[Group | None], principal: Principal
) -> Iterator[Arn]:
    if entity is not None:
        yield from entity.attached
    for group in groups:
        if group is not None:
            yield from group.attached
    if entity is not None and entity.boundary is not None:
        yield entity.boundary
    yield from principal.session_policy_arns


def _compiled(principal: Principal, sources: _Sources) -> Standing:
    if None in sources.groups or None in sources.managed:
        return _UNREADABLE
    entity = sources.entity
    if entity is None and _stands_for_an_entity(principal):
        # SECURITY: no resource policy lets in who is no more, whatever still remembers its credentials.
        return _UNREADABLE
    managed = {each.arn: each.document for each in sources.managed if each is not None}
    documents: list[tuple[str, str]] = []
    for holder in (entity, *sources.groups):
        if holder is not None:
            documents += holder.policies.items()
            documents += ((arn, managed[arn]) for arn in holder.attached)
    session: list[tuple[str, str]] | None = None
    if principal.session_policies is not None:
        session = [("session", document) for document in principal.session_policies]
        session += ((arn, managed[arn]) for arn in principal.session_policy_arns)
    boundary = None if entity is None else entity.boundary
    try:
        return Standing(
            identity=_labelled(documents),
            boundary=None if boundary is None else _labelled(((boundary, managed[boundary]),))[0],
            session=None if session is None else _labelled(session),
        )
    except PolicySyntaxError:
        return _UNREADABLE


def _labelled(documents: Iterable[tuple[str, str]]) -> tuple[LabelledPolicy, ...]:
    return tuple(
        [LabelledPolicy(label, compile_policy(text, PolicyKind.IDENTITY)) for label, text in documents]
    )
