"""Where things are by default, and what is never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strongroom.server.settings import Settings, default_data_dir, default_workers


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("/srv/data", "/srv/data/strongroom"),
        ("", "/home/x/.local/share/strongroom"),
        ("relative", "/home/x/.local/share/strongroom"),
    ],
)
def test_the_data_directory_follows_the_users_configuration(
    monkeypatch: pytest.MonkeyPatch, configured: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.setenv("XDG_DATA_HOME", configured)
    assert default_data_dir() == Path(expected)


def test_there_are_as_many_workers_as_processors_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 6}, raising=False)
    assert default_workers() == 3


def test_a_given_access_key_is_not_shown() -> None:
    settings = Settings(data_dir=Path("/x"), access_key=("AKIAEXAMPLE", "canary-secret"))
    assert "canary" not in repr(settings)
    assert "AKIAEXAMPLE" not in repr(settings)
