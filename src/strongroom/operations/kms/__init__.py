"""The operations of KMS that exist, and the reason for each that does not yet."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation
from strongroom.operations.kms import (
    aliases,
    ciphers,
    data_key_pairs,
    encapsulation,
    grants,
    imports,
    key_agreement,
    keys,
    macs,
    multi_region,
    policies,
    rotation,
    signatures,
    tags,
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    aliases.CREATE_ALIAS,
    aliases.DELETE_ALIAS,
    aliases.LIST_ALIASES,
    aliases.UPDATE_ALIAS,
    ciphers.DECRYPT,
    ciphers.ENCRYPT,
    ciphers.GENERATE_DATA_KEY,
    ciphers.GENERATE_DATA_KEY_WITHOUT_PLAINTEXT,
    ciphers.GENERATE_RANDOM,
    ciphers.RE_ENCRYPT,
    data_key_pairs.GENERATE_DATA_KEY_PAIR,
    data_key_pairs.GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT,
    encapsulation.DECAPSULATE,
    encapsulation.ENCAPSULATE,
    grants.CREATE_GRANT,
    grants.LIST_GRANTS,
    grants.LIST_RETIRABLE_GRANTS,
    grants.RETIRE_GRANT,
    grants.REVOKE_GRANT,
    imports.DELETE_IMPORTED_KEY_MATERIAL,
    imports.GET_PARAMETERS_FOR_IMPORT,
    imports.IMPORT_KEY_MATERIAL,
    key_agreement.DERIVE_SHARED_SECRET,
    keys.CANCEL_KEY_DELETION,
    keys.CREATE_KEY,
    keys.DESCRIBE_KEY,
    keys.DISABLE_KEY,
    keys.ENABLE_KEY,
    keys.LIST_KEYS,
    keys.SCHEDULE_KEY_DELETION,
    keys.UPDATE_KEY_DESCRIPTION,
    macs.GENERATE_MAC,
    macs.VERIFY_MAC,
    multi_region.REPLICATE_KEY,
    multi_region.UPDATE_PRIMARY_REGION,
    policies.GET_KEY_POLICY,
    policies.LIST_KEY_POLICIES,
    policies.PUT_KEY_POLICY,
    rotation.DISABLE_KEY_ROTATION,
    rotation.ENABLE_KEY_ROTATION,
    rotation.GET_KEY_ROTATION_STATUS,
    rotation.LIST_KEY_ROTATIONS,
    rotation.ROTATE_KEY_ON_DEMAND,
    signatures.GET_PUBLIC_KEY,
    signatures.SIGN,
    signatures.VERIFY,
    tags.LIST_RESOURCE_TAGS,
    tags.TAG_RESOURCE,
    tags.UNTAG_RESOURCE,
)

_STORES: Final = "Custom key stores are not planned: key material lives under this server's own root key."

UNSUPPORTED: Final[dict[str, str]] = {
    "ConnectCustomKeyStore": _STORES,
    "CreateCustomKeyStore": _STORES,
    "DeleteCustomKeyStore": _STORES,
    "DescribeCustomKeyStores": _STORES,
    "DisconnectCustomKeyStore": _STORES,
    "GetKeyLastUsage": (
        "It would have to name the event of the last use, and uses of a key leave no write; LookupEvents by "
        "the key's ARN tells them all."
    ),
    "UpdateCustomKeyStore": _STORES,
}
