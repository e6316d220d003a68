"""Two accounts on one running server; the second is made while the server runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.running import STRONGROOM, Server, running

SECOND_ACCOUNT = "222222222222"


@dataclass
class Tenant:
    """An account by its root user."""

    server: Server
    account_id: str
    credentials: tuple[str, str] = field(repr=False)

    def client(self, service: str = "secretsmanager", **options: Any) -> Any:
        return self.server.client(service, credentials=self.credentials, **options)

    @property
    def root(self) -> str:
        return f"arn:aws:iam::{self.account_id}:root"


def account_create(data_dir: Path, root_key: Path, *arguments: str) -> dict[str, str]:
    """Run `strongroom account create` on a directory, which may be served meanwhile; return what it prints."""
    run = subprocess.run(
        [
            STRONGROOM,
            "account",
            "create",
            *arguments,
            "--json",
            "--data-dir",
            str(data_dir),
            "--root-key",
            f"file:{root_key}",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    made: dict[str, str] = json.loads(run.stdout)
    return made


@contextmanager
def two_accounts(directory: Path) -> Iterator[tuple[Tenant, Tenant]]:
    """Run a server with two workers in `directory` and give both its accounts."""
    data_dir, root_key = directory / "data", directory / "root.key"
    arguments = ["--data-dir", str(data_dir), "--root-key", f"file:{root_key}", "--workers", "2"]
    with running(arguments, directory / "log") as server:
        made = account_create(data_dir, root_key, SECOND_ACCOUNT)
        own = (server.access_key_id, server.secret_access_key)
        account_id = server.client("sts").get_caller_identity()["Account"]
        assert made["account_id"] == SECOND_ACCOUNT
        yield (
            Tenant(server, account_id, own),
            Tenant(server, SECOND_ACCOUNT, (made["access_key_id"], made["secret_access_key"])),
        )
