"""Key policies. Source: fact sheet kms sections 3 and 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from strongroom.errors import (
    LimitExceededException,
    MalformedPolicyDocumentException,
    NotFoundException,
)
from strongroom.identity.principal import Principal, PrincipalType
from strongroom.keys.policies import POLICY_NAME
from strongroom.keys.records import KmsKey
from strongroom.names import root_arn
from strongroom.operations import authorize
from strongroom.operations.call import AuthorizedCall, Call, Operation, Target, Unit
from strongroom.operations.kms import messages
from strongroom.operations.kms.resolution import (
    key_target,
    managed,
    named_key,
    on_key,
    present,
)
from strongroom.operations.principals import pinned_document, shown_document, stranger
from strongroom.policy.document import (
    KEY_POLICY_SIZE,
    PolicyKind,
    PolicySyntaxError,
    fits,
    parse_policy,
)
from strongroom.ports import KMS_KEYS, ReadUnit, WriteUnit

ASSUMING_POLICY: Final = "the key policy were the one of the request"
POLICY_TOO_LONG: Final = "The key policy document exceeds the quota of 32768 characters."


def with_policy(call: Call, unit: ReadUnit, key: KmsKey, policy: str, *, bypass: bool) -> KmsKey:
    """Return the key under `policy`, whose users and roles are from now on those it names now; not saved yet.

    Raises:
        LimitExceededException: it is longer than 32,768 characters.
        MalformedPolicyDocumentException: it is not a policy; it names principals that do not exist; or,
            unless `bypass`, neither the caller nor the account could change it again.
    """
    if not fits(KEY_POLICY_SIZE, policy):
        raise LimitExceededException(POLICY_TOO_LONG)
    try:
        parse_policy(policy, PolicyKind.KEY)
    except PolicySyntaxError as exc:
        raise MalformedPolicyDocumentException(exc.message) from exc
    if stranger(unit, key.account_id, policy) is not None:
        raise MalformedPolicyDocumentException(messages.INVALID_PRINCIPALS)
    pinned = pinned_document(unit, policy)
    changed = replace(key, policy=pinned, policy_written=None if pinned == policy else policy)
    if not bypass:
        _verify_not_locked_out(call, unit, changed)
    return changed


def _verify_not_locked_out(call: Call, unit: ReadUnit, key: KmsKey) -> None:
    """Raises MalformedPolicyDocumentException when nobody but others could change the key's policy again."""
    target = key_target(call, key, "kms:PutKeyPolicy")
    # A policy that leaves the key to its account keeps it changeable, whatever this caller may do by itself.
    if authorize.allowed(_as_account(call), unit, target).allowed:
        return
    decision = authorize.allowed(call, unit, target)
    if not decision.allowed:
        authorize.note(call, unit, target, decision, messages.POLICY_LOCKS_OUT, assuming=ASSUMING_POLICY)
        raise MalformedPolicyDocumentException(messages.POLICY_LOCKS_OUT)


def _as_account(call: Call) -> Call:
    """Return the call as the account's root user would make it."""
    arn = root_arn(call.account_id)
    root = Principal(PrincipalType.ROOT, call.account_id, arn, call.account_id, call.principal.access_key_id)
    who = {
        "aws:PrincipalArn": arn,
        "aws:PrincipalType": PrincipalType.ROOT.value,
        "aws:userid": call.account_id,
    }
    kept = {name: value for name, value in call.context.items() if name.lower() != "aws:username"}
    return replace(call, principal=root, context={**kept, **who})


def _put_targets(call: Call, unit: ReadUnit) -> Sequence[Target]:
    bypass = "true" if call.request.get("BypassPolicyLockoutSafetyCheck") else "false"
    context = {"kms:BypassPolicyLockoutSafetyCheck": bypass}
    return (named_key(call, unit, call.request["KeyId"], "kms:PutKeyPolicy", context=context),)


def put_key_policy(authorized: AuthorizedCall, unit: WriteUnit) -> None:
    call, request = authorized.call, authorized.request
    _verify_name(request)
    key = managed(authorized.target)
    bypass = bool(request.get("BypassPolicyLockoutSafetyCheck"))
    unit.save(KMS_KEYS, with_policy(call, unit, key, request["Policy"], bypass=bypass))


def get_key_policy(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    _verify_name(authorized.request)
    key = present(authorized.target)
    return {"Policy": written_policy(unit, key), "PolicyName": POLICY_NAME}


def written_policy(unit: ReadUnit, key: KmsKey) -> str:
    """Return the key policy as it was written, or as it reads by now (`operations/principals`)."""
    return shown_document(unit, key.policy, key.policy_written)


def list_key_policies(authorized: AuthorizedCall, unit: ReadUnit) -> Mapping[str, Any]:
    present(authorized.target)
    return {"PolicyNames": [POLICY_NAME], "Truncated": False}


def _verify_name(request: Mapping[str, Any]) -> None:
    if request.get("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise NotFoundException(messages.POLICY_NAME)


PUT_KEY_POLICY = Operation(
    name="PutKeyPolicy",
    action="kms:PutKeyPolicy",
    unit=Unit.WRITE,
    targets=_put_targets,
    handle=put_key_policy,
    read_only=False,
    deviations=(
        "The lockout check passes when the caller, or the account through its root principal, could change "
        "the policy again.",
    ),
)
GET_KEY_POLICY = Operation(
    name="GetKeyPolicy",
    action="kms:GetKeyPolicy",
    unit=Unit.READ,
    targets=on_key("kms:GetKeyPolicy"),
    handle=get_key_policy,
)
LIST_KEY_POLICIES = Operation(
    name="ListKeyPolicies",
    action="kms:ListKeyPolicies",
    unit=Unit.READ,
    targets=on_key("kms:ListKeyPolicies"),
    handle=list_key_policies,
)
