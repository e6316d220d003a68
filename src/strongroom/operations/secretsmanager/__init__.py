"""The Secrets Manager API: every operation of the service model, declared."""

from __future__ import annotations

from strongroom.operations.secretsmanager.cross_account import (
    ASSOCIATE_CROSS_ACCOUNT_REPLICA,
    DISASSOCIATE_CROSS_ACCOUNT_REPLICA,
)
from strongroom.operations.secretsmanager.description import DESCRIBE_SECRET
from strongroom.operations.secretsmanager.lifecycle import DELETE_SECRET, RESTORE_SECRET
from strongroom.operations.secretsmanager.listing import LIST_SECRETS
from strongroom.operations.secretsmanager.passwords import GET_RANDOM_PASSWORD
from strongroom.operations.secretsmanager.policies import (
    DELETE_RESOURCE_POLICY,
    GET_RESOURCE_POLICY,
    LIST_RESOURCE_POLICIES,
    PUT_RESOURCE_POLICY,
    VALIDATE_RESOURCE_POLICY,
)
from strongroom.operations.secretsmanager.reading import (
    BATCH_GET_SECRET_VALUE,
    GET_SECRET_VALUE,
)
from strongroom.operations.secretsmanager.replication import (
    REMOVE_REGIONS_FROM_REPLICATION,
    REPLICATE_SECRET_TO_REGIONS,
    STOP_REPLICATION_TO_REPLICA,
)
from strongroom.operations.secretsmanager.rotation import CANCEL_ROTATE_SECRET, ROTATE_SECRET
from strongroom.operations.secretsmanager.tags import TAG_RESOURCE, UNTAG_RESOURCE
from strongroom.operations.secretsmanager.values import (
    CREATE_SECRET,
    PUT_SECRET_VALUE,
    UPDATE_SECRET,
)
from strongroom.operations.secretsmanager.versions import (
    LIST_SECRET_VERSION_IDS,
    UPDATE_SECRET_VERSION_STAGE,
)

OPERATIONS = (
    ASSOCIATE_CROSS_ACCOUNT_REPLICA,
    BATCH_GET_SECRET_VALUE,
    CANCEL_ROTATE_SECRET,
    CREATE_SECRET,
    DELETE_RESOURCE_POLICY,
    DELETE_SECRET,
    DESCRIBE_SECRET,
    DISASSOCIATE_CROSS_ACCOUNT_REPLICA,
    GET_RANDOM_PASSWORD,
    GET_RESOURCE_POLICY,
    GET_SECRET_VALUE,
    LIST_RESOURCE_POLICIES,
    LIST_SECRETS,
    LIST_SECRET_VERSION_IDS,
    PUT_RESOURCE_POLICY,
    PUT_SECRET_VALUE,
    REMOVE_REGIONS_FROM_REPLICATION,
    REPLICATE_SECRET_TO_REGIONS,
    RESTORE_SECRET,
    ROTATE_SECRET,
    STOP_REPLICATION_TO_REPLICA,
    TAG_RESOURCE,
    UNTAG_RESOURCE,
    UPDATE_SECRET,
    UPDATE_SECRET_VERSION_STAGE,
    VALIDATE_RESOURCE_POLICY,
)

UNSUPPORTED: dict[str, str] = {}
"""Operations of the model that are not served, each with the reason."""
