"""Giving a provider's keys by hand."""

from __future__ import annotations

import datetime as dt
import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from strongroom.cli.app import app
from strongroom.identity.records import OidcProvider
from strongroom.names import AccountId, oidc_provider_arn
from strongroom.ports import OIDC_PROVIDERS
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore

ACCOUNT = AccountId("123456789012")
ARN = oidc_provider_arn(ACCOUNT, "issuer.example")
KEY = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "one"}


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data directory with one provider."""
    for name in list(os.environ):
        if name.startswith(("STRONGROOM_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = tmp_path / "data"
    assert invoke("init", "--account", ACCOUNT, "--data-dir", str(place)).exit_code == 0
    provider = OidcProvider(
        arn=ARN, url="issuer.example", account_id=ACCOUNT, created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )
    with_store(place, lambda store: store.write(lambda unit: unit.save(OIDC_PROVIDERS, provider)).result())
    return place


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def with_store(place: Path, work: Callable[[SqliteStore], Any]) -> Any:
    room = Room.open(place, own=False)
    store = SqliteStore.open(room.path)
    try:
        return work(store)
    finally:
        store.close()
        room.close()


def kept(place: Path) -> str | None:
    found = with_store(place, lambda store: store.read(lambda unit: unit.find(OIDC_PROVIDERS, ACCOUNT, ARN)))
    keys: str | None = found.jwks
    return keys


def keys(place: Path, *arguments: str, arn: str = ARN) -> Result:
    return invoke("oidc", "keys", arn, *arguments, "--data-dir", str(place))


def test_keys_are_given_and_forgotten(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [KEY]}))
    given = keys(data_dir, "--jwks", str(file))
    assert (given.exit_code, given.stdout) == (0, "Tokens are verified by 1 given key.\n"), given.stderr
    assert kept(data_dir) == file.read_text()
    forgotten = keys(data_dir, "--fetch")
    assert (forgotten.exit_code, forgotten.stdout) == (0, "Keys are fetched from the issuer.\n")
    assert kept(data_dir) is None


def records(place: Path) -> list[dict[str, Any]]:
    """Return the records of writes that wait for the trail, but for that of the account's creation."""
    pending = with_store(place, lambda store: store.pending_events(0, 100))
    events = [json.loads(event) for _, event in pending]
    return [event for event in events if event["eventName"] != "CreateAccount"]


def test_the_trail_hears_who_gave_keys(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [KEY, {name: KEY[name] for name in KEY if name != "kid"}]}))
    for arguments in (["--jwks", str(file)], ["--fetch"]):
        assert keys(data_dir, *arguments).exit_code == 0
    assert keys(data_dir, "--fetch", arn=ARN + ".other").exit_code == 1
    given, fetched = records(data_dir)
    for event in (given, fetched):
        assert (event["eventName"], event["eventSource"], event["eventType"], event["readOnly"]) == (
            "SetOpenIDConnectProviderKeys", "strongroom", "AwsServiceEvent", False,
        )  # fmt: skip
        assert event["recipientAccountId"] == ACCOUNT
        assert event["userIdentity"] == {
            "type": "LocalOperator",
            "principalId": f"uid:{os.geteuid()}",
            "accountId": ACCOUNT,
            "userName": pwd.getpwuid(os.geteuid()).pw_name,
        }
    assert given["requestParameters"] == {"openIDConnectProviderArn": ARN, "keyIds": ["one"]}
    assert fetched["requestParameters"] == {"openIDConnectProviderArn": ARN, "fetched": True}


def test_a_private_key_is_refused_and_not_shown(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [{**KEY, "d": "canary-private-key-0001"}]}))
    refused = keys(data_dir, "--jwks", str(file))
    assert refused.exit_code == 2
    assert "Key 1 holds a private key; only public keys belong here." in " ".join(refused.stderr.split())
    assert "canary" not in refused.output
    assert kept(data_dir) is None


@pytest.mark.parametrize("arn", [ARN + ".other", ARN.replace(ACCOUNT, "000000000042"), "issuer.example"])
def test_a_provider_that_is_not_there(data_dir: Path, tmp_path: Path, arn: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [KEY]}))
    refused = keys(data_dir, "--jwks", str(file), arn=arn)
    message = f"strongroom: OpenIDConnect Provider not found for arn {arn}\n"
    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", message)
    assert kept(data_dir) is None


@pytest.mark.parametrize("both", [False, True])
def test_either_keys_or_fetching(data_dir: Path, tmp_path: Path, both: bool) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [KEY]}))
    refused = keys(data_dir, *(["--jwks", str(file), "--fetch"] if both else []))
    assert refused.exit_code == 2
    assert "give either --jwks FILE or --fetch" in refused.stderr
    assert kept(data_dir) is None
