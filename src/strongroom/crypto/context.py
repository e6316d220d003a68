"""The canonical bytes of an encryption context: what AES-GCM binds a ciphertext to.

Equal contexts give equal bytes whatever the order they were written in, different ones different bytes.
Layout: docs/spec/envelope.md section 4. Source: fact sheet kms section 7.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

_U32: Final = struct.Struct(">I")


def encode_context(context: Mapping[str, str]) -> bytes:
    """Return the count of pairs, then each key and value with its length, sorted by the bytes of the key.

    Everything that binds to a context takes these bytes, so that a call encodes it once. Strings are UTF-8;
    a lone surrogate, which JSON lets a client send, is encoded as if it were a character.
    """
    length = _U32.pack
    fields = [length(len(context))]
    # Code points sort as their UTF-8 bytes do.
    for key in sorted(context):
        name = key.encode("utf-8", "surrogatepass")
        value = context[key].encode("utf-8", "surrogatepass")
        fields += (length(len(name)), name, length(len(value)), value)
    return b"".join(fields)
