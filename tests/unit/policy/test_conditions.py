"""Every condition operator, by table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.policy.conditions import (
    ConditionError,
    SetOperator,
    compile_condition,
    fold_case,
    parse_address,
    parse_date,
    parse_network,
    parse_number,
    parse_operator,
)
from strongroom.policy.context import ContextKeys
from support.policy_oracle import condition

Context = dict[str, Any]
B64 = "AAEC"


def holds(
    operator: str, values: list[str], context: Context, *, deny: bool = False, variables: bool = True
) -> bool:
    compiled = compile_condition(parse_operator(operator), "k:x", values, deny=deny, variables=variables)
    return compiled.holds(ContextKeys(context))


# (operator, values of the policy, value of the request, outcome)
SINGLE: list[tuple[str, list[str], str, bool]] = [
    ("StringEquals", ["a"], "a", True),
    ("StringEquals", ["a"], "A", False),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", ["a*"], "ab", False),
    ("StringEquals", ["a*"], "a*", True),
    ("StringEquals", ["${*}"], "*", True),
    ("StringEquals", ["${k:other}"], "o", True),
    ("StringEquals", ["${k:none}"], "", False),
    ("StringEquals", ["${k:none, 'd'}"], "d", True),
    ("StringEquals", [], "a", False),
    ("StringNotEquals", ["a"], "a", False),
    ("StringNotEquals", ["a"], "b", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringNotEquals", ["${k:none}"], "a", True),
    ("StringNotEquals", [], "a", True),
    ("StringEqualsIgnoreCase", ["aB"], "Ab", True),
    ("StringEqualsIgnoreCase", ["É"], "é", True),
    ("StringEqualsIgnoreCase", ["k"], "\u212a", False),
    ("StringEqualsIgnoreCase", ["${k:other}x"], "OX", True),
    ("StringNotEqualsIgnoreCase", ["a"], "A", False),
    ("StringNotEqualsIgnoreCase", ["a"], "b", True),
    ("StringLike", ["a*c"], "abc", True),
    ("StringLike", ["a?c"], "abbc", False),
    ("StringLike", ["${k:other}*"], "otter", True),
    ("StringLike", ["${k:star}"], "abc", False),
    ("StringLike", ["A*"], "abc", False),
    ("StringLike", ["x", "a*"], "abc", True),
    ("StringNotLike", ["a*"], "abc", False),
    ("StringNotLike", ["b*"], "abc", True),
    ("StringNotLike", ["b*", "a*"], "abc", False),
    ("NumericEquals", ["10"], "10", True),
    ("NumericEquals", ["10"], "10.0", True),
    ("NumericEquals", ["10"], "11", False),
    ("NumericEquals", ["0.1"], "0.10000000000000000001", False),
    ("NumericNotEquals", ["10"], "10.0", False),
    ("NumericNotEquals", ["10", "11"], "12", True),
    ("NumericLessThan", ["10"], "9.9", True),
    ("NumericLessThan", ["10"], "10", False),
    ("NumericLessThan", ["10"], "-3", True),
    ("NumericLessThan", ["9", "20"], "10", True),
    ("NumericLessThanEquals", ["10"], "10", True),
    ("NumericLessThanEquals", ["10"], "10.1", False),
    ("NumericGreaterThan", ["10"], "10", False),
    ("NumericGreaterThan", ["9"], "10", True),
    ("NumericGreaterThanEquals", ["10"], "10", True),
    ("NumericGreaterThanEquals", ["10"], "9", False),
    ("DateEquals", ["2026-01-01T00:00:00Z"], "2026-01-01T00:00:00Z", True),
    ("DateEquals", ["2026-01-01T00:00:00Z"], "2026-01-01T02:00:00+02:00", True),
    ("DateEquals", ["1767225600"], "2026-01-01T00:00:00Z", True),
    ("DateEquals", ["2026-01-01"], "1767225600", True),
    ("DateNotEquals", ["2026-01-01"], "2026-01-01T00:00:00.000Z", False),
    ("DateNotEquals", ["2026-01-01"], "2026-01-02", True),
    ("DateLessThan", ["2026-01-01T00:00:00Z"], "2025-12-31T23:59:59.999Z", True),
    ("DateLessThan", ["2026-01-01T00:00:00Z"], "2026-01-01T00:00:00Z", False),
    ("DateLessThanEquals", ["2026-01-01T00:00:00Z"], "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", ["2026-01-01T00:00:00Z"], "2026-01-01T00:00:00.000001Z", True),
    ("DateGreaterThan", ["2026-01-01T00:00:00Z"], "2026-01-01T00:00:00Z", False),
    ("DateGreaterThanEquals", ["2026-01-01T00:00:00Z"], "2026-01-01T00:00:00Z", True),
    ("DateGreaterThanEquals", ["2026-01-01T00:00:00Z"], "2025-01-01T00:00:00Z", False),
    ("Bool", ["true"], "true", True),
    ("Bool", ["True"], "true", True),
    ("Bool", ["true"], "false", False),
    ("Bool", ["false"], "false", True),
    ("Bool", ["true", "false"], "false", True),
    ("Bool", ["${k:flag}"], "true", True),
    ("BinaryEquals", [B64], B64, True),
    ("BinaryEquals", [B64], "AAED", False),
    ("BinaryEquals", [B64, "AAED"], "AAED", True),
    ("IpAddress", ["10.0.0.0/8"], "10.1.2.3", True),
    ("IpAddress", ["10.0.0.0/8"], "11.1.2.3", False),
    ("IpAddress", ["10.0.0.1"], "10.0.0.1", True),
    ("IpAddress", ["10.0.0.1"], "10.0.0.2", False),
    ("IpAddress", ["10.9.9.9/8"], "10.1.2.3", True),
    ("IpAddress", ["0.0.0.0/0"], "1.2.3.4", True),
    ("IpAddress", ["0.0.0.0/0"], "::1", False),
    ("IpAddress", ["2001:db8::/32"], "2001:db8::5", True),
    ("IpAddress", ["2001:db8::5"], "2001:DB8:0::5", True),
    ("IpAddress", ["10.0.0.0/8"], "::ffff:10.1.2.3", True),
    ("IpAddress", ["::ffff:10.0.0.0/104"], "10.1.2.3", True),
    ("IpAddress", ["192.0.2.0/24", "10.0.0.0/8"], "10.1.2.3", True),
    ("NotIpAddress", ["10.0.0.0/8"], "10.1.2.3", False),
    ("NotIpAddress", ["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.1", False),
    ("NotIpAddress", ["10.0.0.0/8"], "192.0.2.1", True),
    ("ArnEquals", ["arn:aws:s3:::b"], "arn:aws:s3:::b", True),
    ("ArnEquals", ["arn:aws:s3:::b*"], "arn:aws:s3:::bucket", True),
    ("ArnLike", ["arn:aws:iam::*:role/*"], "arn:aws:iam::1:role/a/b", True),
    ("ArnLike", ["arn:aws:iam::*:role/*"], "arn:aws:iam::1:user/a", False),
    ("ArnLike", ["arn:aws:iam:*:role/x:y"], "arn:aws:iam::1:role/x:y", False),
    ("ArnLike", ["arn:aws:*:::x"], "arn:aws:s3:::x", True),
    ("ArnLike", ["arn:aws:s3:::x"], "ARN:aws:s3:::x", False),
    ("ArnLike", ["*"], "anything", True),
    ("ArnLike", ["arn:aws:iam::1:role/*"], "no ARN", False),
    ("ArnLike", ["${k:arn}"], "arn:aws:s3:::b", True),
    ("ArnLike", ["arn:aws:iam::${k:other}:role/x"], "arn:aws:iam::o:role/x", True),
    ("ArnLike", ["arn:aws:iam::${k:none}:role/x"], "arn:aws:iam::o:role/x", False),
    ("ArnNotEquals", ["arn:aws:s3:::b"], "arn:aws:s3:::b", False),
    ("ArnNotLike", ["arn:aws:s3:::b*"], "arn:aws:s3:::c", True),
    ("ArnNotLike", ["arn:aws:s3:::b*", "arn:aws:s3:::c"], "arn:aws:s3:::c", False),
    ("ArnNotLike", ["arn:aws:s3:::b"], "no ARN", True),
    ("Null", ["true"], "", False),
    ("Null", ["false"], "", True),
    ("Null", ["true", "false"], "x", True),
]
OTHERS = {"k:other": "o", "k:star": "a*", "k:flag": "true", "k:arn": "arn:aws:s3:::b"}


@pytest.mark.parametrize(("operator", "values", "given", "expected"), SINGLE)
def test_an_operator_on_one_value(operator: str, values: list[str], given: str, expected: bool) -> None:
    for deny in (False, True):
        for context in ({"k:x": given, **OTHERS}, {"K:X": (given,), **OTHERS}):
            assert holds(operator, values, context, deny=deny) is expected
    if operator != "Null":
        assert holds(f"{operator}IfExists", values, {"k:x": given, **OTHERS}) is expected
        assert holds(f"ForAnyValue:{operator}", values, {"k:x": given, **OTHERS}) is expected
        assert holds(f"ForAllValues:{operator}", values, {"k:x": given, **OTHERS}) is expected


SAMPLES = {
    "String": "a",
    "Numeric": "1",
    "Date": "2026-01-01",
    "Bool": "true",
    "Binary": B64,
    "Ip": "10.0.0.1",
    "Arn": "arn:aws:s3:::b",
}
NAMES = sorted({operator for operator, *_ in SINGLE} - {"Null"})


def sample(operator: str) -> str:
    return SAMPLES[parse_operator(operator).family]


def test_the_table_has_every_operator() -> None:
    comparisons = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    expected = {f"{family}{each}" for family in ("Numeric", "Date") for each in comparisons}
    expected |= {f"String{each}" for each in ("Equals", "NotEquals", "Like", "NotLike")}
    expected |= {"StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "Bool", "BinaryEquals"}
    expected |= {"IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"}
    assert set(NAMES) == expected


@pytest.mark.parametrize("operator", NAMES)
@pytest.mark.parametrize("context", [{}, {"k:x": ()}, {"k:y": "a"}], ids=["none", "empty", "other"])
@pytest.mark.parametrize("deny", [False, True])
def test_a_missing_key_fails_positive_operators_and_passes_negated_ones(
    operator: str, context: Context, deny: bool
) -> None:
    value = [sample(operator)]
    assert holds(operator, value, context, deny=deny) is ("Not" in operator)
    assert holds(f"{operator}IfExists", value, context, deny=deny) is True
    assert holds(f"ForAllValues:{operator}", value, context, deny=deny) is True
    assert holds(f"ForAnyValue:{operator}", value, context, deny=deny) is False
    assert holds(f"ForAllValues:{operator}IfExists", value, context, deny=deny) is True
    assert holds(f"ForAnyValue:{operator}IfExists", value, context, deny=deny) is True


@pytest.mark.parametrize(
    ("context", "absent"),
    [({}, True), ({"k:x": ()}, True), ({"k:x": ""}, False), ({"K:X": ("a", "b")}, False)],
)
def test_null_asks_whether_the_key_is_absent(context: Context, absent: bool) -> None:
    assert holds("Null", ["true"], context) is absent
    assert holds("Null", ["false"], context) is not absent
    assert holds("Null", ["False"], context, deny=True) is not absent


@pytest.mark.parametrize("operator", NAMES)
def test_several_values_without_a_set_prefix_cannot_be_evaluated(operator: str) -> None:
    for name in (operator, f"{operator}IfExists"):
        two = {"k:x": (sample(operator), sample(operator) + "0")}
        assert holds(name, [sample(operator)], two, deny=True) is True
        assert holds(name, [sample(operator)], two, deny=False) is False


@pytest.mark.parametrize(
    ("operator", "garbage"),
    [
        *((each, "ten") for each in NAMES if each.startswith("Numeric")),
        *((each, "2026-13-01") for each in NAMES if each.startswith("Date")),
        *((each, "2026") for each in ("Bool", "IpAddress", "NotIpAddress")),
        ("IpAddress", "fe80::1%eth0"),
        ("BinaryEquals", "***"),
        ("BinaryEquals", "é"),
    ],
)
def test_a_value_of_the_wrong_type_cannot_be_evaluated(operator: str, garbage: str) -> None:
    value = [sample(operator)]
    for name in (operator, f"{operator}IfExists", f"ForAllValues:{operator}", f"ForAnyValue:{operator}"):
        assert holds(name, value, {"k:x": garbage}, deny=True) is True
        assert holds(name, value, {"k:x": garbage}, deny=False) is False


@pytest.mark.parametrize(
    ("operator", "values", "given", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "a"), False),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "a"), True),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "d"), False),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "c"), True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False),
        ("ForAllValues:StringLike", ["a*"], ("ab", "ac"), True),
        ("ForAllValues:StringLike", ["a*"], ("ab", "bc"), False),
        ("ForAnyValue:NumericLessThan", ["5"], ("9", "4"), True),
        ("ForAnyValue:StringEquals", ["a"], "a", True),
        # What can be said is said, whatever else cannot be evaluated.
        ("ForAnyValue:NumericEquals", ["5"], ("x", "5"), True),
        ("ForAllValues:NumericEquals", ["5"], ("x", "6"), False),
    ],
)
@pytest.mark.parametrize("deny", [False, True])
def test_set_prefixes(
    operator: str, values: list[str], given: str | tuple[str, ...], expected: bool, deny: bool
) -> None:
    assert holds(operator, values, {"k:x": given}, deny=deny) is expected


@pytest.mark.parametrize(
    ("operator", "given"),
    [("ForAnyValue:NumericEquals", ("x", "6")), ("ForAllValues:NumericEquals", ("x", "5"))],
)
def test_a_set_with_a_garbled_value_that_matters_counts_against_access(
    operator: str, given: tuple[str, ...]
) -> None:
    assert holds(operator, ["5"], {"k:x": given}, deny=True) is True
    assert holds(operator, ["5"], {"k:x": given}, deny=False) is False


def test_before_2012_variables_are_literal_text() -> None:
    context = {"k:x": "${k:other}", "k:other": "o"}
    assert holds("StringEquals", ["${k:other}"], context, variables=False)
    assert not holds("StringEquals", ["${k:other}"], context, variables=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stringEquals",
        "StringEqual",
        "StringMatches",
        "ForAllValues:",
        "ForAllValues::StringEquals",
        "forAllValues:StringEquals",
        "ForSomeValues:StringEquals",
        "StringEqualsIfExistsIfExists",
        "IfExistsStringEquals",
        "NullIfExists",
        "ForAllValues:Null",
        "ForAnyValue:Null",
        "BinaryNotEquals",
        "BoolNot",
        "StringEquals ",
    ],
)
def test_operators_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse_operator(text)
    assert str(caught.value) == f"Invalid Condition type : {text}."


def test_an_operator_is_taken_apart() -> None:
    operator = parse_operator("ForAnyValue:StringNotEqualsIgnoreCaseIfExists")
    assert operator.name == "StringNotEqualsIgnoreCase"
    assert (operator.family, operator.negated, operator.if_exists) == ("String", True, True)
    assert operator.set_operator is SetOperator.ANY


@pytest.mark.parametrize(
    ("operator", "value", "message"),
    [
        ("NumericEquals", "ten", "must be a number: ten"),
        ("NumericEquals", "${aws:userid}", "must be a number"),
        ("NumericEquals", "NaN", "must be a number"),
        ("DateLessThan", "tomorrow", "must be a date"),
        ("Bool", "yes", "must be true or false: yes"),
        ("Null", "maybe", "must be true or false: maybe"),
        ("Null", "${k:flag}", "must be true or false"),
        ("BinaryEquals", "***", "must be base64"),
        ("IpAddress", "10.0.0.0/33", "must be an IP address"),
        ("IpAddress", "10.0.0.0/-1", "must be an IP address"),
        ("IpAddress", "10.0.0.*", "must be an IP address"),
        ("IpAddress", "::ffff:10.0.0.0/90", "must be an IP address"),
        ("ArnLike", "arn:aws:iam::*", "must be an ARN of 6 fields"),
        ("ArnEquals", "bucket", "must be an ARN of 6 fields"),
        ("StringEquals", "${", "A policy variable must be written"),
    ],
)
def test_values_an_operator_cannot_use_are_refused(operator: str, value: str, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        holds(operator, [value], {})
    assert message in str(caught.value)


def test_a_condition_tells_the_keys_it_reads() -> None:
    values = ["${aws:UserName}", "${aws:PrincipalTag/Team, 'x'}"]
    compiled = compile_condition(
        parse_operator("StringLike"), "AWS:ResourceTag/T", values, deny=False, variables=True
    )
    assert compiled.keys_read == {"aws:resourcetag/t", "aws:username", "aws:principaltag/team"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1.5", 1_500_000),
        ("-1.5", -1_500_000),
        ("1970-01-01", 0),
        ("1970-02", 31 * 86_400_000_000),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01T00:00:00.25Z", 250_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00-0130", 5_400_000_000),
        ("1970-01-01T00:00:00", 0),
        ("0001-01-01", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59-23:59", 253_402_300_799_000_000 + 86_340_000_000),
        ("1970-00-01", None),
        ("1970-01-32", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-01-01T00:00:00+24:00", None),
        ("1970-01-01 00:00:00Z", None),
        ("1970-1-1", None),
        ("", None),
        ("١٩٧٠-01-01", None),
        ("9" * 16, None),
    ],
)
def test_dates(text: str, expected: int | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize("text", ["", "1,5", "0x10", "1_000", "٣", "inf", ".5", "5.", "1" * 41, " 1"])
def test_what_is_no_number(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.1 ", "010.0.0.1", "10.0.0.256", "::1%lo", "a"])
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None
    assert parse_network(text) is None


def test_ignoring_case_never_makes_a_look_alike_equal() -> None:
    assert fold_case("ABC") == "abc"
    assert fold_case("ÀB") == "àb"
    assert fold_case("\u212a") == "\u212a"
    assert fold_case("é\u212a") != fold_case("éK")


VALUES = st.sampled_from(["a", "A", "ab", "b", "*", "a*", "?b", "1", "1.0", "2", "true", "10.0.0.1", B64])
NUMBERS = st.sampled_from(["1", "1.0", "2", "-1"])


@settings(max_examples=500, deadline=None)
@given(
    operator=st.sampled_from(NAMES),
    prefix=st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
    suffix=st.sampled_from(["", "IfExists"]),
    data=st.data(),
    given_values=st.one_of(st.none(), VALUES, st.lists(VALUES, max_size=3).map(tuple)),
    deny=st.booleans(),
)
def test_every_operator_agrees_with_the_oracle(
    operator: str,
    prefix: str,
    suffix: str,
    data: st.DataObject,
    given_values: str | tuple[str, ...] | None,
    deny: bool,
) -> None:
    choices = {
        "String": VALUES,
        "Numeric": NUMBERS,
        "Date": NUMBERS,
        "Bool": st.sampled_from(["true", "False"]),
        "Binary": st.sampled_from([B64, "YQ=="]),
        "Ip": st.sampled_from(["10.0.0.0/8", "10.0.0.1", "::1/128"]),
        "Arn": st.sampled_from(["*", "arn:aws:s3:::b", "arn:*:s3:::*"]),
    }[parse_operator(operator).family]
    values = data.draw(st.lists(choices, min_size=1, max_size=3))
    context: Context = {} if given_values is None else {"K:x": given_values}
    full = f"{prefix}{operator}{suffix}"
    expected = condition(full, "k:x", values, {"Version": "2012-10-17"}, context)
    assert holds(full, values, context, deny=deny) is (deny if expected is None else expected)
