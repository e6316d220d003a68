"""A room with IAM and STS: requests are checked against the service model, answers written in its XML."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from strongroom.errors import AccessDeniedException, ServiceError
from strongroom.identity.principal import Principal
from strongroom.identity.records import AccessKey, User
from strongroom.names import AccountId, Region
from strongroom.operations.call import Call, Operation
from strongroom.operations.iam.credentials import principal_of
from strongroom.ports import ACCESS_KEYS, USERS
from strongroom.wire.models import ServiceModel, load_service
from support.key_room import ACCOUNT, NOON, REGION, KeyRoom

REQUEST_ID = "11111111-2222-3333-4444-555555555555"


@cache
def service(name: str) -> ServiceModel:
    return load_service(name)


class IdentityRoom(KeyRoom):
    def run(
        self,
        operation: Operation,
        request: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: Region = REGION,
    ) -> Any:
        """Answer a request as the pipeline does, from the model's validation to the answer's XML."""
        name = "sts" if "sts" in operation.handle.__module__.split(".") else "iam"
        model = service(name).operations[operation.name]
        decoded = model.decode(orjson.dumps(dict(request or {})))
        answered = super().run(operation, decoded, principal=principal, now=now, region=region)
        assert model.encode_query(answered, REQUEST_ID)
        return answered

    def call(
        self,
        operation: str = "",
        request: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: Region = REGION,
        service: str = "iam",
    ) -> Call:
        call = super().call(operation, request, principal=principal, now=now, region=region, service=service)
        if call.principal.user_name is None:
            return call
        return replace(call, context={**call.context, "aws:username": call.principal.user_name})

    def refused(
        self, error: type[ServiceError], operation: Operation, request: Mapping[str, Any], **how: Any
    ) -> str:
        """Return the message of a refusal that changed nothing."""
        before = self.unit.state()
        with pytest.raises(error) as caught:
            self.run(operation, request, **how)
        assert type(caught.value) is error
        assert self.unit.state() == before
        return caught.value.message

    def denied(
        self, operation: Operation, request: Mapping[str, Any], caller: Principal, resource: str
    ) -> None:
        """Assert that no identity policy of the caller allows the operation on what is shown as `resource`."""
        assert self.refused(AccessDeniedException, operation, request, principal=caller) == (
            f"User: {caller.arn} is not authorized to perform: {operation.action} on resource: {resource} "
            f"because no identity-based policy allows the {operation.action} action"
        )

    def found(self, name: str, account_id: AccountId = ACCOUNT) -> User:
        """Return the stored user."""
        user: User | None = self.unit.find_alternate(USERS, account_id, name.lower())
        assert user is not None
        return user

    def access_key(self, access_key_id: str) -> AccessKey:
        """Return the stored key."""
        key: AccessKey | None = self.unit.find(ACCESS_KEYS, "", access_key_id)
        assert key is not None
        return key

    def signer(self, access_key_id: str) -> Principal | None:
        """Return who signs with a stored key."""
        return principal_of(self.unit, self.access_key(access_key_id))
