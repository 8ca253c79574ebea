"""Positions: opened, closed, liquidated."""

import struct
from collections.abc import Sequence
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.accounts import Side
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag
from programs.units import U64_MAX

ALL_SHARES: Final = U64_MAX
"""Passed to close_position for the whole position."""


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
        writable(owner, signer=True),
        writable(global_) if counts_trade else readable(global_),
        writable(market),
        writable(addresses.market_tokens_address(program, market)[0]),
        writable(owner_tokens),
        writable(position),
        writable(vault) if leverage > 1 else readable(vault),
        readable(TOKEN_PROGRAM),
        readable(SYSTEM_PROGRAM),
    ]
    if leverage > 1:
        accounts.append(writable(addresses.vault_tokens_address(program)[0]))
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
    """Sell shares of a position account; with debt, the proceeds must cover all of it.

    Args:
        worst_price_e6: lowest average proceeds per share, before the fee.
    """
    position, _ = addresses.position_address(program, market, owner, position_id)
    return close_holding(
        program,
        owner,
        owner_tokens,
        market,
        position,
        holding=0,
        has_debt=has_debt,
        shares=shares,
        worst_price_e6=worst_price_e6,
    )


def close_holding(
    program: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    target: Pubkey,
    *,
    holding: int,
    has_debt: bool,
    shares: int = ALL_SHARES,
    worst_price_e6: int = 0,
) -> Instruction:
    """Sell shares of a position account, or of what a chain holds.

    Args:
        target: the position account or the chain.
        holding: 0 for a position account and for what a chain's OPEN bought; 1 and 2 for a chain's YES and NO shares.
        worst_price_e6: lowest average proceeds per share, before the fee.
    """
    vault = addresses.vault_address(program)[0]
    accounts = [
        writable(owner, signer=True),
        readable(addresses.global_address(program)[0]),
        writable(market),
        writable(addresses.market_tokens_address(program, market)[0]),
        writable(owner_tokens),
        writable(target),
        writable(vault) if has_debt else readable(vault),
        readable(TOKEN_PROGRAM),
    ]
    if has_debt:
        accounts.append(writable(addresses.vault_tokens_address(program)[0]))
    return Instruction(
        program,
        struct.pack("<BB2xIQ", Tag.CLOSE_POSITION, holding, worst_price_e6, shares),
        accounts,
    )


def liquidate_header(
    program: Pubkey, keeper: Pubkey, keeper_tokens: Pubkey, market: Pubkey
) -> list[AccountMeta]:
    """Return the accounts that a batch shares; each position adds one writable account and nothing else."""
    return [
        writable(keeper, signer=True),
        readable(addresses.global_address(program)[0]),
        writable(market),
        writable(addresses.market_tokens_address(program, market)[0]),
        writable(addresses.vault_address(program)[0]),
        writable(addresses.vault_tokens_address(program)[0]),
        writable(keeper_tokens),
        readable(TOKEN_PROGRAM),
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
    return Instruction(program, bytes([Tag.LIQUIDATE]), header + [writable(p) for p in positions])


def redeem(
    program: Pubkey,
    caller: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    account: Pubkey,
    *,
    holding: int = 0,
) -> Instruction:
    """Turn a resolved market's shares into cash: the loan is repaid, the rest goes to the owner. Anyone may call.

    Args:
        owner: of the position; gets its rent.
        owner_tokens: a quote token account of that owner's; needs to exist only if something is left to pay.
        account: the position, or the chain that holds it.
        holding: which of a chain's positions; 0 for a position account.
    """
    return Instruction(
        program,
        bytes([Tag.REDEEM, holding]),
        [
            readable(caller, signer=True),
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(addresses.vault_address(program)[0]),
            writable(addresses.vault_tokens_address(program)[0]),
            writable(account),
            writable(owner),
            writable(owner_tokens),
            readable(TOKEN_PROGRAM),
        ],
    )
