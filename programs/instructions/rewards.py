"""Reward epochs: posted, and paid in batches."""

import struct
from collections.abc import Sequence

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag
from programs.merkle import Batch
from programs.units import BaseUnits


def post_epoch(
    program: Pubkey,
    authority: Pubkey,
    *,
    epoch: int,
    index: int,
    root: bytes,
    leaf_count: int,
    total: BaseUnits,
) -> Instruction:
    """Post one of an epoch's roots; the authority pays for its account, a bit per leaf.

    Args:
        index: of this root among the epoch's.
        total: MMT base units that all its leaves pay together.
    """
    account, bump = addresses.epoch_address(program, epoch, index)
    data = struct.pack("<BB6xQIIQ", Tag.POST_EPOCH, bump, epoch, index, leaf_count, total)
    return Instruction(
        program,
        data + root,
        [
            writable(authority, signer=True),
            writable(addresses.global_address(program)[0]),
            writable(account),
            readable(SYSTEM_PROGRAM),
        ],
    )


def pay_rewards(program: Pubkey, batch: Batch, token_accounts: Sequence[Pubkey]) -> Instruction:
    """Pay the leaves of a batch; anyone may. Leaves that are paid already are skipped on chain.

    Args:
        token_accounts: one MMT token account per wallet of the batch, in order, owned by that wallet.
    """
    data = struct.pack("<BBBxI", Tag.PAY_REWARDS, batch.height, batch.paid_mask, batch.first_leaf)
    for entry in batch.entries:
        data += struct.pack("<Q", entry) if isinstance(entry, int) else entry
    return Instruction(
        program,
        data + b"".join(batch.path),
        [
            readable(addresses.global_address(program)[0]),
            writable(addresses.epoch_address(program, batch.epoch, batch.index)[0]),
            writable(addresses.treasury_tokens_address(program)[0]),
            readable(TOKEN_PROGRAM),
            *(writable(account) for account in token_accounts),
        ],
    )
