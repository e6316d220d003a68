"""`strongroom` with one more engine to rotate: `support.drawer`. Run as a program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"
SINGLE_USER, ALTERNATING_USERS = (
    f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:SecretsManagerDrawerRotation{kind}"
    for kind in ("SingleUser", "MultiUser")
)
"""Stand for its rotator, as AWS's template names do for others."""

PROGRAM = (sys.executable, str(Path(__file__).resolve()))
"""For `support.running.start`."""


@contextmanager
def rotating(directory: Path, *arguments: str) -> Iterator[Any]:
    """Run it on a directory, which is made with ACCOUNT as its account when it is new."""
    from support.running import running

    places = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
    kept = directory / "credentials.json"
    if not kept.exists():
        init = [*PROGRAM, "init", *places, "--account", ACCOUNT, "--json"]
        kept.write_text(subprocess.run(init, check=True, capture_output=True, text=True).stdout)
    made = json.loads(kept.read_text())
    with running([*places, *arguments], directory / "log", program=PROGRAM) as server:
        server.access_key_id = made["access_key_id"]
        server.secret_access_key = made["secret_access_key"]
        yield server


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from strongroom.cli import main
    from strongroom.rotators import registry
    from strongroom.secret.document import Strategy
    from strongroom.server import rotation

    if "--metrics-port" in sys.argv:
        # A test that looks at metrics has not got the time that Prometheus has.
        rotation.COUNT_SECONDS = 0.2
    registry.BUILT_IN = {**registry.BUILT_IN, "drawer": "support.drawer:make"}
    registry.TEMPLATES = {
        **registry.TEMPLATES,
        SINGLE_USER.split(":")[6]: ("drawer", Strategy.SINGLE_USER),
        ALTERNATING_USERS.split(":")[6]: ("drawer", Strategy.ALTERNATING_USERS),
    }
    main()
