"""The operations of Lambda that exist, and the reason for each that does not.

What is there is what functions that rotate secrets, and the tools that deploy them, need.
"""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation
from strongroom.operations.lambda_ import (
    aliases,
    fixed_settings,
    functions,
    invocations,
    layers,
    permissions,
    tags,
    updates,
    versions,
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    permissions.ADD_PERMISSION,
    aliases.CREATE_ALIAS,
    functions.CREATE_FUNCTION,
    aliases.DELETE_ALIAS,
    functions.DELETE_FUNCTION,
    layers.DELETE_LAYER_VERSION,
    *fixed_settings.FIXED,
    aliases.GET_ALIAS,
    functions.GET_FUNCTION,
    functions.GET_FUNCTION_CONFIGURATION,
    layers.GET_LAYER_VERSION,
    layers.GET_LAYER_VERSION_BY_ARN,
    permissions.GET_POLICY,
    invocations.INVOKE_FUNCTION,
    aliases.LIST_ALIASES,
    functions.LIST_FUNCTIONS,
    layers.LIST_LAYERS,
    layers.LIST_LAYER_VERSIONS,
    tags.LIST_TAGS,
    versions.LIST_VERSIONS_BY_FUNCTION,
    layers.PUBLISH_LAYER_VERSION,
    versions.PUBLISH_VERSION,
    permissions.REMOVE_PERMISSION,
    tags.TAG_RESOURCE,
    tags.UNTAG_RESOURCE,
    aliases.UPDATE_ALIAS,
    updates.UPDATE_FUNCTION_CODE,
    updates.UPDATE_FUNCTION_CONFIGURATION,
)

_CAPACITY: Final = "There are no capacity providers: functions run on the server itself."
_CONCURRENCY: Final = "Concurrency is not reserved or provisioned: all functions share the server."
_DURABLE: Final = "Functions run to their end in one go."
_EVENTS: Final = "Functions are run by Invoke and by rotation, not by queues and streams of events."
_LAYER_POLICIES: Final = "Layers are for functions of their own account."
_QUEUED: Final = "Functions are not invoked asynchronously."
_RESOURCE_POLICIES: Final = "AddPermission, RemovePermission and GetPolicy do what this does."
_SIGNING: Final = "Code is not signed here."
_STREAMED: Final = "Invoke answers when the function has ended."
_UPDATES: Final = "Functions run on the server's own interpreter, which is updated with it."
_URLS: Final = "Functions have no URLs of their own."

UNSUPPORTED: Final[dict[str, str]] = {
    "AddLayerVersionPermission": _LAYER_POLICIES,
    "CheckpointDurableExecution": _DURABLE,
    "CreateCapacityProvider": _CAPACITY,
    "CreateCodeSigningConfig": _SIGNING,
    "CreateEventSourceMapping": _EVENTS,
    "CreateFunctionUrlConfig": _URLS,
    "DeleteCapacityProvider": _CAPACITY,
    "DeleteCodeSigningConfig": _SIGNING,
    "DeleteDurableExecution": _DURABLE,
    "DeleteEventSourceMapping": _EVENTS,
    "DeleteFunctionCodeSigningConfig": _SIGNING,
    "DeleteFunctionConcurrency": _CONCURRENCY,
    "DeleteFunctionEventInvokeConfig": _QUEUED,
    "DeleteFunctionUrlConfig": _URLS,
    "DeleteProvisionedConcurrencyConfig": _CONCURRENCY,
    "DeleteResourcePolicy": _RESOURCE_POLICIES,
    "GetCapacityProvider": _CAPACITY,
    "GetCodeSigningConfig": _SIGNING,
    "GetDurableExecution": _DURABLE,
    "GetDurableExecutionHistory": _DURABLE,
    "GetDurableExecutionState": _DURABLE,
    "GetEventSourceMapping": _EVENTS,
    "GetFunctionEventInvokeConfig": _QUEUED,
    "GetFunctionScalingConfig": _CAPACITY,
    "GetFunctionUrlConfig": _URLS,
    "GetLayerVersionPolicy": _LAYER_POLICIES,
    "GetProvisionedConcurrencyConfig": _CONCURRENCY,
    "GetResourcePolicy": _RESOURCE_POLICIES,
    "InvokeAsync": _QUEUED,
    "InvokeWithResponseStream": _STREAMED,
    "ListCapacityProviders": _CAPACITY,
    "ListCodeSigningConfigs": _SIGNING,
    "ListDurableExecutionsByFunction": _DURABLE,
    "ListEventSourceMappings": _EVENTS,
    "ListFunctionEventInvokeConfigs": _QUEUED,
    "ListFunctionUrlConfigs": _URLS,
    "ListFunctionVersionsByCapacityProvider": _CAPACITY,
    "ListFunctionsByCodeSigningConfig": _SIGNING,
    "ListProvisionedConcurrencyConfigs": _CONCURRENCY,
    "PauseDurableExecution": _DURABLE,
    "PutFunctionCodeSigningConfig": _SIGNING,
    "PutFunctionConcurrency": _CONCURRENCY,
    "PutFunctionEventInvokeConfig": _QUEUED,
    "PutFunctionRecursionConfig": "Recursive loops are not looked for.",
    "PutFunctionScalingConfig": _CAPACITY,
    "PutProvisionedConcurrencyConfig": _CONCURRENCY,
    "PutResourcePolicy": _RESOURCE_POLICIES,
    "PutRuntimeManagementConfig": _UPDATES,
    "RemoveLayerVersionPermission": _LAYER_POLICIES,
    "ResumeDurableExecution": _DURABLE,
    "SendDurableExecutionCallbackFailure": _DURABLE,
    "SendDurableExecutionCallbackHeartbeat": _DURABLE,
    "SendDurableExecutionCallbackSuccess": _DURABLE,
    "StopDurableExecution": _DURABLE,
    "UpdateCapacityProvider": _CAPACITY,
    "UpdateCodeSigningConfig": _SIGNING,
    "UpdateEventSourceMapping": _EVENTS,
    "UpdateFunctionEventInvokeConfig": _QUEUED,
    "UpdateFunctionUrlConfig": _URLS,
}
