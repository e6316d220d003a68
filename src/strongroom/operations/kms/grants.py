"""Grants: making, listing, retiring and revoking them. Source: fact sheet kms section 6.

A key's record counts its grants, so both records change together. What holds, holds at once: grant tokens are
taken and change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    AccessDeniedException,
    DryRunOperationException,
    InvalidArnException,
    InvalidGrantIdException,
    InvalidGrantTokenException,
    LimitExceededException,
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.grants import (
    MAXIMUM_CONSTRAINT_PAIRS,
    MAXIMUM_CONSTRAINT_TEXT,
    MAXIMUM_GRANTS_OF_A_KEY,
    TOKEN_NONCE_BYTES,
    encode_token,
    is_grant_id,
    operations_of,
    parse_token,
)
from strongroom.keys.records import Grant, KmsKey, RetirableGrant
from strongroom.names import AccountId, parse_arn, root_arn
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.grantees import grantees_of, pinned_grantee, shown_grantee
from strongroom.operations.kms.paging import page_members, page_size, parse_marker
from strongroom.operations.kms.resolution import named_key, on_key, present, without_resource
from strongroom.operations.refusals import note_unreachable
from strongroom.ports import GRANTS, KMS_KEYS, RETIRABLE_GRANTS, ReadUnit, WriteUnit, account_region

NO_SERVICES: Final = "Service principals and the SourceArn constraint are not supported in grants."
NOT_NAMED: Final = "Policies allow the call, but the grant does not name the caller as who may retire it."
_SERVICE_MEMBERS: Final = ("GranteeServicePrincipal", "RetiringServicePrincipal")
_CONSTRAINTS: Final = ("EncryptionContextEquals", "EncryptionContextSubset")


def verify_grant_tokens(request: Mapping[str, Any]) -> None:
    """Pass when every GrantTokens member is a token this service gives out.

    Raises InvalidGrantTokenException otherwise.
    """
    for token in request.get("GrantTokens") or ():
        if parse_token(token) is None:
            raise InvalidGrantTokenException(messages.INVALID_GRANT_TOKEN)


def _create_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    request = call.request
    context: dict[str, str | tuple[str, ...]] = {
        "kms:GrantOperations": tuple(request["Operations"]),
        "kms:GrantIsForAWSResource": "false",
    }
    for member in ("GranteePrincipal", "RetiringPrincipal", *_SERVICE_MEMBERS):
        if member in request:
            context[f"kms:{member}"] = request[member]
    constraints = request.get("Constraints") or {}
    pairs: dict[str, str] = {}
    for constraint in _CONSTRAINTS:
        if constraint in constraints:
            context["kms:GrantConstraintType"] = constraint
            pairs.update(constraints[constraint])
    for name, value in pairs.items():
        context[f"kms:EncryptionContext:{name}"] = value
    if pairs:
        context["kms:EncryptionContextKeys"] = tuple(pairs)
    return (named_key(call, unit, request["KeyId"], "kms:CreateGrant", cross_account=True, context=context),)


def create_grant(authorized: AuthorizedCall, unit: WriteUnit) -> Mapping[str, Any]:
    """The grant is there and counts at once; one with the same Name and all else equal is not made again.

    Raises:
        NotFoundException: no such key.
        DisabledException, KMSInvalidStateException: the key's state.
        InvalidArnException: a principal that does not exist.
        ValidationException: no grantee, operations the key does not take, constraints over their limits.
        LimitExceededException: the key has 50,000 grants.
        DryRunOperationException: DryRun of what would have succeeded.
    """
    call, request = authorized.call, authorized.request
    key = present(authorized.target)
    states.verify_usable(key)
    verify_grant_tokens(request)
    wanted = _wanted(call, unit, key)
    same = _same(unit, wanted)
    if same is None and key.grant_count >= MAXIMUM_GRANTS_OF_A_KEY:
        raise LimitExceededException(messages.TOO_MANY_GRANTS)
    _stop_dry_run(request)
    if same is None:
        unit.save(GRANTS, wanted)
        unit.save(KMS_KEYS, replace(key, grant_count=key.grant_count + 1))
        if wanted.retiring is not None:
            unit.save(RETIRABLE_GRANTS, _retirable(key, wanted))
    nonce = call.resources.entropy.token_bytes(TOKEN_NONCE_BYTES)
    grant_id = (same or wanted).grant_id
    return {"GrantToken": encode_token(key.arn, grant_id, nonce), "GrantId": grant_id}


def _wanted(call: Call, unit: ReadUnit, key: KmsKey) -> Grant:
    """Return the grant a request asks for."""
    request = call.request
    constraints = request.get("Constraints") or {}
    if any(member in request for member in _SERVICE_MEMBERS) or "SourceArn" in constraints:
        raise UnsupportedOperationException(NO_SERVICES)
    grantee = request.get("GranteePrincipal")
    if grantee is None:
        raise ValidationException(messages.null_member("granteePrincipal"))
    operations = tuple(dict.fromkeys(request["Operations"]))
    unfit = sorted(set(operations) - operations_of(key.spec, key.usage))
    if unfit or not operations:
        raise ValidationException(messages.unfit_grant_operations(key.spec, key.usage, unfit))
    _verify_constraints(key, constraints)
    retiring = request.get("RetiringPrincipal")
    return Grant(
        grant_id=call.resources.entropy.token_bytes(32).hex(),
        key_arn=key.arn,
        grantee=_pinned(unit, grantee),
        grantee_written=grantee,
        retiring=None if retiring is None else _pinned(unit, retiring),
        retiring_written=retiring,
        issuing_account=call.account_id,
        created_at=call.received_at,
        operations=operations,
        name=request.get("Name", ""),
        context_equals=constraints.get("EncryptionContextEquals"),
        context_subset=constraints.get("EncryptionContextSubset"),
    )


def _verify_constraints(key: KmsKey, constraints: Mapping[str, Any]) -> None:
    given = [constraints[each] for each in _CONSTRAINTS if each in constraints]
    if given and key.spec != "SYMMETRIC_DEFAULT":
        raise ValidationException(messages.CONSTRAINTS_NEED_SYMMETRIC)
    for pairs in given:
        if not 1 <= len(pairs) <= MAXIMUM_CONSTRAINT_PAIRS:
            raise ValidationException(messages.CONSTRAINT_PAIRS)
        if any(len(text) > MAXIMUM_CONSTRAINT_TEXT for pair in pairs.items() for text in pair):
            raise ValidationException(messages.CONSTRAINT_TEXT)


def _pinned(unit: ReadUnit, arn: str) -> str:
    pinned = pinned_grantee(unit, arn)
    if pinned is None:
        raise InvalidArnException(messages.no_such_principal(arn))
    return pinned


def _same(unit: ReadUnit, wanted: Grant) -> Grant | None:
    """Return the grant that is there under the wanted one's Name and equal in all else."""
    if not wanted.name:
        return None
    for grant in unit.scan(GRANTS, wanted.key_arn, prefix=f"{wanted.grantee}/"):
        if wanted == replace(
            grant,
            grant_id=wanted.grant_id,
            created_at=wanted.created_at,
            grantee_written=wanted.grantee_written,
            retiring_written=wanted.retiring_written,
        ):
            return grant
    return None


def _retirable(key: KmsKey, grant: Grant) -> RetirableGrant:
    written = parse_arn(grant.retiring_written or "")
    account = grant.retiring or "" if written is None else written.account_id
    return RetirableGrant(
        account_id=AccountId(account),
        region=key.region,
        retiring=grant.retiring or "",
        key_arn=key.arn,
        grant_id=grant.grant_id,
    )


def delete_grant(unit: WriteUnit, key: KmsKey, grant: Grant) -> None:
    """The grant is gone, from the key's count too."""
    unit.delete(GRANTS, key.arn, grant.grant_id)
    unit.save(KMS_KEYS, replace(key, grant_count=key.grant_count - 1))
    forget_retirement(unit, key, grant)


def forget_retirement(unit: WriteUnit, key: KmsKey, grant: Grant) -> None:
    """Nothing leads from a retiring principal to the grant any more."""
    if grant.retiring is not None:
        entry = _retirable(key, grant)
        unit.delete(RETIRABLE_GRANTS, account_region(entry.account_id, entry.region), grant.grant_id)


def list_grants(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return a key's grants, or those of one grantee, or one."""
    request = authorized.request
    key = present(authorized.target)
    size, after = page_size(request, 50, 100), parse_marker(request)
    prefix, grant_id = "", request.get("GrantId")
    if "GranteeServicePrincipal" in request:
        return {"Grants": [], "Truncated": False}
    if grant_id is not None and not is_grant_id(grant_id):
        raise InvalidGrantIdException(messages.INVALID_GRANT_ID)
    if "GranteePrincipal" in request:
        prefix = f"{_pinned(unit, request['GranteePrincipal'])}/"
    if grant_id is not None:
        one = unit.find(GRANTS, key.arn, grant_id)
        rows = [one] if one is not None and GRANTS.alternate(one).startswith(prefix) else []
    else:
        rows = unit.scan(GRANTS, key.arn, prefix=prefix, after=after, limit=size + 1)
    page = rows[:size]
    return {
        "Grants": [_entry(unit, grant) for grant in page],
        **page_members(rows, size, GRANTS.alternate(page[-1]) if page else ""),
    }


def list_retirable_grants(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    """Return the grants, on keys of any account, that a principal of the caller's account may retire."""
    call, request = authorized.call, authorized.request
    if "RetiringServicePrincipal" in request:
        raise UnsupportedOperationException(NO_SERVICES)
    named = request.get("RetiringPrincipal")
    if named is None:
        raise ValidationException(messages.null_member("retiringPrincipal"))
    retiring, written = _pinned(unit, named), parse_arn(named)
    if (retiring if written is None else written.account_id) != call.account_id:
        raise InvalidArnException(messages.no_such_principal(named))
    size, after = page_size(request, 50, 100), parse_marker(request)
    scope = account_region(call.account_id, call.region)
    rows = unit.scan(RETIRABLE_GRANTS, scope, prefix=f"{retiring}/", after=after, limit=size + 1)
    page = rows[:size]
    grants = (unit.find(GRANTS, each.key_arn, each.grant_id) for each in page)
    return {
        "Grants": [_entry(unit, grant) for grant in grants if grant is not None],
        **page_members(rows, size, RETIRABLE_GRANTS.alternate(page[-1]) if page else ""),
    }


def _entry(unit: ReadUnit, grant: Grant) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "KeyId": grant.key_arn,
        "GrantId": grant.grant_id,
        "Name": grant.name,
        "CreationDate": grant.created_at,
        "GranteePrincipal": shown_grantee(unit, grant.grantee, grant.grantee_written),
        "IssuingAccount": root_arn(grant.issuing_account),
        "Operations": list(grant.operations),
    }
    if grant.retiring is not None and grant.retiring_written is not None:
        entry["RetiringPrincipal"] = shown_grantee(unit, grant.retiring, grant.retiring_written)
    constraints = {
        name: pairs
        for name, pairs in zip(_CONSTRAINTS, (grant.context_equals, grant.context_subset), strict=True)
        if pairs is not None
    }
    if constraints:
        entry["Constraints"] = constraints
    return entry


def _retire_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    """The grant itself says who may retire it; policies can only refuse.

    Raises:
        ValidationException: neither a token nor key and grant id, or both.
        InvalidGrantTokenException: not a token of ours.
        NotFoundException: no such grant.
    """
    request = call.request
    token, key_id, grant_id = (request.get(each) for each in ("GrantToken", "KeyId", "GrantId"))
    if (token is None) == (key_id is None and grant_id is None) or (key_id is None) != (grant_id is None):
        raise ValidationException(messages.RETIRE_BY_ONE)
    if token is not None:
        parsed = parse_token(token)
        if parsed is None:
            raise InvalidGrantTokenException(messages.INVALID_GRANT_TOKEN)
        key_id, grant_id = parsed
    target = named_key(call, unit, str(key_id), "kms:RetireGrant", cross_account=True)
    grant = None if target.record is None else unit.find(GRANTS, target.resource, str(grant_id))
    if grant is None:
        raise NotFoundException(messages.no_such_grant(str(grant_id)))
    entitled = _may_retire(call, grant)
    return (replace(target, grants=(grant.grant_id,) if entitled else (), grants_behind=False),)


def _may_retire(call: Call, grant: Grant) -> bool:
    """True for the retiring principal, the grantee where the grant says so, and the root user of the account
    that made the grant."""
    names = [name for name in grantees_of(call.principal) if name is not None]
    if grant.retiring in names or (call.principal.is_root and call.account_id == grant.issuing_account):
        return True
    return "RetireGrant" in grant.operations and grant.grantee in names


def retire_grant(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The grant is gone.

    Raises:
        AccessDeniedException: policies allow it, but the grant does not name the caller.
    """
    call, target = authorized.call, authorized.target
    key = present(target)
    if not target.grants:
        message = messages.not_entitled(call.principal.arn, target.action, key.arn)
        note_unreachable(call, target, message, NOT_NAMED)
        raise AccessDeniedException(message)
    _stop_dry_run(authorized.request)
    delete_grant(unit, key, _existing(unit, key, target.grants[0]))


def revoke_grant(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    """The grant is gone; what it allowed is refused from now on.

    Raises:
        InvalidGrantIdException: not an id of ours.
        NotFoundException: no such key, or no such grant on it.
    """
    request = authorized.request
    key = present(authorized.target)
    if not is_grant_id(request["GrantId"]):
        raise InvalidGrantIdException(messages.INVALID_GRANT_ID)
    grant = _existing(unit, key, request["GrantId"])
    _stop_dry_run(request)
    delete_grant(unit, key, grant)


def _existing(unit: ReadUnit, key: KmsKey, grant_id: str) -> Grant:
    grant = unit.find(GRANTS, key.arn, grant_id)
    if grant is None:
        raise NotFoundException(messages.no_such_grant(grant_id))
    return grant


def _stop_dry_run(request: Mapping[str, Any]) -> None:
    if request.get("DryRun"):
        raise DryRunOperationException(messages.DRY_RUN)


CREATE_GRANT = Operation(
    name="CreateGrant",
    action="kms:CreateGrant",
    unit=Unit.WRITE,
    targets=_create_targets,
    handle=create_grant,
    read_only=False,
    deviations=(
        "Service principals and the SourceArn constraint are not supported in grants.",
        "A grant to an account is for its root user alone.",
        "A grantee of another account than the key's needs its own account's Allow too.",
        "Grants hold from the moment CreateGrant returns, so grant tokens are taken everywhere and needed "
        "nowhere.",
        "The texts for operations and constraints that do not fit the key are our own.",
        "A grant that names a role, or the user behind a federated session, is limited by the boundary and "
        "by the session's policies.",
    ),
)
LIST_GRANTS = Operation(
    name="ListGrants",
    action="kms:ListGrants",
    unit=Unit.READ,
    targets=on_key("kms:ListGrants", cross_account=True),
    handle=list_grants,
)
LIST_RETIRABLE_GRANTS = Operation(
    name="ListRetirableGrants",
    action="kms:ListRetirableGrants",
    unit=Unit.READ,
    targets=without_resource("kms:ListRetirableGrants"),
    handle=list_retirable_grants,
)
RETIRE_GRANT = Operation(
    name="RetireGrant",
    action="kms:RetireGrant",
    unit=Unit.WRITE,
    targets=_retire_targets,
    handle=retire_grant,
    read_only=False,
    deviations=(
        "A retiring principal of another account than the key's needs its own account's Allow of "
        "kms:RetireGrant too.",
    ),
)
REVOKE_GRANT = Operation(
    name="RevokeGrant",
    action="kms:RevokeGrant",
    unit=Unit.WRITE,
    targets=on_key("kms:RevokeGrant", cross_account=True, context={"kms:GrantIsForAWSResource": "false"}),
    handle=revoke_grant,
    read_only=False,
)
