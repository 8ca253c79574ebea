"""Play one drill on the virtual clock, in the project that this process was started in, and print what it came to."""

import json
import os
import sys
from pathlib import Path

import structlog

from keeper.drills.scenario import Scenario
from keeper.drills.scenarios import catalog
from keeper.drills.virtual_machine import play_to_end


def main() -> None:
    """Print one JSON line: whether the drill passed, and what it missed."""
    with Path(os.devnull).open("w") as nowhere:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(nowhere))
        result = play_to_end(scenario_named(sys.argv[1]), seed=1)
    missed = [f"{one.phase}: {one.expected}" for one in result.verdicts if not one.passed]
    print(json.dumps({"passed": result.passed, "missed": missed, "bad": result.bad_price_actions}))


def scenario_named(name: str) -> Scenario:
    """Return a drill of the catalog."""
    return {scenario.name: scenario for scenario in catalog.SCENARIOS}[name]


if __name__ == "__main__":
    main()
