"""Which chains can run a step now, by trigger, price class and expiry, and which have ended: all of them at once.

Core. What the program asks of every step is asked here of columns, whatever the step; what it asks of one kind of step
is for `programs.chains` to say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from keeper.chain_book import ChainBook
from keeper.snapshot import Markets
from programs.accounts import MarketStatus, Side
from programs.chains import EXECUTION_AGE_MAX_SLOTS, PRICE_VALID
from programs.units import PRICE_ONE_E6, Slot

EXPIRES_SOON_SLOTS: Final = 150
"""A due chain with no more slots than this goes before all others: for them there is a later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueChain:
    """A chain whose next step is due."""

    address: Pubkey
    market: Pubkey
    pool: int
    since_slot: Slot
    """When its market was last priced before we first saw it due."""
    expiry_slot: Slot
    bounty: int
    """Prepaid and not yet earned, base units."""

    def rank(self, slot: Slot) -> tuple[int, int, int, bytes]:
        """Sort by this: what expires soon first, then what has been due for longest, then the largest bounty."""
        left = self.expiry_slot - slot
        hurry = left if left <= EXPIRES_SOON_SLOTS else EXPIRES_SOON_SLOTS + 1
        return hurry, self.since_slot, -self.bounty, bytes(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedChain:
    """A chain that will run no more, though not all of its steps ran: anyone may cancel it."""

    address: Pubkey
    bounty: int
    """What whoever cancels it gets, base units."""
    debt: int
    """What goes back to the vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundChains:
    """What one look found."""

    due: tuple[DueChain, ...] = ()
    """In order: see `DueChain.rank`."""
    ended: tuple[EndedChain, ...] = ()
    """The largest debt first: the vault can lend it again; then the largest bounty."""


def find_chains(
    book: ChainBook,
    markets: Markets,
    *,
    slot: Slot,
    is_halted: bool,
    since: Mapping[Pubkey, Slot],
) -> FoundChains:
    """Find what is due and what has ended.

    Args:
        book: every chain.
        markets: every market.
        slot: in which a transaction may land.
        is_halted: a halted platform runs no step; it still cancels.
        since: since when chains are known to be due.
    """
    running = np.flatnonzero(book.rows["next_step"] < book.rows["step_count"])
    if not len(running) or not len(markets):
        return FoundChains()
    rows = book.rows[running]
    market_row = markets.rows_of(rows["market"])
    has_pool = (market_row >= 0) & (rows["pool"] < markets.rows["pools"][market_row])
    running, rows, market_row = running[has_pool], rows[has_pool], market_row[has_pool]
    is_open = (markets.rows["status"] == MarketStatus.OPEN)[market_row]
    is_over = slot > rows["expiry_slot"].astype(np.int64)
    is_priced = _is_priced(markets.rows, slot)[market_row]
    due = is_open & ~is_over & is_priced & _is_triggered(rows, market_row, markets)
    if is_halted:
        due[:] = False
    return FoundChains(
        due=_due(book, markets, running[due], market_row[due], slot, since),
        ended=_ended(book, running[is_over | ~is_open]),
    )


def _is_priced(market: npt.NDArray[np.void], slot: Slot) -> npt.NDArray[np.bool_]:
    age = slot - market["publish_slot"].astype(np.int64)
    found: npt.NDArray[np.bool_] = (market["price_class"] == PRICE_VALID) & (
        age <= EXECUTION_AGE_MAX_SLOTS
    )
    return found


def _is_triggered(
    rows: npt.NDArray[np.void], market_row: npt.NDArray[np.int64], markets: Markets
) -> npt.NDArray[np.bool_]:
    prices = markets.pools["price_e6"].astype(np.int64)
    price = prices[markets.first_pool[market_row] + rows["pool"]]
    price = np.where(rows["side"] == Side.YES, price, PRICE_ONE_E6 - price)
    trigger = rows["trigger_e6"].astype(np.int64)
    crossed: npt.NDArray[np.bool_] = np.where(
        rows["is_above"] != 0, price >= trigger, price <= trigger
    )
    return crossed


def _due(
    book: ChainBook,
    markets: Markets,
    which: npt.NDArray[np.int64],
    market_row: npt.NDArray[np.int64],
    slot: Slot,
    since: Mapping[Pubkey, Slot],
) -> tuple[DueChain, ...]:
    rows, market = book.rows[which], markets.rows[market_row]
    priced = np.maximum(market["price_update_slot"], rows["opened_slot"])
    columns = zip(
        which.tolist(),
        market_row.tolist(),
        rows["pool"].tolist(),
        priced.tolist(),
        rows["expiry_slot"].tolist(),
        rows["bounty"].tolist(),
        strict=True,
    )
    found = []
    for row, of_market, pool, priced_slot, expiry_slot, bounty in columns:
        address = book.address_of(row)
        found.append(
            DueChain(
                address=address,
                market=markets.addresses[of_market],
                pool=pool,
                since_slot=since.get(address, Slot(priced_slot)),
                expiry_slot=Slot(expiry_slot),
                bounty=bounty,
            )
        )
    return tuple(sorted(found, key=lambda each: each.rank(slot)))


def _ended(book: ChainBook, which: Iterable[int]) -> tuple[EndedChain, ...]:
    found = [
        EndedChain(
            address=book.address_of(row),
            bounty=int(book.rows["bounty"][row]),
            debt=int(book.rows["debt"][row]),
        )
        for row in which
    ]
    return tuple(sorted(found, key=lambda each: (-each.debt, -each.bounty, bytes(each.address))))
