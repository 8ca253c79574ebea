"""Makers and their liquidity."""

import struct
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag
from programs.units import U64_MAX

ALL_LIQUIDITY: Final = U64_MAX
"""Passed to remove_liquidity for all that the maker has."""
PRICE_ONE_E6: Final = 1_000_000


def add_liquidity(
    program: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    *,
    pool: int,
    liquidity: int,
    cash_max: int,
    position_id: int,
    price_min_e6: int = 0,
    price_max_e6: int = PRICE_ONE_E6,
) -> Instruction:
    """Add `liquidity` to a pool; the surplus side of the complete sets becomes position `position_id`.

    Args:
        cash_max: most that the complete sets may cost.
        price_min_e6: lowest YES price of the pool to join at, and `price_max_e6` the highest. Without them
            somebody can push the price first, let the maker join there, and take the difference on the way back:
            `cash_max` alone does not stop it, for liquidity is cheapest at 0.5.
    """
    maker, maker_bump = addresses.maker_address(program, market, pool, owner)
    position, position_bump = addresses.position_address(program, market, owner, position_id)
    return Instruction(
        program,
        struct.pack(
            "<BBBBIQQII",
            Tag.ADD_LIQUIDITY,
            pool,
            maker_bump,
            position_bump,
            position_id,
            liquidity,
            cash_max,
            price_min_e6,
            price_max_e6,
        ),
        [
            writable(owner, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(owner_tokens),
            writable(maker),
            writable(position),
            readable(TOKEN_PROGRAM),
            readable(SYSTEM_PROGRAM),
        ],
    )


def remove_liquidity(
    program: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    *,
    pool: int,
    position_id: int,
    liquidity: int = ALL_LIQUIDITY,
    cash_min: int = 0,
    price_min_e6: int = 0,
    price_max_e6: int = PRICE_ONE_E6,
) -> Instruction:
    """Take liquidity back with the fees it earned: pairs as cash, the rest as position `position_id`.

    Once the market is resolved all of it is cash. Refused for 150 slots after the maker last added some.

    Args:
        cash_min: least that must come back as cash, the fees apart.
        price_min_e6: lowest YES price of the pool to leave at, and `price_max_e6` the highest; of a resolved market,
            what a YES share pays.
    """
    maker, _ = addresses.maker_address(program, market, pool, owner)
    position, bump = addresses.position_address(program, market, owner, position_id)
    return Instruction(
        program,
        struct.pack(
            "<BB2xIQQII",
            Tag.REMOVE_LIQUIDITY,
            bump,
            position_id,
            liquidity,
            cash_min,
            price_min_e6,
            price_max_e6,
        ),
        [
            writable(owner, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(owner_tokens),
            writable(maker),
            writable(position),
            readable(TOKEN_PROGRAM),
            readable(SYSTEM_PROGRAM),
        ],
    )
