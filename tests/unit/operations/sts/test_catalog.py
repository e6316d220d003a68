"""Every operation of the STS model is either there or said not to be."""

from __future__ import annotations

import botocore.session

from strongroom.operations.catalog import CATALOG
from strongroom.operations.sts import OPERATIONS, UNSUPPORTED

MODEL = botocore.session.get_session().get_service_model("sts")


def test_operations_and_unsupported_together_are_the_model() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(UNSUPPORTED)
    assert set(names) | set(UNSUPPORTED) == set(MODEL.operation_names)


def test_every_action_but_those_aws_never_asks_policies_for_can_be_refused() -> None:
    actions = {operation.name: operation.action for operation in OPERATIONS}
    unasked = {"GetCallerIdentity", "GetSessionToken"}
    assert actions == {name: "" if name in unasked else f"sts:{name}" for name in actions}


def test_one_operation_alone_takes_no_signature() -> None:
    every = [operation for service in CATALOG.values() for operation in service.operations.values()]
    assert [each.name for each in every if each.identification is not None] == ["AssumeRoleWithWebIdentity"]


def test_every_reason_and_deviation_is_a_sentence() -> None:
    deviations = [text for operation in OPERATIONS for text in operation.deviations]
    for text in (*UNSUPPORTED.values(), *deviations):
        assert text[0].isupper()
        assert text.endswith(".")
