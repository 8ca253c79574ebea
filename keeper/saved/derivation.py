"""Addresses that follow from seeds, for many accounts at once: hashed again on reading instead of kept.

Core. An account knows its bump, so one hash each gives the address: no bump has to be searched for, and none is judged. Whether
an address is the derived one is compared when a snapshot is written; the others are kept.

Seeds: programs/addresses.py, which a test compares. Source of the rule: solana-pubkey create_program_address.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.address_index import ADDRESS_BYTES, AddressArray
from programs.layout import AccountKind

Rows = npt.NDArray[np.void]
_MARKER: Final = b"ProgramDerivedAddress"


def account_addresses(kind: AccountKind, rows: Rows, program: bytes) -> AddressArray:
    """Return where accounts with these contents are."""
    match kind:
        case AccountKind.MARKET:
            seeds = [rows["condition_id"]]
        case AccountKind.MAKER:
            seeds = [rows["market"], rows["pool"], rows["owner"]]
        case AccountKind.STAKE:
            seeds = [rows["owner"]]
        case AccountKind.CHAIN:
            seeds = [rows["market"], rows["owner"], rows["chain_id"]]
        case _:
            seeds = [rows["market"], rows["owner"], rows["position_id"]]
    return _derived(kind.name.lower().encode(), [*seeds, rows["bump"]], program)


def market_tokens(rows: Rows, addresses: AddressArray, program: bytes) -> AddressArray:
    """Return where the token accounts of markets are."""
    return _derived(b"market_tokens", [addresses, rows["tokens_bump"]], program)


def _derived(word: bytes, seeds: Sequence[npt.NDArray[np.generic]], program: bytes) -> AddressArray:
    """Hash a constant seed, columns of seeds of which the last one is the bump, and the program."""
    count = len(seeds[0])
    if not count:
        return np.zeros(0, f"V{ADDRESS_BYTES}")
    tail = program + _MARKER
    width = len(word) + sum(each.dtype.itemsize for each in seeds) + len(tail)
    message = np.empty((count, width), np.uint8)
    message[:, : len(word)] = np.frombuffer(word, np.uint8)
    at = len(word)
    for each in seeds:
        size = each.dtype.itemsize
        message[:, at : at + size] = np.ascontiguousarray(each).view(np.uint8).reshape(count, size)
        at += size
    message[:, at:] = np.frombuffer(tail, np.uint8)
    listed = message.view(f"V{width}").reshape(-1).tolist()
    hashes = b"".join([each.digest() for each in map(hashlib.sha256, listed)])
    return np.frombuffer(hashes, f"V{ADDRESS_BYTES}")
