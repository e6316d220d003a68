"""Filters, with the cases recorded from AWS (fact sheet secretsmanager section 6, Filters)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pytest

from strongroom.errors import InvalidParameterException
from strongroom.names import AccountId, Arn, Region
from strongroom.secret.filters import compile_filters, matches, split_words
from strongroom.secret.records import Secret

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def a_secret(
    name: str,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    primary_region: str | None = None,
    owning_service: str | None = None,
) -> Secret:
    return Secret(
        arn=Arn(f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:{name}-abcdef"),
        account_id=AccountId("111122223333"),
        region=Region("eu-central-1"),
        name=name,
        created_at=NOON,
        last_changed_at=NOON,
        description=description,
        tags=tags,
        primary_region=None if primary_region is None else Region(primary_region),
        owning_service=owning_service,
    )


def found(secrets: Sequence[Secret], *filters: tuple[str, list[str]]) -> list[str]:
    test = compile_filters([{"Key": key, "Values": values} for key, values in filters])
    return [secret.name for secret in secrets if test(secret)]


RECORDED = [
    a_secret("testing1/one-123", description="a secret"),
    a_secret("/testing2/two-123", description="an secret"),
    a_secret("testing3/three-123", description="asecret"),
    a_secret("/testing4/four-123", description="thesecret"),
]
ONE, TWO, THREE, FOUR = (secret.name for secret in RECORDED)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param([], [ONE, TWO, THREE, FOUR], id="no filter"),
        pytest.param([("name", ["/"])], [TWO, FOUR], id="name begins with a slash"),
        pytest.param([("name", ["!/"])], [ONE, THREE], id="name does not begin with a slash"),
        pytest.param([("name", ["testing1 one"])], [], id="name is not searched by words"),
        pytest.param([("name", ["Testing1"])], [], id="name is case-sensitive"),
        pytest.param([("name", ["one"])], [], id="name matches from its beginning only"),
        pytest.param([("name", ["testing1", "/testing2"])], [ONE, TWO], id="any value of one filter"),
        pytest.param([("description", ["a"])], [ONE, TWO, THREE], id="a word's beginning"),
        pytest.param([("description", ["!a"])], [FOUR], id="no word begins so"),
        pytest.param([("description", ["a secret"])], [ONE, TWO], id="every word"),
        pytest.param([("description", ["SECRET A"])], [ONE, TWO], id="any order and case"),
        pytest.param([("description", ["!c"])], [ONE, TWO, THREE, FOUR], id="negation nothing breaks"),
        pytest.param([("description", ["a"]), ("name", ["testing"])], [ONE, THREE], id="all filters"),
        pytest.param([("description", ["a"]), ("name", ["an"])], [], id="one filter fails"),
        pytest.param(
            [("description", ["the", "!a"])], [FOUR], id="a negated value among others is one of them"
        ),
    ],
)
def test_recorded_filtering(filters: list[tuple[str, list[str]]], expected: list[str]) -> None:
    assert found(RECORDED, *filters) == expected


def test_a_filter_twice_must_match_twice() -> None:
    secrets = [
        a_secret("foo", description="one two"),
        a_secret("bar", description="one"),
        a_secret("baz", description="two"),
    ]
    assert found(secrets, ("description", ["one"]), ("description", ["two"])) == ["foo"]


def test_tag_filters_match_beginnings_of_any_tag() -> None:
    secrets = [
        a_secret("none"),
        a_secret("empty", tags={}),
        a_secret("a", tags={"team": "red", "stage": "prod"}),
        a_secret("b", tags={"Team": "redder"}),
    ]
    assert found(secrets, ("tag-key", ["tea"])) == ["a"]
    assert found(secrets, ("tag-value", ["red"])) == ["a", "b"]
    assert found(secrets, ("tag-value", ["rod"])) == []
    assert found(secrets, ("tag-key", ["tea"]), ("tag-value", ["prod"])) == ["a"]


@pytest.mark.parametrize("key", ["description", "tag-key", "tag-value", "primary-region", "owning-service"])
def test_a_secret_without_the_attribute_matches_only_the_negation(key: str) -> None:
    bare = a_secret("bare")
    assert not matches(bare, [{"Key": key, "Values": ["x"]}])
    assert matches(bare, [{"Key": key, "Values": ["!x"]}])


def test_region_and_service_match_by_case_sensitive_beginning() -> None:
    secret = a_secret("a", primary_region="eu-west-1", owning_service="rds")
    assert matches(secret, [{"Key": "primary-region", "Values": ["eu-"]}])
    assert not matches(secret, [{"Key": "primary-region", "Values": ["EU-"]}])
    assert matches(secret, [{"Key": "owning-service", "Values": ["rds"]}])
    assert not matches(secret, [{"Key": "owning-service", "Values": ["RDS"]}])


SEPARATED = [a_secret(f"prod{mark}AppBeta{mark}3fa9bc") for mark in "/_+=.@-"]
UPPER = [a_secret("uat/COMPANY/3fa9bc"), a_secret("uat/COMPANYthings/3fa9bc")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("AppBeta", [s.name for s in SEPARATED], id="two words"),
        pytest.param("Beta", [s.name for s in SEPARATED], id="a word inside"),
        pytest.param("3fa9bc", [s.name for s in SEPARATED + UPPER], id="letters and digits"),
        pytest.param("+", [], id="a separator alone"),
        pytest.param("company", ["uat/COMPANY/3fa9bc"], id="upper-case word"),
        pytest.param("things", [], id="rest of an upper-case run"),
        pytest.param("Ythings", ["uat/COMPANYthings/3fa9bc"], id="last capital goes with the rest"),
        pytest.param("N", [], id="a single capital inside"),
        pytest.param("pany", [], id="the middle of a word"),
    ],
)
def test_all_searches_words_as_recorded(value: str, expected: list[str]) -> None:
    assert found(SEPARATED + UPPER, ("all", [value])) == expected


def test_all_searches_name_description_and_tags() -> None:
    secrets = [
        a_secret("foo"),
        a_secret("bar", description="Foo"),
        a_secret("baz", tags={"fooKey": "1"}),
        a_secret("qux", tags={"1": "food"}),
        a_secret("none", description="other"),
    ]
    assert found(secrets, ("all", ["foo"])) == ["foo", "bar", "baz", "qux"]
    assert found(secrets, ("all", ["!foo"])) == ["none"]
    assert found(secrets, ("all", ["key baz"])) == ["baz"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DescTwo", ("desc", "two")),
        ("fooBAR", ("foo", "bar")),
        ("db12", ("db", "12")),
        ("prod-App/x", ("prod-app/x",)),
        ("rds!db-12", ("rds", "db", "12")),
        ("Größe, (Über)", ("größe", "über")),
        ("-/", ()),
        ("", ()),
        ("  ", ()),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("each", "message"),
    [
        pytest.param({"Values": ["a"]}, "Invalid filter key", id="no key"),
        pytest.param({"Key": "size", "Values": ["a"]}, "Invalid filter key", id="unknown key"),
        pytest.param({"Key": "name"}, "Invalid filter values for key: name", id="no values"),
        pytest.param({"Key": "name", "Values": []}, "Invalid filter values for key: name", id="empty values"),
    ],
)
def test_an_incomplete_filter_is_refused(each: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterException) as caught:
        compile_filters([each])
    assert caught.value.message == message
