"""ListSecrets, and the walk over an account's secrets that BatchGetSecretValue with filters shares.

Source: fact sheet secretsmanager sections 6 (ListSecrets, Filters) and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strongroom.names import AccountId, Region
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.secretsmanager.description import describe_members
from strongroom.ports import ReadUnit
from strongroom.secret.filters import compile_filters
from strongroom.secret.lifecycle import is_marked
from strongroom.secret.ordering import CREATED_DATE, Position, sort_position
from strongroom.secret.pagination import decode_token, encode_token
from strongroom.secret.records import Secret

DEFAULT_PAGE = 100
SCAN_LIMIT = 5_000
"""Secrets looked at for one page. A search that finds little ends there with a NextToken, so that no call
walks a million secrets; AWS too answers with short and empty pages that have a NextToken."""

_ACTION = "secretsmanager:ListSecrets"
_NOT_LISTED = frozenset(
    ("VersionIdsToStages", "ReplicationStatus", "CrossAccountPrimary", "CrossAccountReplicas")
)
"""What DescribeSecret shows and SecretListEntry does not have."""


def secrets_page(
    unit: ReadUnit,
    account_id: AccountId,
    region: Region,
    test: Callable[[Secret], bool],
    *,
    size: int,
    after: Position | None = None,
    sort_by: str = CREATED_DATE,
    descending: bool = False,
    scan_limit: int = SCAN_LIMIT,
) -> tuple[list[Secret], Position | None]:
    """Return at most `size` secrets that pass `test`, and the position to go on behind; None: that was all.

    The page may be shorter than `size`, or empty, while more follows (see SCAN_LIMIT).
    """
    page: list[Secret] = []
    last: Secret | None = None
    walk = unit.secrets(account_id, region, sort_by=sort_by, descending=descending, after=after)
    for looked_at, secret in enumerate(walk):
        found = test(secret)
        if last is not None and (looked_at >= scan_limit or (found and len(page) == size)):
            return page, sort_position(last, sort_by)
        if found:
            page.append(secret)
        last = secret
    return page, None


def stages_by_version(secret: Secret) -> dict[str, list[str]]:
    """Return each labelled version id with its labels in alphabetical order."""
    stages: dict[str, list[str]] = {}
    for label in sorted(secret.labels):
        stages.setdefault(secret.labels[label], []).append(label)
    return stages


def _targets(call: Call, _unit: ReadUnit) -> Sequence[Target]:
    return (Target(action=_ACTION, resource="*", owner_account=call.account_id),)


def list_secrets(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a page of the caller's account's secrets in the call's region.

    Raises:
        InvalidParameterException: a filter lacks its key or values.
        InvalidNextTokenException: the token is none of ours, or of a query with other parameters.
    """
    request, call = authorized.request, authorized.call
    sort_by = request.get("SortBy", CREATED_DATE)
    descending = request.get("SortOrder", "asc") == "desc"
    with_marked = bool(request.get("IncludePlannedDeletion", False))
    filters = request.get("Filters") or []
    passes = compile_filters(filters)

    bound = (call.account_id, call.region, sort_by, descending, with_marked, filters)
    token = request.get("NextToken")
    after = None if token is None else decode_token(LIST_SECRETS.name, bound, token)

    page, position = secrets_page(
        unit,
        call.account_id,
        call.region,
        passes if with_marked else lambda secret: not is_marked(secret) and passes(secret),
        size=request.get("MaxResults", DEFAULT_PAGE),
        after=after,
        sort_by=sort_by,
        descending=descending,
    )
    response: dict[str, Any] = {"SecretList": [_entry(secret) for secret in page]}
    if position is not None:
        response["NextToken"] = encode_token(LIST_SECRETS.name, bound, position)
    return response


def _entry(secret: Secret) -> dict[str, Any]:
    entry = {name: value for name, value in describe_members(secret).items() if name not in _NOT_LISTED}
    stages = stages_by_version(secret)
    if stages:
        entry["SecretVersionsToStages"] = stages
    return entry


LIST_SECRETS = Operation(
    name="ListSecrets",
    action=_ACTION,
    unit=Unit.READ,
    targets=_targets,
    handle=list_secrets,
    deviations=(
        "A listing is never stale: AWS may take up to five minutes to show a change.",
        "A page holds 100 secrets unless MaxResults says otherwise (AWS's default is not documented).",
        f"One call looks at up to {SCAN_LIMIT:,} secrets; a page cut short so has a NextToken.",
        "A negated filter value matches secrets that lack the attribute.",
        "The filter owning-service is case-sensitive, as the API model says and the user guide denies.",
        "The words of a value of the filter all may be found in different attributes of a secret.",
        "A NextToken holds for any MaxResults, and only with the same filters, order and "
        "IncludePlannedDeletion.",
    ),
)
