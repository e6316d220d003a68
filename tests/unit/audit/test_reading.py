"""Who reads a secret, and whether its old credential can go."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from strongroom.audit.reading import Reading, Standing, consumers_of, reading_of
from strongroom.names import AWSCURRENT, AWSPREVIOUS, VersionId

ACCOUNT, SECRET = "123456789012", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
LABELS = {AWSCURRENT: VersionId("new"), AWSPREVIOUS: VersionId("old")}


def record(**members: Any) -> bytes:
    whole: dict[str, Any] = {
        "userIdentity": {"type": "IAMUser", "arn": ALICE, "accountId": ACCOUNT},
        "eventTime": "2026-01-01T10:00:00Z",
        "eventName": "GetSecretValue",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "app/1",
        "additionalEventData": {"SecretVersionId": "new", "SecretVersionStages": ["AWSCURRENT"]},
        "resources": [{"type": "AWS::SecretsManager::Secret", "ARN": SECRET, "accountId": ACCOUNT}],
        "recipientAccountId": ACCOUNT,
        **members,
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def read(version: str, at: str, stage: str = "AWSCURRENT", principal: str = ALICE) -> Reading:
    found = reading_of(
        record(
            eventTime=f"2026-01-{at}T00:00:00Z",
            userIdentity={"type": "IAMUser", "arn": principal, "accountId": ACCOUNT},
            additionalEventData={"SecretVersionId": version, "SecretVersionStages": [stage]},
        )
    )
    assert found is not None
    return found


def together(*readings: Reading) -> list[Reading]:
    found: dict[tuple[str, str], Reading] = {}
    for each in readings:
        place = each.version_id, each.principal
        found[place] = found[place].with_another(each) if place in found else each
    return list(found.values())


class TestTheRecordOfARead:
    def test_says_who_read_which_version(self) -> None:
        assert reading_of(record()) == Reading(
            SECRET, "new", ALICE, first_at="2026-01-01T10:00:00Z", last_at="2026-01-01T10:00:00Z",
            current_at="2026-01-01T10:00:00Z", previous_at="", times=1, session="", client="app/1",
            source="192.0.2.1",
        )  # fmt: skip

    def test_of_a_session_counts_for_its_role(self) -> None:
        identity = {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/pod-7",
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/app"}},
        }
        found = reading_of(record(userIdentity=identity))
        assert found is not None
        assert (found.principal, found.session) == (f"arn:aws:iam::{ACCOUNT}:role/app", "pod-7")

    @pytest.mark.parametrize(
        "members",
        [
            {"eventName": "DescribeSecret"},
            {"eventName": "ListSecrets", "userAgent": '"eventName":"GetSecretValue"'},
            {"errorCode": "AccessDenied"},
            {"additionalEventData": None},
            {"resources": []},
            {"resources": [{"type": "AWS::KMS::Key", "ARN": "k", "accountId": ACCOUNT}]},
            # What the secret's account is told of a read by another one.
            {"userIdentity": {"type": "AWSAccount", "principalId": "AIDA", "accountId": "210987654321"}},
        ],
    )
    def test_of_anything_else_is_none(self, members: dict[str, Any]) -> None:
        assert reading_of(record(**members)) is None


class TestConsumers:
    @pytest.mark.parametrize(
        ("readings", "standing"),
        [
            ([read("new", "05")], Standing.CURRENT),
            ([read("old", "01"), read("new", "05")], Standing.CURRENT),
            ([read("old", "01")], Standing.BEHIND),
            ([read("older", "01")], Standing.BEHIND),
            # A rotation function reads the new version before it is current, and has not used it since.
            ([read("old", "01"), read("new", "04", "AWSPENDING")], Standing.BEHIND),
            ([read("new", "04", "AWSPENDING"), read("new", "05")], Standing.CURRENT),
            ([read("old", "06", "AWSPREVIOUS")], Standing.PREVIOUS),
            ([read("new", "05"), read("old", "06", "AWSPREVIOUS")], Standing.PREVIOUS),
            ([read("older", "02", "AWSPREVIOUS"), read("new", "05")], Standing.CURRENT),
        ],
    )
    def test_stand_by_what_they_have_read(self, readings: list[Reading], standing: Standing) -> None:
        found = consumers_of(together(*readings), LABELS)
        assert [each.standing for each in found.consumers] == [standing]
        assert found.safe_to_retire is (standing is Standing.CURRENT)
        assert found.advice.startswith("Safe to retire" if found.safe_to_retire else "Not safe to retire yet")

    def test_are_all_named_who_may_use_the_old_one(self) -> None:
        readings = together(read("new", "05", principal="a"), read("old", "02", principal="b"))
        found = consumers_of(readings, LABELS)
        assert [each.principal for each in found.consumers] == ["a", "b"]
        assert found.advice == "Not safe to retire yet: b may still use an older version."

    def test_are_not_the_service_that_rotates(self) -> None:
        role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rotation.secretsmanager.amazonaws.com/Rotation"
        readings = [read("old", "02", "AWSPREVIOUS", role), read("new", "03")]
        found = consumers_of(readings, LABELS)
        assert [each.principal for each in found.consumers] == [ALICE]
        assert found.safe_to_retire

    def test_are_only_those_seen_since(self) -> None:
        readings = together(read("old", "02", principal="gone"), read("new", "05", principal="here"))
        found = consumers_of(readings, LABELS, dt.datetime(2026, 1, 3, tzinfo=dt.UTC))
        assert [each.principal for each in found.consumers] == ["here"]
        assert found.safe_to_retire

    def test_without_an_old_one_there_is_nothing_to_retire(self) -> None:
        found = consumers_of([read("new", "05")], {AWSCURRENT: VersionId("new")})
        assert found.advice == "There is no AWSPREVIOUS version: nothing to retire."

    def test_nobody_is_told_as_nobody(self) -> None:
        assert consumers_of([], LABELS).advice.startswith("Nobody has read this secret")


def test_reads_come_to_the_same_in_any_order() -> None:
    one = read("old", "01")
    two = read("old", "06", "AWSPREVIOUS")
    assert one.with_another(two) == two.with_another(one)
    assert one.with_another(two).times == 2
