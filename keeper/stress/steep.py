"""Positions as steep as the program allows, and the least that their fall must cost.

Core.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from programs import curve, leverage
from programs.accounts import Market, Pool, Side, Vault
from programs.curve import Curve, CurveError
from programs.units import PRICE_ONE_E6

_OPEN_PART = 125
"""Right after the open equity must be so many per cent of what is required. Source: SPEC.md section 4."""
_MARGIN_PART = 80
"""And so many of the margin."""
_SAFE_COVERAGE_E6 = 1_000_000
_HEALTHY_BPS = 10_000


def steepest(market: Market, vault: Vault, side: Side, margin: int, spare_e6: int = 0) -> int:
    """Return the highest leverage at which the program lets a position open now, in pool 0; 1 when it allows none.

    Args:
        market: as it stands.
        vault: as it stands.
        side: of the position.
        margin: base units.
        spare_e6: points that the pool may move against it until it lands.
    """
    pool = market.pools[0]
    price_e6 = pool.price_e6 if side is Side.YES else PRICE_ONE_E6 - pool.price_e6
    coverage_e6 = leverage.coverage_e6(vault.cash, vault.weighted_debt_e6)
    maintenance_bps = 500 if coverage_e6 > _SAFE_COVERAGE_E6 else 1_000
    state = Curve(liquidity=pool.liquidity, q=pool.q)
    for multiple in range(leverage.leverage_max(coverage_e6, market.outcomes, vault.equity), 1, -1):
        try:
            shares = curve.buy_cash(state, curve.Side(side), margin * multiple).shares
        except CurveError:
            continue
        equity = shares * (price_e6 - spare_e6) // PRICE_ONE_E6 - margin * (multiple - 1)
        required = leverage.required_margin(margin, shares, maintenance_bps)
        if equity * 100 >= required * _OPEN_PART and equity * 100 >= margin * _MARGIN_PART:
            return multiple
    return 1


def is_due(position: np.void, own_e6: int) -> bool:
    """Return whether a position, a row of accounts, may be liquidated at a price of its own side."""
    shares, debt = int(position["shares"]), int(position["debt"])
    required = leverage.required_margin(
        int(position["margin"]), shares, int(position["margin_bps"])
    )
    return leverage.health_bps(shares, own_e6, debt, required) < _HEALTHY_BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What is leveraged on one side of one pool."""

    shares: int
    debt: int


def least_bad_debt(exposures: Mapping[Side, Exposure], pool: Pool, price_e6: int) -> int:
    """Return what the vault loses at least when everything is sold at once at an oracle price, base units, rounded down.

    The pool takes what it pays more than the oracle's price for, the vault's inventory the rest at that price, which is what
    the program books when equity is negative. No keeper can do better at that slot: nothing else is on offer, and whatever
    one position's sale brings more, another's brings less.
    """
    missing = 0
    for side, exposure in exposures.items():
        own_e6 = price_e6 if side is Side.YES else PRICE_ONE_E6 - price_e6
        proceeds = _proceeds(pool, side, exposure.shares, own_e6)
        missing += max(exposure.debt - proceeds, 0)
    return missing


def _proceeds(pool: Pool, side: Side, shares: int, own_e6: int) -> int:
    state = Curve(liquidity=pool.liquidity, q=pool.q)
    into_pool = min(curve.shares_to_price(state, curve.Side(side), own_e6), shares)
    got = curve.sell_shares(state, curve.Side(side), into_pool) if into_pool else 0
    return got + (shares - into_pool) * own_e6 // PRICE_ONE_E6
