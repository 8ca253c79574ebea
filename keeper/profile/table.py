"""Which cases measure which instruction."""

from typing import Final

from keeper.profile.call import Cases
from keeper.profile.cases import makers, markets, trades

CASES: Final[dict[str, Cases]] = {
    "initialize": markets.initialize,
    "create_market": markets.create_market,
    "update_prices": markets.update_prices,
    "add_liquidity": makers.add_liquidity,
    "stake": makers.stake,
    "open_position": trades.open_position,
    "close_position": trades.close_position,
    "liquidate": trades.liquidate,
}
"""In the order of SPEC.md section 5."""
