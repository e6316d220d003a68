"""SSH key pairs: `privateKey` in OpenSSH's format, `publicKey` as a line of authorized_keys.

Hosts take the public key from the secret. `previousPublicKey` stays for one rotation, so that a host that has
both lets in who still holds the old private key. `keyType` is ed25519 (the default), ecdsa or rsa.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)

from strongroom.ports import Entropy, Rotator
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial

__all__ = ["ssh_key"]

PRIVATE, PUBLIC, PREVIOUS = "privateKey", "publicKey", "previousPublicKey"
RSA_BITS = 4096
NO_PAIR = "privateKey and publicKey of the pending version do not belong together"

_Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_KINDS: Mapping[str, Callable[[], _Key]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, RSA_BITS),
}


def ssh_key() -> Rotator:
    return _SshKey()


@dataclass(frozen=True, slots=True)
class _SshKey:
    engines = frozenset({"ssh-key"})
    strategies = frozenset({Strategy.SINGLE_USER})

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        current = material.current
        key = _kind(current)()
        comment = current.text("comment", "")
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        made = current.replaced(
            **{
                PRIVATE: key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
                PUBLIC: f"{public} {comment}".strip(),
            }
        )
        previous = current.text(PUBLIC, "")
        return made.replaced(**{PREVIOUS: previous}) if previous else made

    def set(self, material: RotationMaterial) -> None:
        """Nothing: hosts take the key from the secret."""

    def test(self, material: RotationMaterial) -> None:
        """What the private key has signed, the public one verifies."""
        pending = material.pending or SecretDocument({})
        try:
            private = load_ssh_private_key(pending.text(PRIVATE).encode(), None)
            public = load_ssh_public_key(pending.text(PUBLIC).encode())
            _sign_and_verify(private, public)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise RotationFault(FaultKind.SECRET, NO_PAIR) from None

    def finish(self, material: RotationMaterial) -> None:
        """Nothing."""

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        try:
            _kind(material.current)
            _ = material.current.text("comment", "")
        except RotationFault as fault:
            return [CheckFinding("secret", fault.kind, fault.message)]
        return [CheckFinding("key", None, "a new key pair can be made")]


def _kind(document: SecretDocument) -> Callable[[], _Key]:
    kind = document.text("keyType", "ed25519")
    if kind not in _KINDS:
        raise RotationFault(
            FaultKind.SECRET, f"keyType in the secret JSON must be one of: {', '.join(_KINDS)}"
        )
    return _KINDS[kind]


def _sign_and_verify(private: object, public: object) -> None:
    message = b"strongroom"
    if isinstance(private, ed25519.Ed25519PrivateKey) and isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(private.sign(message), message)
    elif isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(private.sign(message, ec.ECDSA(hashes.SHA256())), message, ec.ECDSA(hashes.SHA256()))
    elif isinstance(private, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey):
        signature = private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise TypeError(NO_PAIR)
