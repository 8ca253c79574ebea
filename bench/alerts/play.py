"""Play one cause, `python -m bench.alerts.play RULE`: what was seen is one JSON object on stdout.

Shell. A process of its own: what is decided about time and chance in it, and what it breaks, is nobody else's.
"""

import sys
from typing import Final

from pydantic import TypeAdapter

from bench.alerts.catalog import CAUSES
from bench.alerts.cause import Finding, finding_of

FINDING: Final = TypeAdapter(Finding)


def main(rule: str) -> None:
    """Play the cause of this rule."""
    cause = next(each for each in CAUSES if each.rule == rule)
    found = finding_of(cause, cause.run())
    sys.stdout.write(FINDING.dump_json(found).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
