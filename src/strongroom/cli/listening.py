"""What `strongroom serve` is told of its network: TLS, the VPC endpoint it stands for, proxies it trusts."""

from __future__ import annotations

import re
import ssl
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from strongroom.policy.document import PolicyKind, parse_policy
from strongroom.server.proxies import parse_network
from strongroom.server.settings import FurtherListener, Network, Tls
from strongroom.trail.sinks.addresses import SinkAddress, SinkAddressError, parse_sink
from strongroom.wire.http import Endpoint

__all__ = ["given_listeners", "given_network", "given_sinks", "given_tls"]


class _Listener(msgspec.Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """One `[[listener]]` of a listeners file: the options of `serve`, by the same names."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    tls_cert: str | None = None
    tls_key: str | None = None
    client_ca: str | None = None
    vpc_endpoint: str | None = None
    vpc: str | None = None
    endpoint_policy: str | None = None
    trusted_proxy: list[str] = []
    functions: bool = False
    """Functions reach the server here."""


class _Listeners(msgspec.Struct, forbid_unknown_fields=True):
    listener: list[_Listener]


def given_listeners(file: Path | None) -> tuple[FurtherListener, ...]:
    """Return the addresses to serve besides the first one. Paths in the file count from its directory.

    Raises:
        typer.BadParameter: it cannot be read, is no TOML, or says what no listener can be.
    """
    if file is None:
        return ()
    try:
        asked = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _Listeners).listener
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--listeners") from error

    def path(name: str | None) -> Path | None:
        return None if name is None else file.parent / name

    marked = [each for each in asked if each.functions]
    if len(marked) > 1 or any(each.client_ca for each in marked):
        problem = "functions = true belongs to one listener at most, and to none with client-ca"
        raise typer.BadParameter(problem, param_hint="--listeners")
    return tuple(
        FurtherListener(
            host=each.host,
            port=each.port,
            workers=each.workers,
            tls=given_tls(path(each.tls_cert), path(each.tls_key), path(each.client_ca)),
            network=given_network(
                each.vpc_endpoint, each.vpc, path(each.endpoint_policy), each.trusted_proxy
            ),
            functions=each.functions,
        )
        for each in asked
    )


def given_tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    """Return how connections are encrypted; None: not at all.

    Raises:
        typer.BadParameter: files are missing, cannot be read, or do not fit each other.
    """
    if certificate is None or key is None:
        if certificate is not None or key is not None or client_ca is not None:
            raise typer.BadParameter("--tls-cert and --tls-key go together; --client-ca needs both")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An encrypted key is not asked for at the terminal of a service.
        context.load_cert_chain(certificate, key, password=b"")
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"these files cannot be used for TLS: {error}") from error
    return Tls(certificate, key, client_ca)


def given_network(
    endpoint_id: str | None, vpc_id: str | None, policy_file: Path | None, proxies: Sequence[str]
) -> Network:
    """Return what the listener takes for granted of those who connect.

    Raises:
        typer.BadParameter: an id, an address or the policy is none.
    """
    try:
        trusted = tuple(parse_network(each) for each in proxies)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--trusted-proxy") from error
    if endpoint_id is None:
        if vpc_id is not None or policy_file is not None:
            raise typer.BadParameter("--vpc and --endpoint-policy need --vpc-endpoint")
        return Network(None, trusted)
    if not re.fullmatch(r"vpce-[0-9a-z]{1,32}", endpoint_id):
        raise typer.BadParameter("not an endpoint id, such as vpce-0a1b2c3d", param_hint="--vpc-endpoint")
    if vpc_id is not None and not re.fullmatch(r"vpc-[0-9a-z]{1,32}", vpc_id):
        raise typer.BadParameter("not a VPC id, such as vpc-0a1b2c3d", param_hint="--vpc")
    return Network(Endpoint(endpoint_id, vpc_id, _policy(policy_file)), trusted)


def given_sinks(addresses: Sequence[str]) -> tuple[SinkAddress, ...]:
    """Return where the trail is to be sent on to.

    Raises:
        typer.BadParameter: an address names no sink, or two sinks have one name.
    """
    try:
        sinks = tuple(parse_sink(each) for each in addresses)
    except SinkAddressError as error:
        raise typer.BadParameter(str(error), param_hint="--sink") from error
    names = [each.name for each in sinks]
    for name in names:
        if names.count(name) > 1:
            raise typer.BadParameter(f"two sinks are called {name}; give one a #name=", param_hint="--sink")
    return sinks


def _policy(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
        parse_policy(text, PolicyKind.RESOURCE)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--endpoint-policy") from error
    return text
