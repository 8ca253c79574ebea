"""All stress runs, in the order in which `all` plays them.

Core.
"""

from typing import Final

from keeper.stress.scenario import Scenario
from keeper.stress.scenarios.concurrent_users import CONCURRENT_USERS
from keeper.stress.scenarios.liquidation_cascade import LIQUIDATION_CASCADE
from keeper.stress.scenarios.network_congestion import NETWORK_CONGESTION

SCENARIOS: Final[tuple[Scenario, ...]] = (
    CONCURRENT_USERS,
    LIQUIDATION_CASCADE,
    NETWORK_CONGESTION,
)
