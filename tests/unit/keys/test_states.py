"""What key states let be done."""

from __future__ import annotations

import datetime as dt

import pytest

from strongroom.errors import DisabledException, KMSInvalidStateException, ServiceError
from strongroom.keys import states
from strongroom.keys.records import KmsKey
from strongroom.names import AccountId, Arn, Region

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
ARN = Arn("arn:aws:kms:eu-central-1:111122223333:key/1")


def key(state: str, deletion_at: dt.datetime | None = None) -> KmsKey:
    return KmsKey(
        key_id="1",
        arn=ARN,
        account_id=AccountId("111122223333"),
        region=Region("eu-central-1"),
        created_at=NOON,
        policy="{}",
        materials=(),
        state=state,
        deletion_at=deletion_at,
    )


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ("Disabled", DisabledException, f"{ARN} is disabled."),
        ("PendingDeletion", KMSInvalidStateException, f"{ARN} is pending deletion."),
    ],
)
def test_a_key_out_of_use_is_refused(state: str, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error) as refused:
        states.verify_usable(key(state))
    assert refused.value.message == message


def test_an_enabled_key_is_usable() -> None:
    states.verify_usable(key("Enabled"))


@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
def test_only_pending_deletion_can_be_cancelled(state: str) -> None:
    states.verify_not_pending_deletion(key(state))
    with pytest.raises(KMSInvalidStateException) as refused:
        states.verify_pending_deletion(key(state))
    assert refused.value.message == f"{ARN} is not pending deletion."
    states.verify_pending_deletion(key("PendingDeletion"))


def test_a_key_is_gone_from_its_deletion_date_on() -> None:
    pending = key("PendingDeletion", NOON)
    assert not states.is_gone(pending, NOON - dt.timedelta(microseconds=1))
    assert states.is_gone(pending, NOON)
    assert not states.is_gone(key("Enabled"), NOON)
