"""Who and what a simulation is about: the policies that would count, and the caller they would count for.

Sources: fact sheet iam sections 3, 4 and 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from strongroom.errors import InvalidInputException, NoSuchEntityException
from strongroom.identity.managed import AWS_ACCOUNT
from strongroom.identity.naming import fold_name
from strongroom.identity.records import Group, Role, User
from strongroom.names import AccountId, Arn, ParsedArn, assumed_role_arn, is_account_id, parse_arn, user_arn
from strongroom.operations.call import Call, Target
from strongroom.operations.iam import messages
from strongroom.operations.iam.policy_resolution import find_policy
from strongroom.policy.document import Policy, PolicyKind, PolicySyntaxError, compile_policy, parse_policy
from strongroom.policy.evaluation import Caller, CallerType
from strongroom.ports import GROUPS, ROLES, USERS, Kind, ReadUnit

__all__ = [
    "Source",
    "Subject",
    "caller_of",
    "entity_policies",
    "entity_target",
    "input_policies",
    "parse_input",
    "verify_input_size",
]

Entity = User | Group | Role

# Not established; ours.
CALLER_NEEDED: Final = "A ResourcePolicy needs a CallerArn, unless PolicySourceArn is a user or role."
ONE_BOUNDARY: Final = "PermissionsBoundaryPolicyInputList can hold one policy at most."
MAX_INPUT: Final = 131_072
"""Characters of all policies in a request together; what the model allows for a single one."""
INPUT_TOO_LONG: Final = f"The policies of a request can have {MAX_INPUT:,} characters, taken together."
_KINDS: Final[Mapping[str, Kind[Any]]] = {"user": USERS, "role": ROLES, "group": GROUPS}


def no_entity_arn(arn: str) -> str:
    """Published reports of the live service."""
    return f"Invalid Entity Arn: {arn} does not clearly define entity type and name."


@dataclass(frozen=True, slots=True)
class Source:
    """A policy that takes part in a simulation, and how results name it."""

    policy_id: str
    policy_type: str
    """A value of PolicySourceType."""
    document: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Subject:
    """The caller of the simulated requests, and the condition keys that are known of it."""

    caller: Caller
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    can_be_named: bool = True
    """False: nobody in particular, so that no resource policy could name it."""


def verify_input_size(request: Mapping[str, Any]) -> None:
    """Raises InvalidInputException when the policies in a request are too long to be compiled."""
    members = ("PolicyInputList", "PermissionsBoundaryPolicyInputList")
    documents = [document for member in members for document in request.get(member) or ()]
    if sum(map(len, (*documents, request.get("ResourcePolicy", "")))) > MAX_INPUT:
        raise InvalidInputException(INPUT_TOO_LONG)


def parse_input(document: str, kind: PolicyKind) -> Policy:
    """Return a policy of a request, compiled: for the longest ones work for half a second.

    Raises:
        InvalidInputException: it is none.
    """
    try:
        # Not remembered: what requests bring would push out what is stored.
        return parse_policy(document, kind)
    except PolicySyntaxError as error:
        raise InvalidInputException(error.message) from error


def input_policies(member: str, documents: Sequence[str]) -> list[Source]:
    """Return the policies of one list of the request, named by their places in it.

    Raises:
        InvalidInputException: one of them is none.
    """
    return [
        Source(f"{member}.{place}", "none", document, parse_input(document, PolicyKind.IDENTITY))
        for place, document in enumerate(documents, 1)
    ]


def _parse_entity_arn(arn: str) -> tuple[ParsedArn, str, str]:
    """Return the ARN's fields, kind and name."""
    parsed = parse_arn(arn)
    if parsed is not None and parsed.service == "iam" and is_account_id(parsed.account_id):
        kind, _, path = parsed.resource.partition("/")
        name = path.rpartition("/")[2]
        if kind in _KINDS and name:
            return parsed, kind, name
    raise InvalidInputException(no_entity_arn(arn))


def entity_target(call: Call, unit: ReadUnit, action: str) -> Target:
    """Return the target of an action on the entity of the request's PolicySourceArn, there or not.

    Raises:
        InvalidInputException: it is not the ARN of a user, role or group.
    """
    arn = call.request["PolicySourceArn"]
    _, kind, name = _parse_entity_arn(arn)
    found = unit.find_alternate(_KINDS[kind], call.account_id, fold_name(name))
    # SECURITY: permission was asked for on this ARN, so it has to be the entity's own, path included.
    record = found if found is not None and found.arn == arn else None
    return Target(action, arn, call.account_id, record=record)


def present_entity(target: Target) -> Entity:
    """Return the target's entity.

    Raises:
        NoSuchEntityException: there is none of that ARN.
    """
    if target.record is None:
        _, kind, name = _parse_entity_arn(target.resource)
        raise NoSuchEntityException(messages.no_such_entity(kind, name))
    entity: Entity = target.record
    return entity


class Exclusions:
    """Policies of an entity that a simulation leaves out (PolicyExclusionList)."""

    def __init__(self, listed: Iterable[Mapping[str, Any]]) -> None:
        self._arns: set[tuple[bool, str]] = set()
        self._inline: set[tuple[str, str, str]] = set()
        for each in listed:
            if "PolicyArn" in each:
                self._arns.add((each["PolicyType"] == "permission-boundary", each["PolicyArn"]))
            inline = each.get("InlinePolicyIdentifier") or {}
            if inline:
                self._inline.add(
                    (
                        inline.get("AttachmentType", ""),
                        fold_name(inline.get("AttachmentName", "")),
                        inline.get("PolicyName", ""),
                    )
                )

    def managed(self, arn: Arn, *, boundary: bool = False) -> bool:
        return (boundary, arn) in self._arns

    def inline(self, kind: str, holder: str, name: str) -> bool:
        return (kind, fold_name(holder), name) in self._inline


def entity_policies(
    unit: ReadUnit, account_id: AccountId, entity: Entity, exclusions: Exclusions
) -> list[Source]:
    """Return the identity policies of a user (its groups' included), role or group."""
    return list(_sources(unit, account_id, entity, exclusions))


def _sources(
    unit: ReadUnit, account_id: AccountId, entity: Entity, exclusions: Exclusions
) -> Iterator[Source]:
    kind, name = _kind_and_name(entity)
    for policy_name, document in entity.policies.items():
        if not exclusions.inline(kind, name, policy_name):
            policy = _stored(document)
            yield Source(f"{kind}_{name}_{policy_name}", kind, document, policy)
    for arn in entity.attached:
        if not exclusions.managed(arn):
            yield from managed_source(unit, account_id, arn)
    if isinstance(entity, User):
        for group_id in entity.group_ids:
            group = unit.find(GROUPS, account_id, group_id)
            if group is not None:
                yield from _sources(unit, account_id, group, exclusions)


def _kind_and_name(entity: Entity) -> tuple[str, str]:
    if isinstance(entity, User):
        return "user", entity.user_name
    if isinstance(entity, Role):
        return "role", entity.role_name
    return "group", entity.group_name


def managed_source(unit: ReadUnit, account_id: AccountId, arn: Arn) -> Iterator[Source]:
    """Yield a managed policy's default version, if there is the policy."""
    managed = find_policy(unit, account_id, arn)
    if managed is not None:
        owner = "aws-managed" if managed.account_id == AWS_ACCOUNT else "user-managed"
        document = managed.document
        yield Source(managed.policy_name, owner, document, _stored(document))


def _stored(document: str) -> Policy:
    try:
        return compile_policy(document, PolicyKind.IDENTITY)
    except PolicySyntaxError as error:
        raise InvalidInputException(error.message) from error


def caller_of(call: Call, unit: ReadUnit, entity: Entity | None) -> Subject:
    """Return who makes the simulated requests: CallerArn, else the source user or role, else nobody known.

    Raises:
        InvalidInputException: CallerArn is not the ARN of a user.
    """
    given = call.request.get("CallerArn")
    if given is not None:
        parsed, kind, name = _parse_entity_arn(given)
        if kind != "user":
            raise InvalidInputException(no_entity_arn(given))
        user = unit.find_alternate(USERS, call.account_id, fold_name(name))
        if user is not None and user.arn == given:
            return _user(user)
        caller = Caller(CallerType.USER, parsed.account_id, given, "")
        return Subject(caller, {**_known(caller), "aws:username": name})
    if isinstance(entity, User):
        return _user(entity)
    if isinstance(entity, Role):
        return _role(entity)
    arn = user_arn(call.account_id, "/", "")
    return Subject(Caller(CallerType.USER, call.account_id, arn, ""), can_be_named=False)


def _user(user: User) -> Subject:
    caller = Caller(CallerType.USER, user.account_id, user.arn, user.user_id)
    context = {
        **_known(caller),
        **_tags(user.tags),
        "aws:userid": user.user_id,
        "aws:username": user.user_name,
    }
    return Subject(caller, context)


def _role(role: Role) -> Subject:
    arn = assumed_role_arn(role.account_id, role.role_name, "simulation")
    caller = Caller(
        CallerType.ASSUMED_ROLE, role.account_id, arn, f"{role.role_id}:simulation", role_arn=role.arn
    )
    return Subject(caller, {**_known(caller), **_tags(role.tags), "aws:userid": caller.principal_id})


def _known(caller: Caller) -> dict[str, str]:
    return {
        "aws:PrincipalArn": caller.role_arn or caller.arn,
        "aws:PrincipalAccount": caller.account_id,
        "aws:PrincipalType": caller.type.value,
    }


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}
