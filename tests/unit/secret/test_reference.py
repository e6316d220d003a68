"""SecretId: names, complete ARNs and partial ARNs."""

from __future__ import annotations

import pytest

from strongroom.errors import ValidationException
from strongroom.secret.reference import INVALID_NAME, parse_secret_ref

PREFIX = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:"


def test_a_bare_name_belongs_to_the_caller() -> None:
    ref = parse_secret_ref("prod/app/db")
    assert (ref.name, ref.arn, ref.account_id, ref.region) == ("prod/app/db", None, None, None)


def test_a_complete_arn_is_matched_whole() -> None:
    ref = parse_secret_ref(f"{PREFIX}prod/app/db-AbC123")
    assert ref.arn == f"{PREFIX}prod/app/db-AbC123"
    assert (ref.name, ref.account_id, ref.region) == (None, "111122223333", "eu-central-1")


def test_an_arn_without_the_six_characters_names_the_secret() -> None:
    assert parse_secret_ref(f"{PREFIX}prod/app/db").name == "prod/app/db"


@pytest.mark.parametrize(("rest", "partial"), [("x-a1b2c3", False), ("x-a1b2", True), ("x-a1b2c3-", True)])
def test_six_characters_behind_a_hyphen_are_taken_for_the_suffix(rest: str, partial: bool) -> None:
    assert (parse_secret_ref(PREFIX + rest).name is not None) is partial


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a*",
        "a?",
        "é",
        "a\n",
        "arn:aws:kms:eu-central-1:111122223333:key/x",
        "arn:aws:x",
        PREFIX,
        PREFIX + "a b",
        PREFIX.replace("arn:aws:", "arn:aws-cn:") + "x",
        PREFIX.replace("111122223333", "") + "x",
        PREFIX.replace("111122223333", "1") + "x",
        PREFIX.replace("eu-central-1", "") + "x",
        PREFIX.replace(":secret:", ":key:") + "x",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValidationException) as refusal:
        parse_secret_ref(text)
    assert refusal.value.message == INVALID_NAME
