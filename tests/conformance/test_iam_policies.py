"""Managed policies, identity providers, passwords and simulations over TCP, in the sequences Terraform and the
AWS CLI make; and that a changed default version holds at once in every worker. Source: fact sheet iam sections
1, 4 and 9 to 13; DESIGN promises 3 and 6.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support import web_issuer
from support.dialogue import (
    Person,
    a_person,
    allow,
    answered,
    canary,
    denied,
    deny,
    fresh,
    refused,
    until,
    value_of,
)
from support.running import STRONGROOM, Server, running
from support.signing import json_call, send

GET_VALUE = "secretsmanager:GetSecretValue"
SECRETS_READ_WRITE = "arn:aws:iam::aws:policy/SecretsManagerReadWrite"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
MANY = 24
"""Connections opened to meet both workers: that one gets none of them has a chance of about 1e-7."""


@pytest.fixture(scope="module")
def iam(server: Server) -> Iterator[Any]:
    client = server.client("iam", parameter_validation=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    return str(server.client("sts").get_caller_identity()["Account"])


@pytest.fixture
def person(server: Server) -> Person:
    return a_person(server)


@pytest.fixture
def secret(secrets: Any) -> str:
    made = fresh("guarded")
    secrets.create_secret(Name=made, SecretString="x")
    return made


def a_name(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def a_policy(iam: Any, *statements: dict[str, Any], name: str | None = None) -> str:
    made = iam.create_policy(PolicyName=name or a_name("policy"), PolicyDocument=document(*statements))
    return str(made["Policy"]["Arn"])


def test_terraform_aws_iam_policy(iam: Any, account: str) -> None:
    """Made, read, changed by new versions until the oldest has to go, and removed."""
    name, tags = a_name("app"), [{"Key": "team", "Value": "blue"}]
    read = document(allow(GET_VALUE))
    made = answered(
        iam.create_policy, PolicyName=name, Path="/apps/", PolicyDocument=read, Description="reads", Tags=tags
    )["Policy"]
    arn = f"arn:aws:iam::{account}:policy/apps/{name}"
    assert (made["Arn"], made["DefaultVersionId"], made["AttachmentCount"]) == (arn, "v1", 0)
    found = answered(iam.get_policy, PolicyArn=arn)["Policy"]
    assert (found["Description"], found["Tags"], found["PolicyId"]) == ("reads", tags, made["PolicyId"])
    version = answered(iam.get_policy_version, PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(read)
    assert version["IsDefaultVersion"] is True
    for number in range(2, 6):
        answered(
            iam.create_policy_version,
            PolicyArn=arn,
            PolicyDocument=document(allow(f"kms:Action{number}")),
            SetAsDefault=True,
        )
    refusal = refused(
        iam.create_policy_version, status=409, PolicyArn=arn, PolicyDocument=read, SetAsDefault=True
    )
    assert refusal == (
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
        "existing version.",
    )
    versions = answered(iam.list_policy_versions, PolicyArn=arn)["Versions"]
    oldest = min(
        versions,
        key=lambda each: (
            each["CreateDate"] if not each["IsDefaultVersion"] else dt.datetime.max.replace(tzinfo=dt.UTC)
        ),
    )
    answered(iam.delete_policy_version, PolicyArn=arn, VersionId=oldest["VersionId"])
    answered(iam.create_policy_version, PolicyArn=arn, PolicyDocument=read, SetAsDefault=True)
    assert answered(iam.get_policy, PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v6"
    answered(iam.tag_policy, PolicyArn=arn, Tags=[{"Key": "stage", "Value": "prod"}])
    answered(iam.untag_policy, PolicyArn=arn, TagKeys=["team"])
    assert answered(iam.list_policy_tags, PolicyArn=arn)["Tags"] == [{"Key": "stage", "Value": "prod"}]
    refusal = refused(iam.delete_policy, status=409, PolicyArn=arn)
    assert refusal[0] == "DeleteConflict"
    for each in answered(iam.list_policy_versions, PolicyArn=arn)["Versions"]:
        if not each["IsDefaultVersion"]:
            answered(iam.delete_policy_version, PolicyArn=arn, VersionId=each["VersionId"])
    answered(iam.delete_policy, PolicyArn=arn)
    gone = ("NoSuchEntity", f"Policy {arn} was not found.")
    assert refused(iam.get_policy, status=404, PolicyArn=arn) == gone
    assert refused(iam.delete_policy, status=404, PolicyArn=arn) == gone


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (document({**allow("*"), "Principal": "*"}), "Policy document should not specify a principal."),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (
            document(allow("GetSecretValue")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document(allow("*", "secret:x")), 'Resource secret:x must be in ARN format or "*".'),
    ],
)
def test_malformed_documents(iam: Any, account: str, written: str, message: str) -> None:
    name = a_name("bad")
    refusal = refused(iam.create_policy, PolicyName=name, PolicyDocument=written)
    assert refusal == ("MalformedPolicyDocument", message)
    arn = f"arn:aws:iam::{account}:policy/{name}"
    assert refused(iam.get_policy, status=404, PolicyArn=arn)[0] == "NoSuchEntity"


def test_terraform_attachments_of_a_user_a_group_and_a_role(iam: Any, person: Person) -> None:
    group, role = a_name("group"), a_name("role")
    trust = document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"})
    iam.create_group(GroupName=group)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    arn = a_policy(iam, allow(GET_VALUE))
    holders = (
        ("user", {"UserName": person.name}),
        ("group", {"GroupName": group}),
        ("role", {"RoleName": role}),
    )
    for kind, named in holders:
        attach = getattr(iam, f"attach_{kind}_policy")
        listing = getattr(iam, f"list_attached_{kind}_policies")
        for each in (arn, READ_ONLY):
            answered(attach, **named, PolicyArn=each)
        attached = [each["PolicyArn"] for each in answered(listing, **named)["AttachedPolicies"]]
        assert sorted(attached) == sorted([arn, READ_ONLY])
    found = answered(iam.list_entities_for_policy, PolicyArn=arn)
    assert [each["UserName"] for each in found["PolicyUsers"]] == [person.name]
    assert [each["GroupName"] for each in found["PolicyGroups"]] == [group]
    assert [each["RoleName"] for each in found["PolicyRoles"]] == [role]
    assert answered(iam.get_policy, PolicyArn=arn)["Policy"]["AttachmentCount"] == 3
    in_use = ("DeleteConflict", "Cannot delete a policy attached to entities.")
    assert refused(iam.delete_policy, status=409, PolicyArn=arn) == in_use
    left = ("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    assert refused(iam.delete_role, status=409, RoleName=role) == left
    assert refused(iam.delete_group, status=409, GroupName=group) == left
    for kind, named in holders:
        detach = getattr(iam, f"detach_{kind}_policy")
        for each in (arn, READ_ONLY):
            answered(detach, **named, PolicyArn=each)
        gone = ("NoSuchEntity", f"Policy {arn} was not found.")
        assert refused(detach, status=404, **named, PolicyArn=arn) == gone
    for operation, named in ((iam.delete_role, {"RoleName": role}), (iam.delete_group, {"GroupName": group})):
        answered(operation, **named)
    answered(iam.delete_policy, PolicyArn=arn)


def test_the_policies_data_source_pages_through_all(iam: Any) -> None:
    arns = {a_policy(iam, allow("kms:*")) for _ in range(5)}
    pages = list(iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 3}))
    seen = [each["Arn"] for page in pages for each in page["Policies"]]
    assert len(seen) == len(set(seen))
    assert arns | {SECRETS_READ_WRITE, READ_ONLY} <= set(seen)
    local = [each["Arn"] for each in answered(iam.list_policies, Scope="Local", MaxItems=1000)["Policies"]]
    assert arns <= set(local)
    assert SECRETS_READ_WRITE not in local
    for arn in arns:
        iam.delete_policy(PolicyArn=arn)


def test_aws_managed_policies_decide(iam: Any, person: Person, secret: str) -> None:
    client = person.client()
    iam.attach_user_policy(UserName=person.name, PolicyArn=READ_ONLY)
    answered(client.describe_secret, SecretId=secret)
    assert refused(client.get_secret_value, SecretId=secret) == denied(person.arn, GET_VALUE, secret)
    iam.attach_user_policy(UserName=person.name, PolicyArn=SECRETS_READ_WRITE)
    assert value_of(client, secret) == "x"
    iam.detach_user_policy(UserName=person.name, PolicyArn=SECRETS_READ_WRITE)
    assert refused(client.get_secret_value, SecretId=secret) == denied(person.arn, GET_VALUE, secret)
    refusal = refused(
        iam.create_policy_version, status=403, PolicyArn=READ_ONLY, PolicyDocument=document(allow("*"))
    )
    assert refusal[0] == "AccessDenied"
    client.close()


def outcomes(server: Server, person: Person, secret: str) -> set[Any]:
    """Read the secret over many connections; return the distinct outcomes."""

    def read(_: int) -> Any:
        call = json_call(server, "GetSecretValue", {"SecretId": secret}, credentials=person.credentials)
        return send(server, call)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(read, range(MANY)))
    return {answer.json["SecretString"] if answer.status == 200 else answer.status for answer in answers}


def test_another_default_version_holds_at_once_in_every_worker(
    server: Server, iam: Any, person: Person, secret: str
) -> None:
    arn = a_policy(iam, allow(GET_VALUE))
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(deny(GET_VALUE)))
    iam.attach_user_policy(UserName=person.name, PolicyArn=arn)
    assert outcomes(server, person, secret) == {"x"}
    for _ in range(2):
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
        assert outcomes(server, person, secret) == {400}
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        assert outcomes(server, person, secret) == {"x"}
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("kms:*")), SetAsDefault=True)
    assert outcomes(server, person, secret) == {400}
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert outcomes(server, person, secret) == {"x"}
    iam.detach_user_policy(UserName=person.name, PolicyArn=arn)
    assert outcomes(server, person, secret) == {400}


def test_who_attaches_what_can_be_limited(iam: Any, person: Person) -> None:
    """A helper that may hand out one policy cannot make itself an administrator."""
    arn = a_policy(iam, allow(GET_VALUE))
    person.may(allow("iam:AttachUserPolicy", ArnEquals={"iam:PolicyARN": arn}))
    helper = person.client("iam")
    answered(helper.attach_user_policy, UserName=person.name, PolicyArn=arn)
    refusal = refused(
        helper.attach_user_policy,
        status=403,
        UserName=person.name,
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    )
    expected = denied(person.arn, "iam:AttachUserPolicy", f"user {person.name}")[1]
    assert refusal == ("AccessDenied", expected)
    attached = answered(iam.list_attached_user_policies, UserName=person.name)["AttachedPolicies"]
    assert [each["PolicyArn"] for each in attached] == [arn]
    helper.close()


def test_a_simulation_says_what_calls_then_do(iam: Any, person: Person, secrets: Any, secret: str) -> None:
    arn = secrets.describe_secret(SecretId=secret)["ARN"]
    person.may(
        allow("secretsmanager:*"), deny(GET_VALUE, StringEquals={"secretsmanager:VersionStage": "OLD"})
    )
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=person.arn,
        ActionNames=[GET_VALUE, "kms:Decrypt"],
        ResourceArns=[arn],
        PaginationConfig={"PageSize": 1},
    )
    found = {each["EvalActionName"]: each for page in pages for each in page["EvaluationResults"]}
    assert found[GET_VALUE]["EvalDecision"] == "allowed"
    assert found[GET_VALUE]["MissingContextValues"] == ["secretsmanager:VersionStage"]
    assert found["kms:Decrypt"]["EvalDecision"] == "implicitDeny"
    old = {
        "ContextKeyName": "secretsmanager:VersionStage",
        "ContextKeyType": "string",
        "ContextKeyValues": ["OLD"],
    }
    (simulated,) = answered(
        iam.simulate_principal_policy,
        PolicySourceArn=person.arn,
        ActionNames=[GET_VALUE],
        ResourceArns=[arn],
        ContextEntries=[old],
    )["EvaluationResults"]
    assert simulated["EvalDecision"] == "explicitDeny"
    client = person.client()
    assert value_of(client, secret) == "x"
    refusal = refused(client.get_secret_value, SecretId=secret, VersionStage="OLD")
    assert refusal == denied(
        person.arn, GET_VALUE, secret, " with an explicit deny in an identity-based policy"
    )
    keys = answered(iam.get_context_keys_for_principal_policy, PolicySourceArn=person.arn)
    assert keys["ContextKeyNames"] == ["secretsmanager:VersionStage"]
    client.close()


def test_terraform_account_resources(iam: Any, account: str) -> None:
    alias = a_name("alias")
    answered(iam.create_account_alias, AccountAlias=alias)
    assert answered(iam.list_account_aliases)["AccountAliases"] == [alias]
    answered(iam.delete_account_alias, AccountAlias=alias)
    assert answered(iam.list_account_aliases)["AccountAliases"] == []
    answered(iam.update_account_password_policy, MinimumPasswordLength=12, RequireSymbols=True)
    found = answered(iam.get_account_password_policy)["PasswordPolicy"]
    assert (found["MinimumPasswordLength"], found["RequireSymbols"], found["ExpirePasswords"]) == (
        12,
        True,
        False,
    )
    answered(iam.delete_account_password_policy)
    missing = ("NoSuchEntity", f"The Password Policy with domain name {account} cannot be found.")
    assert refused(iam.get_account_password_policy, status=404) == missing
    summary = answered(iam.get_account_summary)["SummaryMap"]
    assert summary["AccountAccessKeysPresent"] == 1
    assert summary["Policies"] == len(answered(iam.list_policies, Scope="Local", MaxItems=1000)["Policies"])


def test_when_a_key_was_last_used(iam: Any, person: Person) -> None:
    def used() -> dict[str, Any]:
        found: dict[str, Any] = answered(iam.get_access_key_last_used, AccessKeyId=person.access_key_id)
        assert found["UserName"] == person.name
        return found["AccessKeyLastUsed"]

    assert used() == {"ServiceName": "N/A", "Region": "N/A"}
    sts = person.client("sts")
    sts.get_caller_identity()
    after = until(lambda: used() if "LastUsedDate" in used() else None)
    assert (after["ServiceName"], after["Region"]) == ("sts", "eu-central-1")
    assert abs(dt.datetime.now(dt.UTC) - after["LastUsedDate"]) < dt.timedelta(minutes=2)
    sts.close()


def test_passwords_are_set_changed_and_nowhere_to_be_read(server: Server, iam: Any, person: Person) -> None:
    first, second = f"{canary()}-A1!", f"{canary()}-B2!"
    answered(iam.create_login_profile, UserName=person.name, Password=first, PasswordResetRequired=True)
    assert (
        answered(iam.get_login_profile, UserName=person.name)["LoginProfile"]["PasswordResetRequired"] is True
    )
    own = "arn:aws:iam::*:user/${aws:username}"
    person.may(allow("iam:ChangePassword", own))
    client = person.client("iam")
    wrong = refused(client.change_password, status=403, OldPassword=second, NewPassword=first)
    assert wrong == ("AccessDenied", "The old password was incorrect.")
    answered(client.change_password, OldPassword=first, NewPassword=second)
    assert (
        refused(client.change_password, status=403, OldPassword=first, NewPassword=second)[0]
        == "AccessDenied"
    )
    answered(iam.delete_login_profile, UserName=person.name)
    assert first not in server.log()
    assert second not in server.log()
    client.close()


def test_terraform_aws_iam_openid_connect_provider(iam: Any, account: str) -> None:
    host = f"{a_name('idp')}.example"
    made = answered(
        iam.create_open_id_connect_provider,
        Url=f"https://{host}",
        ClientIDList=["sts.amazonaws.com"],
        ThumbprintList=["a" * 40],
        Tags=[{"Key": "a", "Value": "b"}],
    )
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{account}:oidc-provider/{host}"
    answered(
        iam.update_open_id_connect_provider_thumbprint,
        OpenIDConnectProviderArn=arn,
        ThumbprintList=["b" * 40],
    )
    answered(iam.add_client_id_to_open_id_connect_provider, OpenIDConnectProviderArn=arn, ClientID="extra")
    answered(
        iam.remove_client_id_from_open_id_connect_provider,
        OpenIDConnectProviderArn=arn,
        ClientID="sts.amazonaws.com",
    )
    found = answered(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)
    found.pop("CreateDate")
    assert found == {
        "Url": host,
        "ClientIDList": ["extra"],
        "ThumbprintList": ["b" * 40],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert {"Arn": arn} in answered(iam.list_open_id_connect_providers)["OpenIDConnectProviderList"]
    answered(iam.delete_open_id_connect_provider, OpenIDConnectProviderArn=arn)
    gone = ("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}")
    assert refused(iam.get_open_id_connect_provider, status=404, OpenIDConnectProviderArn=arn) == gone


def test_keys_given_on_the_command_line_hold_at_once(tmp_path: Path) -> None:
    """A cluster whose issuer the server cannot reach: its keys are given by hand, and changed by hand."""
    data_dir = tmp_path / "data"
    arguments = ["--data-dir", str(data_dir), "--root-key", f"file:{tmp_path / 'root.key'}", "--workers", "2"]
    with running(arguments, tmp_path / "log") as server:
        iam, sts = server.client("iam"), server.client("sts")
        made = iam.create_open_id_connect_provider(
            Url=f"https://{web_issuer.ISSUER}", ClientIDList=[web_issuer.AUDIENCE]
        )
        arn = made["OpenIDConnectProviderArn"]
        trust = document(
            {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"}
        )
        role = iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust)["Role"]["Arn"]

        def given(which: str) -> None:
            file = tmp_path / "keys.json"
            file.write_text(json.dumps(web_issuer.key_set(web_issuer.rsa_jwk(web_issuer.rsa_key(which)))))
            command = [STRONGROOM, "oidc", "keys", arn, "--jwks", str(file), "--data-dir", str(data_dir)]
            run = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert (run.returncode, run.stdout) == (0, "Tokens are verified by 1 given key.\n"), run.stderr

        def assume() -> dict[str, Any]:
            token = web_issuer.sign(web_issuer.claims(dt.datetime.now(dt.UTC)), web_issuer.rsa_key("first"))
            return answered(
                sts.assume_role_with_web_identity,
                RoleArn=role,
                RoleSessionName="session",
                WebIdentityToken=token,
            )

        given("first")
        assert assume()["Provider"] == arn
        given("second")
        token = web_issuer.sign(web_issuer.claims(dt.datetime.now(dt.UTC)), web_issuer.rsa_key("first"))
        refusal = refused(
            sts.assume_role_with_web_identity, RoleArn=role, RoleSessionName="session", WebIdentityToken=token
        )
        assert refusal[0] == "InvalidIdentityToken"
        given("first")
        assert assume()["Provider"] == arn
        iam.close()
        sts.close()
