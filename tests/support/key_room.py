"""A room with KMS: an in-memory store, a root key, callers, and the pipeline's way of running a call."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from strongroom.identity.principal import Principal, PrincipalType
from strongroom.identity.records import Account, User
from strongroom.keys.records import Alias, KmsKey
from strongroom.names import AccountId, Region, root_arn, user_arn
from strongroom.operations.authorize import authorize
from strongroom.operations.call import Call, Operation, Resources, Unit
from strongroom.operations.kms.material import KeyMemory
from strongroom.ports import ACCOUNTS, ALIASES, KMS_KEYS, USERS, account_region
from strongroom.rootkey.held import HeldRootKey
from support.entropies import SeededEntropy, pattern
from support.memory_unit import MemoryStore, MemoryUnit

ACCOUNT = AccountId("111122223333")
OTHER_ACCOUNT = AccountId("444455556666")
REGION = Region("eu-central-1")
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def root(account_id: AccountId = ACCOUNT) -> Principal:
    return Principal(PrincipalType.ROOT, account_id, root_arn(account_id), account_id, "AKIAROOT")


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": resource, **more}


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def for_principal(arn: str, *actions: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": {"AWS": arn}, "Action": list(actions), "Resource": "*", **more}


class KeyRoom:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.entropy = SeededEntropy()
        self.memory = KeyMemory()
        self.root_key = HeldRootKey(pattern("room's root key", 32), self.entropy)
        self.resources = Resources(self.store, self.root_key, self.entropy, self.memory)
        for account_id in (ACCOUNT, OTHER_ACCOUNT):
            self.unit.save(ACCOUNTS, Account(account_id=account_id, created_at=NOON))

    @property
    def unit(self) -> MemoryUnit:
        return self.store.unit

    def user(self, name: str, *statements: Mapping[str, Any], account_id: AccountId = ACCOUNT) -> Principal:
        """Store a user with one inline policy (none without statements) and return it as a caller."""
        arn, user_id = user_arn(account_id, "/", name), f"AIDA{name.upper():0<17}"
        record = User(
            user_id=user_id,
            user_name=name,
            path="/",
            arn=arn,
            account_id=account_id,
            created_at=NOON,
            policies={"inline": policy(*statements)} if statements else {},
        )
        self.unit.save(USERS, record)
        return Principal(PrincipalType.USER, account_id, arn, user_id, "AKIAUSER", user_name=name)

    def call(
        self,
        operation: str = "",
        request: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: Region = REGION,
        service: str = "kms",
    ) -> Call:
        """Return a call, the account root's unless said."""
        caller = principal or root()
        return Call(
            service=service,
            operation=operation,
            request=request or {},
            principal=caller,
            region=region,
            received_at=now,
            request_id="11111111-2222-3333-4444-555555555555",
            resources=self.resources,
            context={
                "aws:PrincipalArn": caller.arn,
                "aws:PrincipalAccount": caller.account_id,
                "aws:PrincipalType": caller.type.value,
                "aws:userid": caller.principal_id,
            },
        )

    def run(
        self,
        operation: Operation,
        request: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        now: dt.datetime = NOON,
        region: Region = REGION,
    ) -> Any:
        """Answer a decoded request as the pipeline does; a refused write leaves nothing behind."""
        call = self.call(operation.name, request, principal=principal, now=now, region=region)
        if operation.prepare is not None:
            before = self.unit.state()
            authorized = authorize(call, self.unit, operation.targets(call, self.unit))
            work = operation.prepare(authorized, self.unit)
            assert self.unit.state() == before, "a call's preparation changed the store"
            if work is not None:
                call = replace(call, prepared=work(), details={})

        def answer(unit: MemoryUnit) -> Any:
            return operation.handle(authorize(call, unit, operation.targets(call, unit)), unit)

        if operation.unit is Unit.READ:
            before = self.unit.state()
            answered = answer(self.unit)
            assert self.unit.state() == before, "a read changed the store"
            return answered
        return self.store.write(answer).result()

    def key(self, key_id: str, account_id: AccountId = ACCOUNT, region: Region = REGION) -> KmsKey:
        """Return the stored key."""
        found: KmsKey | None = self.unit.find(KMS_KEYS, account_region(account_id, region), key_id)
        assert found is not None
        return found

    def alias(self, name: str, account_id: AccountId = ACCOUNT, region: Region = REGION) -> Alias | None:
        return self.unit.find(ALIASES, account_region(account_id, region), name)
