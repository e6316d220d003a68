"""A room with roles, and callers with temporary credentials as the pipeline would know them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from strongroom.identity.principal import Principal
from strongroom.identity.records import OidcProvider, Role
from strongroom.names import AccountId, Region, oidc_provider_arn, role_arn, root_arn
from strongroom.operations.authorize import allowed, authorize
from strongroom.operations.call import Call, Operation, Target
from strongroom.operations.iam import access_keys
from strongroom.operations.sts.roles import ASSUME_ROLE
from strongroom.ports import OIDC_PROVIDERS, ROLES, USERS
from strongroom.server.callers import Callers, described
from support.identity_room import IdentityRoom
from support.identity_room import service as model_of
from support.key_room import ACCOUNT, NOON, REGION, policy


def trusting(*principals: str, actions: tuple[str, ...] = ("sts:AssumeRole",), **more: Any) -> dict[str, Any]:
    """Return a statement of a trust policy."""
    return {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": list(actions), **more}


@dataclass(frozen=True)
class Credentials:
    """What STS answers as Credentials."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: dt.datetime

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Credentials:
        given = answer["Credentials"]
        return cls(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], given["Expiration"])


class SessionRoom(IdentityRoom):
    def __init__(self) -> None:
        super().__init__()
        self.callers = Callers(self.root_key)

    def role(
        self,
        name: str,
        *trust: Mapping[str, Any],
        may: tuple[Mapping[str, Any], ...] = (),
        account_id: AccountId = ACCOUNT,
        path: str = "/",
        **members: Any,
    ) -> Role:
        """Store a role; without `trust` it trusts its account."""
        record = Role(
            role_id=f"AROA{name.upper():0<17}",
            role_name=name,
            path=path,
            arn=role_arn(account_id, path, name),
            account_id=account_id,
            created_at=NOON,
            trust_policy=policy(*(trust or (trusting(root_arn(account_id)),))),
            policies={"inline": policy(*may)} if may else {},
            **members,
        )
        self.unit.save(ROLES, record)
        return record

    def provider(self, url: str, *client_ids: str, jwks: Any = None, **members: Any) -> OidcProvider:
        account_id = members.pop("account_id", ACCOUNT)
        record = OidcProvider(
            arn=oidc_provider_arn(account_id, url),
            url=url,
            account_id=account_id,
            created_at=NOON,
            client_ids=client_ids,
            jwks=None if jwks is None else json.dumps(jwks),
            **members,
        )
        self.unit.save(OIDC_PROVIDERS, record)
        return record

    def user_with_key(self, name: str, *statements: Mapping[str, Any], **members: Any) -> Principal:
        """Store a user and an access key of it; return it as the key's signer."""
        self.user(name, *statements)
        if members:
            self.unit.save(USERS, replace(self.found(name), **members))
        answered = self.run(access_keys.CREATE_ACCESS_KEY, {"UserName": name})
        found = self.callers.find(self.unit, answered["AccessKey"]["AccessKeyId"])
        assert found is not None
        return found.principal

    def assume(self, caller: Principal, role: Role, **more: Any) -> Credentials:
        """Let a caller take a role; the session is called `run` unless said."""
        how = {name: more.pop(name) for name in ("now",) if name in more}
        request = {"RoleArn": role.arn, "RoleSessionName": "run", **more}
        return Credentials.of(self.run(ASSUME_ROLE, request, principal=caller, **how))

    def known(self, credentials: Credentials) -> Principal | None:
        """Return who signs with temporary credentials; None when they are as good as unknown."""
        found = self.callers.find(self.unit, credentials.access_key_id, credentials.token)
        return None if found is None else found.principal

    def session(self, credentials: Credentials) -> Principal:
        """Return who signs with temporary credentials, which have to be good."""
        principal = self.known(credentials)
        assert principal is not None
        return principal

    def may(self, caller: Principal, action: str, resource: str = "*", **context: Any) -> bool:
        """True when the caller's own policies allow an action in its account."""
        target = Target(action, resource, caller.account_id, context=context)
        return allowed(self.call(principal=caller), self.unit, target).allowed

    def run_unsigned(
        self, operation: Operation, request: Mapping[str, Any], *, now: dt.datetime = NOON
    ) -> tuple[Any, Call]:
        """Answer a call without signature as the pipeline does; return the answer and the call."""
        how = operation.identification
        assert how is not None
        decoded = model_of("sts").operations[operation.name].decode(json.dumps(request).encode())
        before = self.unit.state()
        errand = how.errand(decoded, self.unit, self.resources)
        if errand is not None:
            errand.work()
        found = how.identify(decoded, self.unit, self.resources, now)
        call = self.call(operation.name, decoded, principal=found.principal, now=now)
        call = replace(call, identified=found.evidence)
        answered = operation.handle(authorize(call, self.unit, operation.targets(call, self.unit)), self.unit)
        assert model_of("sts").operations[operation.name].encode_query(answered, call.request_id)
        assert self.unit.state() == before, "a read changed the store"
        return answered, call

    def call(
        self,
        operation: str = "",
        request: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: Region = REGION,
        service: str = "sts",
    ) -> Call:
        call = super().call(operation, request, principal=principal, now=now, region=region, service=service)
        return replace(call, context={**described(call.principal, None).context})
