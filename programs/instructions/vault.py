"""The vault and its stakers."""

import struct

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
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
