"""Chains: opened, executed step by step, cancelled."""

import struct
from collections.abc import Sequence
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.accounts import Side
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.chain_account import STEPS_MAX, Step
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag

_STEP: Final = struct.Struct("<BxHI")


def open_chain(
    program: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
    market: Pubkey,
    *,
    chain_id: int,
    pool: int,
    side: Side,
    deposit: int,
    trigger_e6: int,
    is_above: bool,
    expiry_slot: int,
    steps: Sequence[Step],
) -> Instruction:
    """Escrow a deposit and the keepers' bounty, 2 bp of it rounded up, into a chain.

    Args:
        chain_id: the owner's choice, u32.
        deposit: base units; the first step works with all of it.
        trigger_e6: its steps are due when the oracle's price of `side` is at or above it (`is_above`), else at or
            below.
        expiry_slot: the last slot in which a step runs; later anyone may cancel.
    """
    chain, bump = addresses.chain_address(program, market, owner, chain_id)
    data = struct.pack(
        "<BBxxBBBxIIIxxxxQQ",
        Tag.OPEN_CHAIN,
        bump,
        pool,
        side,
        len(steps),
        chain_id,
        trigger_e6,
        is_above,
        expiry_slot,
        deposit,
    )
    listed = b"".join(_STEP.pack(step.kind, step.leverage, step.limit_e6) for step in steps)
    return Instruction(
        program,
        data + listed.ljust(STEPS_MAX * _STEP.size, b"\0"),
        [
            writable(owner, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(owner_tokens),
            writable(chain),
            readable(TOKEN_PROGRAM),
            readable(SYSTEM_PROGRAM),
        ],
    )


def execute_chain(
    program: Pubkey,
    keeper: Pubkey,
    keeper_tokens: Pubkey,
    market: Pubkey,
    chain: Pubkey,
    *,
    first_step: int,
    step_count: int,
    counts_trade: bool,
) -> Instruction:
    """Run the next steps of a chain; the bounty of each goes to the keeper.

    Args:
        first_step: the step that the chain stands at, 0 first: a repeat is refused.
        step_count: how many to run; more than there are is all.
        counts_trade: pass the global account writable: an OPEN needs it while the platform's trade count is below 100.
    """
    return Instruction(
        program,
        struct.pack("<BBB5x", Tag.EXECUTE_CHAIN, first_step, step_count),
        execute_chain_accounts(
            program, keeper, keeper_tokens, market, chain, counts_trade=counts_trade
        ),
    )


def execute_chain_accounts(
    program: Pubkey,
    keeper: Pubkey,
    keeper_tokens: Pubkey,
    market: Pubkey,
    chain: Pubkey,
    *,
    counts_trade: bool,
) -> list[AccountMeta]:
    """Return the accounts of execute_chain, for whoever packs transactions by their locks."""
    global_ = addresses.global_address(program)[0]
    return [
        readable(keeper, signer=True),
        writable(global_) if counts_trade else readable(global_),
        writable(market),
        writable(addresses.market_tokens_address(program, market)[0]),
        writable(addresses.vault_address(program)[0]),
        writable(addresses.vault_tokens_address(program)[0]),
        writable(keeper_tokens),
        writable(chain),
        readable(TOKEN_PROGRAM),
    ]


def cancel_chain(
    program: Pubkey,
    caller: Pubkey,
    caller_tokens: Pubkey,
    market: Pubkey,
    chain: Pubkey,
    owner: Pubkey,
    owner_tokens: Pubkey,
) -> Instruction:
    """Unwind what can be unwound now; call again 150 slots later for what was locked.

    Anyone may once the chain has expired or its market is resolved, and then gets the bounty that is left; all else is
    the owner's.
    """
    return Instruction(
        program,
        bytes([Tag.CANCEL_CHAIN]),
        [
            writable(caller, signer=True),
            readable(addresses.global_address(program)[0]),
            writable(market),
            writable(addresses.market_tokens_address(program, market)[0]),
            writable(addresses.vault_address(program)[0]),
            writable(addresses.vault_tokens_address(program)[0]),
            writable(chain),
            writable(owner),
            writable(owner_tokens),
            writable(caller_tokens),
            readable(TOKEN_PROGRAM),
        ],
    )
