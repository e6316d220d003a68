"""A simulation and the authorization of a real call say the same, over random policies of every layer."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strongroom.names import AccountId, Arn
from strongroom.operations.authorize import allowed
from strongroom.operations.call import ResourcePolicy, Target
from strongroom.operations.iam import attachments, managed_policies, simulation
from strongroom.ports import USERS
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, OTHER_ACCOUNT, policy

READ, LIST = "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds"
OWN = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:bob/db-AbCdEf"
THEIRS = OWN.replace(ACCOUNT, OTHER_ACCOUNT)
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"

statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Deny"]),
        "Action": st.sampled_from([READ, "secretsmanager:Get*", "*", [LIST, "kms:*"]]),
        "Resource": st.sampled_from(
            ["*", OWN, THEIRS, f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:${{aws:username}}/*"]
        ),
    },
    optional={
        "Condition": st.sampled_from(
            [
                {"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}},
                {"StringEquals": {"aws:PrincipalTag/team": "red"}},
                {"StringEqualsIfExists": {"aws:ResourceAccount": ACCOUNT}},
                {"Null": {"secretsmanager:VersionStage": "true"}},
            ]
        )
    },
)
documents = st.lists(statements, min_size=1, max_size=3)
principals = st.sampled_from([{"AWS": BOB}, {"AWS": ACCOUNT}, "*", {"AWS": BOB + "by"}])


@st.composite
def resource_policies(draw: st.DrawFn) -> str:
    return policy(*[{**each, "Principal": draw(principals)} for each in draw(documents)])


@given(
    documents,
    st.none() | documents,
    st.none() | documents,
    st.none() | resource_policies(),
    st.sampled_from([OWN, THEIRS]),
    st.sampled_from([{}, {"secretsmanager:VersionStage": "AWSCURRENT"}]),
)
def test_a_simulation_says_what_a_call_is_told(
    inline: Any, attached: Any, boundary: Any, resource_policy: str | None, resource: str, context: Any
) -> None:
    room = IdentityRoom()
    bob = room.user("bob", *inline)
    room.unit.save(USERS, msgspec.structs.replace(room.found("bob"), tags={"team": "red"}))
    if attached is not None:
        made = _made(room, "attached", policy(*attached))
        room.run(attachments.ATTACH_USER_POLICY, {"UserName": "bob", "PolicyArn": made})
    if boundary is not None:
        limited = msgspec.structs.replace(room.found("bob"), boundary=_made(room, "edge", policy(*boundary)))
        room.unit.save(USERS, limited)
    request: dict[str, Any] = {
        "PolicySourceArn": BOB,
        "ActionNames": [READ],
        "ResourceArns": [resource],
        "ContextEntries": [
            {"ContextKeyName": key, "ContextKeyValues": [value]} for key, value in context.items()
        ],
    }
    if resource_policy is not None:
        request["ResourcePolicy"] = resource_policy
    (said,) = room.run(simulation.SIMULATE_PRINCIPAL_POLICY, request)["EvaluationResults"]

    call = room.call("GetSecretValue", principal=bob, service="secretsmanager")
    call = msgspec.structs.replace(call, context={**call.context, "aws:PrincipalTag/team": "red"})
    owner = AccountId(resource.split(":")[4])
    policies = () if resource_policy is None else (ResourcePolicy(resource_policy),)
    target = Target(READ, resource, owner, resource_policies=policies, context=context)
    decision = allowed(call, room.unit, target)
    expected = "allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny"
    assert said["EvalDecision"] == expected
    assert len(said["MatchedStatements"]) == len(decision.determining)


def _made(room: IdentityRoom, name: str, document: str) -> Arn:
    made = room.run(managed_policies.CREATE_POLICY, {"PolicyName": name, "PolicyDocument": document})
    return Arn(made["Policy"]["Arn"])
