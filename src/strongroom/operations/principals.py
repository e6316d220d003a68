"""The principals that stored policies name: whether they exist, and that a user or role is who it was, not
what its name is by now.

A user's or role's ARN is kept as its unique id: one made later under the same name gets nothing of it, and a
user that was renamed keeps what it had. What the caller wrote stands beside, to be shown again.

Source: fact sheet iam section 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from strongroom.identity.ids import ROLE_ID_PREFIX
from strongroom.identity.records import Role, User
from strongroom.names import AccountId, Arn, parse_arn
from strongroom.policy.principals import NamedPrincipal, PrincipalForm, named_principal
from strongroom.ports import ACCOUNTS, OIDC_PROVIDERS, ROLES, USERS, ReadUnit

__all__ = [
    "entity_named",
    "names_star_alone",
    "pinned_document",
    "principals",
    "shown_document",
    "stranger",
]

_ELEMENTS: Final = ("Principal", "NotPrincipal")
_SESSION: Final = re.compile(r"assumed-role/([^/]+)/[^/]+")


def principals(document: str) -> list[tuple[str, str]]:
    """Return (kind, name) of each principal a well-formed policy names; `"*"` alone is ("AWS", "*")."""
    found: list[tuple[str, str]] = []

    def note(kind: str, name: str) -> str:
        found.append((kind, name))
        return name

    _renamed(document, note)
    return found


def names_star_alone(document: str) -> bool:
    """True when a statement of a well-formed policy has `"*"` itself for its Principal or NotPrincipal."""
    _, statements, _ = _statements(document)
    return any(
        bytes(statement[element]).strip() == b'"*"'
        for statement in statements
        for element in _ELEMENTS
        if element in statement
    )


def stranger(
    unit: ReadUnit, owner: AccountId, document: str, kinds: Collection[str] = ("AWS", "Service")
) -> NamedPrincipal | None:
    """Return the first principal of a well-formed policy that may not stand there; None: all may.

    Only those of `kinds` may. Accounts, users, roles and identity providers must exist in this room, unique
    ids in the `owner` account; a service must be named as AWS names services.
    """
    for kind, name in principals(document):
        principal = named_principal(kind, name)
        if kind not in kinds or not _exists(unit, owner, principal):
            return principal
    return None


def pinned_document(unit: ReadUnit, document: str) -> str:
    """Return a well-formed policy with its users and roles named by their unique ids; the same text where
    it names none."""

    def pin(kind: str, name: str) -> str:
        entity = entity_named(unit, name) if kind == "AWS" else None
        return name if entity is None else _id_of(entity)

    return _renamed(document, pin)


def shown_document(unit: ReadUnit, pinned: str, written: str | None) -> str:
    """Return the policy as it was written while that still says the same as `pinned`.

    Otherwise a user that was renamed stands in it under its present ARN, and a user or role that has gone
    under its id. `written` None: the same as `pinned`.
    """
    if written is None or pinned_document(unit, written) == pinned:
        return pinned if written is None else written
    present: dict[str, str] = {}
    for (_, before), (_, after) in zip(principals(written), principals(pinned), strict=True):
        arn = parse_arn(before)
        if before != after and arn is not None:
            entity = _entity_with_id(unit, arn.account_id, after)
            present[after] = after if entity is None else entity.arn
    return _renamed(pinned, lambda _, name: present.get(name, name))


def entity_named(unit: ReadUnit, arn: str) -> User | Role | None:
    """Return the user or role that has exactly this ARN now."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam":
        return None
    kind, _, path_and_name = parsed.resource.partition("/")
    name = path_and_name.rpartition("/")[2].lower()
    entity: User | Role | None = None
    if kind == "user":
        entity = unit.find_alternate(USERS, parsed.account_id, name)
    elif kind == "role":
        entity = unit.find_alternate(ROLES, parsed.account_id, name)
    return entity if entity is not None and entity.arn == arn else None


def _entity_with_id(unit: ReadUnit, account_id: str, unique_id: str) -> User | Role | None:
    if unique_id.startswith(ROLE_ID_PREFIX):
        return unit.find(ROLES, account_id, unique_id)
    return unit.find(USERS, account_id, unique_id)


def _id_of(entity: User | Role) -> str:
    return entity.user_id if isinstance(entity, User) else entity.role_id


def _exists(unit: ReadUnit, owner: AccountId, principal: NamedPrincipal) -> bool:
    form, name = principal.form, principal.name
    if form in (PrincipalForm.EVERYONE, PrincipalForm.SERVICE):
        return True
    if form is PrincipalForm.UNIQUE_ID:
        return _entity_with_id(unit, owner, name) is not None
    if form is PrincipalForm.PROVIDER:
        return _provider_exists(unit, owner, name)
    account = principal.account_id
    if account is None or unit.find(ACCOUNTS, "", account) is None:
        return False
    if form in (PrincipalForm.USER, PrincipalForm.ROLE):
        return entity_named(unit, name) is not None
    if form is PrincipalForm.ROLE_SESSION:
        return _role_of_session_exists(unit, account, name)
    return form in (PrincipalForm.ACCOUNT, PrincipalForm.FEDERATED_SESSION)


def _role_of_session_exists(unit: ReadUnit, account_id: str, name: str) -> bool:
    session = _SESSION.fullmatch(name.split(":", 5)[5])
    if session is None:
        return False
    role = unit.find_alternate(ROLES, account_id, session[1].lower())
    return role is not None and role.role_name == session[1]


def _provider_exists(unit: ReadUnit, owner: AccountId, name: str) -> bool:
    """True for an identity provider of the owner's account: no other can vouch for callers there."""
    arn = parse_arn(name)
    return (
        arn is not None
        and arn.account_id == owner
        and unit.find(OIDC_PROVIDERS, arn.account_id, Arn(name)) is not None
    )


def _renamed(document: str, rename: Callable[[str, str], str]) -> str:
    """Return the policy with each principal as `rename(kind, name)` says; unchanged where nothing changes.

    All else keeps its spelling: conditions see numbers as they were written.
    """
    policy, statements, listed = _statements(document)
    changed = False
    for statement in statements:
        for element in _ELEMENTS:
            if element in statement:
                before = msgspec.json.decode(statement[element])
                after = _renamed_element(before, rename)
                if after != before:
                    statement[element] = msgspec.Raw(msgspec.json.encode(after))
                    changed = True
    if not changed:
        return document
    policy["Statement"] = msgspec.Raw(msgspec.json.encode(statements if listed else statements[0]))
    return msgspec.json.encode(policy).decode()


def _statements(document: str) -> tuple[dict[str, msgspec.Raw], list[dict[str, msgspec.Raw]], bool]:
    """Return a policy's top level, its statements, and whether these are written as a list."""
    policy = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    raw = policy["Statement"]
    if bytes(raw).lstrip().startswith(b"["):
        return policy, msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]]), True
    return policy, [msgspec.json.decode(raw, type=dict[str, msgspec.Raw])], False


def _renamed_element(element: Any, rename: Callable[[str, str], str]) -> Any:
    if isinstance(element, str):
        return rename("AWS", element)
    return {
        kind: [rename(kind, name) for name in names] if isinstance(names, list) else rename(kind, names)
        for kind, names in element.items()
    }
