"""What an account may see of a decision record, as the service model has it. Pure.

Within one account that is all of it. Across accounts each side sees what its own policies said: whoever is
refused by another account's resource learns no more of its policies than AWS's words tell, and the resource's
account learns no more of the caller than the trail tells it (docs/spec/trail.md, section 3).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
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
    return account_id in (record.get("account"), record["resource_account"])


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
    if record.get("assuming"):
        entry["Assuming"] = record["assuming"]
    layers: frozenset[Layer] = _CALLERS | _RESOURCES
    note = record.get("note", "")
    if account_id != record["resource_account"]:
        layers, note = _CALLERS, OTHER_SIDE
    elif account_id != record["account"]:
        layers, note = _RESOURCES, OTHER_CALLER
    whole = record["account"] == record["resource_account"]
    if account_id == record["account"]:
        entry["PrincipalArn"] = record["principal"]
    if note:
        entry["Note"] = note
    explanation: Record = record.get("explanation") or _NOTHING
    entry["RefusedBy"] = [layer for layer in record["refused_by"] if layer in layers]
    entry["Refusals"] = [
        {"Layer": each["layer"], "Denies": [_statement(deny) for deny in each["denies"]]}
        for each in explanation["refusals"]
        if each["layer"] in layers
    ]
    # A key's values may be tags of the resource, and which keys are asked for tells of its policies.
    keys = explanation["keys"] if whole else ()
    entry["ConditionKeys"] = [{"Key": each["key"], "Values": each["values"]} for each in keys]
    entry["NearMisses"] = [
        {"Statement": _statement(each["statement"]), "Misses": each["misses"]}
        for each in explanation["near_misses"]
        if each["statement"]["layer"] in layers
    ]
    # What the resource's account could add would name the caller.
    remedies = explanation["remedies"] if account_id == record["account"] else ()
    entry["Remedies"] = _remedies(remedies, layers)
    return entry


def _remedies(remedies: Iterable[Iterable[Record]], layers: frozenset[Layer]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for remedy in remedies:
        changes = [_change(each) for each in remedy if each["layer"] in layers]
        if changes and {"Changes": changes} not in found:
            found.append({"Changes": changes})
    return found


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
