"""Program-derived addresses, and the well-known ones beside them.

Seeds mirror the C: every address of the platform follows from the program id and public facts.
"""

from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

SYSTEM_PROGRAM: Final = Pubkey.from_string("11111111111111111111111111111111")
TOKEN_PROGRAM: Final = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")

_CACHED = 65_536
"""Finding a bump costs up to 256 hashes; a keeper asks for the same few thousand addresses again and again."""


@lru_cache(maxsize=_CACHED)
def _derive(program: Pubkey, *seeds: bytes) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address(list(seeds), program)


def global_address(program: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of the account with the genesis parameters."""
    return _derive(program, b"global")


def vault_address(program: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of the vault."""
    return _derive(program, b"vault")


def vault_tokens_address(program: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of the vault's token account."""
    return _derive(program, b"vault_tokens")


def sink_tokens_address(program: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of the entropy sink's token account."""
    return _derive(program, b"sink_tokens")


def sink_owner_address(program: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump that own the entropy sink; the program never signs for it."""
    return _derive(program, b"entropy_sink")


def treasury_tokens_address(program: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of the season treasury's token account."""
    return _derive(program, b"treasury_tokens")


def market_address(program: Pubkey, condition_id: bytes) -> tuple[Pubkey, int]:
    """Return the address and bump of the market for a 32-byte Polymarket condition or neg-risk id."""
    return _derive(program, b"market", condition_id)


def market_tokens_address(program: Pubkey, market: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of a market's token account."""
    return _derive(program, b"market_tokens", bytes(market))


def position_address(
    program: Pubkey, market: Pubkey, owner: Pubkey, position_id: int
) -> tuple[Pubkey, int]:
    """Return the address and bump of one of an owner's positions; the id is the owner's choice, u32."""
    return _derive(
        program, b"position", bytes(market), bytes(owner), position_id.to_bytes(4, "little")
    )


def maker_address(program: Pubkey, market: Pubkey, pool: int, owner: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of a maker's share of a pool."""
    return _derive(program, b"maker", bytes(market), bytes([pool]), bytes(owner))


def stake_address(program: Pubkey, owner: Pubkey) -> tuple[Pubkey, int]:
    """Return the address and bump of an owner's vault shares."""
    return _derive(program, b"stake", bytes(owner))


def epoch_address(program: Pubkey, epoch: int, index: int) -> tuple[Pubkey, int]:
    """Return the address and bump of one of an epoch's reward roots; epoch u64, index u32."""
    return _derive(program, b"epoch", epoch.to_bytes(8, "little"), index.to_bytes(4, "little"))


def chain_address(
    program: Pubkey, market: Pubkey, owner: Pubkey, chain_id: int
) -> tuple[Pubkey, int]:
    """Return the address and bump of one of an owner's chains; the id is the owner's choice, u32."""
    return _derive(program, b"chain", bytes(market), bytes(owner), chain_id.to_bytes(4, "little"))
