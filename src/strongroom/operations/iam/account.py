"""The account itself: its alias, what is in it, and its password policy. Source: fact sheet iam 11 and 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strongroom.errors import EntityAlreadyExistsException, NoSuchEntityException
from strongroom.identity.records import Account, PasswordPolicy
from strongroom.operations.call import AuthorizedCall, Call, Handler, Operation, Target, Targets, Unit
from strongroom.operations.iam.access_keys import MAXIMUM_KEYS_OF_A_USER
from strongroom.operations.iam.attachments import MAXIMUM_ATTACHED
from strongroom.operations.iam.credentials import owned_access_keys
from strongroom.operations.iam.policy_versions import MAXIMUM_VERSIONS
from strongroom.policy.document import (
    GROUP_INLINE_TOTAL,
    MANAGED_POLICY_SIZE,
    ROLE_INLINE_TOTAL,
    TRUST_POLICY_SIZE,
    USER_INLINE_TOTAL,
)
from strongroom.ports import (
    ACCOUNTS,
    GROUPS,
    MANAGED_POLICIES,
    OIDC_PROVIDERS,
    ROLES,
    USERS,
    ReadUnit,
    WriteUnit,
)

_GROUPS_PER_USER: Final = 10
_ALIAS_TEXTS: Final = "The texts for an alias that is taken, or that is not there, are our own."
_NO_CONSOLE: Final = (
    "MaxPasswordAge, HardExpiry and PasswordReusePrevention are kept and answered; nothing follows from "
    "them, since there is no console to sign in to."
)


def _on_account(action: str) -> Targets:
    def targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
        return (Target(action, "*", call.account_id, record=unit.find(ACCOUNTS, "", call.account_id)),)

    return targets


def _account(authorized: AuthorizedCall) -> Account:
    account: Account = authorized.target.record
    return account


def alias_taken(alias: str) -> str:
    """Not established; ours."""
    return f"The account alias {alias} already exists."


def no_such_alias(alias: str) -> str:
    """Not established; ours."""
    return f"The account alias {alias} cannot be found."


def no_password_policy(account_id: str) -> str:
    """Published reports of the live service."""
    return f"The Password Policy with domain name {account_id} cannot be found."


def create_account_alias(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Give the account its one alias, in place of any other.

    Raises:
        EntityAlreadyExistsException: an account has this alias.
    """
    alias = authorized.request["AccountAlias"]
    if any(each.alias == alias for each in unit.scan(ACCOUNTS, "")):
        raise EntityAlreadyExistsException(alias_taken(alias))
    unit.save(ACCOUNTS, msgspec.structs.replace(_account(authorized), alias=alias))


def delete_account_alias(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Take the alias from the account.

    Raises:
        NoSuchEntityException: it is not the account's.
    """
    alias, account = authorized.request["AccountAlias"], _account(authorized)
    if account.alias != alias:
        raise NoSuchEntityException(no_such_alias(alias))
    unit.save(ACCOUNTS, msgspec.structs.replace(account, alias=None))


def list_account_aliases(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the account's alias, or none."""
    alias = _account(authorized).alias
    return {"AccountAliases": [] if alias is None else [alias], "IsTruncated": False}


def get_account_summary(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return how many of everything there are, and the quotas that hold."""
    account_id = authorized.call.account_id
    policies = unit.scan(MANAGED_POLICIES, account_id)
    root_keys = owned_access_keys(unit, account_id, None, limit=1)
    return {
        "SummaryMap": {
            "AccessKeysPerUserQuota": MAXIMUM_KEYS_OF_A_USER,
            "AccountAccessKeysPresent": len(root_keys),
            "AccountMFAEnabled": 0,
            "AccountPasswordPresent": 0,
            "AccountSigningCertificatesPresent": 0,
            "AssumeRolePolicySizeQuota": TRUST_POLICY_SIZE.characters,
            "AttachedPoliciesPerGroupQuota": MAXIMUM_ATTACHED,
            "AttachedPoliciesPerRoleQuota": MAXIMUM_ATTACHED,
            "AttachedPoliciesPerUserQuota": MAXIMUM_ATTACHED,
            "GlobalEndpointTokenVersion": 2,
            "GroupPolicySizeQuota": GROUP_INLINE_TOTAL.characters,
            "Groups": len(unit.scan(GROUPS, account_id)),
            "GroupsPerUserQuota": _GROUPS_PER_USER,
            "InstanceProfiles": 0,
            "MFADevices": 0,
            "MFADevicesInUse": 0,
            "Policies": len(policies),
            "PolicySizeQuota": MANAGED_POLICY_SIZE.characters,
            "PolicyVersionsInUse": sum(len(each.versions) for each in policies),
            "Providers": len(unit.scan(OIDC_PROVIDERS, account_id)),
            "RolePolicySizeQuota": ROLE_INLINE_TOTAL.characters,
            "Roles": len(unit.scan(ROLES, account_id)),
            "ServerCertificates": 0,
            "UserPolicySizeQuota": USER_INLINE_TOTAL.characters,
            "Users": len(unit.scan(USERS, account_id)),
            "VersionsPerPolicyQuota": MAXIMUM_VERSIONS,
        }
    }


def get_account_password_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the password policy that was set.

    Raises:
        NoSuchEntityException: none was.
    """
    policy = _password_policy(authorized)
    described: dict[str, Any] = {
        "MinimumPasswordLength": policy.minimum_length,
        "RequireSymbols": policy.require_symbols,
        "RequireNumbers": policy.require_numbers,
        "RequireUppercaseCharacters": policy.require_uppercase,
        "RequireLowercaseCharacters": policy.require_lowercase,
        "AllowUsersToChangePassword": policy.users_may_change,
        "ExpirePasswords": policy.maximum_age_days is not None,
        "HardExpiry": policy.hard_expiry,
    }
    if policy.maximum_age_days is not None:
        described["MaxPasswordAge"] = policy.maximum_age_days
    if policy.reuse_prevention is not None:
        described["PasswordReusePrevention"] = policy.reuse_prevention
    return {"PasswordPolicy": described}


def _password_policy(authorized: AuthorizedCall) -> PasswordPolicy:
    account = _account(authorized)
    if account.password_policy is None:
        raise NoSuchEntityException(no_password_policy(account.account_id))
    return account.password_policy


def update_account_password_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Set the password policy as a whole: what the request leaves out goes back to AWS's default."""
    request = authorized.request
    policy = PasswordPolicy(
        minimum_length=request.get("MinimumPasswordLength", 6),
        require_symbols=request.get("RequireSymbols", False),
        require_numbers=request.get("RequireNumbers", False),
        require_uppercase=request.get("RequireUppercaseCharacters", False),
        require_lowercase=request.get("RequireLowercaseCharacters", False),
        users_may_change=request.get("AllowUsersToChangePassword", False),
        maximum_age_days=request.get("MaxPasswordAge"),
        reuse_prevention=request.get("PasswordReusePrevention"),
        hard_expiry=request.get("HardExpiry", False),
    )
    unit.save(ACCOUNTS, msgspec.structs.replace(_account(authorized), password_policy=policy))


def delete_account_password_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Let AWS's default policy hold again.

    Raises:
        NoSuchEntityException: no other was set.
    """
    _password_policy(authorized)
    unit.save(ACCOUNTS, msgspec.structs.replace(_account(authorized), password_policy=None))


def _operation(name: str, unit: Unit, handle: Handler, *deviations: str) -> Operation:
    action = f"iam:{name}"
    return Operation(
        name=name,
        action=action,
        unit=unit,
        targets=_on_account(action),
        handle=handle,
        read_only=unit is Unit.READ,
        deviations=deviations,
    )


CREATE_ACCOUNT_ALIAS = _operation(
    "CreateAccountAlias",
    Unit.WRITE,
    create_account_alias,
    _ALIAS_TEXTS,
    "An alias is unique among the accounts of this server.",
)
DELETE_ACCOUNT_ALIAS = _operation("DeleteAccountAlias", Unit.WRITE, delete_account_alias, _ALIAS_TEXTS)
LIST_ACCOUNT_ALIASES = _operation("ListAccountAliases", Unit.READ, list_account_aliases)
GET_ACCOUNT_SUMMARY = _operation(
    "GetAccountSummary",
    Unit.READ,
    get_account_summary,
    "Quotas that do not hold here, such as those of users and roles in an account, are not named.",
)
GET_ACCOUNT_PASSWORD_POLICY = _operation(
    "GetAccountPasswordPolicy", Unit.READ, get_account_password_policy, _NO_CONSOLE
)
UPDATE_ACCOUNT_PASSWORD_POLICY = _operation(
    "UpdateAccountPasswordPolicy", Unit.WRITE, update_account_password_policy, _NO_CONSOLE
)
DELETE_ACCOUNT_PASSWORD_POLICY = _operation(
    "DeleteAccountPasswordPolicy", Unit.WRITE, delete_account_password_policy
)
