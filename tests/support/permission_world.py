"""A small world of callers, policies and things, its random changes, and what may be asked of it.

For tests that hold decisions made with memories against decisions made afresh. Every record a decision can
hang on is changed by one of `CHANGES`; each change is a name and a choice, so that another process can be
told of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Account, Group, ManagedPolicy, PolicyVersion, Role, User
from strongroom.keys.records import KmsKey
from strongroom.names import AccountId, Arn, Region
from strongroom.operations.authorize import allowed
from strongroom.operations.call import Call, Resources, Target
from strongroom.operations.kms.resolution import key_target
from strongroom.operations.secretsmanager.resolution import secret_target
from strongroom.policy.evaluation import Decision
from strongroom.ports import (
    ACCOUNTS,
    GROUPS,
    KMS_KEYS,
    MANAGED_POLICIES,
    ROLES,
    SECRET_POLICIES,
    USERS,
    account_region,
)
from strongroom.secret.records import Secret, SecretPolicy
from support.key_room import allow, deny, policy

ACCOUNT: Final = AccountId("111122223333")
OTHER: Final = AccountId("444455556666")
REGION: Final = Region("eu-central-1")
NOON: Final = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
GET: Final = "secretsmanager:GetSecretValue"
SECRET_ARN: Final = Arn(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-AbCdEf")
KEY_ID: Final = "11111111-2222-3333-4444-555555555555"
KEY_ARN: Final = Arn(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}")
ROLE_ARN: Final = Arn(f"arn:aws:iam::{ACCOUNT}:role/app")
SESSION_ARN: Final = Arn(f"arn:aws:sts::{ACCOUNT}:assumed-role/app/one")
USER_IDS: Final = {ACCOUNT: "AIDAANN0000000000000", OTHER: "AIDAEVE0000000000000"}
NAMES: Final = {ACCOUNT: "ann", OTHER: "eve"}
ROLE_ID: Final = "AROAAPP0000000000000"
GROUP_ID: Final = "AGPADEVS000000000000"
POLICY_ARNS: Final = tuple(Arn(f"arn:aws:iam::{ACCOUNT}:policy/{name}") for name in ("one", "two"))

DOCUMENTS: Final = (
    policy(allow("*")),
    policy(allow(GET)),
    policy(allow("kms:*")),
    policy(deny(GET)),
    policy(allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}})),
    policy(allow("*"), deny("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
    policy(allow(GET, Condition={"StringEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team}"}})),
    policy(allow("s3:*")),
    "no policy at all",
)
"""What identity policies of every kind may say; the last one might have said anything."""


def _to(principal: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": "*", "Resource": "*", **more}


RESOURCE_DOCUMENTS: Final = (
    None,
    policy(_to("*")),
    policy(_to({"AWS": USER_IDS[ACCOUNT]})),
    policy(_to({"AWS": ROLE_ID})),
    policy(_to({"AWS": SESSION_ARN})),
    policy(_to({"AWS": [ACCOUNT, OTHER]})),
    policy(_to("*", "Deny", Condition={"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}})),
    policy(_to({"AWS": OTHER}, Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}})),
    "no policy at all",
)

TAGS: Final[tuple[Mapping[str, str], ...]] = ({}, {"team": "a"}, {"team": "b"})
ADDRESSES: Final = ("10.1.1.1", "192.0.2.1")


# Records


def a_user(account: AccountId, **members: Any) -> User:
    name = NAMES[account]
    made = User(
        user_id=USER_IDS[account],
        user_name=name,
        path="/",
        arn=Arn(f"arn:aws:iam::{account}:user/{name}"),
        account_id=account,
        created_at=NOON,
        policies={"p": DOCUMENTS[0]},
    )
    return replace(made, **members)


def a_role(**members: Any) -> Role:
    made = Role(
        role_id=ROLE_ID,
        role_name="app",
        path="/",
        arn=ROLE_ARN,
        account_id=ACCOUNT,
        created_at=NOON,
        trust_policy="{}",
    )
    return replace(made, **members)


def a_group(**members: Any) -> Group:
    made = Group(
        group_id=GROUP_ID,
        group_name="devs",
        path="/",
        arn=Arn(f"arn:aws:iam::{ACCOUNT}:group/devs"),
        account_id=ACCOUNT,
        created_at=NOON,
    )
    return replace(made, **members)


def a_managed_policy(arn: Arn, document: str) -> ManagedPolicy:
    name = arn.rpartition("/")[2]
    return ManagedPolicy(
        policy_id=f"ANPA{name.upper():0<17}",
        policy_name=name,
        path="/",
        arn=arn,
        account_id=ACCOUNT,
        created_at=NOON,
        updated_at=NOON,
        versions=(PolicyVersion(version_id="v1", document=document, created_at=NOON),),
        default_version_id="v1",
    )


def a_secret(**members: Any) -> Secret:
    made = Secret(
        arn=SECRET_ARN,
        account_id=ACCOUNT,
        region=REGION,
        name="prod/db",
        created_at=NOON,
        last_changed_at=NOON,
    )
    return replace(made, **members)


def a_key(document: str) -> KmsKey:
    return KmsKey(
        key_id=KEY_ID,
        arn=KEY_ARN,
        account_id=ACCOUNT,
        region=REGION,
        created_at=NOON,
        policy=document,
        materials=(),
    )


def begin(unit: Any) -> None:
    """The world is as every story begins."""
    for account in (ACCOUNT, OTHER):
        unit.save(ACCOUNTS, Account(account_id=account, created_at=NOON))
        unit.save(USERS, a_user(account))
    unit.save(ROLES, a_role(policies={"p": DOCUMENTS[0]}))
    unit.save(GROUPS, a_group(policies={"g": DOCUMENTS[3]}))
    for arn in POLICY_ARNS:
        unit.save(MANAGED_POLICIES, a_managed_policy(arn, DOCUMENTS[0]))
    unit.save_secret(a_secret())
    unit.delete(SECRET_POLICIES, SECRET_ARN, "default")
    unit.save(KMS_KEYS, a_key(policy(_to({"AWS": ACCOUNT}))))


# Changes


def _documents(choice: int) -> dict[str, str]:
    """Return none, one or two inline policies."""
    picked = DOCUMENTS[choice // 3 % len(DOCUMENTS)]
    second = DOCUMENTS[choice // 27 % len(DOCUMENTS)]
    return ({}, {"p": picked}, {"p": picked, "q": second})[choice % 3]


def _attached(choice: int) -> tuple[Arn, ...]:
    return ((), POLICY_ARNS[:1], POLICY_ARNS[1:], POLICY_ARNS)[choice % 4]


def _boundary(choice: int) -> Arn | None:
    return (None, *POLICY_ARNS)[choice % 3]


def _change_user(account: AccountId, **members: Callable[[int], Any]) -> Callable[[Any, int], None]:
    def change(unit: Any, choice: int) -> None:
        there = unit.find(USERS, account, USER_IDS[account]) or a_user(account)
        unit.save(USERS, replace(there, **{name: make(choice) for name, make in members.items()}))

    return change


def _change_role(**members: Callable[[int], Any]) -> Callable[[Any, int], None]:
    def change(unit: Any, choice: int) -> None:
        there = unit.find(ROLES, ACCOUNT, ROLE_ID) or a_role()
        unit.save(ROLES, replace(there, **{name: make(choice) for name, make in members.items()}))

    return change


def _change_group(**members: Callable[[int], Any]) -> Callable[[Any, int], None]:
    def change(unit: Any, choice: int) -> None:
        there = unit.find(GROUPS, ACCOUNT, GROUP_ID) or a_group()
        unit.save(GROUPS, replace(there, **{name: make(choice) for name, make in members.items()}))

    return change


def _change_managed(unit: Any, choice: int) -> None:
    arn = POLICY_ARNS[choice % 2]
    unit.save(MANAGED_POLICIES, a_managed_policy(arn, DOCUMENTS[choice % len(DOCUMENTS)]))


def _delete_managed(unit: Any, choice: int) -> None:
    unit.delete(MANAGED_POLICIES, ACCOUNT, POLICY_ARNS[choice % 2])


def _change_resource_policy(unit: Any, choice: int) -> None:
    document = RESOURCE_DOCUMENTS[choice % len(RESOURCE_DOCUMENTS)]
    if document is None:
        unit.delete(SECRET_POLICIES, SECRET_ARN, "default")
    else:
        record = SecretPolicy(secret_arn=SECRET_ARN, policy_name="default", document=document)
        unit.save(SECRET_POLICIES, record)


def _change_key_policy(unit: Any, choice: int) -> None:
    unit.save(KMS_KEYS, a_key(RESOURCE_DOCUMENTS[choice % (len(RESOURCE_DOCUMENTS) - 1) + 1] or ""))


CHANGES: Final[Mapping[str, Callable[[Any, int], None]]] = {
    "user policies": _change_user(ACCOUNT, policies=_documents),
    "user attached": _change_user(ACCOUNT, attached=_attached),
    "user boundary": _change_user(ACCOUNT, boundary=_boundary),
    "user groups": _change_user(ACCOUNT, group_ids=lambda choice: ((), (GROUP_ID,))[choice % 2]),
    "user gone": lambda unit, _: unit.delete(USERS, ACCOUNT, USER_IDS[ACCOUNT]),
    "other user policies": _change_user(OTHER, policies=_documents),
    "role policies": _change_role(policies=_documents),
    "role attached": _change_role(attached=_attached),
    "role boundary": _change_role(boundary=_boundary),
    "role gone": lambda unit, _: unit.delete(ROLES, ACCOUNT, ROLE_ID),
    "group policies": _change_group(policies=_documents),
    "group attached": _change_group(attached=_attached),
    "group gone": lambda unit, _: unit.delete(GROUPS, ACCOUNT, GROUP_ID),
    "managed policy": _change_managed,
    "managed policy gone": _delete_managed,
    "resource policy": _change_resource_policy,
    "key policy": _change_key_policy,
    "secret tags": lambda unit, choice: unit.save_secret(a_secret(tags=TAGS[choice % 3])),
}


# Questions


def _session(kind: PrincipalType, **members: Any) -> Principal:
    return Principal(kind, ACCOUNT, token_issued_at=NOON, **members)


_ROLE_SESSION: Final = {
    "arn": SESSION_ARN,
    "principal_id": f"{ROLE_ID}:one",
    "role_id": ROLE_ID,
    "role_arn": ROLE_ARN,
}
_FEDERATED: Final = {
    "arn": Arn(f"arn:aws:sts::{ACCOUNT}:federated-user/bob"),
    "principal_id": f"{ACCOUNT}:bob",
}
PRINCIPALS: Final[Mapping[str, Principal]] = {
    "root": Principal(PrincipalType.ROOT, ACCOUNT, Arn(f"arn:aws:iam::{ACCOUNT}:root"), ACCOUNT, "AKIAROOT"),
    "ann": Principal(
        PrincipalType.USER, ACCOUNT, a_user(ACCOUNT).arn, USER_IDS[ACCOUNT], "AKIAANN", user_name="ann"
    ),
    "eve": Principal(
        PrincipalType.USER, OTHER, a_user(OTHER).arn, USER_IDS[OTHER], "AKIAEVE", user_name="eve"
    ),
    "role": _session(PrincipalType.ASSUMED_ROLE, access_key_id="ASIAROLE", **_ROLE_SESSION),
    "narrowed role": _session(
        PrincipalType.ASSUMED_ROLE,
        access_key_id="ASIANARROW",
        session_policies=(DOCUMENTS[1],),
        session_policy_arns=POLICY_ARNS[:1],
        **_ROLE_SESSION,
    ),
    "federated": _session(
        PrincipalType.FEDERATED_USER,
        access_key_id="ASIAFED",
        issuer_id=USER_IDS[ACCOUNT],
        issuer_arn=a_user(ACCOUNT).arn,
        session_policies=(DOCUMENTS[1], DOCUMENTS[2]),
        **_FEDERATED,
    ),
    "federated by root": _session(
        PrincipalType.FEDERATED_USER,
        access_key_id="ASIAFEDROOT",
        issuer_arn=Arn(f"arn:aws:iam::{ACCOUNT}:root"),
        session_policies=(),
        session_policy_arns=POLICY_ARNS[1:],
        **_FEDERATED,
    ),
}
ENDPOINT_POLICIES: Final = (None, RESOURCE_DOCUMENTS[1], policy(_to({"AWS": ACCOUNT})), DOCUMENTS[-1])
GRANTS: Final = ((), ("grant",))


class Asker:
    """One process's memories, and the questions put with and without them."""

    def __init__(self, *, remembering: Resources, forgetful: Resources) -> None:
        self._remembering = remembering
        self._forgetful = forgetful

    def ask(self, unit: Any, who: str, choice: int) -> tuple[Decision, Decision]:
        """Return the decision on one question, made with memories and made afresh."""
        remembered, fresh = (
            allowed(call, unit, _target(call, unit, choice))
            for call in (self._call(self._remembering, who, choice), self._call(self._forgetful, who, choice))
        )
        return remembered, fresh

    def _call(self, resources: Resources, who: str, choice: int) -> Call:
        principal = PRINCIPALS[who]
        tags = TAGS[choice % 3]
        return Call(
            service="secretsmanager",
            operation="GetSecretValue",
            request={},
            principal=principal,
            region=REGION,
            received_at=NOON,
            request_id="",
            resources=resources,
            context={
                "aws:PrincipalArn": principal.role_arn or principal.arn,
                "aws:PrincipalAccount": principal.account_id,
                "aws:SourceIp": ADDRESSES[choice // 3 % 2],
                **{f"aws:PrincipalTag/{key}": value for key, value in tags.items()},
            },
            endpoint_policy=ENDPOINT_POLICIES[choice // 24 % 4] if choice % 5 == 0 else None,
        )


def _target(call: Call, unit: Any, choice: int) -> Target:
    if choice // 6 % 2:
        return secret_target(call, unit, SECRET_ARN, GET)
    key = unit.find(KMS_KEYS, account_region(ACCOUNT, REGION), KEY_ID)
    return replace(
        key_target(call, key, "kms:Decrypt"),
        grants=GRANTS[choice // 12 % 2],
        grants_behind=bool(choice // 48 % 2),
    )
