"""Lists of what nobody has: empty for who exists and may be asked about, refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.errors import NoSuchEntityException, ValidationException
from strongroom.operations.iam import empty_lists
from support.identity_room import IdentityRoom
from support.key_room import ACCOUNT, allow

OF_USERS = [
    pytest.param(empty_lists.LIST_MFA_DEVICES, "MFADevices", id="MFA devices"),
    pytest.param(empty_lists.LIST_SIGNING_CERTIFICATES, "Certificates", id="certificates"),
    pytest.param(empty_lists.LIST_SSH_PUBLIC_KEYS, "SSHPublicKeys", id="SSH keys"),
    pytest.param(
        empty_lists.LIST_SERVICE_SPECIFIC_CREDENTIALS, "ServiceSpecificCredentials", id="credentials"
    ),
]


@pytest.fixture
def room() -> IdentityRoom:
    room = IdentityRoom()
    room.user("eve")
    return room


@pytest.mark.parametrize(("operation", "member"), OF_USERS)
def test_a_user_has_none(room: IdentityRoom, operation: Any, member: str) -> None:
    empty = {member: [], "IsTruncated": False}
    assert room.run(operation, {"UserName": "EVE"}) == empty
    assert room.run(operation) == empty
    kate = room.user("kate", allow("iam:List*", resource=f"arn:aws:iam::{ACCOUNT}:user/kate"))
    assert room.run(operation, principal=kate) == empty
    room.denied(operation, {"UserName": "eve"}, kate, "user eve")


@pytest.mark.parametrize(("operation", "member"), OF_USERS)
def test_a_user_that_is_not_there_has_no_list(room: IdentityRoom, operation: Any, member: str) -> None:
    message = room.refused(NoSuchEntityException, operation, {"UserName": "nobody"})
    assert message == "The user with name nobody cannot be found."
    request = {"UserName": "eve", "Marker": "x"}
    assert room.refused(ValidationException, operation, request) == "Invalid Marker."


def test_everybodys_credentials_are_none(room: IdentityRoom) -> None:
    operation = empty_lists.LIST_SERVICE_SPECIFIC_CREDENTIALS
    empty = {"ServiceSpecificCredentials": [], "IsTruncated": False}
    assert room.run(operation, {"AllUsers": True}) == empty
    kate = room.user("kate", allow("iam:List*", resource=f"arn:aws:iam::{ACCOUNT}:user/kate"))
    room.denied(operation, {"AllUsers": True}, kate, f"arn:aws:iam::{ACCOUNT}:user/*")


@pytest.mark.parametrize("status", ["Assigned", "Unassigned", "Any"])
def test_there_are_no_virtual_devices(room: IdentityRoom, status: str) -> None:
    operation = empty_lists.LIST_VIRTUAL_MFA_DEVICES
    request = {"AssignmentStatus": status}
    assert room.run(operation, request) == {"VirtualMFADevices": [], "IsTruncated": False}
    assert room.refused(ValidationException, operation, {**request, "Marker": "x"}) == "Invalid Marker."
    room.denied(operation, request, room.user("kate"), "*")
