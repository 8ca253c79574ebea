"""Units as types, and the limits of a Solana transaction.

Money is integers. A NewType per unit lets mypy refuse a lamport where base units are due; it costs nothing
at run time.
"""

from typing import Final, NewType

Lamports = NewType("Lamports", int)
"""1e-9 SOL."""
BaseUnits = NewType("BaseUnits", int)
"""The integer a token account holds: quote 1e-6, MMT 1e-9; shares are 1e-6 too."""
Slot = NewType("Slot", int)
BlockHeight = NewType("BlockHeight", int)
"""What a blockhash expires by; never convert it to wall clock."""
ComputeUnits = NewType("ComputeUnits", int)
MicroLamports = NewType("MicroLamports", int)
"""Price of one compute unit, 1e-15 SOL."""
Bps = NewType("Bps", int)
"""1/10_000."""
PriceE6 = NewType("PriceE6", int)
"""A probability or price: 1_000_000 is 1.00; tradable from 1_000 to 999_000."""

PRICE_ONE_E6: Final = PriceE6(1_000_000)
PRICE_MIN_E6: Final = PriceE6(1_000)
PRICE_MAX_E6: Final = PriceE6(999_000)
"""Source: SPEC.md section 2."""

QUOTE_DECIMALS: Final = 6
MMT_DECIMALS: Final = 9

TRANSACTION_BYTES_MAX: Final = 1_232
"""A legacy or v0 transaction, serialized. Source: IPv6 minimum MTU 1_280 less headers."""
TRANSACTION_LOCKS_MAX: Final = 64
"""Accounts one transaction may lock. Source: agave MAX_TX_ACCOUNT_LOCKS."""
TRANSACTION_CU_MAX: Final = ComputeUnits(1_400_000)
TRANSACTION_LOG_BYTES_MAX: Final = 10_000
"""After these the runtime cuts a transaction's logs, and events with them. Source: agave LOG_MESSAGES_BYTES_LIMIT."""
SIGNATURE_FEE_LAMPORTS: Final = Lamports(5_000)
BLOCKHASH_AGE_MAX_BLOCKS: Final = 150
SLOT_MS: Final = 400
"""Nominal; clusters may run faster."""

U64_MAX: Final = 2**64 - 1
I64_MAX: Final = 2**63 - 1
"""The largest integer SQLite stores: refuse a larger u64 at the boundary."""
