"""docs/prices.md says what the code does: its tables are compared with the enumerations they list."""

import re
from pathlib import Path

from keeper.prices.price import PERMISSIONS, PriceClass, Reason, Source

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "prices.md").read_text()


def rows_of(section):
    """Return the cells of the first table of a section, without its heading."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_reason_has_its_row_and_no_row_is_about_nothing():
    assert [row[0].strip("`") for row in rows_of("Reasons")] == [str(one) for one in Reason]


def test_every_class_has_its_row_and_permits_what_the_code_permits():
    rows = {row[0].strip("`"): row for row in rows_of("Classes")}
    assert list(rows) == [str(one) for one in PriceClass]
    for price_class, permissions in PERMISSIONS.items():
        row = rows[str(price_class)]
        assert row[2].startswith("yes") is permissions.post
        assert (row[3] != "no") is permissions.liquidate
        assert row[4].startswith("yes") is permissions.execute_chain


def test_every_source_has_its_row_best_first():
    names = [re.match(r"`(\w+)`", row[0])[1] for row in rows_of("Sources")]
    assert names == [str(one) for one in Source]
