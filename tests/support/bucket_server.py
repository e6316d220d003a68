"""As much of S3 as reading a bucket takes, over a directory laid out as one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

METADATA = ".metadata.json"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = parse_qs(parts.query, keep_blank_values=True)
        if bucket != server.directory.name:
            self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif "location" in query:
            self._answer(200, f"<LocationConstraint>{server.region}</LocationConstraint>".encode())
        elif not key:
            self._answer(200, self._listing(server.directory, query))
        elif (server.directory / key).is_file():
            beside = server.directory / f"{key}{METADATA}"
            metadata = json.loads(beside.read_text()) if beside.exists() else {}
            headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
            self._answer(200, (server.directory / key).read_bytes(), headers)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>")

    def _listing(self, directory: Path, query: dict[str, list[str]]) -> bytes:
        prefix, marker = (query.get(name, [""])[0] for name in ("prefix", "marker"))
        keys = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
        found = [
            key for key in keys if key.startswith(prefix) and key > marker and not key.endswith(METADATA)
        ]
        contents = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in found)
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    directory: Path
    region: str


@contextmanager
def bucket_server(directory: Path, region: str) -> Iterator[str]:
    """Serve the bucket that `directory` is, and give the endpoint."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.directory, server.region = directory, region
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
