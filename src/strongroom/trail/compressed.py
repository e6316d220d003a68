"""The compressed form of a segment: one zstandard frame, then a seal over it (docs/spec/trail.md, section 9).

The seal is a skippable frame with the SHA-256 of the bytes before it, so any tool that reads zstandard reads
the file, and a byte altered anywhere in it is seen even where the records come out the same.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

from strongroom.errors import IntegrityError

__all__ = ["CompressedWriter", "open_compressed"]

_SEAL_OPENING: Final = b"\x50\x2a\x4d\x18\x20\x00\x00\x00"
"""The magic number of a skippable frame, and its length."""
SEAL_BYTES: Final = len(_SEAL_OPENING) + 32
READ_BYTES: Final = 128 * 1024
LEVEL: Final = 3
"""A seventh of the size at some 250 MB/s; higher ones find no more, as most of what is left are hashes."""
MAX_WINDOW_BYTES: Final = 128 * 1024 * 1024


def open_compressed(path: Path) -> BinaryIO:
    """Return what gives the records' bytes, to be read from the beginning on.

    Reading raises IntegrityError where the file is not as it was written; at its end at the latest.

    Raises:
        OSError: it cannot be opened.
    """
    return io.BufferedReader(_Opened(path), READ_BYTES)


class _Sealed:
    """The bytes before the seal, each hashed as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = max(0, file.seek(0, io.SEEK_END) - SEAL_BYTES)
        self._hash = hashlib.sha256()
        self._holds: bool | None = None
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self._hash.update(data)
        return data

    def holds(self) -> bool:
        """True when the seal belongs to the bytes before it. Reads what is left."""
        if self._holds is None:
            while self.read(READ_BYTES):
                pass
            self._holds = self._file.read() == _format_seal(self._hash.digest())
        return self._holds


class _Opened(io.RawIOBase):
    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._file = path.open("rb")
        self._sealed = _Sealed(self._file)
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._records = decompressor.stream_reader(
            self._sealed,  # type: ignore[arg-type]  # nothing but read() is called
            read_size=READ_BYTES,
            read_across_frames=False,
            closefd=False,
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: any buffer
        try:
            count = self._records.readinto(buffer)
        except zstandard.ZstdError as exc:
            raise IntegrityError(f"the compressed audit segment {self._name} cannot be read: {exc}") from exc
        if count == 0 and len(buffer) and not self._sealed.holds():
            raise IntegrityError(f"the compressed audit segment {self._name} is not as it was written")
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


class CompressedWriter:
    """Writes a compressed segment, piece by piece."""

    def __init__(self, path: Path, size: int) -> None:
        """Begin the file anew; `size` is how many bytes of records will be written to it.

        Raises:
            OSError: it cannot be written.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._file = os.fdopen(os.open(path, flags, 0o600), "wb")
        self._hash = hashlib.sha256()
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj(size=size)

    def write(self, data: bytes) -> None:
        """Raises OSError when it cannot be written."""
        self._put(self._compressor.compress(data))

    def finish(self) -> None:
        """The file is whole, on disk and closed. Raises OSError when that cannot be said."""
        self._put(self._compressor.flush())
        self._file.write(_format_seal(self._hash.digest()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Nothing more is written. What was, may lack its end."""
        self._file.close()

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)


def _format_seal(digest: bytes) -> bytes:
    """Return the seal over bytes with that SHA-256."""
    return _SEAL_OPENING + digest
