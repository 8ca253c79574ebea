"""The prices' figures: how many of which class by whom, and how old; the worst of them by name.

Core.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from heapq import nsmallest
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Protocol

import numpy as np

from keeper.prices.price import Price, PriceClass, Reason, SourceName, TokenId
from keeper.tally import Withheld
from state.metrics import PRICE_AGE, PRICES, PRICES_WITHHELD
from state.sample import Figures

ROWS_SHOWN: Final = 50
_LOOKED_THROUGH: Final = 500
_QUANTILES: Final = ("0.5", "0.99", "1")
_received = attrgetter("received_at_s")


def put_prices(
    figures: Figures,
    census: Mapping[tuple[PriceClass, SourceName], int],
    prices: Collection[Price],
    now_s: float,
) -> None:
    """Put in how many followed prices there are by source and class, and how old they are."""
    for (price_class, source), count in census.items():
        figures.put(PRICES, count, str(source), str(price_class))
    if not prices:
        return
    ages_s = now_s - np.array([*map(_received, prices)])
    ranks = [int(np.ceil(float(quantile) * len(ages_s))) - 1 for quantile in _QUANTILES]
    found = np.partition(ages_s, ranks)
    for quantile, rank in zip(_QUANTILES, ranks, strict=True):
        figures.put(PRICE_AGE, max(0.0, float(found[rank])), quantile)


def put_withheld(figures: Figures, withheld: Mapping[int, Withheld]) -> None:
    """Put in the markets whose price is not posted, by reason; those that are over are no outage."""
    for reason, count in Counter(
        each.reason for each in withheld.values() if not each.is_over
    ).items():
        figures.put(PRICES_WITHHELD, count, reason)


class Prices(Protocol):
    """Where prices are published."""

    @property
    def prices(self) -> Mapping[TokenId, Price]:
        """Every price."""
        ...

    def tokens_of(self, price_class: PriceClass) -> Collection[TokenId]:
        """Return the tokens whose price has a class."""
        ...

    def why_unpriced(self, token_id: TokenId) -> Reason | None:
        """Return why a token has no price."""
        ...


def price_rows(names: Mapping[TokenId, str], board: Prices, now_s: float) -> list[dict[str, Any]]:
    """Return the worst prices as JSON types: those without one first, then by class, the oldest first."""
    missing = sorted(names.keys() - board.prices.keys())[:ROWS_SHOWN]
    worst = _worst(board, ROWS_SHOWN - len(missing))
    return [
        _row(names[token], None, board.why_unpriced(token) or Reason.NO_SOURCE, now_s)
        for token in missing
    ] + [
        _row(names.get(price.token_id, price.token_id[:12]), price, price.reason, now_s)
        for price in worst
    ]


def _row(market: str, price: Price | None, reason: Reason, now_s: float) -> dict[str, Any]:
    return {
        "market": market,
        "price_e6": None if price is None else price.price_e6,
        "price_class": None if price is None else str(price.price_class),
        "source": None if price is None else str(price.source),
        "age_s": None if price is None else round(max(0.0, now_s - price.received_at_s), 3),
        "reason": str(reason),
    }


def _worst(board: Prices, at_most: int) -> list[Price]:
    found: list[Price] = []
    for price_class in reversed(PriceClass):
        # Of thousands alike, the oldest of those that came to their class first.
        tokens = islice(board.tokens_of(price_class), _LOOKED_THROUGH)
        alike = [board.prices[token] for token in tokens]
        found += nsmallest(at_most - len(found), alike, key=_received)
        if len(found) >= at_most:
            break
    return found


def withheld_rows(withheld: Mapping[int, Withheld], now_s: float) -> list[dict[str, Any]]:
    """Return the markets that are withheld for the longest, as JSON types."""
    outages = [(number, each) for number, each in withheld.items() if not each.is_over]
    outages.sort(key=lambda item: (item[1].since_s, item[0]))
    return [
        {
            "market": number,
            "outcome": each.outcome,
            "reason": each.reason,
            "since_s": round(now_s - each.since_s, 3),
        }
        for number, each in outages[:ROWS_SHOWN]
    ]
