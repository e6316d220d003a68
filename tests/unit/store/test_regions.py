"""Which Regions have anything is read from the database itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from strongroom.errors import ServiceUnavailableException
from strongroom.names import Arn, Region
from strongroom.ports import KMS_KEYS
from strongroom.store.regions import regions_in_use
from strongroom.store.room import DATABASE, Room
from strongroom.store.sqlite import SqliteStore
from support.permission_world import ACCOUNT, OTHER, REGION, SECRET_ARN, a_key, a_secret, begin


def test_regions_of_secrets_and_of_keys_are_in_use(tmp_path: Path) -> None:
    room = Room.create(tmp_path / "room")
    store = SqliteStore.open(room.path)
    database = room.path / DATABASE
    assert regions_in_use(database) == set()
    store.write(begin).result()
    other = Arn(SECRET_ARN.replace(REGION, "ap-south-1").replace(ACCOUNT, OTHER))
    for secret in (a_secret(), a_secret(arn=other, account_id=OTHER, region=Region("ap-south-1"))):
        store.write(lambda unit, secret=secret: unit.save_secret(secret)).result()
    there = Region("us-west-2")
    key = a_key("{}")
    arn = Arn(key.arn.replace(key.region, there))
    store.write(lambda unit: unit.save(KMS_KEYS, replace(key, region=there, arn=arn))).result()
    assert regions_in_use(database) == {"ap-south-1", "eu-central-1", "us-west-2"}
    store.close()
    room.close()


def test_a_database_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableException):
        regions_in_use(tmp_path / DATABASE)
