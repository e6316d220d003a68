"""Where functions reach the server they run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.server.homes import Home, home_of
from strongroom.server.settings import FurtherListener, Settings, Tls

PLAIN = FurtherListener(host="127.0.0.1", port=1)
CERTIFICATE, KEY, AUTHORITY = Path("c.pem"), Path("k.pem"), Path("ca.pem")
ENCRYPTED = FurtherListener(host="::", port=2, tls=Tls(CERTIFICATE, KEY))
MUTUAL = FurtherListener(host="127.0.0.1", port=3, tls=Tls(CERTIFICATE, KEY, AUTHORITY))
MARKED = FurtherListener(host="10.0.0.5", port=4, functions=True)


@pytest.mark.parametrize(
    ("tls", "further", "home"),
    [
        (None, (), Home("http://127.0.0.1:7780", None)),
        (None, (PLAIN,), Home("http://127.0.0.1:7780", None)),
        (Tls(CERTIFICATE, KEY), (PLAIN,), Home("https://127.0.0.1:7780", CERTIFICATE)),
        (MUTUAL.tls, (MUTUAL, ENCRYPTED, PLAIN), Home("https://[::1]:2", CERTIFICATE)),
        (MUTUAL.tls, (MUTUAL, PLAIN, ENCRYPTED), Home("http://127.0.0.1:1", None)),
        (None, (PLAIN, MARKED), Home("http://10.0.0.5:4", None)),
        (MUTUAL.tls, (MUTUAL,), None),
    ],
    ids=[
        "alone",
        "the first",
        "the first, encrypted",
        "the first that lets everybody connect",
        "whatever it speaks",
        "the one that is marked",
        "none",
    ],
)
def test_functions_are_given(
    tls: Tls | None, further: tuple[FurtherListener, ...], home: Home | None
) -> None:
    settings = Settings(data_dir=Path("/x"), host="0.0.0.0", tls=tls, further_listeners=further)  # noqa: S104
    assert home_of(settings) == home
