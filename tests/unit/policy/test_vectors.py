"""The authorization table (tests/vectors/policy) in the evaluator and in the naive second one."""

from __future__ import annotations

from collections import Counter

import pytest

from strongroom.policy.evaluation import evaluate
from support.policy_oracle import oracle
from support.policy_vectors import Row, callers, rows

LAYERS = {
    "identity-based policy",
    "resource-based policy",
    "role trust policy",
    "permissions boundary",
    "session policy",
    "service control policy",
    "resource control policy",
    "VPC endpoint policy",
    "root user",
}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_row_of_the_authorization_table(row: Row) -> None:
    decision = evaluate(row.request(), row.policies())
    assert (decision.allowed, decision.layer.value, decision.explicit) == (
        row.allowed,
        row.layer,
        row.explicit,
    )
    assert oracle(row.oracle_request(), row.oracle_policies()) == (row.allowed, row.explicit)


def test_the_table_is_as_large_and_as_varied_as_promised() -> None:
    assert len(rows()) >= 300
    assert sum(bool(row.members.get("wire")) for row in rows()) >= 60
    assert len({row.name for row in rows()}) == len(rows())
    assert {row.layer for row in rows()} == LAYERS
    assert {row.caller for row in rows()} == set(callers())
    outcomes = Counter((row.allowed, row.explicit) for row in rows())
    assert min(outcomes[True, False], outcomes[False, False], outcomes[False, True]) >= 50
    members = {member for row in rows() for member in row.members}
    assert members <= {
        *("id", "source", "caller", "action", "resource", "owner", "context", "kind", "wire"),
        *("identity", "resource_policy", "boundary", "session", "endpoint", "scp", "rcp"),
        *("expect", "layer", "explicit"),
    }
