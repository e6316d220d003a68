"""Every operation of the IAM model is either there or said not to be."""

from __future__ import annotations

import botocore.session

from strongroom.operations.call import Unit
from strongroom.operations.iam import OPERATIONS, UNSUPPORTED

MODEL = botocore.session.get_session().get_service_model("iam")


def test_operations_and_unsupported_together_are_the_model() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(UNSUPPORTED)
    assert set(names) | set(UNSUPPORTED) == set(MODEL.operation_names)


def test_actions_carry_the_operation_names() -> None:
    assert all(operation.action == f"iam:{operation.name}" for operation in OPERATIONS)


def test_what_only_reads_is_declared_so() -> None:
    for operation in OPERATIONS:
        reads = operation.name.startswith(("Get", "List", "Simulate"))
        assert (operation.read_only, operation.unit is Unit.READ) == (reads, reads), operation.name


def test_every_reason_and_deviation_is_a_sentence() -> None:
    deviations = [text for operation in OPERATIONS for text in operation.deviations]
    for text in (*UNSUPPORTED.values(), *deviations):
        assert text[0].isupper()
        assert text.endswith(".")
