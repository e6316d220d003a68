"""The principals a resource policy names: whether they exist, and that a user is who it was, not what its
name is by now.

A user's ARN is kept as the user's unique id: one made later under the same name gets nothing of it, and a
user that was renamed keeps what it had. What the caller wrote stands beside, to be shown again.

Source: fact sheet iam section 5; secretsmanager section 6 (Resource policies).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from strongroom.identity.records import User
from strongroom.names import AccountId, Arn, is_account_id, parse_arn
from strongroom.ports import ACCOUNTS, USERS, ReadUnit
from strongroom.secret.records import SecretPolicy

# Texts on record (fact sheet secretsmanager section 6, Resource policies).
UNSUPPORTED_PRINCIPAL: Final = "This resource policy contains an unsupported principal."
UNSUPPORTED_SERVICE: Final = "This resource policy contains an unsupported service principal."

# Names of service principals: secretsmanager.amazonaws.com, logs.eu-west-1.amazonaws.com, ….amazonaws.com.cn.
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+){0,2}\.amazonaws\.com(\.cn)?")
_UNIQUE_ID = re.compile(r"AIDA[A-Z0-9]{12,}")
_FEDERATED_USER = re.compile(r"federated-user/[\w+=,.@-]+")


def principals(document: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of each principal a well-formed policy names; `"*"` alone is ("AWS", "*")."""
    found: list[tuple[str, str]] = []

    def note(kind: str, name: str) -> str:
        found.append((kind, name))
        return name

    _renamed(document, note)
    yield from found


def principal_problem(unit: ReadUnit, owner: AccountId, document: str) -> str | None:
    """Return what is wrong with the first principal of a well-formed policy that may not stand there."""
    for kind, name in principals(document):
        if kind == "Service":
            if not _SERVICE_PRINCIPAL.fullmatch(name):
                return UNSUPPORTED_SERVICE
        elif kind != "AWS" or not _exists(unit, owner, name):
            return UNSUPPORTED_PRINCIPAL
    return None


def pinned_policy(unit: ReadUnit, secret_arn: Arn, policy_name: str, document: str) -> SecretPolicy:
    """Return the record of a well-formed policy, its users named by their unique ids."""
    pinned = _pinned(unit, document)
    return SecretPolicy(
        secret_arn=secret_arn,
        policy_name=policy_name,
        document=pinned,
        written=None if pinned == document else document,
    )


def shown_document(unit: ReadUnit, policy: SecretPolicy) -> str:
    """Return the policy as it was written while that still says the same.

    Otherwise a user that was renamed stands in it under its present ARN, and one that has gone under its id.
    """
    written = policy.written
    if written is None or _pinned(unit, written) == policy.document:
        return policy.document if written is None else written
    present: dict[str, str] = {}
    for (_, before), (_, after) in zip(principals(written), principals(policy.document), strict=True):
        arn = parse_arn(before)
        if before != after and arn is not None:
            user = unit.find(USERS, arn.account_id, after)
            present[after] = after if user is None else user.arn
    return _renamed(policy.document, lambda _, name: present.get(name, name))


def _pinned(unit: ReadUnit, document: str) -> str:
    def pin(kind: str, name: str) -> str:
        user = _user_with_arn(unit, name) if kind == "AWS" else None
        return name if user is None else user.user_id

    return _renamed(document, pin)


def _renamed(document: str, rename: Callable[[str, str], str]) -> str:
    """Return the policy with each principal as `rename(kind, name)` says; unchanged where nothing changes."""
    policy = msgspec.json.decode(document)
    statements = policy["Statement"]
    changed = False
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            if element in statement:
                before = statement[element]
                statement[element] = _renamed_element(before, rename)
                changed = changed or statement[element] != before
    return msgspec.json.encode(policy).decode() if changed else document


def _renamed_element(element: Any, rename: Callable[[str, str], str]) -> Any:
    if isinstance(element, str):
        return rename("AWS", element)
    named: Mapping[str, Any] = element
    return {
        kind: [rename(kind, name) for name in names] if isinstance(names, list) else rename(kind, names)
        for kind, names in named.items()
    }


def _exists(unit: ReadUnit, owner: AccountId, name: str) -> bool:
    """True for `*`, and for accounts, users and federated sessions of accounts that exist in this room."""
    if name == "*":
        return True
    if is_account_id(name):
        return unit.find(ACCOUNTS, "", name) is not None
    if _UNIQUE_ID.fullmatch(name):
        return unit.find(USERS, owner, name) is not None
    arn = parse_arn(name)
    if arn is None or arn.region or unit.find(ACCOUNTS, "", arn.account_id) is None:
        return False
    if arn.service == "iam" and arn.resource == "root":
        return True
    if arn.service == "iam" and arn.resource.startswith("user/"):
        return _user_with_arn(unit, name) is not None
    return arn.service == "sts" and _FEDERATED_USER.fullmatch(arn.resource) is not None


def _user_with_arn(unit: ReadUnit, name: str) -> User | None:
    arn = parse_arn(name)
    if arn is None or arn.service != "iam" or not arn.resource.startswith("user/"):
        return None
    user = unit.find_alternate(USERS, arn.account_id, arn.resource.rpartition("/")[2].lower())
    return user if user is not None and user.arn == name else None
