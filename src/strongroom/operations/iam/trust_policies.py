"""Trust policies of roles: what may become one, and how it is kept and shown.

Source: fact sheet iam sections 1, 4 and 5.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from strongroom.errors import LimitExceededException, MalformedPolicyDocumentException
from strongroom.identity.records import Role
from strongroom.names import AccountId, parse_arn
from strongroom.operations import principals
from strongroom.operations.iam import messages
from strongroom.policy.document import (
    TRUST_POLICY_SIZE,
    Policy,
    PolicyKind,
    PolicySyntaxError,
    fits,
    parse_policy,
)
from strongroom.ports import ReadUnit

__all__ = ["DEVIATIONS", "TrustPolicy", "accepted_trust_policy", "shown_trust_policy"]

_KINDS: Final = ("AWS", "Service", "Federated")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?(/[\x21-\x7e]*)?")

DEVIATIONS: Final = (
    "A trust policy may name accounts, users, roles and OpenID Connect providers of this installation; the "
    "providers AWS knows by itself (accounts.google.com and the like) are unknown here.",
    "Every service principal of the form <service>.amazonaws.com is accepted.",
)


class TrustPolicy(NamedTuple):
    pinned: str
    """Users and roles stand in it by their unique ids."""
    written: str | None
    """As the caller wrote it, where that differs."""


def accepted_trust_policy(unit: ReadUnit, owner: AccountId, document: str) -> TrustPolicy:
    """Return the document as a role of the `owner` account keeps it.

    Raises:
        MalformedPolicyDocumentException: it is not a trust policy, or names a principal that does not exist.
        LimitExceededException: it is longer than 2,048 characters, white space not counted.
    """
    # SECURITY: the size first: 131,072 characters, which a request may have, take seconds to compile.
    if not fits(TRUST_POLICY_SIZE, document):
        raise LimitExceededException(messages.trust_policy_too_large(TRUST_POLICY_SIZE.characters))
    try:
        policy = parse_policy(document, PolicyKind.TRUST)
    except PolicySyntaxError as error:
        raise MalformedPolicyDocumentException(error.message) from error
    _verify_principals(unit, owner, document, policy)
    pinned = principals.pinned_document(unit, document)
    return TrustPolicy(pinned, None if pinned == document else document)


def shown_trust_policy(unit: ReadUnit, role: Role) -> str:
    """Return a role's trust policy as `operations/principals.shown_document` says."""
    return principals.shown_document(unit, role.trust_policy, role.written_trust_policy)


def _verify_principals(unit: ReadUnit, owner: AccountId, document: str, policy: Policy) -> None:
    # AWS: everyone is trusted as {"AWS": "*"} only (published reports).
    if principals.names_star_alone(document):
        raise MalformedPolicyDocumentException(messages.STAR_TRUSTED)
    stranger = principals.stranger(unit, owner, document, _KINDS)
    if stranger is None:
        return
    name = stranger.name
    if stranger.kind == "Federated" and parse_arn(name) is None and _DOMAIN.fullmatch(name) is None:
        raise MalformedPolicyDocumentException(messages.FEDERATED_MALFORMED)
    raise MalformedPolicyDocumentException(messages.invalid_principal(stranger.kind, name))
