"""`who-can` and `policy diff` as commands: what they print of a directory nobody serves, and exit codes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from strongroom.cli.app import app
from strongroom.identity.principal import user_identity
from strongroom.names import Arn
from strongroom.ports import USERS
from strongroom.store.room import Room
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.segment import SegmentTrail
from support.key_room import allow, deny, policy
from support.permission_world import (
    ACCOUNT,
    GET,
    KEY_ARN,
    OTHER,
    POLICY_ARNS,
    PRINCIPALS,
    REGION,
    ROLE_ARN,
    SECRET_ARN,
    a_secret,
    a_user,
    begin,
)
from support.reach_room import with_value

ANN, EVE = (a_user(account).arn for account in (ACCOUNT, OTHER))
AWS_POLICY = "arn:aws:iam::aws:policy/SecretsManagerReadWrite"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The directory of a world with reads on record: ann's of now and of long ago, eve's that was refused."""
    path = tmp_path / "data"
    Room.create(path).close()
    store = SqliteStore.open(path)
    store.write(begin).result()
    store.write(with_value).result()
    store.close()
    slot = SegmentTrail.open(path / "trail", "api")
    now = dt.datetime.now(dt.UTC)
    for number, (who, age) in enumerate((("ann", 40), ("ann", 2), ("ann", 1), ("eve", 0))):
        slot.append(json.dumps(an_event(number, who, now - dt.timedelta(days=age))).encode())
    slot.close()
    yield path


def an_event(number: int, who: str, at: dt.datetime) -> dict[str, Any]:
    return {
        "userIdentity": user_identity(PRINCIPALS[who]),
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "GetSecretValue",
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "Boto3",
        **({"errorCode": "AccessDenied"} if who == "eve" else {}),
        "requestParameters": None if who == "eve" else {"secretId": "prod/db"},
        "eventID": f"event-{number}",
        "resources": [{"ARN": SECRET_ARN}],
        "eventType": "AwsApiCall",
    }


def changed(data: Path, *users: Any) -> None:
    store = SqliteStore.open(data)
    for user in users:
        store.write(lambda unit, user=user: unit.save(USERS, user)).result()
    store.close()


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(data)])


def diff(data: Path, document: str, *arguments: str) -> Result:
    file = data.parent / "policy.json"
    file.write_text(document)
    return run(data, "policy", "diff", "--policy", str(file), *arguments)


# who-can


def test_each_principal_is_printed_with_statements_conditions_and_examples(data: Path) -> None:
    out = deny(GET, Sid="Out", Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    changed(data, a_user(ACCOUNT, policies={"own": policy(allow("*"), out)}))
    found = run(data, "who-can", "SecretsManager:getsecretvalue", "prod/db")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[:2] == [f"{GET} on {SECRET_ARN}", f"  under the key {KEY_ARN} (Enabled)"]
    at = next(number for number, line in enumerate(lines) if line.endswith(ANN))
    assert [line.strip() for line in lines[at : at + 8]] == [
        f"if   user       {ANN}",
        f"through identity-based policy own, statement 1 for {GET}",
        f"unless identity-based policy own, statement 2 (Out) for {GET}",
        "if NotIpAddress aws:SourceIp 10.0.0.0/8",
        "through identity-based policy own, statement 1 for kms:Decrypt",
        f"through resource-based policy {KEY_ARN}, statement 1 for kms:Decrypt",
        "for example allowed with aws:SourceIp = 10.0.0.0",
        "for example refused with aws:SourceIp = 192.0.2.1",
    ]
    assert any(line.split() == ["yes", "role", ROLE_ARN] for line in lines)
    assert lines[-1] == "  2 may, 1 may if conditions hold, 2 may not."
    assert EVE not in found.stdout


def test_what_others_wrote_is_no_command_to_the_terminal(data: Path) -> None:
    hidden = allow("*", Condition={"StringEquals": {"aws:UserAgent": "a\x9b2J\nyes  root"}})
    changed(data, a_user(ACCOUNT, policies={"own": policy(hidden)}))
    found = run(data, "who-can", GET, "prod/db").stdout
    assert "if StringEquals aws:UserAgent a\ufffd2J\ufffdyes  root" in found
    assert "\x9b" not in found


def test_all_shows_who_may_not_and_by_what(data: Path) -> None:
    changed(data, a_user(ACCOUNT, policies={"own": policy(allow("*"), deny(GET, Sid="Never"))}))
    found = run(data, "who-can", GET, "prod/db", "--all", "--json")
    told = json.loads(found.stdout)
    assert (told["action"], told["known_action"]) == (GET, True)
    (resource,) = told["resources"]
    assert resource["counts"] == {"yes": 2, "if": 0, "no": 3}
    rows = {each["principal"]: each for each in resource["principals"]}
    assert rows[ANN]["refused_by"] == [{"action": GET, "layer": "identity-based policy"}]
    assert [(each["sid"], each["statement"]) for each in rows[ANN]["denied_by"]] == [("Never", 2)]
    assert rows[EVE]["refused_by"] == [
        {"action": GET, "layer": "resource-based policy"},
        {"action": "kms:Decrypt", "layer": "resource-based policy"},
    ]
    assert (
        "denied by identity-based policy own, statement 2 (Never)"
        in run(data, "who-can", GET, "prod/db", "--all").stdout
    )


def test_a_name_is_looked_for_where_it_is_asked_for(data: Path) -> None:
    store = SqliteStore.open(data)
    there = Arn(SECRET_ARN.replace(ACCOUNT, OTHER))
    store.write(lambda unit: unit.save_secret(a_secret(arn=there, account_id=OTHER))).result()
    store.close()
    every = json.loads(run(data, "who-can", GET, "prod/db", "--json").stdout)["resources"]
    assert [each["resource"] for each in every] == [SECRET_ARN, there]
    one = json.loads(run(data, "who-can", GET, "prod/db", "--account", OTHER, "--json").stdout)["resources"]
    assert [each["resource"] for each in one] == [there]
    elsewhere = run(data, "who-can", GET, "prod/db", "--region", "eu-west-3")
    assert (elsewhere.exit_code, elsewhere.stdout) == (1, "")
    assert elsewhere.stderr == "strongroom: Nothing is stored here that prod/db names.\n"


def test_an_action_that_nothing_asks_for_is_said_to_be_none(data: Path) -> None:
    found = run(data, "who-can", "secretsmanager:ReadSecret", "prod/db")
    assert found.exit_code == 0
    assert found.stderr == "strongroom: No operation of this server asks for secretsmanager:ReadSecret.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("secretsmanager:Get*", "prod/db"), 2, "without wildcards"),
        (("GetSecretValue", "prod/db"), 2, "without wildcards"),
        ((GET, "prod/db", "--account", "1"), 2, "twelve decimal digits"),
        ((GET, "prod/db", "--region", "moon"), 2, "not a region name"),
        ((GET, "prod/none"), 1, "Nothing is stored here that prod/none names."),
        ((GET, f"{SECRET_ARN}x"), 1, "Nothing is stored here that"),
    ],
)
def test_what_cannot_be_asked_is_said(
    data: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found = run(data, "who-can", *arguments)
    assert (found.exit_code, found.stdout) == (code, "")
    assert message in found.stderr


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    for asked in (
        run(tmp_path, "who-can", GET, "a"),
        diff(tmp_path / "x", policy(allow("*")), "--user", "a"),
    ):
        assert asked.exit_code == 3
        assert asked.stdout == ""


# policy diff


def test_calls_are_told_by_principal_action_and_resource(data: Path) -> None:
    document = policy(allow("kms:*"))
    found = diff(data, document, "--user", "ann")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[0].endswith(": 2 newly refused, 0 newly allowed, 0 undecided, 1 unchanged.")
    assert lines[0].startswith("Of 3 calls since 20")
    assert lines[1] == f"newly refused  2 x {GET} on {SECRET_ARN}"
    assert lines[2].startswith(f"               by {ANN}, last in event event-2 at 20")
    assert len(lines) == 3


def test_it_looks_back_as_far_and_at_as_many_calls_as_it_is_told(data: Path) -> None:
    document = policy(allow("kms:*"))

    def counts(*arguments: str) -> dict[str, int]:
        found: dict[str, int] = json.loads(
            diff(data, document, "--user", "ann", "--json", *arguments).stdout
        )["counts"]
        return found

    assert counts("--since", "60d")["newly_refused"] == 3
    assert counts("--since", "2020-01-01T00:00:00Z")["newly_refused"] == 3
    assert counts("--since", "36h")["newly_refused"] == 1
    assert counts("--since", "60d", "--limit", "2") == {
        "newly_allowed": 0,
        "newly_refused": 1,
        "undecided": 0,
        "unchanged": 1,
        "not_replayed": 0,
    }


def test_what_a_decision_hangs_on_is_named(data: Path) -> None:
    over_tls = policy(allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    found = json.loads(diff(data, over_tls, "--user", "ann", "--json").stdout)
    (group,) = found["groups"]
    assert (group["outcome"], group["count"], group["missing"]) == ("undecided", 2, ["aws:SecureTransport"])
    assert group["event_id"] == "event-2"
    text = diff(data, over_tls, "--user", "ann").stdout
    assert "hangs on what records do not hold: aws:SecureTransport" in text


def test_records_that_cannot_be_read_are_counted(data: Path) -> None:
    path = next((data / "trail" / "segments").glob("*/*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1][:40] + b"\n", *lines[2:]]))
    found = diff(data, policy(allow("kms:*")), "--user", "ann", "--since", "60d")
    told = found.stdout.splitlines()
    assert told[0].endswith(": 2 newly refused, 0 newly allowed, 0 undecided, 1 unchanged.")
    assert told[-1].startswith("Missing or unreadable: ")


def test_nothing_is_changed_by_asking(data: Path) -> None:
    before = (data / "room.db").read_bytes()
    diff(data, policy(allow("kms:*")), "--user", "ann")
    assert (data / "room.db").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "name one of: --secret, --key, --user, --role, --group, --role-trust, --managed-policy"),
        (("--user", "ann", "--role", "app"), 2, "name one of"),
        (("--user", "ann", "--since", "soon"), 2, "neither a span such as 12h nor a time"),
        (("--user", "ann", "--limit", "0"), 2, "greater than or equal to 1"),
        (("--user", "none"), 1, "strongroom: There is no user none.\n"),
        (("--role", "app"), 0, None),
        (("--secret", "prod/db"), 1, "strongroom: The policy is not one for a secret: Statement 1 must have"),
        (("--managed-policy", AWS_POLICY), 1, "is AWS's own: nobody can change it.\n"),
        (("--managed-policy", POLICY_ARNS[0]), 0, None),
        (("--user", EVE, "--policy-name", "new"), 0, None),
    ],
)
def test_a_change_that_cannot_be_is_said(
    data: Path, arguments: tuple[str, ...], code: int, message: str | None
) -> None:
    found = diff(data, policy(allow("kms:*")), *arguments)
    assert found.exit_code == code, found.stderr
    if message is None:
        assert found.stdout.startswith("Of 3 calls")
    else:
        assert message in found.stderr
        assert found.stdout == ""


def test_an_inline_policy_has_to_be_named_where_there_are_several(data: Path) -> None:
    changed(data, replace(a_user(ACCOUNT), policies={"one": policy(allow("*")), "two": policy(allow("*"))}))
    found = diff(data, policy(allow("kms:*")), "--user", "ann")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr == ("strongroom: ann has 2 inline policies: say by name which one is changed.\n")
