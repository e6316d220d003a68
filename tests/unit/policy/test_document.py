"""Policy documents are parsed strictly, and say what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strongroom.policy.context import ContextKeys
from strongroom.policy.document import (
    KEY_POLICY_SIZE,
    MANAGED_POLICY_SIZE,
    SECRET_POLICY_SIZE,
    SYNTAX_ERRORS,
    USER_INLINE_TOTAL,
    Effect,
    PolicyKind,
    PolicySyntaxError,
    compile_policy,
    fits,
    parse_policy,
)

IDENTITY, RESOURCE, KEY, TRUST = PolicyKind.IDENTITY, PolicyKind.RESOURCE, PolicyKind.KEY, PolicyKind.TRUST
ALLOW: dict[str, Any] = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
TO_ALL: dict[str, Any] = {**ALLOW, "Principal": "*"}
ASSUME: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
NO_KEYS = ContextKeys({})


def document(*statements: Any, **members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", **members, "Statement": list(statements)})


def without(statement: dict[str, Any], *names: str, **members: Any) -> dict[str, Any]:
    return {name: value for name, value in statement.items() if name not in names} | members


def refusal(text: str, kind: PolicyKind = IDENTITY) -> PolicySyntaxError:
    with pytest.raises(PolicySyntaxError) as caught:
        parse_policy(text, kind)
    return caught.value


def test_a_policy_keeps_what_was_written() -> None:
    text = document(
        {
            "Sid": "One",
            "Effect": "Deny",
            "Principal": {"AWS": ["111122223333", "*"], "Service": "rds.amazonaws.com"},
            "NotAction": ["secretsmanager:Get*", "kms:Decrypt"],
            "NotResource": "arn:aws:s3:::${aws:username}/*",
            "Condition": {
                "StringLike": {"aws:UserAgent": ["a*", "b"]},
                "Bool": {"aws:SecureTransport": False},
            },
        },
        TO_ALL,
        Id="mine",
    )
    policy = parse_policy(text, RESOURCE)
    assert (policy.kind, policy.version, policy.id) == (RESOURCE, "2012-10-17", "mine")
    first, second = policy.statements
    assert (first.index, first.sid, first.effect, first.denies) == (0, "One", Effect.DENY, True)
    assert (second.index, second.sid, second.effect, second.denies) == (1, "", Effect.ALLOW, False)
    assert first.principal is not None
    assert [each.name for each in first.principal.named] == ["111122223333", "*", "rds.amazonaws.com"]
    assert first.action.patterns == ("secretsmanager:Get*", "kms:Decrypt")
    assert first.action.negated
    assert first.resource is not None
    assert first.resource.patterns == ("arn:aws:s3:::${aws:username}/*",)
    assert first.resource.negated
    assert [(each.operator.name, each.key, each.values) for each in first.conditions] == [
        ("StringLike", "aws:UserAgent", ("a*", "b")),
        ("Bool", "aws:SecureTransport", ("false",)),
    ]
    assert policy.keys_read == {"aws:useragent", "aws:securetransport", "aws:username"}


def test_one_statement_needs_no_list() -> None:
    policy = parse_policy(json.dumps({"Statement": ALLOW}), IDENTITY)
    assert len(policy.statements) == 1
    assert policy.version == "2008-10-17"


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        (IDENTITY, ALLOW),
        (PolicyKind.SESSION, ALLOW),
        (PolicyKind.BOUNDARY, ALLOW),
        (RESOURCE, TO_ALL),
        (RESOURCE, without(TO_ALL, "Resource")),
        (RESOURCE, without(TO_ALL, Sid="any text, even this")),
        (KEY, without(TO_ALL, Action="kms:*", Sid="Enable IAM User Permissions")),
        (TRUST, ASSUME),
        (TRUST, without(ASSUME, Principal={"Federated": "arn:aws:iam::1:oidc-provider/x"})),
        (TRUST, without(ASSUME, Action=["sts:AssumeRole*", "sts:TagSession"], Sid="")),
        (TRUST, without(ASSUME, "Principal", NotPrincipal={"AWS": "1"})),
        (IDENTITY, without(ALLOW, Condition={})),
        (IDENTITY, without(ALLOW, Condition={"StringEquals": {}})),
        (IDENTITY, without(ALLOW, Condition={"StringEquals": {"a": []}})),
        (IDENTITY, without(ALLOW, Condition={"NumericLessThan": {"a": 3}, "Bool": {"b": [True]}})),
        (IDENTITY, without(ALLOW, Action="*", Resource=["*", "arn:aws:s3:::x"])),
        (IDENTITY, without(ALLOW, Action="*:*")),
        (IDENTITY, without(ALLOW, Action="s3.s:x", Resource="arn:aws:sqs")),
        (IDENTITY, without(ALLOW, Resource="arn:*:s3:::x")),
        (IDENTITY, without(ALLOW, Resource="arn:aws-us-gov:s3:::${aws:username}")),
        (IDENTITY, without(ALLOW, "Action", "Resource", NotAction="s3:x", NotResource="*")),
    ],
)
def test_valid_statements_are_accepted(kind: PolicyKind, statement: dict[str, Any]) -> None:
    assert len(parse_policy(document(statement), kind).statements) == 1
    assert len(parse_policy(document(statement, statement | {"Sid": ""}), kind).statements) == 2


INVALID_JSON = "This policy contains invalid Json"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "{",
        '{"Statement": [}',
        "{} {}",
        "{'Statement': []}",
        '{"Version": NaN}',
        '{"Version": -Infinity}',
        "[" * 30_000,
        '{"a":' * 6_000,
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    refused = refusal(text)
    assert (refused.reason, refused.message) == (INVALID_JSON, INVALID_JSON)


GENERAL: list[tuple[PolicyKind, str, str]] = [
    (IDENTITY, "[]", "A policy must be a JSON object."),
    (IDENTITY, '"x"', "A policy must be a JSON object."),
    (IDENTITY, "1", "A policy must be a JSON object."),
    (IDENTITY, "{}", "The policy has no Statement."),
    (IDENTITY, document(), "The policy has no statement in its Statement."),
    (IDENTITY, '{"Statement": null}', "Statement 1 is not a JSON object."),
    (IDENTITY, document("x"), "Statement 1 is not a JSON object."),
    (IDENTITY, document(ALLOW, 3), "Statement 2 is not a JSON object."),
    (IDENTITY, document(ALLOW, Extra=1), 'The policy has an unknown element "Extra".'),
    (IDENTITY, document(ALLOW, statement=1), 'The policy has an unknown element "statement".'),
    (IDENTITY, document(ALLOW, Version="2013-01-01"), 'The Version must be "2012-10-17" or "2008-10-17".'),
    (IDENTITY, document(ALLOW, Version=None), 'The Version must be "2012-10-17" or "2008-10-17".'),
    (IDENTITY, document(ALLOW, Version=["2012-10-17"]), 'The Version must be "2012-10-17" or "2008-10-17".'),
    (
        IDENTITY,
        document(ALLOW, Id="x"),
        "An Id is allowed in resource-based policies only, and must be a string.",
    ),
    (RESOURCE, document(TO_ALL, Id=3), "The Id must be a string."),
    (
        RESOURCE,
        document(TO_ALL, Id=None),
        "An Id is allowed in resource-based policies only, and must be a string.",
    ),
    (IDENTITY, document(without(ALLOW, extra=1)), 'Statement 1 has an unknown element "extra".'),
    (IDENTITY, document(without(ALLOW, "Effect")), 'Statement 1 must have an Effect, "Allow" or "Deny".'),
    (
        IDENTITY,
        document(without(ALLOW, Effect="allow")),
        'Statement 1 must have an Effect, "Allow" or "Deny".',
    ),
    (
        IDENTITY,
        document(without(ALLOW, Effect=["Deny"])),
        'Statement 1 must have an Effect, "Allow" or "Deny".',
    ),
    (IDENTITY, document(without(ALLOW, Sid=1)), "Statement 1: the Sid must be a string."),
    (IDENTITY, document(without(ALLOW, Sid=None)), "Statement 1: the Sid must be a string."),
    (IDENTITY, document(without(ALLOW, NotAction="s3:x")), "Statement 1 has both Action and NotAction."),
    (IDENTITY, document(without(ALLOW, NotResource=[])), "Statement 1 has both Resource and NotResource."),
    (
        RESOURCE,
        document(without(TO_ALL, NotPrincipal="*")),
        "Statement 1 has both Principal and NotPrincipal.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Action={})),
        "Statement 1: Action must be a string or a list of strings.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Action=[[]])),
        "Statement 1: Action must be a string or a list of strings.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Resource=[1])),
        "Statement 1: Resource must be a string or a list of strings.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Action="s3:a b")),
        'Statement 1: "s3:a b" is not the name of an action.',
    ),
    (IDENTITY, document(without(ALLOW, Action="s3:")), 'Statement 1: "s3:" is not the name of an action.'),
    (
        IDENTITY,
        document(without(ALLOW, Action="s3:Gé")),
        'Statement 1: "s3:G\\u00e9" is not the name of an action.',
    ),
    (
        IDENTITY,
        document(without(ALLOW, Resource="arn:aws:iam::${aws:x}:user/y")),
        "Statement 1: a policy variable can stand in a Resource only after the fifth colon: "
        '"arn:aws:iam::${aws:x}:user/y"',
    ),
    (
        IDENTITY,
        document(without(ALLOW, Resource="arn:aws:s3:::${a")),
        "Statement 1: A policy variable must be written ${key} or ${key, 'default value'}: ${a",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition=[])),
        "Statement 1: the Condition must be an object of operators.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition=None)),
        "Statement 1: the Condition must be an object of operators.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition={"Bool": "a"})),
        'Statement 1: the condition operator "Bool" must hold an object of keys.',
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition={"Equals": {"a": "b"}})),
        "Statement 1: Invalid Condition type : Equals.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition={"StringEquals": {"": "b"}})),
        "Statement 1: a condition key is empty or no text.",
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition={"StringEquals": {"a": {}}})),
        'Statement 1: the values of "a" must be strings, numbers or booleans.',
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition={"StringEquals": {"a": ["b", None]}})),
        'Statement 1: the values of "a" must be strings, numbers or booleans.',
    ),
    (
        IDENTITY,
        document(without(ALLOW, Condition={"StringEquals": {"a": "\ud800"}})),
        'Statement 1: the values of "a" must be strings, numbers or booleans.',
    ),
    (
        IDENTITY,
        document(ALLOW, without(ALLOW, Condition={"NumericEquals": {"a": "x"}})),
        "Statement 2: The value of this condition must be a number: x",
    ),
    (RESOURCE, document(ALLOW), "Statement 1 must have a Principal."),
    (
        RESOURCE,
        document(without(TO_ALL, Principal="111122223333")),
        'Statement 1: the Principal must be "*" or an object such as {"AWS": "123456789012"}.',
    ),
    (
        RESOURCE,
        document(without(TO_ALL, Principal={})),
        'Statement 1: the Principal must be "*" or an object such as {"AWS": "123456789012"}.',
    ),
    (
        RESOURCE,
        document(without(TO_ALL, Principal=["*"])),
        'Statement 1: the Principal must be "*" or an object such as {"AWS": "123456789012"}.',
    ),
    (
        RESOURCE,
        document(without(TO_ALL, Principal={"Aws": "*"})),
        'Statement 1: the Principal has an unknown element "Aws".',
    ),
    (
        RESOURCE,
        document(without(TO_ALL, Principal={"AWS": 111122223333})),
        "Statement 1: Principal AWS must be a string or a list of strings.",
    ),
    (RESOURCE, document(without(TO_ALL, Principal={"AWS": []})), "Statement 1: the Principal names nobody."),
    (KEY, document(ALLOW), "Statement 1 must have a Principal."),
    (TRUST, document(without(ASSUME, "Principal")), "Statement 1 must have a Principal."),
    (
        IDENTITY,
        '{"Statement": [], "Statement": []}',
        'The key "Statement" occurs twice in one object.',
    ),
    (
        IDENTITY,
        '{"Statement": {"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}',
        'The key "Effect" occurs twice in one object.',
    ),
    (
        IDENTITY,
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", '
        '"Condition": {"StringEquals": {"a": "1", "\\u0061": "2"}}}}',
        'The key "a" occurs twice in one object.',
    ),
]


@pytest.mark.parametrize(("kind", "text", "reason"), GENERAL)
def test_syntax_errors_say_what_to_change(kind: PolicyKind, text: str, reason: str) -> None:
    refused = refusal(text, kind)
    assert refused.reason == reason
    assert refused.message == SYNTAX_ERRORS


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\u0100", "\u4e2d", "\ufeff", "\ud800"])
def test_characters_a_policy_may_not_hold_are_refused(character: str) -> None:
    assert refusal(document(ALLOW) + character).reason == (
        "A policy may hold tab, line feed, carriage return and the characters U+0020 to U+00FF only."
    )
    assert parse_policy("\t\r\n" + document(without(ALLOW, Resource="arn:aws:s3:::ÿ")), IDENTITY)


# Texts as AWS gives them.
AS_AWS: list[tuple[PolicyKind, dict[str, Any], str]] = [
    (IDENTITY, without(ALLOW, "Action"), "Policy statement must contain actions."),
    (IDENTITY, without(ALLOW, Action=[]), "Policy statement must contain actions."),
    (IDENTITY, without(ALLOW, "Resource"), "Policy statement must contain resources."),
    (IDENTITY, without(ALLOW, Resource=[]), "Policy statement must contain resources."),
    (KEY, without(TO_ALL, "Resource"), "Policy statement must contain resources."),
    (IDENTITY, TO_ALL, "Policy document should not specify a principal."),
    (
        PolicyKind.SESSION,
        without(ALLOW, NotPrincipal="*"),
        "Policy document should not specify a principal.",
    ),
    (PolicyKind.BOUNDARY, TO_ALL, "Policy document should not specify a principal."),
    (
        IDENTITY,
        without(ALLOW, Action="GetObject"),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    (
        IDENTITY,
        without(ALLOW, Action=""),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    (IDENTITY, without(ALLOW, Action="s3:List:Bucket"), "Actions/Condition can contain only one colon."),
    (IDENTITY, without(ALLOW, Action="a a:ListBucket"), "Vendor a a is not valid"),
    (IDENTITY, without(ALLOW, Action="s*:ListBucket"), "Vendor s* is not valid"),
    (IDENTITY, without(ALLOW, Resource="secret"), 'Resource secret must be in ARN format or "*".'),
    (IDENTITY, without(ALLOW, Resource=""), 'Resource  must be in ARN format or "*".'),
    (IDENTITY, without(ALLOW, Resource="**"), 'Resource ** must be in ARN format or "*".'),
    (
        IDENTITY,
        without(ALLOW, Resource="arn:b:c"),
        'Partition "b" is not valid for resource "arn:b:c:*:*:*".',
    ),
    (
        IDENTITY,
        without(ALLOW, Resource="arn:aws"),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        IDENTITY,
        without(ALLOW, Resource="arn:aws:s*:::x"),
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        IDENTITY,
        without(ALLOW, Sid="no spaces"),
        "Statement IDs (SID) must be alpha-numeric. "
        "Check that your input satisfies the regular expression [0-9A-Za-z]*",
    ),
    (TRUST, without(ASSUME, Resource="*"), "Has prohibited field Resource"),
    (TRUST, without(ASSUME, Action="*"), "AssumeRole policy may only specify STS AssumeRole actions."),
    (TRUST, without(ASSUME, Action="s3:x"), "AssumeRole policy may only specify STS AssumeRole actions."),
]


@pytest.mark.parametrize(("kind", "statement", "text"), AS_AWS)
def test_where_aws_has_a_text_it_is_given(kind: PolicyKind, statement: dict[str, Any], text: str) -> None:
    refused = refusal(document(statement), kind)
    assert (refused.reason, refused.message) == (text, text)


def test_statement_ids_are_unique() -> None:
    one, other = without(ALLOW, Sid="One"), without(ALLOW, Sid="one")
    assert refusal(document(one, one)).message == "Statement IDs (SID) in a single policy must be unique."
    assert len(parse_policy(document(one, other, ALLOW, ALLOW), IDENTITY).statements) == 4


def test_numbers_in_conditions_keep_their_digits() -> None:
    text = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": '
    text += '{"NumericEquals": {"a": [1.50, 2e3, 12345678901234567890123]}}}}'
    (condition,) = parse_policy(text, IDENTITY).statements[0].conditions
    assert condition.values == ("1.50", "2e3", "12345678901234567890123")


@pytest.mark.parametrize(
    ("element", "action", "expected"),
    [
        ({"Action": "s3:GetObject"}, "s3:GetObject", True),
        ({"Action": "S3:getobject"}, "s3:GetObject", True),
        ({"Action": "s3:Get*"}, "S3:GETOBJECT", True),
        ({"Action": "s3:Get?bject"}, "s3:GetObject", True),
        ({"Action": ["s3:Put*", "s3:*Object"]}, "s3:GetObject", True),
        ({"Action": "*"}, "s3:GetObject", True),
        ({"Action": "*:*"}, "s3:GetObject", True),
        ({"Action": "*:Get*"}, "s3:GetObject", True),
        ({"Action": "s3:Get"}, "s3:GetObject", False),
        ({"Action": "kms:*"}, "s3:GetObject", False),
        ({"Action": "kms:*"}, "\u212ams:Decrypt", False),
        ({"NotAction": "s3:Get*"}, "s3:GetObject", False),
        ({"NotAction": ["s3:Get*", "kms:*"]}, "s3:PutObject", True),
        ({"NotAction": ["s3:Get*", "kms:*"]}, "kms:Decrypt", False),
    ],
)
def test_actions_ignore_case(element: dict[str, Any], action: str, expected: bool) -> None:
    policy = parse_policy(document(without(ALLOW, "Action") | element), IDENTITY)
    for _ in range(2):
        assert bool(policy.statements_for(action)) is expected


def test_any_number_of_actions_can_be_asked_for() -> None:
    policy = parse_policy(document(ALLOW, without(ALLOW, Action="*")), IDENTITY)
    for number in range(1_000):
        assert len(policy.statements_for(f"s3:Get{number}")) == 2
        assert len(policy.statements_for(f"s3:Put{number}")) == 1
    assert len(policy.statements_for("s3:Get0")) == 2


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize(
    ("element", "context", "allows", "denies"),
    [
        ({"Resource": "arn:aws:s3:::${k:x}"}, {"k:x": "b"}, True, True),
        ({"Resource": "arn:aws:s3:::${k:x}"}, {}, False, False),
        ({"Resource": ["arn:aws:s3:::${k:x}", "arn:aws:s3:::b"]}, {}, True, True),
        ({"NotResource": "arn:aws:s3:::${k:x}"}, {"k:x": "b"}, False, False),
        ({"NotResource": "arn:aws:s3:::${k:x}"}, {"k:x": "c"}, True, True),
        ({"NotResource": "arn:aws:s3:::${k:x}"}, {}, False, True),
        ({"NotResource": "arn:aws:s3:::${k:x, 'c'}"}, {}, True, True),
        ({"NotResource": ["arn:aws:s3:::${k:x}", "arn:aws:s3:::b"]}, {}, False, False),
        ({"NotResource": "*"}, {}, False, False),
    ],
)
def test_resources_with_variables(
    effect: str, element: dict[str, Any], context: dict[str, str], allows: bool, denies: bool
) -> None:
    statement = without(ALLOW, "Resource", Effect=effect) | element
    (compiled,) = parse_policy(document(statement), IDENTITY).statements
    expected = allows if effect == "Allow" else denies
    assert compiled.applies("arn:aws:s3:::b", ContextKeys(context)) is expected


def test_before_2012_a_resource_has_no_variables() -> None:
    statement = without(ALLOW, Resource="arn:aws:s3:::${k:x}")
    (compiled,) = parse_policy(document(statement, Version="2008-10-17"), IDENTITY).statements
    keys = ContextKeys({"k:x": "b"})
    assert not compiled.applies("arn:aws:s3:::b", keys)
    assert compiled.applies("arn:aws:s3:::${k:x}", keys)


def test_all_operators_and_keys_must_hold() -> None:
    conditions = {"StringEquals": {"a:b": "1", "c:d": ["2", "3"]}, "Bool": {"e:f": "true"}}
    (compiled,) = parse_policy(document(without(ALLOW, Condition=conditions)), IDENTITY).statements
    good = {"a:b": "1", "c:d": "3", "e:f": "true"}
    assert compiled.applies("*", ContextKeys(good))
    for key in good:
        assert not compiled.applies("*", ContextKeys({**good, key: "9"}))


def test_sizes_leave_white_space_out_for_iam_documents() -> None:
    text = "x" * 6_144
    assert fits(MANAGED_POLICY_SIZE, text + " \n\t\r" * 1_000)
    assert not fits(MANAGED_POLICY_SIZE, text + "x")
    assert fits(USER_INLINE_TOTAL, "x" * 1_000, "y" * 1_048)
    assert not fits(USER_INLINE_TOTAL, "x" * 1_000, "y" * 1_049)
    assert fits(SECRET_POLICY_SIZE, " " * 20_480)
    assert not fits(SECRET_POLICY_SIZE, " " * 20_481)
    assert fits(KEY_POLICY_SIZE, "x" * 32_768)


def test_compiling_remembers_documents_by_text_and_kind() -> None:
    text = document(TO_ALL)
    assert compile_policy(text, RESOURCE) is compile_policy(text, RESOURCE)
    assert compile_policy(text, RESOURCE) is not compile_policy(text, KEY)
    with pytest.raises(PolicySyntaxError):
        compile_policy(text, IDENTITY)


def test_a_document_of_nothing_but_wildcards_is_compiled_and_matched() -> None:
    resources = [f"arn:aws:s3:::{'*a' * n}*b" for n in range(1, 100)]
    (compiled,) = parse_policy(document(without(ALLOW, Resource=resources)), IDENTITY).statements
    assert not compiled.applies("arn:aws:s3:::" + "a" * 2_000, NO_KEYS)
    assert compiled.applies("arn:aws:s3:::" + "a" * 2_000 + "b", NO_KEYS)
