"""Holds for all tiers: what is tested depends on neither the person's environment nor the machine's speed."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

OF_THE_TESTS = {"STRONGROOM_CRASH_ROUNDS", "STRONGROOM_VENV"}
LENT_TO_THE_TESTS = "STRONGROOM_TEST_"
"""Where servers are that someone lends to the tests."""

# Someone who has pasted the exports of a server of their own must not have it tested, or written to.
for name in list(os.environ):
    if name.startswith(LENT_TO_THE_TESTS) or name in OF_THE_TESTS:
        continue
    if name.startswith(("AWS_", "STRONGROOM_")):
        del os.environ[name]

# A busy machine makes an example late, not wrong.
settings.register_profile("strongroom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("strongroom")
