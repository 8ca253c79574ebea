"""Fees that were booked, on their way to those who earned them."""

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.addresses import TOKEN_PROGRAM
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag


def claim_maker_fees(
    program: Pubkey, owner: Pubkey, owner_tokens: Pubkey, market: Pubkey, *, pool: int
) -> Instruction:
    """Pay a maker what its liquidity in a pool has earned so far."""
    return Instruction(
        program,
        bytes([Tag.CLAIM_MAKER_FEES]),
        [
            readable(owner, signer=True),
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(owner_tokens),
            writable(addresses.maker_address(program, market, pool, owner)[0]),
            readable(TOKEN_PROGRAM),
        ],
    )


def withdraw_fees(
    program: Pubkey, authority: Pubkey, authority_tokens: Pubkey, market: Pubkey
) -> Instruction:
    """Pay the treasury's tenth of a market's fees to a token account of its owner's choice."""
    return Instruction(
        program,
        bytes([Tag.WITHDRAW_FEES]),
        [
            readable(authority, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(authority_tokens),
            readable(TOKEN_PROGRAM),
        ],
    )


def sweep_fees(program: Pubkey, market: Pubkey) -> Instruction:
    """Move the vault's part of a market's fees to the vault, and what its inventory pays once it is resolved."""
    return Instruction(
        program,
        bytes([Tag.SWEEP_FEES]),
        [
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(addresses.vault_address(program)[0]),
            writable(addresses.vault_tokens_address(program)[0]),
            readable(TOKEN_PROGRAM),
        ],
    )
