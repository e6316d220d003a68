"""What an account may see of a decision record, as the service model has it. Pure.

Within one account that is all of it. Across accounts each side sees what its own policies said: whoever is
refused by another account's resource learns no more of its policies than AWS's words tell, and the resource's
account learns no more of the caller than the trail tells it (docs/spec/trail.md, section 3).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from strongroom.policy.evaluation import Layer

__all__ = ["concerns", "shown"]

Record = Mapping[str, Any]
_CALLERS: Final = frozenset(
    {
        Layer.IDENTITY,
        Layer.BOUNDARY,
        Layer.SESSION,
        Layer.SERVICE_CONTROL,
        Layer.VPC_ENDPOINT,
        Layer.ROOT_USER,
    }
)
_RESOURCES: Final = frozenset({Layer.RESOURCE, Layer.TRUST, Layer.GRANT, Layer.RESOURCE_CONTROL})
OTHER_SIDE: Final = (
    "The account of the resource has to allow it as well; what its policies say is not shown here."
)
OTHER_CALLER: Final = "The caller is of another account; what its own policies say is not shown here."
_NOTHING: Final[Record] = {"refusals": (), "keys": (), "near_misses": (), "remedies": ()}


def concerns(record: Record, account_id: str) -> bool:
    """True when the account may see anything of the record: it is the caller's or the resource's."""
    # A record of an earlier version has not all that is asked for here.
    return "own_side" in record and account_id in (record["account"], record["resource_account"])


def shown(record: Record, account_id: str) -> dict[str, Any]:
    """Return the record as a DecisionEntry for one of the accounts it concerns."""
    entry: dict[str, Any] = {
        "At": dt.datetime.strptime(record["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC),
        "Service": record["service"],
        "Operation": record["operation"],
        "Region": record["region"],
        "Action": record["action"],
        "ResourceArn": record["resource"],
        "ResourceAccountId": record["resource_account"],
        "Message": record["message"],
    }
    explanation: Record = record.get("explanation") or _NOTHING
    layers, note = _CALLERS | _RESOURCES, record.get("note", "")
    within = record["account"] == record["resource_account"]
    if account_id != record["resource_account"]:
        layers, note = _CALLERS if record["own_side"] else frozenset(), OTHER_SIDE
        entry["ResourceArn"] = record["resource_as_sent"]
    elif not within:
        layers, note = _RESOURCES, OTHER_CALLER
    if account_id == record["account"]:
        entry["PrincipalArn"] = record["principal"]
    if record.get("assuming"):
        entry["Assuming"] = record["assuming"]
    if note:
        entry["Note"] = note
    entry["RefusedBy"] = [layer for layer in record["refused_by"] if layer in layers]
    entry["Refusals"] = [
        {"Layer": each["layer"], "Denies": [_statement(deny) for deny in each["denies"]]}
        for each in explanation["refusals"]
        if each["layer"] in layers
    ]
    entry["NearMisses"] = [
        {"Statement": _statement(each["statement"]), "Misses": each["misses"]}
        for each in explanation["near_misses"]
        if each["statement"]["layer"] in layers
    ]
    # Across accounts, a key's values may be tags of the resource, and which keys are asked for and what would
    # help tells of its policies; a remedy for the resource names the caller.
    entry["ConditionKeys"] = [
        {"Key": each["key"], "Values": each["values"]} for each in (explanation["keys"] if within else ())
    ]
    entry["Remedies"] = [
        {"Changes": [_change(each) for each in remedy]}
        for remedy in (explanation["remedies"] if within else ())
    ]
    return entry


def _statement(statement: Record) -> dict[str, Any]:
    return {
        "Layer": statement["layer"],
        "PolicyLabel": statement["label"],
        "Sid": statement["sid"],
        "Index": statement["index"],
    }


def _change(change: Record) -> dict[str, Any]:
    shown: dict[str, Any] = {"Type": change["type"], "Layer": change["layer"]}
    if change.get("label"):
        shown["PolicyLabel"] = change["label"]
    if change["type"] == "add statement":
        shown["Statements"] = [json.dumps(change["statement"])]
    elif change["type"] == "add grant":
        shown["GrantParameters"] = json.dumps(change["parameters"])
    else:
        shown |= {"Sid": change["sid"], "Index": change["index"]}
        shown["Statements"] = [json.dumps(each) for each in change["statements"]]
        if change["also_spares"]:
            shown["AlsoSpares"] = change["also_spares"]
    return shown
