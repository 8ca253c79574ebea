"""The platform's figures, from the newest sight of it: column sums, however many markets and positions there are.

Core. Amounts are whole quote units, for looking at: floats, and never money.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.assessment import Verdict
from keeper.snapshot import Markets, Snapshot
from programs.accounts import MarketStatus, Vault
from programs.leverage import coverage_e6
from programs.units import PRICE_ONE_E6
from state.metrics import (
    BAD_DEBT_QUOTE,
    COVERAGE,
    EVENTS,
    IS_HALTED,
    MARKET_OPEN_INTEREST_QUOTE,
    MARKETS,
    MARKETS_SHOWN,
    OPEN_INTEREST_QUOTE,
    POSITIONS,
    SLOT,
    TRADES,
    VAULT_EQUITY_QUOTE,
    VAULT_LENT_QUOTE,
    VAULT_QUOTE,
)
from state.sample import Figures

_QUOTE: Final = 1_000_000
"""Base units of a quote unit: USDC has six decimals."""
OTHER: Final = "other"
"""What a label says of all that it does not name."""


def put_platform(figures: Figures, snapshot: Snapshot, verdicts: Mapping[Verdict, int]) -> None:
    """Put in what the chain holds.

    Args:
        figures: taken further.
        snapshot: the newest.
        verdicts: of its positions, or of those a moment earlier.
    """
    global_, markets = snapshot.global_, snapshot.markets
    figures.put(SLOT, snapshot.slot)
    figures.put(IS_HALTED, bool(global_.halted))
    figures.put(TRADES, global_.trade_count)
    sequences = markets.rows["event_sequence"]
    figures.put(EVENTS, snapshot.vault.event_sequence + int(sequences.sum(dtype=np.uint64)))
    _put_vault(figures, snapshot.vault)
    _put_interest(figures, markets)
    by_status = np.bincount(markets.rows["status"], minlength=len(MarketStatus))
    for status in MarketStatus:
        figures.put(MARKETS, int(by_status[status]), status.name.lower())
    for verdict, count in verdicts.items():
        figures.put(POSITIONS, count, verdict.name.lower())


def _put_vault(figures: Figures, vault: Vault) -> None:
    figures.put(VAULT_QUOTE, vault.cash / _QUOTE)
    figures.put(VAULT_EQUITY_QUOTE, vault.equity / _QUOTE)
    figures.put(VAULT_LENT_QUOTE, vault.loans / _QUOTE)
    figures.put(BAD_DEBT_QUOTE, vault.bad_debt / _QUOTE)
    figures.put(COVERAGE, coverage_e6(vault.cash, vault.weighted_debt_e6) / PRICE_ONE_E6)


def open_interest(markets: Markets) -> npt.NDArray[np.float64]:
    """Return each market's leveraged shares at the oracle's price, quote units, by row. Source: SPEC.md section 4."""
    if not len(markets):
        return np.zeros(0)
    price = markets.pools["price_e6"] / PRICE_ONE_E6
    shares = markets.pools["leveraged"]
    of_pools = shares[:, 0] * price + shares[:, 1] * (1 - price)
    found: npt.NDArray[np.float64] = np.add.reduceat(of_pools, markets.first_pool) / _QUOTE
    return found


def _put_interest(figures: Figures, markets: Markets) -> None:
    found = open_interest(markets)
    figures.put(OPEN_INTEREST_QUOTE, float(found.sum()))
    shown = min(MARKETS_SHOWN, len(found))
    named = 0.0
    if shown:
        first = len(found) - shown
        for row in np.argpartition(found, first)[first:].tolist():
            if found[row]:
                named += float(found[row])
                number = str(markets.rows["market_id"][row])
                figures.put(MARKET_OPEN_INTEREST_QUOTE, float(found[row]), number)
    figures.put(MARKET_OPEN_INTEREST_QUOTE, max(0.0, float(found.sum()) - named), OTHER)
