"""What a caller sends to name a KMS key: key id, key ARN, alias name or alias ARN.

Source: fact sheet kms section 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from strongroom.errors import NotFoundException
from strongroom.names import AccountId, Arn, Region, kms_alias_arn, kms_key_arn, parse_arn, partition_of

ALIAS_PREFIX: Final = "alias/"
AWS_ALIAS_PREFIX: Final = "alias/aws/"

_KEY_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
_ALIAS_NAME: Final = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")


@dataclass(frozen=True, slots=True)
class KeyRef:
    """A well-formed reference; whether such a key exists is not known yet."""

    account_id: AccountId
    region: Region
    key_id: str | None = None
    alias_name: str | None = None
    """With its `alias/` prefix. Exactly one of `key_id` and `alias_name` is set."""

    @property
    def arn(self) -> Arn:
        """The key's ARN, or the alias's."""
        if self.alias_name is not None:
            return kms_alias_arn(self.region, self.account_id, self.alias_name)
        return kms_key_arn(self.region, self.account_id, self.key_id or "")


def is_alias_name(text: str) -> bool:
    return _ALIAS_NAME.fullmatch(text) is not None


def parse_key_ref(text: str, region: Region, account_id: AccountId) -> KeyRef:
    """Return what `text` names, seen from `region` and, where it is no ARN, in `account_id`.

    Raises:
        NotFoundException: no key could be named so, or the ARN is one of another region.
    """
    if not text.startswith("arn:"):
        return _parse_resource(text, text, region, account_id)
    arn = parse_arn(text)
    if arn is None or arn.service != "kms" or arn.partition != partition_of(region):
        raise NotFoundException(f"Invalid keyId '{text}'")
    if arn.region != region:
        raise NotFoundException(f"Invalid arn {arn.region}")
    resource = arn.resource.removeprefix("key/")
    if resource == arn.resource and not resource.startswith(ALIAS_PREFIX):
        raise NotFoundException(f"Invalid keyId '{text}'")
    return _parse_resource(resource, text, region, AccountId(arn.account_id))


def _parse_resource(resource: str, text: str, region: Region, account_id: AccountId) -> KeyRef:
    if is_alias_name(resource):
        return KeyRef(account_id, region, alias_name=resource)
    if _KEY_ID.fullmatch(resource) is not None:
        return KeyRef(account_id, region, key_id=resource)
    raise NotFoundException(f"Invalid keyId '{text}'")
