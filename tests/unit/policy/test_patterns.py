"""Wildcards, ARN patterns, policy variables."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strongroom.policy.context import ContextKeys
from strongroom.policy.patterns import (
    ArnPattern,
    TemplateError,
    Variable,
    Wildcard,
    any_arn,
    any_text,
    parse_template,
    resolve_text,
    variables_of,
)
from support.policy_oracle import arn_matches, wildcard

NO_KEYS = ContextKeys({})


def text_fits(pattern: str, text: str) -> bool:
    return any_text([parse_template(pattern, wildcards=True, variables=False)])(text, NO_KEYS)


def arn_fits(pattern: str, text: str, **context: str) -> bool:
    keys = ContextKeys({key.replace("_", ":", 1): value for key, value in context.items()})
    return any_arn([ArnPattern(parse_template(pattern, wildcards=True, variables=True))])(text, keys)


def regex_oracle(pattern: str, text: str) -> bool:
    source = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern)
    return re.fullmatch(source, text, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "anything:at/all", True),
        ("?", "", False),
        ("?", "a", True),
        ("a*", "a", True),
        ("a*", "b", False),
        ("*a", "ba", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxcyyb", False),
        ("*ab*ab*", "ab", False),
        ("*ab*ab*", "abab", True),
        ("a??c", "abbc", True),
        ("a??c", "abc", False),
        ("a*?c", "ac", False),
        ("a?*c", "abc", True),
        ("a.c", "abc", False),
        ("a[b]c", "abc", False),
        ("a\nb*", "a\nb\nc", True),
        ("A", "a", False),
    ],
)
def test_wildcards_match_whole_texts(pattern: str, text: str, expected: bool) -> None:
    assert text_fits(pattern, text) is expected


@settings(max_examples=400, deadline=None)
@given(st.text("ab*?:", max_size=12), st.text("ab:", max_size=12))
@example("*?*a?*", "bab")
def test_wildcards_agree_with_a_regex_and_with_the_table(pattern: str, text: str) -> None:
    assert text_fits(pattern, text) is regex_oracle(pattern, text)
    assert wildcard(pattern, text) is regex_oracle(pattern, text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("ab*?", max_size=6), max_size=5), st.text("ab", max_size=8))
def test_a_list_of_patterns_fits_what_one_of_them_fits(patterns: list[str], text: str) -> None:
    templates = [parse_template(each, wildcards=True, variables=False) for each in patterns]
    assert any_text(templates)(text, NO_KEYS) is any(regex_oracle(each, text) for each in patterns)


ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/db-AbCdEf"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", True),
        (ARN, True),
        (ARN.upper(), False),
        ("arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/*", True),
        ("arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/db-??????", True),
        ("arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/db-?????", False),
        ("arn:aws:secretsmanager:*:111122223333:secret:prod/*", True),
        ("arn:aws:secretsmanager:eu-*-1:1111*:secret:*", True),
        ("arn:aws:secretsmanager:eu-?entral-1:*:*", True),
        ("arn:*:secretsmanager:*:*:*db-AbCdEf", True),
        ("arn:aws:secretsmanager:*:secret:prod/db-AbCdEf", False),
        ("arn:aws:secretsmanager:eu-central-1:*prod/db-AbCdEf", False),
        ("arn:aws:secretsmanager:eu*3333:*:secret:*", False),
        ("arn:aws:secretsmanager", True),
        ("arn:aws:secretsmanager:*", True),
        ("arn:aws:secretsmanager:us-east-1", False),
        ("arn:aws:kms:*", False),
        ("arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod", False),
        ("arn:aws:secretsmanager:eu-central-1:111122223333:*:prod/*", True),
    ],
)
def test_arn_patterns_match_field_by_field(pattern: str, expected: bool) -> None:
    assert arn_fits(pattern, ARN) is expected
    assert arn_matches(pattern, ARN) is expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.text("ab*?", max_size=4), min_size=5, max_size=5),
    st.text("ab*?:", max_size=6),
    st.lists(st.text("ab", max_size=3), min_size=5, max_size=5),
    st.text("ab:", max_size=5),
)
def test_arn_patterns_agree_with_the_oracle(
    head: list[str], last: str, given_head: list[str], given_last: str
) -> None:
    pattern, text = ":".join([*head, last]), ":".join([*given_head, given_last])
    assert arn_fits(pattern, text) is arn_matches(pattern, text)


def test_an_arn_pattern_other_than_a_star_fits_arns_only() -> None:
    assert not arn_fits("arn:aws:secretsmanager:*:*:*", "*")
    assert not arn_fits("arn:aws:secretsmanager:*:*:*", "arn:aws:secretsmanager:x")
    assert arn_fits("*", "*")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("${aws:username}", (Variable("aws:username"),)),
        ("${AWS:UserName}", (Variable("aws:username"),)),
        ("a/${aws:PrincipalTag/Cost Center}-?", ("a/", Variable("aws:principaltag/cost center"), "-?")),
        ("${aws:PrincipalTag/t, 'none here'}", (Variable("aws:principaltag/t", "none here"),)),
        ("${aws:PrincipalTag/t,''}", (Variable("aws:principaltag/t", ""),)),
        ("${*}${?}${$}{x}", ("*?${x}",)),
        ("$a{b}", ("$a{b}",)),
    ],
)
def test_variables_are_taken_apart(text: str, parts: tuple[object, ...]) -> None:
    assert parse_template(text, wildcards=False, variables=True) == parts


def test_without_variables_or_wildcards_everything_is_literal() -> None:
    assert parse_template("${a}*?${", wildcards=False, variables=False) == ("${a}*?${",)
    assert parse_template("${*}", wildcards=True, variables=False) == ("${", Wildcard.ANY, "}")


@pytest.mark.parametrize("text", ["${", "${}", "${ }", "${a", "${a, b}", "${a, 'b}", "${a'}", "x${a{b}}"])
def test_a_garbled_variable_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match=r"must be written \$\{key\}"):
        parse_template(text, wildcards=True, variables=True)


def test_variables_are_named() -> None:
    template = parse_template("${aws:userid}/${k, 'x'}*", wildcards=True, variables=True)
    assert list(variables_of(template)) == ["aws:userid", "k"]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"aws:username": "ann"}, "home/ann"),
        ({"AWS:USERNAME": "ann"}, "home/ann"),
        ({"aws:username": ("ann",)}, "home/ann"),
        ({"aws:username": ("ann", "bob")}, None),
        ({"aws:username": ()}, None),
        ({}, None),
        ({"aws:username": "${aws:userid}", "aws:userid": "x"}, "home/${aws:userid}"),
    ],
)
def test_a_variable_takes_the_one_value_of_its_key(context: dict[str, str], expected: str | None) -> None:
    template = parse_template("home/${aws:username}", wildcards=False, variables=True)
    assert resolve_text(template, ContextKeys(context)) == expected


def test_a_default_stands_in_for_a_missing_value_only() -> None:
    template = parse_template("${aws:PrincipalTag/team, 'all'}", wildcards=False, variables=True)
    assert resolve_text(template, NO_KEYS) == "all"
    assert resolve_text(template, ContextKeys({"aws:PrincipalTag/team": "red"})) == "red"


BY_TEAM = "arn:aws:secretsmanager:*:1:secret:${t_eam}/*"


@pytest.mark.parametrize(
    ("pattern", "resource", "team", "expected"),
    [
        ("${t:eam}", "red", "red", True),
        ("${t:eam}/*", "red/db", "red", True),
        ("${t:eam}/*", "blue/db", "red", False),
        ("${t:eam}/*", "red/db", "*", False),
        ("${t:eam}/*", "*/db", "*", True),
        ("${t:eam}/x-??", "red/x-ab", "red", True),
        ("${t:eam}/x-??", "red/x-abc", "red", False),
        ("*/${t:eam}/*", "a/red/b", "red", True),
        ("*/${t:eam}/*", "a/red/b", "r?d", False),
        ("${t:eam}", "a:b", "a:b", True),
        ("${t:other}/*", "red/db", "red", False),
        ("${t:other, 'red'}/*", "red/db", "blue", True),
        ("${*}", "*", "red", True),
        ("${*}", "x", "red", False),
    ],
)
def test_values_of_variables_are_literal(pattern: str, resource: str, team: str, expected: bool) -> None:
    for head in ("arn:aws:s3:::", "arn:aws:*::*:"):
        assert arn_fits(head + pattern, f"arn:aws:s3:::{resource}", t_eam=team) is expected


def test_a_value_with_colons_does_not_move_the_fields_of_an_arn() -> None:
    pattern = "arn:aws:iam::${t:acct}:role/x"
    assert arn_fits(pattern, "arn:aws:iam::1:role/x", t_acct="1")
    assert not arn_fits(pattern, "arn:aws:iam::1:role/y:role/x", t_acct="1:role/y")


def test_a_variable_may_stand_for_an_arn_as_a_whole() -> None:
    assert arn_fits("${t:arn}", ARN, t_arn=ARN)
    assert not arn_fits("${t:arn}", ARN, t_arn=ARN[:-1])
    assert not arn_fits("${t:arn}", ARN, t_arn="*")


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("*a" * 400 + "*b", id="nested stars"),
        pytest.param("*?a" * 300 + "b", id="stars and question marks"),
        pytest.param("a*" * 500 + "b", id="stars behind letters"),
        pytest.param("*" * 2000 + "b", id="nothing but stars"),
        pytest.param("?*" * 700 + "b", id="alternating"),
        pytest.param("*" + "a" * 900 + "b*", id="long run"),
    ],
)
def test_patterns_made_to_blow_up_end(pattern: str) -> None:
    # Any exponential (or even high polynomial) way through these would not end in a lifetime.
    text = "a" * 2000
    assert not text_fits(pattern, text)
    assert not arn_fits(f"arn:aws:x:{pattern}:1:{pattern}", f"arn:aws:x:{text}:1:{text}")
    assert not arn_fits(f"arn:aws:x::1:${{t:v}}{pattern}", f"arn:aws:x::1:{text}", t_v="a")
    assert not arn_fits(f"arn:aws:x:{'*a' * 500}:1:{'*a' * 500}b", f"arn:aws:x:{text}:1:{text}")


def test_a_long_list_of_nested_wildcards_ends() -> None:
    patterns = [f"*{'a' * n}*b*{'a' * n}*c" for n in range(1, 60)]
    templates = [parse_template(each, wildcards=True, variables=False) for each in patterns]
    assert not any_text(templates)("a" * 2000 + "b" + "a" * 30, NO_KEYS)


def test_garbled_variables_are_refused_in_linear_time() -> None:
    with pytest.raises(TemplateError):
        parse_template("${a" + " " * 20_000 + "'", wildcards=True, variables=True)
    with pytest.raises(TemplateError):
        parse_template("${a," + " " * 20_000 + "x", wildcards=True, variables=True)
