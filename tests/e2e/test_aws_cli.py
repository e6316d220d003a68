"""The AWS CLI as people have it, a process per call: every Secrets Manager operation once with success and
once with an error in the CLI's own words, and what is needed of IAM, STS and KMS beside it.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from support.dialogue import canary, fresh, until
from support.running import REGION
from support.tenants import Tenant, two_accounts

AWS = str(Path(sys.executable).with_name("aws"))
NEWER_MODELS = str(Path(botocore.__file__).with_name("data"))
"""The CLI brings models of its own, which may be older than the SDK's and then lack its newest operations."""
REFUSED = 255
"""The exit code of version 1 for every error a service answers."""
ABSENT = "there-is-no-such-secret"
NOT_FOUND = "Secrets Manager can't find the specified secret."
MODEL = ServiceModel(Loader().load_service_model("secretsmanager", "service-2"), "secretsmanager")
OPERATIONS = frozenset(MODEL.operation_names)


@dataclass
class Cli:
    """The CLI with the credentials of one principal."""

    tenant: Tenant
    region: str = REGION
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    succeeded: set[str] = field(default_factory=set)
    """Operations that succeeded, by their API names."""

    def run(self, service: str, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        key_id, secret = self.credentials or self.tenant.credentials
        environment = {
            **self.tenant.server.environment(self.region),
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DATA_PATH": NEWER_MODELS,
        }
        return subprocess.run(
            [AWS, service, command, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def call(self, service: str, command: str, *arguments: str) -> Any:
        """Return what a successful command prints, from JSON; None when it prints nothing."""
        done = self.run(service, command, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        self.succeeded.add(_operation(command))
        return json.loads(done.stdout) if done.stdout else None

    def secrets(self, command: str, *arguments: str) -> Any:
        return self.call("secretsmanager", command, *arguments)

    def refusal(self, service: str, command: str, *arguments: str) -> str:
        """Return what a refused command says."""
        done = self.run(service, command, *arguments)
        assert (done.returncode, done.stdout) == (REFUSED, ""), done
        return done.stderr

    def elsewhere(self, region: str) -> Cli:
        return Cli(self.tenant, region, self.credentials, self.succeeded)


def _operation(command: str) -> str:
    return "".join(word.capitalize() for word in command.split("-"))


def _says(operation: str, code: str, message: str) -> str:
    return f"\nAn error occurred ({code}) when calling the {operation} operation: {message}\n"


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tenant, Tenant]]:
    with two_accounts(tmp_path_factory.mktemp("cli")) as both:
        yield both


@pytest.fixture
def cli(tenants: tuple[Tenant, Tenant]) -> Cli:
    return Cli(tenants[0])


@pytest.fixture
def there(tenants: tuple[Tenant, Tenant], cli: Cli) -> Cli:
    """The second account's; its successes count with the first's."""
    return Cli(tenants[1], succeeded=cli.succeeded)


# Success


def _values(cli: Cli, there: Cli) -> None:
    name, first, second = fresh("cli"), canary(), canary()
    made = cli.secrets("create-secret", "--name", name, "--secret-string", first, "--description", "by hand")
    assert set(made) == {"ARN", "Name", "VersionId"}
    got = cli.secrets("get-secret-value", "--secret-id", made["ARN"])
    assert got.pop("CreatedDate")
    assert got == {**made, "SecretString": first, "VersionStages": ["AWSCURRENT"]}
    put = cli.secrets(
        "put-secret-value", "--secret-id", name, "--secret-string", second, "--version-stages", "NEXT"
    )
    assert put == {
        "ARN": made["ARN"],
        "Name": name,
        "VersionId": put["VersionId"],
        "VersionStages": ["NEXT"],
    }
    assert cli.secrets(
        "update-secret-version-stage",
        *("--secret-id", name, "--version-stage", "AWSCURRENT"),
        *("--move-to-version-id", put["VersionId"], "--remove-from-version-id", made["VersionId"]),
    ) == {"ARN": made["ARN"], "Name": name}
    listed = cli.secrets("list-secret-version-ids", "--secret-id", name)["Versions"]
    assert {each["VersionId"]: each["VersionStages"] for each in listed} == {
        made["VersionId"]: ["AWSPREVIOUS"],
        put["VersionId"]: ["AWSCURRENT", "NEXT"],
    }
    batch = cli.secrets("batch-get-secret-value", "--secret-id-list", name, ABSENT)
    assert [each["SecretString"] for each in batch["SecretValues"]] == [second]
    assert batch["Errors"] == [
        {"SecretId": ABSENT, "ErrorCode": "ResourceNotFoundException", "Message": NOT_FOUND}
    ]
    assert cli.secrets("update-secret", "--secret-id", name, "--description", "changed") == {
        "ARN": made["ARN"],
        "Name": name,
    }
    # No value has come anywhere near the operator's log.
    log = cli.tenant.server.log()
    assert first not in log
    assert second not in log


def _rotated(cli: Cli, name: str) -> dict[str, Any] | None:
    described: dict[str, Any] = cli.secrets("describe-secret", "--secret-id", name)
    return described if "LastRotatedDate" in described else None


def _life(cli: Cli, there: Cli) -> None:
    name = fresh("cli")
    value = '{"engine": "random", "password": "first"}'
    arn = cli.secrets("create-secret", "--name", name, "--secret-string", value)["ARN"]
    assert cli.secrets("tag-resource", "--secret-id", name, "--tags", "Key=team,Value=blue") is None
    assert cli.secrets("describe-secret", "--secret-id", name)["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert cli.secrets("untag-resource", "--secret-id", name, "--tag-keys", "team") is None
    deleted = cli.secrets("delete-secret", "--secret-id", name, "--recovery-window-in-days", "7")
    assert (deleted["ARN"], deleted["Name"]) == (arn, name)
    described = cli.secrets("describe-secret", "--secret-id", name)
    assert described["Tags"] == []
    assert described["DeletedDate"]
    assert cli.secrets("restore-secret", "--secret-id", name) == {"ARN": arn, "Name": name}
    listed = cli.secrets("list-secrets", "--filters", f"Key=name,Values={name}")["SecretList"]
    assert [each["ARN"] for each in listed] == [arn]
    rules = '{"ScheduleExpression":"rate(10 days)","Duration":"3h"}'
    token = str(uuid.uuid4())
    assert cli.secrets(
        "rotate-secret",
        *("--secret-id", name, "--rotation-rules", rules, "--client-request-token", token),
    ) == {"ARN": arn, "Name": name, "VersionId": token}
    rotated = until(lambda: _rotated(cli, name))
    assert rotated["RotationEnabled"] is True
    assert rotated["VersionIdsToStages"][token] == ["AWSCURRENT"]
    assert cli.secrets("cancel-rotate-secret", "--secret-id", name) == {"ARN": arn, "Name": name}
    assert cli.secrets("describe-secret", "--secret-id", name)["RotationEnabled"] is False
    password = cli.secrets("get-random-password", "--password-length", "20", "--exclude-punctuation")
    assert len(password["RandomPassword"]) == 20
    assert password["RandomPassword"].isalnum()


def _policies(cli: Cli, there: Cli) -> None:
    name = fresh("cli")
    arn = cli.secrets("create-secret", "--name", name)["ARN"]
    named = {"ARN": arn, "Name": name, "PolicyName": "default"}
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": there.tenant.root},
                "Action": "secretsmanager:DescribeSecret",
                "Resource": "*",
            },
        }
    )
    policy = ("--secret-id", name, "--resource-policy", document)
    assert cli.secrets("validate-resource-policy", *policy) == {
        "PolicyValidationPassed": True,
        "ValidationErrors": [],
    }
    assert cli.secrets("put-resource-policy", *policy, "--block-public-policy") == named
    assert cli.secrets("get-resource-policy", "--secret-id", name) == {**named, "ResourcePolicy": document}
    assert cli.secrets("list-resource-policies", "--secret-id", name) == {
        "ResourcePolicies": [{"PolicyName": "default"}]
    }
    assert there.secrets("describe-secret", "--secret-id", arn)["Name"] == name
    assert cli.secrets("delete-resource-policy", "--secret-id", name) == named
    assert there.refusal("secretsmanager", "describe-secret", "--secret-id", arn) == _says(
        "DescribeSecret",
        "AccessDeniedException",
        f"User: {there.tenant.root} is not authorized to perform: secretsmanager:DescribeSecret "
        f"on resource: {arn}",
    )


def _replicas(cli: Cli, there: Cli) -> None:
    name, value = fresh("cli"), canary()
    arn = cli.secrets("create-secret", "--name", name, "--secret-string", value)["ARN"]
    answer = cli.secrets(
        "replicate-secret-to-regions",
        *("--secret-id", name, "--add-replica-regions", "Region=eu-west-1", "Region=eu-north-1"),
    )
    assert [(each["Region"], each["Status"]) for each in answer["ReplicationStatus"]] == [
        ("eu-west-1", "InSync"),
        ("eu-north-1", "InSync"),
    ]
    west = cli.elsewhere("eu-west-1")
    assert west.secrets("get-secret-value", "--secret-id", name)["SecretString"] == value
    promoted = west.secrets("stop-replication-to-replica", "--secret-id", name)
    assert promoted == {"ARN": arn.replace(REGION, "eu-west-1")}
    left = cli.secrets(
        "remove-regions-from-replication", "--secret-id", name, "--remove-replica-regions", "eu-north-1"
    )
    assert left == {"ARN": arn, "ReplicationStatus": []}


def _accounts(cli: Cli, there: Cli) -> None:
    value = canary()
    primary = cli.secrets("create-secret", "--name", fresh("cli"), "--secret-string", value)["ARN"]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": there.tenant.root}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": cli.tenant.root}, "Action": "kms:Encrypt", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    key = there.call("kms", "create-key", "--policy", policy)["KeyMetadata"]["Arn"]
    replica = there.secrets(
        "create-secret",
        *("--name", fresh("cli"), "--kms-key-id", key, "--cross-account-primary-arn", primary),
    )["ARN"]
    both = ("--secret-id", primary, "--cross-account-replica-arn", replica)
    assert cli.secrets("associate-cross-account-replica", *both) == {
        "ARN": primary,
        "CrossAccountReplicaARN": replica,
        "ReplicationStatus": "InSync",
    }
    assert there.secrets("get-secret-value", "--secret-id", replica)["SecretString"] == value
    assert cli.secrets("disassociate-cross-account-replica", *both) == {
        "ARN": primary,
        "CrossAccountReplicaARN": replica,
    }


STORIES: Mapping[Callable[[Cli, Cli], None], frozenset[str]] = {
    _values: frozenset(
        (
            "BatchGetSecretValue",
            "CreateSecret",
            "GetSecretValue",
            "ListSecretVersionIds",
            "PutSecretValue",
            "UpdateSecret",
            "UpdateSecretVersionStage",
        )
    ),
    _life: frozenset(
        (
            "CancelRotateSecret",
            "DeleteSecret",
            "DescribeSecret",
            "GetRandomPassword",
            "ListSecrets",
            "RestoreSecret",
            "RotateSecret",
            "TagResource",
            "UntagResource",
        )
    ),
    _policies: frozenset(
        (
            "DeleteResourcePolicy",
            "GetResourcePolicy",
            "ListResourcePolicies",
            "PutResourcePolicy",
            "ValidateResourcePolicy",
        )
    ),
    _replicas: frozenset(
        ("RemoveRegionsFromReplication", "ReplicateSecretToRegions", "StopReplicationToReplica")
    ),
    _accounts: frozenset(("AssociateCrossAccountReplica", "DisassociateCrossAccountReplica")),
}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.strip("_"))
def test_operations_succeed(story: Callable[[Cli, Cli], None], cli: Cli, there: Cli) -> None:
    story(cli, there)
    assert cli.succeeded >= STORIES[story]


def test_every_operation_is_in_a_story_and_has_an_error() -> None:
    assert frozenset().union(*STORIES.values()) == OPERATIONS
    assert {_operation(command) for command in ERRORS} == OPERATIONS


# Errors

ERRORS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "associate-cross-account-replica": (
        ("--secret-id", ABSENT, "--cross-account-replica-arn", f"arn:aws:secretsmanager:{REGION}:x:secret:a"),
        "ResourceNotFoundException",
        NOT_FOUND,
    ),
    "batch-get-secret-value": (
        (),
        "InvalidParameterException",
        "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
    ),
    "cancel-rotate-secret": (
        ("--secret-id", "{unrotated}"),
        "InvalidRequestException",
        "You can't cancel rotation for this secret because rotation has never been configured for it.",
    ),
    "create-secret": (
        ("--name", "{plain}", "--secret-string", "y"),
        "ResourceExistsException",
        "The operation failed because the secret {plain} already exists.",
    ),
    "delete-resource-policy": (
        ("--secret-id", "{plain}", "--policy-name", "other"),
        "InvalidParameterException",
        "You can only attach or delete the resource policy named default.",
    ),
    "delete-secret": (
        ("--secret-id", "{plain}", "--recovery-window-in-days", "31"),
        "InvalidParameterException",
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
    ),
    "describe-secret": (("--secret-id", ABSENT), "ResourceNotFoundException", NOT_FOUND),
    "disassociate-cross-account-replica": (
        ("--secret-id", ABSENT, "--cross-account-replica-arn", f"arn:aws:secretsmanager:{REGION}:x:secret:a"),
        "ResourceNotFoundException",
        NOT_FOUND,
    ),
    "get-random-password": (
        ("--password-length", "3"),
        "InvalidParameterException",
        "Password length is too short based on the required types.",
    ),
    "get-resource-policy": (
        ("--secret-id", "{plain}", "--policy-name", "other"),
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified resource policy.",
    ),
    "get-secret-value": (
        ("--secret-id", "{plain}", "--version-stage", "NEVER"),
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: NEVER",
    ),
    "list-resource-policies": (
        ("--secret-id", "{plain}", "--next-token", "made-up"),
        "InvalidNextTokenException",
        "The NextToken value is invalid.",
    ),
    "list-secret-version-ids": (("--secret-id", ABSENT), "ResourceNotFoundException", NOT_FOUND),
    "list-secrets": (
        ("--next-token", "made-up"),
        "InvalidNextTokenException",
        "The NextToken value is invalid.",
    ),
    "put-resource-policy": (
        ("--secret-id", "{plain}", "--resource-policy", "{{}}"),
        "MalformedPolicyDocumentException",
        "This resource policy contains a syntax error.",
    ),
    "put-secret-value": (
        ("--secret-id", "{plain}"),
        "InvalidRequestException",
        "You must provide either SecretString or SecretBinary.",
    ),
    "remove-regions-from-replication": (
        ("--secret-id", "{plain}", "--remove-replica-regions", "eu-west-1"),
        "InvalidParameterException",
        "The secret isn't replicated to the Region eu-west-1.",
    ),
    "replicate-secret-to-regions": (
        ("--secret-id", "{plain}", "--add-replica-regions", f"Region={REGION}"),
        "InvalidParameterException",
        "Invalid replica region.",
    ),
    "restore-secret": (("--secret-id", ABSENT), "ResourceNotFoundException", NOT_FOUND),
    "rotate-secret": (
        ("--secret-id", "{unrotated}"),
        "InvalidRequestException",
        "No Lambda rotation function ARN is associated with this secret.",
    ),
    "stop-replication-to-replica": (
        ("--secret-id", "{plain}"),
        "InvalidRequestException",
        "You can't stop replication to this secret because it isn't a replica.",
    ),
    "tag-resource": (
        ("--secret-id", "{marked}", "--tags", "Key=a,Value=b"),
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    ),
    "untag-resource": (
        ("--secret-id", "no spaces", "--tag-keys", "a"),
        "ValidationException",
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: "
        "-/_+=.@!",
    ),
    "update-secret": (
        ("--secret-id", "{marked}", "--description", "x"),
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    ),
    "update-secret-version-stage": (
        ("--secret-id", "{plain}", "--version-stage", "AWSCURRENT", "--remove-from-version-id", "{version}"),
        "InvalidParameterException",
        "You can only move staging label AWSCURRENT to a different secret version. It can’t be completely "
        "removed.",
    ),
    "validate-resource-policy": (
        ("--secret-id", ABSENT, "--resource-policy", "{{}}"),
        "ResourceNotFoundException",
        NOT_FOUND,
    ),
}


def _pictures(client: Any, names: Mapping[str, str]) -> list[Any]:
    found = [client.describe_secret(SecretId=names[each]) for each in ("plain", "unrotated", "marked")]
    return [{key: value for key, value in each.items() if key != "ResponseMetadata"} for each in found]


@pytest.fixture(scope="module")
def refusals(tenants: tuple[Tenant, Tenant]) -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """Every failing command has been run; what each said, and the names that stand in the table."""
    client = tenants[0].client()
    names = {each: fresh("cli") for each in ("plain", "unrotated", "marked")}
    for name in names.values():
        made = client.create_secret(Name=name, SecretString="x")
        names = {**names, "version": made["VersionId"]} if name == names["plain"] else names
    client.delete_secret(SecretId=names["marked"])
    before = _pictures(client, names)
    cli = Cli(tenants[0])

    def refuse(command: str) -> str:
        arguments = [each.format(**names) for each in ERRORS[command][0]]
        return cli.refusal("secretsmanager", command, *arguments)

    with ThreadPoolExecutor(4) as pool:
        said = dict(zip(ERRORS, pool.map(refuse, ERRORS), strict=True))
    # None of them changed anything.
    assert _pictures(client, names) == before
    client.close()
    yield said, names


@pytest.mark.parametrize("command", ERRORS)
def test_an_error_is_told_in_the_clis_words(
    refusals: tuple[Mapping[str, str], Mapping[str, str]], command: str
) -> None:
    said, names = refusals
    _, code, message = ERRORS[command]
    assert said[command] == _says(_operation(command), code, message.format(**names))


# The services beside it


def test_users_and_their_policies_are_made_with_the_cli(cli: Cli) -> None:
    root = cli.tenant
    assert cli.call("sts", "get-caller-identity") == {
        "UserId": root.account_id,
        "Account": root.account_id,
        "Arn": root.root,
    }
    name, value = f"cli-{uuid.uuid4().hex[:12]}", canary()
    secret = fresh("cli")
    cli.secrets("create-secret", "--name", secret, "--secret-string", value)
    arn = cli.call("iam", "create-user", "--user-name", name)["User"]["Arn"]
    key = cli.call("iam", "create-access-key", "--user-name", name)["AccessKey"]
    user = Cli(root, credentials=(key["AccessKeyId"], key["SecretAccessKey"]))
    assert user.call("sts", "get-caller-identity")["Arn"] == arn
    action = "secretsmanager:GetSecretValue"
    assert user.refusal("secretsmanager", "get-secret-value", "--secret-id", secret) == _says(
        "GetSecretValue",
        "AccessDeniedException",
        f"User: {arn} is not authorized to perform: {action} on resource: {secret} because no "
        f"identity-based policy allows the {action} action",
    )
    statement = {
        "Effect": "Allow",
        "Action": action,
        "Resource": f"arn:aws:secretsmanager:*:*:secret:{secret}-*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    policy = ("--user-name", name, "--policy-name", "reads", "--policy-document", document)
    assert cli.call("iam", "put-user-policy", *policy) is None
    assert user.secrets("get-secret-value", "--secret-id", secret)["SecretString"] == value
    assert user.refusal("iam", "create-user", "--user-name", "more") == _says(
        "CreateUser",
        "AccessDenied",
        f"User: {arn} is not authorized to perform: iam:CreateUser on resource: "
        f"arn:aws:iam::{root.account_id}:user/more because no identity-based policy allows the "
        "iam:CreateUser action",
    )
    assert cli.refusal("iam", "create-user", "--user-name", name) == _says(
        "CreateUser", "EntityAlreadyExists", f"User with name {name} already exists."
    )


def test_keys_are_made_and_used_with_the_cli(cli: Cli, tmp_path: Path) -> None:
    metadata = cli.call("kms", "create-key", "--description", "for the CLI")["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Description"]) == ("Enabled", "for the CLI")
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(b"\x00 what is sealed \xff")
    context = ("--encryption-context", "Purpose=test")
    encrypted = cli.call(
        "kms", "encrypt", "--key-id", metadata["KeyId"], "--plaintext", f"fileb://{plain}", *context
    )
    assert encrypted["KeyId"] == metadata["Arn"]
    sealed.write_bytes(_decoded(encrypted["CiphertextBlob"]))
    opened = cli.call("kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", *context)
    assert _decoded(opened["Plaintext"]) == plain.read_bytes()
    assert cli.refusal("kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}") == _says(
        "Decrypt", "InvalidCiphertextException", ""
    )
    assert cli.refusal(
        "kms", "encrypt", "--key-id", "alias/nothing", "--plaintext", f"fileb://{plain}"
    ) == _says(
        "Encrypt",
        "NotFoundException",
        f"Alias arn:aws:kms:{REGION}:{cli.tenant.account_id}:alias/nothing is not found.",
    )


def test_a_wrong_secret_access_key_is_told(cli: Cli) -> None:
    stranger = Cli(cli.tenant, credentials=(cli.tenant.credentials[0], "not-the-secret-access-key"))
    assert stranger.refusal("sts", "get-caller-identity").startswith(
        "\nAn error occurred (SignatureDoesNotMatch) when calling the GetCallerIdentity operation: "
        "The request signature we calculated does not match the signature you provided."
    )


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
