"""Code in a request: which forms are taken, and the slow work of checking and sealing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from strongroom.errors import InvalidParameterValueException
from strongroom.function.archive import unzipped_size
from strongroom.function.records import FunctionVersion
from strongroom.operations.call import AuthorizedCall, Call, Prepare
from strongroom.operations.lambda_ import messages
from strongroom.operations.lambda_.code import SealedCode, delete_code, seal_code
from strongroom.ports import FUNCTION_VERSIONS, ReadUnit, WriteUnit

__all__ = ["is_shared", "release_code", "requested_zip", "sealing"]

_ELSEWHERE = ("S3Bucket", "S3Key", "S3ObjectVersion", "S3ObjectStorageMode", "ImageUri", "SourceKMSKeyArn")


def requested_zip(code: Mapping[str, Any]) -> bytes:
    """Return the zip file of a request's code.

    Raises:
        InvalidParameterValueException: it is somewhere else, or nowhere.
    """
    elsewhere = [member for member in _ELSEWHERE if code.get(member)]
    zip_file: bytes | None = code.get("ZipFile")
    if elsewhere:
        raise InvalidParameterValueException(messages.ZIP_ONLY if zip_file is None else messages.ZIP_AND_MORE)
    if zip_file is None:
        raise InvalidParameterValueException(messages.NO_CODE)
    return zip_file


def sealing(code_of: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Prepare:
    """Return the slow work of an operation whose code stands where `code_of` says.

    It raises, on its thread:
        InvalidParameterValueException: see `function.archive.unzipped_size`.
    """

    def prepare(authorized: AuthorizedCall, unit: ReadUnit) -> Callable[[], SealedCode]:
        call = authorized.call
        zip_file = requested_zip(code_of(call.request))
        return lambda: _sealed(call, zip_file)

    return prepare


def _sealed(call: Call, zip_file: bytes) -> SealedCode:
    size = unzipped_size(zip_file)
    return seal_code(call.resources.root_key, call.resources.entropy, zip_file, size)


def is_shared(unit: ReadUnit, function: FunctionVersion) -> bool:
    """Say whether another version of the function has the same stored code."""
    versions = unit.scan(FUNCTION_VERSIONS, function.function_arn)
    return any(each.code_id == function.code_id and each.version != function.version for each in versions)


def release_code(unit: WriteUnit, function: FunctionVersion) -> None:
    """The code of a version that is no more is deleted, unless another version of the function has it."""
    versions = unit.scan(FUNCTION_VERSIONS, function.function_arn)
    if all(each.code_id != function.code_id for each in versions):
        delete_code(unit, function.code_id)
