"""Which cases measure which instruction."""

from typing import Final

from keeper.profile.call import Cases
from keeper.profile.cases import chains, ends, exits, makers, markets, rewards, trades

CASES: Final[dict[str, Cases]] = {
    "initialize": markets.initialize,
    "create_market": markets.create_market,
    "update_prices": markets.update_prices,
    "add_liquidity": makers.add_liquidity,
    "remove_liquidity": exits.remove_liquidity,
    "claim_maker_fees": exits.claim_maker_fees,
    "withdraw_fees": exits.withdraw_fees,
    "sweep_fees": exits.sweep_fees,
    "stake": makers.stake,
    "request_unstake": exits.request_unstake,
    "unstake": exits.unstake,
    "open_position": trades.open_position,
    "close_position": trades.close_position,
    "buy_inventory": exits.buy_inventory,
    "liquidate": trades.liquidate,
    "open_chain": chains.open_chain,
    "cancel_chain": chains.cancel_chain,
    "execute_chain": chains.execute_chain,
    "post_epoch": rewards.post_epoch,
    "pay_rewards": rewards.pay_rewards,
    "resolve_market": ends.resolve_market,
    "redeem": ends.redeem,
    "halt": ends.halt,
}
"""In the order of SPEC.md section 5."""
