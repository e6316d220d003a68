"""Everything this program answers: services, their operations, and what it does not do, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.operations import cloudtrail, iam, kms, lambda_, secretsmanager, strongroom, sts
from strongroom.operations.call import Operation

__all__ = ["CATALOG", "ServedService", "known_actions"]


@dataclass(frozen=True, slots=True)
class ServedService:
    """One service as far as it is served; together the two members name every operation of the model."""

    title: str
    operations: Mapping[str, Operation]
    unsupported: Mapping[str, str]
    """Operation to the reason it is not there."""


def _served(title: str, operations: tuple[Operation, ...], unsupported: Mapping[str, str]) -> ServedService:
    return ServedService(title, {operation.name: operation for operation in operations}, unsupported)


CATALOG: Final[Mapping[str, ServedService]] = {
    "secretsmanager": _served("AWS Secrets Manager", secretsmanager.OPERATIONS, secretsmanager.UNSUPPORTED),
    "kms": _served("AWS Key Management Service", kms.OPERATIONS, kms.UNSUPPORTED),
    "iam": _served("AWS Identity and Access Management", iam.OPERATIONS, iam.UNSUPPORTED),
    "sts": _served("AWS Security Token Service", sts.OPERATIONS, sts.UNSUPPORTED),
    "lambda": _served("AWS Lambda", lambda_.OPERATIONS, lambda_.UNSUPPORTED),
    "cloudtrail": _served("AWS CloudTrail", cloudtrail.OPERATIONS, cloudtrail.UNSUPPORTED),
    "strongroom": _served("strongroom", strongroom.OPERATIONS, strongroom.UNSUPPORTED),
}
"""By the name botocore has for the service, or `wire/services` for the last."""

_PERMISSIONS_ONLY: Final = frozenset(
    {
        "iam:CreateServiceLinkedRole",
        "iam:PassRole",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "lambda:InvokeFunction",
        "secretsmanager:AcceptCrossAccountReplication",
        "sts:SetContext",
        "sts:SetSourceIdentity",
        "sts:TagSession",
    }
)
"""Actions that policies name and no operation is called."""


def known_actions(catalog: Mapping[str, ServedService]) -> frozenset[str]:
    """Return every action that a policy can mean, of operations this program does not do, too.

    What a wildcard in a Deny is spelled out to when one action is to be excepted.
    """
    served = {each.action for service in catalog.values() for each in service.operations.values()}
    named = {
        f"{name}:{operation}"
        for name, service in catalog.items()
        for operation in (*service.operations, *service.unsupported)
    }
    return frozenset(served - {""} | named | _PERMISSIONS_ONLY)
