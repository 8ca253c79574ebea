"""Wallets: as 32 bytes where they are compared, in base58 where they are named.

Core.
"""

from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

_NAMES_KEPT: Final = 1 << 18


@lru_cache(_NAMES_KEPT)
def name_of(wallet: bytes) -> str:
    """Return the base58 of an address."""
    return str(Pubkey.from_bytes(wallet))


def address_of(name: str) -> bytes:
    """Return the bytes of an address in base58."""
    return bytes(Pubkey.from_string(name))


def accrued(wallet: bytes) -> str:
    """Return the account of what a wallet earned in the running epoch."""
    return f"wallet/{name_of(wallet)}/accrued"


def payable(wallet: bytes) -> str:
    """Return the account of what a wallet was allocated."""
    return f"wallet/{name_of(wallet)}/payable"


def in_flight(wallet: bytes) -> str:
    """Return the account of what stands in a root on chain."""
    return f"wallet/{name_of(wallet)}/in_flight"


def paid(wallet: bytes) -> str:
    """Return the account of what the program paid to a wallet."""
    return f"wallet/{name_of(wallet)}/paid"
