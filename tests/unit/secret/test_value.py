"""Secret values: one of two kinds, and never shown."""

from __future__ import annotations

import pytest

from strongroom.secret.value import SecretValue


def test_exactly_one_kind_is_set() -> None:
    for members in ({}, {"text": "a", "binary": b"a"}):
        with pytest.raises(ValueError, match="a secret value is either text or binary"):
            SecretValue(**members)  # type: ignore[arg-type] # the point of the test


def test_values_compare_by_kind_and_bytes() -> None:
    assert SecretValue(text="ä") == SecretValue(text="ä")
    assert SecretValue(binary=b"a") == SecretValue(binary=b"a")
    assert SecretValue(text="a") != SecretValue(text="b")
    assert SecretValue(text="a") != SecretValue(text="aa")
    assert SecretValue(text="a") != SecretValue(binary=b"a")
    assert SecretValue(text="a") != "a"
    assert SecretValue(text="") == SecretValue(text="")


def test_a_value_is_never_shown() -> None:
    text, binary = SecretValue(text="hunter2"), SecretValue(binary=b"hunter2")
    for shown in (repr(text), str(text), f"{binary!r}", f"{[text, binary]}"):
        assert "hunter2" not in shown
    assert (repr(text), repr(binary)) == ("SecretValue(text)", "SecretValue(binary)")


def test_a_value_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(SecretValue(text="a"))


def test_text_is_encoded_as_utf_8() -> None:
    assert SecretValue(text="ä€").encoded() == b"\xc3\xa4\xe2\x82\xac"
    assert SecretValue(binary=b"\x00\xff").encoded() == b"\x00\xff"
