"""By what a secret is rotated: a stored function, or a rotator of this server's own.

Source: fact sheet rotation sections 6, 7, 9 and 11; DESIGN section 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.names import Arn, parse_arn
from strongroom.operations.call import Resources
from strongroom.operations.lambda_.policies import function_of
from strongroom.ports import ReadUnit, Rotator
from strongroom.secret.document import SecretDocument, Strategy
from strongroom.secret.records import Secret
from strongroom.secret.rotation import ADMIN

__all__ = ["ByFunction", "ByRotator", "rotator_of", "settings_of", "way_of"]


_SETTING_TAG: Final = "strongroom:rotation:"
"""Begins tags that say what the official templates' environment says: PASSWORD_LENGTH and so on."""


@dataclass(frozen=True, slots=True)
class ByFunction:
    arn: Arn


@dataclass(frozen=True, slots=True)
class ByRotator:
    rotator: Rotator
    strategy: Strategy
    name: str
    """The engine, or the template's name."""


def settings_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return a rotator's settings, which a secret has as tags."""
    return {
        key.removeprefix(_SETTING_TAG): value for key, value in tags.items() if key.startswith(_SETTING_TAG)
    }


def way_of(unit: ReadUnit, resources: Resources, secret: Secret) -> ByFunction | ByRotator | None:
    """Return by what the secret is rotated as far as its function's ARN says; None: its value has to say.

    One of AWS's template names stands for a rotator unless there is a function of that name.
    """
    arn = None if secret.rotation is None else secret.rotation.function_arn
    if arn is None:
        return None
    parsed = parse_arn(arn)
    if resources.rotators is not None and parsed is not None and function_of(unit, arn) is None:
        name = parsed.resource.split(":")[1]
        known = resources.rotators.named(name)
        if known is not None:
            return ByRotator(*known, name)
    return ByFunction(arn)


def rotator_of(resources: Resources, document: SecretDocument) -> ByRotator | None:
    """Return the rotator for a secret with this value; None when there is none for its `engine`.

    With `masterarn` in the value two users take turns, where the engine has users.
    """
    engine = document.get("engine")
    if resources.rotators is None or not isinstance(engine, str):
        return None
    rotator = resources.rotators.find(engine)
    if rotator is None:
        return None
    wanted = Strategy.ALTERNATING_USERS if document.get(ADMIN) else Strategy.SINGLE_USER
    return ByRotator(rotator, wanted if wanted in rotator.strategies else Strategy.SINGLE_USER, engine)
