"""What an operator may write as a sink."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.trail.sinks.addresses import SinkAddressError, parse_sink


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("k" * 32 + "\n")
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("file:///var/log/audit.jsonl", "file:///var/log/audit.jsonl"),
        ("file:///var/log/a.jsonl#max-bytes=1000&keep=2&events=RotationFailed", "file:///var/log/a.jsonl"),
        ("stdout:", "stdout:"),
        ("syslog+udp://log.example", "syslog+udp://log.example"),
        ("syslog+tls://[::1]:7000", "syslog+tls://::1:7000"),
        ("syslog+unix:///dev/log", "syslog+unix:///dev/log"),
        ("https://user:password@hooks.example:8443/T0/secret?token=x", "https://hooks.example:8443"),
        ("https://hooks.example/#name=alerts", "alerts"),
    ],
)
def test_a_sink_is_called_by_what_is_not_secret_of_it(text: str, name: str) -> None:
    assert parse_sink(text).name == name


def test_options_say_what_it_gets(key_file: Path) -> None:
    sink = parse_sink(f"https://h.example/#key-file={key_file}&events=A,B&from=start&format=eventbridge")
    assert (sink.events, sink.from_start) == (frozenset("AB"), True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no sink; there are file, stdout"),
        ("ftp://h.example/token", "ftp://h.example: no sink"),
        ("file:relative", "give an absolute path"),
        ("file://host/path", "give an absolute path"),
        ("file:///a#colour=red", "no option colour"),
        ("file:///a#max-bytes=many", "max-bytes must be a number"),
        ("stdout:#ca=/x", "no option ca"),
        ("stdout:#from=yesterday", "from is now or start"),
        ("syslog+tcp:", "no host"),
        ("syslog+udp://h:99999", "Port out of range"),
        ("https:///path", "no host"),
        ("https://h#format=xml", "format is cloudtrail or eventbridge"),
        ("https://h#key-file=/nonexistent/key", "/nonexistent/key: No such file"),
        ("https://h#ca=/nonexistent/ca", "/nonexistent/ca: No such file"),
        ("s3://bucket", "give s3://BUCKET/PREFIX#endpoint"),
        ("s3://bucket#endpoint=https://h", "credentials-file is missing"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(SinkAddressError) as refused:
        parse_sink(text)
    assert message in str(refused.value)


def test_a_key_that_is_short_is_refused_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short-canary")
    with pytest.raises(SinkAddressError) as refused:
        parse_sink(f"https://h.example/#key-file={tmp_path / 'key'}")
    assert "shorter than 16 bytes" in str(refused.value)
    assert "short-canary" not in str(refused.value)


def test_credentials_of_a_bucket_are_two_lines(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("AKIAEXAMPLE\ncanary-secret\nmore\n")
    with pytest.raises(SinkAddressError) as refused:
        parse_sink(f"s3://bucket/p#endpoint=https://h&credentials-file={tmp_path / 'credentials'}")
    assert "must hold two lines" in str(refused.value)
    assert "canary-secret" not in str(refused.value)
