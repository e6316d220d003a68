"""TLS to a target, what its faults mean, and settings of its roles."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.rotators import deadlines, sockets
from strongroom.rotators.deadlines import Deadline
from strongroom.rotators.postgres_faults import connect_fault, statement_fault
from strongroom.rotators.postgres_roles import split_list
from strongroom.rotators.tls import Tls, authorities_file, client_context, connect_by_tls
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument
from support.certificates import self_signed

TRIED = {
    "absent": ({}, [Tls.VERIFIED, Tls.IF_OFFERED]),
    "true": ({"ssl": True}, [Tls.VERIFIED]),
    "the text true": ({"ssl": "True"}, [Tls.VERIFIED]),
    "false": ({"ssl": "false"}, [Tls.NONE]),
}


@pytest.mark.parametrize(("members", "expected"), TRIED.values(), ids=TRIED)
def test_what_is_tried_when_tls_fails(members: dict[str, object], expected: list[Tls]) -> None:
    tried: list[Tls] = []

    def connect(tls: Tls) -> str:
        tried.append(tls)
        raise RotationFault(FaultKind.TLS, "no")

    with pytest.raises(RotationFault):
        connect_by_tls(SecretDocument(members), connect)
    assert tried == expected


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - {FaultKind.TLS}, key=str))
def test_no_other_fault_leads_to_less_protection(kind: FaultKind) -> None:
    tried: list[Tls] = []

    def connect(tls: Tls) -> str:
        tried.append(tls)
        raise RotationFault(kind, "no")

    with pytest.raises(RotationFault):
        connect_by_tls(SecretDocument({}), connect)
    assert tried == [Tls.VERIFIED]


def test_the_certificate_of_the_secret_is_trusted_and_no_other(tmp_path: Path) -> None:
    pem = self_signed(tmp_path / "ca.pem").read_text()
    pem = pem[: pem.index("-----BEGIN PRIVATE")]
    document = SecretDocument({"ca": pem})
    context = client_context(document, Tls.VERIFIED)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) == 1
    with authorities_file(document) as path:
        assert Path(path).read_text() == pem
    assert not Path(path).exists()


def test_without_one_the_systems_authorities_are_trusted() -> None:
    with authorities_file(SecretDocument({})) as path:
        assert "BEGIN CERTIFICATE" in Path(path).read_text()
    assert Path(path).exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/etc/passwd", "ca in the secret JSON must be a certificate in PEM, not a path"),
        ("-----BEGIN CERTIFICATE-----\nx", "the certificate in the secret JSON cannot be read as PEM"),
    ],
)
def test_what_is_no_certificate_is_refused(text: str, message: str) -> None:
    with pytest.raises(RotationFault) as caught:
        client_context(SecretDocument({"ca": text}), Tls.VERIFIED)
    assert (caught.value.kind, caught.value.message) == (FaultKind.SECRET, message)


def test_what_still_runs_when_the_time_is_up_is_cut() -> None:
    cut = threading.Event()
    with Deadline(0.01).ending(cut.set) as late:
        assert cut.wait(30)
        assert late()


def test_what_has_ended_in_time_is_not_cut() -> None:
    cut = threading.Event()
    with Deadline(600).ending(cut.set) as late:
        assert not late()
    assert not cut.is_set()


CONNECTING = {
    'FATAL:  password authentication failed for user "a"': FaultKind.LOGIN,
    'FATAL:  no pg_hba.conf entry for host "::1", user "a", database "b", no encryption': FaultKind.TLS,
    'FATAL:  pg_hba.conf rejects connection for host "::1", user "a", database "b"': FaultKind.LOGIN,
    'FATAL:  role "nl" is not permitted to log in': FaultKind.LOGIN,
    'FATAL:  database "x" does not exist': FaultKind.SECRET,
    "FATAL:  sorry, too many clients already": FaultKind.TARGET,
    "FATAL:  the database system is starting up": FaultKind.UNREACHABLE,
    "FATAL:  Passwort-Authentifizierung fehlgeschlagen": FaultKind.LOGIN,
    "server does not support SSL, but SSL was required": FaultKind.TLS,
    "SSL error: certificate verify failed": FaultKind.TLS,
    "Connection refused": FaultKind.UNREACHABLE,
    "something else": FaultKind.UNREACHABLE,
}


@pytest.mark.parametrize(("text", "kind"), CONNECTING.items(), ids=CONNECTING)
def test_what_postgresql_says_on_connecting(text: str, kind: FaultKind) -> None:
    fault = connect_fault(Exception(f"connection failed: {text}"), used_password=False)
    assert fault.kind is kind
    assert '"' not in fault.message


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("42501", FaultKind.PRIVILEGE),
        ("22023", FaultKind.LIMIT),
        ("25006", FaultKind.TARGET),
        ("57014", FaultKind.TARGET),
        ("57P01", FaultKind.UNREACHABLE),
        ("XX000", FaultKind.TARGET),
        (None, FaultKind.UNREACHABLE),
    ],
)
def test_what_postgresql_says_to_a_statement(state: str | None, kind: FaultKind) -> None:
    assert statement_fault(state).kind is kind


def test_all_addresses_of_a_host_together_have_the_time_of_one_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, tried = [0.0], []

    class Silent:
        def __init__(self, *_: object) -> None:
            self.seconds = 0.0

        def settimeout(self, seconds: float) -> None:
            self.seconds = seconds

        def connect(self, place: object) -> None:
            tried.append(place)
            now[0] += self.seconds
            raise TimeoutError

        def close(self) -> None: ...

    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{at}", 1)) for at in range(1, 200)]
    monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(sockets.socket, "getaddrinfo", lambda *_, **__: places)
    monkeypatch.setattr(sockets.socket, "socket", Silent)
    with pytest.raises(RotationFault) as caught:
        sockets.open_socket("many.example", 1, Deadline(30))
    assert (caught.value.kind, caught.value.message) == (
        FaultKind.UNREACHABLE,
        "the target did not answer in time",
    )
    assert (len(tried), now[0]) == (1, 5.0)


def test_an_address_where_nobody_listens_does_not_keep_from_the_next() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = sockets.open_socket("localhost", listening.getsockname()[1], Deadline(30))
        with found:
            assert found.getpeername() == listening.getsockname()


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), max_size=4))
def test_a_list_setting_is_taken_apart_as_it_was_put_together(names: list[str]) -> None:
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    assert split_list(quoted) == names


def test_names_of_a_list_that_need_no_quotes() -> None:
    assert split_list('"$user", public,pg_temp') == ["$user", "public", "pg_temp"]


def test_a_list_that_never_ends_is_a_fault() -> None:
    with pytest.raises(RotationFault) as caught:
        split_list('"open')
    assert caught.value.message == "a setting of the role cannot be read"


@pytest.mark.parametrize("state", ["", "42501 and call 555-0100", "zx123", "42501\n"])
def test_a_text_in_the_place_of_a_state_is_not_repeated(state: str) -> None:
    fault = statement_fault(state)
    assert (fault.kind, fault.message) == (
        FaultKind.TARGET,
        "the target refused a statement, with a state that is none",
    )
