"""The authorization table over the wire: boto3 clients of two accounts against a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.dialogue import NO_KMS, a_person, allow, answered, denied, deny, fresh, refused, value_of
from support.policy_vectors import OWNER, Row, callers, rows
from support.running import REGION, Server
from support.vector_house import OTHER, House, house_of_the_table

GET = "secretsmanager:GetSecretValue"
ARTICLES = {"identity-based policy": "an"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of_the_table(tmp_path_factory.mktemp("house")) as furnished:
        yield furnished


def reason(row: Row) -> str:
    """Return the end of AWS's text for the refusal a row expects."""
    if callers()[row.caller]["account"] != row.request().resource_account:
        return ""
    if row.explicit:
        return f" with an explicit deny in {ARTICLES.get(row.layer, 'a')} {row.layer}"
    return f" because no {row.layer} allows the {GET} action"


@pytest.mark.parametrize("row", [row for row in rows() if row.members.get("wire")], ids=lambda row: row.name)
def test_a_row_of_the_authorization_table_over_the_wire(house: House, row: Row) -> None:
    assert row.request().action == GET
    assert house.true(row), "the row's context is not that of a call over the wire"
    outcome = house.call(row)
    if row.allowed:
        assert outcome is None
    else:
        assert outcome == denied(callers()[row.caller]["arn"], GET, house.secret_arn, reason(row))


# The cases people meet first


def test_without_decrypt_on_the_key_a_readable_secret_stays_closed(server: Server, secrets: Any) -> None:
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = fresh()
    secrets.create_secret(Name=name, SecretString="canary", KmsKeyId=key)
    person = a_person(server)
    client = person.client()
    person.may(allow("secretsmanager:*"), allow("kms:Encrypt", key))
    assert refused(client.get_secret_value, SecretId=name) == NO_KMS
    assert answered(client.batch_get_secret_value, SecretIdList=[name]) == {
        "SecretValues": [],
        "Errors": [{"SecretId": name, "ErrorCode": NO_KMS[0], "Message": NO_KMS[1]}],
    }
    person.may(allow("secretsmanager:*"), allow("kms:Decrypt", key))
    assert value_of(client, name) == "canary"
    client.close()


def test_the_default_key_opens_nothing_for_another_account(house: House) -> None:
    secrets = house.client("secretsmanager", OWNER)
    arn = secrets.create_secret(Name=fresh("default"), SecretString="canary")["ARN"]
    shared = {
        "Effect": "Allow",
        "Principal": {"AWS": OTHER},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    secrets.put_resource_policy(
        SecretId=arn, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [shared]})
    )
    elsewhere = house.client("secretsmanager", OTHER)
    assert refused(elsewhere.get_secret_value, SecretId=arn) == (
        "InvalidRequestException",
        "You can't access a secret from a different AWS account if you encrypt the secret with the default "
        "KMS service key.",
    )
    assert value_of(secrets, arn) == "canary"


def test_who_may_read_dev_reaches_for_prod_in_vain(server: Server, secrets: Any) -> None:
    dev, prod = fresh("dev"), fresh("prod")
    for name in (dev, prod):
        secrets.create_secret(Name=name, SecretString="canary")
    person = a_person(server)
    client = person.client()
    person.may(allow("secretsmanager:*", "arn:aws:secretsmanager:*:*:secret:dev/*"))
    assert value_of(client, dev) == "canary"
    for secret_id in (prod, secrets.describe_secret(SecretId=prod)["ARN"]):
        for action, call in (
            ("GetSecretValue", client.get_secret_value),
            ("DescribeSecret", client.describe_secret),
            ("DeleteSecret", client.delete_secret),
        ):
            assert refused(call, SecretId=secret_id) == denied(
                person.arn, f"secretsmanager:{action}", secret_id
            )
    assert refused(client.get_secret_value, SecretId="prod/not-there") == denied(
        person.arn, GET, "prod/not-there"
    ), "what is not there is told in the same words as what is"
    assert value_of(secrets, prod) == "canary"
    client.close()


def test_the_wrong_region_is_refused(server: Server, secrets: Any) -> None:
    name = fresh()
    there = server.client("secretsmanager", region="us-east-1")
    for client in (secrets, there):
        client.create_secret(Name=name, SecretString="canary")
    person = a_person(server)
    person.may(allow("secretsmanager:*", StringEquals={"aws:RequestedRegion": REGION}))
    here, elsewhere = person.client(), person.client(region="us-east-1")
    assert value_of(here, name) == "canary"
    assert refused(elsewhere.get_secret_value, SecretId=name) == denied(person.arn, GET, name)
    person.may(allow("secretsmanager:*"), deny("*", StringNotEquals={"aws:RequestedRegion": "us-east-1"}))
    assert refused(here.get_secret_value, SecretId=name) == denied(
        person.arn, GET, name, " with an explicit deny in an identity-based policy"
    )
    assert value_of(elsewhere, name) == "canary"
    for client in (here, elsewhere, there):
        client.close()


def test_a_revoked_role_reads_nothing_more(server: Server, secrets: Any) -> None:
    name, role = fresh(), fresh("role").replace("/", "-")
    arn = secrets.create_secret(Name=name, SecretString="canary")["ARN"]
    iam, person = server.client("iam"), a_person(server)
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"}],
    }
    may_read = json.dumps({"Version": "2012-10-17", "Statement": [allow(GET)]})
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=may_read)
    sts = person.client("sts")
    given = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="session")
    who = given["AssumedRoleUser"]["Arn"]
    session = _client_with(server, given)
    assert value_of(session, name) == "canary"
    # Its policy is taken away, and given back.
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    assert refused(session.get_secret_value, SecretId=name) == denied(who, GET, name)
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=may_read)
    assert value_of(session, name) == "canary"
    # Sessions made until now are revoked, as the console of IAM does it.
    revoking = deny("*", DateLessThan={"aws:TokenIssueTime": "2999-01-01T00:00:00Z"})
    iam.put_role_policy(
        RoleName=role,
        PolicyName="AWSRevokeOlderSessions",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [revoking]}),
    )
    assert refused(session.get_secret_value, SecretId=name) == denied(
        who, GET, name, " with an explicit deny in an identity-based policy"
    )
    iam.delete_role_policy(RoleName=role, PolicyName="AWSRevokeOlderSessions")
    assert value_of(session, name) == "canary"
    # The role goes, and comes again under its name: its sessions are nobody's, whatever the secret allows.
    grant = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": GET, "Resource": "*"}
    secrets.put_resource_policy(
        SecretId=name, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [grant]})
    )
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    assert value_of(session, name) == "canary"
    iam.delete_role(RoleName=role)
    code, _ = refused(session.get_secret_value, SecretId=arn)
    assert code in ("UnrecognizedClientException", "InvalidClientTokenId")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=may_read)
    assert refused(session.get_secret_value, SecretId=arn)[0] == code
    again = _client_with(server, sts.assume_role(RoleArn=made["Arn"], RoleSessionName="session"))
    assert value_of(again, name) == "canary"
    for client in (sts, session, again, iam):
        client.close()


def test_a_dev_role_reaches_for_prod_in_vain(house: House) -> None:
    row = next(row for row in rows() if row.members["id"] == "a dev role reaching for prod")
    assert row.members["wire"]
    who = callers()[row.caller]["arn"]
    assert house.call(row) == denied(who, GET, house.secret_arn)


def _client_with(server: Server, answer: Any) -> Any:
    given = answer["Credentials"]
    token = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return server.client("secretsmanager", credentials=token)
