"""GetRandomPassword: how the request reaches the rules."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import AccessDeniedException, InvalidParameterException
from strongroom.operations.secretsmanager.passwords import GET_RANDOM_PASSWORD
from strongroom.secret.passwords import LOWERCASE, NUMBERS, PUNCTUATION, UPPERCASE
from support.secret_room import Room


def password(**request: Any) -> str:
    response = Room().run(GET_RANDOM_PASSWORD, request)
    assert list(response) == ["RandomPassword"]
    text: str = response["RandomPassword"]
    return text


def test_the_default_has_32_characters_of_four_types() -> None:
    text = password()
    assert len(text) == 32
    assert all(set(type_) & set(text) for type_ in (UPPERCASE, LOWERCASE, NUMBERS, PUNCTUATION))
    assert " " not in text


@pytest.mark.parametrize(
    ("request_members", "absent"),
    [
        pytest.param({"ExcludeUppercase": True}, UPPERCASE, id="no upper case"),
        pytest.param({"ExcludeLowercase": True}, LOWERCASE, id="no lower case"),
        pytest.param({"ExcludeNumbers": True}, NUMBERS, id="no numbers"),
        pytest.param({"ExcludePunctuation": True}, PUNCTUATION, id="no punctuation"),
        pytest.param({"ExcludeCharacters": "xyzDje@?!."}, "xyzDje@?!.", id="no such characters"),
    ],
)
def test_what_is_excluded_does_not_appear(request_members: dict[str, Any], absent: str) -> None:
    text = password(PasswordLength=1000, **request_members)
    assert len(text) == 1000
    assert not set(absent) & set(text)


def test_the_space_appears_when_included() -> None:
    assert " " in password(IncludeSpace=True)


def test_types_need_not_all_appear_when_not_required() -> None:
    assert len(password(PasswordLength=1, RequireEachIncludedType=False)) == 1


def test_a_password_shorter_than_its_types_is_refused() -> None:
    with pytest.raises(InvalidParameterException) as caught:
        password(PasswordLength=3)
    assert caught.value.message == "Password length is too short based on the required types."


def test_two_passwords_differ() -> None:
    room = Room()
    one, two = (room.run(GET_RANDOM_PASSWORD, {})["RandomPassword"] for _ in range(2))
    assert one != two


def test_a_caller_without_the_action_gets_none() -> None:
    room = Room()
    caller = room.user("ann", {"Effect": "Allow", "Action": "secretsmanager:Get*Value", "Resource": "*"})
    with pytest.raises(AccessDeniedException) as caught:
        room.run(GET_RANDOM_PASSWORD, {}, principal=caller)
    assert "is not authorized to perform: secretsmanager:GetRandomPassword" in caught.value.message
