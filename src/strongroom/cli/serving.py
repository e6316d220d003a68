"""`strongroom serve`."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import typer

from strongroom.cli.exits import Exit
from strongroom.operations.iam.bootstrap import NewAccount
from strongroom.server.opening import open_room
from strongroom.server.settings import FurtherListener, Settings
from strongroom.server.supervisor import AddressError, free_address, supervise
from strongroom.server.world import SystemClock, SystemEntropy

__all__ = ["serve_room"]

_LOST = (
    "The database is older than the audit trail, which tells of {} writes that are not in it: it was put "
    "back from a backup, or lost what it had. Their records stay; new ones follow them."
)


def serve_room(settings: Settings) -> None:
    """Serve until told to stop."""
    try:
        settings = replace(
            settings,
            port=free_address(settings.host, settings.port),
            further_listeners=tuple(
                replace(each, port=free_address(each.host, each.port)) for each in settings.further_listeners
            ),
            metrics=None
            if settings.metrics is None
            else (settings.metrics[0], free_address(*settings.metrics)),
        )
    except AddressError as error:
        typer.echo(f"strongroom: {error}", err=True)
        raise typer.Exit(Exit.FAILED) from error
    with _directory(settings) as data_dir:
        settings = replace(settings, data_dir=data_dir)
        opened = open_room(settings, SystemClock(), SystemEntropy())
        if opened.lost_writes:
            typer.echo(f"strongroom: {_LOST.format(opened.lost_writes)}", err=True)
        _announce(settings, opened.new_account)
        try:
            supervise(settings, opened.room, opened.root_key)
        finally:
            opened.room.close()


@contextmanager
def _directory(settings: Settings) -> Iterator[Path]:
    if not settings.ephemeral:
        yield settings.data_dir
        return
    parent = Path(tempfile.mkdtemp(prefix="strongroom-"))
    try:
        yield parent / "data"
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _announce(settings: Settings, account: NewAccount | None) -> None:
    lines = [f"export AWS_ENDPOINT_URL={_url(settings)}"]
    if account is not None:
        where = "a temporary directory" if settings.ephemeral else str(settings.data_dir)
        lines = [
            f"# strongroom made {where} for account {account.account_id}. Paste this; it is shown this once:",
            *lines,
            f"export AWS_ACCESS_KEY_ID={shlex.quote(account.access_key_id)}",
            f"export AWS_SECRET_ACCESS_KEY={shlex.quote(account.secret_access_key)}",
            f"export AWS_DEFAULT_REGION={settings.region}",
        ]
    lines += [f"# also listening at {_url(each)}" for each in settings.further_listeners]
    if settings.metrics is not None:
        lines.append("# metrics at http://{}:{}/metrics".format(*settings.metrics))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _url(listener: Settings | FurtherListener) -> str:
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    return f"{'http' if listener.tls is None else 'https'}://{host}:{listener.port}"
