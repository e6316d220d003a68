"""Accounts, which no API call makes: the way from an empty store to a first caller."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import dataclass, field
from typing import Final

from strongroom.audit.event import service_event
from strongroom.identity import ids
from strongroom.identity.records import Account
from strongroom.names import AccountId, is_account_id
from strongroom.operations.iam.credentials import make_access_key
from strongroom.ports import ACCESS_KEYS, ACCOUNTS, Entropy, RootKey, WriteUnit

__all__ = ["BootstrapError", "NewAccount", "create_account"]

_ACCESS_KEY_ID: Final = re.compile(r"[0-9A-Za-z_]{16,128}")
_SECRET_ACCESS_KEY: Final = re.compile(r"[\x21-\x7e]{8,128}")


EVENT_SOURCE: Final = "strongroom"
"""Accounts come from the command line of the machine, from no API."""
EVENT_REGION: Final = "us-east-1"


class BootstrapError(ValueError):
    """The account cannot be made; the message says what to change, and never holds a secret."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account and its root user's first access key; the secret is shown this once."""

    account_id: AccountId
    access_key_id: str
    secret_access_key: str = field(repr=False)


def create_account(
    unit: WriteUnit,
    root_key: RootKey,
    entropy: Entropy,
    now: dt.datetime,
    account_id: str | None,
    *,
    access_key: tuple[str, str] | None = None,
) -> NewAccount:
    """Save an account and an active access key of its root user, both random where not given; the trail
    hears of it.

    `access_key` is an id of 16 to 128 letters, digits and underscores, used by nobody, and a secret of 8 to
    128 visible ASCII characters.

    Raises:
        BootstrapError: the account exists, or what was given breaks these rules.
    """
    account = _random_account(unit, entropy) if account_id is None else _unused_account(unit, account_id)
    if access_key is not None:
        _verify_given(unit, *access_key)
    new = make_access_key(root_key, entropy, now, account, None, given=access_key)
    unit.save(ACCOUNTS, Account(account_id=account, created_at=now))
    unit.save(ACCESS_KEYS, new.record)
    unit.record(
        service_event(
            name="CreateAccount",
            account_id=account,
            region=EVENT_REGION,
            at=now,
            event_id=_uuid(entropy),
            request_id=_uuid(entropy),
            additional={"accountId": account, "accessKeyId": new.record.access_key_id},
            source=EVENT_SOURCE,
        )
    )
    return NewAccount(account, new.record.access_key_id, new.secret_access_key)


def _uuid(entropy: Entropy) -> str:
    return str(uuid.UUID(bytes=entropy.token_bytes(16), version=4))


def _random_account(unit: WriteUnit, entropy: Entropy) -> AccountId:
    while True:
        account_id = ids.account_id(entropy.below)
        if unit.find(ACCOUNTS, "", account_id) is None:
            return account_id


def _unused_account(unit: WriteUnit, account_id: str) -> AccountId:
    if not is_account_id(account_id):
        raise BootstrapError("An account id is twelve decimal digits.")
    if unit.find(ACCOUNTS, "", account_id) is not None:
        raise BootstrapError(f"The account {account_id} exists already.")
    return AccountId(account_id)


def _verify_given(unit: WriteUnit, access_key_id: str, secret: str) -> None:
    # The id is not repeated in the first message: pairs pasted the wrong way round are common.
    if _ACCESS_KEY_ID.fullmatch(access_key_id) is None:
        raise BootstrapError("An access key id is 16 to 128 letters, digits and underscores.")
    if _SECRET_ACCESS_KEY.fullmatch(secret) is None:
        raise BootstrapError("A secret access key is 8 to 128 visible ASCII characters, without spaces.")
    if unit.find(ACCESS_KEYS, "", access_key_id) is not None:
        raise BootstrapError(f"The access key id {access_key_id} is in use already.")
