"""Which addresses deserve a place in a lookup table.

A place costs its share of a transaction that extends the table, now, and rent that returns. It saves 31 bytes of each
transaction that uses the address: that share of a transaction's fee, at the price of the day it is used. A market's own
accounts are used by every batch of it and always deserve theirs; a position is liquidated once, so it deserves one only if
it is likely to be, on a day when fees are higher than today's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from programs.lookup_tables import TABLE_ADDRESSES_MAX
from programs.table_plan import Wanted, addresses_per_step
from programs.units import TRANSACTION_BYTES_MAX, Bps, Lamports
from programs.wire_size import KEY_BYTES

_SAVED_BYTES: Final = KEY_BYTES - 1
_ONE: Final = 10_000


def deserves_place(uses_bps: Bps, fee_multiple_bps: Bps) -> bool:
    """Tell whether a place saves more in fees than it costs.

    Args:
        uses_bps: expected uses; 10_000 is one.
        fee_multiple_bps: fees when it is used, against now's; 10_000: the same.
    """
    saved = uses_bps * fee_multiple_bps * _SAVED_BYTES * addresses_per_step(creates=False)
    return saved > TRANSACTION_BYTES_MAX * _ONE * _ONE


def want_tables(
    marker: Pubkey,
    headers: Mapping[Pubkey, Sequence[AccountMeta]],
    at_risk: Mapping[Pubkey, Sequence[tuple[Pubkey, Bps]]],
    fee_multiple_bps: Bps,
    rent_lamports_max: Lamports,
) -> Wanted:
    """Say which addresses deserve a place, market by market.

    Args:
        marker: tells our tables from others of the same authority.
        headers: the shared accounts of each market's batches, the busiest market first. Signers cannot be in a table.
        at_risk: positions of a market with the odds of their liquidation while prices fall, the likeliest first.
        fee_multiple_bps: how much dearer a transaction is then.
        rent_lamports_max: what all tables together may lock.
    """
    useful = {
        market: [meta.pubkey for meta in header if not meta.is_signer]
        for market, header in headers.items()
    }
    everywhere = set.intersection(*map(set, useful.values())) if useful else set()
    if len(useful) == 1:
        everywhere.clear()
    groups = []
    for market, accounts in useful.items():
        own = [address for address in accounts if address not in everywhere]
        room = TABLE_ADDRESSES_MAX - 1 - len(everywhere) - len(own)
        likely = [
            position
            for position, odds_bps in at_risk.get(market, ())
            if deserves_place(odds_bps, fee_multiple_bps)
        ]
        groups.append((*own, *likely[:room]))
    return Wanted(
        marker=marker,
        shared=tuple(sorted(everywhere, key=bytes)),
        groups=tuple(groups),
        rent_lamports_max=rent_lamports_max,
    )
