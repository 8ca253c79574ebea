"""Which markets need to be looked at now: those for which something changed, and no others.

Core. With 21_000 markets a look at each of them in every slot is more than a slot. What a decision was made of is known,
so it stands until one of these changes: the market's tokens, what the board says of one of them, what the chain holds of
it, or, with time alone, the slot at which the decision itself wants to be reviewed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from solders.pubkey import Pubkey

from keeper.prices.price import Price, TokenId
from keeper.snapshot import Markets
from programs.units import Slot

_COLUMNS: Final = ("status", "price_class", "publish_slot", "price_update_slot")
"""What a decision reads of a market, beside its pools' prices and bands; trades change neither."""


@dataclass(slots=True)
class Reviews:
    """The markets to look at, collected from one slot to the next."""

    _pending: set[Pubkey] = field(default_factory=set)
    _at_slot: defaultdict[Slot, set[Pubkey]] = field(default_factory=lambda: defaultdict(set))
    _needing_newer: set[TokenId] = field(default_factory=set)
    """Of markets whose decision may change with a newer reading, even of the same prices."""
    _tokens: Mapping[Pubkey, tuple[TokenId, ...]] = field(default_factory=dict)
    _market_of: dict[TokenId, Pubkey] = field(default_factory=dict)
    _prices: Mapping[TokenId, Price] = field(default_factory=dict)
    _markets: Markets = field(default_factory=lambda: Markets({}))

    def add(self, markets: Iterable[Pubkey]) -> None:
        """Look at these at the next opportunity."""
        self._pending.update(markets)

    def put_off(self, market: Pubkey, slot: Slot | None, *, needs_newer: bool = False) -> None:
        """Note when a decision just made has to be looked at again by itself.

        Args:
            market: its address.
            slot: from this slot on; None: not for the passing of time.
            needs_newer: with any newer reading.
        """
        if slot is not None:
            self._at_slot[slot].add(market)
        if needs_newer:
            self._needing_newer.update(self._tokens.get(market, ()))
        elif self._needing_newer:
            self._needing_newer.difference_update(self._tokens.get(market, ()))

    @property
    def tokens(self) -> Collection[TokenId]:
        """The tokens of all markets."""
        return self._market_of.keys()

    def note_tokens(self, tokens: Mapping[Pubkey, tuple[TokenId, ...]]) -> bool:
        """Take in which tokens each market has; return whether that is news."""
        if tokens is self._tokens:
            return False
        known, self._tokens = self._tokens, tokens
        self._market_of = {token: market for market, each in tokens.items() for token in each}
        self._pending.update(market for market in tokens if known.get(market) != tokens[market])
        self._pending.update(market for market in known if market not in tokens)
        self._needing_newer &= self._market_of.keys()
        return True

    def note_prices(self, prices: Mapping[TokenId, Price]) -> None:
        """Take in the board. Most prices are only heard again: the same but for the time."""
        seen, self._prices = self._prices, prices
        needing, news = self._needing_newer, []
        # Tens of thousands of prices go through here in each slot: what nearly all of them are is asked first.
        for token, now in prices.items():
            before = seen.get(token)
            if before is now:
                continue
            if (
                before is None
                or before.price_e6 != now.price_e6
                or before.band_e6 != now.band_e6
                or before.price_class is not now.price_class
                or before.reason != now.reason
                or token in needing
            ):
                news.append(token)
        news += [token for token in seen if token not in prices]
        self._pending.update(
            market for token in news if (market := self._market_of.get(token)) is not None
        )

    def note_markets(self, markets: Markets) -> None:
        """Take in a scan."""
        if markets is self._markets:
            return
        before, self._markets = self._markets, markets
        rows = before.rows_of(markets.address_rows)
        is_changed = rows < 0
        if len(before):
            for name in _COLUMNS:
                is_changed |= markets.rows[name] != before.rows[name][rows]
            is_changed |= _posted_differ(markets, before, rows)
        addresses = markets.addresses
        self._pending.update(addresses[at] for at in np.flatnonzero(is_changed).tolist())

    def take(self, slot: Slot) -> set[Pubkey]:
        """Return the markets to look at in this slot, and forget them."""
        for due in [at for at in self._at_slot if at <= slot]:
            self._pending |= self._at_slot.pop(due)
        taken, self._pending = self._pending, set()
        return taken


def _posted_differ(
    markets: Markets, before: Markets, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell of each market whether a price or band of its pools is another one than before."""
    counts = markets.rows["pools"].astype(np.int64)
    # A market keeps its pools; where it has no row before, its own stand in, and it is changed anyway.
    old_first = np.where(rows < 0, 0, before.first_pool[rows])
    within = np.arange(len(markets.pools)) - markets.first_pool.repeat(counts)
    old = np.minimum(old_first.repeat(counts) + within, len(before.pools) - 1)
    is_other = np.zeros(len(markets.pools), np.bool_)
    for name in ("price_e6", "band_e6"):
        is_other |= markets.pools[name] != before.pools[name][old]
    if not len(is_other):
        return np.zeros(len(markets), np.bool_)
    return np.logical_or.reduceat(is_other, markets.first_pool)
