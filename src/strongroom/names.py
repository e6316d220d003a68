"""Names of things: accounts, regions, ARNs and the ids AWS gives out. Parse and format only.

Sources: fact sheets secretsmanager section 2, iam section 11, kms section 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

AccountId = NewType("AccountId", str)
"""Twelve decimal digits."""
Region = NewType("Region", str)
"""A region name such as `eu-central-1`; each one is a separate namespace of secrets and keys."""
Arn = NewType("Arn", str)
VersionId = NewType("VersionId", str)
"""A secret version's id, which is the ClientRequestToken that made it: 32 to 64 characters of any kind."""
StagingLabel = NewType("StagingLabel", str)
"""1 to 256 characters of any kind; at most one version of a secret carries a given label."""

AWSCURRENT = StagingLabel("AWSCURRENT")
AWSPREVIOUS = StagingLabel("AWSPREVIOUS")
AWSPENDING = StagingLabel("AWSPENDING")
ABANDONED = StagingLabel("STRONGROOM_ABANDONED")
"""Ours: a version that a rotation left behind after it had begun to give the target its credential."""

SECRET_SUFFIX_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SECRET_SUFFIX_LENGTH = 6
UNIQUE_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class ParsedArn:
    """The six fields of an ARN; `resource` is everything behind the fifth colon."""

    partition: str
    service: str
    region: str
    account_id: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account_id}:{self.resource}"


def parse_arn(text: str) -> ParsedArn | None:
    """Return the fields of `text`, or None when it is not shaped like an ARN."""
    fields = text.split(":", 5)
    if len(fields) != 6 or fields[0] != "arn" or not fields[1] or not fields[2] or not fields[5]:
        return None
    return ParsedArn(*fields[1:])


def is_account_id(text: str) -> bool:
    return _ACCOUNT.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """True for any name shaped as AWS shapes region names (`us-gov-west-1`, `eu-central-1`)."""
    return len(text) <= 32 and _REGION.fullmatch(text) is not None


def partition_of(region: str) -> str:
    """Return the ARN partition a region belongs to: `aws`, `aws-cn`, `aws-us-gov`."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def secret_arn(region: str, account_id: str, name: str, suffix: str) -> Arn:
    return Arn(f"arn:{partition_of(region)}:secretsmanager:{region}:{account_id}:secret:{name}-{suffix}")


def kms_key_arn(region: str, account_id: str, key_id: str) -> Arn:
    return Arn(f"arn:{partition_of(region)}:kms:{region}:{account_id}:key/{key_id}")


def kms_alias_arn(region: str, account_id: str, alias_name: str) -> Arn:
    """`alias_name` includes its `alias/` prefix."""
    return Arn(f"arn:{partition_of(region)}:kms:{region}:{account_id}:{alias_name}")


def root_arn(account_id: str) -> Arn:
    return Arn(f"arn:aws:iam::{account_id}:root")


def user_arn(account_id: str, path: str, user_name: str) -> Arn:
    """`path` begins and ends with a slash, as stored on the user."""
    return Arn(f"arn:aws:iam::{account_id}:user{path}{user_name}")


def group_arn(account_id: str, path: str, group_name: str) -> Arn:
    return Arn(f"arn:aws:iam::{account_id}:group{path}{group_name}")


def role_arn(account_id: str, path: str, role_name: str) -> Arn:
    return Arn(f"arn:aws:iam::{account_id}:role{path}{role_name}")


def assumed_role_arn(account_id: str, role_name: str, session_name: str) -> Arn:
    """The role's path has no place in it."""
    return Arn(f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}")


def federated_user_arn(account_id: str, name: str) -> Arn:
    return Arn(f"arn:aws:sts::{account_id}:federated-user/{name}")


def policy_arn(account_id: str, path: str, policy_name: str) -> Arn:
    """`account_id` is `aws` for AWS managed policies."""
    return Arn(f"arn:aws:iam::{account_id}:policy{path}{policy_name}")


def oidc_provider_arn(account_id: str, url: str) -> Arn:
    """`url` is the provider's host and path, without `https://`."""
    return Arn(f"arn:aws:iam::{account_id}:oidc-provider/{url}")
