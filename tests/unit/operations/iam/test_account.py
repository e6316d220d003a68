"""The account: one alias, true counts, and a password policy set as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import (
    AccessDeniedException,
    EntityAlreadyExistsException,
    NoSuchEntityException,
    ServiceError,
    ValidationException,
)
from strongroom.operations.iam import access_keys, account, managed_policies, oidc_providers, policy_versions
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, OTHER_ACCOUNT, allow, policy, root

OPERATIONS: dict[Any, dict[str, Any]] = {
    account.CREATE_ACCOUNT_ALIAS: {"AccountAlias": "acme"},
    account.DELETE_ACCOUNT_ALIAS: {"AccountAlias": "acme"},
    account.LIST_ACCOUNT_ALIASES: {},
    account.GET_ACCOUNT_SUMMARY: {},
    account.GET_ACCOUNT_PASSWORD_POLICY: {},
    account.UPDATE_ACCOUNT_PASSWORD_POLICY: {},
    account.DELETE_ACCOUNT_PASSWORD_POLICY: {},
}


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def refused(error: type[ServiceError], room: IdentityRoom, operation: Any, request: Any, **how: Any) -> str:
    before = room.unit.state()
    with pytest.raises(error) as caught:
        room.run(operation, request, **how)
    assert room.unit.state() == before
    return caught.value.message


def aliases(room: IdentityRoom, **how: Any) -> Any:
    return room.run(account.LIST_ACCOUNT_ALIASES, **how)


def test_an_account_has_one_alias(room: IdentityRoom) -> None:
    assert aliases(room) == {"AccountAliases": [], "IsTruncated": False}
    assert room.run(account.CREATE_ACCOUNT_ALIAS, {"AccountAlias": "acme"}) is None
    room.run(account.CREATE_ACCOUNT_ALIAS, {"AccountAlias": "acme-prod"})
    assert aliases(room) == {"AccountAliases": ["acme-prod"], "IsTruncated": False}
    message = refused(
        EntityAlreadyExistsException,
        room,
        account.CREATE_ACCOUNT_ALIAS,
        {"AccountAlias": "acme-prod"},
        principal=root(OTHER_ACCOUNT),
    )
    assert message == "The account alias acme-prod already exists."
    # The alias given up is free.
    room.run(account.CREATE_ACCOUNT_ALIAS, {"AccountAlias": "acme"}, principal=root(OTHER_ACCOUNT))
    request = {"AccountAlias": "acme"}
    message = refused(NoSuchEntityException, room, account.DELETE_ACCOUNT_ALIAS, request)
    assert message == "The account alias acme cannot be found."
    room.run(account.DELETE_ACCOUNT_ALIAS, {"AccountAlias": "acme-prod"})
    assert aliases(room)["AccountAliases"] == []
    assert aliases(room, principal=root(OTHER_ACCOUNT))["AccountAliases"] == ["acme"]


@pytest.mark.parametrize("alias", ["ab", "-acme", "acme-", "ac--me", "Acme", "\u0430cme", "a" * 64])
def test_what_is_no_alias(room: IdentityRoom, alias: str) -> None:
    message = refused(ValidationException, room, account.CREATE_ACCOUNT_ALIAS, {"AccountAlias": alias})
    assert "'accountAlias' failed to satisfy constraint" in message


def test_the_summary_counts(room: IdentityRoom) -> None:
    empty = room.run(account.GET_ACCOUNT_SUMMARY)["SummaryMap"]
    assert (empty["Users"], empty["Policies"], empty["AccountAccessKeysPresent"]) == (0, 0, 0)
    for name in ("bob", "kate"):
        room.user(name)
    room.user("carol", account_id=OTHER_ACCOUNT)
    document = policy(allow("iam:*"))
    for name in ("a", "b"):
        made = room.run(managed_policies.CREATE_POLICY, {"PolicyName": name, "PolicyDocument": document})
    request = {"PolicyArn": made["Policy"]["Arn"], "PolicyDocument": document}
    room.run(policy_versions.CREATE_POLICY_VERSION, request)
    room.run(oidc_providers.CREATE_OPEN_ID_CONNECT_PROVIDER, {"Url": "https://issuer.example"})
    room.run(access_keys.CREATE_ACCESS_KEY)
    found = room.run(account.GET_ACCOUNT_SUMMARY)["SummaryMap"]
    assert {key: value for key, value in found.items() if value != empty[key]} == {
        "Users": 2,
        "Policies": 2,
        "PolicyVersionsInUse": 3,
        "Providers": 1,
        "AccountAccessKeysPresent": 1,
    }
    assert (found["AttachedPoliciesPerRoleQuota"], found["PolicySizeQuota"]) == (10, 6144)


def test_a_password_policy_is_set_as_a_whole(room: IdentityRoom) -> None:
    missing = f"The Password Policy with domain name {ACCOUNT} cannot be found."
    for operation in (account.GET_ACCOUNT_PASSWORD_POLICY, account.DELETE_ACCOUNT_PASSWORD_POLICY):
        assert refused(NoSuchEntityException, room, operation, {}) == missing
    wanted = {
        "MinimumPasswordLength": 14,
        "RequireSymbols": True,
        "RequireNumbers": True,
        "RequireUppercaseCharacters": True,
        "RequireLowercaseCharacters": True,
        "AllowUsersToChangePassword": True,
        "MaxPasswordAge": 90,
        "PasswordReusePrevention": 24,
        "HardExpiry": True,
    }
    room.run(account.UPDATE_ACCOUNT_PASSWORD_POLICY, wanted)
    found = room.run(account.GET_ACCOUNT_PASSWORD_POLICY)["PasswordPolicy"]
    assert found == {**wanted, "ExpirePasswords": True}
    room.run(account.UPDATE_ACCOUNT_PASSWORD_POLICY, {"RequireNumbers": True})
    assert room.run(account.GET_ACCOUNT_PASSWORD_POLICY)["PasswordPolicy"] == {
        "MinimumPasswordLength": 6,
        "RequireSymbols": False,
        "RequireNumbers": True,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
        "HardExpiry": False,
    }
    room.run(account.DELETE_ACCOUNT_PASSWORD_POLICY)
    assert refused(NoSuchEntityException, room, account.GET_ACCOUNT_PASSWORD_POLICY, {}) == missing


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_a_user_without_policies_is_refused(room: IdentityRoom, operation: Any) -> None:
    eve = room.user("eve")
    assert refused(AccessDeniedException, room, operation, OPERATIONS[operation], principal=eve) == (
        f"User: {eve.arn} is not authorized to perform: {operation.action} on resource: * "
        f"because no identity-based policy allows the {operation.action} action"
    )
