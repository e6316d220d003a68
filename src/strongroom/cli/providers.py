"""Key sets of OpenID Connect providers, given by hand where the server cannot fetch them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from strongroom.cli.operator import operator_event
from strongroom.errors import NoSuchEntityException
from strongroom.identity.oidc import verify_key_set
from strongroom.names import Arn, parse_arn
from strongroom.operations.iam.oidc_providers import no_such_provider
from strongroom.ports import OIDC_PROVIDERS, WriteUnit
from strongroom.server.world import SystemClock, SystemEntropy
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore

__all__ = ["set_provider_keys"]


def set_provider_keys(data_dir: Path, arn: Arn, key_set: str | None) -> int:
    """Let a provider's tokens be verified by `key_set` alone, and return how many keys it has; with None, by
    keys fetched from the issuer. A server of the directory does so from the next call on.

    Raises:
        KeySetError: the text is not a set of public keys.
        NoSuchEntityException: there is no such provider.
        RoomError: as `Room.open`.
    """
    count = 0 if key_set is None else verify_key_set(key_set)
    room = Room.open(data_dir, own=False)
    store = SqliteStore.open(room.path)
    try:
        store.write(lambda unit: _save(unit, arn, key_set)).result()
    finally:
        store.close()
        room.close()
    return count


def _save(unit: WriteUnit, arn: Arn, key_set: str | None) -> None:
    parsed = parse_arn(arn)
    provider = None if parsed is None else unit.find(OIDC_PROVIDERS, parsed.account_id, arn)
    if provider is None:
        raise NoSuchEntityException(no_such_provider(arn))
    unit.save(OIDC_PROVIDERS, msgspec.structs.replace(provider, jwks=key_set))
    source = {"fetched": True} if key_set is None else {"keyIds": _key_ids(key_set)}
    request = {"openIDConnectProviderArn": arn, **source}
    event = operator_event(
        "SetOpenIDConnectProviderKeys", provider.account_id, request, SystemClock(), SystemEntropy()
    )
    unit.record(event)


def _key_ids(key_set: str) -> list[str]:
    """Return the ids of the keys of a set that was verified; a key without one has none here."""
    return [kid for key in json.loads(key_set)["keys"] if isinstance(kid := key.get("kid"), str)]
