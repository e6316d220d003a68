"""Every operation of the CloudTrail model is either there or said not to be."""

from __future__ import annotations

import botocore.session

from strongroom.operations.cloudtrail import OPERATIONS, UNSUPPORTED

MODEL = botocore.session.get_session().get_service_model("cloudtrail")


def test_operations_and_unsupported_together_are_the_model() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(UNSUPPORTED)
    assert set(names) | set(UNSUPPORTED) == set(MODEL.operation_names)


def test_actions_carry_the_operation_names() -> None:
    assert all(operation.action == f"cloudtrail:{operation.name}" for operation in OPERATIONS)


def test_every_reason_and_deviation_is_a_sentence() -> None:
    deviations = [text for operation in OPERATIONS for text in operation.deviations]
    for text in (*UNSUPPORTED.values(), *deviations):
        assert text[0].isupper()
        assert text.endswith(".")
