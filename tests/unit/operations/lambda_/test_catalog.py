"""Every operation of the Lambda model is either there or said not to be."""

from __future__ import annotations

import botocore.session

from strongroom.operations.lambda_ import OPERATIONS, UNSUPPORTED

MODEL = botocore.session.get_session().get_service_model("lambda")


def test_operations_and_unsupported_together_are_the_model() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(UNSUPPORTED)
    assert set(names) | set(UNSUPPORTED) == set(MODEL.operation_names)


def test_actions_carry_the_operation_names() -> None:
    actions = {operation.name: operation.action for operation in OPERATIONS}
    # Service authorization reference: these two go by other names.
    assert actions.pop("Invoke") == "lambda:InvokeFunction"
    assert actions.pop("GetLayerVersionByArn") == "lambda:GetLayerVersion"
    assert all(action == f"lambda:{name}" for name, action in actions.items())


def test_every_reason_and_deviation_is_a_sentence() -> None:
    deviations = [text for operation in OPERATIONS for text in operation.deviations]
    for text in (*UNSUPPORTED.values(), *deviations):
        assert text[0].isupper()
        assert text.endswith(".")


def test_what_changes_something_is_not_called_read_only() -> None:
    for operation in OPERATIONS:
        assert operation.read_only == operation.name.startswith(("Get", "List"))
