"""What a jump of the price costs the vault, what each rule is worth, and whether an attack pays.

    python -m bench.economics                # a page of tables, about two minutes
    python -m bench.economics --quick        # fewer jumps and variants: some fifteen seconds
    python -m bench.economics --json         # every result, amounts in base units
    python -m bench.economics --write-docs   # docs/economics.md and its charts

Stops at the first number in which the program and the model of it differ.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from bench.economics.page import charts, page
from bench.economics.study import study

DOCS = Path(__file__).parents[2] / "docs"
IMAGES = "economics"


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer jumps and variants")
    parser.add_argument("--write-docs", action="store_true", help="write docs/economics.md")
    options = parser.parse_args()
    found = study(is_quick=options.quick)
    if options.json:
        print(json.dumps(asdict(found), indent=1))
    elif options.write_docs:
        (DOCS / IMAGES).mkdir(exist_ok=True)
        (DOCS / "economics.md").write_text(page(found, IMAGES))
        for name, text in charts(found).items():
            (DOCS / IMAGES / name).write_text(text)
    else:
        print(page(found, f"docs/{IMAGES}"))


if __name__ == "__main__":
    main()
