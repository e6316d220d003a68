"""A server with two accounts side by side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.running import STRONGROOM, Server, running


@dataclass
class TwoAccounts:
    """A server, its first account's credentials in it, and those of a second account's root user."""

    server: Server
    other_account_id: str
    other_credentials: tuple[str, str]

    def client(self, service: str, **options: Any) -> Any:
        return self.server.client(service, **options)

    def other_client(self, service: str, **options: Any) -> Any:
        return self.server.client(service, credentials=self.other_credentials, **options)


@contextmanager
def two_accounts(directory: Path) -> Iterator[TwoAccounts]:
    """Run a server on a data directory of its own and make a second account while it serves."""
    place = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
    with running([*place, "--workers", "2"], directory / "log") as server:
        made = subprocess.run(
            [STRONGROOM, "account", "create", "--json", *place], capture_output=True, text=True, check=True
        )
        account = json.loads(made.stdout)
        credentials = (account["access_key_id"], account["secret_access_key"])
        yield TwoAccounts(server, account["account_id"], credentials)
