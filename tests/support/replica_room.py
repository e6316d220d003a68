"""A room with KMS and secrets in several regions and accounts, for tests of replication."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from strongroom.keys.records import KmsKey
from strongroom.names import (
    AWSCURRENT,
    AWSPREVIOUS,
    AccountId,
    Arn,
    Region,
    StagingLabel,
    VersionId,
    root_arn,
    secret_arn,
)
from strongroom.operations.call import Call
from strongroom.operations.datakeys import open_value, seal_value
from strongroom.operations.kms.material import new_key
from strongroom.operations.secretsmanager.replicas import propagate
from strongroom.ports import KMS_KEYS, SECRET_POLICIES
from strongroom.secret.records import Secret, SecretPolicy, SecretVersion
from strongroom.secret.value import SecretValue
from support.key_room import ACCOUNT, NOON, REGION, KeyRoom, for_principal, policy, root

T = TypeVar("T")

PARIS = Region("eu-west-3")
OHIO = Region("us-east-2")
ONE_MS = dt.timedelta(milliseconds=1)


def version_id(number: int) -> VersionId:
    return VersionId(f"{number:0>32}")


class ReplicaRoom(KeyRoom):
    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` on the unit in a write: nothing is left of one that raises."""
        return self.store.write(work).result()

    def add_secret(
        self,
        name: str = "db",
        values: Sequence[str] = ("first",),
        *,
        account_id: AccountId = ACCOUNT,
        region: Region = REGION,
        suffix: str = "AbCdEf",
        **members: Any,
    ) -> Secret:
        """Store a secret with a version for each value, sealed; the last two carry the usual labels."""
        ids = [version_id(number) for number, _ in enumerate(values, 1)]
        labels = dict(zip((AWSCURRENT, AWSPREVIOUS), reversed(ids), strict=False))
        secret = Secret(
            arn=secret_arn(region, account_id, name, suffix),
            account_id=account_id,
            region=region,
            name=name,
            created_at=NOON,
            last_changed_at=NOON,
            labels=members.pop("labels", labels),
            **members,
        )
        self.unit.save_secret(secret)
        for number, value in enumerate(values, 1):
            self.add_version(secret, number, value)
        return secret

    def add_version(self, secret: Secret, number: int, value: str) -> None:
        sealed = seal_value(
            self.call(principal=root(secret.account_id), region=secret.region),
            self.unit,
            secret_arn=secret.arn,
            region=secret.region,
            account_id=secret.account_id,
            version_id=version_id(number),
            kms_key_id=secret.kms_key_id,
            value=SecretValue(text=value),
        )
        self.unit.save_version(
            SecretVersion(
                secret_arn=secret.arn,
                version_id=version_id(number),
                created_at=NOON + number * ONE_MS,
                kms_key_arn=sealed.kms_key_arn,
                envelope=sealed.envelope,
                default_key=sealed.default_key,
            )
        )

    def put(self, arn: str, number: int, value: str, call: Call | None = None) -> Secret:
        """Give the secret a new current version as a write handler does, replicas included."""
        before = self.secret(arn)
        self.add_version(before, number, value)
        labels = {AWSCURRENT: version_id(number), AWSPREVIOUS: before.labels[AWSCURRENT]}
        return self.change(arn, call, labels=labels)

    def change(self, arn: str, call: Call | None = None, **members: Any) -> Secret:
        """Change members of the secret as a write handler does, replicas included."""
        before = self.secret(arn)
        caller = call or self.call(principal=root(before.account_id), region=before.region)

        def work(unit: Any) -> Secret:
            changed = replace(before, last_changed_at=before.last_changed_at + ONE_MS, **members)
            unit.save_secret(changed)
            return propagate(caller, unit, changed)

        return self.write(work)

    def secret(self, arn: str) -> Secret:
        found = self.unit.secret(arn)
        assert found is not None, f"{arn} is not there"
        return found

    def values(self, arn: str) -> dict[str, str | None]:
        """Return the secret's values by version id, opened as its account's root."""
        secret = self.secret(arn)
        call = self.call(principal=root(secret.account_id), region=secret.region)
        return {
            version.version_id: open_value(
                call, self.unit, version, region=secret.region, account_id=secret.account_id
            ).text
            for version in self.unit.versions(arn)
        }

    def labels(self, arn: str) -> dict[StagingLabel, VersionId]:
        return dict(self.secret(arn).labels)

    def attach_policy(self, arn: Arn, document: str, name: str = "default") -> None:
        self.unit.save(SECRET_POLICIES, SecretPolicy(secret_arn=arn, policy_name=name, document=document))

    def policies(self, arn: str) -> dict[str, str]:
        return {each.policy_name: each.document for each in self.unit.scan(SECRET_POLICIES, arn)}

    def add_key(
        self, *, account_id: AccountId = ACCOUNT, region: Region = REGION, users: Sequence[str] = ()
    ) -> KmsKey:
        """Store a customer managed key; `users` are accounts that may use it besides its own."""
        statements = [for_principal(root_arn(account_id), "kms:*")]
        statements += [for_principal(root_arn(user), "kms:Encrypt", "kms:Decrypt") for user in users]
        key = new_key(
            account_id=account_id,
            region=region,
            policy=policy(*statements),
            now=NOON,
            entropy=self.entropy,
            root_key=self.root_key,
        )
        self.unit.save(KMS_KEYS, key)
        return key

    def set_key_state(self, key: KmsKey, state: str) -> None:
        self.unit.save(KMS_KEYS, replace(key, state=state))
