"""Rotations carried out in a room in memory: by a rotator, by a function, on schedule, and interrupted.

Sources: fact sheets rotation sections 3 to 6 and 11, cloudtrail section 4; DESIGN promise 7.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    InvalidRequestException,
    LimitExceededException,
    ResourceNotFoundException,
    ServiceError,
)
from strongroom.names import ABANDONED, AWSCURRENT, AWSPENDING, AWSPREVIOUS, Arn
from strongroom.operations.call import Operation
from strongroom.operations.rotation_role import ROLE_NAME, rotation_role
from strongroom.operations.secretsmanager.lifecycle import DELETE_SECRET, RESTORE_SECRET
from strongroom.operations.secretsmanager.policies import PUT_RESOURCE_POLICY
from strongroom.operations.secretsmanager.replication import REPLICATE_SECRET_TO_REGIONS
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.operations.secretsmanager.rotation_choice import NO_SUPERUSER
from strongroom.operations.secretsmanager.rotation_records import HISTORY_KEPT
from strongroom.operations.secretsmanager.rotation_work import LEASE
from strongroom.operations.secretsmanager.tags import TAG_RESOURCE
from strongroom.operations.secretsmanager.values import PUT_SECRET_VALUE, UPDATE_SECRET
from strongroom.operations.secretsmanager.versions import UPDATE_SECRET_VERSION_STAGE
from strongroom.ports import ROLES, SECRET_POLICIES
from strongroom.secret.document import FaultKind, RotationFault
from strongroom.secret.rotation import CHANGED
from strongroom.secret.runs import Outcome, Step
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, deny, for_principal, policy
from support.replica_room import PARIS, version_id
from support.rotation_room import FUNCTION, RotationRoom

TOKEN, LATER_TOKEN = "a" * 32, "b" * 32
ROTATE = {"SecretId": "db", "ClientRequestToken": TOKEN, "RotationRules": {"AutomaticallyAfterDays": 30}}
NO_FUNCTION = "No Lambda rotation function ARN is associated with this secret."
STUCK = RotationFault(FaultKind.TARGET, "the target is stuck")


@pytest.fixture
def room() -> RotationRoom:
    return RotationRoom()


def refused(
    room: RotationRoom, kind: type[ServiceError], operation: Operation, request: Mapping[str, Any], **how: Any
) -> str:
    """Return the message of a call that is refused and changes nothing."""
    before = room.unit.state()
    with pytest.raises(kind) as raised:
        room.run(operation, request, **how)
    assert type(raised.value) is kind
    assert room.unit.state() == before
    return raised.value.message


# By a rotator


def test_a_secret_rotates_by_what_its_value_names(room: RotationRoom) -> None:
    secret = room.add_rotated()
    answer = room.run(ROTATE_SECRET, ROTATE)
    assert answer == {"ARN": secret.arn, "Name": "db", "VersionId": TOKEN}
    room.clock.pass_(seconds=1)
    room.work()
    assert room.rotator.begun == ["create", "set", "test", "finish"]
    assert room.labels(secret.arn) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.target.takes(room.document(secret.arn))
    rotation = room.secret(secret.arn).rotation
    assert rotation is not None
    assert rotation.last_rotated_at == NOON + dt.timedelta(seconds=1)
    assert rotation.next_rotation_at == dt.datetime(2026, 1, 31, 23, 59, 59, tzinfo=dt.UTC)
    assert room.events() == ["RotationStarted", "RotationSucceeded"]
    assert room.due() == []
    duty = room.duty(secret.arn)
    assert duty is not None
    assert duty.run is None
    assert dt.datetime(2026, 1, 31, tzinfo=dt.UTC) <= duty.due_at < dt.datetime(2026, 1, 31, 1, tzinfo=dt.UTC)
    [record] = room.history(secret.arn)
    assert (record.outcome, record.version_id, record.way) == (Outcome.SUCCEEDED, TOKEN, "target")


def test_two_users_take_turns_and_the_one_in_use_is_never_touched(room: RotationRoom) -> None:
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root", "host": "h"})])
    secret = room.add_rotated(masterarn=admin.arn)
    users = []
    for number in range(3):
        before = room.document(secret.arn)
        room.rotator.before = lambda step, material, now=before: _opens(room, now)
        room.run(ROTATE_SECRET, {**ROTATE, "ClientRequestToken": f"{number:x<32}"})
        room.work()
        users.append(room.document(secret.arn)["username"])
        assert room.target.takes(room.document(secret.arn))
        assert room.target.takes(room.document(secret.arn, AWSPREVIOUS))
    assert users == ["bob_clone", "bob", "bob_clone"]


def _opens(room: RotationRoom, document: Mapping[str, Any]) -> None:
    assert room.target.takes(document), "the user in use was locked out"


def test_a_template_name_stands_for_a_rotator_where_no_function_has_it(room: RotationRoom) -> None:
    secret = room.add_rotated()
    arn = FUNCTION.replace("function:rotate", "function:SecretsManagerTargetRotationSingleUser")
    room.run(ROTATE_SECRET, {**ROTATE, "RotationLambdaARN": arn})
    room.work()
    assert room.rotator.begun == ["create", "set", "test", "finish"]
    assert room.labels(secret.arn)[AWSCURRENT] == TOKEN
    assert room.functions.invocations == []


@pytest.mark.parametrize("value", ["{}", '{"engine": null}', "[]", "no JSON"], ids=lambda value: value)
def test_a_value_no_rotator_is_for_needs_a_function(room: RotationRoom, value: str) -> None:
    room.add_secret("db", [value])
    assert refused(room, InvalidRequestException, ROTATE_SECRET, ROTATE) == NO_FUNCTION


def test_without_rotators_a_function_is_needed(room: RotationRoom) -> None:
    room.add_rotated()
    room.resources = replace(room.resources, rotators=None)
    assert refused(room, InvalidRequestException, ROTATE_SECRET, ROTATE) == NO_FUNCTION


def test_the_service_reads_in_a_role_of_its_own_that_policies_hold_for(room: RotationRoom) -> None:
    secret = room.add_rotated()
    assert rotation_role(room.unit, ACCOUNT) is None
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/aws-service-role/*/{ROLE_NAME}"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    room.run(PUT_RESOURCE_POLICY, {"SecretId": "db", "ResourcePolicy": document})
    message = refused(room, InvalidRequestException, ROTATE_SECRET, ROTATE)
    assert message == (
        "Secrets Manager can't rotate this secret without a rotation function, because the role "
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rotation.secretsmanager.amazonaws.com/{ROLE_NAME} "
        "can't read it: a policy denies it. Let the role read the secret, or give a RotationLambdaARN."
    )
    for stored in room.unit.scan(SECRET_POLICIES, secret.arn):
        room.unit.delete(SECRET_POLICIES, secret.arn, stored.policy_name)
    room.run(ROTATE_SECRET, ROTATE)
    role = rotation_role(room.unit, ACCOUNT)
    assert role is not None
    assert role.arn.endswith(f":role/aws-service-role/rotation.secretsmanager.amazonaws.com/{ROLE_NAME}")


def test_a_policy_that_comes_later_fails_the_rotation_in_words(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    role = rotation_role(room.unit, ACCOUNT)
    assert role is not None
    room.unit.save(ROLES, replace(role, attached=()))
    room.work()
    [record] = room.history(secret.arn)
    assert (record.outcome, record.step, record.kind) == (Outcome.FAILED, Step.CREATE, "service")
    assert record.message.startswith("DescribeSecret was refused: AccessDeniedException: User: arn:aws:sts::")
    assert room.labels(secret.arn) == {AWSCURRENT: version_id(1), AWSPENDING: TOKEN}
    room.unit.delete(ROLES, ACCOUNT, role.role_id)
    room.clock.pass_(minutes=1)
    room.work()
    assert room.history(secret.arn)[-1].message == (
        f"the role {ROLE_NAME} has gone, or no longer trusts secretsmanager.amazonaws.com; call RotateSecret "
        "again, which makes it"
    )


@pytest.mark.parametrize("change", ["trusts another service", "has another path"])
def test_a_role_the_service_may_not_take_is_not_taken(room: RotationRoom, change: str) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    role = rotation_role(room.unit, ACCOUNT)
    assert role is not None
    if change == "has another path":
        changed = replace(role, path="/")
    else:
        trust = role.trust_policy.replace("secretsmanager.amazonaws.com", "lambda.amazonaws.com")
        changed = replace(role, trust_policy=trust)
    room.unit.save(ROLES, changed)
    assert rotation_role(room.unit, ACCOUNT) is None
    room.work()
    assert room.rotator.begun == []
    assert room.history(secret.arn)[-1].message.startswith(f"the role {ROLE_NAME} has gone, or no longer")
    room.add_rotated("other")
    request = {**ROTATE, "SecretId": "other", "ClientRequestToken": LATER_TOKEN}
    assert refused(room, InvalidRequestException, ROTATE_SECRET, request) == (
        "Secrets Manager can't rotate this secret without a rotation function: a role of your own has the "
        f"name {ROLE_NAME}, or the role of that name doesn't trust secretsmanager.amazonaws.com. Delete that "
        "role."
    )


def test_who_may_not_read_the_superuser_secret_may_not_have_it_used(room: RotationRoom) -> None:
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})])
    room.add_rotated(masterarn=admin.arn)
    ann = room.user("ann", allow("secretsmanager:RotateSecret", "secretsmanager:PutSecretValue"))
    message = refused(room, AccessDeniedException, ROTATE_SECRET, ROTATE, principal=ann)
    assert message == (
        f"User: {ann.arn} is not authorized to perform: secretsmanager:GetSecretValue on resource: {admin.arn} "
        "because no identity-based policy allows the secretsmanager:GetSecretValue action"
    )


def test_a_superuser_secret_is_looked_for_where_the_rotation_will_find_it(room: RotationRoom) -> None:
    """A caller of another account has a secret of the same name."""
    value = json.dumps({"username": "eve", "password": "hers"})
    room.add_secret("admin", [value], account_id=OTHER_ACCOUNT)
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})], suffix="ZzZzZz")
    secret = room.add_rotated(masterarn="admin")
    eve = room.user("eve", allow("secretsmanager:*", "kms:*"), account_id=OTHER_ACCOUNT)
    room.attach_policy(
        secret.arn, policy(for_principal(eve.arn, "secretsmanager:RotateSecret", Resource="*"))
    )
    request = {**ROTATE, "SecretId": secret.arn}
    message = refused(room, AccessDeniedException, ROTATE_SECRET, request, principal=eve)
    assert message.startswith(
        f"User: {eve.arn} is not authorized to perform: secretsmanager:GetSecretValue on resource: {admin.arn}"
    )
    room.run(ROTATE_SECRET, request)
    room.work()
    assert [each.outcome for each in room.history(secret.arn)] == [Outcome.SUCCEEDED]


@pytest.mark.parametrize(
    "named", ["absent", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:absent-AbCdEf"]
)
def test_a_superuser_secret_that_is_not_there_yet_is_not_approved(room: RotationRoom, named: str) -> None:
    room.add_rotated(masterarn=named)
    assert refused(room, ResourceNotFoundException, ROTATE_SECRET, ROTATE) == NO_SUPERUSER


def test_who_may_not_decrypt_the_superuser_secret_may_not_have_it_used(room: RotationRoom) -> None:
    key = room.add_key()
    value = json.dumps({"username": "admin", "password": "root"})
    admin = room.add_secret("admin", [value], kms_key_id=key.arn)
    room.add_rotated(masterarn=admin.arn)
    ann = room.user("ann", allow("secretsmanager:*"), deny("kms:Decrypt", resource=key.arn))
    assert refused(room, AccessDeniedException, ROTATE_SECRET, ROTATE, principal=ann) == (
        "Access to KMS is not allowed"
    )
    room.run(ROTATE_SECRET, ROTATE)


@pytest.mark.parametrize(
    "changed", [{"masterarn": "other"}, {"host": "evil.example"}, {"port": 1}, {"username": "eve_clone"}]
)
def test_a_superuser_secret_serves_only_what_it_was_approved_for(
    room: RotationRoom, changed: dict[str, Any]
) -> None:
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})])
    secret = room.add_rotated(masterarn=admin.arn)
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    value = {**room.document(secret.arn), **changed}
    room.run(
        PUT_SECRET_VALUE,
        {"SecretId": "db", "ClientRequestToken": "c" * 32, "SecretString": json.dumps(value)},
    )
    room.rotator.begun.clear()
    room.clock.pass_(days=31)
    room.work()
    assert room.rotator.begun == []
    record = room.history(secret.arn)[-1]
    assert (record.outcome, record.kind) == (Outcome.FAILED, "secret")
    assert record.message == CHANGED


def test_a_superuser_secret_that_has_gone_does_not_keep_a_tested_version_from_its_label(
    room: RotationRoom,
) -> None:
    admin = room.add_secret("admin", [json.dumps({"username": "admin", "password": "root"})])
    secret = room.add_rotated(masterarn=admin.arn)
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    while task is not None and task.step is not Step.FINISH:
        task = room.do(task)
    assert task is not None
    room.run(DELETE_SECRET, {"SecretId": "admin"})
    assert room.do(task) is None
    assert room.history(secret.arn)[-1].outcome is Outcome.SUCCEEDED
    assert room.labels(secret.arn) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}


def test_settings_come_from_tags(room: RotationRoom) -> None:
    room.add_rotated()
    room.run(
        TAG_RESOURCE,
        {"SecretId": "db", "Tags": [{"Key": "strongroom:rotation:PASSWORD_LENGTH", "Value": "20"}]},
    )
    seen: list[Mapping[str, str]] = []
    room.rotator.before = lambda step, material: seen.append(material.settings)
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    assert seen == [{"PASSWORD_LENGTH": "20"}] * 4


# Failures


def test_a_failed_attempt_keeps_the_current_value_and_is_made_again(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.rotator.refused["set"] = STUCK
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    assert room.labels(secret.arn) == {AWSCURRENT: version_id(1), AWSPENDING: TOKEN}
    assert room.events() == ["RotationStarted", "RotationFailed"]
    event = room.last_event("RotationFailed")
    assert event["errorMessage"] == "Error during setSecret step: the target is stuck"
    made = room.document(secret.arn, AWSPENDING)
    assert room.due() == []
    room.clock.pass_(seconds=5)
    del room.rotator.refused["set"]
    room.work()
    assert room.labels(secret.arn) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.document(secret.arn) == made, "the version made before is used"
    assert [each.outcome for each in room.history(secret.arn)] == [Outcome.FAILED, Outcome.SUCCEEDED]


def test_after_five_attempts_it_waits_for_the_next_day(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.rotator.refused["set"] = STUCK
    room.run(ROTATE_SECRET, ROTATE)
    for _ in range(200):
        room.work()
        room.clock.pass_(seconds=5)
    assert len(room.history(secret.arn)) == 5
    duty = room.duty(secret.arn)
    assert duty is not None
    assert duty.run is not None
    assert duty.run.failure is not None
    assert duty.run.failure.message == "the target is stuck"
    assert NOON.date() + dt.timedelta(days=1) == duty.due_at.date()
    assert refused(
        room, InvalidRequestException, ROTATE_SECRET, {**ROTATE, "ClientRequestToken": LATER_TOKEN}
    ) == ("A previous rotation isn't complete. That rotation will be reattempted.")
    del room.rotator.refused["set"]
    room.clock.time = duty.due_at
    room.work()
    assert room.labels(secret.arn)[AWSCURRENT] == TOKEN


@pytest.mark.parametrize("step", ["test", "finish"])
def test_once_the_target_has_the_new_password_no_window_is_waited_for(room: RotationRoom, step: str) -> None:
    """With a single user nobody who reads AWSCURRENT gets in until the rotation has ended."""
    arn = _weekly(room)
    room.rotator.refused[step] = STUCK
    room.clock.time = began = SATURDAY + dt.timedelta(minutes=31)
    tried = []
    while room.clock.time < began + dt.timedelta(hours=3):
        room.work()
        tried.append(room.clock.time)
        duty = room.duty(arn)
        assert duty is not None
        room.clock.time = duty.due_at
    assert tried[-1] - began > dt.timedelta(hours=2), "the window has closed long before"
    assert max(later - earlier for earlier, later in pairwise(tried)) == dt.timedelta(minutes=10)
    assert room.target.takes(room.document(arn, AWSPENDING if step == "test" else AWSCURRENT))
    # Nobody was there to make the next attempt.
    room.clock.pass_(hours=20)
    del room.rotator.refused[step]
    room.work()
    assert room.history(arn)[-1].outcome is Outcome.SUCCEEDED
    assert room.target.takes(room.document(arn))
    duty = room.duty(arn)
    assert duty is not None
    assert SATURDAY + dt.timedelta(days=7) <= duty.due_at < SATURDAY + dt.timedelta(days=7, hours=1)


def test_attempts_of_a_scheduled_rotation_keep_to_the_hours_they_may_be_made_in(room: RotationRoom) -> None:
    secret = room.add_rotated()
    rules = {"ScheduleExpression": "cron(0 18 ? * SAT *)", "Duration": "1h"}
    room.run(ROTATE_SECRET, {**ROTATE, "RotationRules": rules})
    room.work()
    room.rotator.refused["create"] = STUCK
    attempts = []
    while len(attempts) < 12:
        duty = room.duty(secret.arn)
        assert duty is not None
        room.clock.time = duty.due_at
        room.work()
        attempts.append(room.history(secret.arn)[-1].ended_at)
    assert all((at.weekday(), at.hour) == (5, 18) for at in attempts), attempts
    assert len({at.date() for at in attempts}) >= 3


@pytest.mark.parametrize("made", [0, HISTORY_KEPT])
def test_history_is_kept_to_a_length(room: RotationRoom, made: int) -> None:
    secret = room.add_rotated()
    for number in range(made + 2):
        room.run(ROTATE_SECRET, {**ROTATE, "ClientRequestToken": f"{number:x<32}"})
        room.clock.pass_(minutes=1)
        room.work()
    assert len(room.history(secret.arn)) == min(made + 2, HISTORY_KEPT)
    assert room.history(secret.arn)[-1].version_id == f"{made + 1:x<32}"


def _weekly(room: RotationRoom) -> Arn:
    """Return a secret that may be rotated on Saturdays from 18 to 19 only, and was a moment ago."""
    secret = room.add_rotated()
    rules = {"ScheduleExpression": "cron(0 18 ? * SAT *)", "Duration": "1h"}
    room.run(ROTATE_SECRET, {**ROTATE, "RotationRules": rules})
    room.work()
    room.rotator.begun.clear()
    return secret.arn


SATURDAY = dt.datetime(2026, 1, 3, 18, tzinfo=dt.UTC)


def test_a_window_that_was_missed_is_waited_for_anew(room: RotationRoom) -> None:
    arn = _weekly(room)
    room.clock.time = SATURDAY + dt.timedelta(hours=20)
    room.work()
    assert room.rotator.begun == []
    duty = room.duty(arn)
    assert duty is not None
    assert SATURDAY + dt.timedelta(days=7) <= duty.due_at < SATURDAY + dt.timedelta(days=7, hours=1)
    assert room.labels(arn)[AWSCURRENT] == TOKEN
    room.clock.time = duty.due_at
    room.work()
    assert room.rotator.begun == ["create", "set", "test", "finish"]


def test_a_day_that_was_missed_is_made_up_for_at_once(room: RotationRoom) -> None:
    room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    room.rotator.begun.clear()
    room.clock.pass_(days=45)
    room.work()
    assert room.rotator.begun == ["create", "set", "test", "finish"]


@pytest.mark.parametrize("half_done", [False, True])
def test_an_attempt_that_missed_its_window_waits_unless_it_is_half_done(
    room: RotationRoom, half_done: bool
) -> None:
    arn = _weekly(room)
    room.rotator.refused["create"] = STUCK
    room.clock.time = SATURDAY + dt.timedelta(minutes=31)
    if half_done:
        del room.rotator.refused["create"]
        task = room.take(arn)
        assert task is not None
        assert room.do(task) is not None
        room.release("process-2")
    else:
        room.work()
        del room.rotator.refused["create"]
    room.rotator.begun.clear()
    room.clock.time = SATURDAY + dt.timedelta(hours=20)
    task = room.take(arn)
    if half_done:
        assert task is not None
        assert task.step is Step.SET
        return
    assert task is None
    duty = room.duty(arn)
    assert duty is not None
    assert SATURDAY + dt.timedelta(days=7) <= duty.due_at < SATURDAY + dt.timedelta(days=7, hours=1)
    room.clock.time = duty.due_at
    room.work()
    assert room.rotator.begun == ["create", "set", "test", "finish"]


# Interruptions


@pytest.mark.parametrize("step", ["create", "set", "test", "finish"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_ends_at_any_step_is_followed_by_one_that_goes_on(
    room: RotationRoom, step: str, when: str
) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    while task is not None and not task.step.startswith(step):
        task = room.do(task)
    assert task is not None
    if when == "after":
        room.steps.do(task)
    assert room.release("process-2") == 1
    again = room.take(secret.arn, "process-2")
    assert again is not None
    assert room.proceed(task) is None, "the first one has nothing to say any more"
    while again is not None:
        again = room.do(again)
    assert room.labels(secret.arn) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.target.takes(room.document(secret.arn))
    assert room.events() == ["RotationStarted", "RotationSucceeded"]


def test_what_somebody_is_at_is_nobody_elses_until_its_lease_ends(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    assert task is not None
    assert room.due() == []
    assert room.take(secret.arn, "process-2") is None
    room.clock.time += LEASE
    other = room.take(secret.arn, "process-2")
    assert other is not None
    assert room.do(task) is None
    assert other.step is Step.CREATE


def test_a_value_written_by_hand_abandons_the_rotation(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    assert task is not None
    by_hand = {"SecretId": "db", "ClientRequestToken": LATER_TOKEN, "SecretString": "by hand"}
    room.run(PUT_SECRET_VALUE, by_hand)
    assert room.labels(secret.arn) == {AWSCURRENT: LATER_TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.events() == ["RotationStarted", "RotationAbandoned"]
    assert room.do(task) is None
    assert room.unit.version(secret.arn, TOKEN) is None, "its value was not stored"
    assert [each.outcome for each in room.history(secret.arn)] == [Outcome.ABANDONED]
    duty = room.duty(secret.arn)
    assert duty is not None
    assert duty.run is None


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (PUT_SECRET_VALUE, {}),
        (
            PUT_SECRET_VALUE,
            {"VersionStages": ["AWSPENDING"]},
        ),
        (UPDATE_SECRET, {}),
    ],
)
def test_a_value_written_by_hand_waits_while_the_target_is_given_the_new_one(
    room: RotationRoom, operation: Operation, more: Mapping[str, Any]
) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    assert task is not None
    value = json.dumps({**room.document(secret.arn), "note": "as before, with a note"})
    by_hand = {"SecretId": "db", "ClientRequestToken": LATER_TOKEN, "SecretString": value, **more}
    told: list[str] = []

    def meanwhile(step: str, material: Any) -> None:
        if step != "create":
            told.append(refused(room, InvalidRequestException, operation, by_hand))

    room.rotator.before = meanwhile
    while task is not None:
        task = room.do(task)
        if task is not None and task.step is Step.FINISH:
            room.rotator.before = lambda step, material: None
    assert told == 2 * [
        "You can't put another version in the place of the one that is being rotated to while a step of the "
        "rotation is being done. Try again in a moment."
    ]
    assert room.labels(secret.arn) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.target.takes(room.document(secret.arn))
    room.run(operation, by_hand)
    assert LATER_TOKEN in room.labels(secret.arn).values()


PUT = {"SecretId": "db", "ClientRequestToken": LATER_TOKEN, "SecretString": "by hand"}
STAGE = {"SecretId": "db", "VersionStage": "AWSPENDING", "RemoveFromVersionId": TOKEN}


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (PUT_SECRET_VALUE, PUT),
        (PUT_SECRET_VALUE, {**PUT, "VersionStages": ["AWSPENDING"]}),
        (UPDATE_SECRET, PUT),
        (UPDATE_SECRET_VERSION_STAGE, STAGE),
        (UPDATE_SECRET_VERSION_STAGE, {**STAGE, "MoveToVersionId": version_id(1)}),
        (CANCEL_ROTATE_SECRET, {"SecretId": "db"}),
        (DELETE_SECRET, {"SecretId": "db"}),
    ],
)
@pytest.mark.parametrize(
    "meanwhile", [False, True], ids=["in a pause", "in createSecret of the next attempt"]
)
def test_a_version_the_target_was_given_keeps_a_label_whoever_ends_its_rotation(
    room: RotationRoom, operation: Operation, request_: Mapping[str, Any], *, meanwhile: bool
) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.rotator.refused["test"] = RotationFault(FaultKind.UNREACHABLE, "the target is down")
    room.work()
    given = room.document(secret.arn, AWSPENDING)
    assert room.target.takes(given)
    task = None
    room.clock.pass_(seconds=4)
    if meanwhile:
        room.clock.pass_(seconds=1)
        task = room.take(secret.arn)
        assert task is not None
        assert task.step is Step.CREATE
    if meanwhile and operation is UPDATE_SECRET_VERSION_STAGE:
        refused(room, InvalidRequestException, operation, request_)
        return
    room.run(operation, request_)
    if task is not None:
        assert room.do(task) is None
    room.clock.pass_(days=3)
    room.work()
    assert room.labels(secret.arn)[ABANDONED] == TOKEN
    assert room.document(secret.arn, ABANDONED) == given
    assert room.history(secret.arn)[-1].outcome is Outcome.ABANDONED
    assert room.duty(secret.arn) is None or operation not in (CANCEL_ROTATE_SECRET, DELETE_SECRET)


def test_the_rotation_after_an_abandoned_one_opens_with_what_that_left_and_takes_its_label_off(
    room: RotationRoom,
) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.rotator.refused["test"] = RotationFault(FaultKind.UNREACHABLE, "the target is down")
    room.work()
    value = json.dumps({**room.document(secret.arn), "note": "as before, with a note"})
    room.run(PUT_SECRET_VALUE, {**PUT, "SecretString": value})
    room.rotator.refused.clear()
    room.run(ROTATE_SECRET, {**ROTATE, "ClientRequestToken": (third := "c" * 32)})
    room.work()
    assert room.labels(secret.arn) == {AWSCURRENT: third, AWSPREVIOUS: LATER_TOKEN}
    assert room.target.takes(room.document(secret.arn))
    assert room.document(secret.arn)["note"] == "as before, with a note"


def test_a_secret_with_all_its_labels_does_not_begin_to_rotate(room: RotationRoom) -> None:
    secret = room.add_rotated()
    for number in range(19):
        more = {"VersionStage": f"L{number}", "MoveToVersionId": version_id(1)}
        room.run(UPDATE_SECRET_VERSION_STAGE, {"SecretId": "db", **more})
    assert refused(room, LimitExceededException, ROTATE_SECRET, ROTATE) == (
        "You can't have more than 20 staging labels across all versions of a secret."
    )
    assert room.duty(secret.arn) is None


def test_a_rotation_broken_off_by_deletion_goes_on_when_the_secret_is_back(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, {each: ROTATE[each] for each in ("SecretId", "ClientRequestToken")})
    room.rotator.refused["test"] = RotationFault(FaultKind.UNREACHABLE, "the target is down")
    room.work()
    room.rotator.refused.clear()
    room.run(DELETE_SECRET, {"SecretId": "db"}, now=room.clock.now())
    room.clock.pass_(days=1)
    assert room.due() == []
    room.run(RESTORE_SECRET, {"SecretId": "db"}, now=room.clock.now())
    room.work()
    assert room.labels(secret.arn) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.target.takes(room.document(secret.arn))
    told = [each for each in room.events() if each.startswith("Rotation")]
    assert told == ["RotationStarted", "RotationFailed", "RotationStarted", "RotationSucceeded"]


def test_a_rotation_whose_target_knows_nothing_of_it_waits_for_its_turn_when_the_secret_is_back(
    room: RotationRoom,
) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.rotator.refused["create"] = RotationFault(FaultKind.SECRET, "no password can be made")
    room.work()
    room.run(DELETE_SECRET, {"SecretId": "db"}, now=room.clock.now())
    room.run(RESTORE_SECRET, {"SecretId": "db"}, now=room.clock.now())
    duty = room.duty(secret.arn)
    assert duty is not None
    assert (duty.run, duty.due_at > room.clock.now()) == (None, True)


@pytest.mark.parametrize("sent", [False, True])
def test_a_change_that_may_have_been_carried_out_waits_for_no_window(
    room: RotationRoom, *, sent: bool
) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.rotator.refused["set"] = RotationFault(FaultKind.UNREACHABLE, "it broke off", sent=sent)
    for _ in range(5):
        room.work()
        duty = room.duty(secret.arn)
        assert duty is not None
        room.clock.time = duty.due_at
    assert (room.clock.now() - NOON < dt.timedelta(hours=1)) is sent


def test_a_version_made_current_untried_takes_no_label_off(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.rotator.refused["test"] = RotationFault(FaultKind.UNREACHABLE, "the target is down")
    room.work()
    room.run(PUT_SECRET_VALUE, {**PUT, "SecretString": json.dumps(room.document(secret.arn))})
    room.run(ROTATE_SECRET, {**ROTATE, "ClientRequestToken": (third := "c" * 32)})
    task = room.take(secret.arn)
    assert task is not None
    room.do(task)
    move = {"VersionStage": "AWSCURRENT", "RemoveFromVersionId": LATER_TOKEN, "MoveToVersionId": third}
    room.release("process-2")
    room.run(UPDATE_SECRET_VERSION_STAGE, {"SecretId": "db", **move})
    room.work()
    assert room.labels(secret.arn) == {AWSCURRENT: third, AWSPREVIOUS: LATER_TOKEN, ABANDONED: TOKEN}
    assert room.target.takes(room.document(secret.arn, ABANDONED))


def test_cancelling_lets_the_step_under_way_be_the_last(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    assert task is not None
    answer = room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    assert answer["VersionId"] == TOKEN
    take_off = {"SecretId": "db", "VersionStage": "AWSPENDING", "RemoveFromVersionId": TOKEN}
    assert refused(room, InvalidRequestException, UPDATE_SECRET_VERSION_STAGE, take_off) == (
        "You can't remove the staging label AWSPENDING while a step of the rotation is being done. Call "
        "CancelRotateSecret, and try again in a moment."
    )
    assert room.do(task) is None
    assert room.rotator.begun == ["create"]
    assert room.duty(secret.arn) is None
    assert room.labels(secret.arn) == {AWSCURRENT: version_id(1), AWSPENDING: TOKEN}
    room.run(UPDATE_SECRET_VERSION_STAGE, take_off)
    room.run(ROTATE_SECRET, {**ROTATE, "ClientRequestToken": LATER_TOKEN})
    room.work()
    assert room.labels(secret.arn)[AWSCURRENT] == LATER_TOKEN


def test_cancelling_what_waits_ends_it_at_once(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.run(CANCEL_ROTATE_SECRET, {"SecretId": "db"})
    assert room.duty(secret.arn) is None
    room.work()
    assert room.rotator.begun == []
    [record] = room.history(secret.arn)
    assert (record.outcome, record.message) == (Outcome.ABANDONED, "Rotation was turned off.")


def test_a_deleted_secret_is_left_alone_and_a_restored_one_rotates_again(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.run(DELETE_SECRET, {"SecretId": "db"})
    room.clock.pass_(days=40)
    room.work()
    assert room.rotator.begun == []
    assert room.duty(secret.arn) is None
    room.run(RESTORE_SECRET, {"SecretId": "db"})
    room.work()
    assert room.rotator.begun == ["create", "set", "test", "finish"]
    assert room.labels(secret.arn)[AWSCURRENT] == TOKEN, (
        "the rotation that was not complete is attempted again"
    )
    room.run(DELETE_SECRET, {"SecretId": "db", "ForceDeleteWithoutRecovery": True})
    assert room.duty(secret.arn) is None
    assert room.history(secret.arn) == []


def test_a_manual_change_puts_the_next_rotation_off(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    room.work()
    room.clock.pass_(days=10)
    value = json.dumps(room.document(secret.arn))
    room.run(
        PUT_SECRET_VALUE,
        {"SecretId": "db", "ClientRequestToken": LATER_TOKEN, "SecretString": value},
        now=room.clock.now(),
    )
    room.rotator.begun.clear()
    room.clock.time = NOON + dt.timedelta(days=31)
    room.work()
    assert room.rotator.begun == []
    duty = room.duty(secret.arn)
    assert duty is not None
    assert duty.due_at.date() == (NOON + dt.timedelta(days=40)).date()
    room.clock.time = duty.due_at
    room.work()
    assert room.rotator.begun == ["create", "set", "test", "finish"]


def test_replicas_follow_each_label(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(REPLICATE_SECRET_TO_REGIONS, {"SecretId": "db", "AddReplicaRegions": [{"Region": PARIS}]})
    room.run(ROTATE_SECRET, ROTATE)
    in_paris = secret.arn.replace("eu-central-1", PARIS)
    assert room.labels(in_paris) == {AWSCURRENT: version_id(1), AWSPENDING: TOKEN}
    room.work()
    assert room.labels(in_paris) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.values(in_paris) == room.values(secret.arn)
    assert [each.status for each in room.secret(secret.arn).replicas] == ["InSync"]


# RotateImmediately false


def test_a_test_runs_one_step_on_a_copy_and_takes_its_label_off(room: RotationRoom) -> None:
    secret = room.add_rotated()
    told: list[bool] = []
    room.rotator.before = lambda _, material: told.append(material.test_only)
    room.run(ROTATE_SECRET, {**ROTATE, "RotateImmediately": False})
    assert room.document(secret.arn, AWSPENDING) == room.document(secret.arn)
    room.work()
    assert room.rotator.begun == ["test"]
    assert told == [True]
    assert room.labels(secret.arn) == {AWSCURRENT: version_id(1)}
    assert room.events() == ["TestRotationStarted", "TestRotationSucceeded"]
    rotation = room.secret(secret.arn).rotation
    assert rotation is not None
    assert rotation.last_rotated_at is None
    duty = room.duty(secret.arn)
    assert duty is not None
    assert duty.run is None


@pytest.mark.parametrize("member", [{"type": "Partner"}, {"owning_service": "partner"}])
def test_a_managed_secret_that_nothing_here_rotates_keeps_its_configuration_and_is_left_alone(
    room: RotationRoom, member: dict[str, str]
) -> None:
    secret = replace(room.add_secret("db", ["a value of the partner's"]), **member)
    room.unit.save_secret(secret)
    room.run(ROTATE_SECRET, ROTATE)
    assert room.duty(secret.arn) is None
    room.clock.pass_(days=60)
    room.work()
    assert room.events() == []
    assert room.labels(secret.arn) == {AWSCURRENT: version_id(1)}
    rotation = room.secret(secret.arn).rotation
    assert rotation is not None
    assert rotation.enabled
    assert rotation.next_rotation_at is not None
    room.run(ROTATE_SECRET, {**ROTATE, "ClientRequestToken": LATER_TOKEN})


def test_a_failed_test_keeps_the_configuration_and_is_not_made_again(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.target.passwords["bob"] = "another"
    room.run(ROTATE_SECRET, {**ROTATE, "RotateImmediately": False})
    room.work()
    assert room.events() == ["TestRotationStarted", "TestRotationFailed"]
    assert room.labels(secret.arn) == {AWSCURRENT: version_id(1)}
    rotation = room.secret(secret.arn).rotation
    assert rotation is not None
    assert rotation.enabled
    room.clock.pass_(hours=1)
    room.work()
    assert room.rotator.begun == ["test"]


# By a function


def _template(room: RotationRoom) -> None:
    """A function after the contract of AWS's templates (section 8)."""

    def handler(event: Mapping[str, Any]) -> None:
        arn, token = event["SecretId"], event["ClientRequestToken"]
        secret = room.secret(arn)
        assert token in secret.labels.values(), f"Secret version {token} has no stage for rotation"
        if secret.labels[AWSCURRENT] == token:
            return
        assert secret.labels[AWSPENDING] == token
        if event["Step"] == "createSecret" and room.unit.version(arn, token) is None:
            value = {**room.document(arn), "password": f"new-{token}"}
            room.run(
                PUT_SECRET_VALUE,
                {
                    "SecretId": arn,
                    "ClientRequestToken": token,
                    "SecretString": json.dumps(value),
                    "VersionStages": ["AWSPENDING"],
                    "RotationToken": event["RotationToken"],
                },
            )
        if event["Step"] == "setSecret":
            pending = room.document(arn, AWSPENDING)
            room.target.passwords[pending["username"]] = pending["password"]
        if event["Step"] == "testSecret":
            assert room.target.takes(room.document(arn, AWSPENDING))
        if event["Step"] == "finishSecret":
            room.run(
                UPDATE_SECRET_VERSION_STAGE,
                {
                    "SecretId": arn,
                    "VersionStage": "AWSCURRENT",
                    "MoveToVersionId": token,
                    "RemoveFromVersionId": secret.labels[AWSCURRENT],
                },
            )

    room.functions.handler = handler


def test_a_function_is_told_each_step_and_ends_the_rotation(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.add_function()
    _template(room)
    room.run(ROTATE_SECRET, {**ROTATE, "RotationLambdaARN": FUNCTION})
    room.work()
    events = [json.loads(each.event) for each in room.functions.invocations]
    assert [each["Step"] for each in events] == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert {(each["SecretId"], each["ClientRequestToken"]) for each in events} == {(secret.arn, TOKEN)}
    assert len({each["RotationToken"] for each in events}) == 1
    assert re.fullmatch("[a-zA-Z0-9-]{36,256}", events[0]["RotationToken"])
    assert room.labels(secret.arn) == {AWSCURRENT: TOKEN, AWSPREVIOUS: version_id(1)}
    assert room.target.takes(room.document(secret.arn))
    assert room.rotator.begun == [], "the function comes before what the value names"
    [record] = room.history(secret.arn)
    assert (record.outcome, record.way) == (Outcome.SUCCEEDED, FUNCTION)


def test_a_functions_failure_is_told_in_awss_words_and_nothing_it_said(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.add_function()

    def handler(event: Mapping[str, Any]) -> None:
        raise KeyError("Canary-In-A-Message")

    room.functions.handler = handler
    room.run(ROTATE_SECRET, {**ROTATE, "RotationLambdaARN": FUNCTION})
    room.work()
    event = room.last_event("RotationFailed")
    assert event["errorMessage"] == f"Error when executing lambda {FUNCTION} during createSecret step"
    [record] = room.history(secret.arn)
    assert record.message == (
        "the function rotate ended createSecret with KeyError; see 'strongroom function logs rotate'"
    )
    assert b"Canary" not in b"".join(room.unit.events)


def test_a_function_that_makes_no_value_has_not_done_its_first_step(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.add_function()
    room.run(ROTATE_SECRET, {**ROTATE, "RotationLambdaARN": FUNCTION})
    room.work()
    [record] = room.history(secret.arn)
    assert (record.outcome, record.step) == (Outcome.FAILED, Step.CREATE)
    assert record.message == "createSecret ended without a value under AWSPENDING."
    assert room.labels(secret.arn) == {AWSCURRENT: version_id(1), AWSPENDING: TOKEN}


def test_a_function_that_lets_the_service_in_no_longer_fails_the_rotation(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.add_function()
    room.run(ROTATE_SECRET, {**ROTATE, "RotationLambdaARN": FUNCTION})
    room.admit(Arn(FUNCTION), "s3.amazonaws.com")
    room.work()
    assert room.functions.invocations == []
    [record] = room.history(secret.arn)
    assert record.message == (
        f"the policy of the function {FUNCTION} does not let secretsmanager.amazonaws.com in"
    )


@pytest.mark.parametrize("token", ["x" * 43, None], ids=["another token", "that of an earlier attempt"])
def test_a_rotation_token_that_is_not_the_attempts_is_refused(room: RotationRoom, token: str | None) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, ROTATE)
    task = room.take(secret.arn)
    assert task is not None
    if token is None:
        room.fail(task, STUCK)
        room.clock.pass_(seconds=5)
        assert room.take(secret.arn) is not None
    request = {
        "SecretId": "db",
        "ClientRequestToken": TOKEN,
        "SecretString": "{}",
        "VersionStages": ["AWSPENDING"],
        "RotationToken": token or task.rotation_token,
    }
    assert refused(room, InvalidRequestException, PUT_SECRET_VALUE, request) == (
        "The RotationToken is not that of a rotation of this secret that is under way."
    )


def test_a_new_schedule_without_a_rotation_does_not_cancel_what_is_scheduled(room: RotationRoom) -> None:
    secret = room.add_rotated()
    room.run(ROTATE_SECRET, {**ROTATE, "RotationRules": {"AutomaticallyAfterDays": 2}})
    room.work()
    before = room.secret(secret.arn).rotation
    slower = {**ROTATE, "ClientRequestToken": LATER_TOKEN, "RotateImmediately": False}
    room.run(ROTATE_SECRET, slower)
    room.work()
    after = room.secret(secret.arn).rotation
    assert before is not None
    assert after is not None
    assert after.next_rotation_at == before.next_rotation_at
    assert after.rules != before.rules
