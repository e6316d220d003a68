"""Everything this program answers: services, their operations, and what it does not do, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.operations import iam, kms, secretsmanager, sts
from strongroom.operations.call import Operation

__all__ = ["CATALOG", "ServedService"]


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
}
"""By the name botocore has for the service."""
