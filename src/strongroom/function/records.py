"""The stored form of Lambda: functions, their versions, aliases and policies, layers, and code.

Code and environment variables stand here sealed only (DESIGN promise 6).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

import msgspec

from strongroom.names import AccountId, Arn, Region

LATEST: Final = "$LATEST"
"""The version that changes; published ones are numbered from 1 and never change."""


class Function(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name in an account and region, and what all its versions share."""

    account_id: AccountId
    region: Region
    name: str
    arn: Arn
    """Without a qualifier."""
    created_at: dt.datetime
    tags: Mapping[str, str] = {}
    next_version: int = 1
    """The number of the version published next; never given twice."""


class FunctionVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is run: the configuration and code of one version."""

    function_arn: Arn
    """Without a qualifier."""
    account_id: AccountId
    region: Region
    function_name: str
    version: str
    """`$LATEST`, or a number."""
    runtime: str
    role_arn: Arn
    handler: str
    code_id: str
    code_sha256: str
    """Base64 of the SHA-256 of the zip file."""
    code_size: int
    unzipped_size: int
    modified_at: dt.datetime
    revision_id: str
    description: str = ""
    timeout_seconds: int = 3
    memory_mb: int = 128
    ephemeral_mb: int = 512
    sealed_environment: bytes | None = None
    """JSON of the function's own variables, sealed by the root key; None: it has none."""
    layers: tuple[Arn, ...] = ()
    """ARNs of layer versions, in the order they are unpacked."""
    architecture: str = "x86_64"
    tracing: str = "PassThrough"
    logging: Mapping[str, str] = {}
    """LoggingConfig as it was given; kept and shown."""

    @property
    def qualified_arn(self) -> Arn:
        return Arn(f"{self.function_arn}:{self.version}")


class FunctionAlias(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name for a version."""

    function_arn: Arn
    name: str
    version: str
    revision_id: str
    description: str = ""

    @property
    def arn(self) -> Arn:
        return Arn(f"{self.function_arn}:{self.name}")


class FunctionPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The resource policy of a function, or of one of its versions or aliases."""

    function_arn: Arn
    qualifier: str
    """`$LATEST` for the function itself."""
    document: str
    """What is evaluated: users and roles are named by their unique ids."""
    revision_id: str
    written: str | None = None
    """As it is shown, where that differs."""


class Layer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    account_id: AccountId
    region: Region
    name: str
    arn: Arn
    next_version: int = 1
    """Never given twice."""


class LayerVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    layer_arn: Arn
    version: int
    code_id: str
    code_sha256: str
    code_size: int
    unzipped_size: int
    created_at: dt.datetime
    description: str = ""
    license: str = ""
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    deleted: bool = False
    """No longer to be seen or given to a function; functions that have it keep it."""

    @property
    def arn(self) -> Arn:
        return Arn(f"{self.layer_arn}:{self.version}")


class StoredCode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A zip file, sealed in parts under a data key of its own."""

    code_id: str
    sealed_key: bytes
    """The data key, sealed by the root key."""
    parts: int


class CodePart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    code_id: str
    number: int
    """From 0."""
    sealed: bytes
