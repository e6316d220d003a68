"""Names that may be given."""

from __future__ import annotations

import pytest

from strongroom.errors import ValidationException
from strongroom.identity.naming import fold_name, verify_name


@pytest.mark.parametrize("name", ["a", "Bob", "ci_1", "a+b=c,d.e@f-g", "0"])
def test_names_of_the_allowed_characters_pass(name: str) -> None:
    verify_name("userName", name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("a b", id="space"),
        pytest.param("a/b", id="slash"),
        pytest.param("a:b", id="colon"),
        pytest.param("a*", id="wildcard"),
        pytest.param("bob\n", id="line feed at the end"),
        pytest.param("b\u043eb", id="Cyrillic o"),
        pytest.param("\uff42ob", id="full-width b"),
        pytest.param("bob\u0661", id="Arabic digit"),
        pytest.param("\u212aim", id="Kelvin sign"),
    ],
)
def test_other_characters_are_refused_in_names(name: str) -> None:
    with pytest.raises(ValidationException) as refused:
        verify_name("newUserName", name)
    assert refused.value.message == (
        "The specified value for newUserName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )


def test_names_that_differ_in_case_fold_to_the_same() -> None:
    assert fold_name("Bob") == fold_name("bOB") == "bob"
    assert fold_name("bob") != fold_name("bob1")
