"""The principals a secret's resource policy names: which may stand there, and how the policy is kept.

What keeps a user or role who it was is `operations/principals`. Source: fact sheets iam section 5;
secretsmanager section 6 (Resource policies).
"""

from __future__ import annotations

from typing import Final

from strongroom.names import AccountId, Arn
from strongroom.operations import principals
from strongroom.ports import ReadUnit
from strongroom.secret.records import SecretPolicy

# Texts on record (fact sheet secretsmanager section 6, Resource policies).
UNSUPPORTED_PRINCIPAL: Final = "This resource policy contains an unsupported principal."
UNSUPPORTED_SERVICE: Final = "This resource policy contains an unsupported service principal."


def principal_problem(unit: ReadUnit, owner: AccountId, document: str) -> str | None:
    """Return what is wrong with the first principal of a well-formed policy that may not stand there."""
    stranger = principals.stranger(unit, owner, document)
    if stranger is None:
        return None
    return UNSUPPORTED_SERVICE if stranger.kind == "Service" else UNSUPPORTED_PRINCIPAL


def pinned_policy(unit: ReadUnit, secret_arn: Arn, policy_name: str, document: str) -> SecretPolicy:
    """Return the record of a well-formed policy, its users and roles named by their unique ids."""
    pinned = principals.pinned_document(unit, document)
    return SecretPolicy(
        secret_arn=secret_arn,
        policy_name=policy_name,
        document=pinned,
        written=None if pinned == document else document,
    )


def shown_document(unit: ReadUnit, policy: SecretPolicy) -> str:
    """Return the policy as `operations/principals.shown_document` says."""
    return principals.shown_document(unit, policy.document, policy.written)
