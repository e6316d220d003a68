"""The operations of CloudTrail that exist, and the reason for each that does not."""

from __future__ import annotations

from typing import Final

from strongroom.operations.call import Operation
from strongroom.operations.cloudtrail import lookup, public_keys, selectors, tags, trails

OPERATIONS: Final[tuple[Operation, ...]] = (
    tags.ADD_TAGS,
    trails.CREATE_TRAIL,
    trails.DELETE_TRAIL,
    trails.DESCRIBE_TRAILS,
    selectors.GET_EVENT_SELECTORS,
    selectors.GET_INSIGHT_SELECTORS,
    trails.GET_TRAIL,
    trails.GET_TRAIL_STATUS,
    public_keys.LIST_PUBLIC_KEYS,
    tags.LIST_TAGS,
    trails.LIST_TRAILS,
    lookup.LOOKUP_EVENTS,
    selectors.PUT_EVENT_SELECTORS,
    tags.REMOVE_TAGS,
    trails.START_LOGGING,
    trails.STOP_LOGGING,
    trails.UPDATE_TRAIL,
)

_LAKE: Final = "CloudTrail Lake is not planned: LookupEvents and `strongroom trail search` ask the trail."
_IMPORT: Final = "Only the server writes into its trail."
_CHANNEL: Final = "There are no sources of events but the server's own services."
_ORGANIZATION: Final = "There are no organizations here."
_INSIGHTS: Final = "Unusual activity is not looked for: there are no Insights events."
_EVENTS: Final = "Records have one size limit, and no tags are put into them."

UNSUPPORTED: Final[dict[str, str]] = {
    "CancelQuery": _LAKE,
    "CreateChannel": _CHANNEL,
    "CreateDashboard": _LAKE,
    "CreateEventDataStore": _LAKE,
    "DeleteChannel": _CHANNEL,
    "DeleteDashboard": _LAKE,
    "DeleteEventDataStore": _LAKE,
    "DeleteResourcePolicy": _LAKE,
    "DeregisterOrganizationDelegatedAdmin": _ORGANIZATION,
    "DescribeQuery": _LAKE,
    "DisableFederation": _LAKE,
    "EnableFederation": _LAKE,
    "GenerateQuery": _LAKE,
    "GetChannel": _CHANNEL,
    "GetDashboard": _LAKE,
    "GetEventConfiguration": _EVENTS,
    "GetEventDataStore": _LAKE,
    "GetImport": _IMPORT,
    "GetQueryResults": _LAKE,
    "GetResourcePolicy": _LAKE,
    "ListChannels": _CHANNEL,
    "ListDashboards": _LAKE,
    "ListEventDataStores": _LAKE,
    "ListImportFailures": _IMPORT,
    "ListImports": _IMPORT,
    "ListInsightsData": _INSIGHTS,
    "ListInsightsMetricData": _INSIGHTS,
    "ListQueries": _LAKE,
    "PutEventConfiguration": _EVENTS,
    "PutInsightSelectors": _INSIGHTS,
    "PutResourcePolicy": _LAKE,
    "RegisterOrganizationDelegatedAdmin": _ORGANIZATION,
    "RestoreEventDataStore": _LAKE,
    "SearchSampleQueries": _LAKE,
    "StartDashboardRefresh": _LAKE,
    "StartEventDataStoreIngestion": _LAKE,
    "StartImport": _IMPORT,
    "StartQuery": _LAKE,
    "StopEventDataStoreIngestion": _LAKE,
    "StopImport": _IMPORT,
    "UpdateChannel": _CHANNEL,
    "UpdateDashboard": _LAKE,
    "UpdateEventDataStore": _LAKE,
}
