"""Every operation of the KMS model is either there or said not to be."""

from __future__ import annotations

import botocore.session

from strongroom.operations.kms import OPERATIONS, UNSUPPORTED

MODEL = botocore.session.get_session().get_service_model("kms")


def test_operations_and_unsupported_together_are_the_model() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(UNSUPPORTED)
    assert set(names) | set(UNSUPPORTED) == set(MODEL.operation_names)


def test_actions_carry_the_operation_names() -> None:
    actions = {operation.name: operation.action for operation in OPERATIONS}
    # ReEncrypt has no action of its own: kms:ReEncryptFrom and kms:ReEncryptTo stand for it.
    assert actions.pop("ReEncrypt") == "kms:ReEncryptTo"
    assert all(action == f"kms:{name}" for name, action in actions.items())


def test_every_reason_and_deviation_is_a_sentence() -> None:
    deviations = [text for operation in OPERATIONS for text in operation.deviations]
    for text in (*UNSUPPORTED.values(), *deviations):
        assert text[0].isupper()
        assert text.endswith(".")
