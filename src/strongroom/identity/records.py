"""The stored form of IAM: accounts, users, groups, roles, policies, providers, access keys.

Secret access keys stand here sealed only, passwords as Argon2id hashes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from strongroom.names import AccountId, Arn


class PasswordPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What UpdateAccountPasswordPolicy set; the defaults are AWS's for what it left out."""

    minimum_length: int = 6
    require_symbols: bool = False
    require_numbers: bool = False
    require_uppercase: bool = False
    require_lowercase: bool = False
    users_may_change: bool = False
    maximum_age_days: int | None = None
    reuse_prevention: int | None = None
    hard_expiry: bool = False


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    account_id: AccountId
    created_at: dt.datetime
    alias: str | None = None
    """Its one account alias (CreateAccountAlias)."""
    password_policy: PasswordPolicy | None = None
    """None: AWS's default policy (`identity/passwords`)."""


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    user_id: str
    """AIDA…; what stored policies are bound to, so that a user made again under the same name is another."""
    user_name: str
    """Unique in its account ignoring case."""
    path: str
    arn: Arn
    account_id: AccountId
    created_at: dt.datetime
    tags: Mapping[str, str] = {}
    policies: Mapping[str, str] = {}
    """Inline policies: name to document as the caller wrote it."""
    attached: tuple[Arn, ...] = ()
    """ARNs of managed policies, in the order they were attached."""
    boundary: Arn | None = None
    """ARN of the managed policy that is the permissions boundary."""
    group_ids: tuple[str, ...] = ()
    """Ids (AGPA…) of the groups the user is in. Membership stands here alone."""


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    group_id: str
    """AGPA…"""
    group_name: str
    """Unique in its account ignoring case."""
    path: str
    arn: Arn
    account_id: AccountId
    created_at: dt.datetime
    policies: Mapping[str, str] = {}
    attached: tuple[Arn, ...] = ()


class Role(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    role_id: str
    """AROA…; what sessions and stored policies are bound to."""
    role_name: str
    """Unique in its account ignoring case."""
    path: str
    arn: Arn
    account_id: AccountId
    created_at: dt.datetime
    trust_policy: str
    """What AssumeRole is decided by: principals that exist stand in it by their unique ids."""
    written_trust_policy: str | None = None
    """The document as the caller wrote it; None: the same."""
    description: str | None = None
    max_session_seconds: int = 3600
    max_signin_session_seconds: int | None = None
    """Kept and shown; nobody signs in to a console with a role here."""
    tags: Mapping[str, str] = {}
    policies: Mapping[str, str] = {}
    attached: tuple[Arn, ...] = ()
    boundary: Arn | None = None
    last_used_at: dt.datetime | None = None
    last_used_region: str | None = None


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    version_id: str
    """`v1`, `v2`, …; never given twice."""
    document: str
    """As the caller wrote it."""
    created_at: dt.datetime


class ManagedPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer managed policy; AWS managed ones are constants of the same type (`identity/managed`)."""

    policy_id: str
    """ANPA…"""
    policy_name: str
    """Unique in its account ignoring case."""
    path: str
    arn: Arn
    account_id: AccountId
    """`aws` for AWS managed policies."""
    created_at: dt.datetime
    updated_at: dt.datetime
    versions: tuple[PolicyVersion, ...]
    """At most five, oldest first."""
    default_version_id: str
    next_version: int = 2
    """The number of the version made next."""
    description: str | None = None
    tags: Mapping[str, str] = {}

    @property
    def document(self) -> str:
        """The default version's document."""
        return next(each.document for each in self.versions if each.version_id == self.default_version_id)


class OidcProvider(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An OpenID Connect identity provider of an account."""

    arn: Arn
    url: str
    """Host and path, without `https://`: how tokens' issuers and condition keys name it."""
    account_id: AccountId
    created_at: dt.datetime
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    jwks: str | None = None
    """A JSON Web Key Set given by the operator; None: it is fetched from the issuer."""


class LoginProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    user_id: str
    account_id: AccountId
    password_hash: str
    """Argon2id."""
    created_at: dt.datetime
    reset_required: bool = False


class AccessKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    access_key_id: str
    account_id: AccountId
    created_at: dt.datetime
    sealed_secret: bytes
    """The 40-character secret access key sealed by the root key, bound to `access_key_id`."""
    user_id: str | None = None
    """None: the key belongs to the account's root user."""
    active: bool = True
    last_used_at: dt.datetime | None = None
    last_used_service: str | None = None
    last_used_region: str | None = None
