"""Build the program's instructions: account lists and data bytes.

Mirrors the enums and packed structs of the C, one function per instruction; a test sends each to the committed program.
All amounts are base units, prices e6, and integers little-endian.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.accounts import Side
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.units import U64_MAX

ALL_SHARES: Final = U64_MAX
"""Passed to close_position for the whole position."""
ORACLE_BAND_MAX_E6: Final = 1_000_000
PRICE_ONE_E6: Final = 1_000_000


class Tag(IntEnum):
    """First byte of the instruction data."""

    INITIALIZE = 0
    CREATE_MARKET = 1
    UPDATE_PRICES = 2
    ADD_LIQUIDITY = 3
    STAKE = 4
    OPEN_POSITION = 5
    CLOSE_POSITION = 6
    LIQUIDATE = 7


def _writable(address: Pubkey, *, signer: bool = False) -> AccountMeta:
    return AccountMeta(address, is_signer=signer, is_writable=True)


def _readable(address: Pubkey, *, signer: bool = False) -> AccountMeta:
    return AccountMeta(address, is_signer=signer, is_writable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorities:
    """Who may do what, fixed at genesis."""

    market: Pubkey
    """Creates markets."""
    oracle: Pubkey
    """Posts prices and resolves markets."""
    incentives: Pubkey
    """Posts reward epochs."""
    fee_treasury_owner: Pubkey
    """Withdraws the treasury's tenth of the fees."""
    halt: Pubkey
    """Stops new exposure, once."""


def initialize(
    program: Pubkey, payer: Pubkey, quote_mint: Pubkey, mmt_mint: Pubkey, authorities: Authorities
) -> Instruction:
    """Genesis. The program's own keypair signs; the payer holds the mint authority of an unminted MMT."""
    global_, global_bump = addresses.global_address(program)
    vault, vault_bump = addresses.vault_address(program)
    vault_tokens, vault_tokens_bump = addresses.vault_tokens_address(program)
    sink_tokens, sink_tokens_bump = addresses.sink_tokens_address(program)
    sink_owner, sink_owner_bump = addresses.sink_owner_address(program)
    treasury, treasury_bump = addresses.treasury_tokens_address(program)
    bumps = (global_bump, vault_bump, vault_tokens_bump, sink_tokens_bump, sink_owner_bump)
    data = bytes([Tag.INITIALIZE, *bumps, treasury_bump, 0])
    for authority in (
        authorities.market,
        authorities.oracle,
        authorities.incentives,
        authorities.fee_treasury_owner,
        authorities.halt,
    ):
        data += bytes(authority)
    return Instruction(
        program,
        data,
        [
            _writable(payer, signer=True),
            _readable(program, signer=True),
            _writable(global_),
            _writable(vault),
            _writable(vault_tokens),
            _readable(quote_mint),
            _writable(mmt_mint),
            _writable(sink_tokens),
            _readable(sink_owner),
            _writable(treasury),
            _readable(TOKEN_PROGRAM),
            _readable(SYSTEM_PROGRAM),
        ],
    )


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
        yes_token_or_hash: outcome 0's YES token id (big-endian), or the hash of all triples when outcomes > 2.
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
            _writable(authority, signer=True),
            _writable(addresses.global_address(program)[0]),
            _writable(market),
            _writable(tokens),
            _readable(quote_mint),
            _readable(TOKEN_PROGRAM),
            _readable(SYSTEM_PROGRAM),
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
            _readable(authority, signer=True),
            _readable(addresses.global_address(program)[0]),
            _writable(market),
        ],
    )


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
            _writable(owner, signer=True),
            _readable(addresses.global_address(program)[0]),
            _writable(market),
            _writable(addresses.market_tokens_address(program, market)[0]),
            _writable(owner_tokens),
            _writable(maker),
            _writable(position),
            _readable(TOKEN_PROGRAM),
            _readable(SYSTEM_PROGRAM),
        ],
    )


def stake(
    program: Pubkey, owner: Pubkey, owner_tokens: Pubkey, *, amount: int, shares_min: int = 0
) -> Instruction:
    """Put cash into the vault for vault shares."""
    account, bump = addresses.stake_address(program, owner)
    return Instruction(
        program,
        struct.pack("<BB6xQQ", Tag.STAKE, bump, amount, shares_min),
        [
            _writable(owner, signer=True),
            _readable(addresses.global_address(program)[0]),
            _writable(addresses.vault_address(program)[0]),
            _writable(addresses.vault_tokens_address(program)[0]),
            _writable(owner_tokens),
            _writable(account),
            _readable(TOKEN_PROGRAM),
            _readable(SYSTEM_PROGRAM),
        ],
    )


def open_position(
    program: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    *,
    pool: int,
    side: Side,
    position_id: int,
    margin: int,
    leverage: int,
    worst_price_e6: int,
    counts_trade: bool,
) -> Instruction:
    """Open a position of margin * leverage; the fee comes on top of the margin.

    Args:
        leverage: whole multiples; 1 trades spot and writes no account shared between markets.
        worst_price_e6: highest average cost per share, before the fee.
        counts_trade: pass the global account writable: needed while the platform's trade count is below 100.
    """
    position, bump = addresses.position_address(program, market, owner, position_id)
    global_ = addresses.global_address(program)[0]
    vault = addresses.vault_address(program)[0]
    accounts = [
        _writable(owner, signer=True),
        _writable(global_) if counts_trade else _readable(global_),
        _writable(market),
        _writable(addresses.market_tokens_address(program, market)[0]),
        _writable(owner_tokens),
        _writable(position),
        _writable(vault) if leverage > 1 else _readable(vault),
        _readable(TOKEN_PROGRAM),
        _readable(SYSTEM_PROGRAM),
    ]
    if leverage > 1:
        accounts.append(_writable(addresses.vault_tokens_address(program)[0]))
    data = struct.pack(
        "<BBBBIQII",
        Tag.OPEN_POSITION,
        pool,
        side,
        bump,
        position_id,
        margin,
        leverage,
        worst_price_e6,
    )
    return Instruction(program, data, accounts)


def close_position(
    program: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    *,
    position_id: int,
    has_debt: bool,
    shares: int = ALL_SHARES,
    worst_price_e6: int = 0,
) -> Instruction:
    """Sell shares of a position; with debt, the proceeds must cover all of it.

    Args:
        worst_price_e6: lowest average proceeds per share, before the fee.
    """
    position, _ = addresses.position_address(program, market, owner, position_id)
    vault = addresses.vault_address(program)[0]
    accounts = [
        _writable(owner, signer=True),
        _readable(addresses.global_address(program)[0]),
        _writable(market),
        _writable(addresses.market_tokens_address(program, market)[0]),
        _writable(owner_tokens),
        _writable(position),
        _writable(vault) if has_debt else _readable(vault),
        _readable(TOKEN_PROGRAM),
    ]
    if has_debt:
        accounts.append(_writable(addresses.vault_tokens_address(program)[0]))
    return Instruction(
        program, struct.pack("<B3xIQ", Tag.CLOSE_POSITION, worst_price_e6, shares), accounts
    )


def liquidate_header(
    program: Pubkey, keeper: Pubkey, keeper_tokens: Pubkey, market: Pubkey
) -> list[AccountMeta]:
    """Return the accounts that a batch shares; each position adds one writable account and nothing else."""
    return [
        _writable(keeper, signer=True),
        _readable(addresses.global_address(program)[0]),
        _writable(market),
        _writable(addresses.market_tokens_address(program, market)[0]),
        _writable(addresses.vault_address(program)[0]),
        _writable(addresses.vault_tokens_address(program)[0]),
        _writable(keeper_tokens),
        _readable(TOKEN_PROGRAM),
    ]


def liquidate(
    program: Pubkey,
    keeper: Pubkey,
    keeper_tokens: Pubkey,
    market: Pubkey,
    positions: Sequence[Pubkey],
) -> Instruction:
    """Liquidate a batch of one market's positions; healthy ones are skipped on chain."""
    header = liquidate_header(program, keeper, keeper_tokens, market)
    return Instruction(program, bytes([Tag.LIQUIDATE]), header + [_writable(p) for p in positions])
