"""The readOnly of each operation's records. Source: fact sheet cloudtrail sections 3 and 5."""

from __future__ import annotations

import pytest

from strongroom.operations.call import Unit
from strongroom.operations.catalog import CATALOG

# Named one by one where the name does not tell; everything that only gets, lists or describes besides.
READ_ONLY = {
    "secretsmanager": {"BatchGetSecretValue", "ValidateResourcePolicy"},
    "kms": {
        "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
        "GenerateRandom", "ReEncrypt", "Sign", "Verify", "VerifyMac",
    },
    "iam": {"SimulateCustomPolicy", "SimulatePrincipalPolicy"},
    "sts": {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage"},
    "cloudtrail": {"LookupEvents"},
    "strongroom": {"ExplainDecision"},
}  # fmt: skip
CHANGES_NOTHING = ("Get", "List", "Describe")
OUTSIDE = {"Invoke"}
"""What it changes is not in the store: a function runs."""


@pytest.mark.parametrize("service", CATALOG)
def test_read_only_is_said_of_what_changes_nothing(service: str) -> None:
    operations = CATALOG[service].operations
    said = {name for name, operation in operations.items() if operation.read_only}
    by_name = {name for name in operations if name.startswith(CHANGES_NOTHING)}
    assert said == by_name | READ_ONLY.get(service, set()).intersection(operations)


@pytest.mark.parametrize("service", CATALOG)
def test_what_is_not_read_only_is_recorded_in_the_transaction_it_tells_of(service: str) -> None:
    for operation in CATALOG[service].operations.values():
        in_transaction = operation.unit is Unit.WRITE or operation.name in OUTSIDE
        assert operation.read_only or in_transaction, operation.name
