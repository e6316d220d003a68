"""What pages and code say of each other is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = sorted(
    [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
)
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert gone == []


def test_pages_cited_in_code_are_there() -> None:
    cited = {
        (found, _name(path))
        for path in CODE
        for found in re.findall(r"docs/[\w/-]+\.(?:md|json)", path.read_text())
    }
    assert len(cited) > 10
    assert [each for each in sorted(cited) if not (ROOT / each[0]).exists()] == []


def test_sections_cited_in_code_are_there() -> None:
    cited = {
        (page, int(section), _name(path))
        for path in CODE
        for page, section in re.findall(r"docs/(spec/[\w-]+\.md),? sections? (\d+)", path.read_text())
    }
    assert len(cited) > 3
    for page, section, where in sorted(cited):
        assert f"\n## {section}. " in (ROOT / "docs" / page).read_text(encoding="utf-8"), (
            page,
            section,
            where,
        )


def test_every_purpose_of_the_root_key_is_in_the_specification() -> None:
    purposes = {
        found for path in CODE for found in re.findall(r'PURPOSE: Final = "([\w-]+)"', path.read_text())
    }
    assert {"kms-material", "access-key"} <= purposes
    text = (ROOT / "docs" / "spec" / "envelope.md").read_text(encoding="utf-8")
    assert [each for each in sorted(purposes) if f"| `{each}` |" not in text] == []


@pytest.mark.parametrize("page", ADRS, ids=_name)
def test_a_decision_says_what_else_was_considered_and_what_it_costs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.name[:4]}. ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Drivers", "Options", "Decision", "Consequences"]
    assert "\n- Against " in text
    assert "\nBad: " in text
    assert f"]({page.name})" in (page.parent / "README.md").read_text(encoding="utf-8")
