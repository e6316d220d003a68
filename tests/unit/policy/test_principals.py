"""Who is named, and who is spared."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.policy.principals import (
    Caller,
    Grade,
    PrincipalElement,
    PrincipalForm,
    is_service_principal,
    named_principal,
)
from support.policies import (
    ACCOUNT,
    ANN,
    APP,
    FED,
    OTHER,
    OTHER_ANN,
    PROVIDER,
    ROOT,
    ROOT_FED,
    SERVICE,
    WORKFLOW,
)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/App"
EVERYONE = (ROOT, ANN, APP, FED, ROOT_FED, OTHER_ANN, SERVICE, WORKFLOW)


def element(*names: str, kind: str = "AWS", negated: bool = False) -> PrincipalElement:
    return PrincipalElement([named_principal(kind, name) for name in names], negated=negated)


@pytest.mark.parametrize(
    ("kind", "name", "form", "account"),
    [
        ("AWS", "*", PrincipalForm.EVERYONE, None),
        ("AWS", ACCOUNT, PrincipalForm.ACCOUNT, ACCOUNT),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:root", PrincipalForm.ACCOUNT, ACCOUNT),
        ("AWS", f"arn:aws-cn:iam::{ACCOUNT}:root", PrincipalForm.ACCOUNT, ACCOUNT),
        ("AWS", ANN.arn, PrincipalForm.USER, ACCOUNT),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:user/a", PrincipalForm.USER, ACCOUNT),
        ("AWS", ROLE, PrincipalForm.ROLE, ACCOUNT),
        ("AWS", APP.arn, PrincipalForm.ROLE_SESSION, ACCOUNT),
        ("AWS", FED.arn, PrincipalForm.FEDERATED_SESSION, ACCOUNT),
        ("AWS", "AIDAANN0000000000000", PrincipalForm.UNIQUE_ID, None),
        ("AWS", "AROAAPP0000000000000", PrincipalForm.UNIQUE_ID, None),
        ("Service", "lambda.amazonaws.com", PrincipalForm.SERVICE, None),
        ("Federated", PROVIDER, PrincipalForm.PROVIDER, ACCOUNT),
        ("Federated", "accounts.google.com", PrincipalForm.PROVIDER, None),
        ("CanonicalUser", "a" * 64, PrincipalForm.CANONICAL_USER, None),
        *(
            ("AWS", name, PrincipalForm.UNSUPPORTED, None)
            for name in (
                "",
                "**",
                "12345678901",
                "ann",
                f"{ACCOUNT} ",
                f"arn:aws:iam::{ACCOUNT}:group/all",
                f"arn:aws:iam::{ACCOUNT}:user/*",
                f"arn:aws:iam::{ACCOUNT}:user/*/ann",
                f"arn:aws:iam::{ACCOUNT}:user/a?n",
                f"arn:aws:iam::{ACCOUNT}:user/",
                f"arn:aws:iam::{ACCOUNT}:*",
                "arn:aws:iam::*:root",
                f"arn:aws:iam:eu-west-1:{ACCOUNT}:root",
                f"arn:aws:sts::{ACCOUNT}:root",
                f"arn:aws:sts::{ACCOUNT}:assumed-role/App",
                f"arn:aws:sts::{ACCOUNT}:assumed-role/App/*",
                f"arn:aws:sts::{ACCOUNT}:assumed-role/path/App/s",
                f"arn:aws:iam::{ACCOUNT}:assumed-role/App/s",
                "AIDA*",
                "AKIA0000000000000000",
            )
        ),
        ("Service", "*", PrincipalForm.UNSUPPORTED, None),
        ("Service", "amazonaws.com", PrincipalForm.UNSUPPORTED, None),
        ("Service", "lambda.amazonaws.com.evil.com", PrincipalForm.UNSUPPORTED, None),
        ("Federated", "*", PrincipalForm.UNSUPPORTED, None),
        ("Federated", "", PrincipalForm.UNSUPPORTED, None),
        ("CanonicalUser", "x", PrincipalForm.UNSUPPORTED, None),
    ],
)
def test_what_a_name_stands_for(kind: str, name: str, form: PrincipalForm, account: str | None) -> None:
    named = named_principal(kind, name)
    assert (named.kind, named.name, named.form, named.account_id) == (kind, name, form, account)


@pytest.mark.parametrize(
    "name", ["lambda.amazonaws.com", "logs.eu-west-1.amazonaws.com", "x.amazonaws.com.cn"]
)
def test_service_principals(name: str) -> None:
    assert is_service_principal(name)
    assert not is_service_principal(name.upper())
    assert not is_service_principal(f"{name}\n")


@pytest.mark.parametrize(
    ("names", "grades"),
    [
        (["*"], {each.arn: Grade.DIRECT for each in EVERYONE}),
        (
            [ACCOUNT],
            {each.arn: Grade.ACCOUNT for each in (ROOT, ANN, APP, FED, ROOT_FED)},
        ),
        ([ROOT.arn], {each.arn: Grade.ACCOUNT for each in (ROOT, ANN, APP, FED, ROOT_FED)}),
        ([ANN.arn], {ANN.arn: Grade.DIRECT, FED.arn: Grade.ROLE}),
        ([ANN.principal_id], {ANN.arn: Grade.DIRECT, FED.arn: Grade.ROLE}),
        ([ROLE], {APP.arn: Grade.ROLE}),
        ([APP.arn], {APP.arn: Grade.DIRECT}),
        (
            [APP.arn, ROLE, ACCOUNT],
            {
                APP.arn: Grade.DIRECT,
                **dict.fromkeys((each.arn for each in (ROOT, ANN, FED, ROOT_FED)), Grade.ACCOUNT),
            },
        ),
        ([FED.arn], {FED.arn: Grade.DIRECT}),
        (["AROAAPP0000000000000"], {APP.arn: Grade.ROLE}),
        (["AROAAPP000000000000"], {}),
        ([OTHER], {OTHER_ANN.arn: Grade.ACCOUNT}),
        ([ANN.arn.upper()], {}),
    ],
)
def test_how_directly_callers_are_named(names: list[str], grades: dict[str, Grade]) -> None:
    compiled = element(*names)
    excepting = element(*names, negated=True)
    unread = any(each.form is PrincipalForm.UNSUPPORTED for each in compiled.named)
    for caller in EVERYONE:
        grade = grades.get(caller.arn, Grade.NONE)
        assert compiled.allows(caller) is grade
        assert compiled.denies(caller) is (grade is not Grade.NONE or unread)
        left_out = grade is not Grade.NONE or unread
        assert excepting.allows(caller) is (Grade.NONE if left_out else Grade.DIRECT)


def test_services_and_providers_are_named_by_their_own_kind_only() -> None:
    assert element(SERVICE.arn, kind="Service").allows(SERVICE) is Grade.DIRECT
    assert element("rds.amazonaws.com", kind="Service").allows(SERVICE) is Grade.NONE
    assert element(PROVIDER, kind="Federated").allows(WORKFLOW) is Grade.DIRECT
    assert element(ACCOUNT).allows(WORKFLOW) is Grade.NONE
    assert element(ANN.arn, kind="Federated").allows(ANN) is Grade.NONE
    assert element(SERVICE.arn, kind="Service", negated=True).allows(SERVICE) is Grade.NONE


@pytest.mark.parametrize("name", [f"arn:aws:iam::{ACCOUNT}:user/*", f"arn:aws:iam::{ACCOUNT}:group/g", "ann"])
def test_a_name_that_cannot_be_read_denies_everyone_and_allows_nobody(name: str) -> None:
    for caller in EVERYONE:
        assert element(name).allows(caller) is Grade.NONE
        assert element(name).denies(caller)
        assert element(name, negated=True).allows(caller) is Grade.NONE
        assert element(name, negated=True).denies(caller)


@pytest.mark.parametrize(
    ("caller", "names", "spared"),
    [
        (ANN, [ANN.arn, ACCOUNT], True),
        (ANN, [ANN.principal_id, ROOT.arn], True),
        (ANN, [ANN.arn], False),
        (ANN, [ACCOUNT], False),
        (ANN, [ANN.arn, OTHER], False),
        (ANN, ["*"], True),
        (ROOT, [ANN.arn], False),
        (ROOT, [ACCOUNT], True),
        (APP, [ROLE, ACCOUNT], True),
        (APP, [APP.arn, ROLE, ACCOUNT], True),
        (APP, [APP.arn, ACCOUNT], False),
        (APP, [APP.arn, ROLE], False),
        (APP, [ROLE], False),
        (FED, [FED.arn, ACCOUNT], True),
        (FED, [ANN.arn, ACCOUNT], True),
        (FED, [FED.arn], False),
        (OTHER_ANN, [OTHER_ANN.arn, ACCOUNT], False),
        (SERVICE, [ACCOUNT], False),
    ],
)
def test_whom_a_deny_for_everyone_else_spares(caller: Caller, names: list[str], spared: bool) -> None:
    assert element(*names, negated=True).denies(caller) is not spared


def test_a_deny_for_everyone_else_spares_the_services_listed() -> None:
    assert not element(SERVICE.arn, kind="Service", negated=True).denies(SERVICE)
    assert element(SERVICE.arn, kind="Service", negated=True).denies(ANN)


def test_what_was_written_stays_readable() -> None:
    compiled: Any = element("*", ACCOUNT)
    assert [each.name for each in compiled.named] == ["*", ACCOUNT]
    assert not compiled.negated
