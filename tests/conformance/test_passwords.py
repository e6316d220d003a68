"""GetRandomPassword over TCP. Source: fact sheet secretsmanager section 6."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.dialogue import Person, a_person, allow, answered, denied, invalid, refused
from support.running import Server

UPPERCASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWERCASE = "abcdefghijklmnopqrstuvwxyz"
NUMBERS = "0123456789"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
EVERYTHING = UPPERCASE + LOWERCASE + NUMBERS + PUNCTUATION
TOO_SHORT = (
    "InvalidParameterException",
    "Password length is too short based on the required types.",
)


@pytest.fixture(scope="module")
def unchecked(server: Server) -> Iterator[Any]:
    """A client that sends whatever it is told, so that the server does the checking."""
    client = server.client("secretsmanager", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def person(server: Server) -> Person:
    return a_person(server)


def _password(client: Any, **request: Any) -> str:
    answer = answered(client.get_random_password, **request)
    assert set(answer) == {"RandomPassword"}
    return str(answer["RandomPassword"])


def test_a_password_has_32_characters_and_at_least_one_of_each_type(secrets: Any) -> None:
    for _ in range(20):
        password = _password(secrets)
        assert len(password) == 32
        assert set(password) <= set(EVERYTHING)
        for type_ in (UPPERCASE, LOWERCASE, NUMBERS, PUNCTUATION):
            assert set(password) & set(type_)


def test_no_two_passwords_are_alike(secrets: Any) -> None:
    assert len({_password(secrets) for _ in range(20)}) == 20


@pytest.mark.parametrize("length", [4, 5, 1000, 4096])
def test_the_length_is_as_asked(secrets: Any, length: int) -> None:
    assert len(_password(secrets, PasswordLength=length)) == length


@pytest.mark.parametrize(
    ("request_", "absent"),
    [
        pytest.param({"ExcludeNumbers": True}, NUMBERS, id="numbers"),
        pytest.param({"ExcludePunctuation": True}, PUNCTUATION, id="punctuation"),
        pytest.param({"ExcludeUppercase": True}, UPPERCASE, id="uppercase"),
        pytest.param({"ExcludeLowercase": True}, LOWERCASE, id="lowercase"),
        pytest.param({"ExcludeCharacters": "abcXYZ019!\"'\\/@"}, "abcXYZ019!\"'\\/@", id="characters"),
        pytest.param({"ExcludeCharacters": NUMBERS}, NUMBERS, id="all characters of a type"),
    ],
)
def test_what_is_excluded_is_absent_and_all_else_appears(
    secrets: Any, request_: dict[str, Any], absent: str
) -> None:
    seen = set(_password(secrets, PasswordLength=4096, **request_))
    # Of 4096 draws out of at most 94 characters, one is left out with a chance below 1e-17.
    assert seen == set(EVERYTHING) - set(absent)


def test_the_space_appears_only_when_included(secrets: Any) -> None:
    assert set(_password(secrets, PasswordLength=4096, IncludeSpace=True)) == set(EVERYTHING) | {" "}


def test_types_need_not_all_appear_when_they_are_not_required(secrets: Any) -> None:
    # One character cannot be of four types: only the explicit false lets this pass.
    assert len(_password(secrets, PasswordLength=1, RequireEachIncludedType=False)) == 1


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"PasswordLength": 3}, id="3 for four types"),
        pytest.param({"PasswordLength": 1, "RequireEachIncludedType": True}, id="1, required by name"),
        pytest.param({"PasswordLength": 4, "IncludeSpace": True}, id="4 for five types"),
        pytest.param({"PasswordLength": 2, "ExcludePunctuation": True}, id="2 for three types"),
    ],
)
def test_a_length_below_the_number_of_types_is_refused(secrets: Any, request_: dict[str, Any]) -> None:
    assert refused(secrets.get_random_password, **request_) == TOO_SHORT


def test_a_type_without_characters_left_is_not_required(secrets: Any) -> None:
    password = _password(secrets, PasswordLength=3, ExcludeCharacters=PUNCTUATION)
    assert [len(set(password) & set(each)) for each in (UPPERCASE, LOWERCASE, NUMBERS)] == [1, 1, 1]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            {
                "ExcludeNumbers": True,
                "ExcludePunctuation": True,
                "ExcludeUppercase": True,
                "ExcludeLowercase": True,
            },
            id="every type",
        ),
        pytest.param({"ExcludeCharacters": EVERYTHING}, id="every character"),
    ],
)
def test_excluding_everything_is_refused(secrets: Any, request_: dict[str, Any]) -> None:
    assert refused(secrets.get_random_password, **request_) == (
        "InvalidParameterException",
        "The password can't be generated because every character is excluded.",
    )


@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        pytest.param(
            {"PasswordLength": 4097},
            "Value '4097' at 'passwordLength' failed to satisfy constraint: "
            "Member must have value less than or equal to 4096",
            id="too long",
        ),
        pytest.param(
            {"PasswordLength": 0},
            "Value '0' at 'passwordLength' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
            id="no character",
        ),
        pytest.param(
            {"ExcludeCharacters": "x" * 4097},
            f"Value '{'x' * 256}' at 'excludeCharacters' failed to satisfy constraint: "
            "Member must have length less than or equal to 4096",
            id="too much excluded",
        ),
    ],
)
def test_members_out_of_their_bounds_are_refused(
    unchecked: Any, request_: dict[str, Any], failure: str
) -> None:
    assert refused(unchecked.get_random_password, **request_) == invalid(failure)


def test_a_caller_needs_the_permission_on_no_particular_resource(person: Person) -> None:
    client = person.client()
    action = "secretsmanager:GetRandomPassword"
    assert refused(client.get_random_password) == denied(person.arn, action, "*")
    person.may(allow(action, "arn:aws:secretsmanager:*:*:secret:*"))
    assert refused(client.get_random_password) == denied(person.arn, action, "*")
    person.may(allow(action))
    assert len(_password(client)) == 32
    client.close()
