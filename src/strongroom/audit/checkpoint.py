"""Signed checkpoints: what the trail's tree was at a moment, and how far each slot had come.

A checkpoint is a text in the form of C2SP's tlog-checkpoint and signed-note, signed with Ed25519. Layout:
docs/spec/trail.md, section 8.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "FIRST_PREVIOUS_NOTE",
    "MAX_NOTE_BYTES",
    "Checkpoint",
    "CheckpointError",
    "Head",
    "PublicKey",
    "SigningKey",
    "hash_note",
    "parse_note",
    "split_notes",
]

FIRST_PREVIOUS_NOTE: Final = bytes(32)
"""Stands for the hash of the checkpoint before the first."""
MAX_NOTE_BYTES: Final = 256 * 1024

_ED25519: Final = b"\x01"
_MARK: Final = "\N{EM DASH} "
_END = re.compile(rb"\n\n(\xe2\x80\x94 [^\n]*\n)")
_ORIGIN = re.compile(r"[A-Za-z0-9._/-]{1,128}")
_SLOT = re.compile(r"slot ([a-z0-9-]{1,64}) ([1-9][0-9]{0,17}) ([A-Za-z0-9+/]{43}=)")
_SIZE = re.compile(r"[1-9][0-9]{0,17}")
_MALFORMED: Final = "this is not a checkpoint as the program writes it"
_TIME_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


class CheckpointError(Exception):
    """A checkpoint, or a key, is not what it should be; the message says how."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a slot that a checkpoint covers."""

    number: int
    line: bytes
    """The SHA-256 of its line, which the next record names as its `prev`."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    origin: str
    """The tree's name: `strongroom-trail/` and 16 hex digits."""
    size: int
    """How many records the tree has."""
    root: bytes
    previous: bytes
    """`hash_note` of the checkpoint before."""
    at: dt.datetime
    """To the second."""
    heads: Mapping[str, Head]
    """By slot."""

    def text(self) -> str:
        """Return what is signed."""
        lines = [
            self.origin,
            str(self.size),
            _base64(self.root),
            f"previous {_base64(self.previous)}",
            f"time {self.at.astimezone(dt.UTC).strftime(_TIME_FORM)}",
        ]
        lines += [
            f"slot {slot} {head.number} {_base64(head.line)}" for slot, head in sorted(self.heads.items())
        ]
        return "\n".join(lines) + "\n"


class PublicKey:
    """A key that checkpoints are verified by. Its text form is C2SP's: name, key id, type and key."""

    __slots__ = ("_key", "key_id", "name", "raw")

    def __init__(self, name: str, raw: bytes) -> None:
        """Raises CheckpointError when it is no key's name, or no key."""
        if _ORIGIN.fullmatch(name) is None:
            raise CheckpointError("the key has no proper name")
        self.name = name
        self.raw = raw
        self.key_id = sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]
        try:
            self._key = Ed25519PublicKey.from_public_bytes(raw)
        except ValueError as exc:
            raise CheckpointError("the key is no Ed25519 key") from exc

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Return the key of a text form. Raises CheckpointError when it is none."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if raw[:1] != _ED25519 or len(raw) != 33:
            raise CheckpointError("a public key is written NAME+KEYID+KEY")
        key = cls(name, raw[1:])
        if key.key_id.hex() != key_id:
            raise CheckpointError("the public key's id does not belong to its name and bytes")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.raw)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and (self.name, self.raw) == (other.name, other.raw)

    def __hash__(self) -> int:
        return hash((self.name, self.raw))

    def verify_note(self, note: bytes) -> Checkpoint:
        """Return the checkpoint that `note` is, signed by this key.

        Raises:
            CheckpointError: it has another form, or this key has not signed it.
        """
        checkpoint, key_id, signature = _parse(note)
        if checkpoint.origin != self.name or key_id != self.key_id:
            raise CheckpointError("the checkpoint is signed by another key")
        try:
            self._key.verify(signature, checkpoint.text().encode())
        except InvalidSignature as exc:
            raise CheckpointError("the checkpoint's signature does not fit it") from exc
        return checkpoint

    def verify_text(self, note: bytes) -> str:
        """Return the text that `note`, of whatever kind, is signed for by this key.

        Raises:
            CheckpointError: it is no signed note, or this key has not signed it.
        """
        text, signer, signed = _open_note(note)
        if signer != self.name or text.partition("\n")[0] != self.name or signed[:4] != self.key_id:
            raise CheckpointError("the note is signed by another key")
        try:
            self._key.verify(signed[4:], text.encode())
        except InvalidSignature as exc:
            raise CheckpointError("the note's signature does not fit it") from exc
        return text


class SigningKey:
    """A key that checkpoints are signed with. No text form."""

    __slots__ = ("__key", "public")

    def __init__(self, name: str, seed: bytes) -> None:
        self.__key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(name, self.__key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return the signed note of a checkpoint that has this key's name as its origin."""
        return self.sign_text(checkpoint.text())

    def sign_text(self, text: str) -> bytes:
        """Return the signed note of a text whose first line is this key's name."""
        signed = self.public.key_id + self.__key.sign(text.encode())
        return _close_note(text, self.public.name, signed)

    def __repr__(self) -> str:
        return f"<SigningKey {self.public.name}>"


def hash_note(note: bytes) -> bytes:
    """Return what the next checkpoint names a signed one by."""
    return sha256(note).digest()


def parse_note(note: bytes) -> Checkpoint:
    """Return the checkpoint of a note without looking who signed it. Raises CheckpointError."""
    return _parse(note)[0]


def split_notes(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the notes that stand one behind another in `data`, and what is left without an end."""
    notes, start = [], 0
    while (end := _END.search(data, start)) is not None:
        notes.append(data[start : end.end()])
        start = end.end()
    return notes, data[start:]


def _parse(note: bytes) -> tuple[Checkpoint, bytes, bytes]:
    text, signer, signed = _open_note(note)
    try:
        checkpoint = _parse_text(text)
    except (ValueError, IndexError) as exc:
        raise CheckpointError(_MALFORMED) from exc
    if checkpoint.text() != text or signer != checkpoint.origin:
        raise CheckpointError(_MALFORMED)
    if sum(head.number for head in checkpoint.heads.values()) != checkpoint.size:
        raise CheckpointError("the slots of the checkpoint do not add up to its size")
    return checkpoint, signed[:4], signed[4:]


def _open_note(note: bytes) -> tuple[str, str, bytes]:
    """Return text, signer's name, and key id with signature; there is one way only to write them."""
    try:
        text, _, rest = note.decode().partition("\n\n" + _MARK)
        name, _, encoded = rest.removesuffix("\n").partition(" ")
        signed = base64.b64decode(encoded, validate=True)
    except ValueError as exc:
        raise CheckpointError(_MALFORMED) from exc
    if len(signed) != 68 or _close_note(text + "\n", name, signed) != note:
        raise CheckpointError(_MALFORMED)
    return text + "\n", name, signed


def _close_note(text: str, name: str, signed: bytes) -> bytes:
    return f"{text}\n{_MARK}{name} {_base64(signed)}\n".encode()


def _parse_text(text: str) -> Checkpoint:
    """Raises ValueError, IndexError; what it accepts too much, the caller finds by writing it again."""
    lines = text.split("\n")
    if _ORIGIN.fullmatch(lines[0]) is None or _SIZE.fullmatch(lines[1]) is None:
        raise ValueError("no checkpoint")
    heads = {}
    for line in lines[5:-1]:
        found = _SLOT.fullmatch(line)
        if found is None:
            raise ValueError("no slot")
        heads[found[1]] = Head(int(found[2]), _hash(found[3]))
    return Checkpoint(
        origin=lines[0],
        size=int(lines[1]),
        root=_hash(lines[2]),
        previous=_hash(lines[3].removeprefix("previous ")),
        at=dt.datetime.strptime(lines[4].removeprefix("time "), _TIME_FORM).replace(tzinfo=dt.UTC),
        heads=heads,
    )


def _hash(text: str) -> bytes:
    value = base64.b64decode(text, validate=True)
    if len(value) != 32:
        raise ValueError("no hash")
    return value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
