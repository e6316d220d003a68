"""What whoever works on a run has read of its secret, from one step to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom.names import VersionId
from strongroom.secret.document import SecretDocument

__all__ = ["RunMemory"]


@dataclass(slots=True, repr=False)
class RunMemory:
    """Of one run, for as long as one thread works on it without a break; then it is forgotten.

    INVARIANT: the value of a version never changes, so what is known by a version's id stays true; which
    labels it has is not remembered. SECURITY: it spares repetitions and no decision: policies are asked at
    every step, whether the role may read the new value before each that uses it, and whether it may move the
    label in the last.
    """

    settings: Mapping[str, str] | None = None
    """What the secret's tags say of its rotation; None: nothing was read yet."""
    documents: dict[VersionId, SecretDocument] = field(default_factory=dict)
    made: VersionId | None = None
    """The version that createSecret has just given its value, which no step has used yet."""
