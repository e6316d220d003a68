"""The AWS managed policies that concern what is served here. They are constants: nobody can change them.

Source: AWS managed policy reference; fact sheet iam section 12.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from strongroom.identity.records import ManagedPolicy
from strongroom.names import Arn

__all__ = ["AWS_ACCOUNT", "AWS_MANAGED"]

AWS_ACCOUNT: Final = "aws"
"""Stands for the account id in ARNs of AWS managed policies."""

_PUBLISHED: Final = dt.datetime(2015, 2, 6, tzinfo=dt.UTC)

AWS_MANAGED: Final[Mapping[Arn, ManagedPolicy]] = {}
"""By ARN."""
