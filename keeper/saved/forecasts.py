"""What a column should be, given columns read before: a snapshot keeps the difference, which is mostly nothing.

Core. The program keeps books: a pool's outstanding shares are what positions hold, its cash follows from its curve, a market's
debt is its positions' debt. Where a forecast is wrong the difference says so: any account comes back as it was.

A forecast reads columns without a forecast, those whose forecasts stand before it, and sums over the accounts that come before
in the file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.saved.curve_cash import cash_of
from keeper.saved.fields import Field, Integers, fields_of, pool_fields
from keeper.saved.holdings import Holdings
from programs.layout import AccountKind
from programs.units import U64_MAX
from state.snapshots.columns import fold_signs, unfold_signs

Columns = Mapping[str, Integers]


class Part(Enum):
    """Columns that lie together in a file."""

    MARKET_NAMES = auto()
    """What is told of markets before anything else: whatever refers to them needs it."""
    POSITION = auto()
    MAKER = auto()
    STAKE = auto()
    CHAIN = auto()
    MARKET = auto()
    POOL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a forecast may look at besides its own part's columns, for the rows in question."""

    holdings: Holdings
    rows: slice | npt.NDArray[np.int64] = field(default_factory=lambda: slice(None))
    """Numbers of the markets, of part MARKET, or pools, of part POOL."""
    fees_makers: Integers | None = None
    """Part POOL: of each pool's market, where it has one pool; else 0."""


Forecast = Callable[[Columns, Known], Integers]

PARTS_OF: Final = {
    AccountKind.POSITION: Part.POSITION,
    AccountKind.MAKER: Part.MAKER,
    AccountKind.STAKE: Part.STAKE,
    AccountKind.CHAIN: Part.CHAIN,
}
_NAMES: Final = ("bump", "tokens_bump", "pools", "market_id")
_TEN_THOUSAND, _TWO, _SEVEN = np.uint64(10_000), np.uint64(2), np.uint64(7)


def _sum_of(name: str) -> Forecast:
    def forecast(_: Columns, known: Known) -> Integers:
        found: Integers = getattr(known.holdings, name)[known.rows]
        return found

    return forecast


def _side_of(name: str, side: int, inventory: str | None = None) -> Forecast:
    whole = _sum_of(name)

    def forecast(columns: Columns, known: Known) -> Integers:
        held = whole(columns, known)[:, side]
        return held if inventory is None else held + columns[inventory]

    return forecast


def _same(name: str) -> Forecast:
    return lambda columns, _: columns[name]


def _cash(columns: Columns, _: Known) -> Integers:
    return cash_of(columns["liquidity"], columns["outstanding.0"], columns["outstanding.1"])


def _fees_paid(half: int) -> Forecast:
    """Forecast one half of a pool's fees by liquidity from the fees of its makers."""

    def forecast(columns: Columns, known: Known) -> Integers:
        assert known.fees_makers is not None, "pools are told of their markets"
        listed = zip(known.fees_makers.tolist(), columns["liquidity"].tolist(), strict=True)
        shift = 64 * (1 - half)
        found = [((fees << shift) // depth) & U64_MAX if depth else 0 for fees, depth in listed]
        return np.array(found, np.uint64)

    return forecast


def _unstarted(columns: Columns) -> npt.NDArray[np.bool_]:
    is_unstarted: npt.NDArray[np.bool_] = columns["next_step"] == 0
    return is_unstarted


_FORECASTS: Final[Mapping[Part, Mapping[str, Forecast]]] = {
    Part.MARKET_NAMES: {},
    Part.POSITION: {"notional": lambda columns, _: columns["margin"] + columns["debt"]},
    Part.MAKER: {},
    Part.STAKE: {},
    Part.CHAIN: {
        "expiry_slot": _same("opened_slot"),
        "working": lambda columns, _: columns["deposit"] * _unstarted(columns),
        "bounty": lambda columns, _: (
            columns["deposit"] * _TWO // _TEN_THOUSAND * _unstarted(columns)
        ),
        "steps.4.limit_e6": _same("steps.3.limit_e6"),
        "positions.0.side": _same("side"),
        "positions.0.opened_slot": _same("maker.last_add_slot"),
        "positions.0.notional": lambda columns, _: (
            columns["positions.0.margin"] + columns["positions.0.debt"]
        ),
    },
    Part.MARKET: {
        "publish_slot": _same("price_update_slot"),
        "debt": _sum_of("debt"),
        "escrow": _sum_of("escrow"),
        "fees_treasury": lambda columns, _: columns["fees_makers"] // _TWO,
        "fees_vault": lambda columns, _: columns["fees_treasury"] * _SEVEN,
    },
    Part.POOL: {
        "liquidity": _sum_of("liquidity"),
        "outstanding.0": _side_of("shares", 0, "inventory.0"),
        "outstanding.1": _side_of("shares", 1, "inventory.1"),
        "leveraged.0": _side_of("leveraged", 0),
        "leveraged.1": _side_of("leveraged", 1),
        "cash": _cash,
        "high_this": _same("liquidity"),
        "fee_per_liquidity_q64.low": _fees_paid(0),
        "fee_per_liquidity_q64.high": _fees_paid(1),
    },
}


def fields_in(part: Part) -> tuple[Field, ...]:
    """Return a part's integers in the order of the file: those without a forecast, then the others in the order they need."""
    match part:
        case Part.POOL:
            listed = pool_fields()
        case Part.MARKET_NAMES | Part.MARKET:
            is_names = part is Part.MARKET_NAMES
            listed = tuple(
                each for each in fields_of(AccountKind.MARKET) if (each.name in _NAMES) is is_names
            )
        case _:
            listed = fields_of(AccountKind[part.name])
    integers = {each.name: each for each in listed if not each.is_key}
    ahead = _FORECASTS[part]
    plain = [each for name, each in integers.items() if name not in ahead]
    return (*plain, *(integers[name] for name in ahead))


def differences_from_forecasts(part: Part, columns: Columns, known: Known) -> list[Integers]:
    """Return a part's columns less what they should be, in the order of the file."""
    found = []
    for each in fields_in(part):
        forecast = _FORECASTS[part].get(each.name)
        value = columns[each.name]
        found.append(value if forecast is None else fold_signs(value - forecast(columns, known)))
    return found


def undo_forecasts(part: Part, read: Callable[[], Integers], known: Known) -> dict[str, Integers]:
    """Read a part's columns one after the other, and add what they should be."""
    columns: dict[str, Integers] = {}
    for each in fields_in(part):
        forecast = _FORECASTS[part].get(each.name)
        difference = read()
        columns[each.name] = (
            difference if forecast is None else unfold_signs(difference) + forecast(columns, known)
        )
    return columns
