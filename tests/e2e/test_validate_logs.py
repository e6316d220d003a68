"""The AWS CLI validates the log files and digests that the server has written."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.rootkey import open_root_key
from strongroom.server.world import SystemEntropy
from strongroom.store.sqlite import SqliteStore
from strongroom.trail.delivery import LogDelivery
from support.bucket_server import bucket_server
from support.crashing import Site, a_site
from support.running import REGION, Server
from support.signed_trail import ShiftedClock

AWS = str(Path(sys.executable).with_name("aws"))
BUCKET = "our-logs"


def let_hours_pass(site: Site, hours: int) -> None:
    """Write the digests of so many hours, while nobody serves."""
    store = SqliteStore.open(site.data_dir)
    root_key = open_root_key(
        f"file:{site.directory / 'root.key'}", site.data_dir, create=False, entropy=SystemEntropy()
    )
    clock = ShiftedClock()
    delivery = LogDelivery(site.directory / BUCKET, BUCKET, store, root_key, clock)
    for _ in range(hours):
        clock.days += 1.01 / 24
        assert delivery.digest() >= 1
    store.close()


def validate(server: Server, endpoint: str, account: str) -> subprocess.CompletedProcess[str]:
    now = dt.datetime.now(dt.UTC)
    start, end = (f"{now + dt.timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 5))
    arn = f"arn:aws:cloudtrail:{REGION}:{account}:trail/strongroom"
    environment = {**server.environment(), "AWS_ENDPOINT_URL_S3": endpoint}
    command = [AWS, "cloudtrail", "validate-logs", "--trail-arn", arn, "--s3-bucket", BUCKET]
    command += ["--start-time", start, "--end-time", end, "--verbose"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_validate_logs_says_that_all_files_are_valid_and_finds_those_that_are_not(tmp_path: Path) -> None:
    if not Path(AWS).exists():
        pytest.skip("the AWS CLI is not installed")
    bucket = tmp_path / BUCKET
    with a_site(tmp_path, arguments=("--workers", "1", "--log-bucket", str(bucket))) as site:
        server = site.start()
        secrets = server.client("secretsmanager")
        secrets.create_secret(Name="s", SecretString="canary-value")
        secrets.get_secret_value(SecretId="s")
        account = server.client("sts").get_caller_identity()["Account"]
        site.stop()
        logs = sorted(bucket.glob(f"AWSLogs/{account}/CloudTrail/{REGION}/**/*.json.gz"))
        assert logs, "the end of the server writes what is new"
        records = [
            each for path in logs for each in json.loads(gzip.decompress(path.read_bytes()))["Records"]
        ]
        assert {"CreateSecret", "GetSecretValue"} <= {each["eventName"] for each in records}
        let_hours_pass(site, 3)
        server = site.start()
        with bucket_server(bucket, REGION) as endpoint:
            done = validate(server, endpoint, account)
            assert (done.returncode, done.stderr) == (0, ""), done.stdout
            assert "3/3 digest files valid" in done.stdout
            assert f"{len(logs)}/{len(logs)} log files valid" in done.stdout
            assert "INVALID" not in done.stdout
            content = gzip.decompress(logs[0].read_bytes())
            logs[0].write_bytes(gzip.compress(content.replace(b'"readOnly":true', b'"readOnly":false')))
            done = validate(server, endpoint, account)
            assert done.returncode == 1
            assert "INVALID: hash value doesn't match" in done.stdout + done.stderr
            digests = sorted(bucket.glob(f"AWSLogs/{account}/CloudTrail-Digest/{REGION}/**/*.json.gz"))
            digests[1].unlink()
            done = validate(server, endpoint, account)
            assert done.returncode == 1
            assert "INVALID: not found" in done.stdout + done.stderr
        site.stop()
