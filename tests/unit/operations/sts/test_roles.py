"""AssumeRole: whom roles let in, what a session is given, and what each refusal says."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson
import pytest

from strongroom.errors import (
    AccessDeniedException,
    InvalidContextAssertionException,
    InvalidParameterValueException,
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    ServiceError,
    ValidationException,
)
from strongroom.identity.principal import Principal
from strongroom.identity.records import ManagedPolicy, PolicyVersion
from strongroom.names import AccountId, policy_arn, role_arn, root_arn
from strongroom.operations.authorize import authorize
from strongroom.operations.sts.roles import ASSUME_ROLE
from strongroom.ports import MANAGED_POLICIES
from support.key_room import ACCOUNT, NOON, OTHER_ACCOUNT, allow, deny, policy, root
from support.session_room import SessionRoom, trusting

CREATE, LIST = "secretsmanager:CreateSecret", "secretsmanager:ListSecrets"
MORE_THAN_ITS = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


@pytest.fixture
def room() -> SessionRoom:
    return SessionRoom()


@pytest.fixture
def bob(room: SessionRoom) -> Principal:
    return room.user_with_key("bob", allow("sts:*"))


def refusal(room: SessionRoom, error: type[ServiceError], caller: Principal, role: str, **more: Any) -> str:
    return room.refused(
        error, ASSUME_ROLE, {"RoleArn": role, "RoleSessionName": "run", **more}, principal=caller
    )


def not_authorized(caller: Principal, action: str, role: str) -> str:
    return f"User: {caller.arn} is not authorized to perform: {action} on resource: {role}"


def test_the_answer(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy", path="/ci/")
    answered = room.run(ASSUME_ROLE, {"RoleArn": role.arn, "RoleSessionName": "run"}, principal=bob)
    given = answered.pop("Credentials")
    assert answered == {
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.role_id}:run",
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run",
        }
    }
    assert given["Expiration"] == NOON + dt.timedelta(hours=1)
    assert len(given["SecretAccessKey"]) == 40
    assert given["AccessKeyId"].startswith("ASIA")
    assert len(given["AccessKeyId"]) == 20


# --- who


def test_whoever_the_trust_policy_names_needs_nothing_else(room: SessionRoom) -> None:
    eve = room.user_with_key("eve")
    role = room.role("deploy", trusting(eve.arn))
    assert room.session(room.assume(eve, role)).role_id == role.role_id


def test_a_role_that_trusts_the_account_asks_the_callers_policies(room: SessionRoom, bob: Principal) -> None:
    role, eve = room.role("deploy"), room.user_with_key("eve")
    room.assume(bob, role)
    assert refusal(room, AccessDeniedException, eve, role.arn) == not_authorized(
        eve, "sts:AssumeRole", role.arn
    )


def test_roles_that_refuse_and_roles_that_are_not_there_sound_the_same(room: SessionRoom) -> None:
    bob = room.user_with_key("bob", allow("sts:*"))
    barred = room.user_with_key("barred", allow("sts:*"), deny("sts:AssumeRole"))
    room.role("other", trusting("AIDANOBODY0000000000"))
    room.role("closed", trusting(root_arn(ACCOUNT)), {**trusting("*"), "Effect": "Deny"})
    room.role("path", path="/ci/")
    room.role("abroad", trusting(root_arn(OTHER_ACCOUNT)), account_id=OTHER_ACCOUNT)
    for caller, names in ((bob, ("other", "closed", "absent", "path")), (barred, ("other", "absent"))):
        for name in names:
            arn = role_arn(ACCOUNT, "/", name)
            assert refusal(room, AccessDeniedException, caller, arn) == not_authorized(
                caller, "sts:AssumeRole", arn
            )
    for name in ("abroad", "absent"):
        arn = role_arn(OTHER_ACCOUNT, "/", name)
        assert refusal(room, AccessDeniedException, bob, arn) == not_authorized(bob, "sts:AssumeRole", arn)


def test_across_accounts_both_sides_must_agree(room: SessionRoom, bob: Principal) -> None:
    role = room.role("guest", trusting(root_arn(ACCOUNT)), account_id=OTHER_ACCOUNT)
    session = room.session(room.assume(bob, role))
    assert session.account_id == OTHER_ACCOUNT
    eve = room.user_with_key("eve")
    assert refusal(room, AccessDeniedException, eve, role.arn).startswith(f"User: {eve.arn} is not")
    named = room.role("named", trusting(eve.arn), account_id=OTHER_ACCOUNT)
    assert refusal(room, AccessDeniedException, eve, named.arn) == not_authorized(
        eve, "sts:AssumeRole", named.arn
    )


def test_the_root_user_may_not(room: SessionRoom) -> None:
    role = room.role("deploy", trusting(root_arn(ACCOUNT)))
    for arn in (role.arn, role_arn(ACCOUNT, "/", "absent")):
        assert (
            refusal(room, AccessDeniedException, root(), arn) == "Roles may not be assumed by root accounts."
        )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::111122223333:user/bob",
        "arn:aws:iam::aws:role/deploy-roles",
        "arn:aws:iam:eu-central-1:111122223333:role/x",
        "arn:aws:sts::111122223333:assumed-role/deploy/run",
        "not-an-arn-but-long-enough",
    ],
)
def test_what_is_no_role_is_invalid(room: SessionRoom, bob: Principal, arn: str) -> None:
    assert refusal(room, ValidationException, bob, arn) == f"{arn} is invalid"


def test_a_session_name_of_other_characters_is_invalid(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy")
    for name in ("with space", "slash/ed", "Кирил", "x" * 65, "x"):
        message = refusal(room, ValidationException, bob, role.arn, RoleSessionName=name)
        assert "at 'roleSessionName' failed to satisfy constraint" in message


# --- conditions


@pytest.mark.parametrize(
    ("condition", "right", "wrong"),
    [
        ({"sts:ExternalId": "77"}, {"ExternalId": "77"}, {"ExternalId": "78"}),
        ({"sts:ExternalId": "77"}, {"ExternalId": "77"}, {}),
        ({"sts:RoleSessionName": "run"}, {}, {"RoleSessionName": "other"}),
        ({"aws:RequestTag/team": "blue"}, {"Tags": [{"Key": "team", "Value": "blue"}]}, {}),
        ({"sts:SourceIdentity": "eve"}, {"SourceIdentity": "eve"}, {"SourceIdentity": "mallory"}),
        ({"aws:username": "bob"}, {}, None),
        ({"aws:ResourceTag/env": "prod"}, {}, None),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_conditions_of_the_trust_policy(
    room: SessionRoom,
    bob: Principal,
    condition: dict[str, str],
    right: dict[str, Any],
    wrong: dict[str, Any] | None,
) -> None:
    every = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    role = room.role(
        "deploy",
        trusting(bob.arn, actions=every, Condition={"StringEquals": condition}),
        tags={"env": "prod"},
    )
    room.assume(bob, role, **right)
    if wrong is not None:
        assert refusal(room, AccessDeniedException, bob, role.arn, **wrong) == not_authorized(
            bob, "sts:AssumeRole", role.arn
        )


def test_tags_and_source_identity_need_their_own_permission(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy", trusting(bob.arn))
    for action, more in (
        ("sts:TagSession", {"Tags": [{"Key": "team", "Value": "blue"}]}),
        ("sts:SetSourceIdentity", {"SourceIdentity": "bob"}),
    ):
        assert refusal(room, AccessDeniedException, bob, role.arn, **more) == not_authorized(
            bob, action, role.arn
        )


# --- how long


def test_durations(room: SessionRoom, bob: Principal) -> None:
    short, long = room.role("short"), room.role("long", max_session_seconds=43_200)
    for role, seconds in ((short, 900), (short, 3_600), (long, 43_200)):
        session = room.assume(bob, role, DurationSeconds=seconds)
        assert session.expires_at == NOON + dt.timedelta(seconds=seconds)
    assert refusal(room, ValidationException, bob, short.arn, DurationSeconds=3_601) == MORE_THAN_ITS
    for seconds in (899, 43_201):
        message = refusal(room, ValidationException, bob, long.arn, DurationSeconds=seconds)
        assert "at 'durationSeconds' failed to satisfy constraint" in message


def test_a_chained_session_lasts_an_hour_at_most(room: SessionRoom, bob: Principal) -> None:
    first = room.session(room.assume(bob, room.role("first", may=(allow("sts:AssumeRole"),))))
    second = room.role("second", max_session_seconds=43_200)
    assert room.assume(first, second, DurationSeconds=3_600).expires_at == NOON + dt.timedelta(hours=1)
    assert refusal(room, ValidationException, first, second.arn, DurationSeconds=3_601) == (
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    )


# --- session policies


def test_session_policies_narrow_and_never_widen(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy", may=(allow(CREATE, LIST),))
    wide = room.session(room.assume(bob, role))
    narrow = room.session(room.assume(bob, role, Policy=policy(allow(LIST, "kms:*"))))
    denying = room.session(room.assume(bob, role, Policy=policy(allow("*"), deny(CREATE))))
    assert [room.may(wide, each) for each in (CREATE, LIST, "kms:ListKeys")] == [True, True, False]
    assert [room.may(narrow, each) for each in (CREATE, LIST, "kms:ListKeys")] == [False, True, False]
    assert [room.may(denying, each) for each in (CREATE, LIST)] == [False, True]


def managed(room: SessionRoom, name: str, account_id: AccountId = ACCOUNT) -> str:
    version = PolicyVersion(version_id="v1", document=policy(allow(LIST)), created_at=NOON)
    record = ManagedPolicy(
        policy_id="ANPAEXAMPLE",
        policy_name=name,
        path="/",
        arn=policy_arn(account_id, "/", name),
        account_id=account_id,
        created_at=NOON,
        updated_at=NOON,
        versions=(version,),
        default_version_id="v1",
    )
    room.unit.save(MANAGED_POLICIES, record)
    return record.arn


def test_managed_session_policies_count_as_they_are_at_each_call(room: SessionRoom, bob: Principal) -> None:
    role, arn = room.role("deploy", may=(allow(CREATE, LIST),)), managed(room, "listing")
    session = room.session(room.assume(bob, role, PolicyArns=[{"arn": arn}]))
    assert [room.may(session, each) for each in (CREATE, LIST)] == [False, True]
    room.unit.delete(MANAGED_POLICIES, ACCOUNT, arn)
    assert not room.may(session, LIST)


@pytest.mark.parametrize("case", ["absent", "another account's", "no ARN of a policy"])
def test_managed_session_policies_must_be_there(room: SessionRoom, bob: Principal, case: str) -> None:
    foreign = managed(room, "theirs", OTHER_ACCOUNT)
    arn = {
        "absent": policy_arn(ACCOUNT, "/", "absent"),
        "another account's": foreign,
        "no ARN of a policy": "x" * 20,
    }[case]
    assert refusal(room, ValidationException, bob, room.role("deploy").arn, PolicyArns=[{"arn": arn}]) == (
        f"Policy {arn} does not exist or is not attachable."
    )


def test_a_cross_account_session_takes_the_managed_policies_of_the_roles_account(
    room: SessionRoom, bob: Principal
) -> None:
    role = room.role("guest", trusting(root_arn(ACCOUNT)), account_id=OTHER_ACCOUNT)
    own, theirs = managed(room, "own"), managed(room, "theirs", OTHER_ACCOUNT)
    room.assume(bob, role, PolicyArns=[{"arn": theirs}])
    assert refusal(room, ValidationException, bob, role.arn, PolicyArns=[{"arn": own}]) == (
        f"Policy {own} does not exist or is not attachable."
    )


def test_session_policies_are_bounded_and_parsed(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy").arn
    long = policy(allow("s3:GetObject", resource="arn:aws:s3:::" + "x" * 2_000))
    assert len(long) > 2_048
    assert refusal(room, ValidationException, bob, role, Policy=long) == (
        "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length "
        "less than or equal to 2048"
    )
    arns = [{"arn": managed(room, f"p{number}")} for number in range(11)]
    assert refusal(room, ValidationException, bob, role, PolicyArns=arns) == (
        "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have "
        "length less than or equal to 10"
    )
    room.assume(bob, room.role("ten"), PolicyArns=arns[:10])
    assert refusal(room, MalformedPolicyDocumentException, bob, role, Policy="{") == (
        "This policy contains invalid Json"
    )
    with_principal = json.dumps({"Statement": {**allow("*"), "Principal": "*"}})
    assert refusal(room, MalformedPolicyDocumentException, bob, role, Policy=with_principal)


def test_packed_size_is_told_and_bounded(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy", trusting(bob.arn, actions=("sts:AssumeRole", "sts:TagSession")))
    request = {"RoleArn": role.arn, "RoleSessionName": "run"}
    small = room.run(ASSUME_ROLE, {**request, "Policy": policy(allow(LIST))}, principal=bob)
    assert 1 <= small["PackedPolicySize"] <= 10
    letters = [chr(number) for number in range(0x400, 0x4FF) if chr(number).isalpha()]
    tags = [
        {
            "Key": f"{number}",
            "Value": "".join(letters[(number * 7 + at * at) % len(letters)] for at in range(256)),
        }
        for number in range(50)
    ]
    message = refusal(room, PackedPolicyTooLargeException, bob, role.arn, Tags=tags)
    assert message.startswith("Packed size of session tags consumes ")
    assert message.endswith("% of allotted space.")


# --- tags


def tag(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def taggable(room: SessionRoom, name: str, **members: Any) -> Any:
    trust = trusting(root_arn(ACCOUNT), actions=("sts:AssumeRole", "sts:TagSession"))
    return room.role(name, trust, may=(allow("sts:*"),), **members)


def test_session_tags_stand_in_place_of_the_roles(room: SessionRoom, bob: Principal) -> None:
    role = taggable(room, "deploy", tags={"Team": "red", "env": "prod"})
    session = room.session(room.assume(bob, role, Tags=tag(team="blue", cost="7")))
    assert dict(session.tags) == {"env": "prod", "team": "blue", "cost": "7"}


def test_transitive_tags_go_on_and_others_do_not(room: SessionRoom, bob: Principal) -> None:
    first, second, third = (taggable(room, name) for name in ("first", "second", "third"))
    one = room.session(room.assume(bob, first, Tags=tag(team="blue", cost="7"), TransitiveTagKeys=["TEAM"]))
    assert one.transitive_tag_keys == ("team",)
    two = room.session(room.assume(one, second, Tags=tag(extra="x")))
    assert dict(two.tags) == {"team": "blue", "extra": "x"}
    three = room.session(room.assume(two, third))
    assert dict(three.tags) == {"team": "blue"}
    assert refusal(room, InvalidParameterValueException, two, third.arn, Tags=tag(Team="red")) == (
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
        "from the calling session."
    )
    plain = room.role("plain", may=(allow("sts:*"),))
    assert refusal(room, AccessDeniedException, two, plain.arn) == not_authorized(
        two, "sts:TagSession", plain.arn
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"Tags": tag(team="a", TEAM="b")},
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            {"Tags": tag(team="a"), "TransitiveTagKeys": ["other"]},
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            {"TransitiveTagKeys": ["other"]},
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            {"Tags": [{"Key": "AWS:team", "Value": "x"}]},
            "Tag keys that begin with aws: are reserved for system use.",
        ),
    ],
)
def test_tags_that_make_no_sense(
    room: SessionRoom, bob: Principal, more: dict[str, Any], message: str
) -> None:
    role = taggable(room, "deploy")
    assert refusal(room, InvalidParameterValueException, bob, role.arn, **more) == message


# --- source identity, MFA, contexts


def test_a_source_identity_stays_for_the_whole_chain(room: SessionRoom, bob: Principal) -> None:
    trust = trusting(root_arn(ACCOUNT), actions=("sts:AssumeRole", "sts:SetSourceIdentity"))
    first, second = (room.role(name, trust, may=(allow("sts:*"),)) for name in ("first", "second"))
    answered = room.run(
        ASSUME_ROLE,
        {"RoleArn": first.arn, "RoleSessionName": "run", "SourceIdentity": "bob"},
        principal=bob,
    )
    assert answered["SourceIdentity"] == "bob"
    one = room.session(room.assume(bob, first, SourceIdentity="bob"))
    assert room.session(room.assume(one, second)).source_identity == "bob"
    assert room.session(room.assume(one, second, SourceIdentity="bob")).source_identity == "bob"
    assert refusal(room, ValidationException, one, second.arn, SourceIdentity="eve") == (
        "The source identity of the calling session cannot be changed by the sessions it makes."
    )
    plain = room.role("plain", may=(allow("sts:*"),))
    assert refusal(room, AccessDeniedException, one, plain.arn) == not_authorized(
        one, "sts:SetSourceIdentity", plain.arn
    )


def test_there_are_no_mfa_devices_and_no_contexts(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy").arn
    device = {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/bob", "TokenCode": "123456"}
    assert refusal(room, AccessDeniedException, bob, role, **device) == (
        "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number "
        "is valid and associated with this user."
    )
    contexts = [
        {"ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter", "ContextAssertion": "abcd"}
    ]
    assert refusal(room, InvalidContextAssertionException, bob, role, ProvidedContexts=contexts) == (
        "Context assertions are made by IAM Identity Center, which is not here."
    )


# --- what a session is, in conditions and in records


def test_the_condition_keys_of_a_role_session(room: SessionRoom, bob: Principal) -> None:
    trust = trusting(bob.arn, actions=("sts:AssumeRole", "sts:SetSourceIdentity"))
    role = room.role("deploy", trust, path="/ci/", tags={"env": "prod"})
    session = room.assume(bob, role, SourceIdentity="bob")
    found = room.callers.find(room.unit, session.access_key_id, session.token)
    assert found is not None
    assert found.context == {
        "aws:PrincipalArn": role.arn,
        "aws:PrincipalAccount": ACCOUNT,
        "aws:PrincipalType": "AssumedRole",
        "aws:userid": f"{role.role_id}:run",
        "aws:TokenIssueTime": "2026-01-01T12:00:00Z",
        "aws:MultiFactorAuthPresent": "false",
        "aws:SourceIdentity": "bob",
        "aws:PrincipalTag/env": "prod",
    }
    assert json.loads(orjson.dumps(found.identity)) == {
        "type": "AssumedRole",
        "principalId": f"{role.role_id}:run",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run",
        "accountId": ACCOUNT,
        "accessKeyId": session.access_key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role.role_id,
                "arn": role.arn,
                "accountId": ACCOUNT,
                "userName": "deploy",
            },
            "attributes": {"creationDate": "2026-01-01T12:00:00Z", "mfaAuthenticated": "false"},
            "sourceIdentity": "bob",
        },
    }


def test_a_deny_of_older_tokens_revokes_sessions(room: SessionRoom, bob: Principal) -> None:
    """What the console's "revoke active sessions" attaches to a role."""
    condition = {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T12:30:00Z"}}
    role = room.role("deploy", may=(allow(LIST), deny("*", Condition=condition)))
    old = room.session(room.assume(bob, role))
    new = room.session(room.assume(bob, role, now=NOON + dt.timedelta(minutes=30)))
    assert [room.may(old, LIST), room.may(new, LIST)] == [False, True]


def test_the_record_names_the_key_and_nothing_that_opens(room: SessionRoom, bob: Principal) -> None:
    role = room.role("deploy")
    call = room.call("AssumeRole", {"RoleArn": role.arn, "RoleSessionName": "run"}, principal=bob)
    authorized = authorize(call, room.unit, ASSUME_ROLE.targets(call, room.unit))
    answered = ASSUME_ROLE.handle(authorized, room.unit)
    assert answered is not None
    given = answered["Credentials"]
    assert call.details["response_elements"] == {
        "credentials": {"accessKeyId": given["AccessKeyId"], "expiration": "2026-01-01T13:00:00Z"},
        "assumedRoleUser": {
            "assumedRoleId": f"{role.role_id}:run",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/run",
        },
    }
