"""Access keys of users and of the account's root user. Source: fact sheet iam sections 10 to 12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from strongroom.errors import InvalidInputException, LimitExceededException, NoSuchEntityException
from strongroom.identity.records import AccessKey, User
from strongroom.operations.call import AuthorizedCall, Operation, Unit
from strongroom.operations.iam import messages
from strongroom.operations.iam.credentials import make_access_key, owned_access_keys
from strongroom.operations.iam.paging import page_members, page_size, parse_marker
from strongroom.operations.iam.resolution import (
    IGNORES_CASE,
    ROOT_HAS_NO_NAME,
    is_root_itself,
    on_user_or_caller,
    present,
)
from strongroom.ports import ACCESS_KEYS, ReadUnit, WriteUnit

MAXIMUM_KEYS_OF_A_USER: Final = 2


def _owner(authorized: AuthorizedCall) -> User | None:
    """Return the user whose keys are meant; None: the account's root user.

    Raises:
        NoSuchEntityException: no such user.
    """
    return None if is_root_itself(authorized.call) else present(authorized.call, authorized.target)


def _named(owner: User | None) -> dict[str, str]:
    return {} if owner is None else {"UserName": owner.user_name}


def create_access_key(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """Save an active key and return it with its secret, which nothing returns again.

    Raises:
        NoSuchEntityException: no such user.
        LimitExceededException: it has two keys already, active or not.
    """
    call, owner = authorized.call, _owner(authorized)
    user_id = None if owner is None else owner.user_id
    if len(owned_access_keys(unit, call.account_id, user_id)) >= MAXIMUM_KEYS_OF_A_USER:
        raise LimitExceededException(messages.too_many_access_keys(MAXIMUM_KEYS_OF_A_USER))
    resources = call.resources
    new = make_access_key(resources.root_key, resources.entropy, call.received_at, call.account_id, user_id)
    unit.save(ACCESS_KEYS, new.record)
    return {"AccessKey": {**_named(owner), **_metadata(new.record), "SecretAccessKey": new.secret_access_key}}


def list_access_keys(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the keys of one user, without secrets.

    Raises:
        NoSuchEntityException: no such user.
        ValidationException: a Marker this service did not give out.
    """
    call, owner = authorized.call, _owner(authorized)
    user_id = None if owner is None else owner.user_id
    size = page_size(call.request)
    after = parse_marker(call.request)
    rows = owned_access_keys(unit, call.account_id, user_id, after=after, limit=size + 1)
    page = rows[:size]
    return {
        "AccessKeyMetadata": [{**_named(owner), **_metadata(key)} for key in page],
        **page_members(rows, size, page[-1].access_key_id if page else ""),
    }


def update_access_key(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Make a key active or inactive; an inactive one signs no further call.

    Raises:
        NoSuchEntityException: no such user, or the key is not one of its keys.
        InvalidInputException: the status is `Expired`.
    """
    key = _owned_key(authorized, unit)
    status = authorized.request["Status"]
    if status not in ("Active", "Inactive"):
        raise InvalidInputException(messages.STATUS_NOT_SETTABLE)
    unit.save(ACCESS_KEYS, msgspec.structs.replace(key, active=status == "Active"))


def delete_access_key(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """Remove a key; it signs no further call.

    Raises:
        NoSuchEntityException: no such user, or the key is not one of its keys.
    """
    unit.delete(ACCESS_KEYS, "", _owned_key(authorized, unit).access_key_id)


def _owned_key(authorized: AuthorizedCall, unit: ReadUnit) -> AccessKey:
    call, owner = authorized.call, _owner(authorized)
    key = unit.find(ACCESS_KEYS, "", call.request["AccessKeyId"])
    owner_id = None if owner is None else owner.user_id
    # SECURITY: permission was asked for on the owner, so a key of anyone else is as good as absent.
    if key is None or (key.account_id, key.user_id) != (call.account_id, owner_id):
        raise NoSuchEntityException(messages.no_such_access_key(call.request["AccessKeyId"]))
    return key


def _metadata(key: AccessKey) -> dict[str, Any]:
    return {
        "AccessKeyId": key.access_key_id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": key.created_at,
    }


CREATE_ACCESS_KEY = Operation(
    name="CreateAccessKey",
    action="iam:CreateAccessKey",
    unit=Unit.WRITE,
    targets=on_user_or_caller("iam:CreateAccessKey"),
    handle=create_access_key,
    read_only=False,
    deviations=(IGNORES_CASE, ROOT_HAS_NO_NAME),
)
LIST_ACCESS_KEYS = Operation(
    name="ListAccessKeys",
    action="iam:ListAccessKeys",
    unit=Unit.READ,
    targets=on_user_or_caller("iam:ListAccessKeys"),
    handle=list_access_keys,
    deviations=(IGNORES_CASE, ROOT_HAS_NO_NAME),
)
UPDATE_ACCESS_KEY = Operation(
    name="UpdateAccessKey",
    action="iam:UpdateAccessKey",
    unit=Unit.WRITE,
    targets=on_user_or_caller("iam:UpdateAccessKey"),
    handle=update_access_key,
    read_only=False,
    deviations=(IGNORES_CASE, "The status Expired, which the model allows, is answered with InvalidInput."),
)
DELETE_ACCESS_KEY = Operation(
    name="DeleteAccessKey",
    action="iam:DeleteAccessKey",
    unit=Unit.WRITE,
    targets=on_user_or_caller("iam:DeleteAccessKey"),
    handle=delete_access_key,
    read_only=False,
    deviations=(IGNORES_CASE,),
)
