"""What metrics tell of rotations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from strongroom.operations.secretsmanager.rotation_view import Counts
from strongroom.server.metering import Family, Sample

__all__ = ["rotation_families"]


def rotation_families(found: Counts, failures: Mapping[str, int], now: dt.datetime) -> list[Family]:
    """Return the families: `found` as the store had it at `now`, `failures` as this process counted them."""
    age = 0.0 if found.oldest_at is None else (now - found.oldest_at).total_seconds()
    gauges = (
        ("secrets", "Secrets that rotate by themselves, or whose rotation is under way.", found.rotating),
        ("due", "Secrets whose turn to be rotated has come, and that are not begun yet.", found.due),
        ("running", "Secrets that are being rotated.", found.running),
        ("failed", "Secrets whose last attempt at a rotation has failed.", found.failed),
        ("overdue", "Secrets whose NextRotationDate has passed.", found.overdue),
        (
            "oldest_credential_age_seconds",
            "How long the oldest current value of a secret that rotates has been in use.",
            age,
        ),
    )
    families = [
        Family(f"strongroom_rotation_{name}", "gauge", told, [Sample("", {}, float(value))])
        for name, told, value in gauges
    ]
    counted = [Sample("_total", {"kind": kind}, float(count)) for kind, count in failures.items()]
    told = "Attempts at rotations that failed, by what stood in the way."
    return [*families, Family("strongroom_rotation_failures", "counter", told, counted)]
