"""What to do about an alert, out of docs/alerts, as HTML.

Shell. Files stand beside the package where it runs from its source, and inside of it where it was installed.
"""

import re
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FOLDERS: Final = (
    Path(__file__).with_name("runbooks"),
    Path(__file__).parents[3] / "docs" / "alerts",
)


def runbook_html(name: str) -> str | None:
    """Return an alert's page; None where there is none of that name."""
    if _NAME.fullmatch(name) is None:
        return None
    for folder in _FOLDERS:
        file = folder / f"{name}.md"
        if file.is_file():
            # Its own HTML is shown as text: runbooks are ours, but nothing needs to be trusted.
            return str(MarkdownIt("js-default").render(file.read_text(encoding="utf-8")))
    return None
