"""Every alert has a page that says the same as its rule, and what to do."""

from pathlib import Path

import pytest

from keeper.cli.commands import cli
from keeper.monitor.page.runbooks import runbook_html
from keeper.monitor.rules import rules_for

FOLDER = Path(__file__).parents[3] / "docs" / "alerts"
RULES = {rule.name: rule for rule in rules_for(0.4)}
HEADINGS = [
    "## What it means",
    "## Since when, and how to see it",
    "## What the keeper does by itself",
    "## What to do",
    "## How to cause it",
    "## When to silence it",
]


def test_there_is_a_page_for_every_rule_and_for_nothing_else():
    assert {page.stem for page in FOLDER.glob("*.md")} == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_page_says_what_its_rule_says(name):
    rule, text = RULES[name], (FOLDER / f"{name}.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    assert text.startswith(f"# {name}\n\n**{str(rule.level).capitalize()}**, told ")
    assert f"\n    {rule.expression.promql()}\n" in text
    assert (f"told after {rule.for_s:g} s" if rule.for_s else "told at once") in text
    assert rule.already_did[1:] in text
    assert runbook_html(name) is not None


def test_pages_name_commands_and_pages_that_exist():
    words = " ".join(page.read_text() for page in FOLDER.glob("*.md"))
    for quoted in words.split("`")[1::2]:
        if quoted.startswith("keeper "):
            assert quoted.split()[1] in cli.commands, quoted
        elif quoted in words and f"[{quoted}]" in words:
            assert (FOLDER / quoted).exists()
