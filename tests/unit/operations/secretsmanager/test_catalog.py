"""All operations of the Secrets Manager model are there."""

from __future__ import annotations

import botocore.session

from strongroom.operations.secretsmanager import OPERATIONS, UNSUPPORTED

MODEL = botocore.session.get_session().get_service_model("secretsmanager")


def test_operations_and_unsupported_together_are_the_model() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(UNSUPPORTED)
    assert set(names) | set(UNSUPPORTED) == set(MODEL.operation_names)


def test_actions_carry_the_operation_names() -> None:
    assert all(each.action == f"secretsmanager:{each.name}" for each in OPERATIONS)


def test_every_deviation_is_a_sentence() -> None:
    for text in (text for operation in OPERATIONS for text in operation.deviations):
        assert len(text.split()) > 3
        assert text.endswith(".")
