"""Which rotators there are, by engine and by the names of AWS's templates."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import pytest

from strongroom.rotators import registry
from strongroom.rotators.drivers import load_driver
from strongroom.rotators.registry import BUILT_IN, ENTRY_POINTS, TEMPLATES, load_rotators
from strongroom.secret.document import FaultKind, RotationFault, SecretDocument, Strategy
from strongroom.secret.material import RotationMaterial
from support.entropies import SeededEntropy

MATERIAL = RotationMaterial("arn", "v", SecretDocument({}), Strategy.SINGLE_USER)


ACME = """
class Acme:
    engines = frozenset({"acme"})
"""


def declare(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    """Packages are installed that declare these entry points."""
    found = [importlib.metadata.EntryPoint(name, value, ENTRY_POINTS) for name, value in entries]

    def of_group(*, group: str) -> Sequence[importlib.metadata.EntryPoint]:
        return [entry for entry in found if entry.group == group]

    monkeypatch.setattr(registry, "entry_points", of_group)


@pytest.mark.parametrize("engine", sorted(BUILT_IN))
def test_every_engine_that_is_built_in_says_itself_that_it_serves_it(engine: str) -> None:
    rotator = load_rotators().find(engine)
    assert rotator is not None
    assert engine in rotator.engines


def test_an_engine_nobody_serves_has_no_rotator() -> None:
    assert load_rotators().find("punched-cards") is None
    assert load_rotators().named("SecretsManagerPunchedCardsRotation") is None


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_name_is_served_as_soon_as_its_engine_is(name: str) -> None:
    engine, strategy = TEMPLATES[name]
    rotators = load_rotators()
    named = rotators.named(name)
    if engine not in rotators.engines():
        assert named is None
    else:
        assert named == (rotators.find(engine), strategy)


def test_a_package_adds_an_engine_under_the_name_of_its_entry_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "acme_for_strongroom.py").write_text(ACME)
    monkeypatch.syspath_prepend(tmp_path)
    declare(monkeypatch, ("acme", "acme_for_strongroom:Acme"))
    rotators = load_rotators()
    assert "acme" in rotators.engines()
    found = rotators.find("acme")
    assert found is not None
    assert found.engines == {"acme"}
    assert rotators.find("acme") is found


def test_a_package_cannot_replace_what_is_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {"postgres": "decimal:Decimal"})
    declare(monkeypatch, ("postgres", "fractions:Fraction"))
    assert type(load_rotators().find("postgres")).__name__ == "Decimal"


def test_an_engine_whose_package_does_not_import_says_so_at_every_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare(monkeypatch, ("acme", "strongroom_no_such_package:create"))
    rotator = load_rotators().find("acme")
    assert rotator is not None
    said = "the rotator of the engine acme cannot be loaded (ModuleNotFoundError)"
    for step in (rotator.set, rotator.test, rotator.finish):
        with pytest.raises(RotationFault) as caught:
            step(MATERIAL)
        assert (caught.value.kind, caught.value.message) == (FaultKind.FUNCTION, said)
    with pytest.raises(RotationFault) as caught:
        rotator.propose(MATERIAL, SeededEntropy(1))
    assert caught.value.message == said
    (finding,) = rotator.check(MATERIAL)
    assert (finding.fault, finding.message) == (FaultKind.FUNCTION, said)


def test_a_driver_that_is_missing_names_the_extra_that_brings_it() -> None:
    with pytest.raises(RotationFault) as caught:
        load_driver("strongroom_no_such_driver", "acme")
    assert caught.value.kind is FaultKind.FUNCTION
    assert caught.value.message == (
        "the driver strongroom_no_such_driver is not installed here; install strongroom[acme]"
    )
