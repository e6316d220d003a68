"""How keys are named."""

from __future__ import annotations

import pytest

from strongroom.errors import NotFoundException
from strongroom.keys.reference import KeyRef, is_alias_name, parse_key_ref
from strongroom.names import AccountId, Region

ACCOUNT, OTHER, REGION = AccountId("111122223333"), AccountId("444455556666"), Region("eu-central-1")
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        pytest.param(KEY_ID, KeyRef(ACCOUNT, REGION, key_id=KEY_ID), id="key id"),
        pytest.param(
            "mrk-" + "0a" * 16, KeyRef(ACCOUNT, REGION, key_id="mrk-" + "0a" * 16), id="multi-Region id"
        ),
        pytest.param(
            f"arn:aws:kms:eu-central-1:444455556666:key/{KEY_ID}",
            KeyRef(OTHER, REGION, key_id=KEY_ID),
            id="ARN",
        ),
        pytest.param("alias/x", KeyRef(ACCOUNT, REGION, alias_name="alias/x"), id="alias"),
        pytest.param("alias/aws/ssm", KeyRef(ACCOUNT, REGION, alias_name="alias/aws/ssm"), id="AWS alias"),
        pytest.param(
            "arn:aws:kms:eu-central-1:444455556666:alias/a/b",
            KeyRef(OTHER, REGION, alias_name="alias/a/b"),
            id="alias ARN",
        ),
    ],
)
def test_every_form_is_understood(text: str, ref: KeyRef) -> None:
    assert parse_key_ref(text, REGION, ACCOUNT) == ref


@pytest.mark.parametrize(
    "text",
    [
        "fake-key-id",
        KEY_ID.upper(),
        KEY_ID + "\n",
        "mrk-" + "0a" * 15,
        "alias/",
        "alias/a b",
        "x",
        "arn:aws:kms:eu-central-1:444455556666:key/fake-key-id",
        f"arn:aws:kms:eu-central-1:444455556666:{KEY_ID}",
        f"arn:aws:s3:eu-central-1:444455556666:key/{KEY_ID}",
        f"arn:aws-cn:kms:eu-central-1:444455556666:key/{KEY_ID}",
        "arn:aws:kms",
    ],
)
def test_what_names_no_key_is_not_found(text: str) -> None:
    with pytest.raises(NotFoundException) as refused:
        parse_key_ref(text, REGION, ACCOUNT)
    assert refused.value.message == f"Invalid keyId '{text}'"


def test_an_arn_of_another_region_is_not_found() -> None:
    with pytest.raises(NotFoundException) as refused:
        parse_key_ref(f"arn:aws:kms:us-east-1:111122223333:key/{KEY_ID}", REGION, ACCOUNT)
    assert refused.value.message == "Invalid arn us-east-1"


def test_a_reference_has_an_arn() -> None:
    assert parse_key_ref(KEY_ID, REGION, ACCOUNT).arn == f"arn:aws:kms:eu-central-1:111122223333:key/{KEY_ID}"
    assert parse_key_ref("alias/x", REGION, ACCOUNT).arn == "arn:aws:kms:eu-central-1:111122223333:alias/x"


def test_alias_names_hold_letters_digits_slash_underscore_dash() -> None:
    assert is_alias_name("alias/" + "a" * 250)
    assert not is_alias_name("alias/" + "a" * 251)
    assert not is_alias_name("alias/a:b")
    assert not is_alias_name("xalias/a")
