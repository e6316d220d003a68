"""Who can, over stored principals: held against the authorization of real calls in every context."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from strongroom.errors import AccessDeniedException, ServiceError
from strongroom.function.records import Function, FunctionPolicy, FunctionVersion
from strongroom.identity.records import OidcProvider, User
from strongroom.keys.records import Grant
from strongroom.names import Arn, Region
from strongroom.operations.authorize import allowed
from strongroom.operations.datakeys import opening_target
from strongroom.operations.kms import OPERATIONS as KMS_OPERATIONS
from strongroom.operations.reach import Answer, Row, who_can
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.operations.subjects import SubjectKind
from strongroom.operations.things import ACROSS_ACCOUNTS, find_things, thing_of_arn
from strongroom.policy.reach import Verdict
from strongroom.ports import (
    FUNCTION_POLICIES,
    FUNCTION_VERSIONS,
    FUNCTIONS,
    GRANTS,
    KMS_KEYS,
    OIDC_PROVIDERS,
    ROLES,
    SECRET_POLICIES,
    USERS,
)
from strongroom.secret.records import SecretPolicy
from support.key_room import allow, deny, policy
from support.memory_unit import MemoryUnit
from support.permission_world import (
    ACCOUNT,
    CHANGES,
    GET,
    KEY_ARN,
    KEY_ID,
    NOON,
    OTHER,
    PRINCIPALS,
    REGION,
    ROLE_ARN,
    ROLE_ID,
    SECRET_ARN,
    SESSION_ARN,
    USER_IDS,
    a_key,
    a_role,
    a_secret,
    a_user,
)
from support.reach_room import RESOURCES, VERSION, a_call, a_world, with_value

ANN, EVE = (a_user(account).arn for account in (ACCOUNT, OTHER))
ROOT, OTHER_ROOT = (Arn(f"arn:aws:iam::{account}:root") for account in (ACCOUNT, OTHER))
TO_THE_ACCOUNT = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "*", "Resource": "*"}


def asked(unit: MemoryUnit, action: str = GET, resource: str = SECRET_ARN) -> Answer:
    thing = thing_of_arn(unit, a_call(PRINCIPALS["root"]), resource)
    assert thing is not None
    return who_can(unit, RESOURCES, thing, action, NOON)


def row_of(answer: Answer, shown: str) -> Row:
    (row,) = [each for each in answer.rows if each.subject.shown == shown]
    return row


def verdicts(answer: Answer) -> dict[str, str]:
    return {each.subject.shown: each.reach.verdict.value for each in answer.rows}


# Equal to brute force


CONTEXTS = (
    {"aws:SourceIp": "10.1.1.1"},
    {"aws:SourceIp": "192.0.2.1"},
    {"aws:SourceVpce": "vpce-1", "aws:VpcSourceIp": "10.1.1.1"},
)
SUBJECTS = {"root": ROOT, "ann": ANN, "eve": EVE, "role": ROLE_ARN, "session": SESSION_ARN}


def outcomes(unit: MemoryUnit, who: str) -> Iterator[bool]:
    """Yield what real calls would hear, layer by layer, from each place."""
    principal = PRINCIPALS["role" if who == "session" else who]
    if who == "role":
        # Any other session than the one that policies name.
        arn = Arn(SESSION_ARN.replace("/one", "/other"))
        principal = principal.__class__(
            principal.type,
            ACCOUNT,
            arn,
            f"{ROLE_ID}:other",
            "",
            role_id=ROLE_ID,
            role_arn=ROLE_ARN,
            token_issued_at=NOON,
        )
    for context in CONTEXTS:
        call = a_call(principal, **context)
        key = opening_target(
            call, unit, unit.version_rows[SECRET_ARN, VERSION], region=REGION, account_id=ACCOUNT
        )
        assert key is not None
        both = (secret_target(call, unit, SECRET_ARN, GET), key)
        yield all(allowed(call, unit, each).allowed for each in both)


@settings(max_examples=150, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 5_000)), max_size=8), st.booleans()
)
def test_who_can_is_what_the_authorization_of_calls_says(changes: list[tuple[str, int]], grant: bool) -> None:
    unit = a_world()
    for name, choice in changes:
        CHANGES[name](unit, choice)
    with_value(unit)
    if grant:
        give(unit, ROLE_ID)
    answer = asked(unit)
    found = {each.subject.shown: each.reach for each in answer.rows}
    for who, shown in SUBJECTS.items():
        if shown not in found:
            assert who in ("ann", "role", "session")  # deleted, or not named by any policy
            continue
        expected = set(outcomes(unit, who))
        verdict = Verdict.IF if len(expected) > 1 else Verdict.ALWAYS if True in expected else Verdict.NEVER
        assert (found[shown].verdict, found[shown].decided) == (verdict, True), (who, changes)


def give(unit: MemoryUnit, grantee: str, written: str = ROLE_ARN, **members: Any) -> None:
    key = next(each for each in unit.records.values() if getattr(each, "key_id", None) == KEY_ID)
    unit.save(KMS_KEYS, replace(key, grant_count=1))
    made = Grant(
        grant_id="a" * 64,
        key_arn=KEY_ARN,
        grantee=grantee,
        grantee_written=written,
        issuing_account=ACCOUNT,
        created_at=NOON,
        operations=("Decrypt",),
    )
    unit.save(GRANTS, replace(made, **members))


# What it says


def test_both_layers_of_a_read_are_named_with_their_statements() -> None:
    unit = a_world()
    row = row_of(asked(unit), ANN)
    assert row.reach.verdict is Verdict.ALWAYS
    assert [(each.action, each.statement.layer.value, each.statement.label) for each in row.reach.terms] == [
        (GET, "identity-based policy", "p"),
        ("kms:Decrypt", "identity-based policy", "p"),
        ("kms:Decrypt", "resource-based policy", KEY_ARN),
    ]


def test_without_the_key_a_secret_is_not_read() -> None:
    unit = a_world()
    unit.save(KMS_KEYS, a_key(policy({**TO_THE_ACCOUNT, "Principal": {"AWS": USER_IDS[ACCOUNT]}})))
    answer = asked(unit)
    assert verdicts(answer)[ANN] == "yes"
    assert verdicts(answer)[ROLE_ARN] == "no"
    assert verdicts(answer)[ROOT] == "no"
    assert answer.key is not None
    assert answer.key.arn == KEY_ARN
    assert verdicts(asked(unit, "secretsmanager:DescribeSecret"))[ROLE_ARN] == "yes"
    assert asked(unit, "secretsmanager:DescribeSecret").key is None


def test_a_grant_on_the_key_counts_for_the_role_it_names() -> None:
    unit = a_world()
    unit.save(KMS_KEYS, a_key(policy({**TO_THE_ACCOUNT, "Principal": {"AWS": "AROAGONE000000000000"}})))
    assert verdicts(asked(unit))[ROLE_ARN] == "no"
    give(unit, ROLE_ID)
    row = row_of(asked(unit), ROLE_ARN)
    assert row.reach.verdict is Verdict.ALWAYS
    assert [(each.statement.layer.value, each.statement.label) for each in row.reach.terms][-1] == (
        "grant",
        "a" * 64,
    )


def test_a_grant_with_constraints_hangs_on_the_encryption_context_of_a_call_to_kms() -> None:
    unit = a_world()
    unit.save(KMS_KEYS, a_key(policy({**TO_THE_ACCOUNT, "Principal": {"AWS": "AROAGONE000000000000"}})))
    give(unit, ROLE_ID, context_subset={"SecretARN": "another"})
    assert verdicts(asked(unit))[ROLE_ARN] == "no"
    row = row_of(asked(unit, "kms:Decrypt", KEY_ARN), ROLE_ARN)
    assert (row.reach.verdict, row.reach.decided) == (Verdict.IF, True)
    (term,) = [each for each in row.reach.terms if each.statement.layer.value == "grant"]
    assert [(each.key, each.values) for each in term.conditions] == [
        ("kms:EncryptionContext:SecretARN", ("another",))
    ]


def test_another_account_needs_both_sides_and_never_has_the_default_key() -> None:
    unit = a_world()
    document = policy({**TO_THE_ACCOUNT, "Principal": {"AWS": OTHER}})
    unit.save(SECRET_POLICIES, SecretPolicy(secret_arn=SECRET_ARN, policy_name="default", document=document))
    unit.save(KMS_KEYS, a_key(policy({**TO_THE_ACCOUNT, "Principal": {"AWS": [ACCOUNT, OTHER]}})))
    assert verdicts(asked(unit))[EVE] == "yes"
    unit.save(USERS, a_user(OTHER, policies={}))
    assert verdicts(asked(unit))[EVE] == "no"
    assert verdicts(asked(unit))[OTHER_ROOT] == "yes"
    with_value(unit, default_key=True)
    row = row_of(asked(unit), OTHER_ROOT)
    assert row.reach.verdict is Verdict.NEVER
    assert row.note == "The secret is under the default key of its account, which no other account can use."
    assert verdicts(asked(unit))[ANN] == "yes"


@pytest.mark.parametrize(
    ("principal", "kind", "shown", "verdict"),
    [
        ({"Service": "rds.amazonaws.com"}, SubjectKind.SERVICE, "rds.amazonaws.com", "no"),
        ("*", SubjectKind.ELSEWHERE, "everyone else", "no"),
        ({"AWS": "999999999999"}, SubjectKind.ELSEWHERE, "999999999999", "no"),
        ({"AWS": SESSION_ARN}, SubjectKind.ROLE_SESSION, SESSION_ARN, "yes"),
        (
            {"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"},
            SubjectKind.FEDERATED_SESSION,
            f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
            "no",
        ),
    ],
)
def test_whom_policies_name_besides_is_asked_too(
    principal: Any, kind: SubjectKind, shown: str, verdict: str
) -> None:
    unit = a_world()
    document = policy({**TO_THE_ACCOUNT, "Principal": principal})
    unit.save(SECRET_POLICIES, SecretPolicy(secret_arn=SECRET_ARN, policy_name="default", document=document))
    row = row_of(asked(unit), shown)
    assert (row.subject.kind, row.reach.verdict.value) == (kind, verdict)
    described = row_of(asked(unit, "secretsmanager:DescribeSecret"), shown)
    assert described.reach.verdict is Verdict.ALWAYS


def test_a_session_named_by_a_policy_is_told_from_the_others_of_its_role() -> None:
    unit = a_world()
    unit.save(ROLES, a_role(policies={}))
    document = policy({**TO_THE_ACCOUNT, "Principal": {"AWS": SESSION_ARN}})
    unit.save(SECRET_POLICIES, SecretPolicy(secret_arn=SECRET_ARN, policy_name="default", document=document))
    found = verdicts(asked(unit, "secretsmanager:DescribeSecret"))
    assert (found[SESSION_ARN], found[ROLE_ARN]) == ("yes", "no")


def test_a_session_name_that_a_condition_asks_for_is_an_if() -> None:
    unit = a_world()
    named = allow(GET, Condition={"StringLike": {"aws:userid": [f"{ROLE_ID}:ci-*", "AIDA*"]}})
    unit.save(ROLES, a_role(policies={"p": policy(named, allow("kms:*"))}))
    row = row_of(asked(unit), ROLE_ARN)
    assert (row.reach.verdict, row.reach.decided) == (Verdict.IF, True)
    assert row.reach.allowing == {"aws:userid": f"{ROLE_ID}:ci-"}
    assert str(row.reach.refusing).startswith(f"{{'aws:userid': '{ROLE_ID}:")


@pytest.mark.parametrize(("tagging", "verdict"), [(False, "no"), (True, "if")])
def test_tags_of_sessions_are_open_where_the_trust_policy_lets_them_be_given(
    tagging: bool, verdict: str
) -> None:
    unit = a_world()
    actions = ["sts:AssumeRole", *(["sts:TagSession"] if tagging else [])]
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": actions},
        }
    )
    team = allow(GET, Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}})
    role = a_role(policies={"p": policy(team, allow("kms:*"))}, trust_policy=trust, tags={"team": "b"})
    unit.save(ROLES, role)
    row = row_of(asked(unit), ROLE_ARN)
    assert row.reach.verdict.value == verdict
    assert row.subject.trusts == (ACCOUNT,)
    if tagging:
        assert (row.reach.allowing, row.reach.refusing) == (
            {"aws:PrincipalTag/team": "a"},
            {"aws:PrincipalTag/team": "b"},
        )


def test_keys_that_no_call_has_are_no_if() -> None:
    unit = a_world()
    absent = ("aws:PrincipalOrgID", "kms:KeySpec", "secretsmanager:KmsKeyArn", "aws:RequestTag/a", "my:key")
    for key in absent:
        unit.save(
            USERS, a_user(ACCOUNT, policies={"p": policy(allow("*", Condition={"Null": {key: "true"}}))})
        )
        assert verdicts(asked(unit, GET))[ANN] == ("no" if key == "kms:KeySpec" else "yes"), key


def test_times_that_are_over_and_credentials_that_have_expired_are_no_if() -> None:
    unit = a_world()
    over = deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": "2025-12-01T00:00:00Z"}})
    late = deny("*", Condition={"DateGreaterThan": {"aws:CurrentTime": "2026-06-01T00:00:00Z"}})
    unit.save(ROLES, a_role(policies={"p": policy(allow("*"), over)}))
    unit.save(USERS, a_user(ACCOUNT, policies={"p": policy(allow("*"), late)}))
    found = verdicts(asked(unit))
    assert (found[ROLE_ARN], found[ANN]) == ("yes", "if")


def test_what_stands_in_everybodys_way_is_said() -> None:
    unit = a_world()
    unit.save(KMS_KEYS, replace(a_key(policy(TO_THE_ACCOUNT)), state="Disabled"))
    unit.save_secret(replace(unit.secret_rows[SECRET_ARN], deleted_at=NOON))
    assert asked(unit).notes == (
        "The secret is marked for deletion: nobody can read its value until it is restored.",
        f"The key {KEY_ARN} is Disabled: nobody can use it meanwhile.",
    )
    unit.save_secret(a_secret())
    assert asked(unit).notes == (
        "The secret has no current value: there is nothing to read, and no key was asked.",
        f"Other versions than the current one are under {KEY_ARN}, which was not asked about.",
    )


def test_who_can_take_a_role_is_asked_of_its_trust_policy() -> None:
    unit = a_world()
    issuer = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"
    unit.save(
        OIDC_PROVIDERS,
        OidcProvider(arn=Arn(issuer), url="token.example.com", account_id=ACCOUNT, created_at=NOON),
    )
    web = {
        "Effect": "Allow",
        "Principal": {"Federated": issuer},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"token.example.com:aud": "strongroom"}},
    }
    users = {"Effect": "Allow", "Principal": {"AWS": USER_IDS[ACCOUNT]}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [web, users]})
    unit.save(ROLES, a_role(trust_policy=trust))
    found = verdicts(asked(unit, "sts:AssumeRole", ROLE_ARN))
    assert (found[ANN], found[EVE], found[ROOT], found[issuer]) == ("yes", "no", "no", "no")
    row = row_of(asked(unit, "sts:AssumeRoleWithWebIdentity", ROLE_ARN), issuer)
    assert (row.reach.verdict, row.reach.decided) == (Verdict.IF, True)
    assert row.reach.allowing == {"token.example.com:aud": "strongroom"}


def test_iam_is_for_the_own_account_and_others_are_refused_whatever_policies_say() -> None:
    unit = a_world()
    answer = asked(unit, "iam:DeleteUser", ANN)
    assert (verdicts(answer)[ANN], verdicts(answer)[EVE]) == ("yes", "no")
    assert row_of(answer, EVE).note == "Refused whatever policies say."


def test_another_accounts_key_is_asked_of_operations_that_reach_across_accounts_alone() -> None:
    """Held against what each operation of KMS makes of such a key."""
    unit = a_world()
    unit.save(KMS_KEYS, a_key(policy({**TO_THE_ACCOUNT, "Principal": "*"})))
    request = {
        "KeyId": KEY_ARN,
        "DestinationKeyId": KEY_ARN,
        "GrantId": "a" * 64,
        "GranteePrincipal": EVE,
        "Operations": ["Decrypt"],
        "TagKeys": [],
        "Tags": [],
        "ReplicaRegion": "us-east-1",
    }
    reached = {}
    for operation in KMS_OPERATIONS:
        call = replace(a_call(PRINCIPALS["eve"]), request=request)
        try:
            targets = operation.targets(call, unit)
        except AccessDeniedException:
            reached[operation.action] = False
        except (KeyError, ServiceError):
            continue  # it wants more than this to find the key
        else:
            if targets and targets[0].resource == KEY_ARN:
                reached[operation.action] = True
    assert len(reached) > 25
    assert {True, False} == set(reached.values())
    for action, across in reached.items():
        assert (action.lower() in ACROSS_ACCOUNTS) is across, action
    row = row_of(asked(unit, "kms:DisableKey", KEY_ARN), EVE)
    assert (row.reach.verdict, row.note) == (Verdict.NEVER, "Refused whatever policies say.")
    assert verdicts(asked(unit, "kms:Decrypt", KEY_ARN))[EVE] == "yes"


def test_a_name_is_looked_for_in_every_account_and_region() -> None:
    unit = a_world()
    call = a_call(PRINCIPALS["root"])
    there = Arn(SECRET_ARN.replace(ACCOUNT, OTHER))
    unit.save_secret(a_secret(arn=there, account_id=OTHER))
    regions = [Region("eu-central-1"), Region("us-east-1")]
    found = [
        each.resource
        for each in find_things(unit, call, "prod/db", (ACCOUNT, OTHER), regions, service="secretsmanager")
    ]
    assert found == [SECRET_ARN, there]
    assert [
        each.resource for each in find_things(unit, call, KEY_ID, (ACCOUNT,), regions, service="kms")
    ] == [KEY_ARN]
    assert list(find_things(unit, call, "prod/none", (ACCOUNT,), regions, service="secretsmanager")) == []
    patterns = (SECRET_ARN.replace("prod/db", "prod/*"), "arn:aws:iam::*:role/app", "arn:aws:s3:::a?")
    for absent in (*patterns, f"{SECRET_ARN}x", KEY_ARN.replace("1111", "2222"), f"{ANN}x", "arn:aws:kms:x"):
        assert list(find_things(unit, call, absent, (ACCOUNT,), regions, service="kms")) == [], absent
    (other,) = find_things(unit, call, "arn:aws:s3:::bucket/key", (ACCOUNT,), regions, service="s3")
    assert other.kind.value == "other"


def test_users_of_one_account_are_asked_each_for_itself() -> None:
    unit = a_world()
    second: User = a_user(ACCOUNT, user_id="AIDATWO0000000000000", user_name="two", policies={})
    unit.save(USERS, replace(second, arn=Arn(f"arn:aws:iam::{ACCOUNT}:user/two")))
    found = verdicts(asked(unit))
    assert (found[ANN], found[f"arn:aws:iam::{ACCOUNT}:user/two"]) == ("yes", "no")


PUT = "secretsmanager:PutSecretValue"


def test_putting_a_value_takes_the_key_the_secret_is_to_be_under() -> None:
    unit = a_world()
    answer = asked(unit, PUT)
    assert answer.key is None
    assert answer.notes == ("The secret's default key is not there, so no key was asked.",)
    unit.save_secret(replace(unit.secret_rows[SECRET_ARN], kms_key_id=KEY_ARN))
    sealing = {**TO_THE_ACCOUNT, "Action": "kms:Decrypt"}
    unit.save(KMS_KEYS, a_key(policy(sealing)))
    assert (verdicts(asked(unit, PUT))[ANN], verdicts(asked(unit))[ANN]) == ("no", "yes")
    context = {"StringLike": {"kms:EncryptionContext:SecretVersionId": "a*"}}
    sealing = {**TO_THE_ACCOUNT, "Action": "kms:GenerateDataKey", "Condition": context}
    unit.save(KMS_KEYS, a_key(policy(sealing)))
    row = row_of(asked(unit, PUT), ANN)
    assert (row.reach.verdict, row.reach.decided) == (Verdict.IF, True)
    names = {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["SecretARN", "SecretVersionId"]}}
    unit.save(KMS_KEYS, a_key(policy({**sealing, "Condition": names})))
    assert verdicts(asked(unit, PUT))[ANN] == "yes"


def test_other_operations_that_use_keys_say_that_these_were_not_asked() -> None:
    unit = a_world()
    note = "The operation uses KMS keys as well, which were not asked."
    assert asked(unit, "secretsmanager:UpdateSecret").notes == (note,)
    assert asked(unit, "secretsmanager:TagResource").notes == ()
    everything = "The operation asks for this action on *, not on one resource."
    assert asked(unit, "secretsmanager:BatchGetSecretValue").notes == (everything,)
    assert asked(unit, "secretsmanager:ListSecrets", "*").notes == ()
    assert verdicts(asked(unit, "secretsmanager:ListSecrets", "*"))[EVE] == "yes"
    assert asked(unit, "kms:CreateAlias", KEY_ARN).notes == (
        "The operation asks for this action on the alias as well, which was not asked.",
    )


def a_function(unit: MemoryUnit) -> str:
    """A function of the account that Secrets Manager may invoke is stored; return its ARN."""
    arn = Arn(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate")
    function = Function(account_id=ACCOUNT, region=REGION, name="rotate", arn=arn, created_at=NOON)
    unit.save(FUNCTIONS, function)
    version = FunctionVersion(
        function_arn=arn,
        account_id=ACCOUNT,
        region=REGION,
        function_name="rotate",
        version="$LATEST",
        runtime="python3.12",
        role_arn=ROLE_ARN,
        handler="a.b",
        code_id="c",
        code_sha256="",
        code_size=0,
        unzipped_size=0,
        modified_at=NOON,
        revision_id="r",
    )
    unit.save(FUNCTION_VERSIONS, version)
    document = policy({**TO_THE_ACCOUNT, "Principal": {"Service": "secretsmanager.amazonaws.com"}})
    unit.save(
        FUNCTION_POLICIES,
        FunctionPolicy(function_arn=arn, qualifier="$LATEST", document=document, revision_id="r"),
    )
    return arn


def test_a_function_is_asked_with_its_own_policy() -> None:
    unit = a_world()
    function = a_function(unit)
    found = verdicts(asked(unit, "lambda:InvokeFunction", function))
    assert (found[ANN], found[EVE], found["secretsmanager.amazonaws.com"]) == ("yes", "no", "yes")
    regions = [REGION]
    call = a_call(PRINCIPALS["root"])
    named = [
        each.resource for each in find_things(unit, call, "rotate", (ACCOUNT,), regions, service="lambda")
    ]
    assert named == [function]
    assert list(find_things(unit, call, "other", (ACCOUNT,), regions, service="lambda")) == []
