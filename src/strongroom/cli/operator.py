"""Records of what somebody did to a data directory on the machine itself, past the API."""

from __future__ import annotations

import os
import pwd
import uuid
from collections.abc import Mapping
from typing import Any, Final

from strongroom.audit.event import service_event
from strongroom.ports import Clock, Entropy

__all__ = ["operator_event"]

GLOBAL_REGION: Final = "us-east-1"
SOURCE: Final = "strongroom"


def operator_event(
    name: str, account_id: str, request: Mapping[str, Any], clock: Clock, entropy: Entropy
) -> bytes:
    """Return the record of a command that changed the account, to be saved with the change itself.

    Who ran it is whom the operating system knows; there is no principal.
    """
    user_id = os.geteuid()
    try:
        user_name = pwd.getpwuid(user_id).pw_name
    except KeyError:
        # A user of a container that the container does not know.
        user_name = str(user_id)
    return service_event(
        name=name,
        account_id=account_id,
        region=GLOBAL_REGION,
        at=clock.now(),
        event_id=_uuid(entropy),
        request_id=_uuid(entropy),
        source=SOURCE,
        user_identity={
            "type": "LocalOperator",
            "principalId": f"uid:{user_id}",
            "accountId": account_id,
            "userName": user_name,
        },
        request_parameters=request,
    )


def _uuid(entropy: Entropy) -> str:
    return str(uuid.UUID(bytes=entropy.token_bytes(16), version=4))
