"""HMAC (FIPS 198-1) under keys behind handles. Algorithms go by their names in KMS."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final, NoReturn, SupportsIndex

_DIGESTS: Final[Mapping[str, str]] = {
    "HMAC_SHA_224": "sha224",
    "HMAC_SHA_256": "sha256",
    "HMAC_SHA_384": "sha384",
    "HMAC_SHA_512": "sha512",
}


class MacKeyHandle:
    """A key of message authentication codes: no text form, no copy, no pickle, no comparison."""

    __slots__ = ("__key",)

    def __init__(self, key: bytes) -> None:
        self.__key = bytes(key)

    def mac(self, algorithm: str, message: bytes) -> bytes:
        """Return the whole code of `message`."""
        return hmac.digest(self.__key, message, _DIGESTS[algorithm])

    def is_mac(self, algorithm: str, message: bytes, mac: bytes) -> bool:
        """True when `mac` is the whole code of `message`; takes as long for any of its length."""
        return hmac.compare_digest(self.mac(algorithm, message), mac)

    def __repr__(self) -> str:
        return "<MacKeyHandle>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse pickle, copy and deepcopy, which all come through here."""
        raise TypeError("a MAC key cannot be copied or stored")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a MAC key cannot be copied or stored")
