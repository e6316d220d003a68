"""Zip files of code: what may be taken at all. Pure.

Source: Lambda developer guide, "Lambda quotas" (50 MB zipped, 250 MB unzipped).
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import Final

from strongroom.errors import InvalidParameterValueException

__all__ = ["MAXIMUM_UNZIPPED", "MAXIMUM_ZIPPED", "unzipped_size"]

MAXIMUM_ZIPPED: Final = 52_428_800
MAXIMUM_UNZIPPED: Final = 262_144_000
MAXIMUM_ENTRIES: Final = 20_000
_MAXIMUM_DIRECTORY: Final = 8 * 1024 * 1024
"""Bytes of the zip file's own table of contents."""
_PIECE: Final = 1 << 20

# AWS's, as LocalStack has recorded them.
CANNOT_UNZIP: Final = "Could not unzip uploaded file. Please check your file, then try to upload again."
TOO_LARGE_UNZIPPED: Final = f"Unzipped size must be smaller than {MAXIMUM_UNZIPPED} bytes"
# Ours.
TOO_LARGE_ZIPPED: Final = f"The zip file must not be larger than {MAXIMUM_ZIPPED} bytes."
TOO_MANY_ENTRIES: Final = f"The zip file must not hold more than {MAXIMUM_ENTRIES} files and directories."
EMPTY: Final = "Uploaded file must be a non-empty zip"

_ENTRY: Final = b"PK\x01\x02"
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_LONGEST_COMMENT: Final = 65_535
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 1
_DRIVE: Final = re.compile("[A-Za-z]:")


def unsafe_entry(name: str) -> str:
    return f"The zip file holds an entry that may not be unpacked: {name[:200]!r}"


def unzipped_size(zip_file: bytes) -> int:
    """Return how many bytes the files in it have, after unpacking every one of them.

    Raises:
        InvalidParameterValueException: it is no zip file, damaged, or too large, packed or unpacked; or an
            entry is a link or device, is there twice, or has a name that leads elsewhere.
    """
    if not zip_file:
        raise InvalidParameterValueException(EMPTY)
    if len(zip_file) > MAXIMUM_ZIPPED:
        raise InvalidParameterValueException(TOO_LARGE_ZIPPED)
    _verify_directory(zip_file)
    try:
        with zipfile.ZipFile(io.BytesIO(zip_file)) as archive:
            entries = archive.infolist()
            _verify_entries(entries)
            size = sum(entry.file_size for entry in entries)
            if size > MAXIMUM_UNZIPPED:
                raise InvalidParameterValueException(TOO_LARGE_UNZIPPED)
            for entry in entries:
                _verify_content(archive, entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise InvalidParameterValueException(CANNOT_UNZIP) from error
    return size


def _verify_directory(zip_file: bytes) -> None:
    """The table of contents is small enough to be read: nothing has been unpacked yet."""
    at = zip_file.rfind(_END, max(len(zip_file) - _END_BYTES - _LONGEST_COMMENT, 0))
    if at < 0 or at + _END_BYTES > len(zip_file):
        raise InvalidParameterValueException(CANNOT_UNZIP)
    (directory_bytes,) = struct.unpack_from("<I", zip_file, at + 12)
    # SECURITY: that size may be another's: where there is a 64-bit end record, that one counts. No entry is
    # read without its mark, of which some may stand in the files themselves.
    if directory_bytes > _MAXIMUM_DIRECTORY or _marks(zip_file) > 2 * MAXIMUM_ENTRIES:
        raise InvalidParameterValueException(TOO_MANY_ENTRIES)


def _marks(zip_file: bytes) -> int:
    """Return how often the mark of an entry stands in it. In pieces: counting keeps other threads waiting."""
    more = len(_ENTRY) - 1
    return sum(zip_file.count(_ENTRY, at, at + _PIECE + more) for at in range(0, len(zip_file), _PIECE))


def _verify_entries(entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > MAXIMUM_ENTRIES:
        raise InvalidParameterValueException(TOO_MANY_ENTRIES)
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename.rstrip("/")
        if name in seen or not _is_safe(entry, name):
            raise InvalidParameterValueException(unsafe_entry(entry.orig_filename))
        seen.add(name)


def _is_safe(entry: zipfile.ZipInfo, name: str) -> bool:
    """True for a plain file or directory below the place it is unpacked at."""
    # SECURITY: the name as it stands in the file; `filename` is cut at a NUL.
    sent = entry.orig_filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return (
        bool(name)
        and "\0" not in sent
        and "\\" not in sent
        and not sent.startswith("/")
        and _DRIVE.match(sent) is None
        and not {"..", ".", ""}.intersection(name.split("/"))
        and kind in (0, stat.S_IFREG, stat.S_IFDIR)
        and entry.compress_type in _METHODS
        and not entry.flag_bits & _ENCRYPTED
    )


def _verify_content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """What is unpacked is what the table of contents says; never more than that is unpacked."""
    with archive.open(entry) as content:
        while content.read(_PIECE):
            pass
