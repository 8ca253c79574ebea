"""How an account is passed: written or only read, and whether it signs."""

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey


def writable(address: Pubkey, *, signer: bool = False) -> AccountMeta:
    """Return an account that the instruction writes."""
    return AccountMeta(address, is_signer=signer, is_writable=True)


def readable(address: Pubkey, *, signer: bool = False) -> AccountMeta:
    """Return an account that the instruction reads."""
    return AccountMeta(address, is_signer=signer, is_writable=False)
