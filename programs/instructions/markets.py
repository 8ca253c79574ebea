"""Markets and their prices."""

import struct
from collections.abc import Sequence
from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag

ORACLE_BAND_MAX_E6: Final = 1_000_000


def create_market(
    program: Pubkey,
    authority: Pubkey,
    quote_mint: Pubkey,
    *,
    condition_id: bytes,
    outcomes: int,
    yes_token_or_hash: bytes,
    no_token: bytes,
    prices_e6: Sequence[int],
) -> Instruction:
    """Mirror a Polymarket market.

    Args:
        condition_id: 32 bytes: the condition id, or the neg-risk market id when outcomes > 2.
        outcomes: 2 to 16.
        yes_token_or_hash: outcome 0's YES token id (big-endian), or the hash of all triples when outcomes > 2: SHA-256 of
            condition | YES | NO of each outcome in order.
        no_token: outcome 0's NO token id, or zeros.
        prices_e6: first YES price per pool: one for two outcomes, else one per outcome.
    """
    market, market_bump = addresses.market_address(program, condition_id)
    tokens, tokens_bump = addresses.market_tokens_address(program, market)
    data = bytes([Tag.CREATE_MARKET, outcomes, market_bump, tokens_bump, 0, 0, 0, 0])
    data += condition_id + yes_token_or_hash + no_token
    data += struct.pack("<16I", *prices_e6, *[0] * (16 - len(prices_e6)))
    return Instruction(
        program,
        data,
        [
            writable(authority, signer=True),
            writable(addresses.global_address(program)[0]),
            writable(market),
            writable(tokens),
            readable(quote_mint),
            readable(TOKEN_PROGRAM),
            readable(SYSTEM_PROGRAM),
        ],
    )


def update_prices(
    program: Pubkey,
    authority: Pubkey,
    market: Pubkey,
    *,
    price_class: int,
    publish_slot: int,
    readings: Sequence[tuple[int, int]],
) -> Instruction:
    """Post the oracle's reading: (price_e6, band_e6) for every pool of the market at once."""
    data = struct.pack("<BBB5xQ", Tag.UPDATE_PRICES, price_class, len(readings), publish_slot)
    data += b"".join(struct.pack("<II", *reading) for reading in readings)
    return Instruction(
        program,
        data,
        [
            readable(authority, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(market),
        ],
    )


def resolve_market(
    program: Pubkey, authority: Pubkey, market: Pubkey, *, payouts_e6: Sequence[int]
) -> Instruction:
    """Say what one YES share of each pool pays; a NO share pays the rest of one. Once, for good.

    Args:
        payouts_e6: one for two outcomes, else one per outcome, which sum to 1_000_000.
    """
    data = struct.pack(f"<BBxx{len(payouts_e6)}I", Tag.RESOLVE_MARKET, len(payouts_e6), *payouts_e6)
    return Instruction(
        program,
        data,
        [
            readable(authority, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(market),
        ],
    )
