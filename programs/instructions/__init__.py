"""Build the program's instructions: account lists and data bytes.

Mirrors instructions.h, one function per instruction; a test sends each to the committed program. All amounts are base
units, prices e6, and integers little-endian.
"""

from programs.instructions.liquidity import PRICE_ONE_E6, add_liquidity
from programs.instructions.markets import ORACLE_BAND_MAX_E6, create_market, update_prices
from programs.instructions.platform import Authorities, initialize
from programs.instructions.tags import Tag
from programs.instructions.trades import (
    ALL_SHARES,
    close_position,
    liquidate,
    liquidate_header,
    open_position,
)
from programs.instructions.vault import stake

__all__ = [
    "ALL_SHARES",
    "ORACLE_BAND_MAX_E6",
    "PRICE_ONE_E6",
    "Authorities",
    "Tag",
    "add_liquidity",
    "close_position",
    "create_market",
    "initialize",
    "liquidate",
    "liquidate_header",
    "open_position",
    "stake",
    "update_prices",
]
