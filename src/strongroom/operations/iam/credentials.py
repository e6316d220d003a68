"""Access keys: how a secret access key is kept, and who signs with one.

Sources: fact sheet iam sections 3, 5 and 11; DESIGN promises 1 and 2.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

from strongroom.errors import IntegrityError
from strongroom.identity import ids
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import AccessKey
from strongroom.names import AccountId, root_arn
from strongroom.ports import ACCESS_KEYS, USERS, Entropy, ReadUnit, RootKey

__all__ = [
    "NewAccessKey",
    "make_access_key",
    "open_secret_access_key",
    "owned_access_keys",
    "principal_of",
    "seal_secret_access_key",
]

PURPOSE: Final = "access-key"
"""The root key's subkey that seals secret access keys."""


@dataclass(frozen=True, slots=True)
class NewAccessKey:
    """A record to save, and the secret that is shown this once."""

    record: AccessKey
    secret_access_key: str = field(repr=False)


def make_access_key(
    root_key: RootKey,
    entropy: Entropy,
    now: dt.datetime,
    account_id: AccountId,
    user_id: str | None,
    given: tuple[str, str] | None = None,
) -> NewAccessKey:
    """Return an active key for a user, or with None for the account's root user; nothing is saved.

    `given` is its id and secret when they are not to be random.
    """
    access_key_id, secret = given or (
        ids.access_key_id(entropy.token_bytes(ids.ACCESS_KEY_ID_RANDOM_BYTES)),
        ids.secret_access_key(entropy.token_bytes(ids.SECRET_ACCESS_KEY_RANDOM_BYTES)),
    )
    record = AccessKey(
        access_key_id=access_key_id,
        account_id=account_id,
        created_at=now,
        sealed_secret=seal_secret_access_key(root_key, access_key_id, account_id, secret),
        user_id=user_id,
    )
    return NewAccessKey(record, secret)


def seal_secret_access_key(
    root_key: RootKey, access_key_id: str, account_id: AccountId, secret: str
) -> bytes:
    """Return the secret as `AccessKey.sealed_secret` keeps it: bound to the key's id and account."""
    return root_key.wrap(PURPOSE, secret.encode(), _bound_to(access_key_id, account_id))


def open_secret_access_key(root_key: RootKey, access_key: AccessKey) -> str:
    """Return the secret access key.

    Raises:
        IntegrityError: the record was altered, or belongs to another root key.
    """
    context = _bound_to(access_key.access_key_id, access_key.account_id)
    secret = root_key.unwrap(PURPOSE, access_key.sealed_secret, context)
    try:
        return secret.decode("ascii")
    except UnicodeDecodeError:
        # `from None`: the cause would carry the bytes.
        raise IntegrityError("a secret access key is not ASCII") from None


def principal_of(unit: ReadUnit, access_key: AccessKey) -> Principal | None:
    """Return who signs with a stored key, or None when its user has gone.

    Whether the key is active is not looked at.
    """
    account_id = access_key.account_id
    if access_key.user_id is None:
        return Principal(
            type=PrincipalType.ROOT,
            account_id=account_id,
            arn=root_arn(account_id),
            principal_id=account_id,
            access_key_id=access_key.access_key_id,
        )
    user = unit.find(USERS, account_id, access_key.user_id)
    if user is None:
        return None
    return Principal(
        type=PrincipalType.USER,
        account_id=account_id,
        arn=user.arn,
        principal_id=user.user_id,
        access_key_id=access_key.access_key_id,
        user_name=user.user_name,
        tags=user.tags,
    )


def owned_access_keys(
    unit: ReadUnit, account_id: AccountId, user_id: str | None, *, after: str = "", limit: int | None = None
) -> list[AccessKey]:
    """Return the keys of a user, or with None of the account's root user, by id; those behind id `after`."""
    prefix = f"{account_id}/{user_id or 'root'}/"
    return unit.scan(ACCESS_KEYS, "", prefix=prefix, after=prefix + after if after else "", limit=limit)


def _bound_to(access_key_id: str, account_id: AccountId) -> dict[str, str]:
    return {"AccessKeyId": access_key_id, "AccountId": account_id}
