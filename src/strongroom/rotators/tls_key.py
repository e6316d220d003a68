"""TLS keys with their certificates: self-signed, or signed by the authority whose secret `masterarn` names.

Members: `privateKey` (PKCS #8) and `certificate` (PEM; with `caCertificate` when an authority signed it);
`commonName`, `subjectAltNames` (DNS names and addresses, a list), `validDays` (90), `keyType` (ecdsa or rsa).
The authority's secret has `certificate` and `privateKey`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.ports import Entropy, Rotator
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import CheckFinding, RotationMaterial

__all__ = ["tls_key"]

PRIVATE, CERTIFICATE, AUTHORITY = "privateKey", "certificate", "caCertificate"
DAYS, MOST_DAYS = 90, 3_650
BACKDATED = dt.timedelta(minutes=5)
"""For clocks that are slow."""
NO_AUTHORITY = "the authority's secret must hold a certificate and its privateKey, both in PEM"
NO_PAIR = "certificate and privateKey of the pending version do not belong together, or cannot be read"

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_KINDS: Mapping[str, Callable[[], _Key]] = {
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 3072),
}


def tls_key() -> Rotator:
    return _TlsKey(lambda: dt.datetime.now(dt.UTC))


@dataclass(frozen=True, slots=True)
class _TlsKey:
    now: Callable[[], dt.datetime]

    engines = frozenset({"tls-key"})
    strategies = frozenset({Strategy.SINGLE_USER})

    def propose(self, material: RotationMaterial, entropy: Entropy) -> SecretDocument:
        wish, authority = _Wish.of(material.current), _Authority.of(material)
        key = wish.make()
        certificate = _certificate(wish, key, authority, self.now())
        made = material.current.replaced(
            **{
                PRIVATE: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
                CERTIFICATE: certificate.public_bytes(Encoding.PEM).decode(),
            }
        )
        if authority is None:
            return made
        return made.replaced(**{AUTHORITY: authority.certificate.public_bytes(Encoding.PEM).decode()})

    def set(self, material: RotationMaterial) -> None:
        """Nothing: servers take the key from the secret."""

    def test(self, material: RotationMaterial) -> None:
        """The key is the certificate's, which is in force and signed by who was to sign it."""
        pending, authority = material.pending or SecretDocument({}), _Authority.of(material)
        try:
            certificate = x509.load_pem_x509_certificate(pending.text(CERTIFICATE).encode())
            private = load_pem_private_key(pending.text(PRIVATE).encode(), None)
            fits = _spki(private.public_key()) == _spki(certificate.public_key())
            certificate.verify_directly_issued_by(certificate if authority is None else authority.certificate)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise RotationFault(FaultKind.SECRET, NO_PAIR) from None
        if not fits:
            raise RotationFault(FaultKind.SECRET, NO_PAIR)
        if not certificate.not_valid_before_utc <= self.now() < certificate.not_valid_after_utc:
            raise RotationFault(FaultKind.SECRET, "the certificate of the pending version is not in force")

    def finish(self, material: RotationMaterial) -> None:
        """Nothing."""

    def check(self, material: RotationMaterial) -> Sequence[CheckFinding]:
        try:
            wish, authority = _Wish.of(material.current), _Authority.of(material)
            _certificate(wish, ec.generate_private_key(ec.SECP256R1()), authority, self.now())
        except RotationFault as fault:
            return [CheckFinding("secret", fault.kind, fault.message)]
        by = "itself" if authority is None else "the authority that masterarn names"
        return [CheckFinding("certificate", None, f"a new certificate can be made, signed by {by}")]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the certificate is to say."""

    name: str
    names: Sequence[x509.GeneralName]
    days: int
    make: Callable[[], _Key]

    @classmethod
    def of(cls, document: SecretDocument) -> _Wish:
        kind, days = document.text("keyType", "ecdsa"), document.text("validDays", str(DAYS))
        if kind not in _KINDS:
            raise RotationFault(FaultKind.SECRET, "keyType in the secret JSON must be ecdsa or rsa")
        if not days.isascii() or not days.isdigit() or not 1 <= int(days[:6]) <= MOST_DAYS:
            message = f"validDays in the secret JSON must be between 1 and {MOST_DAYS}"
            raise RotationFault(FaultKind.SECRET, message)
        name = document.text("commonName")
        if len(name) > 64:
            raise RotationFault(
                FaultKind.SECRET, "commonName in the secret JSON is longer than 64 characters"
            )
        listed = document.get("subjectAltNames", [])
        if not isinstance(listed, list) or not all(isinstance(each, str) and each for each in listed):
            raise RotationFault(
                FaultKind.SECRET, "subjectAltNames in the secret JSON must be a list of names"
            )
        return cls(name, [_general_name(each) for each in listed], int(days), _KINDS[kind])


@dataclass(frozen=True, slots=True, repr=False)
class _Authority:
    certificate: x509.Certificate
    key: _Key

    @classmethod
    def of(cls, material: RotationMaterial) -> _Authority | None:
        """Return who signs; None: the key itself. Raises RotationFault when the secret does not hold one."""
        if material.admin is None:
            return None
        try:
            certificate = x509.load_pem_x509_certificate(material.admin.text(CERTIFICATE).encode())
            key = load_pem_private_key(material.admin.text(PRIVATE).encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise RotationFault(FaultKind.SECRET, NO_AUTHORITY) from None
        if not isinstance(key, _Key) or _spki(key.public_key()) != _spki(certificate.public_key()):
            raise RotationFault(FaultKind.SECRET, NO_AUTHORITY)
        return cls(certificate, key)


def _certificate(wish: _Wish, key: _Key, authority: _Authority | None, now: dt.datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wish.name)])
    until = now + dt.timedelta(days=wish.days)
    if authority is not None:
        # A certificate that outlives its authority's would fail without a warning.
        until = min(until, authority.certificate.not_valid_after_utc)
        if until <= now:
            raise RotationFault(FaultKind.SECRET, "the authority's certificate is not in force any more")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority is None else authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
    )
    if wish.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(wish.names), critical=False)
    return builder.sign(key if authority is None else authority.key, hashes.SHA256())


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return x509.DNSName(text)
    except ValueError:
        message = "subjectAltNames in the secret JSON holds what is neither a DNS name nor an address"
        raise RotationFault(FaultKind.SECRET, message) from None


def _spki(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise TypeError(NO_PAIR)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
