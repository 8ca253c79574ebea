"""Positions and prices, as arrays -> health, and what is due for liquidation, most urgent first.

Core. The rule is `judge` of betting_platform/liquidate.c, integer for integer, so that what is sent is what the program
would do at the same state.

OVERFLOW. Amounts are u64 and stay so: a product with a ratio is split as a*n/d = (a/d)*n + (a%d)*n/d, which is exact and
fits whenever n <= d <= 2^32. Only health multiplies beyond that; rows of $500M and more take Python's integers.

Source: SPEC.md sections 4 and 6.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from keeper.assessment import (
    Amounts,
    Assessment,
    Due,
    Rows,
    Verdict,
    Verdicts,
    assessment_of,
    count_verdicts,
)
from keeper.prices.price import CHAIN_CLASSES, PERMISSIONS
from keeper.sale import BOUNTY_BPS, BOUNTY_UNDERWATER_BPS, floors_e6, rooms
from keeper.snapshot import Markets, Snapshot
from programs import leverage
from programs.accounts import MarketStatus, PositionArray, Side
from programs.units import PRICE_ONE_E6, U64_MAX, Slot

Flags = npt.NDArray[np.bool_]

PRICE_AGE_MAX_SLOTS: Final = 150
"""An older oracle price liquidates nothing. Source: LEVERAGE_AGE_MAX_SLOTS of ledger.h."""
SMALL_POSITION: Final = 10_000_000
"""$10: outside the partial cap. Source: liquidate.c."""
_BPS_ONE: Final = 10_000
_RESERVE_DIVISOR: Final = 50
_EXACT_BELOW: Final = 1 << 49
"""10_000 * equity fits an i64 below this."""


class Holdings(NamedTuple):
    """What judging reads of positions, as columns side by side."""

    market_row: Rows
    """-1: unknown."""
    pool: npt.NDArray[np.uint8]
    side: npt.NDArray[np.uint8]
    shares: Amounts
    debt: Amounts
    required: Amounts
    """Equity that must be left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What markets hold for all their positions at one slot."""

    markets: Markets
    prices: Amounts
    """The judged price and the oracle's, by 2 * pool row + side."""
    gates: Verdicts
    """What stops a whole market, DUE where nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Every position's numbers at the price it is judged at, in the order of the snapshot."""

    market_row: Rows
    """-1: unknown."""
    pool_row: Rows
    judged_e6: Amounts
    """The oracle's price of the position's side, with the band in the trader's favour under class degraded."""
    oracle_e6: Amounts
    """The oracle's price of the position's side."""
    value: Amounts
    required: Amounts
    is_underwater: Flags
    verdict: Verdicts


def assess(markets: Markets, positions: PositionArray, slot: Slot) -> Assessment:
    """Judge every position at the prices on chain and the age they have at `slot`."""
    holdings = holdings_of(positions, markets.rows_of(positions["market"]))
    due, verdicts = due_among(terms_of(markets, slot), holdings)
    return assessment_of(slot, due.by_urgency(), count_verdicts(verdicts))


def due_now(snapshot: Snapshot) -> Assessment:
    """Return what is due in a snapshot: as it was kept up with, or else judged in full."""
    if snapshot.assessed is not None:
        return snapshot.assessed
    return assess(snapshot.markets, snapshot.positions, snapshot.slot)


def judge(markets: Markets, positions: PositionArray, slot: Slot) -> Judgement:
    """Apply the program's rule to every position, but for the room that pool and cap leave."""
    holdings = holdings_of(positions, markets.rows_of(positions["market"]))
    return judge_holdings(terms_of(markets, slot), holdings)


def holdings_of(positions: PositionArray, market_row: Rows) -> Holdings:
    """Return the columns of positions whose markets have these rows."""
    shares = positions["shares"].copy()
    return Holdings(
        market_row=market_row,
        pool=positions["pool"].copy(),
        side=positions["side"].copy(),
        shares=shares,
        debt=positions["debt"].copy(),
        required=required_margin(positions["margin"].copy(), shares, positions["margin_bps"]),
    )


def terms_of(markets: Markets, slot: Slot, before: Terms | None = None) -> Terms:
    """Read what holds for every market at a slot; of the same markets, prices serve again."""
    is_same = before is not None and before.markets is markets
    prices = before.prices if before is not None and is_same else _price_table(markets)
    return Terms(markets=markets, prices=prices, gates=_gates(markets, slot))


def due_among(terms: Terms, holdings: Holdings) -> tuple[Due, Verdicts]:
    """Judge these positions; return those that are due, in no order, and every verdict. `index` counts the rows given."""
    judged = judge_holdings(terms, holdings)
    markets, verdicts = terms.markets, judged.verdict
    due = np.flatnonzero(verdicts == Verdict.DUE)
    if not len(due):
        return Due.none(), verdicts
    shares, debt, side = holdings.shares[due], holdings.debt[due], holdings.side[due]
    is_underwater, oracle_e6 = judged.is_underwater[due], judged.oracle_e6[due]
    want, is_capped = _wanted(markets, judged, due, shares, debt)
    floor_e6 = floors_e6(oracle_e6, shares, debt, is_underwater)
    room = rooms(markets, judged.pool_row[due], side, floor_e6)
    sold = np.minimum(want, room)
    # Where the pool has no room, the vault's inventory takes the shares that repay; only a partial sale waits.
    verdicts[due[(room == 0) & is_capped]] = Verdict.AT_FLOOR
    verdicts[due[want == 0]] = Verdict.CAP_EMPTY
    bounty = _part(
        _part(sold, floor_e6, PRICE_ONE_E6),
        np.where(is_underwater, np.uint64(BOUNTY_UNDERWATER_BPS), np.uint64(BOUNTY_BPS)),
        _BPS_ONE,
    )
    worth = _part(shares, oracle_e6, PRICE_ONE_E6)
    found = Due(
        index=due,
        market_row=judged.market_row[due],
        health_bps=health_bps(judged.value[due], debt, judged.required[due]),
        bounty=bounty,
        shortfall=np.where(debt > worth, debt - worth, np.uint64(0)),
    )
    return found.take(verdicts[due] == Verdict.DUE), verdicts


def judge_holdings(terms: Terms, holdings: Holdings) -> Judgement:
    """Apply the program's rule to columns, but for the room that pool and cap leave."""
    markets, market_row, shares, debt = (
        terms.markets,
        holdings.market_row,
        holdings.shares,
        holdings.debt,
    )
    pool_index = holdings.pool.astype(np.int64)
    is_known = market_row >= 0
    if len(markets):
        is_known &= pool_index < markets.rows["pools"][market_row]
        pool_row = np.where(is_known, markets.first_pool[market_row] + pool_index, 0)
        key = 2 * pool_row + (holdings.side != Side.YES)
        judged_e6, oracle_e6 = terms.prices[0][key], terms.prices[1][key]
    else:
        pool_row = np.zeros(len(shares), np.int64)
        judged_e6 = oracle_e6 = np.zeros(len(shares), np.uint64)
    value = _part(shares, judged_e6, PRICE_ONE_E6)
    is_underwater = value <= debt
    is_unhealthy = is_underwater | (
        value - debt < holdings.required
    )  # wraps only where the first says so already
    verdict = np.where(is_unhealthy, np.uint8(Verdict.DUE), np.uint8(Verdict.HEALTHY))
    gate = terms.gates[market_row] if len(markets) else verdict
    verdict = np.where(gate == Verdict.DUE, verdict, gate)
    verdict[~is_known] = Verdict.MARKET_UNKNOWN
    verdict[debt == 0] = Verdict.NO_DEBT
    return Judgement(
        market_row=market_row,
        pool_row=pool_row,
        judged_e6=judged_e6,
        oracle_e6=oracle_e6,
        value=value,
        required=holdings.required,
        is_underwater=is_underwater,
        verdict=verdict,
    )


def required_margin(
    margin: Amounts, shares: Amounts, margin_bps: npt.NDArray[np.uint16]
) -> Amounts:
    """Return max(ceil(mm * margin), ceil(0.02 * shares)); mm is at most 10_000 bps."""
    maintenance = _part(margin, margin_bps.astype(np.uint64), _BPS_ONE, round_up=True)
    reserve = _part(shares, np.uint64(1), _RESERVE_DIVISOR, round_up=True)
    return np.maximum(maintenance, reserve)


def health_bps(value: Amounts, debt: Amounts, required: Amounts) -> Rows:
    """Return floor(10_000 * (value - debt) / required), clamped to an i64, of positions with debt."""
    is_negative = value < debt
    size = np.where(is_negative, debt - value, value - debt)
    is_wide = (size >= _EXACT_BELOW) | (required == 0) | (required > U64_MAX >> 1)
    narrow = np.where(is_wide, np.uint64(0), size).astype(np.int64) * _BPS_ONE
    narrow = np.where(is_negative, -narrow, narrow)
    divisor = np.where(is_wide, np.uint64(1), required).astype(np.int64)
    health: Rows = narrow // divisor  # numpy floors towards minus infinity, as the program does
    for row in np.flatnonzero(is_wide):
        # At a price of 1.00 the value is the shares, so the scalar mirror needs no other arithmetic.
        health[row] = leverage.health_bps(
            int(value[row]), PRICE_ONE_E6, int(debt[row]), int(required[row])
        )
    return health


def _price_table(markets: Markets) -> Amounts:
    """Return the judged price and the oracle's by 2 * pool row + side."""
    counts = markets.rows["pools"].astype(np.int64)
    permits = [PERMISSIONS[each].liquidate_at_band for each in CHAIN_CLASSES]
    at_band = np.isin(markets.rows["price_class"], np.flatnonzero(permits)).repeat(counts)
    yes = markets.pools["price_e6"].astype(np.uint64)
    band = np.where(at_band, markets.pools["band_e6"], 0).astype(np.uint64)
    oracle = np.stack([yes, PRICE_ONE_E6 - yes], axis=1)
    judged = np.minimum(oracle + band[:, None], PRICE_ONE_E6)
    return np.stack([judged.reshape(-1), oracle.reshape(-1)]).astype(np.uint64)


def _gates(markets: Markets, slot: Slot) -> Verdicts:
    """Return what stops a whole market, DUE where nothing does."""
    rows = markets.rows
    gate = np.full(len(markets), Verdict.DUE, np.uint8)
    permits = [PERMISSIONS[each].liquidate for each in CHAIN_CLASSES]
    # A price posted after the positions were read is not from the future: its age is zero.
    published = np.minimum(rows["publish_slot"], np.uint64(slot))
    gate[np.uint64(slot) - published > PRICE_AGE_MAX_SLOTS] = Verdict.PRICE_STALE
    gate[~np.isin(rows["price_class"], np.flatnonzero(permits))] = Verdict.PRICE_CLASS
    gate[rows["status"] != MarketStatus.OPEN] = Verdict.MARKET_NOT_OPEN
    return gate


def _wanted(
    markets: Markets, judged: Judgement, due: Rows, shares: Amounts, debt: Amounts
) -> tuple[Amounts, Flags]:
    """Return how many shares must go, and whether that is what a slot's partial cap leaves of them, not all."""
    value, is_underwater = judged.value[due], judged.is_underwater[due]
    reserve = _part(shares, np.uint64(1), _RESERVE_DIVISOR, round_up=True)
    can_wait = ~is_underwater & (value - debt >= reserve) & (value >= SMALL_POSITION)
    capped = np.flatnonzero(can_wait)
    if not len(capped):
        return shares, can_wait
    rows, which = np.unique(judged.market_row[due[capped]], return_inverse=True)
    caps = np.array([_slot_cap(markets, int(row)) for row in rows], np.uint64)[which]
    price = judged.judged_e6[due[capped]]
    whole = np.minimum(caps // price, np.uint64(U64_MAX // PRICE_ONE_E6 - 1))
    affordable = whole * PRICE_ONE_E6 + caps % price * PRICE_ONE_E6 // price
    want = shares.copy()
    want[capped] = np.minimum(shares[capped], affordable)
    return want, can_wait


def _slot_cap(markets: Markets, row: int) -> int:
    """Return what one slot may liquidate of a market under the partial cap, base units, at a slot's beginning."""
    market = markets.rows[row]
    first = int(markets.first_pool[row])
    interest = 0
    for pool in markets.pools[first : first + int(market["pools"])]:
        yes_e6 = int(pool["price_e6"])
        for side, price_e6 in ((Side.YES, yes_e6), (Side.NO, PRICE_ONE_E6 - yes_e6)):
            interest += int(pool["leveraged"][side]) * price_e6 // PRICE_ONE_E6
    return leverage.liquidation_cap(interest, int(market["sigma_e6"]))


def _part(amount: Amounts, numerator: Any, denominator: int, *, round_up: bool = False) -> Amounts:  # noqa: ANN401 - an array or a scalar of u64
    """Return amount * numerator / denominator, exactly, for numerator <= denominator <= 2^32."""
    whole, rest = amount // denominator, amount % denominator
    lost = denominator - 1 if round_up else 0
    part: Amounts = whole * numerator + (rest * numerator + lost) // denominator
    return part
