"""The vault: its stakers, and what it sells."""

import struct

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.accounts import Side
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag


def stake(
    program: Pubkey, owner: Pubkey, owner_tokens: Pubkey, *, amount: int, shares_min: int = 0
) -> Instruction:
    """Put cash into the vault for vault shares."""
    account, bump = addresses.stake_address(program, owner)
    return Instruction(
        program,
        struct.pack("<BB6xQQ", Tag.STAKE, bump, amount, shares_min),
        [
            writable(owner, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(addresses.vault_address(program)[0]),
            writable(addresses.vault_tokens_address(program)[0]),
            writable(owner_tokens),
            writable(account),
            readable(TOKEN_PROGRAM),
            readable(SYSTEM_PROGRAM),
        ],
    )


def request_unstake(program: Pubkey, owner: Pubkey, *, shares: int) -> Instruction:
    """Ask for vault shares to be paid out, in place of an earlier request; zero takes that back."""
    return Instruction(
        program,
        struct.pack("<B7xQ", Tag.REQUEST_UNSTAKE, shares),
        [
            readable(owner, signer=True),
            writable(addresses.vault_address(program)[0]),
            writable(addresses.stake_address(program, owner)[0]),
        ],
    )


def unstake(program: Pubkey, owner: Pubkey, owner_tokens: Pubkey) -> Instruction:
    """Pay a request of at least 150 slots ago, as far as the vault's limits allow: ask again for the rest."""
    return Instruction(
        program,
        bytes([Tag.UNSTAKE]),
        [
            writable(owner, signer=True),
            writable(addresses.vault_address(program)[0]),
            writable(addresses.vault_tokens_address(program)[0]),
            writable(owner_tokens),
            writable(addresses.stake_address(program, owner)[0]),
            readable(TOKEN_PROGRAM),
        ],
    )


def buy_inventory(
    program: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    *,
    pool: int,
    side: Side,
    position_id: int,
    shares: int,
    cost_max: int,
) -> Instruction:
    """Buy shares that the vault took over, at the oracle's price, as position `position_id`.

    Args:
        cost_max: most that all of them may cost.
    """
    position, bump = addresses.position_address(program, market, owner, position_id)
    return Instruction(
        program,
        struct.pack("<BBBBIQQ", Tag.BUY_INVENTORY, pool, side, bump, position_id, shares, cost_max),
        [
            writable(owner, signer=True),
            writable(market),
            writable(addresses.vault_address(program)[0]),
            writable(addresses.vault_tokens_address(program)[0]),
            writable(owner_tokens),
            writable(position),
            readable(TOKEN_PROGRAM),
            readable(SYSTEM_PROGRAM),
        ],
    )
