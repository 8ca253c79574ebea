"""How many bytes a transaction takes on the wire, computed from counts: nothing is built to be measured.

A transaction is lengths, keys and data. The tests hold this arithmetic to solders' serialization byte for byte.
"""

from collections.abc import Iterable, Sequence
from typing import Final

SIGNATURE_BYTES: Final = 64
KEY_BYTES: Final = 32
BUDGET_INSTRUCTIONS: Final = 3
BUDGET_BYTES: Final = sum(1 + 1 + 1 + data for data in (5, 9, 5))
"""Limit, price and loaded data: program index, no accounts, data length, data."""
_FIXED_BYTES: Final = 1 + 3 + KEY_BYTES
"""Version prefix, header and blockhash."""
_INDEX_BYTES: Final = 1


def length_bytes(count: int) -> int:
    """Compute the width of a compact-u16."""
    return 1 if count < 1 << 7 else 2 if count < 1 << 14 else 3


def instruction_bytes(accounts: int, data: int) -> int:
    """Compute what one compiled instruction takes: program index, account indexes, data."""
    return 1 + length_bytes(accounts) + accounts + length_bytes(data) + data


def lookup_bytes(writable: int, readonly: int) -> int:
    """Compute what addresses out of one lookup table take: its key, and an index each. None of them: nothing."""
    if not writable and not readonly:
        return 0
    return (
        KEY_BYTES
        + length_bytes(writable)
        + writable * _INDEX_BYTES
        + length_bytes(readonly)
        + readonly * _INDEX_BYTES
    )


def transaction_bytes(
    *,
    signatures: int,
    keys: int,
    instructions: int,
    instruction_bytes: int,
    lookups: Iterable[Sequence[int]] = (),
) -> int:
    """Compute the serialized length of a signed v0 transaction.

    Args:
        signatures: one for each signer.
        keys: that the message names itself; those out of tables are counted in `lookups`.
        instructions: how many, those of the compute budget included.
        instruction_bytes: all of them together.
        lookups: writable and readonly addresses taken from each lookup table.

    Source: the Solana wire format; compact-u16 lengths.
    """
    tables = looked_up = 0
    for writable, readonly in lookups:
        taken = lookup_bytes(writable, readonly)
        looked_up += taken
        tables += taken > 0
    return (
        length_bytes(signatures)
        + signatures * SIGNATURE_BYTES
        + _FIXED_BYTES
        + length_bytes(keys)
        + keys * KEY_BYTES
        + length_bytes(instructions)
        + instruction_bytes
        + length_bytes(tables)
        + looked_up
    )
