"""The readOnly of each operation's records. Source: fact sheet cloudtrail sections 3 and 5."""

from __future__ import annotations

import pytest

from strongroom.operations.call import Unit
from strongroom.operations.catalog import CATALOG

READ_ONLY = {
    "secretsmanager": {
        "BatchGetSecretValue", "DescribeSecret", "GetRandomPassword", "GetResourcePolicy", "GetSecretValue",
        "ListSecrets", "ListSecretVersionIds", "ListResourcePolicies", "ValidateResourcePolicy",
    },
    "kms": {
        "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
        "GenerateRandom", "GetKeyPolicy", "ListAliases", "ListKeyPolicies", "ListKeys", "ListResourceTags",
        "ReEncrypt",
    },
}  # fmt: skip


@pytest.mark.parametrize("service", CATALOG)
def test_read_only_is_said_of_what_changes_nothing(service: str) -> None:
    operations = CATALOG[service].operations
    said = {name for name, operation in operations.items() if operation.read_only}
    by_name = {name for name in operations if name.startswith(("Get", "List"))}
    assert said == READ_ONLY.get(service, by_name)


@pytest.mark.parametrize("service", CATALOG)
def test_what_is_not_read_only_is_recorded_in_the_transaction_it_tells_of(service: str) -> None:
    for operation in CATALOG[service].operations.values():
        assert operation.read_only or operation.unit is Unit.WRITE, operation.name
