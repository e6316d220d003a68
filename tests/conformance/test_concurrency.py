"""Many callers at once, over connections that different workers answer. Source: DESIGN promises 3 and 4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.dialogue import NOT_FOUND, answered, canary, fresh, refused
from support.running import Server
from support.signing import Answer, json_call, send
from support.stillness import a_token, labels

CALLERS = 16


def at_once(work: Callable[[int], Any], callers: int = CALLERS) -> list[Any]:
    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(work, range(callers)))


def raw(server: Server, operation: str, **request: Any) -> Answer:
    """Call on a connection of its own, which any of the workers may take."""
    return send(server, json_call(server, operation, request))


def test_of_many_creations_of_a_name_one_succeeds(server: Server, secrets: Any) -> None:
    name = fresh("race")
    answers = at_once(
        lambda number: raw(
            server, "CreateSecret", Name=name, SecretString=str(number), ClientRequestToken=a_token()
        )
    )
    (won,) = [answer.json for answer in answers if answer.status == 200]
    lost = Counter(answer.error for answer in answers if answer.status != 200)
    text = f"The operation failed because the secret {name} already exists."
    assert lost == {(400, "ResourceExistsException", text): CALLERS - 1}
    assert labels(secrets, name) == {won["VersionId"]: ["AWSCURRENT"]}
    assert secrets.describe_secret(SecretId=name)["ARN"] == won["ARN"]


def test_creations_with_one_token_and_value_all_answer_alike(server: Server, secrets: Any) -> None:
    name, token, value = fresh("race"), a_token(), canary()
    answers = at_once(
        lambda _: raw(server, "CreateSecret", Name=name, SecretString=value, ClientRequestToken=token)
    )
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.request_id for answer in answers}) == CALLERS
    assert labels(secrets, name) == {token: ["AWSCURRENT"]}


def test_puts_at_once_leave_one_current_and_one_previous_version(server: Server, secrets: Any) -> None:
    name = fresh("race")
    secrets.create_secret(Name=name, SecretString="first")
    answers = at_once(
        lambda number: raw(
            server, "PutSecretValue", SecretId=name, SecretString=str(number), ClientRequestToken=a_token()
        )
    )
    assert {answer.status for answer in answers} == {200}
    made = {answer.json["VersionId"] for answer in answers}
    assert sorted(labels(secrets, name).values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    assert set(labels(secrets, name)) <= made
    every = answered(secrets.list_secret_version_ids, SecretId=name, IncludeDeprecated=True)["Versions"]
    assert len(every) == CALLERS + 1


def test_of_many_moves_of_a_label_one_succeeds(server: Server, secrets: Any) -> None:
    name = fresh("race")
    holder = secrets.create_secret(Name=name, SecretString="0")["VersionId"]
    targets = [
        secrets.put_secret_value(SecretId=name, SecretString="x", VersionStages=["X"])["VersionId"]
        for _ in range(CALLERS)
    ]
    answers = at_once(
        lambda number: raw(
            server,
            "UpdateSecretVersionStage",
            SecretId=name,
            VersionStage="AWSCURRENT",
            RemoveFromVersionId=holder,
            MoveToVersionId=targets[number],
        )
    )
    won = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(won) == 1
    assert {answer.error[1] for answer in answers if answer.status != 200} == {"InvalidParameterException"}
    described = labels(secrets, name)
    assert "AWSCURRENT" in described[targets[won[0]]]
    assert "AWSPREVIOUS" in described[holder]


def test_a_write_is_seen_by_every_connection_from_the_moment_it_is_answered(
    server: Server, secrets: Any
) -> None:
    name = fresh("seen")
    secrets.create_secret(Name=name, SecretString="start")
    for round_number in range(10):
        value = f"{round_number}-{canary()}"
        raw(server, "PutSecretValue", SecretId=name, SecretString=value, ClientRequestToken=a_token())
        seen = at_once(lambda _: raw(server, "GetSecretValue", SecretId=name).json["SecretString"], 6)
        assert seen == [value] * 6
    secrets.delete_secret(SecretId=name)
    assert {raw(server, "GetSecretValue", SecretId=name).status for _ in range(6)} == {400}
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert {raw(server, "DescribeSecret", SecretId=name).error[1:] for _ in range(6)} == {NOT_FOUND}


def test_a_reader_during_writes_never_sees_a_secret_without_a_value(server: Server, secrets: Any) -> None:
    name = fresh("whole")
    secrets.create_secret(Name=name, SecretString="0")

    def work(number: int) -> set[str]:
        client = server.client("secretsmanager")
        seen = set()
        for turn in range(15):
            if number < 4:
                client.put_secret_value(SecretId=name, SecretString=f"{number}.{turn}")
            else:
                seen.add(client.get_secret_value(SecretId=name)["SecretString"])
        return seen

    written = {"0"} | {f"{number}.{turn}" for number in range(4) for turn in range(15)}
    for seen in at_once(work, 8):
        assert seen <= written


@pytest.mark.parametrize("force", [False, True])
def test_a_deletion_and_creations_of_its_name_at_once_leave_a_whole_secret_or_none(
    server: Server, secrets: Any, force: bool
) -> None:
    name = fresh("race")
    secrets.create_secret(Name=name, SecretString="old")

    def work(number: int) -> None:
        if number == 0:
            more: dict[str, Any] = {"ForceDeleteWithoutRecovery": True} if force else {}
            assert raw(server, "DeleteSecret", SecretId=name, **more).status == 200
        else:
            answer = raw(server, "CreateSecret", Name=name, SecretString="new", ClientRequestToken=a_token())
            assert answer.status == 200 or answer.error[1] in (
                "ResourceExistsException",
                "InvalidRequestException",
            )

    at_once(work)
    if not force:
        secrets.restore_secret(SecretId=name)
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "old"
        return
    try:
        assert secrets.get_secret_value(SecretId=name)["SecretString"] == "new"
    except ClientError:
        assert refused(secrets.describe_secret, SecretId=name) == NOT_FOUND
