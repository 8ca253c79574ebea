"""Build the program's instructions: account lists and data bytes.

Mirrors instructions.h, one function per instruction; a test sends each to the committed program. All amounts are base
units, prices e6, and integers little-endian.
"""

from programs.instructions.chains import (
    cancel_chain,
    execute_chain,
    execute_chain_accounts,
    open_chain,
)
from programs.instructions.fees import claim_maker_fees, sweep_fees, withdraw_fees
from programs.instructions.liquidity import (
    ALL_LIQUIDITY,
    PRICE_ONE_E6,
    add_liquidity,
    remove_liquidity,
)
from programs.instructions.markets import (
    ORACLE_BAND_MAX_E6,
    create_market,
    resolve_market,
    update_prices,
)
from programs.instructions.platform import Authorities, halt, initialize
from programs.instructions.rewards import pay_rewards, post_epoch
from programs.instructions.tags import Tag
from programs.instructions.trades import (
    ALL_SHARES,
    close_holding,
    close_position,
    liquidate,
    liquidate_header,
    open_position,
    redeem,
)
from programs.instructions.vault import buy_inventory, request_unstake, stake, unstake

__all__ = [
    "ALL_LIQUIDITY",
    "ALL_SHARES",
    "ORACLE_BAND_MAX_E6",
    "PRICE_ONE_E6",
    "Authorities",
    "Tag",
    "add_liquidity",
    "buy_inventory",
    "cancel_chain",
    "claim_maker_fees",
    "close_holding",
    "close_position",
    "create_market",
    "execute_chain",
    "execute_chain_accounts",
    "halt",
    "initialize",
    "liquidate",
    "liquidate_header",
    "open_chain",
    "open_position",
    "pay_rewards",
    "post_epoch",
    "redeem",
    "remove_liquidity",
    "request_unstake",
    "resolve_market",
    "stake",
    "sweep_fees",
    "unstake",
    "update_prices",
    "withdraw_fees",
]
