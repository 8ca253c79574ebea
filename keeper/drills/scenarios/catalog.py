"""Every drill, in the order in which `keeper drill run all` runs them."""

from typing import Final

from keeper.drills.scenario import Scenario
from keeper.drills.scenarios import outages

SCENARIOS: Final[tuple[Scenario, ...]] = (outages.TOTAL_OUTAGE,)
