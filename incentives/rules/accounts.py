"""The accounts between which MMT moves; a wallet is 32 bytes where it is compared, base58 where it is named.

Core. What each account holds: incentives/lines.py.
"""

from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

MINT: Final = "mint"
SINK: Final = "sink"
SEASON: Final = "season"
POT: Final = "pot"
UNSPENT: Final = "unspent"
UNEXPLAINED: Final = "unexplained"

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
