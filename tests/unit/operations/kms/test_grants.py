"""CreateGrant, what grants allow and to whom, and how they end. Source: fact sheet kms section 6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    InvalidArnException,
    InvalidGrantIdException,
    InvalidGrantTokenException,
    KMSInvalidStateException,
    LimitExceededException,
    NotFoundException,
    ServiceError,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Role
from strongroom.keys.grants import encode_token
from strongroom.names import AccountId, Arn
from strongroom.operations.call import Operation
from strongroom.operations.kms import ciphers, grants, keys, policies
from strongroom.ports import GRANTS, KMS_KEYS, RETIRABLE_GRANTS, ROLES, USERS, account_region
from support.key_room import (
    ACCOUNT,
    NOON,
    OTHER_ACCOUNT,
    REGION,
    KeyRoom,
    allow,
    deny,
    for_principal,
    policy,
    root,
)

ABSENT = "0" * 64
CONTEXT = {"Department": "IT", "Purpose": "test"}
ROLE_ID = "AROAREADER0000000000A"
ROLE_ARN = Arn(f"arn:aws:iam::{ACCOUNT}:role/team/reader")


@pytest.fixture
def room() -> KeyRoom:
    return KeyRoom()


@pytest.fixture
def key_id(room: KeyRoom) -> str:
    return str(room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"])


@pytest.fixture
def ann(room: KeyRoom) -> Principal:
    """A user without any policy."""
    return room.user("ann")


def session(name: str = "s1", *statements: Mapping[str, Any] | None) -> Principal:
    """Return a session of the role; with statements, one with a session policy."""
    return Principal(
        PrincipalType.ASSUMED_ROLE,
        ACCOUNT,
        Arn(f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/{name}"),
        f"{ROLE_ID}:{name}",
        "ASIAROLE",
        role_id=ROLE_ID,
        role_arn=ROLE_ARN,
        session_policies=(policy(*[each for each in statements if each is not None]),)
        if statements
        else None,
    )


def add_role(room: KeyRoom, role_id: str = ROLE_ID) -> None:
    room.unit.save(
        ROLES,
        Role(
            role_id=role_id,
            role_name="reader",
            path="/team/",
            arn=ROLE_ARN,
            account_id=ACCOUNT,
            created_at=NOON,
            trust_policy=policy(),
        ),
    )


def grant(
    room: KeyRoom,
    key_id: str,
    grantee: Principal | str,
    *operations: str,
    principal: Principal | None = None,
    **members: Any,
) -> dict[str, Any]:
    request = {
        "KeyId": key_id,
        "GranteePrincipal": grantee if isinstance(grantee, str) else grantee.arn,
        "Operations": list(operations or ("Encrypt", "Decrypt")),
        **members,
    }
    answer: dict[str, Any] = room.run(grants.CREATE_GRANT, request, principal=principal)
    return answer


def encrypt(room: KeyRoom, key_id: str, who: Principal, context: Mapping[str, str] | None = None) -> bytes:
    request: dict[str, Any] = {"KeyId": key_id, "Plaintext": b"value"}
    if context is not None:
        request["EncryptionContext"] = context
    return bytes(room.run(ciphers.ENCRYPT, request, principal=who)["CiphertextBlob"])


def cannot_encrypt(
    room: KeyRoom, key_id: str, who: Principal, context: Mapping[str, str] | None = None
) -> str:
    with pytest.raises(AccessDeniedException) as caught:
        encrypt(room, key_id, who, context)
    return caught.value.message


def refusal(
    room: KeyRoom, operation: Operation, request: Mapping[str, Any], *, principal: Principal | None = None
) -> tuple[type[ServiceError], str]:
    """Return how a call is refused; nothing has changed then."""
    before = room.unit.state()
    with pytest.raises(ServiceError) as caught:
        room.run(operation, request, principal=principal)
    assert room.unit.state() == before
    return type(caught.value), caught.value.message


def create_refusal(room: KeyRoom, key_id: str, **members: Any) -> tuple[type[ServiceError], str]:
    request = {"KeyId": key_id, "GranteePrincipal": root().arn, "Operations": ["Decrypt"], **members}
    return refusal(room, grants.CREATE_GRANT, {k: v for k, v in request.items() if v is not None})


def listed(room: KeyRoom, key_id: str, **members: Any) -> list[dict[str, Any]]:
    answer = room.run(grants.LIST_GRANTS, {"KeyId": key_id, **members})
    assert answer["Truncated"] is False
    return list(answer["Grants"])


# --- what a grant allows ---------------------------------------------------------------------------------


def test_a_grant_allows_its_operations_and_no_others(room: KeyRoom, key_id: str, ann: Principal) -> None:
    assert "no identity-based policy allows the kms:Encrypt action" in cannot_encrypt(room, key_id, ann)
    made = grant(room, key_id, ann, "Encrypt")
    assert len(bytes.fromhex(made["GrantId"])) == 32
    blob = encrypt(room, key_id, ann)
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.DECRYPT, {"CiphertextBlob": blob}, principal=ann)
    grant(room, key_id, ann, "Decrypt")
    assert room.run(ciphers.DECRYPT, {"CiphertextBlob": blob}, principal=ann)["Plaintext"] == b"value"


def test_a_grant_is_for_its_grantee_and_its_key_alone(room: KeyRoom, key_id: str, ann: Principal) -> None:
    bob = room.user("bob")
    other = room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"]
    grant(room, key_id, ann)
    cannot_encrypt(room, key_id, bob)
    cannot_encrypt(room, other, ann)


def test_an_explicit_deny_beats_a_grant(room: KeyRoom, key_id: str) -> None:
    eve = room.user("eve", deny("kms:Encrypt"))
    grant(room, key_id, eve)
    assert "explicit deny in an identity-based policy" in cannot_encrypt(room, key_id, eve)
    ann = room.user("ann")
    grant(room, key_id, ann)
    document = policy(
        for_principal(root().arn, "kms:*"), for_principal(ann.arn, "kms:Encrypt", effect="Deny")
    )
    room.run(policies.PUT_KEY_POLICY, {"KeyId": key_id, "Policy": document})
    assert "explicit deny in a resource-based policy" in cannot_encrypt(room, key_id, ann)


def test_a_grant_counts_although_the_key_policy_delegates_to_nobody(room: KeyRoom, key_id: str) -> None:
    ann = room.user("ann", allow("kms:*"))
    grant(room, key_id, ann, "Encrypt")
    room.run(
        policies.PUT_KEY_POLICY,
        {
            "KeyId": key_id,
            "Policy": policy(for_principal(root().arn, "kms:PutKeyPolicy", "kms:GetKeyPolicy")),
        },
    )
    assert encrypt(room, key_id, ann)
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.GENERATE_DATA_KEY, {"KeyId": key_id, "KeySpec": "AES_256"}, principal=ann)


EQUALS = {"EncryptionContextEquals": CONTEXT}
SUBSET = {"EncryptionContextSubset": {"Department": "IT"}}


@pytest.mark.parametrize(
    ("constraints", "context", "fits"),
    [
        pytest.param(EQUALS, CONTEXT, True, id="equal"),
        pytest.param(EQUALS, dict(reversed(CONTEXT.items())), True, id="equal in another order"),
        pytest.param(EQUALS, {**CONTEXT, "More": "x"}, False, id="equal and more"),
        pytest.param(EQUALS, {"Department": "IT"}, False, id="a part of equal"),
        pytest.param(EQUALS, {"Department": "it", "Purpose": "test"}, False, id="other case"),
        pytest.param(EQUALS, None, False, id="equal, none given"),
        pytest.param(SUBSET, CONTEXT, True, id="subset and more"),
        pytest.param(SUBSET, {"Department": "IT"}, True, id="subset"),
        pytest.param(SUBSET, {"Department": "HR", "Purpose": "test"}, False, id="subset with another value"),
        pytest.param(SUBSET, None, False, id="subset, none given"),
    ],
)
def test_constraints_look_at_the_encryption_context(
    room: KeyRoom,
    key_id: str,
    ann: Principal,
    constraints: dict[str, Any],
    context: dict[str, str] | None,
    fits: bool,
) -> None:
    grant(room, key_id, ann, "Encrypt", "DescribeKey", Constraints=constraints)
    if fits:
        assert encrypt(room, key_id, ann, context)
    else:
        cannot_encrypt(room, key_id, ann, context)
    # They say nothing about operations without a context.
    assert room.run(keys.DESCRIBE_KEY, {"KeyId": key_id}, principal=ann)["KeyMetadata"]["KeyId"] == key_id


def test_grants_past_the_few_kept_in_memory_still_find_their_grantee(
    room: KeyRoom, key_id: str, ann: Principal
) -> None:
    for number in range(70):
        grant(room, key_id, root(OTHER_ACCOUNT), "Decrypt", Name=f"n{number}")
    cannot_encrypt(room, key_id, ann)
    grant(room, key_id, ann, "Encrypt")
    assert encrypt(room, key_id, ann)
    assert room.key(key_id).grant_count == 71


# --- principals ------------------------------------------------------------------------------------------


def test_a_user_made_again_under_the_same_name_gets_nothing(room: KeyRoom, key_id: str) -> None:
    ann = room.user("ann")
    grant(room, key_id, ann)
    record = room.unit.find(USERS, ACCOUNT, ann.principal_id)
    assert record is not None
    room.unit.delete(USERS, ACCOUNT, ann.principal_id)
    room.unit.save(USERS, replace(record, user_id="AIDASECONDANN00000000"))
    again = Principal(PrincipalType.USER, ACCOUNT, ann.arn, "AIDASECONDANN00000000", "AKIA2", user_name="ann")
    cannot_encrypt(room, key_id, again)
    assert listed(room, key_id)[0]["GranteePrincipal"] == ann.principal_id


def test_a_renamed_user_keeps_its_grants_and_is_listed_by_its_present_arn(room: KeyRoom, key_id: str) -> None:
    ann = room.user("ann")
    grant(room, key_id, ann)
    record = room.unit.find(USERS, ACCOUNT, ann.principal_id)
    assert record is not None
    arn = Arn(f"arn:aws:iam::{ACCOUNT}:user/anne")
    room.unit.save(USERS, replace(record, user_name="anne", arn=arn))
    assert listed(room, key_id)[0]["GranteePrincipal"] == arn
    assert listed(room, key_id, GranteePrincipal=arn)
    assert encrypt(
        room,
        key_id,
        Principal(PrincipalType.USER, ACCOUNT, arn, ann.principal_id, "AKIA", user_name="anne"),
    )


def test_a_grant_to_a_role_is_for_all_its_sessions_within_their_session_policies(
    room: KeyRoom, key_id: str
) -> None:
    add_role(room)
    grant(room, key_id, ROLE_ARN)
    assert encrypt(room, key_id, session())
    assert encrypt(room, key_id, session("s2", allow("kms:Encrypt")))
    assert "no session policy allows" in cannot_encrypt(room, key_id, session("s3", allow("kms:Decrypt")))
    room.unit.delete(ROLES, ACCOUNT, ROLE_ID)
    add_role(room, "AROAREADER0000000000B")
    again = replace_session(session(), "AROAREADER0000000000B")
    cannot_encrypt(room, key_id, again)


def replace_session(principal: Principal, role_id: str) -> Principal:
    return Principal(
        principal.type,
        principal.account_id,
        principal.arn,
        f"{role_id}:s1",
        principal.access_key_id,
        role_id=role_id,
        role_arn=principal.role_arn,
    )


def test_a_grant_to_a_session_is_for_that_session(room: KeyRoom, key_id: str) -> None:
    add_role(room)
    grant(room, key_id, session("s1"))
    # Named itself, its session policy does not matter.
    assert encrypt(room, key_id, session("s1", allow("kms:Decrypt")))
    cannot_encrypt(room, key_id, session("s2"))


def test_across_accounts_the_grantees_own_account_must_allow_too(room: KeyRoom, key_id: str) -> None:
    arn = room.key(key_id).arn
    bare = room.user("bare", account_id=OTHER_ACCOUNT)
    able = room.user("able", allow("kms:Encrypt"), account_id=OTHER_ACCOUNT)
    grant(room, key_id, bare)
    grant(room, key_id, able)
    cannot_encrypt(room, arn, bare)
    assert encrypt(room, arn, able)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:iam::{ACCOUNT}:user/nobody",
        f"arn:aws:iam::{ACCOUNT}:role/nobody",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/s",
        f"arn:aws:iam::{ACCOUNT}:group/ann",
        "arn:aws:iam::999999999999:root",
        "ann",
    ],
)
def test_principals_that_do_not_exist_are_refused(room: KeyRoom, key_id: str, arn: str) -> None:
    expected = (InvalidArnException, f"ARN does not refer to a valid principal: {arn}")
    assert create_refusal(room, key_id, GranteePrincipal=arn) == expected
    assert create_refusal(room, key_id, RetiringPrincipal=arn) == expected


# --- making ----------------------------------------------------------------------------------------------


def test_the_same_name_and_parameters_make_one_grant_with_a_new_token(
    room: KeyRoom, key_id: str, ann: Principal
) -> None:
    first = grant(room, key_id, ann, Name="one")
    second = grant(room, key_id, ann, Name="one")
    assert first["GrantId"] == second["GrantId"]
    assert first["GrantToken"] != second["GrantToken"]
    assert room.key(key_id).grant_count == 1
    assert grant(room, key_id, ann, "Decrypt", Name="one")["GrantId"] != first["GrantId"]
    assert grant(room, key_id, ann)["GrantId"] != grant(room, key_id, ann)["GrantId"]
    assert room.key(key_id).grant_count == 4


def test_grants_are_listed_as_aws_lists_them(room: KeyRoom, key_id: str, ann: Principal) -> None:
    made = grant(room, key_id, ann, "Decrypt", Name="one", RetiringPrincipal=root().arn, Constraints=SUBSET)
    assert listed(room, key_id) == [
        {
            "KeyId": room.key(key_id).arn,
            "GrantId": made["GrantId"],
            "Name": "one",
            "CreationDate": NOON,
            "GranteePrincipal": ann.arn,
            "RetiringPrincipal": root().arn,
            "IssuingAccount": root().arn,
            "Operations": ["Decrypt"],
            "Constraints": SUBSET,
        }
    ]
    assert grants.LIST_GRANTS.read_only


def test_lists_are_filtered_and_paged(room: KeyRoom, key_id: str, ann: Principal) -> None:
    bob = room.user("bob")
    made = {grant(room, key_id, who)["GrantId"] for who in (ann, ann, ann, bob)}
    seen: list[str] = []
    request: dict[str, Any] = {"KeyId": key_id, "Limit": 3}
    while True:
        answer = room.run(grants.LIST_GRANTS, request)
        seen += [each["GrantId"] for each in answer["Grants"]]
        if not answer["Truncated"]:
            break
        request["Marker"] = answer["NextMarker"]
    assert sorted(seen) == sorted(made)
    assert len(listed(room, key_id, GranteePrincipal=ann.arn)) == 3
    one = listed(room, key_id, GranteePrincipal=bob.arn)[0]["GrantId"]
    assert [each["GrantId"] for each in listed(room, key_id, GrantId=one)] == [one]
    assert listed(room, key_id, GrantId=one, GranteePrincipal=ann.arn) == []
    assert listed(room, key_id, GrantId=ABSENT) == []
    assert refusal(room, grants.LIST_GRANTS, {"KeyId": key_id, "GrantId": "x"}) == (
        InvalidGrantIdException,
        "The specified grant ID is not valid.",
    )


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        pytest.param(
            {"GranteePrincipal": None}, ValidationException, "Value null at 'granteePrincipal'", id="nobody"
        ),
        pytest.param(
            {"Operations": ["Decrypt", "Sign"]},
            ValidationException,
            "Grant operations Sign are not valid",
            id="operations of another kind of key",
        ),
        pytest.param({"Operations": []}, ValidationException, "Grant operations none", id="no operations"),
        pytest.param(
            {"Constraints": {"EncryptionContextEquals": {f"k{n}": "v" for n in range(9)}}},
            ValidationException,
            "must have 1 to 8 pairs",
            id="nine pairs",
        ),
        pytest.param(
            {"Constraints": {"EncryptionContextSubset": {"k": "v" * 385}}},
            ValidationException,
            "at most 384 characters",
            id="a long value",
        ),
        pytest.param(
            {"GranteeServicePrincipal": "logs.amazonaws.com"},
            UnsupportedOperationException,
            "Service principals",
            id="a service",
        ),
        pytest.param(
            {"GrantTokens": ["AQpA"]},
            InvalidGrantTokenException,
            "The specified grant token is not valid.",
            id="a foreign token",
        ),
        pytest.param(
            {"DryRun": True}, DryRunOperationException, "The request would have succeeded", id="dry run"
        ),
    ],
)
def test_what_cannot_be_granted_changes_nothing(
    room: KeyRoom, key_id: str, members: dict[str, Any], error: type[ServiceError], message: str
) -> None:
    refused_as, text = create_refusal(room, key_id, **members)
    assert refused_as is error
    assert message in text


def test_constraints_are_for_symmetric_keys(room: KeyRoom, key_id: str) -> None:
    room.unit.save(KMS_KEYS, replace(room.key(key_id), spec="HMAC_256", usage="GENERATE_VERIFY_MAC"))
    assert create_refusal(room, key_id, Operations=["GenerateMac"], Constraints=SUBSET) == (
        ValidationException,
        "Encryption context grant constraints are only valid on symmetric encryption KMS keys.",
    )
    assert grant(room, key_id, root(OTHER_ACCOUNT), "GenerateMac", "VerifyMac")


def test_a_key_has_at_most_50000_grants(room: KeyRoom, key_id: str) -> None:
    room.unit.save(KMS_KEYS, replace(room.key(key_id), grant_count=50_000))
    assert create_refusal(room, key_id) == (
        LimitExceededException,
        "The KMS key already has 50000 grants, which is the maximum.",
    )


def test_states_that_take_no_new_grants(room: KeyRoom, key_id: str, ann: Principal) -> None:
    made = grant(room, key_id, ann)
    arn = room.key(key_id).arn
    room.run(keys.DISABLE_KEY, {"KeyId": key_id})
    assert create_refusal(room, key_id) == (DisabledException, f"{arn} is disabled.")
    room.run(keys.SCHEDULE_KEY_DELETION, {"KeyId": key_id})
    assert create_refusal(room, key_id) == (KMSInvalidStateException, f"{arn} is pending deletion.")
    # Those there are can be listed and revoked.
    assert listed(room, key_id)
    room.run(grants.REVOKE_GRANT, {"KeyId": key_id, "GrantId": made["GrantId"]})
    assert listed(room, key_id) == []


CREATE = "kms:CreateGrant"


@pytest.mark.parametrize(
    ("condition", "members", "allowed"),
    [
        pytest.param(
            {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "Decrypt"]}}, {}, True, id="ops"
        ),
        pytest.param(
            {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]}}, {}, False, id="more ops"
        ),
        pytest.param(
            {"StringEquals": {"kms:GrantConstraintType": "EncryptionContextSubset"}},
            {"Constraints": SUBSET},
            True,
            id="constraint type",
        ),
        pytest.param(
            {"StringEquals": {"kms:GrantConstraintType": "EncryptionContextSubset"}}, {}, False, id="no type"
        ),
        pytest.param(
            {"StringEquals": {"kms:EncryptionContext:Department": "IT"}},
            {"Constraints": SUBSET},
            True,
            id="context of the constraint",
        ),
        pytest.param(
            {"StringEquals": {"kms:GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/ann"}},
            {},
            True,
            id="grantee",
        ),
        pytest.param(
            {"StringEquals": {"kms:RetiringPrincipal": root().arn}},
            {"RetiringPrincipal": root().arn},
            True,
            id="retiring principal",
        ),
        pytest.param({"Bool": {"kms:GrantIsForAWSResource": "true"}}, {}, False, id="for AWS resources only"),
        pytest.param(
            {"StringLike": {"kms:ViaService": "secretsmanager.*.amazonaws.com"}},
            {},
            False,
            id="via a service",
        ),
    ],
)
def test_condition_keys_of_create_grant(
    room: KeyRoom,
    key_id: str,
    ann: Principal,
    condition: dict[str, Any],
    members: dict[str, Any],
    allowed: bool,
) -> None:
    giver = room.user("giver", allow(CREATE, Condition=condition))
    if allowed:
        assert grant(room, key_id, ann, principal=giver, **members)
    else:
        with pytest.raises(AccessDeniedException):
            grant(room, key_id, ann, principal=giver, **members)


@pytest.mark.parametrize(
    ("constraints", "operations", "allowed"),
    [
        pytest.param(SUBSET, ("Decrypt",), True, id="the same"),
        pytest.param({"EncryptionContextSubset": CONTEXT}, ("Decrypt",), True, id="stricter"),
        pytest.param(EQUALS, ("Decrypt",), True, id="equals that hold the subset"),
        pytest.param(None, ("Decrypt",), False, id="no constraint"),
        pytest.param({"EncryptionContextSubset": {"Purpose": "test"}}, ("Decrypt",), False, id="another one"),
        pytest.param(SUBSET, ("Decrypt", "Encrypt"), False, id="more operations"),
    ],
)
def test_a_grant_to_make_grants_gives_no_more_than_it_has(
    room: KeyRoom,
    key_id: str,
    ann: Principal,
    constraints: dict[str, Any] | None,
    operations: tuple[str, ...],
    allowed: bool,
) -> None:
    bob = room.user("bob")
    grant(room, key_id, ann, "Decrypt", CREATE.removeprefix("kms:"), Constraints=SUBSET)
    members = {} if constraints is None else {"Constraints": constraints}
    if allowed:
        assert grant(room, key_id, bob, *operations, principal=ann, **members)
    else:
        with pytest.raises(AccessDeniedException):
            grant(room, key_id, bob, *operations, principal=ann, **members)
        assert room.key(key_id).grant_count == 1


def test_a_grant_with_equals_lets_only_the_same_be_granted(
    room: KeyRoom, key_id: str, ann: Principal
) -> None:
    bob = room.user("bob")
    grant(room, key_id, ann, "Decrypt", "CreateGrant", Constraints=EQUALS)
    assert grant(room, key_id, bob, "Decrypt", principal=ann, Constraints=EQUALS)
    with pytest.raises(AccessDeniedException):
        grant(room, key_id, bob, "Decrypt", principal=ann, Constraints={"EncryptionContextSubset": CONTEXT})


# --- the end of grants -----------------------------------------------------------------------------------


def test_a_revoked_grant_allows_nothing_any_more(room: KeyRoom, key_id: str, ann: Principal) -> None:
    made = grant(room, key_id, ann, RetiringPrincipal=root().arn)
    assert encrypt(room, key_id, ann)
    request = {"KeyId": key_id, "GrantId": made["GrantId"]}
    assert refusal(room, grants.REVOKE_GRANT, {**request, "DryRun": True})[0] is DryRunOperationException
    room.run(grants.REVOKE_GRANT, request)
    cannot_encrypt(room, key_id, ann)
    assert room.key(key_id).grant_count == 0
    assert room.unit.scan(GRANTS, room.key(key_id).arn) == []
    assert room.unit.scan(RETIRABLE_GRANTS, account_region(ACCOUNT, REGION)) == []
    assert refusal(room, grants.REVOKE_GRANT, request) == (
        NotFoundException,
        f"Grant '{made['GrantId']}' does not exist",
    )
    assert refusal(room, grants.REVOKE_GRANT, {**request, "GrantId": "x"})[0] is InvalidGrantIdException


def test_the_grantee_cannot_revoke(room: KeyRoom, key_id: str, ann: Principal) -> None:
    made = grant(room, key_id, ann)
    request = {"KeyId": key_id, "GrantId": made["GrantId"]}
    assert refusal(room, grants.REVOKE_GRANT, request, principal=ann)[0] is AccessDeniedException


def test_the_retiring_principal_retires_by_token_or_by_ids(
    room: KeyRoom, key_id: str, ann: Principal
) -> None:
    bob = room.user("bob")
    made = [grant(room, key_id, ann, RetiringPrincipal=bob.arn) for _ in range(2)]
    room.run(grants.RETIRE_GRANT, {"GrantToken": made[0]["GrantToken"]}, principal=bob)
    room.run(
        grants.RETIRE_GRANT,
        {"KeyId": room.key(key_id).arn, "GrantId": made[1]["GrantId"]},
        principal=bob,
    )
    assert listed(room, key_id) == []
    assert room.key(key_id).grant_count == 0


def test_others_retire_nothing_whatever_policies_allow(room: KeyRoom, key_id: str, ann: Principal) -> None:
    admin = room.user("admin", allow("kms:*"))
    request = {"GrantToken": grant(room, key_id, ann)["GrantToken"]}
    expected = f"is not authorized to perform: kms:RetireGrant on resource: {room.key(key_id).arn}"
    for who in (admin, ann):
        error, message = refusal(room, grants.RETIRE_GRANT, request, principal=who)
        assert error is AccessDeniedException
        assert expected in message
    # The account that made it may, and the grantee where the grant says so.
    room.run(grants.RETIRE_GRANT, request)
    request = {"GrantToken": grant(room, key_id, ann, "Decrypt", "RetireGrant")["GrantToken"]}
    room.run(grants.RETIRE_GRANT, request, principal=ann)
    assert listed(room, key_id) == []


def test_a_deny_keeps_a_retiring_principal_from_it(room: KeyRoom, key_id: str, ann: Principal) -> None:
    bob = room.user("bob", deny("kms:RetireGrant"))
    request = {"GrantToken": grant(room, key_id, ann, RetiringPrincipal=bob.arn)["GrantToken"]}
    error, message = refusal(room, grants.RETIRE_GRANT, request, principal=bob)
    assert error is AccessDeniedException
    assert "explicit deny" in message


def test_what_names_no_grant_is_refused(room: KeyRoom, key_id: str) -> None:
    arn = room.key(key_id).arn
    both = (ValidationException, "Please specify either a grant token, or a key ID and a grant ID.")
    token = encode_token(arn, ABSENT, b"0" * 16)
    assert refusal(room, grants.RETIRE_GRANT, {}) == both
    assert refusal(room, grants.RETIRE_GRANT, {"KeyId": arn}) == both
    assert refusal(room, grants.RETIRE_GRANT, {"GrantToken": token, "KeyId": arn, "GrantId": ABSENT}) == both
    assert refusal(room, grants.RETIRE_GRANT, {"GrantToken": "x"}) == (
        InvalidGrantTokenException,
        "The specified grant token is not valid.",
    )
    for request in ({"GrantToken": token}, {"KeyId": arn, "GrantId": ABSENT}):
        assert refusal(room, grants.RETIRE_GRANT, request) == (
            NotFoundException,
            f"Grant '{ABSENT}' does not exist",
        )


def test_retirable_grants_of_a_principal_on_all_keys(room: KeyRoom, key_id: str, ann: Principal) -> None:
    bob = room.user("bob")
    other = room.run(keys.CREATE_KEY)["KeyMetadata"]["KeyId"]
    made = {grant(room, each, ann, RetiringPrincipal=bob.arn)["GrantId"] for each in (key_id, other)}
    grant(room, key_id, ann, RetiringPrincipal=root().arn)
    request = {"RetiringPrincipal": bob.arn}
    answer = room.run(grants.LIST_RETIRABLE_GRANTS, request)
    assert {each["GrantId"] for each in answer["Grants"]} == made
    page = room.run(grants.LIST_RETIRABLE_GRANTS, {**request, "Limit": 1})
    rest = room.run(grants.LIST_RETIRABLE_GRANTS, {**request, "Limit": 1, "Marker": page["NextMarker"]})
    assert {each["GrantId"] for each in page["Grants"] + rest["Grants"]} == made
    assert (page["Truncated"], rest["Truncated"]) == (True, False)
    assert refusal(room, grants.LIST_RETIRABLE_GRANTS, {})[0] is ValidationException
    foreign = room.user("foreign", account_id=AccountId(OTHER_ACCOUNT))
    assert refusal(room, grants.LIST_RETIRABLE_GRANTS, {"RetiringPrincipal": foreign.arn}) == (
        InvalidArnException,
        f"ARN does not refer to a valid principal: {foreign.arn}",
    )


def test_grant_tokens_are_taken_and_change_nothing(room: KeyRoom, key_id: str, ann: Principal) -> None:
    token = grant(room, key_id, ann, "Encrypt")["GrantToken"]
    request = {"KeyId": key_id, "Plaintext": b"value", "GrantTokens": [token]}
    assert room.run(ciphers.ENCRYPT, request, principal=ann)["CiphertextBlob"]
    bob = room.user("bob")
    with pytest.raises(AccessDeniedException):
        room.run(ciphers.ENCRYPT, request, principal=bob)
