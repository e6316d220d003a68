"""The command line: options and their environment variables are declared here, once.

Nothing heavy is imported before a command needs it: `strongroom --help` answers at once.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom import __version__
from strongroom.cli.exits import Exit, refusals
from strongroom.names import is_account_id, is_region
from strongroom.server.settings import (
    DEFAULT_PORT,
    FunctionCare,
    Settings,
    TrailCare,
    default_data_dir,
    default_workers,
)

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with it, "[default: …]" in a help text is taken for markup and vanishes
    help="The AWS Secrets Manager you run yourself.",
)
account_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Accounts of a data directory.")
policy_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Policies of a data directory.")
oidc_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="OpenID Connect providers.")
trail_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The audit trail.")
function_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Functions that rotate secrets.")
rotation_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Rotation of secrets.")
app.add_typer(account_app, name="account")
app.add_typer(rotation_app, name="rotation")
app.add_typer(policy_app, name="policy")
app.add_typer(function_app, name="function")
app.add_typer(oidc_app, name="oidc")
app.add_typer(trail_app, name="trail")


def _region(value: str) -> str:
    if not is_region(value):
        raise typer.BadParameter("not a region name, such as eu-central-1")
    return value


def _region_or_none(value: str | None) -> str | None:
    return None if value is None else _region(value)


def _account(value: str | None) -> str | None:
    if value is not None and not is_account_id(value):
        raise typer.BadParameter("an account id is twelve decimal digits")
    return value


def _store(value: str) -> str:
    # The URL is not repeated: it may hold a password.
    if value.startswith(("postgresql:", "postgres:")):
        raise typer.BadParameter("PostgreSQL is not there yet; this version keeps everything in sqlite")
    if value != "sqlite":
        raise typer.BadParameter("the only store is sqlite, a file in the data directory")
    return value


def _destinations(given: Sequence[str]) -> tuple[str, ...]:
    for each in given:
        if not each.startswith(("http://", "https://")) and not Path(each).is_absolute():
            raise typer.BadParameter(
                "give an absolute path, or an http or https URL", param_hint="--checkpoint-copy"
            )
    return tuple(given)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="STRONGROOM_DATA_DIR",
        help="Where everything is kept, encrypted. [default: ~/.local/share/strongroom]",
        file_okay=False,
    ),
]
RootKeySource = Annotated[
    str,
    typer.Option(
        "--root-key",
        envvar="STRONGROOM_ROOT_KEY",
        metavar="SOURCE",
        help="file:PATH, fd:N, passphrase-fd:N or passphrase-file:PATH. "
        "[default: file:~/.config/strongroom/root.key]",
    ),
]
RegionOption = Annotated[
    str, typer.Option("--region", callback=_region, help="The region named in what is printed.")
]
LookupRegion = Annotated[
    str, typer.Option("--region", envvar="AWS_DEFAULT_REGION", callback=_region, help="Where to look.")
]
SecretName = Annotated[
    str | None,
    typer.Argument(metavar="SECRET", help="The name or ARN of a secret. [default: all that rotate]"),
]
SecretAccount = Annotated[
    str | None, typer.Option("--account", callback=_account, help="The secret's account.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command()
def serve(
    data_dir: DataDir = None,
    host: Annotated[str, typer.Option(envvar="STRONGROOM_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="STRONGROOM_PORT", min=0, max=65535, help="0: any free port.")
    ] = DEFAULT_PORT,
    workers: Annotated[
        int | None,
        typer.Option(envvar="STRONGROOM_WORKERS", min=1, max=256, help="[default: the processors there are]"),
    ] = None,
    root_key: RootKeySource = "",
    _store_name: Annotated[
        str,
        typer.Option(
            "--store",
            envvar="STRONGROOM_STORE",
            callback=_store,
            metavar="STORE",
            help="Where records are kept: sqlite, a file in the data directory.",
        ),
    ] = "sqlite",
    ephemeral: Annotated[
        bool, typer.Option(help="Keep everything in a temporary directory, gone on exit: for tests.")
    ] = False,
    region: RegionOption = "us-east-1",
    sync_every_record: Annotated[
        bool,
        typer.Option(
            envvar="STRONGROOM_SYNC_EVERY_RECORD",
            help="Flush each audit record to disk before its answer leaves, instead of every 50 ms.",
        ),
    ] = False,
    trail_keep_days: Annotated[
        int | None,
        typer.Option(
            envvar="STRONGROOM_TRAIL_KEEP_DAYS",
            min=1,
            help="Delete files of the audit trail whose newest record is so old. [default: keep all]",
        ),
    ] = None,
    checkpoint_copy: Annotated[
        list[str] | None,
        typer.Option(
            envvar="STRONGROOM_CHECKPOINT_COPY",
            metavar="FILE|URL",
            help="Send each signed checkpoint of the trail there as well; may be repeated.",
        ),
    ] = None,
    log_bucket: Annotated[
        Path | None,
        typer.Option(
            envvar="STRONGROOM_LOG_BUCKET",
            metavar="DIR",
            help="Write log files and hourly digests there, as CloudTrail does to its bucket.",
            file_okay=False,
        ),
    ] = None,
    log_bucket_name: Annotated[
        str,
        typer.Option(
            envvar="STRONGROOM_LOG_BUCKET_NAME",
            metavar="NAME",
            help="The bucket that the directory stands for. [default: the directory's name]",
        ),
    ] = "",
    trail_index_days: Annotated[
        int,
        typer.Option(
            envvar="STRONGROOM_TRAIL_INDEX_DAYS",
            min=1,
            help="How far back LookupEvents and 'trail search' find records.",
        ),
    ] = 90,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            envvar="STRONGROOM_TLS_CERT", metavar="PEM", help="Speak TLS 1.3, with this certificate."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(envvar="STRONGROOM_TLS_KEY", metavar="PEM", help="The certificate's private key."),
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(
            envvar="STRONGROOM_CLIENT_CA",
            metavar="PEM",
            help="Let in only who shows a certificate of this authority.",
        ),
    ] = None,
    vpc_endpoint: Annotated[
        str | None,
        typer.Option(
            envvar="STRONGROOM_VPC_ENDPOINT",
            metavar="ID",
            help="Every call comes through this VPC endpoint (vpce-…): aws:SourceVpce says so.",
        ),
    ] = None,
    vpc: Annotated[
        str | None,
        typer.Option(
            envvar="STRONGROOM_VPC", metavar="ID", help="The endpoint's VPC (vpc-…), aws:SourceVpc."
        ),
    ] = None,
    endpoint_policy: Annotated[
        Path | None,
        typer.Option(
            envvar="STRONGROOM_ENDPOINT_POLICY",
            metavar="JSON",
            help="The endpoint's policy, which has to allow every call as well. [default: all are allowed]",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            envvar="STRONGROOM_TRUSTED_PROXY",
            metavar="CIDR",
            help="Believe X-Forwarded-For, X-Forwarded-Proto and Forwarded of these peers; may be repeated.",
        ),
    ] = None,
    sink: Annotated[
        list[str] | None,
        typer.Option(
            envvar="STRONGROOM_SINK",
            metavar="ADDRESS",
            help="Send the audit trail on: file:, stdout:, syslog+tls:, https:, s3: (see the guide); may be "
            "repeated.",
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            envvar="STRONGROOM_METRICS_PORT",
            min=0,
            max=65535,
            help="Give out metrics for Prometheus at this port; 0: any free one. [default: not at all]",
        ),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(envvar="STRONGROOM_METRICS_HOST", help="Address to give out metrics at.")
    ] = "127.0.0.1",
    listeners: Annotated[
        Path | None,
        typer.Option(
            envvar="STRONGROOM_LISTENERS",
            metavar="TOML",
            help="Listen at further addresses as well, each with options of its own (see the guide).",
        ),
    ] = None,
    function_code_mb: Annotated[
        int,
        typer.Option(
            envvar="STRONGROOM_FUNCTION_CODE_MB",
            min=0,
            metavar="MB",
            help="How much code of functions and layers an account may keep in a region.",
        ),
    ] = 2048,
    allow_unconfined_functions: Annotated[
        bool,
        typer.Option(
            "--allow-unconfined-functions",
            envvar="STRONGROOM_ALLOW_UNCONFINED_FUNCTIONS",
            help="Run functions also where nothing shuts them in. DANGER: whoever may deploy one then has "
            "within reach what the server's user has, the root key too (see the guide).",
        ),
    ] = False,
) -> None:
    """Serve the API. A directory that is new is initialised, and what to paste is printed, once."""
    if ephemeral and data_dir is not None:
        raise typer.BadParameter("--ephemeral makes a directory of its own; leave --data-dir out")
    from strongroom.cli.listening import given_listeners, given_network, given_sinks, given_tls
    from strongroom.cli.serving import serve_room

    tls = given_tls(tls_cert, tls_key, client_ca)
    network = given_network(vpc_endpoint, vpc, endpoint_policy, trusted_proxy or ())
    further = given_listeners(listeners)
    with refusals():
        serve_room(
            Settings(
                data_dir=data_dir or default_data_dir(),
                host=host,
                port=port,
                workers=workers or default_workers(),
                root_key=root_key,
                ephemeral=ephemeral,
                region=region,
                access_key=_given_access_key(),
                sync_every_record=sync_every_record,
                trail=TrailCare(
                    keep_days=trail_keep_days,
                    checkpoint_copies=_destinations(checkpoint_copy or ()),
                    log_bucket=None if log_bucket is None else log_bucket.absolute(),
                    log_bucket_name=log_bucket_name,
                    index_days=trail_index_days,
                ),
                tls=tls,
                network=network,
                further_listeners=further,
                functions=FunctionCare(
                    code_bytes=function_code_mb << 20, allow_unconfined=allow_unconfined_functions
                ),
                sinks=given_sinks(sink or ()),
                metrics=None if metrics_port is None else (metrics_host, metrics_port),
            )
        )


@app.command()
def init(
    data_dir: DataDir = None,
    account: Annotated[
        str | None,
        typer.Option("--account", callback=_account, help="The first account's id. [default: random]"),
    ] = None,
    region: RegionOption = "us-east-1",
    root_key: RootKeySource = "",
    as_json: Json = False,
) -> None:
    """Make a data directory, its root key and its first account."""
    from strongroom.cli.rooms import init_room

    with refusals():
        made = init_room(
            Settings(
                data_dir=data_dir or default_data_dir(),
                root_key=root_key,
                region=region,
                account_id=account,
                access_key=_given_access_key(),
            )
        )
    _print_credentials(made, region, as_json=as_json)


@account_app.command("create")
def account_create(
    account_id: Annotated[
        str | None, typer.Argument(callback=_account, help="Twelve digits. [default: random]")
    ] = None,
    data_dir: DataDir = None,
    root_key: RootKeySource = "",
    region: RegionOption = "us-east-1",
    as_json: Json = False,
) -> None:
    """Make one more account and its root access key; a running server knows it at once."""
    from strongroom.cli.rooms import add_account

    with refusals():
        made = add_account(
            Settings(
                data_dir=data_dir or default_data_dir(),
                root_key=root_key,
                account_id=account_id,
                access_key=_given_access_key(),
            )
        )
    _print_credentials(made, region, as_json=as_json)


@oidc_app.command("keys")
def oidc_keys(
    provider_arn: Annotated[str, typer.Argument(help="As CreateOpenIDConnectProvider answered it.")],
    jwks: Annotated[
        Path | None,
        typer.Option("--jwks", help="A JSON Web Key Set of public keys.", exists=True, dir_okay=False),
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Forget a given set; keys are fetched from the issuer.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Verify a provider's tokens by the keys given, not by fetched ones; a running server does so at once."""
    if (jwks is None) is not fetch:
        raise typer.BadParameter("give either --jwks FILE or --fetch")
    from strongroom.cli.providers import set_provider_keys
    from strongroom.identity.oidc import KeySetError
    from strongroom.names import Arn

    with refusals():
        try:
            key_set = None if jwks is None else jwks.read_text(encoding="utf-8", errors="replace")
            count = set_provider_keys(data_dir or default_data_dir(), Arn(provider_arn), key_set)
        except KeySetError as error:
            raise typer.BadParameter(str(error), param_hint="--jwks") from error
    if jwks is None:
        typer.echo("Keys are fetched from the issuer.")
    else:
        typer.echo(f"Tokens are verified by {count} given key{'' if count == 1 else 's'}.")


@trail_app.command("verify")
def trail_verify(
    data_dir: DataDir = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A file of checkpoints held elsewhere.", exists=True, dir_okay=False),
    ] = None,
    public_key: Annotated[str | None, typer.Option(help="As 'strongroom trail key' prints it.")] = None,
    as_json: Json = False,
) -> None:
    """Check every record of the trail, offline; exit code 4 names the first bad one."""
    from strongroom.cli.trails import verify

    with refusals():
        code = verify(data_dir or default_data_dir(), as_json=as_json, held=checkpoint, public_key=public_key)
    raise typer.Exit(code)


@app.command()
def explain(
    request_id: Annotated[str, typer.Argument(help="The x-amzn-RequestId of a refused call.")],
    data_dir: DataDir = None,
    encoded: Annotated[
        bool, typer.Option("--encoded", help="Print messages for sts:DecodeAuthorizationMessage instead.")
    ] = False,
    root_key: RootKeySource = "",
    as_json: Json = False,
) -> None:
    """Say which policies refused a call, and the least that would have to change to allow it."""
    from strongroom.cli.explaining import encode_request, explain_request

    if encoded and as_json:
        raise typer.BadParameter("give either --encoded or --json")
    place = data_dir or default_data_dir()
    with refusals():
        if encoded:
            code = encode_request(Settings(data_dir=place, root_key=root_key), request_id)
        else:
            code = explain_request(place, request_id, as_json=as_json)
    raise typer.Exit(code)


@app.command("who-can")
def who_can(
    action: Annotated[str, typer.Argument(help="Such as secretsmanager:GetSecretValue.")],
    resource: Annotated[
        str, typer.Argument(help="A secret's name or ARN, a key's id, alias or ARN, another ARN, or *.")
    ],
    account: Annotated[
        str | None,
        typer.Option(callback=_account, help="Look for the name in this account. [default: in all]"),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            callback=_region_or_none,
            help="Look for the name in this Region. [default: in all that are in use]",
        ),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Show those who may not, too, and why.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say who may do an action on a resource, through which statements, and under which conditions."""
    from strongroom.cli.reaching import ACTION, print_who_can

    if ACTION.fullmatch(action) is None:
        raise typer.BadParameter("an action is a service and a name, such as kms:Decrypt, without wildcards")
    with refusals():
        code = print_who_can(
            data_dir or default_data_dir(),
            action,
            resource,
            account=account,
            region=region,
            everyone=everyone,
            as_json=as_json,
        )
    raise typer.Exit(code)


@policy_app.command("diff")
def policy_diff(
    policy: Annotated[
        Path,
        typer.Option(metavar="JSON", help="The policy that would be there.", exists=True, dir_okay=False),
    ],
    secret: Annotated[str | None, typer.Option(help="Of this secret: name or ARN.")] = None,
    key: Annotated[str | None, typer.Option(help="Of this KMS key: id, alias or ARN.")] = None,
    user: Annotated[str | None, typer.Option(help="Inline, of this user: name or ARN.")] = None,
    role: Annotated[str | None, typer.Option(help="Inline, of this role: name or ARN.")] = None,
    group: Annotated[str | None, typer.Option(help="Inline, of this group: name or ARN.")] = None,
    role_trust: Annotated[
        str | None, typer.Option(help="The trust policy of this role: name or ARN.")
    ] = None,
    managed_policy: Annotated[
        str | None, typer.Option(metavar="ARN", help="The default version of this managed policy.")
    ] = None,
    policy_name: Annotated[
        str | None,
        typer.Option(help="Which inline policy, an absent one is added. [default: the only one there is]"),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(callback=_account, help="The account a name is looked for in. [default: all]"),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            callback=_region_or_none, help="The Region a name is looked for in. [default: all in use]"
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(help="How far to look back: 30m, 12h, 7d, or a time such as 2026-01-31T12:00:00Z.")
    ] = "7d",
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many calls, the newest.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Decide recorded calls again under a changed policy: which would be newly allowed, which newly refused.

    Nothing is changed. Names are looked for as --account and --region say.
    """
    from strongroom.cli.differing import one_change, print_difference

    given = {
        "secret": secret,
        "key": key,
        "user": user,
        "role": role,
        "group": group,
        "role trust": role_trust,
        "managed policy": managed_policy,
    }
    where = data_dir or default_data_dir()
    change = one_change(given, policy, policy_name, account, region)
    with refusals():
        code = print_difference(where, change, since=since, limit=limit, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def consumers(
    secret_id: Annotated[
        str | None, typer.Argument(metavar="SECRET", help="The name or ARN of a secret.")
    ] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="List the secrets of the region that nobody has read instead.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far to look back.")] = 90,
    account: Annotated[
        str | None, typer.Option("--account", callback=_account, help="The secret's account.")
    ] = None,
    region: LookupRegion = "us-east-1",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say who reads a secret, in which version, and whether the old credential can be retired."""
    if (secret_id is None) is not unused:
        raise typer.BadParameter("name a secret, or say --unused")
    from strongroom.cli.consuming import print_consumers, print_unused

    where = data_dir or default_data_dir()
    with refusals():
        if secret_id is None:
            code = print_unused(where, account_id=account, region=region, days=days, as_json=as_json)
        else:
            code = print_consumers(
                where, secret_id, account_id=account, region=region, days=days, as_json=as_json
            )
    raise typer.Exit(code)


@function_app.command("list")
def function_list(
    account: Annotated[
        str | None, typer.Option("--account", callback=_account, help="One account; default: every one.")
    ] = None,
    region: LookupRegion = "us-east-1",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the functions of a region."""
    from strongroom.cli.functions import print_functions

    with refusals():
        code = print_functions(
            data_dir or default_data_dir(), account_id=account, region=region, as_json=as_json
        )
    raise typer.Exit(code)


@function_app.command("logs")
def function_logs(
    name: Annotated[str, typer.Argument(metavar="FUNCTION", help="The name or ARN of a function.")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until interrupted, as the function prints more.")
    ] = False,
    account: Annotated[
        str | None, typer.Option("--account", callback=_account, help="The function's account.")
    ] = None,
    region: LookupRegion = "us-east-1",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Print what a function printed, call by call, without the secrets it was given or fetched."""
    from strongroom.cli.functions import print_logs

    with refusals():
        code = print_logs(
            data_dir or default_data_dir(),
            name,
            account_id=account,
            region=region,
            follow=follow,
            as_json=as_json,
        )
    raise typer.Exit(code)


@trail_app.command("proof")
def trail_proof(
    event_id: Annotated[str, typer.Argument(help="The record's eventID.")],
    older: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A file of checkpoints: prove as well that the trail has only grown since its last one.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Print a proof (JSON) that a record is in the signed trail; docs/proof/verify.py checks it anywhere."""
    from strongroom.cli.trails import print_proof

    with refusals():
        print_proof(data_dir or default_data_dir(), event_id, older)


@trail_app.command("search")
def trail_search(
    event_id: Annotated[str | None, typer.Option("--event-id", help="One record.")] = None,
    event_name: Annotated[
        str | None, typer.Option("--event-name", metavar="NAME", help="An operation, such as GetSecretValue.")
    ] = None,
    event_source: Annotated[
        str | None,
        typer.Option(
            "--event-source", metavar="SOURCE", help="A service, such as secretsmanager.amazonaws.com."
        ),
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", metavar="NAME", help="A user, or a role session's name.")
    ] = None,
    access_key_id: Annotated[
        str | None, typer.Option("--access-key-id", metavar="ID", help="What the call was signed with.")
    ] = None,
    resource: Annotated[
        str | None,
        typer.Option("--resource", metavar="NAME", help="An ARN, or a secret's, user's or role's name."),
    ] = None,
    resource_type: Annotated[
        str | None,
        typer.Option("--resource-type", metavar="TYPE", help="Such as AWS::SecretsManager::Secret."),
    ] = None,
    read_only: Annotated[
        bool | None, typer.Option("--read-only/--writes", help="Only reads, or only what changes something.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", callback=_account, help="Whose records. [default: all]")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Of one region. [default: all]")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="2026-11-25T12:00:00Z, 2026-11-25, or 90m, 8h, 7d ago."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="As --since.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many records, the newest of all.")] = 50,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records, one a line.")] = False,
) -> None:
    """Find records of the audit trail: those of which all that is given is true. Works beside a server."""
    from strongroom.cli.searching import given_attributes, given_span, search

    attributes = given_attributes(
        EventId=event_id,
        EventName=event_name,
        EventSource=event_source,
        Username=username,
        AccessKeyId=access_key_id,
        ResourceName=resource,
        ResourceType=resource_type,
        ReadOnly=None if read_only is None else str(read_only).lower(),
    )
    span = given_span(since, until)
    with refusals():
        search(
            data_dir or default_data_dir(),
            attributes,
            account=account,
            region=region,
            span=span,
            limit=limit,
            as_json=as_json,
        )


@trail_app.command("key")
def trail_key(
    data_dir: DataDir = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Those of the digests of log files, one JSON object a line.")
    ] = False,
) -> None:
    """Print the public key of the trail's checkpoints, to keep elsewhere."""
    from strongroom.cli.trails import print_digest_keys, print_key

    with refusals():
        (print_digest_keys if digest else print_key)(data_dir or default_data_dir())


@rotation_app.command("status")
def rotation_status(
    secret_id: SecretName = None,
    account: SecretAccount = None,
    region: LookupRegion = "us-east-1",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say where rotation stands, and why it failed; exit code 1 when a secret needs looking after."""
    from strongroom.cli.rotations import print_status

    with refusals():
        code = print_status(
            data_dir or default_data_dir(), secret_id, account_id=account, region=region, as_json=as_json
        )
    raise typer.Exit(code)


@rotation_app.command("history")
def rotation_history(
    secret_id: Annotated[str, typer.Argument(metavar="SECRET", help="The name or ARN of a secret.")],
    account: SecretAccount = None,
    region: LookupRegion = "us-east-1",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say how the last rotations of a secret ended."""
    from strongroom.cli.rotations import print_history

    with refusals():
        code = print_history(
            data_dir or default_data_dir(), secret_id, account_id=account, region=region, as_json=as_json
        )
    raise typer.Exit(code)


@rotation_app.command("calendar")
def rotation_calendar(
    days: Annotated[int, typer.Option(min=1, max=1000, help="How far to look ahead.")] = 90,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say which secret is going to be rotated when."""
    from strongroom.cli.rotation_calendar import print_calendar

    with refusals():
        code = print_calendar(data_dir or default_data_dir(), days=days, as_json=as_json)
    raise typer.Exit(code)


@rotation_app.command("check")
def rotation_check(
    secret_id: Annotated[str, typer.Argument(metavar="SECRET", help="The name or ARN of a secret.")],
    account: SecretAccount = None,
    region: LookupRegion = "us-east-1",
    superuser_at: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Where the superuser's password may be sent, as the secret's JSON has it: asked for until "
            "RotateSecret was called, unless the superuser secret names its target itself.",
        ),
    ] = None,
    root_key: RootKeySource = "",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say what a rotation would meet, changing nothing: it logs in to the target and looks at privileges."""
    from strongroom.cli.rotation_check import print_check

    with refusals():
        code = print_check(
            data_dir or default_data_dir(),
            secret_id,
            root_key=root_key,
            account_id=account,
            region=region,
            superuser_at=superuser_at,
            as_json=as_json,
        )
    raise typer.Exit(code)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"strongroom {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


def _given_access_key() -> tuple[str, str] | None:
    """Return the root access key from the environment, out of which it is taken."""
    names = ("STRONGROOM_ROOT_ACCESS_KEY_ID", "STRONGROOM_ROOT_SECRET_ACCESS_KEY")
    key_id, secret = (os.environ.pop(name, "") for name in names)
    if not key_id and not secret:
        return None
    if not key_id or not secret:
        typer.echo(f"strongroom: {names[0]} and {names[1]} go together; one of them is not set.", err=True)
        raise typer.Exit(Exit.USAGE)
    return key_id, secret


def _print_credentials(made: Any, region: str, *, as_json: bool) -> None:
    if as_json:
        import orjson

        fields = {
            "account_id": made.account_id,
            "access_key_id": made.access_key_id,
            "secret_access_key": made.secret_access_key,
        }
        typer.echo(orjson.dumps(fields).decode())
        return
    typer.echo(f"# account {made.account_id}; the secret access key is shown this once")
    typer.echo(f"export AWS_ACCESS_KEY_ID={shlex.quote(made.access_key_id)}")
    typer.echo(f"export AWS_SECRET_ACCESS_KEY={shlex.quote(made.secret_access_key)}")
    typer.echo(f"export AWS_DEFAULT_REGION={region}")


def main() -> None:
    """Run the command of `sys.argv`."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(Exit.FAILED)
