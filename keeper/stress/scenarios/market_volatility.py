"""Fifty markets that move by a tenth again and again, with leveraged positions on both sides.

Shell, but for its judge.
"""

from typing import Final

import trio
from solders.pubkey import Pubkey

from keeper.drills.play import chain_accounts
from keeper.stress import measures, verdicts
from keeper.stress.evidence import Evidence
from keeper.stress.model import Curve, Judged, Measure
from keeper.stress.scenario import Scenario
from keeper.stress.settings import Settings
from keeper.stress.stage import Stage
from keeper.stress.steep import is_due
from programs.accounts import Side
from programs.event_layout import EventKind
from programs.units import PRICE_ONE_E6

MARKETS: Final = 50
MOVE_PERCENT: Final = 10
_MOVES: Final = 4
_PAUSE_S: Final = 12.0
"""Between two moves of one market; markets take turns within it."""
_NEAR_E6: Final = 6_000
"""As close to the truth as a posting threshold and the venue's own wandering allow."""
_REST_S: Final = 12.0
_SLOTS_MAX: Final = 25.0
_LATE_SLOTS: Final = 25.0
"""After which the monitor calls due work late (SPEC.md section 6)."""
_LANE_SLOTS: Final = _LATE_SLOTS / 5


def _settings(scale: float) -> Settings:
    return Settings(
        load=(
            f"{_markets(scale)} markets, each moving by {MOVE_PERCENT} % of its price {_MOVES} times, with {4 * 2 * _markets(scale)} "
            "leveraged positions"
        ),
        markets=_markets(scale),
        start_e6=(500_000, 400_000, 600_000),
        wander_e6=1_000,
        stake_usd=10_000_000,
        positions_per_side=4,
    )


def _markets(scale: float) -> int:
    return max(round(MARKETS * scale), 3)


async def _play(stage: Stage) -> None:
    await stage.wait_slots(15)
    moves: list[tuple[float, int, int]] = []
    stage.kept["moves"] = moves
    stage.kept["market_ids"] = [stage.market(n).market_id for n in range(len(stage.places))]
    stage.begin("markets move")
    count = len(stage.places)
    due_s = trio.current_time()
    for move in range(_MOVES):
        for number in range(count):
            price_e6 = stage.house.script.truth_e6(number)
            assert price_e6 is not None, "nothing resolves here"
            # Up and down in turn, and neighbours apart: prices stay where leverage is.
            sign = 1 if (move + number) % 2 else -1
            target_e6 = price_e6 + sign * price_e6 * MOVE_PERCENT // 100
            stage.house.set_truth(number, target_e6)
            moves.append((stage.now_s, number, target_e6))
            due_s += _PAUSE_S / count
            await trio.sleep_until(due_s)
    stage.begin("markets rest")
    await trio.sleep(_REST_S)
    stage.kept["due_left"] = _due_left(stage)


def _due_left(stage: Stage) -> int:
    """Count positions that could be liquidated now, at a price of class valid."""
    found = chain_accounts(stage.localnet.bank)
    count = 0
    for row in found.positions[found.positions["debt"] > 0]:
        market = found.markets[Pubkey.from_bytes(row["market"].tobytes())]
        price_e6 = market.pools[int(row["pool"])].price_e6
        own_e6 = price_e6 if int(row["side"]) == Side.YES else PRICE_ONE_E6 - price_e6
        count += market.price_class == 0 and is_due(row, own_e6)
    return count


def _judge(evidence: Evidence) -> Judged:
    delays = _delays(evidence)
    followed = [delay for delay in delays if delay is not None]
    liquidated = sum(
        len(event.records)
        for each in evidence.landings
        for event in each.events
        if event.kind is EventKind.POSITIONS_LIQUIDATED
    )
    return Judged(
        verdicts=(
            *verdicts.sound(evidence),
            verdicts.at_least(
                "moves that the chain followed",
                100 * len(followed) / len(delays) if delays else None,
                99.0,
                "%",
                "before the market moved on",
            ),
            verdicts.at_most(
                "move at the venue to the price on chain p99",
                measures.rank(followed, 99.0),
                _SLOTS_MAX,
                "slots",
                "more than five points at once are believed only once they have held",
            ),
            verdicts.at_least(
                "positions liquidated", liquidated, 1, "", "else the moves endangered nothing"
            ),
            verdicts.at_most(
                "positions that could be liquidated at the chain's prices and were not, at rest",
                evidence.kept["due_left"],
                0,
                "",
            ),
            verdicts.at_most(
                "liquidations, due to landed p99",
                measures.keeper_latency(evidence, "liquidations", 99.0),
                _LATE_SLOTS,
                "slots",
                "the program lets a few per cent of a market's interest go a slot, so some of a market's wait their turn",
            ),
            verdicts.fair(evidence, _LANE_SLOTS, flooded=("liquidations",)),
        ),
        measures=(
            *(
                Measure(
                    name=f"move at the venue to the price on chain p{percent:g}",
                    unit="slots",
                    value=measures.rank(followed, percent),
                )
                for percent in measures.QUANTILES
            ),
            Measure(name="positions liquidated", unit="", value=liquidated),
            *measures.usual(evidence),
        ),
        curves=(
            Curve(
                name="move at the venue to the price on chain",
                unit="slots",
                points=tuple(
                    (at_s, delay)
                    for (at_s, _, _), delay in zip(evidence.kept["moves"], delays, strict=True)
                    if delay is not None
                ),
            ),
            *measures.usual_curves(evidence),
        ),
    )


def _delays(evidence: Evidence) -> list[float | None]:
    """Return, of each move, slots until the chain had its price; None when it never did before the next one."""
    numbers = {market_id: n for n, market_id in enumerate(evidence.kept["market_ids"])}
    times = evidence.slot_times
    posts: dict[int, list[tuple[float, int]]] = {}
    for each in evidence.landings:
        for event in each.events:
            if event.kind is EventKind.PRICES_UPDATED and event.series in numbers:
                at_s = times.get(each.slot)
                if at_s is not None:
                    posts.setdefault(numbers[event.series], []).append(
                        (at_s + evidence.slot_s, event.readings[0][0])
                    )
    moves: list[tuple[float, int, int]] = evidence.kept["moves"]
    delays: list[float | None] = []
    for place, (at_s, number, target_e6) in enumerate(moves):
        until_s = next((later for later, other, _ in moves[place + 1 :] if other == number), None)
        arrived = [
            post_s
            for post_s, price_e6 in posts.get(number, [])
            if post_s >= at_s
            and (until_s is None or post_s < until_s)
            and abs(price_e6 - target_e6) <= _NEAR_E6
        ]
        delays.append((arrived[0] - at_s) / evidence.slot_s if arrived else None)
    return delays


MARKET_VOLATILITY: Final = Scenario(
    name="market-volatility",
    title="fifty markets that move by a tenth again and again, with leveraged positions on both sides",
    settings=_settings,
    play=_play,
    judge=_judge,
)
