"""Checkpoints that a server has sent elsewhere hold its trail to what it was."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from strongroom.audit.checkpoint import split_notes
from support.crashing import Site, a_site, wait_for
from support.running import STRONGROOM


def trail(site: Site, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = [STRONGROOM, "trail", command, "--data-dir", str(site.data_dir), *options]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def test_a_history_that_was_put_back_as_a_whole_is_found_by_the_copy(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    with a_site(tmp_path, arguments=("--workers", "1", "--checkpoint-copy", str(copy))) as site:
        server = site.start()
        server.client("secretsmanager").create_secret(Name="first", SecretString="canary-1")
        wait_for(copy.exists)
        site.kill()
        shutil.copytree(site.data_dir, tmp_path / "before")
        server = site.start()
        server.client("secretsmanager").create_secret(Name="second", SecretString="canary-2")
        site.stop()
        own = (site.data_dir / "trail" / "tree" / "checkpoints").read_bytes()
        assert copy.read_bytes() == own, "the end of the server delivers what waits"
        assert len(split_notes(own)[0]) >= 2
        key = trail(site, "key").stdout.strip()
        held = ("--public-key", key, "--checkpoint", str(copy))
        done = trail(site, "verify", *held)
        assert (done.returncode, done.stderr) == (0, "")
        shutil.rmtree(site.data_dir)
        (tmp_path / "before").rename(site.data_dir)
        assert trail(site, "verify", "--public-key", key).returncode == 0, "nothing in it shows it"
        done = trail(site, "verify", *held)
        assert done.returncode == 4
        assert "the checkpoint that was held elsewhere is not among those of the trail" in done.stderr


def test_a_relative_path_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [STRONGROOM, "serve", "--data-dir", str(tmp_path / "data"), "--checkpoint-copy", "elsewhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "give an absolute path, or an http or https URL" in " ".join(done.stderr.split())
    assert not (tmp_path / "data").exists()
