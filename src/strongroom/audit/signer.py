"""The stored form of what signs a trail, and of what it has signed last."""

from __future__ import annotations

import msgspec

__all__ = ["TrailSigner"]


class TrailSigner(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """The origin of its checkpoints."""
    public_key: bytes
    sealed: bytes
    """The 32 bytes of the Ed25519 seed, sealed by the root key."""
    newest: bytes = b""
    """The last checkpoint it signed whose records are in the leaf log; empty before the first."""
    tree: tuple[bytes, ...] = ()
    """`CompactTree.hashes` at that checkpoint."""
