"""What a rotator is given, what it asks of passwords, and what a dry run finds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.secret.document import FaultKind, SecretDocument, Strategy

__all__ = ["CheckFinding", "PasswordPolicy", "RotationMaterial"]


@dataclass(frozen=True, slots=True, repr=False)
class RotationMaterial:
    """The documents of one rotation, as far as they exist at its step. Prints none of them."""

    secret_arn: str
    version_id: str
    """The version being made: the same for every attempt, so a rotator may derive names from it."""
    current: SecretDocument
    strategy: Strategy
    pending: SecretDocument | None = None
    """None before createSecret has stored it."""
    previous: SecretDocument | None = None
    abandoned: Sequence[SecretDocument] = ()
    """What earlier rotations may have given the target before they were given up
    (`staging.with_abandoned`)."""
    admin: SecretDocument | None = None
    """The superuser secret that `masterarn` names; None when there is none."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """PASSWORD_LENGTH, EXCLUDE_CHARACTERS, … as the official templates' environment has them."""
    attempt_seconds: float = 30.0
    """How long one step may take in all."""
    test_only: bool = False
    """The pending version is a copy of the current one, which is tried under another id (RotateImmediately
    false)."""
    untried: bool = False
    """In setSecret: the pending value was made a moment ago, and nobody has given it to the target yet."""


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What passwords a target takes. `settings` of the material come before it."""

    length: int = 32
    exclude_characters: str = ""


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One thing a dry run looked at."""

    subject: str
    """`connection`, `login`, `privileges`, `user name`, `password`, …"""
    fault: FaultKind | None
    """None: it is as it has to be."""
    message: str
    """For a person; what to mend, when there is a fault."""
