"""Every condition key that a call really has is known, or open, to those who ask who can.

So a key that the pipeline gives to policies cannot be forgotten where questions are answered.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strongroom.identity.principal import PrincipalType
from strongroom.identity.records import Role
from strongroom.identity.sessions import Given, Session
from strongroom.names import oidc_provider_arn, role_arn
from strongroom.operations.call import Call, Operation, Unit
from strongroom.operations.catalog import ServedService
from strongroom.operations.iam.credentials import make_access_key
from strongroom.operations.kms.resolution import without_resource
from strongroom.operations.sts.sessions import seal_session
from strongroom.operations.subjects import Subject, SubjectKind, stored_subjects
from strongroom.policy.context import fold_key
from strongroom.ports import ACCESS_KEYS, ROLES
from strongroom.server.pipeline import Pipeline
from strongroom.wire.http import Endpoint, HttpRequest
from support.identity_room import service
from support.key_room import ACCOUNT, NOON, REGION, KeyRoom, allow, policy

ROLE_ID = "AROAAPP0000000000000"
ENDPOINT = Endpoint(endpoint_id="vpce-1", vpc_id="vpc-1")
TRUST = policy(
    {
        "Effect": "Allow",
        "Principal": {"AWS": ACCOUNT},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
    }
)


class Now:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class Nowhere:
    def append(self, event: bytes) -> None: ...

    def close(self) -> None: ...

    def error(self, event: str, **fields: Any) -> None:
        raise AssertionError((event, fields))


class House:
    """One operation, which keeps the calls it gets."""

    def __init__(self) -> None:
        self.room = KeyRoom()
        self.user = self.room.user("ann", allow("kms:*"))
        self.calls: list[Call] = []
        operation = Operation(
            name="ListKeys",
            action="kms:ListKeys",
            unit=Unit.READ,
            targets=without_resource("kms:ListKeys"),
            handle=self._keep,
        )
        self.pipeline = Pipeline(
            models={"kms": service("kms")},
            catalog={"kms": ServedService("KMS", {"ListKeys": operation}, {})},
            store=self.room.store,
            trail=Nowhere(),
            resources=self.room.resources,
            clock=Now(),
            log=Nowhere(),
        )

    def _keep(self, authorized: Any, unit: Any) -> Mapping[str, Any]:
        self.calls.append(authorized.call)
        return {"Keys": []}

    def key(self, user_id: str | None) -> Credentials:
        made = make_access_key(
            self.room.root_key, self.room.entropy, dt.datetime.now(dt.UTC), ACCOUNT, user_id
        )
        self.room.unit.save(ACCESS_KEYS, made.record)
        return Credentials(made.record.access_key_id, made.secret_access_key)

    def session(self, kind: PrincipalType, **members: Any) -> Credentials:
        now = dt.datetime.now(dt.UTC)
        session = Session(
            access_key_id=f"ASIA{uuid.uuid4().hex[:16].upper()}",
            secret_access_key="secret",
            account_id=ACCOUNT,
            type=kind,
            issued_at=now,
            expires_at=now + dt.timedelta(hours=1),
            **members,
        )
        token = seal_session(self.room.root_key, session)
        return Credentials(session.access_key_id, session.secret_access_key, token)

    def called(self, credentials: Credentials, endpoint: Endpoint | None) -> Call:
        """Return the call that came of a signed request."""
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "TrentService.ListKeys",
            "Host": "localhost",
            "User-Agent": "boto",
        }
        request = AWSRequest(method="POST", url="http://localhost/", data=b"{}", headers=headers)
        SigV4Auth(credentials, "kms", REGION).add_auth(request)
        received = HttpRequest(
            method="POST",
            raw_path="/",
            raw_query="",
            headers={str(name).lower(): str(value) for name, value in request.headers.items()},
            body=b"{}",
            received_at=dt.datetime.now(dt.UTC),
            request_id=str(uuid.uuid4()),
            source_ip="192.0.2.7",
            secure=False,
            endpoint=endpoint,
        )
        answer = asyncio.run(self.pipeline.answer(received))
        assert answer.status == 200, answer.body
        return self.calls.pop()

    def subject(self, kind: SubjectKind) -> Subject:
        (found,) = [each for each in stored_subjects(self.room.unit, NOON, (ACCOUNT,)) if each.kind is kind]
        return found


@pytest.mark.parametrize("endpoint", [None, ENDPOINT], ids=["address", "endpoint"])
@pytest.mark.parametrize("who", ["root", "user", "user's session", "role"])
def test_no_key_of_a_call_is_unknown_to_questions(who: str, endpoint: Endpoint | None) -> None:
    house = House()
    kind = SubjectKind.USER
    if who == "root":
        kind, credentials = SubjectKind.ROOT, house.key(None)
    elif who == "user":
        credentials = house.key(house.user.principal_id)
    elif who == "user's session":
        key = house.key(house.user.principal_id)
        credentials = house.session(
            PrincipalType.USER, user_id=house.user.principal_id, issuer_key_id=key.access_key
        )
    else:
        kind = SubjectKind.ROLE
        role = Role(
            role_id=ROLE_ID,
            role_name="app",
            path="/",
            arn=role_arn(ACCOUNT, "/", "app"),
            account_id=ACCOUNT,
            created_at=NOON,
            trust_policy=TRUST,
            policies={"p": policy(allow("kms:*"))},
            tags={"team": "a"},
        )
        house.room.unit.save(ROLES, role)
        credentials = house.session(
            PrincipalType.ASSUMED_ROLE,
            name="one",
            role_id=ROLE_ID,
            source_identity="someone",
            provider=oidc_provider_arn(ACCOUNT, "token.example.com"),
            given=Given(tags={"cost": "1"}),
        )
    call = house.called(credentials, endpoint)
    subject = house.subject(kind)
    known = {fold_key(key): value for key, value in subject.context.items()}
    assert len(call.context) >= 9
    for key, value in call.context.items():
        folded = fold_key(key)
        if folded == "aws:requestedregion":  # the thing's, where it is in a Region
            continue
        assert known.get(folded) == value or subject.is_open(folded), key
    # And what is taken for known is what calls have.
    for key, value in subject.context.items():
        assert call.context[key] == value, key
