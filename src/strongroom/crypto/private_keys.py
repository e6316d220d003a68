"""Private keys of RSA, elliptic curve, ML-DSA and ML-KEM pairs behind handles that can be used but not seen.

Key specs and algorithms go by their names in KMS. Random bytes (keys, PSS salts, ECDSA nonces, OAEP seeds)
are drawn by OpenSSL itself, which takes none from outside: the one place of this rung that is not repeatable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NoReturn, SupportsIndex, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from strongroom.crypto.aead import DOES_NOT_OPEN
from strongroom.errors import IntegrityError

DIGEST_BYTES: Final[Mapping[str, int]] = {"SHA_256": 32, "SHA_384": 48, "SHA_512": 64}
"""Length of a message of type DIGEST, by the end of the signing algorithm's name."""
EXTERNAL_MU_BYTES: Final = 64
RAW: Final = "RAW"
DIGEST: Final = "DIGEST"
EXTERNAL_MU: Final = "EXTERNAL_MU"

_PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
    | mlkem.MLKEM768PrivateKey
    | mlkem.MLKEM1024PrivateKey
)
_KINDS: Final = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    mldsa.MLDSA44PrivateKey,
    mldsa.MLDSA65PrivateKey,
    mldsa.MLDSA87PrivateKey,
    mlkem.MLKEM768PrivateKey,
    mlkem.MLKEM1024PrivateKey,
)
_ML_KEM: Final = (mlkem.MLKEM768PrivateKey, mlkem.MLKEM1024PrivateKey)
_ML_DSA: Final = (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)
_EXPONENT: Final = 65537
_GENERATORS: Final[Mapping[str, Callable[[], _PrivateKey]]] = {
    "RSA_2048": lambda: rsa.generate_private_key(_EXPONENT, 2048),
    "RSA_3072": lambda: rsa.generate_private_key(_EXPONENT, 3072),
    "RSA_4096": lambda: rsa.generate_private_key(_EXPONENT, 4096),
    "ECC_NIST_P256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ECC_NIST_P384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ECC_NIST_P521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ECC_SECG_P256K1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey.generate,
    "ML_DSA_44": mldsa.MLDSA44PrivateKey.generate,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey.generate,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey.generate,
    "ML_KEM_768": mlkem.MLKEM768PrivateKey.generate,
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey.generate,
}
PAIR_SPECS: Final = frozenset(_GENERATORS)
"""The key specs pairs are made of."""
_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "SHA_1": hashes.SHA1,
    "SHA_256": hashes.SHA256,
    "SHA_384": hashes.SHA384,
    "SHA_512": hashes.SHA512,
}


class PrivateKeyHandle:
    """A private key: no text form, no copy, no pickle, no comparison."""

    __slots__ = ("__key",)

    def __init__(self, key: _PrivateKey) -> None:
        self.__key = key

    @classmethod
    def generate(cls, spec: str) -> PrivateKeyHandle:
        """Return a new key of one of PAIR_SPECS. An RSA key takes up to seconds; other threads go on."""
        return cls(_GENERATORS[spec]())

    @classmethod
    def open(cls, pkcs8: bytes) -> PrivateKeyHandle:
        """Return the handle of a key that `pkcs8` gave and that was kept sealed.

        Raises:
            IntegrityError: it is no such key.
        """
        try:
            # The seal vouches for the numbers; checking them again takes as long as many signatures.
            key = load_der_private_key(pkcs8, None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise IntegrityError(DOES_NOT_OPEN) from None
        if not isinstance(key, _KINDS):
            raise IntegrityError(DOES_NOT_OPEN)
        return cls(key)

    def pkcs8(self) -> bytes:
        """Return the key itself, in DER, to be sealed at once or handed to whom it was made for."""
        return self.__key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def public_der(self) -> bytes:
        """Return the public key as a SubjectPublicKeyInfo (RFC 5280) in DER."""
        return self.__key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, algorithm: str, message: bytes, message_type: str) -> bytes:
        """Return the signature; ECDSA's in DER.

        The caller has checked that the key takes `algorithm`, and it `message_type` and the message's length.
        """
        key = self.__key
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, _rsa_padding(algorithm), _hash(algorithm, message_type))
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(message, ec.ECDSA(_hash(algorithm, message_type)))
        if isinstance(key, _ML_KEM):
            raise TypeError("not a signing key")
        if isinstance(key, _ML_DSA) and message_type == EXTERNAL_MU:
            return key.sign_mu(message)
        return key.sign(message)

    def is_signature(self, algorithm: str, message: bytes, message_type: str, signature: bytes) -> bool:
        """True when `sign` could have returned `signature`. The caller has checked what `sign` asks for."""
        key = self.__key
        try:
            if isinstance(key, rsa.RSAPrivateKey):
                scheme, hashed = _rsa_padding(algorithm), _hash(algorithm, message_type)
                key.public_key().verify(signature, message, scheme, hashed)
            elif isinstance(key, ec.EllipticCurvePrivateKey):
                key.public_key().verify(signature, message, ec.ECDSA(_hash(algorithm, message_type)))
            elif isinstance(key, _ML_KEM):
                raise TypeError("not a signing key")
            elif isinstance(key, _ML_DSA) and message_type == EXTERNAL_MU:
                key.public_key().verify_mu(signature, message)
            else:
                key.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def encrypt(self, algorithm: str, plaintext: bytes) -> bytes:
        """Return what `decrypt` gives `plaintext` back for (RSA, RSAES-OAEP)."""
        return self._rsa().public_key().encrypt(plaintext, _oaep(algorithm))

    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """Return what was encrypted under the public key (RSA, RSAES-OAEP).

        Raises:
            IntegrityError: another key or algorithm, or any byte changed.
        """
        try:
            return self._rsa().decrypt(ciphertext, _oaep(algorithm))
        except ValueError:
            raise IntegrityError(DOES_NOT_OPEN) from None

    def longest_plaintext(self, algorithm: str) -> int:
        """Return how many bytes `encrypt` takes (RFC 8017 section 7.1.1)."""
        return (
            self._rsa().key_size // 8 - 2 * _HASHES[algorithm.removeprefix("RSAES_OAEP_")]().digest_size - 2
        )

    def agree(self, peer_der: bytes) -> bytes:
        """Return the ECDH shared secret with the peer's public key (SubjectPublicKeyInfo in DER).

        Raises:
            ValueError: it is no public key on this key's curve.
        """
        key = self.__key
        try:
            peer = load_der_public_key(peer_der)
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("not a public key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(peer, ec.EllipticCurvePublicKey):
            raise ValueError("not a key on an elliptic curve")
        if peer.curve.name != key.curve.name:
            raise ValueError("another curve")
        return key.exchange(ec.ECDH(), peer)

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return a new shared secret and what `decapsulate` gives it back for (FIPS 203)."""
        secret, encapsulated = self._ml_kem().public_key().encapsulate()
        return secret, encapsulated

    def decapsulate(self, encapsulated: bytes) -> bytes:
        """Return the shared secret; another one, and no error, when it was made for another key or altered.

        Raises:
            IntegrityError: it has not the length that this kind of key makes.
        """
        try:
            return self._ml_kem().decapsulate(encapsulated)
        except ValueError:
            raise IntegrityError(DOES_NOT_OPEN) from None

    def _ml_kem(self) -> mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey:
        if not isinstance(self.__key, _ML_KEM):
            raise TypeError("not an ML-KEM key")
        return self.__key

    def _rsa(self) -> rsa.RSAPrivateKey:
        if not isinstance(self.__key, rsa.RSAPrivateKey):
            raise TypeError("not an RSA key")
        return self.__key

    def __repr__(self) -> str:
        return "<PrivateKeyHandle>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse pickle, copy and deepcopy, which all come through here."""
        raise TypeError("a private key cannot be copied or stored")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a private key cannot be copied or stored")


def message_bytes(algorithm: str, message_type: str) -> int | None:
    """Return how long a message of this type must be for `algorithm`; None: as long as it likes."""
    if message_type == EXTERNAL_MU:
        return EXTERNAL_MU_BYTES
    return DIGEST_BYTES[algorithm[-len("SHA_256") :]] if message_type == DIGEST else None


def _hash(algorithm: str, message_type: str) -> hashes.HashAlgorithm | Prehashed:
    hashed = _HASHES[algorithm[-len("SHA_256") :]]()
    return Prehashed(hashed) if message_type == DIGEST else hashed


def _rsa_padding(algorithm: str) -> padding.AsymmetricPadding:
    if algorithm.startswith("RSASSA_PKCS1"):
        return padding.PKCS1v15()
    hashed = _HASHES[algorithm[-len("SHA_256") :]]()
    return padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)


def _oaep(algorithm: str) -> padding.OAEP:
    hashed = _HASHES[algorithm.removeprefix("RSAES_OAEP_")]()
    return padding.OAEP(padding.MGF1(hashed), hashed, None)
