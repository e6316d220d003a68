"""What every cryptographic operation asks of its key and its request once policies allow it.

The order: the key is there, in a state to be used, of a usage that fits, and then the request's own members.
A dry run stops after all of that. Sources: fact sheet kms sections 3, 4 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from strongroom.crypto.context import encode_context
from strongroom.errors import (
    DryRunOperationException,
    InvalidKeyUsageException,
    ValidationException,
)
from strongroom.keys import states
from strongroom.keys.records import KmsKey
from strongroom.keys.specs import SYMMETRIC, algorithms
from strongroom.operations.call import AuthorizedCall, Target
from strongroom.operations.kms import messages
from strongroom.operations.kms.grants import verify_grant_tokens
from strongroom.operations.kms.resolution import present

MAXIMUM_CONTEXT_BYTES: Final = 8192


def usable_key(authorized: AuthorizedCall, target: Target, usage: str) -> KmsKey:
    """Return the target's key, which may be used for `usage` now.

    Raises:
        NotFoundException: there is no such key.
        DisabledException, KMSInvalidStateException: its state.
        InvalidKeyUsageException: it is for something else.
        InvalidGrantTokenException: a grant token this service does not give out.
    """
    key = present(target)
    states.verify_usable(key)
    if key.usage != usage:
        raise InvalidKeyUsageException(messages.wrong_usage(key.arn, key.usage, authorized.call.operation))
    verify_grant_tokens(authorized.request)
    return key


def verify_algorithm(key: KmsKey, algorithm: str) -> None:
    """Raises InvalidKeyUsageException for an algorithm that the key is not made for."""
    if algorithm not in algorithms(key.spec, key.usage):
        raise InvalidKeyUsageException(messages.incompatible_algorithm(algorithm, key.spec))


def verify_symmetric(key: KmsKey) -> None:
    """Raises InvalidKeyUsageException for a key that can wrap no data key."""
    if key.spec != SYMMETRIC:
        raise InvalidKeyUsageException(messages.NO_ASYMMETRIC_DATA_KEY)


def encryption_context(request: Mapping[str, Any], member: str, key: KmsKey) -> bytes:
    """Return the encryption context a request gives, encoded to be bound.

    Raises:
        ValidationException: it is over the limit, or the key is asymmetric and binds to none.
    """
    given = request.get(member) or {}
    if given and key.spec != SYMMETRIC:
        raise ValidationException(messages.NO_CONTEXT)
    context = encode_context(given)
    if len(context) > MAXIMUM_CONTEXT_BYTES:
        raise ValidationException(messages.CONTEXT_TOO_LARGE)
    return context


def stop_dry_run(request: Mapping[str, Any]) -> None:
    """Raises DryRunOperationException when the caller only wanted to know whether the call would succeed."""
    if request.get("DryRun"):
        raise DryRunOperationException(messages.DRY_RUN)
