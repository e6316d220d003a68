"""GetRandomPassword. Source: fact sheet secretsmanager section 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.ports import ReadUnit
from strongroom.secret.passwords import DEFAULT_LENGTH, password_rules, random_password

_ACTION = "secretsmanager:GetRandomPassword"


def _targets(call: Call, _unit: ReadUnit) -> Sequence[Target]:
    return (Target(action=_ACTION, resource="*", owner_account=call.account_id),)


def get_random_password(authorized: AuthorizedCall, _unit: ReadUnit) -> Mapping[str, Any]:
    """Return a password drawn uniformly from all those the request allows; it is kept nowhere.

    Raises:
        InvalidParameterException: no password fulfils the request.
    """
    request = authorized.request
    rules = password_rules(
        length=request.get("PasswordLength", DEFAULT_LENGTH),
        exclude_characters=request.get("ExcludeCharacters", ""),
        exclude_numbers=request.get("ExcludeNumbers", False),
        exclude_punctuation=request.get("ExcludePunctuation", False),
        exclude_uppercase=request.get("ExcludeUppercase", False),
        exclude_lowercase=request.get("ExcludeLowercase", False),
        include_space=request.get("IncludeSpace", False),
        require_each_included_type=request.get("RequireEachIncludedType", True),
    )
    return {"RandomPassword": random_password(rules, authorized.call.resources.entropy.below)}


GET_RANDOM_PASSWORD = Operation(
    name="GetRandomPassword",
    action=_ACTION,
    unit=Unit.READ,
    targets=_targets,
    handle=get_random_password,
    deviations=(
        "With IncludeSpace the space counts as a type, so RequireEachIncludedType (default true) asks for "
        "at least one space.",
        "The text of the InvalidParameterException for a request that excludes every character is our own.",
    ),
)
