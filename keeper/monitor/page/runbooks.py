"""What to do about an alert, out of docs/alerts, as HTML.

Shell: reads the pages where the keeper's source is, as everything that ships does.
"""

import re
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FOLDER: Final = Path(__file__).parents[3] / "docs" / "alerts"


def runbook_html(name: str, folder: Path = _FOLDER) -> str | None:
    """Return an alert's page; None where there is none of that name."""
    file = folder / f"{name}.md"
    if _NAME.fullmatch(name) is None or not file.is_file():
        return None
    # HTML in it is shown as text: runbooks are ours, but nothing needs to be trusted.
    markdown = MarkdownIt("js-default").enable("table")
    return str(markdown.render(file.read_text(encoding="utf-8")))
