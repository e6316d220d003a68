"""What Lambda says when it refuses. Where no source is named, the texts are AWS's as LocalStack has recorded
them (its Lambda snapshot tests)."""

from __future__ import annotations

from typing import Final

ROLE_NOT_ASSUMABLE: Final = "The role defined for the function cannot be assumed by Lambda."


def no_function(arn: str) -> str:
    return f"Function not found: {arn}"


def no_layer_version(arn: str) -> str:
    return f"Layer version {arn} does not exist."
