"""Genesis."""

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import addresses
from programs.addresses import SYSTEM_PROGRAM, TOKEN_PROGRAM
from programs.instructions.metas import readable, writable
from programs.instructions.tags import Tag


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
            writable(payer, signer=True),
            readable(program, signer=True),
            writable(global_),
            writable(vault),
            writable(vault_tokens),
            readable(quote_mint),
            writable(mmt_mint),
            writable(sink_tokens),
            readable(sink_owner),
            writable(treasury),
            readable(TOKEN_PROGRAM),
            readable(SYSTEM_PROGRAM),
        ],
    )


def halt(program: Pubkey, authority: Pubkey) -> Instruction:
    """Stop new exposure for good; the authority is gone with it."""
    return Instruction(
        program,
        bytes([Tag.HALT]),
        [
            readable(authority, signer=True),
            writable(addresses.global_address(program)[0]),
            writable(addresses.vault_address(program)[0]),
        ],
    )
