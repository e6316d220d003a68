"""Recorded calls decided again: held against the decisions of calls in every context that fits the record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from strongroom.identity.principal import user_identity
from strongroom.names import AccountId, Arn, Region
from strongroom.operations.authorize import allowed
from strongroom.operations.changed import ChangedUnit
from strongroom.operations.changes import Change, ChangeError, ChangeKind, changed_records
from strongroom.operations.datakeys import opening_target
from strongroom.operations.recorded import SessionGiven, given_to_sessions, recorded_call, recorded_subject
from strongroom.operations.replay import Outcome, Replay, Replayed
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.ports import GROUPS, KMS_KEYS, MANAGED_POLICIES, ROLES, SECRET_POLICIES, USERS, account_region
from strongroom.secret.records import SecretPolicy
from support.key_room import allow, deny, policy
from support.memory_unit import MemoryUnit
from support.permission_world import (
    ACCOUNT,
    CHANGES,
    DOCUMENTS,
    GET,
    GROUP_ID,
    KEY_ARN,
    KEY_ID,
    NOON,
    OTHER,
    POLICY_ARNS,
    PRINCIPALS,
    REGION,
    RESOURCE_DOCUMENTS,
    ROLE_ARN,
    ROLE_ID,
    SECRET_ARN,
    SESSION_ARN,
    a_role,
    a_user,
)
from support.reach_room import RESOURCES, VERSION, a_call, a_world, with_value

KNOWN = {
    "ASIAROLE": SessionGiven(None, (), {}),
    "ASIANARROW": SessionGiven((DOCUMENTS[1],), POLICY_ARNS[:1], {}),
}
"""What the sessions of `PRINCIPALS` were made with."""
PEOPLE = ("root", "ann", "eve", "role", "narrowed role")
TO_ALL = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def an_event(who: str = "ann", *, refused: bool = False, **members: Any) -> dict[str, Any]:
    return {
        "userIdentity": user_identity(PRINCIPALS[who]),
        "eventTime": "2026-01-01T12:00:00Z",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "GetSecretValue",
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "Boto3",
        **({"errorCode": "AccessDenied"} if refused else {}),
        "requestParameters": None if refused else {"secretId": "prod/db"},
        "eventID": "e",
        "resources": [{"ARN": SECRET_ARN}],
        "eventType": "AwsApiCall",
        **members,
    }


def replayed(unit: Any, changed: Any, event: dict[str, Any], sessions: Any = KNOWN) -> Replayed:
    replay = Replay(RESOURCES, sessions, NOON)
    replay.look_at(unit, changed)
    return replay.outcome(event)


# Equal to what calls hear


def decided(unit: Any, who: str, address: str, secure: str) -> bool:
    call = a_call(
        PRINCIPALS[who],
        **{"aws:SourceIp": address, "aws:SecureTransport": secure, "aws:CurrentTime": "2026-01-01T12:00:00Z"},
    )
    version = unit.version(SECRET_ARN, VERSION)
    key = opening_target(call, unit, version, region=REGION, account_id=ACCOUNT)
    assert key is not None
    both = (secret_target(call, unit, SECRET_ARN, GET), key)
    return all(allowed(call, unit, each).allowed for each in both)


TLS = policy(allow("*"), deny("*", Condition={"Bool": {"aws:SecureTransport": "false"}}))


UNREADABLE_KEY = [("key policy", 439)]


@example(UNREADABLE_KEY, "key", 55, "ann", "192.0.2.1", False)
@example(UNREADABLE_KEY, "key", 55, "ann", "192.0.2.1", True)
@example(UNREADABLE_KEY, "key", 0, "ann", "192.0.2.1", True)
@settings(max_examples=200, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 5_000)), max_size=6),
    st.sampled_from(["user", "role", "group", "secret", "key"]),
    st.integers(0, 100),
    st.sampled_from(PEOPLE),
    st.sampled_from(["10.1.1.1", "192.0.2.1"]),
    st.booleans(),
)
def test_an_outcome_is_what_calls_would_hear(
    changes: list[tuple[str, int]], what: str, choice: int, who: str, address: str, refused: bool
) -> None:
    unit = a_world()
    for name, number in changes:
        CHANGES[name](unit, number)
    with_value(unit)
    changed = ChangedUnit(unit, a_change(unit, what, choice))
    event = an_event(who, refused=refused, sourceIPAddress=address)
    found = replayed(unit, changed, event)
    if found.outcome is Outcome.NOT_REPLAYED:
        assert found.why[0].endswith("that is gone")
        return
    outcomes = {
        (decided(unit, who, address, secure), decided(changed, who, address, secure))
        for secure in ("true", "false")
    }
    fitting = {(was, now) for was, now in outcomes if was is not refused}
    if not fitting:
        same = all(was == now for was, now in outcomes)
        assert found.outcome is (Outcome.UNCHANGED if same else Outcome.UNDECIDED)
    elif all(was == now for was, now in fitting):
        assert found.outcome is Outcome.UNCHANGED
    elif any(was == now for was, now in fitting):
        assert (found.outcome, found.why) == (Outcome.UNDECIDED, ("aws:SecureTransport",))
    else:
        assert found.outcome is (Outcome.NEWLY_ALLOWED if refused else Outcome.NEWLY_REFUSED)


def a_change(unit: MemoryUnit, what: str, choice: int) -> dict[Any, Any]:
    document = (*DOCUMENTS[:-1], TLS)[choice % len(DOCUMENTS)]
    pinned = RESOURCE_DOCUMENTS[choice % (len(RESOURCE_DOCUMENTS) - 2) + 1]
    assert pinned is not None
    if what == "user":
        user = unit.find(USERS, ACCOUNT, PRINCIPALS["ann"].principal_id) or a_user(ACCOUNT)
        return {USERS: replace(user, policies={**user.policies, "p": document})}
    if what == "role":
        role = unit.find(ROLES, ACCOUNT, ROLE_ID) or a_role()
        return {ROLES: replace(role, policies={**role.policies, "p": document})}
    if what == "group":
        group = unit.find(GROUPS, ACCOUNT, GROUP_ID)
        return {} if group is None else {GROUPS: replace(group, policies={"g": document})}
    if what == "secret":
        return {SECRET_POLICIES: SecretPolicy(secret_arn=SECRET_ARN, policy_name="default", document=pinned)}
    key = unit.find(KMS_KEYS, account_region(ACCOUNT, REGION), KEY_ID)
    assert key is not None
    return {KMS_KEYS: replace(key, policy=pinned)}


# What records tell, and what they do not


def test_a_refusal_of_a_session_whose_policies_are_not_on_record_is_undecided() -> None:
    unit = a_world()
    unit.save(ROLES, a_role(policies={}))
    changed = ChangedUnit(unit, {ROLES: a_role(policies={"p": DOCUMENTS[0]})})
    event = an_event("role", refused=True)
    assert replayed(unit, changed, event).outcome is Outcome.NEWLY_ALLOWED
    found = replayed(unit, changed, event, {})
    assert (found.outcome, found.why) == (Outcome.UNDECIDED, ("session policies",))
    assert found.principal == ROLE_ARN
    # What was let through before, no policy of its session refuses.
    back = replayed(changed, unit, an_event("role"), {})
    assert back.outcome is Outcome.NEWLY_REFUSED


def test_a_label_on_record_counts_and_one_that_is_not_on_record_is_open() -> None:
    unit = a_world()
    current = allow(GET, Condition={"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}})
    document = policy(current, allow("kms:*"))
    changed = ChangedUnit(unit, {USERS: a_user(ACCOUNT, policies={"p": document})})
    with_label = an_event(requestParameters={"secretId": "prod/db", "versionStage": "AWSCURRENT"})
    assert replayed(unit, changed, with_label).outcome is Outcome.UNCHANGED
    assert replayed(unit, changed, an_event()).outcome is Outcome.NEWLY_REFUSED
    nothing = MemoryUnit()
    nothing.restore(unit.state())
    nothing.save(USERS, a_user(ACCOUNT, policies={}))
    found = replayed(nothing, changed, an_event(refused=True))
    assert (found.outcome, found.why) == (Outcome.UNDECIDED, ("secretsmanager:VersionStage",))


def test_a_record_that_what_is_stored_now_contradicts_is_undecided() -> None:
    unit = a_world()
    changed = ChangedUnit(unit, {USERS: a_user(ACCOUNT, policies={})})
    found = replayed(unit, changed, an_event(refused=True))
    assert (found.outcome, found.why) == (Outcome.UNDECIDED, ("what was stored then",))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"eventType": "AwsServiceEvent"}, "no call that policies decide"),
        ({"eventSource": "s3.amazonaws.com"}, "no call that policies decide"),
        (
            {"eventSource": "sts.amazonaws.com", "eventName": "GetCallerIdentity"},
            "no call that policies decide",
        ),
        ({"userIdentity": {"type": "AWSAccount"}}, "another account's record of a call"),
        ({"errorCode": "ResourceNotFoundException"}, "failed for another reason than policies"),
        ({"resources": []}, "names no resource that exists"),
        ({"resources": [{"ARN": KEY_ARN}]}, "names no resource that exists"),
        ({"resources": [{"ARN": f"{SECRET_ARN}x"}]}, "names a resource that is gone"),
        ({"userIdentity": {"type": "Unknown"}}, "made by nobody who signed it"),
        (
            {"userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "principalId": "AIDAGONE"}},
            "made by a user that is gone",
        ),
        ({"userIdentity": {"type": "AssumedRole", "accountId": ACCOUNT}}, "made with a role that is gone"),
        (
            {"userIdentity": {"type": "FederatedUser", "accountId": ACCOUNT}},
            "made by a federated user whose policies are not on record",
        ),
    ],
)
def test_a_record_that_cannot_be_decided_again_says_why(members: dict[str, Any], why: str) -> None:
    unit = a_world()
    found = replayed(unit, unit, an_event(**members))
    assert (found.outcome, found.why) == (Outcome.NOT_REPLAYED, (why,))


def test_calls_on_nothing_in_particular_are_asked_on_everything() -> None:
    found = recorded_call(an_event(eventName="ListSecrets", resources=[]))
    assert not isinstance(found, str)
    assert (found.action, found.resources, found.allowed) == ("secretsmanager:ListSecrets", ("*",), True)


def test_what_a_record_tells_of_its_connection_is_known_and_the_rest_is_open() -> None:
    unit = a_world()
    made = recorded_subject(unit, an_event(), {})
    assert not isinstance(made, str)
    assert made[0].context["aws:SourceIp"] == "192.0.2.1"
    assert made[0].context["aws:EpochTime"] == "1767268800"
    assert made[0].opened == {"aws:securetransport"}
    through = an_event(vpcEndpointId="vpce-1", tlsDetails={"tlsVersion": "TLSv1.3"}, userAgent="x" * 1024)
    made = recorded_subject(unit, through, {})
    assert not isinstance(made, str)
    assert made[0].context["aws:SourceVpce"] == "vpce-1"
    assert made[0].context["aws:SecureTransport"] == "true"
    assert "aws:SourceIp" not in made[0].context
    assert made[0].opened == {"aws:sourcevpc", "aws:useragent"}


def made_by(name: str, key: str, caller: str = "AKIA1", **request: Any) -> dict[str, Any]:
    return {
        "eventName": name,
        "userIdentity": {"accessKeyId": caller},
        "requestParameters": request or None,
        "responseElements": {"credentials": {"accessKeyId": key}},
    }


def test_sessions_have_the_tags_that_the_sessions_before_them_hand_on() -> None:
    document, arn = policy(allow("*")), POLICY_ARNS[0]
    events = [
        made_by("AssumeRole", "ASIA2", "ASIA1", tags=[{"key": "b", "value": "2"}], policy=document),
        made_by(
            "AssumeRole",
            "ASIA1",
            tags=[{"key": "a", "value": "1"}, {"key": "x", "value": "0"}],
            transitiveTagKeys=["a"],
        ),
        made_by("AssumeRole", "ASIA3", "ASIA2", policyArns=[{"arn": arn}]),
        made_by("AssumeRole", "ASIA4", "ASIAUNKNOWN"),
        made_by("AssumeRoleWithWebIdentity", "ASIA5"),
        {"eventName": "AssumeRole", "responseElements": None},
    ]
    found = given_to_sessions(events)
    assert found["ASIA1"] == SessionGiven(None, (), {"a": "1", "x": "0"}, ("a",))
    assert found["ASIA2"] == SessionGiven((document,), (), {"a": "1", "b": "2"}, ("a",))
    assert found["ASIA3"] == SessionGiven((), (arn,), {"a": "1"}, ("a",))
    assert (found["ASIA4"].tags, found["ASIA5"].tags) == (None, None)
    assert set(found) == {f"ASIA{number}" for number in range(1, 6)}


# What would be changed


REGIONS = (REGION, Region("us-east-1"))


def would_be(unit: MemoryUnit, kind: ChangeKind, name: str, document: str, **members: Any) -> Any:
    before = unit.state()
    (record,) = changed_records(unit, Change(kind, name, document, regions=REGIONS, **members)).values()
    assert unit.state() == before
    return record


def test_a_policy_is_put_where_it_would_be_kept() -> None:
    unit = a_world()
    document = policy(allow("*"))
    assert would_be(unit, ChangeKind.USER, "Ann", document).policies == {"p": document}
    assert would_be(unit, ChangeKind.USER, "ann", document, policy_name="q").policies.keys() == {"p", "q"}
    assert would_be(unit, ChangeKind.GROUP, "devs", document).policies == {"g": document}
    assert would_be(unit, ChangeKind.MANAGED, POLICY_ARNS[0], document).document == document
    named = policy({**TO_ALL, "Principal": {"AWS": ROLE_ARN}})
    pinned = named.replace(ROLE_ARN, ROLE_ID)
    for name in ("prod/db", SECRET_ARN):
        record = would_be(unit, ChangeKind.SECRET, name, named)
        assert (record.secret_arn, record.policy_name) == (SECRET_ARN, "default")
        assert policy_of(record.document) == policy_of(pinned)
    for name in (KEY_ID, KEY_ARN):
        assert policy_of(would_be(unit, ChangeKind.KEY, name, named).policy) == policy_of(pinned)
    trust = policy({"Effect": "Allow", "Principal": {"AWS": SESSION_ARN}, "Action": "sts:AssumeRole"})
    assert would_be(unit, ChangeKind.TRUST, ROLE_ARN, trust).trust_policy == trust


def policy_of(document: str) -> Any:

    return json.loads(document)


@pytest.mark.parametrize(
    ("kind", "name", "document", "message"),
    [
        (ChangeKind.USER, "nobody", policy(allow("*")), "There is no user nobody."),
        (
            ChangeKind.USER,
            "ann",
            policy(TO_ALL),
            "The policy is not one for a user: Policy document should not",
        ),
        (ChangeKind.USER, "ann", "{", "The policy is not one for a user: This policy contains invalid Json"),
        (
            ChangeKind.SECRET,
            "prod/db",
            policy(allow("*")),
            "The policy is not one for a secret: Statement 1 must",
        ),
        (ChangeKind.SECRET, "a b", policy(TO_ALL), "Invalid name. Must be a valid name"),
        (ChangeKind.KEY, "nothing", policy(TO_ALL), "nothing cannot be the name of a key."),
        (ChangeKind.KEY, "alias/none", policy(TO_ALL), "There is no key alias/none."),
        (
            ChangeKind.MANAGED,
            "arn:aws:iam::aws:policy/SecretsManagerReadWrite",
            policy(allow("*")),
            "arn:aws:iam::aws:policy/SecretsManagerReadWrite is AWS's own: nobody can change it.",
        ),
        (
            ChangeKind.SECRET,
            "prod/db",
            policy({**TO_ALL, "Principal": {"AWS": "999999999999"}}),
            "The policy names 999999999999, which may not stand there or does not exist.",
        ),
    ],
)
def test_what_cannot_be_changed_is_said(kind: ChangeKind, name: str, document: str, message: str) -> None:
    unit = a_world()
    with pytest.raises(ChangeError) as refused:
        changed_records(unit, Change(kind, name, document, regions=REGIONS))
    assert str(refused.value).startswith(message)


def test_a_name_in_two_accounts_has_to_be_told_apart() -> None:
    unit = a_world()
    unit.save(USERS, replace(a_user(OTHER), user_name="ann", arn=Arn(f"arn:aws:iam::{OTHER}:user/ann")))
    with pytest.raises(ChangeError) as refused:
        would_be(unit, ChangeKind.USER, "ann", policy(allow("*")))
    assert str(refused.value) == "2 accounts or Regions have a user ann: say which."
    chosen = would_be(unit, ChangeKind.USER, "ann", policy(allow("*")), accounts=(AccountId(OTHER),))
    assert chosen.account_id == OTHER


def test_a_changed_unit_gives_the_changed_record_by_whatever_it_is_found() -> None:
    unit = a_world()
    after = ChangedUnit(unit, {USERS: a_user(ACCOUNT, user_name="anna")})
    user_id = PRINCIPALS["ann"].principal_id
    found = after.find(USERS, ACCOUNT, user_id)
    assert found is not None
    assert found.user_name == "anna"
    assert after.find_alternate(USERS, ACCOUNT, "anna") is found
    assert [each.user_name for each in after.scan(USERS, ACCOUNT)] == ["anna"]
    assert after.scan(USERS, ACCOUNT, prefix="b") == []
    assert after.scan(USERS, OTHER) == unit.scan(USERS, OTHER)
    assert after.find(MANAGED_POLICIES, ACCOUNT, POLICY_ARNS[0]) is unit.find(
        MANAGED_POLICIES, ACCOUNT, POLICY_ARNS[0]
    )
    assert after.secret(SECRET_ARN) is unit.secret(SECRET_ARN)
    assert unit.find(USERS, ACCOUNT, user_id) is not found


class Marked(ChangedUnit):
    """A unit that says its mark."""

    def __init__(self, unit: MemoryUnit, mark: int) -> None:
        super().__init__(unit, {})
        self._mark = mark

    @property
    def mark(self) -> int | None:
        return self._mark


def test_what_was_found_out_is_kept_only_while_nothing_was_committed() -> None:
    unit = a_world()
    replay = Replay(RESOURCES, KNOWN, NOON)

    def outcome(mark: int) -> Outcome:
        view = Marked(unit, mark)
        replay.look_at(view, ChangedUnit(view, {USERS: a_user(ACCOUNT, policies={})}))
        return replay.outcome(an_event(refused=True)).outcome

    assert outcome(1) is Outcome.UNDECIDED
    unit.save(USERS, a_user(ACCOUNT, policies={}))
    assert outcome(1) is Outcome.UNDECIDED
    assert outcome(2) is Outcome.UNCHANGED


def test_calls_that_differ_in_what_no_policy_reads_are_decided_once_and_others_each() -> None:
    unit = a_world()
    near = policy(allow("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    replay = Replay(RESOURCES, KNOWN, NOON)
    replay.look_at(unit, ChangedUnit(unit, {USERS: a_user(ACCOUNT, policies={"p": near})}))
    found = [
        replay.outcome(an_event(sourceIPAddress=address, userAgent=agent, eventTime=time)).outcome
        for address in ("10.0.0.1", "192.0.2.1", "10.0.0.2")
        for agent in ("one", "two")
        for time in ("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
    ]
    assert found == [Outcome.UNCHANGED] * 4 + [Outcome.NEWLY_REFUSED] * 4 + [Outcome.UNCHANGED] * 4
