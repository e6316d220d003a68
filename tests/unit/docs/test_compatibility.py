"""The compatibility page says what the program declares, and every member of the models is decided about."""

from __future__ import annotations

import copy
from typing import Any

import compatibility
import members
import pytest
from generated import is_current, stale

from strongroom.operations.call import Operation, Unit
from strongroom.operations.catalog import CATALOG


@pytest.fixture
def record() -> members.Record:
    return copy.deepcopy(members.load_record()[1])


def test_the_page_is_what_the_generator_writes(record: members.Record) -> None:
    version, _ = members.load_record()
    text = compatibility.page(record, version)
    assert is_current(compatibility.PAGE, text), stale(compatibility.PAGE, compatibility.COMMAND)


def test_every_member_of_the_models_is_decided_about(record: members.Record) -> None:
    faults = members.faults(record)
    assert not faults, "\n".join([*faults, f"Run {compatibility.COMMAND} --record, then decide."])


@pytest.mark.parametrize("service", CATALOG)
def test_every_operation_of_the_model_is_served_or_has_a_reason(service: str) -> None:
    served = CATALOG[service]
    assert set(served.operations) | set(served.unsupported) == set(members.model(service)["operations"])
    assert not set(served.operations) & set(served.unsupported)
    assert all(reason.endswith(".") for reason in served.unsupported.values())


def test_all_of_secrets_manager_is_served_and_the_page_says_so(record: members.Record) -> None:
    page = compatibility.page(record, "1.0")
    assert "| AWS Secrets Manager | 2017-10-17 | 26 of 26 |" in page
    assert "## AWS Secrets Manager: 26 of 26\n" in page


def test_every_declared_deviation_stands_on_the_page(record: members.Record) -> None:
    page = compatibility.page(record, "1.0")
    for service in CATALOG.values():
        for operation in service.operations.values():
            for sentence in operation.deviations:
                assert f"- {sentence}\n" in page


def test_a_member_the_record_does_not_know_is_a_fault_until_it_is_decided_about(
    record: members.Record,
) -> None:
    del record["secretsmanager"]["GetSecretValue"]["request"]["VersionStage"]
    wrong = ["secretsmanager GetSecretValue, request: VersionStage is new and not decided about."]
    assert members.faults(record) == wrong
    taken_up = members.updated(record)
    assert taken_up["secretsmanager"]["GetSecretValue"]["request"]["VersionStage"] == members.UNDECIDED
    assert members.faults(taken_up) == wrong


def test_an_operation_the_record_does_not_know_is_a_fault_for_each_member(record: members.Record) -> None:
    del record["sts"]["GetAccessKeyInfo"]
    assert members.faults(record) == [
        "sts GetAccessKeyInfo, request: AccessKeyId is new and not decided about.",
        "sts GetAccessKeyInfo, response: Account is new and not decided about.",
    ]


def test_a_member_that_left_the_model_is_a_fault(record: members.Record) -> None:
    record["secretsmanager"]["GetSecretValue"]["request"]["Gone"] = ""
    assert members.faults(record) == [
        "secretsmanager GetSecretValue, request: Gone is no longer in the model."
    ]
    assert "Gone" not in members.updated(record)["secretsmanager"]["GetSecretValue"]["request"]


def test_a_member_said_to_be_dealt_with_must_be_named_by_the_code(record: members.Record) -> None:
    record["kms"]["ListKeyPolicies"]["request"]["Marker"] = ""
    assert members.faults(record) == [
        "kms ListKeyPolicies, request: Marker is said to be dealt with, but no code of the operation names it."
    ]


def test_a_member_said_to_be_left_alone_must_not_be_named_by_the_code(record: members.Record) -> None:
    record["secretsmanager"]["GetSecretValue"]["request"]["VersionStage"] = "Not there."
    assert members.faults(record) == [
        "secretsmanager GetSecretValue, request: VersionStage is said to be left alone, but code of the operation "
        "names it."
    ]


def test_nested_members_are_members(record: members.Record) -> None:
    assert "Filters[].Values" in members.model_members("secretsmanager", "ListSecrets", "request")
    assert "SecretList[].RotationRules.Duration" in members.model_members(
        "secretsmanager", "ListSecrets", "response"
    )


def test_what_is_in_a_member_left_alone_is_not_named_again(record: members.Record) -> None:
    alone = [path for _, path, _ in members.left_alone(record, "kms", "CreateKey")]
    assert "KeyMetadata.XksKeyConfiguration" in alone
    assert "KeyMetadata.XksKeyConfiguration.Id" not in alone


OUTER = ("InAConstant",)


def _reads_deeply(request: Any) -> Any:
    def inner() -> Any:
        return request.get("InAClosure")

    return inner(), OUTER


def test_mentions_follow_functions_constants_and_closures_but_no_further() -> None:
    _reads_deeply.__module__ = "strongroom.pretended"
    operation = Operation(
        name="X", action="", unit=Unit.READ, targets=lambda call, unit: (), handle=lambda a, b: None
    )
    assert "InAConstant" not in members.mentions(operation)
    reading = Operation(
        name="X", action="", unit=Unit.READ, targets=lambda call, unit: (), handle=_reads_deeply
    )
    assert {"InAConstant", "InAClosure"} <= members.mentions(reading)
