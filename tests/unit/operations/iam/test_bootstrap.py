"""Accounts and their first access keys."""

from __future__ import annotations

import re

import pytest

from strongroom.identity.records import AccessKey
from strongroom.operations.iam.bootstrap import BootstrapError, NewAccount, create_account
from strongroom.operations.iam.credentials import open_secret_access_key
from strongroom.ports import ACCESS_KEYS, ACCOUNTS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, NOON, root

GIVEN = ("ci_root_access_key", "s3cr3t/with+signs")


@pytest.fixture
def room() -> IdentityRoom:
    return IdentityRoom()


def create(
    room: IdentityRoom, account_id: str | None = None, access_key: tuple[str, str] | None = None
) -> NewAccount:
    return create_account(room.unit, room.root_key, room.entropy, NOON, account_id, access_key=access_key)


def test_a_random_account_has_a_root_user_that_can_sign(room: IdentityRoom) -> None:
    new = create(room)
    assert re.fullmatch(r"[1-9][0-9]{11}", new.account_id)
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", new.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", new.secret_access_key)
    account = room.unit.find(ACCOUNTS, "", new.account_id)
    assert account is not None
    assert account.created_at == NOON
    key = room.access_key(new.access_key_id)
    assert (key.account_id, key.user_id, key.active, key.created_at) == (new.account_id, None, True, NOON)
    assert open_secret_access_key(room.root_key, key) == new.secret_access_key
    signer = room.signer(new.access_key_id)
    assert signer is not None
    assert signer.is_root
    assert (signer.arn, signer.principal_id) == (f"arn:aws:iam::{new.account_id}:root", new.account_id)


def test_given_account_and_key_are_taken(room: IdentityRoom) -> None:
    new = create(room, "000000000042", GIVEN)
    assert (new.account_id, new.access_key_id, new.secret_access_key) == ("000000000042", *GIVEN)
    assert open_secret_access_key(room.root_key, room.access_key(GIVEN[0])) == GIVEN[1]


class _Repeating:
    """Draws an account that exists first."""

    def __init__(self, room: IdentityRoom) -> None:
        self._draws = [int(ACCOUNT) - 10**11, int(ACCOUNT) - 10**11, 5]
        self.token_bytes = room.entropy.token_bytes

    def below(self, bound: int) -> int:
        return self._draws.pop(0)


def test_a_random_account_is_never_one_that_exists(room: IdentityRoom) -> None:
    new = create_account(room.unit, room.root_key, _Repeating(room), NOON, None)
    assert new.account_id == "100000000005"


@pytest.mark.parametrize(
    ("account_id", "access_key", "message"),
    [
        pytest.param(ACCOUNT, None, f"The account {ACCOUNT} exists already.", id="account exists"),
        pytest.param("12345678901", None, "An account id is twelve decimal digits.", id="eleven digits"),
        pytest.param("12345678901x", None, "An account id is twelve decimal digits.", id="a letter"),
        pytest.param(
            "12345678901\u0661", None, "An account id is twelve decimal digits.", id="an Arabic digit"
        ),
        pytest.param(
            None,
            ("fifteen_letters", GIVEN[1]),
            "An access key id is 16 to 128 letters, digits and underscores.",
            id="short key id",
        ),
        pytest.param(
            None,
            ("k" * 129, GIVEN[1]),
            "An access key id is 16 to 128 letters, digits and underscores.",
            id="long key id",
        ),
        pytest.param(
            None,
            ("wJalrXUtnFEMI/K7MDENG", "AKIAIOSFODNN7EXAMPLE"),
            "An access key id is 16 to 128 letters, digits and underscores.",
            id="pair the wrong way round",
        ),
        pytest.param(
            None,
            (GIVEN[0], "seven77"),
            "A secret access key is 8 to 128 visible ASCII characters, without spaces.",
            id="short secret",
        ),
        pytest.param(
            None,
            (GIVEN[0], "s" * 129),
            "A secret access key is 8 to 128 visible ASCII characters, without spaces.",
            id="long secret",
        ),
        pytest.param(
            None,
            (GIVEN[0], "with a space"),
            "A secret access key is 8 to 128 visible ASCII characters, without spaces.",
            id="space in the secret",
        ),
        pytest.param(
            None,
            (GIVEN[0], "schl\u00fcssel"),
            "A secret access key is 8 to 128 visible ASCII characters, without spaces.",
            id="umlaut in the secret",
        ),
        pytest.param(
            None,
            ("taken_access_key_id", GIVEN[1]),
            "The access key id taken_access_key_id is in use already.",
            id="key id in use",
        ),
    ],
)
def test_refusals_say_why_keep_the_secret_and_change_nothing(
    room: IdentityRoom, account_id: str | None, access_key: tuple[str, str] | None, message: str
) -> None:
    create(room, access_key=("taken_access_key_id", "another secret".replace(" ", "-")))
    before = room.unit.state()
    with pytest.raises(BootstrapError) as refused:
        create(room, account_id, access_key)
    assert str(refused.value) == message
    assert access_key is None or access_key[1] not in message
    assert room.unit.state() == before


def test_bootstrap_errors_are_value_errors() -> None:
    assert issubclass(BootstrapError, ValueError)


def test_accounts_are_apart(room: IdentityRoom) -> None:
    first, second = create(room), create(room)
    assert first.account_id != second.account_id
    assert first.access_key_id != second.access_key_id
    assert first.secret_access_key != second.secret_access_key
    assert root(first.account_id).arn != root(second.account_id).arn


def test_no_text_form_shows_the_secret(room: IdentityRoom) -> None:
    new = create(room, None, GIVEN)
    keys: list[AccessKey] = room.unit.scan(ACCESS_KEYS, "")
    for shown in (repr(new), str(new), f"{new}", repr(keys), repr(room.unit.state())):
        assert GIVEN[1] not in shown
