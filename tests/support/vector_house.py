"""The accounts, users, roles and secret of the authorization table, on a running server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from support.commands import home, run
from support.policy_vectors import OWNER, Row, callers
from support.running import REGION, Server, running
from support.tenants import account_create

OTHER = "444455556666"
VALUE = "canary-of-the-table"
TRUE_OF_EVERY_CALL = {
    "aws:SourceIp": "127.0.0.1",
    "aws:SecureTransport": "false",
    "aws:RequestedRegion": REGION,
    "aws:ViaAWSService": "false",
    "aws:ResourceAccount": OWNER,
    "secretsmanager:VersionStage": "AWSCURRENT",
}
TRUE_OF_ANN = {
    "aws:username": "ann",
    "aws:PrincipalType": "User",
    "aws:PrincipalAccount": OWNER,
    "aws:PrincipalArn": callers()["ann"]["arn"],
    "aws:userid": callers()["ann"]["id"],
}
TRUE_OF_THE_OTHER = {"aws:PrincipalAccount": OTHER}
OF_TIME = {"aws:CurrentTime", "aws:EpochTime"}
"""Rows compare these with moments long past or far away only."""
USE_OF_THE_KEY = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
PATHS = {"ann": "/dev/", "other_ann": "/"}
ENTITIES = {"ann": "ann", "fed": "ann", "app": "app", "other_ann": "other_ann", "other_app": "other_app"}
"""Caller to the user or role that has its identity policies."""
ROLES = {"app": ("App", "/service/", "i-1"), "other_app": ("App", "/", "s-1")}

Credentials = tuple[str, ...]


@dataclass
class House:
    """What was put where, so that a row changes only what differs from the row before."""

    server: Server
    roots: dict[str, Credentials] = field(repr=False)
    keys: dict[str, Credentials] = field(default_factory=dict, repr=False)
    ids: dict[str, str] = field(default_factory=dict)
    """What the table calls a unique id, or the end of the secret's ARN, to what it is here."""
    secret_arn: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    boundaries: dict[tuple[str, str], str] = field(default_factory=dict)

    def client(self, service: str, account: str) -> Any:
        """Return a client of an account's root user."""
        return self._kept(
            f"{service} {account}", lambda: self.server.client(service, credentials=self.roots[account])
        )

    def call(self, row: Row) -> tuple[str, str] | None:
        """Make the call of a row; return code and message of the refusal, None when it was answered."""
        self._arrange(row)
        request = {"SecretId": self.secret_arn}
        if "secretsmanager:VersionStage" in row.context:
            request["VersionStage"] = "AWSCURRENT"
        client = self._caller(row)
        try:
            answer = client.get_secret_value(**request)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        assert answer["SecretString"] == VALUE
        return None

    def true(self, row: Row) -> bool:
        """True when the row's context is what a call over the wire has."""
        known = TRUE_OF_EVERY_CALL | (TRUE_OF_ANN if row.caller == "ann" else TRUE_OF_THE_OTHER)
        return all(
            _is_tag(key) or key in OF_TIME or known.get(key) == value for key, value in row.context.items()
        )

    def _kept(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.state:
            self.state[name] = make()
        return self.state[name]

    def _set(self, what: str, value: Any, put: Callable[[], Any]) -> None:
        """`put` is called when `what` was not `value` already."""
        if self.state.get(what) != value:
            put()
            self.state[what] = value

    # Before the call

    def _arrange(self, row: Row) -> None:
        tags = row.context
        if row.caller in ROLES:
            self._kept("roles", lambda: _furnish_roles(self))
        self._arrange_secret(row, _tags(tags, "aws:ResourceTag/"))
        entity = ENTITIES.get(row.caller)
        if entity is None:
            return
        iam = self.client("iam", callers()[row.caller]["account"])
        named, word = ({"UserName": "ann"}, "user") if entity not in ROLES else ({"RoleName": "App"}, "role")
        documents = [self._text(each) for each in row.documents("identity")]
        self._set(f"{entity} policies", documents, lambda: _put_policies(iam, word, named, documents))
        boundary = row.document("boundary")
        text = None if boundary is None else self._text(_with_use_of_the_key(boundary))
        self._set(f"{entity} boundary", text, lambda: self._put_boundary(iam, word, named, row.caller, text))
        if word == "user":
            wanted = _tags(tags, "aws:PrincipalTag/")
            self._set(f"{entity} tags", wanted, lambda: _put_user_tags(iam, wanted))

    def _arrange_secret(self, row: Row, tags: dict[str, str]) -> None:
        secrets = self.client("secretsmanager", OWNER)
        policies = row.documents("resource_policy")
        text = self._text(policies[0]) if policies else None

        def put_policy() -> None:
            if text is None:
                secrets.delete_resource_policy(SecretId=self.secret_arn)
            else:
                secrets.put_resource_policy(SecretId=self.secret_arn, ResourcePolicy=text)

        def put_tags() -> None:
            there = secrets.describe_secret(SecretId=self.secret_arn).get("Tags", [])
            if there:
                secrets.untag_resource(SecretId=self.secret_arn, TagKeys=[each["Key"] for each in there])
            if tags:
                secrets.tag_resource(SecretId=self.secret_arn, Tags=_listed(tags))

        self._set("resource policy", text, put_policy)
        self._set("secret tags", tags, put_tags)

    def _text(self, document: Mapping[str, Any]) -> str:
        text = json.dumps(document)
        for written, real in self.ids.items():
            text = text.replace(written, real)
        return text

    def _put_boundary(
        self, iam: Any, word: str, named: dict[str, str], caller: str, text: str | None
    ) -> None:
        if text is None:
            getattr(iam, f"delete_{word}_permissions_boundary")(**named)
            return
        place = (callers()[caller]["account"], text)
        if place not in self.boundaries:
            name = f"boundary-{len(self.boundaries)}"
            self.boundaries[place] = iam.create_policy(PolicyName=name, PolicyDocument=text)["Policy"]["Arn"]
        put = getattr(iam, f"put_{word}_permissions_boundary")
        put(**named, PermissionsBoundary=self.boundaries[place])

    # The caller

    def _caller(self, row: Row) -> Any:
        who = row.caller
        if who in ("root", "other_root"):
            return self.client("secretsmanager", callers()[who]["account"])
        session = row.session
        text = None if session is None else self._text(_with_use_of_the_key(*session))
        return self._kept(f"{who} with {text}", lambda: self._new_caller(who, text))

    def _new_caller(self, who: str, session: str | None) -> Any:
        if who in self.keys:
            return self.server.client("secretsmanager", credentials=self.keys[who])
        policy = {} if session is None else {"Policy": session}
        if who == "fed":
            sts = self.server.client("sts", credentials=self.keys["ann"])
            given = sts.get_federation_token(Name="bob", **policy)["Credentials"]
        else:
            helper = self.keys["helper" if who == "app" else "other_helper"]
            sts = self.server.client("sts", credentials=helper)
            name, path, session_name = ROLES[who]
            arn = f"arn:aws:iam::{callers()[who]['account']}:role{path}{name}"
            given = sts.assume_role(RoleArn=arn, RoleSessionName=session_name, **policy)["Credentials"]
        sts.close()
        token = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return self.server.client("secretsmanager", credentials=token)


def _with_use_of_the_key(*documents: Mapping[str, Any]) -> dict[str, Any]:
    """Return the documents as one, which lets the key be used as well: no row is about that."""
    statements: list[Any] = [USE_OF_THE_KEY]
    for document in documents:
        written = document["Statement"]
        statements += written if isinstance(written, list) else [written]
    return {"Version": "2012-10-17", "Statement": statements}


def _is_tag(key: str) -> bool:
    return key.startswith(("aws:PrincipalTag/", "aws:ResourceTag/"))


def _tags(context: Mapping[str, Any], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in context.items() if key.startswith(prefix)}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _put_policies(iam: Any, word: str, named: dict[str, str], documents: list[str]) -> None:
    """The user's or role's policies are these, and the one that was there from the beginning."""
    there = getattr(iam, f"list_{word}_policies")(**named)["PolicyNames"]
    for number, text in enumerate(documents):
        getattr(iam, f"put_{word}_policy")(**named, PolicyName=f"p{number}", PolicyDocument=text)
    for name in set(there) - {f"p{number}" for number in range(len(documents))} - {"always"}:
        getattr(iam, f"delete_{word}_policy")(**named, PolicyName=name)


def _put_user_tags(iam: Any, tags: Mapping[str, str]) -> None:
    there = iam.list_user_tags(UserName="ann")["Tags"]
    if there:
        iam.untag_user(UserName="ann", TagKeys=[each["Key"] for each in there])
    if tags:
        iam.tag_user(UserName="ann", Tags=_listed(tags))


def _document(*actions: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _add_user(house: House, account: str, name: str, path: str, *actions: str) -> tuple[str, Credentials]:
    """Make a user that always may do `actions`; return its unique id and its key."""
    iam = house.client("iam", account)
    user = iam.create_user(UserName=name, Path=path)["User"]
    iam.put_user_policy(UserName=name, PolicyName="always", PolicyDocument=_document(*actions, Resource="*"))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return user["UserId"], (key["AccessKeyId"], key["SecretAccessKey"])


def _furnish(house: House) -> None:
    for who, account in (("ann", OWNER), ("other_ann", OTHER)):
        user_id, key = _add_user(house, account, "ann", PATHS[who], "kms:Decrypt", "sts:GetFederationToken")
        house.keys[who] = key
        house.ids[callers()[who]["id"]] = user_id
    key_policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"},
        ],
    }
    key = house.client("kms", OWNER).create_key(Policy=json.dumps(key_policy))["KeyMetadata"]["Arn"]
    secrets = house.client("secretsmanager", OWNER)
    house.secret_arn = secrets.create_secret(Name="prod/db", SecretString=VALUE, KmsKeyId=key)["ARN"]
    house.ids["AbCdEf"] = house.secret_arn[-6:]


def _furnish_roles(house: House) -> None:
    for who, helper in (("app", "helper"), ("other_app", "other_helper")):
        account = callers()[who]["account"]
        _, house.keys[helper] = _add_user(house, account, "helper", "/", "sts:AssumeRole")
        name, path, _ = ROLES[who]
        iam = house.client("iam", account)
        trust = _document("sts:AssumeRole", Principal={"AWS": account})
        role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust)["Role"]
        iam.put_role_policy(
            RoleName=name, PolicyName="always", PolicyDocument=_document("kms:Decrypt", Resource="*")
        )
        house.ids[callers()[who]["id"].partition(":")[0]] = role["RoleId"]


@contextmanager
def house_of_the_table(directory: Path) -> Iterator[House]:
    """Run a server with the table's two accounts, furnished."""
    place = ["--data-dir", str(directory / "data"), "--root-key", f"file:{directory / 'root.key'}"]
    made = run(["init", "--account", OWNER, "--json", *place], home(directory / "home"))
    assert made.code == 0, made.err
    first = json.loads(made.out)
    with running([*place, "--workers", "2"], directory / "log") as server:
        second = account_create(directory / "data", directory / "root.key", OTHER)
        roots = {
            each["account_id"]: (each["access_key_id"], each["secret_access_key"]) for each in (first, second)
        }
        house = House(server, roots)
        _furnish(house)
        yield house
