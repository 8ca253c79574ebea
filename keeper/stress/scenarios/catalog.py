"""All stress runs, in the order in which `all` plays them.

Shell, for they play.
"""

from typing import Final

from keeper.stress.scenario import Scenario
from keeper.stress.scenarios.api_degradation import API_DEGRADATION
from keeper.stress.scenarios.chain_load import CHAIN_LOAD
from keeper.stress.scenarios.concurrent_users import CONCURRENT_USERS
from keeper.stress.scenarios.liquidation_cascade import GREAT_CASCADE, LIQUIDATION_CASCADE
from keeper.stress.scenarios.market_volatility import MARKET_VOLATILITY
from keeper.stress.scenarios.network_congestion import NETWORK_CONGESTION

SCENARIOS: Final[tuple[Scenario, ...]] = (
    CONCURRENT_USERS,
    MARKET_VOLATILITY,
    CHAIN_LOAD,
    LIQUIDATION_CASCADE,
    GREAT_CASCADE,
    API_DEGRADATION,
    NETWORK_CONGESTION,
)
