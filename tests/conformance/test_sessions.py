"""Temporary credentials over TCP: taken, used, tampered with, revoked. Source: fact sheets iam section 13, sigv4.

Two workers answer on every port, so that what one of them remembers shows.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import msgspec
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from strongroom.identity.records import OidcProvider
from strongroom.names import AccountId, oidc_provider_arn
from strongroom.operations.sts.sessions import open_session, seal_session
from strongroom.ports import OIDC_PROVIDERS
from strongroom.rootkey.file import open_file
from strongroom.rootkey.held import HeldRootKey
from strongroom.server.world import SystemEntropy
from strongroom.store.sqlite import SqliteStore
from support.accounts import TwoAccounts, two_accounts
from support.dialogue import Person, a_person, allow, answered, canary, deny, fresh, refused
from support.running import REGION, Server
from support.signing import Request, json_call, presigned, query_call, send
from support.trails import records_of
from support.web_issuer import AUDIENCE, ISSUER, claims, key_set, rsa_jwk, rsa_key, sign

UNKNOWN = "The security token included in the request is invalid."
UNRECOGNIZED = ("UnrecognizedClientException", UNKNOWN)
ROUNDS = 12
"""Calls on connections of their own, so that both workers answer some."""


class House:
    """Two accounts, the data directory they live in, and the root key that seals their tokens."""

    def __init__(self, accounts: TwoAccounts, directory: Path) -> None:
        self.accounts, self.server = accounts, accounts.server
        self.data_dir = directory / "data"
        self.iam = accounts.client("iam")
        self.secrets = accounts.client("secretsmanager")
        self.account_id = AccountId(accounts.client("sts").get_caller_identity()["Account"])
        self.root_key = open_file(
            directory / "root.key", self.data_dir, create=False, entropy=SystemEntropy()
        )

    def person(self, *statements: Any) -> Person:
        person = a_person(self.server)
        if statements:
            person.may(*statements)
        return person

    def role(self, trust: Any, *may: Any, iam: Any = None, **more: Any) -> str:
        """Return the ARN of a new role."""
        client, name = iam or self.iam, f"role-{uuid.uuid4().hex[:12]}"
        made = client.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust), **more)
        if may:
            client.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=_document(*may))
        return str(made["Role"]["Arn"])

    def assume(self, client: Any, role: str, **more: Any) -> tuple[str, str, str]:
        """Return key id, secret and token of a new session."""
        return keys(client.assume_role(RoleArn=role, RoleSessionName="run", **more))

    def client(self, credentials: tuple[str, str, str], service: str = "secretsmanager") -> Any:
        return self.server.client(service, credentials=credentials)

    def secret(self, value: str = "") -> str:
        made = self.secrets.create_secret(Name=fresh(), SecretString=value or canary())
        return str(made["ARN"])

    def provider(self, url: str, jwks: Any) -> OidcProvider:
        """Save an identity provider with its keys; the server has no part in it."""
        record = OidcProvider(
            arn=oidc_provider_arn(self.account_id, url),
            url=url,
            account_id=self.account_id,
            created_at=dt.datetime.now(dt.UTC),
            client_ids=(AUDIENCE,),
            jwks=None if jwks is None else json.dumps(jwks),
        )
        store = SqliteStore.open(self.data_dir)
        try:
            store.write(lambda unit: unit.save(OIDC_PROVIDERS, record)).result()
        finally:
            store.close()
        return record


def keys(answer: Any) -> tuple[str, str, str]:
    given = answer["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def _document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusts(arn: str, *actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": ["sts:AssumeRole", *actions]}


def everywhere(house: House, request: Request) -> set[Any]:
    """Return the different answers of both workers to one request: status, or the whole error."""
    answers = [send(house.server, request) for _ in range(ROUNDS)]
    return {each.status if each.status == 200 else each.error for each in answers}


def read_secret(
    house: House, credentials: tuple[str, str, str], arn: str, token: str | None = None, **how: Any
) -> Request:
    """Return a signed GetSecretValue, with another token than its own if one is given."""
    key_id, secret, own = credentials
    return json_call(
        house.server,
        "GetSecretValue",
        {"SecretId": arn},
        credentials=(key_id, secret),
        token=own if token is None else token,
        **how,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("sessions")
    with two_accounts(directory) as accounts:
        yield House(accounts, directory)


@pytest.fixture(scope="module")
def bob(house: House) -> Person:
    return house.person(allow("sts:*"))


# --- taken and used


def test_a_role_reads_the_secret_its_user_may_not(house: House, bob: Person) -> None:
    value = canary()
    arn = house.secret(value)
    role = house.role(trusts(bob.arn), allow("secretsmanager:GetSecretValue", arn))
    before = dt.datetime.now(dt.UTC)
    answer = bob.client("sts").assume_role(RoleArn=role, RoleSessionName="run")
    assert before + dt.timedelta(seconds=3_598) < answer["Credentials"]["Expiration"]
    assert answer["Credentials"]["Expiration"] <= dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    credentials = keys(answer)
    for _ in range(ROUNDS):
        assert house.client(credentials).get_secret_value(SecretId=arn)["SecretString"] == value
    assert refused(bob.client().get_secret_value, SecretId=arn)[0] == "AccessDeniedException"
    name = role.rpartition("/")[2]
    session_arn = f"arn:aws:sts::{house.account_id}:assumed-role/{name}/run"
    who = answered(house.client(credentials, "sts").get_caller_identity)
    assert who == {
        "UserId": answer["AssumedRoleUser"]["AssumedRoleId"],
        "Account": house.account_id,
        "Arn": session_arn,
    }
    other = house.secret()
    assert refused(house.client(credentials).get_secret_value, SecretId=other) == (
        "AccessDeniedException",
        f"User: {session_arn} is not authorized to perform: secretsmanager:GetSecretValue on resource: {other} "
        "because no identity-based policy allows the secretsmanager:GetSecretValue action",
    )
    info = house.server.client("sts").get_access_key_info(AccessKeyId=credentials[0])
    assert info["Account"] == house.account_id


def test_a_role_of_another_account(house: House, bob: Person) -> None:
    theirs = house.accounts.other_client("secretsmanager")
    value = canary()
    arn = theirs.create_secret(Name=fresh(), SecretString=value)["ARN"]
    role = house.role(
        trusts(f"arn:aws:iam::{house.account_id}:root"),
        allow("secretsmanager:GetSecretValue"),
        iam=house.accounts.other_client("iam"),
    )
    credentials = house.assume(bob.client("sts"), role)
    assert house.client(credentials).get_secret_value(SecretId=arn)["SecretString"] == value
    # It is an identity of the other account now, and a stranger in this one.
    own = house.secret()
    assert refused(house.client(credentials).get_secret_value, SecretId=own)[0] == "AccessDeniedException"


def test_temporary_credentials_sign_urls(house: House, bob: Person) -> None:
    role = house.role(trusts(bob.arn))
    key_id, secret, token = house.assume(bob.client("sts"), role)
    query = "Action=GetCallerIdentity&Version=2011-06-15"
    good = presigned(house.server, "sts", query, credentials=(key_id, secret), token=token)
    assert everywhere(house, good) == {200}
    without = presigned(house.server, "sts", query, credentials=(key_id, secret))
    assert everywhere(house, without) == {(403, "InvalidClientTokenId", UNKNOWN)}
    # A token that was put into the URL after it was signed.
    later = Request("GET", f"{without.path}&{urlencode({'X-Amz-Security-Token': token})}", without.headers)
    [(status, code, _)] = everywhere(house, later)
    assert (status, code) == (403, "SignatureDoesNotMatch")


def test_a_session_with_all_it_can_be_given_fits_into_a_header(house: House, bob: Person) -> None:
    arn = house.secret()
    role = house.role(trusts(bob.arn, "sts:TagSession"), allow("secretsmanager:*"))
    tags = [{"Key": f"key-{number:02}", "Value": uuid.uuid4().hex} for number in range(50)]
    policy = _document(
        *[allow("secretsmanager:GetSecretValue", f"{arn[:-number]}*") for number in range(1, 8)]
    )
    answer = bob.client("sts").assume_role(
        RoleArn=role, RoleSessionName="r" * 64, Tags=tags, TransitiveTagKeys=["key-07"], Policy=policy
    )
    assert 10 < answer["PackedPolicySize"] <= 100
    credentials = keys(answer)
    assert house.client(credentials).get_secret_value(SecretId=arn)["ARN"] == arn
    assert refused(house.client(credentials).list_secrets)[1].endswith(
        "because no session policy allows the secretsmanager:ListSecrets action"
    )


# --- forged, tampered with, expired, replayed


def test_every_wrong_token_is_an_unknown_one(house: House, bob: Person) -> None:
    arn = house.secret()
    role = house.role(trusts(bob.arn), allow("secretsmanager:*"))
    credentials, other = (house.assume(bob.client("sts"), role) for _ in range(2))
    token = credentials[2]
    assert everywhere(house, read_secret(house, credentials, arn)) == {200}
    raw = bytearray(base64.b64decode(token))
    raw[-1] ^= 1
    for wrong in (
        base64.b64encode(bytes(raw)).decode(),
        token[:-4],
        token + "AAAA",
        other[2],
        "FwoGZXIvYXdzEXAMPLE",
        "A" * 20_000,
    ):
        request = read_secret(house, credentials, arn, token=wrong)
        assert everywhere(house, request) == {(400, *UNRECOGNIZED)}
    bare = json_call(house.server, "GetSecretValue", {"SecretId": arn}, credentials=credentials[:2])
    assert everywhere(house, bare) == {(400, *UNRECOGNIZED)}
    # The other session's token goes with its own key only.
    assert everywhere(house, read_secret(house, (*other[:2], token), arn)) == {(400, *UNRECOGNIZED)}


def test_a_long_term_key_has_no_token(house: House, bob: Person) -> None:
    role = house.role(trusts(bob.arn))
    token = house.assume(bob.client("sts"), role)[2]
    request = json_call(house.server, "ListSecrets", {}, credentials=bob.credentials, token=token)
    assert everywhere(house, request) == {(400, *UNRECOGNIZED)}


def test_a_token_does_not_stand_in_for_the_secret_key(house: House, bob: Person) -> None:
    arn = house.secret()
    credentials = house.assume(bob.client("sts"), house.role(trusts(bob.arn), allow("secretsmanager:*")))
    stolen = (credentials[0], bob.secret_access_key, credentials[2])
    [(status, code, _)] = everywhere(house, read_secret(house, stolen, arn))
    assert (status, code) == (400, "InvalidSignatureException")


def test_an_expired_session_says_so(house: House, bob: Person) -> None:
    """What the token says about its end decides; a token is made here that has ended, by the right root key."""
    arn = house.secret()
    credentials = house.assume(bob.client("sts"), house.role(trusts(bob.arn), allow("secretsmanager:*")))
    session = open_session(house.root_key, credentials[0], credentials[2])
    assert session is not None
    now = dt.datetime.now(dt.UTC)
    ended = msgspec.structs.replace(session, expires_at=now - dt.timedelta(seconds=1))
    request = read_secret(house, (*credentials[:2], seal_session(house.root_key, ended)), arn)
    assert everywhere(house, request) == {
        (400, "ExpiredTokenException", "The security token included in the request is expired")
    }
    query = query_call(
        house.server,
        "sts",
        b"Action=GetCallerIdentity&Version=2011-06-15",
        credentials=credentials[:2],
        token=seal_session(house.root_key, ended),
    )
    assert everywhere(house, query) == {
        (403, "ExpiredToken", "The security token included in the request is expired")
    }


def test_another_servers_root_key_makes_no_tokens(house: House, bob: Person) -> None:
    arn = house.secret()
    credentials = house.assume(bob.client("sts"), house.role(trusts(bob.arn), allow("secretsmanager:*")))
    session = open_session(house.root_key, credentials[0], credentials[2])
    assert session is not None
    forged = seal_session(HeldRootKey(bytes(32), SystemEntropy()), session)
    assert everywhere(house, read_secret(house, credentials, arn, token=forged)) == {(400, *UNRECOGNIZED)}


def test_a_request_is_not_replayed_later(house: House, bob: Person) -> None:
    arn = house.secret()
    credentials = house.assume(bob.client("sts"), house.role(trusts(bob.arn), allow("secretsmanager:*")))
    at = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=16)
    [(status, code, message)] = everywhere(house, read_secret(house, credentials, arn, at=at))
    assert (status, code) == (400, "InvalidSignatureException")
    assert message.startswith("Signature expired: ")


# --- revoked


def test_a_deleted_role_ends_its_sessions_at_once_in_every_worker(house: House, bob: Person) -> None:
    arn = house.secret()
    role = house.role(trusts(bob.arn), allow("secretsmanager:*"))
    name = role.rpartition("/")[2]
    request = read_secret(house, house.assume(bob.client("sts"), role), arn)
    assert everywhere(house, request) == {200}
    house.iam.delete_role_policy(RoleName=name, PolicyName="may")
    [(status, code, message)] = everywhere(house, request)
    assert (status, code) == (400, "AccessDeniedException")
    assert message.endswith(
        "because no identity-based policy allows the secretsmanager:GetSecretValue action"
    )
    house.iam.delete_role(RoleName=name)
    assert everywhere(house, request) == {(400, *UNRECOGNIZED)}
    # Another role of the same name is another role.
    house.iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trusts(bob.arn)))
    house.iam.put_role_policy(
        RoleName=name, PolicyName="may", PolicyDocument=_document(allow("secretsmanager:*"))
    )
    assert everywhere(house, request) == {(400, *UNRECOGNIZED)}


def test_sessions_older_than_a_moment_are_revoked_by_policy(house: House, bob: Person) -> None:
    arn = house.secret()
    role = house.role(trusts(bob.arn), allow("secretsmanager:*"))
    request = read_secret(house, house.assume(bob.client("sts"), role), arn)
    assert everywhere(house, request) == {200}
    moment = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    house.iam.put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="AWSRevokeOlderSessions",
        PolicyDocument=_document(deny("*", DateLessThan={"aws:TokenIssueTime": moment})),
    )
    [(status, code, message)] = everywhere(house, request)
    assert (status, code) == (400, "AccessDeniedException")
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_a_users_session_ends_with_its_key(house: House) -> None:
    eve = house.person(allow("secretsmanager:*"))
    arn = house.secret()
    request = read_secret(house, keys(eve.client("sts").get_session_token()), arn)
    assert everywhere(house, request) == {200}
    key = {"UserName": eve.name, "AccessKeyId": eve.access_key_id}
    house.iam.update_access_key(**key, Status="Inactive")
    assert everywhere(house, request) == {(400, *UNRECOGNIZED)}
    house.iam.update_access_key(**key, Status="Active")
    assert everywhere(house, request) == {200}
    house.iam.delete_access_key(**key)
    assert everywhere(house, request) == {(400, *UNRECOGNIZED)}


# --- what sessions of users cannot do


def test_sessions_of_users_cannot_call_iam_and_little_of_sts(house: House, bob: Person) -> None:
    eve = house.person(allow("*"))
    session = keys(eve.client("sts").get_session_token(DurationSeconds=900))
    for _ in range(ROUNDS):
        assert refused(house.client(session, "iam").list_users, status=403) == (
            "InvalidClientTokenId",
            UNKNOWN,
        )
    sts = house.client(session, "sts")
    assert refused(sts.get_session_token, status=403) == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )
    assert refused(sts.get_federation_token, status=403, Name="guest") == (
        "AccessDenied",
        "Cannot call GetFederationToken with session credentials",
    )
    assert sts.get_caller_identity()["Arn"] == eve.arn
    assert sts.assume_role(RoleArn=house.role(trusts(eve.arn)), RoleSessionName="run")
    # A role's session is not held to that.
    role = house.role(trusts(bob.arn), allow("iam:ListUsers"))
    assert house.client(house.assume(bob.client("sts"), role), "iam").list_users()["Users"]


def test_a_federated_user(house: House) -> None:
    eve = house.person(allow(["sts:GetFederationToken", "secretsmanager:*"]))
    arn, other = house.secret(), house.secret()
    policy = _document(allow("secretsmanager:GetSecretValue", arn))
    answer = eve.client("sts").get_federation_token(Name="guest", Policy=policy)
    guest = f"arn:aws:sts::{house.account_id}:federated-user/guest"
    assert answer["FederatedUser"] == {
        "FederatedUserId": f"{house.account_id}:guest",
        "Arn": guest,
    }
    client = house.client(keys(answer))
    assert client.get_secret_value(SecretId=arn)["ARN"] == arn
    assert refused(client.get_secret_value, SecretId=other) == (
        "AccessDeniedException",
        f"User: {guest} is not authorized to perform: secretsmanager:GetSecretValue on resource: {other} because "
        "no session policy allows the secretsmanager:GetSecretValue action",
    )
    assert refused(house.client(keys(answer), "iam").list_users, status=403)[0] == "InvalidClientTokenId"


def test_refusals_of_assume_role(house: House, bob: Person) -> None:
    sts = bob.client("sts")
    closed = house.role(trusts(f"arn:aws:iam::{house.account_id}:root"))
    eve = house.person()
    absent = f"arn:aws:iam::{house.account_id}:role/absent"
    for role in (closed, absent):
        assert refused(eve.client("sts").assume_role, status=403, RoleArn=role, RoleSessionName="run") == (
            "AccessDenied",
            f"User: {eve.arn} is not authorized to perform: sts:AssumeRole on resource: {role}",
        )
    root = house.server.client("sts")
    assert refused(root.assume_role, status=403, RoleArn=closed, RoleSessionName="run") == (
        "AccessDenied",
        "Roles may not be assumed by root accounts.",
    )
    tags = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert refused(sts.assume_role, RoleArn=closed, RoleSessionName="run", Tags=tags) == (
        "InvalidParameterValue",
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    )
    assert refused(sts.assume_role, RoleArn=closed, RoleSessionName="run", Policy="{}") == (
        "MalformedPolicyDocument",
        "Syntax errors in policy.",
    )
    assert refused(sts.assume_role, RoleArn=closed, RoleSessionName="run", DurationSeconds=3_601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


# --- records


def test_the_record_of_taking_a_role_and_of_what_its_session_does(house: House, bob: Person) -> None:
    arn = house.secret()
    role = house.role(trusts(bob.arn, "sts:SetSourceIdentity"), allow("secretsmanager:*"))
    answer = bob.client("sts").assume_role(RoleArn=role, RoleSessionName="run", SourceIdentity="bob")
    credentials = keys(answer)
    [taken] = records_of(house.data_dir, answer["ResponseMetadata"]["RequestId"])
    assert taken["responseElements"] == {
        "credentials": {
            "accessKeyId": credentials[0],
            "expiration": answer["Credentials"]["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "assumedRoleUser": {
            "assumedRoleId": answer["AssumedRoleUser"]["AssumedRoleId"],
            "arn": answer["AssumedRoleUser"]["Arn"],
        },
    }
    assert taken["requestParameters"] == {
        "roleArn": role,
        "roleSessionName": "run",
        "sourceIdentity": "bob",
    }
    assert taken["resources"] == [{"accountId": house.account_id, "type": "AWS::IAM::Role", "ARN": role}]
    used = send(house.server, read_secret(house, credentials, arn))
    [record] = records_of(house.data_dir, used.request_id)
    identity = record["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["accessKeyId"] == credentials[0]
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == role
    assert identity["sessionContext"]["sourceIdentity"] == "bob"
    for path in house.data_dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert credentials[1].encode() not in content, path
            assert credentials[2].encode() not in content, path


def test_a_refused_token_is_recorded_without_it(house: House, bob: Person) -> None:
    arn = house.secret()
    credentials = house.assume(bob.client("sts"), house.role(trusts(bob.arn), allow("secretsmanager:*")))
    answer = send(house.server, read_secret(house, credentials, arn, token=credentials[2][:-4]))
    [record] = records_of(house.data_dir, answer.request_id)
    assert record["errorCode"] == "UnrecognizedClientException"
    assert record["userIdentity"] == {"type": "Unknown", "accessKeyId": credentials[0]}
    assert credentials[2][:40] not in json.dumps(record)


# --- web identities


def unsigned(server: Server) -> Any:
    return boto3.session.Session().client(
        "sts",
        region_name=REGION,
        endpoint_url=server.endpoint,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )


def federates(provider: str, **condition: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition or {"StringEquals": {f"{ISSUER}:aud": AUDIENCE}},
    }


@pytest.fixture(scope="module")
def provider(house: House) -> str:
    return str(house.provider(ISSUER, key_set(rsa_jwk(rsa_key()))).arn)


def test_a_web_identity_reads_a_secret_without_ever_having_had_a_key(house: House, provider: str) -> None:
    value = canary()
    arn = house.secret(value)
    role = house.role(federates(provider), allow("secretsmanager:GetSecretValue", arn))
    token = sign(claims(dt.datetime.now(dt.UTC)))
    answer = unsigned(house.server).assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="run", WebIdentityToken=token
    )
    assert answer["SubjectFromWebIdentityToken"] == "system:serviceaccount:shop:web"
    assert (answer["Provider"], answer["Audience"]) == (provider, AUDIENCE)
    assert house.client(keys(answer)).get_secret_value(SecretId=arn)["SecretString"] == value
    [record] = records_of(house.data_dir, answer["ResponseMetadata"]["RequestId"])
    assert record["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:{AUDIENCE}:system:serviceaccount:shop:web",
        "userName": "system:serviceaccount:shop:web",
        "identityProvider": provider,
    }
    assert record["recipientAccountId"] == house.account_id
    assert token not in json.dumps(record)


def test_bad_web_identities_are_refused_and_recorded(house: House, provider: str) -> None:
    now = dt.datetime.now(dt.UTC)
    role = house.role(federates(provider))
    sts = unsigned(house.server)
    second = int(now.timestamp())
    header, payload, _ = sign(claims(now)).split(".")
    cases = {
        sign(claims(now), rsa_key("second")): (400, "InvalidIdentityToken"),
        f"{header}.{payload}.AAAA": (400, "InvalidIdentityToken"),
        sign(claims(now, aud="other")): (400, "InvalidIdentityToken"),
        sign(claims(now, iss="https://evil.example.com")): (400, "InvalidIdentityToken"),
        sign(claims(now, iat=second - 20, exp=second - 10)): (400, "ExpiredTokenException"),
        sign(claims(now, nbf=second + 600)): (403, "IDPRejectedClaim"),
    }
    for token, (status, code) in cases.items():
        with pytest.raises(ClientError) as caught:
            sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="run", WebIdentityToken=token)
        metadata = caught.value.response["ResponseMetadata"]
        assert (metadata["HTTPStatusCode"], caught.value.response["Error"]["Code"]) == (status, code)
        [record] = records_of(house.data_dir, metadata["RequestId"])
        assert record["recipientAccountId"] == house.account_id
        assert record["errorCode"] == code
        assert record["userIdentity"] == {"type": "Unknown"}
        assert token not in json.dumps(record)


def test_no_other_call_goes_without_a_signature(house: House, provider: str) -> None:
    version = "Version=2011-06-15"
    for body in (
        f"Action=GetCallerIdentity&{version}",
        f"Action=AssumeRole&{version}&RoleArn=arn:aws:iam::{house.account_id}:role/x&RoleSessionName=run",
        f"Action=GetSessionToken&{version}&WebIdentityToken={sign(claims(dt.datetime.now(dt.UTC)))}",
    ):
        request = query_call(house.server, "sts", body.encode()).without(
            "Authorization", "X-Amz-Date", "X-Amz-Content-SHA256"
        )
        assert everywhere(house, request) == {
            (403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }


def test_an_issuer_out_of_reach_is_a_matter_of_communication(house: House) -> None:
    url = "localhost:1/nowhere"
    provider = house.provider(url, None).arn
    role = house.role(federates(provider, StringEquals={f"{url}:aud": AUDIENCE}))
    token = sign(claims(dt.datetime.now(dt.UTC), iss=f"https://{url}"))
    sts = unsigned(house.server)
    request = {"RoleArn": role, "RoleSessionName": "run", "WebIdentityToken": token}
    assert refused(sts.assume_role_with_web_identity, **request) == (
        "IDPCommunicationError",
        "Couldn't retrieve verification key from your identity provider: it could not be reached.",
    )
    # The server answers others meanwhile and after.
    assert house.secrets.list_secrets(MaxResults=1)
