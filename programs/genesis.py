"""Genesis as instructions: the MMT mint, then `initialize`, which mints everything and drops the authority.

What is left of a genesis is `programs.founding`'s to say.

Source: SPEC.md section 3.
"""

from typing import Final

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from spl.token.constants import MINT_LEN
from spl.token.instructions import initialize_mint2
from spl.token.models import InitializeMint2Params

from programs.addresses import TOKEN_PROGRAM
from programs.units import BaseUnits, Lamports

MMT_SUPPLY: Final = BaseUnits(100_000_000 * 10**9)
SINK_MMT: Final = BaseUnits(90_000_000 * 10**9)
TREASURY_MMT: Final = BaseUnits(10_000_000 * 10**9)
SEASON_SLOTS: Final = 38_880_000
"""180 days of 400 ms slots."""
MINT_BYTES: Final = MINT_LEN


def create_mint(
    payer: Pubkey, mint: Pubkey, authority: Pubkey, decimals: int, rent_lamports: Lamports
) -> list[Instruction]:
    """Create an SPL mint without a freeze authority; payer and mint sign.

    Args:
        rent_lamports: what exempts MINT_BYTES from rent on this cluster.
    """
    return [
        create_account(
            CreateAccountParams(
                from_pubkey=payer,
                to_pubkey=mint,
                lamports=rent_lamports,
                space=MINT_BYTES,
                owner=TOKEN_PROGRAM,
            )
        ),
        initialize_mint2(
            InitializeMint2Params(
                decimals=decimals, program_id=TOKEN_PROGRAM, mint=mint, mint_authority=authority
            )
        ),
    ]
