"""Where a call comes from, as policies and the trail see it: VPC endpoints, proxies, TLS.

Source: fact sheets iam (global condition keys, endpoint policies) and cloudtrail section 1.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.certificates import an_authority
from support.running import REGION, STRONGROOM, Server, running
from support.trails import records_of

ENDPOINT, VPC = "vpce-0a1b2c3d", "vpc-0f9e8d7c"
SPOOFED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.9"}


class Place:
    """A running server with a user whose one policy a test writes."""

    def __init__(self, server: Server, data_dir: Path) -> None:
        self.server, self.data_dir = server, data_dir
        self.iam = server.client("iam")
        self.account = server.client("sts").get_caller_identity()["Account"]
        self.iam.create_user(UserName="alice")
        key = self.iam.create_access_key(UserName="alice")["AccessKey"]
        self.client = server.client(
            "secretsmanager", credentials=(key["AccessKeyId"], key["SecretAccessKey"])
        )
        self.client.meta.events.register("before-send", self._send_more)
        self.headers: dict[str, str] = {}
        self.arn = server.client("secretsmanager").create_secret(Name="s", SecretString="x")["ARN"]

    def _send_more(self, request: Any, **_: Any) -> None:
        # After signing, as a proxy adds them.
        for name, value in self.headers.items():
            request.headers[name] = value

    def allowed_if(self, condition: dict[str, Any], operation: str = "get_secret_value") -> str:
        """Return "" where a policy with this condition allows a call, and else what the refusal says."""
        statement = {
            "Effect": "Allow",
            "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            "Resource": "*",
            "Condition": condition,
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document)
        try:
            self.answer = getattr(self.client, operation)(SecretId=self.arn)
        except self.client.exceptions.ClientError as error:
            self.answer = error.response
            assert self.answer["Error"]["Code"] == "AccessDeniedException"
            return str(self.answer["Error"]["Message"])
        return ""

    def recorded(self) -> dict[str, Any]:
        [record] = records_of(self.data_dir, self.answer["ResponseMetadata"]["RequestId"])
        return record

    def no_identity_policy(self) -> str:
        return (
            f"User: arn:aws:iam::{self.account}:user/alice is not authorized to perform: "
            f"secretsmanager:GetSecretValue on resource: {self.arn} because no identity-based policy allows "
            "the secretsmanager:GetSecretValue action"
        )


def served(directory: Path, *arguments: str) -> Iterator[Place]:
    place = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
    with running([*place, "--workers", "1", *arguments], directory / "log") as server:
        yield Place(server, directory / "data")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("endpoint")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "secretsmanager:DescribeSecret",
                "Resource": "*",
            },
        ],
    }
    (directory / "policy.json").write_text(json.dumps(policy))
    yield from served(
        directory,
        "--vpc-endpoint", ENDPOINT, "--vpc", VPC, "--endpoint-policy", str(directory / "policy.json"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from served(tmp_path_factory.mktemp("proxied"), "--trusted-proxy", "127.0.0.0/8")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from served(tmp_path_factory.mktemp("bare"))


class TestAnEndpoint:
    def test_is_what_policies_see(self, endpoint: Place) -> None:
        assert endpoint.allowed_if({"StringEquals": {"aws:SourceVpce": ENDPOINT, "aws:SourceVpc": VPC}}) == ""
        assert endpoint.allowed_if({"IpAddress": {"aws:VpcSourceIp": "127.0.0.1/32"}}) == ""
        assert endpoint.recorded()["vpcEndpointId"] == ENDPOINT

    @pytest.mark.parametrize(
        "condition",
        [
            {"StringEquals": {"aws:SourceVpce": "vpce-00000000"}},
            {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
        ],
        ids=["another endpoint", "there is no source address"],
    )
    def test_is_not_another_nor_the_open_network(self, condition: dict[str, Any], endpoint: Place) -> None:
        assert endpoint.allowed_if(condition) == endpoint.no_identity_policy()

    def test_has_a_policy_that_denies_in_its_own_name(self, endpoint: Place) -> None:
        told = endpoint.allowed_if({"StringEquals": {"aws:SourceVpce": ENDPOINT}}, "describe_secret")
        assert told == (
            f"User: arn:aws:iam::{endpoint.account}:user/alice is not authorized to perform: "
            f"secretsmanager:DescribeSecret on resource: {endpoint.arn} with an explicit deny in a VPC "
            "endpoint policy"
        )
        record = endpoint.recorded()
        assert (record["errorCode"], record["vpcEndpointId"]) == ("AccessDenied", ENDPOINT)


class TestTheOpenNetwork:
    def test_has_no_endpoint(self, bare: Place) -> None:
        assert bare.allowed_if({"StringLike": {"aws:SourceVpce": "*"}}) == bare.no_identity_policy()
        assert bare.allowed_if({"IpAddress": {"aws:SourceIp": "127.0.0.1"}}) == ""
        assert not {"vpcEndpointId", "tlsDetails"} & set(bare.recorded())

    @pytest.mark.parametrize(
        "condition",
        [{"IpAddress": {"aws:SourceIp": "203.0.113.9"}}, {"Bool": {"aws:SecureTransport": "true"}}],
        ids=["address", "protocol"],
    )
    def test_believes_no_header(self, condition: dict[str, Any], bare: Place) -> None:
        bare.headers = SPOOFED
        assert bare.allowed_if(condition) == bare.no_identity_policy()
        assert bare.recorded()["sourceIPAddress"] == "127.0.0.1"


class TestATrustedProxy:
    def test_is_believed_about_address_and_protocol(self, proxied: Place) -> None:
        proxied.headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https"}
        secure = {"Bool": {"aws:SecureTransport": "true"}, "IpAddress": {"aws:SourceIp": "203.0.113.9"}}
        assert proxied.allowed_if(secure) == ""
        assert proxied.recorded()["sourceIPAddress"] == "203.0.113.9"

    def test_keeps_callers_apart_who_ask_the_same_again(self, proxied: Place) -> None:
        only = {"IpAddress": {"aws:SourceIp": "203.0.113.9"}}
        proxied.headers = {"X-Forwarded-For": "203.0.113.9"}
        assert proxied.allowed_if(only) == ""
        for _ in range(3):
            proxied.client.get_secret_value(SecretId=proxied.arn)
        proxied.headers = {"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}
        with pytest.raises(proxied.client.exceptions.ClientError) as refused:
            proxied.client.get_secret_value(SecretId=proxied.arn)
        assert refused.value.response["Error"]["Message"] == proxied.no_identity_policy()


def test_tls_is_what_policies_and_the_trail_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    an_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    files = ["--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key")]
    for place in served(tmp_path, *files):
        assert place.server.endpoint.startswith("https://")
        assert place.allowed_if({"Bool": {"aws:SecureTransport": "true"}}) == ""
        assert place.allowed_if({"StringEquals": {"aws:RequestedRegion": REGION}}) == ""
        assert place.recorded()["tlsDetails"] == {
            "tlsVersion": "TLSv1.3",
            "clientProvidedHostHeader": f"127.0.0.1:{place.server.port}",
        }


def test_without_a_certificate_of_the_authority_nobody_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_authority(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    shown = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    shown.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    monkeypatch.setattr(Server, "ready", lambda server: _ready(server, shown))
    arguments = [
        "--data-dir", str(tmp_path / "data"), "--root-key", f"file:{tmp_path / 'root.key'}", "--workers", "1",
        "--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"),
        "--client-ca", str(tmp_path / "ca.pem"),
    ]  # fmt: skip
    with running(arguments, tmp_path / "log") as server:
        assert _ready(server, shown)
        assert not _ready(server, trusting)


def _ready(server: Server, context: ssl.SSLContext) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{server.endpoint}/ready", timeout=5, context=context) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def at_three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, list[str]]]:
    directory = tmp_path_factory.mktemp("listeners")
    (directory / "nothing.json").write_text(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
            }
        )
    )
    (directory / "listeners.toml").write_text(
        f"""
        [[listener]]
        port = 0
        vpc-endpoint = "{ENDPOINT}"
        vpc = "{VPC}"
        [[listener]]
        port = 0
        workers = 2
        vpc-endpoint = "vpce-closed"
        endpoint-policy = "nothing.json"
        """
    )
    for place in served(directory, "--listeners", str(directory / "listeners.toml")):
        assert place.server.process.stdout is not None
        printed = [place.server.process.stdout.readline() for _ in range(2)]
        assert all(line.startswith("# also listening at http://127.0.0.1:") for line in printed)
        yield place, [line.split()[-1] for line in printed]


class TestFurtherListeners:
    def client_at(self, place: Place, url: str) -> Any:
        """Return a client of alice's at another address, which is up."""
        elsewhere = replace(place.server, endpoint=url)
        elsewhere.wait_until_ready()
        return elsewhere.client(
            "secretsmanager",
            credentials=(place.server.access_key_id, place.server.secret_access_key),
        )

    def test_each_has_its_own_position(self, at_three: tuple[Place, list[str]]) -> None:
        at, [endpoint, _] = at_three
        answer = self.client_at(at, endpoint).get_secret_value(SecretId="s")
        assert answer["SecretString"] == "x"
        [record] = records_of(at.data_dir, answer["ResponseMetadata"]["RequestId"])
        assert record["vpcEndpointId"] == ENDPOINT
        first = at.server.client("secretsmanager").get_secret_value(SecretId="s")
        [record] = records_of(at.data_dir, first["ResponseMetadata"]["RequestId"])
        assert "vpcEndpointId" not in record

    def test_each_has_its_own_policy(self, at_three: tuple[Place, list[str]]) -> None:
        at, [_, closed] = at_three
        client = self.client_at(at, closed)
        with pytest.raises(client.exceptions.ClientError) as refused:
            client.get_secret_value(SecretId="s")
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        assert "because no VPC endpoint policy allows" in refused.value.response["Error"]["Message"]

    def test_what_is_written_at_one_is_read_at_the_other(self, at_three: tuple[Place, list[str]]) -> None:
        at, [endpoint, _] = at_three
        elsewhere = self.client_at(at, endpoint)
        here = at.server.client("secretsmanager")
        for number in range(20):
            elsewhere.put_secret_value(SecretId="s", SecretString=f"value {number}")
            assert here.get_secret_value(SecretId="s")["SecretString"] == f"value {number}"
        here.put_secret_value(SecretId="s", SecretString="x")

    def test_they_end_with_the_supervisor(self, tmp_path: Path) -> None:
        (tmp_path / "listeners.toml").write_text("[[listener]]\nport = 0\n")
        with running(
            ["--ephemeral", "--workers", "1", "--listeners", str(tmp_path / "listeners.toml")],
            tmp_path / "log",
        ) as server:
            assert server.process.stdout is not None
            elsewhere = replace(server, endpoint=server.process.stdout.readline().split()[-1])
            elsewhere.wait_until_ready()
            server.process.kill()
            server.process.wait(timeout=10)
            deadline = time.monotonic() + 10
            while elsewhere.ready():
                assert time.monotonic() < deadline, "it serves on without a supervisor"
                time.sleep(0.05)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("listener = 1", "Expected `array`"),
            ("[[listener]]\nhost = 'localhost'", "missing required field `port`"),
            ("[[listener]]\nport = 70000", "<= 65535"),
            ("[[listener]]\nport = 1\ncolour = 1", "unknown field `colour`"),
            ("[[listener]]\nport = 1\ntls-key = 'a'", "--tls-cert and --tls-key go together"),
            ("[[listener]]\nport = 1\nvpc-endpoint = 'e'", "not an endpoint id"),
            ("[[", "--listeners"),
        ],
    )
    def test_a_file_that_is_wrong_stops_the_start(self, text: str, message: str, tmp_path: Path) -> None:
        (tmp_path / "listeners.toml").write_text(text)
        ended = subprocess.run(
            [STRONGROOM, "serve", "--ephemeral", "--listeners", str(tmp_path / "listeners.toml")],
            capture_output=True, text=True, timeout=30, env={**os.environ, "COLUMNS": "400"}, check=False,
        )  # fmt: skip
        assert ended.returncode == 2
        assert message in ended.stderr
