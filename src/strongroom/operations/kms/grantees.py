"""Who KMS grants name, and which grants count for a caller. Source: fact sheet kms section 6; iam section 5.

A grant keeps the ids of its principals, not their names: a user or role made later under the same name gets
nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import User
from strongroom.keys.grants import covers
from strongroom.keys.records import Grant, KmsKey
from strongroom.names import Arn, parse_arn, root_arn
from strongroom.operations.call import Call
from strongroom.operations.principals import entity_named
from strongroom.policy.principals import PrincipalForm, named_principal
from strongroom.ports import ACCOUNTS, GRANTS, ROLES, USERS, ReadUnit

FEW_GRANTS: Final = 64
"""So many are kept in memory as one list; of more, each caller's own are looked up in the store."""


class Granted(NamedTuple):
    """The grants on a key that allow a caller something."""

    ids: tuple[str, ...] = ()
    behind: bool = False
    """True: all of them name the role or user behind the caller's session, whose boundary and session
    policies still limit."""


NOTHING: Final = Granted()


def granted(
    call: Call, unit: ReadUnit, key: KmsKey, action: str, encryption_context: Mapping[str, str] | None
) -> Granted:
    """Return the grants on `key` that allow the caller `action` under this encryption context."""
    if not key.grant_count:
        return NOTHING
    operation = action.removeprefix("kms:")
    itself, behind = grantees_of(call.principal)
    found = [
        grant
        for grant in _grants_of(unit, key, (itself,) if behind is None else (itself, behind))
        if covers(grant, operation, encryption_context, call.request)
    ]
    return Granted(
        tuple([grant.grant_id for grant in found]),
        bool(found) and all(grant.grantee == behind for grant in found),
    )


def grants_naming(unit: ReadUnit, key: KmsKey, principal: Principal) -> list[Grant]:
    """Return every grant on `key` that names the principal, or the role or user behind its session."""
    if not key.grant_count:
        return []
    itself, behind = grantees_of(principal)
    return list(_grants_of(unit, key, (itself,) if behind is None else (itself, behind)))


def grantees_of(principal: Principal) -> tuple[str, str | None]:
    """Return what grants call the caller itself, and the role or user behind its session."""
    if principal.type is PrincipalType.ASSUMED_ROLE:
        return principal.principal_id, principal.role_id
    if principal.type is PrincipalType.FEDERATED_USER:
        return principal.principal_id, principal.issuer_id
    return principal.principal_id, None


def pinned_grantee(unit: ReadUnit, name: str) -> str | None:
    """Return what a grant keeps of the principal of this ARN; None when there is no such principal."""
    principal = named_principal("AWS", name)
    account = principal.account_id
    if account is None or unit.find(ACCOUNTS, "", account) is None:
        return None
    last = name.rpartition("/")[2]
    if principal.form is PrincipalForm.ACCOUNT:
        return account
    if principal.form in (PrincipalForm.USER, PrincipalForm.ROLE):
        entity = entity_named(unit, name)
        if entity is None:
            return None
        return entity.user_id if isinstance(entity, User) else entity.role_id
    if principal.form is PrincipalForm.ROLE_SESSION:
        role_name = name.split("/")[1]
        role = unit.find_alternate(ROLES, account, role_name.lower())
        return None if role is None or role.role_name != role_name else f"{role.role_id}:{last}"
    if principal.form is PrincipalForm.FEDERATED_SESSION:
        return f"{account}:{last}"
    return None


def shown_grantee(unit: ReadUnit, pinned: str, written: str) -> str:
    """Return how a grant's principal is called now: a user that was renamed by its present ARN, a user or
    role that has gone by its id."""
    account = parse_arn(written)
    if account is None:
        return root_arn(pinned)
    entity: Arn | None = None
    if pinned.startswith("AIDA"):
        user = unit.find(USERS, account.account_id, pinned)
        entity = None if user is None else user.arn
    elif pinned.startswith("AROA") and ":" not in pinned:
        role = unit.find(ROLES, account.account_id, pinned)
        entity = None if role is None else role.arn
    else:
        return written
    return pinned if entity is None else entity


def _grants_of(unit: ReadUnit, key: KmsKey, names: tuple[str, ...]) -> Iterator[Grant]:
    if key.grant_count <= FEW_GRANTS:
        for grant in unit.scan(GRANTS, key.arn):
            if grant.grantee in names:
                yield grant
        return
    for name in names:
        yield from unit.scan(GRANTS, key.arn, prefix=f"{name}/")
