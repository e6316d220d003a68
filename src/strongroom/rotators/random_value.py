"""Values that open nothing this server could change: signing keys, salts, tokens that others read.

`rotate` in the secret's JSON names the members that get a new random text, one name or a list of them;
absent, it is `password`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.ports import Entropy, Rotator
from strongroom.rotators.passwords import RehearsalEntropy, new_password
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, PasswordPolicy, RotationMaterial

__all__ = ["random_value"]

MEMBERS = "rotate"
NOT_NAMES = "rotate in the secret JSON must be the name of a member, or a list of names"


def random_value() -> Rotator:
    return _RandomValue()


@dataclass(frozen=True, slots=True)
class _RandomValue:
    engines = frozenset({"random"})
    strategies = frozenset({Strategy.SINGLE_USER})

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        return material.current.replaced(
            **{
                name: new_password(material.settings, PasswordPolicy(), entropy)
                for name in _members(material.current)
            }
        )

    def set(self, material: RotationMaterial) -> None:
        """Nothing: there is no target."""

    def test(self, material: RotationMaterial) -> None:
        """The pending version has all members that were to be changed, each with another value, unless it is
        a copy that is only tried."""
        pending = material.pending or SecretDocument({})
        for name in _members(material.current):
            if pending.text(name) == material.current.get(name) and not material.test_only:
                raise RotationFault(FaultKind.SECRET, f"{name} of the pending version is the current one")

    def finish(self, material: RotationMaterial) -> None:
        """Nothing."""

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        try:
            self.propose(material, RehearsalEntropy())
        except RotationFault as fault:
            return [CheckFinding("secret", fault.kind, fault.message)]
        names = ", ".join(_members(material.current))
        return [CheckFinding("value", None, f"new values can be made for: {names}")]


def _members(document: SecretDocument) -> Sequence[str]:
    named = document.get(MEMBERS, "password")
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
        raise RotationFault(FaultKind.SECRET, NOT_NAMES)
    if MEMBERS in names or "engine" in names:
        raise RotationFault(FaultKind.SECRET, NOT_NAMES)
    return names
