"""All stress runs, in the order in which `all` plays them.

Core.
"""

from typing import Final

from keeper.stress.scenario import Scenario
from keeper.stress.scenarios.liquidation_cascade import LIQUIDATION_CASCADE

SCENARIOS: Final[tuple[Scenario, ...]] = (LIQUIDATION_CASCADE,)
