"""docs/monitor.md: the operator's handbook."""

import re
from pathlib import Path

from tests.metrics_table import PAGE, table

DOCS = Path(__file__).parents[1] / "docs"


def test_the_handbook_lists_every_metric():
    """`python -m tests.metrics_table` brings the table up to date."""
    assert PAGE.read_text().endswith(table())


def test_what_the_handbook_links_is_there():
    for target in re.findall(r"\]\(([a-z_./]+\.md)\)", PAGE.read_text()):
        assert (DOCS / target).exists(), target
