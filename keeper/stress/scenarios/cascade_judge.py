"""What a cascade is judged by: what the vault lost beside the least that any keeper must lose, and beside a rival.

Core.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from solders.pubkey import Pubkey

from keeper.stress import measures, verdicts
from keeper.stress.evidence import Evidence, Played
from keeper.stress.model import Judged, Measure, Verdict
from keeper.stress.steep import Exposure, is_due, least_bad_debt
from programs.accounts import PositionArray, Side
from programs.event_layout import EventKind
from programs.units import PRICE_ONE_E6

_APART_PERCENT: Final = 0.1
"""Of the debt: no two plays open at exactly the same leverage."""


def judge(
    evidence: Evidence, *, slots_late_max: float, lane_slots_max: float, beyond_percent: float
) -> Judged:
    """Judge a cascade.

    Args:
        evidence: of the run; the script kept positions, markets, pools by slot, and what was left.
        slots_late_max: from a market's first unhealthy price on chain to its last liquidation.
        lane_slots_max: due to landed, in lanes that are not flooded.
        beyond_percent: of the debt, how much more than the least may be lost.
    """
    leveraged: PositionArray = evidence.kept["positions"]
    liquidated = _liquidated(evidence)
    lost = measures.bad_debt(evidence) + evidence.kept["left"]
    least = _least(evidence)
    debt = _debt(evidence)
    slots = _slots_late(evidence)
    return Judged(
        verdicts=(
            *verdicts.sound(evidence),
            verdicts.at_least(
                "positions opened",
                100 * len(leveraged) / evidence.kept["users"],
                99.0,
                "%",
                "else the cascade is smaller than it says",
            ),
            verdicts.at_least("positions liquidated", len(liquidated), len(leveraged), ""),
            verdicts.at_most(
                "slots from a market's first unhealthy price on chain to its last liquidation",
                measures.rank(slots, 100.0),
                slots_late_max,
                "slots",
                "a position is sold within a few slots, or the next move finds it still there",
            ),
            verdicts.fair(evidence, lane_slots_max, flooded=("chains", "liquidations")),
            verdicts.at_most(
                "bad debt",
                100 * lost / debt if debt else None,
                100 * least / debt + beyond_percent if debt else 0.0,
                "% of the debt",
                f"{beyond_percent:g} per cent of the debt above what selling everything at once would have lost",
            ),
            *_beats_the_rival(evidence),
        ),
        measures=(
            Measure(name="highest leverage opened", unit="", value=evidence.kept["leverage"]),
            Measure(name="debt at the start", unit="base units", value=debt),
            Measure(name="least bad debt of any keeper", unit="base units", value=least),
            Measure(
                name="first unhealthy to last liquidation, p50",
                unit="slots",
                value=measures.rank(slots, 50.0),
            ),
            *_rivals(evidence),
            *_inventories(evidence),
            *measures.usual(evidence),
        ),
        curves=(
            measures.sum_curve(evidence, "positions liquidated", Counter(liquidated.values())),
            *measures.usual_curves(evidence),
        ),
    )


def _beats_the_rival(evidence: Evidence) -> Iterator[Verdict]:
    """Compare all that each cost the vault, of its own debt: no two plays have the same positions at the same prices.

    Bad debt alone would not do: it is booked at the price on chain, and who posts none while he sells books little, and has the
    vault take at yesterday's price what is worth less.
    """
    rival = evidence.rival
    if rival is None:
        return
    debt, rival_debt = _debt(evidence), _debt(rival)
    yield verdicts.at_most(
        "lost in all",
        100 * _cost(evidence, measures.bad_debt(evidence)) / debt if debt else None,
        (100 * _cost(rival, rival.bad_debt) / rival_debt if rival_debt else 0.0) + _APART_PERCENT,
        "% of the debt",
        f"what a keeper without priorities cost the vault, and {_APART_PERCENT:g}",
    )


def _rivals(evidence: Evidence) -> Iterator[Measure]:
    rival = evidence.rival
    if rival is not None:
        for name, value in (
            ("bad debt with a keeper without priorities", rival.bad_debt + rival.kept["left"]),
            ("lost in all in that play", _cost(rival, rival.bad_debt)),
            ("least bad debt in that play", _least(rival)),
            ("debt at the start of that play", _debt(rival)),
        ):
            yield Measure(name=name, unit="base units", value=value)


def _cost(played: Played, bad_debt: int) -> int:
    """Return all that the vault lost, base units: bad debt, what is left to lose, and what its inventory is worth less than it cost."""
    bought, worth = _inventory(played)
    lost: int = bad_debt + played.kept["left"] + bought - worth
    return lost


def _inventory(played: Played) -> tuple[int, int]:
    """Return what the vault's inventory cost, and what it is worth at the venue's last prices, base units."""
    bought = sum(
        sum(pool.inventory_cost) for market in played.kept["after"] for pool in market.pools
    )
    worth = sum(
        market.pools[0].inventory[Side.YES] * price_e6 // PRICE_ONE_E6
        for market, price_e6 in zip(played.kept["after"], played.kept["truths"], strict=True)
    )
    return bought, worth


def _inventories(evidence: Evidence) -> Iterator[Measure]:
    bought, worth = _inventory(evidence)
    for name, value in (
        ("taken into the vault's inventory, at cost", bought),
        ("the same at the venue's last prices", worth),
        ("lost in all", _cost(evidence, measures.bad_debt(evidence))),
    ):
        yield Measure(name=name, unit="base units", value=value)


def _liquidated(evidence: Evidence) -> dict[bytes, int]:
    """Return the slot of each position's first liquidation."""
    first: dict[bytes, int] = {}
    for each in evidence.landings:
        for event in each.events:
            if event.kind is EventKind.POSITIONS_LIQUIDATED:
                for record in event.records:
                    first.setdefault(bytes(record["position"]), each.slot)
    return first


def _oracle(played: Played) -> Mapping[int, Sequence[tuple[int, int]]]:
    """Return (slot, price) of every post since the positions stood, by market id."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for each in played.landings:
        for event in each.events:
            if event.kind is EventKind.PRICES_UPDATED and each.slot >= played.kept["slot"]:
                found[event.series].append((each.slot, event.readings[0][0]))
    return found


def _firsts(played: Played) -> dict[Pubkey, tuple[int, int]]:
    """Return the first (slot, price) at which any position of a market could be liquidated."""
    oracle, markets = _oracle(played), played.kept["markets"]
    leveraged: PositionArray = played.kept["positions"]
    firsts = {}
    for address, market in markets.items():
        mine = _of(leveraged, address)
        for slot, price_e6 in oracle.get(market.market_id, ()):
            if any(is_due(row, price_e6) for row in mine):
                firsts[address] = (slot, price_e6)
                break
    return firsts


def _of(rows: PositionArray, market: Pubkey) -> PositionArray:
    return rows[[row.tobytes() == bytes(market) for row in rows["market"]]]


def _debt(played: Played) -> int:
    """Return what all positions owed when they stood, base units."""
    return int(played.kept["positions"]["debt"].sum())


def _least(played: Played) -> int:
    """Return what selling everything of each market at once, when the first of it could be, would have lost.

    That is the slot after the one in which the price came: whoever watches the chain knows of it only then.
    """
    least, pools = 0, played.kept["pools"]
    for address, (slot, price_e6) in _firsts(played).items():
        pool = pools.get(slot + 1, pools[slot])[address]
        mine = _of(played.kept["positions"], address)
        exposure = Exposure(shares=int(mine["shares"].sum()), debt=int(mine["debt"].sum()))
        least += least_bad_debt({Side.YES: exposure}, pool, price_e6)
    return least


def _slots_late(evidence: Evidence) -> list[float]:
    """Return, market by market, slots from the first unhealthy price on chain to the last liquidation."""
    ids = {market.market_id: address for address, market in evidence.kept["markets"].items()}
    last: dict[Pubkey, int] = {}
    for each in evidence.landings:
        for event in each.events:
            if event.kind is EventKind.POSITIONS_LIQUIDATED and event.series in ids:
                last[ids[event.series]] = each.slot
    return [
        float(last[address] - slot)
        for address, (slot, _) in _firsts(evidence).items()
        if address in last
    ]
