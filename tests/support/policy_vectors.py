"""The authorization table of tests/vectors/policy, for the evaluator, the oracle, and the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from strongroom.policy.document import PolicyKind, parse_policy
from strongroom.policy.evaluation import AccessRequest, Caller, CallerType, LabelledPolicy, PolicySet
from support.policy_oracle import OracleRequest, OracleSet

FOLDER = Path(__file__).parents[1] / "vectors" / "policy"
OWNER = "111122223333"
KINDS = {"resource": PolicyKind.RESOURCE, "key": PolicyKind.KEY, "trust": PolicyKind.TRUST}

Document = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One row: who asks for what, under which policies, and the decision that has to come out."""

    file: str
    members: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.file}: {self.members['id']}"

    @property
    def caller(self) -> str:
        return str(self.members["caller"])

    @property
    def allowed(self) -> bool:
        return bool(self.members["expect"] == "allow")

    @property
    def layer(self) -> str:
        return str(self.members["layer"])

    @property
    def explicit(self) -> bool:
        return bool(self.members.get("explicit", False))

    @property
    def context(self) -> dict[str, str | tuple[str, ...]]:
        given = self.members.get("context", {})
        return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}

    def documents(self, layer: str) -> list[Document]:
        """Return the policies of a layer that holds several; none when it is not there."""
        return [_document(each) for each in self.members.get(layer, ())]

    def document(self, layer: str) -> Document | None:
        """Return the policy of a layer that holds one."""
        given = self.members.get(layer)
        return None if given is None else _document(given)

    @property
    def session(self) -> list[Document] | None:
        """None: the session was made without session policies."""
        return self.documents("session") if "session" in self.members else None

    def request(self) -> AccessRequest:
        return AccessRequest(
            action=self.members["action"],
            resource=self.members["resource"],
            principal=caller(self.caller),
            resource_account=self.members.get("owner", OWNER),
            context=self.context,
        )

    def policies(self) -> PolicySet:
        """Return the policies, compiled as those of their layers are."""
        kind = KINDS[self.members.get("kind", "resource")]
        boundary, endpoint, session = self.document("boundary"), self.document("endpoint"), self.session
        return PolicySet(
            identity=_compiled("identity", self.documents("identity")),
            resource=_compiled("resource", self.documents("resource_policy"), kind),
            boundary=None if boundary is None else _compiled("boundary", [boundary])[0],
            session=None if session is None else _compiled("session", session),
            vpc_endpoint=(
                None if endpoint is None else _compiled("endpoint", [endpoint], PolicyKind.RESOURCE)[0]
            ),
            service_control=_compiled("scp", self.documents("scp")),
            resource_control=_compiled("rcp", self.documents("rcp"), PolicyKind.RESOURCE),
            resource_delegates_to_account=kind is PolicyKind.RESOURCE,
        )

    def oracle_policies(self) -> OracleSet:
        return OracleSet(
            identity=self.documents("identity"),
            resource=self.documents("resource_policy"),
            boundary=self.document("boundary"),
            session=self.session,
            vpc_endpoint=self.document("endpoint"),
            service_control=self.documents("scp"),
            resource_control=self.documents("rcp"),
            delegates=self.members.get("kind", "resource") == "resource",
        )

    def oracle_request(self) -> OracleRequest:
        return oracle_request(self.request())


def oracle_request(request: AccessRequest) -> OracleRequest:
    """Return the request as the oracle takes it: with everything that names the caller."""
    who = request.principal
    itself = [] if who.type is CallerType.ROOT else [who.arn]
    if who.type is CallerType.USER:
        itself.append(who.principal_id)
    if who.type is CallerType.WEB_IDENTITY:
        itself = [] if who.provider is None else [who.provider]
    behind = [each for each in (who.role_arn, who.issuer_arn, who.issuer_id) if each]
    if who.type is CallerType.ASSUMED_ROLE:
        behind.append(who.principal_id.split(":")[0])
    root_made = who.issuer_arn is not None and who.issuer_arn.endswith(":root")
    return OracleRequest(
        action=request.action,
        resource=request.resource,
        caller_type="RootFederated" if root_made else who.type.value,
        account="" if who.stands_alone else who.account_id,
        itself=itself,
        behind=[] if root_made else behind,
        resource_account=request.resource_account,
        context=request.context,
    )


@cache
def rows() -> tuple[Row, ...]:
    """Return the whole table, file by file."""
    files = sorted(path for path in FOLDER.glob("*.json") if path.name != "callers.json")
    return tuple(Row(path.stem, each) for path in files for each in json.loads(path.read_text("utf-8")))


@cache
def callers() -> dict[str, dict[str, str]]:
    """Return the callers by the names rows use."""
    found: dict[str, dict[str, str]] = json.loads((FOLDER / "callers.json").read_text("utf-8"))
    return found


def caller(name: str) -> Caller:
    given = callers()[name]
    return Caller(
        type=CallerType(given["type"]),
        account_id=given["account"],
        arn=given["arn"],
        principal_id=given["id"],
        role_arn=given.get("role_arn"),
        issuer_arn=given.get("issuer_arn"),
        issuer_id=given.get("issuer_id"),
        provider=given.get("provider"),
    )


def _document(given: Any) -> Document:
    """A list is the statements of a document of today's version."""
    return {"Version": "2012-10-17", "Statement": given} if isinstance(given, list) else dict(given)


def _compiled(
    label: str, documents: list[Document], kind: PolicyKind = PolicyKind.IDENTITY
) -> tuple[LabelledPolicy, ...]:
    return tuple(LabelledPolicy(label, parse_policy(json.dumps(each), kind)) for each in documents)
