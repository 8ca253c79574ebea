"""The venue answers late and half of the time not at all, while prices move.

Shell, but for its judge.
"""

from collections import Counter
from typing import Final

import trio

from keeper.drills.faults import Canned, Family
from keeper.stress import measures, verdicts
from keeper.stress.evidence import Evidence
from keeper.stress.model import Judged, Measure
from keeper.stress.scenario import Scenario
from keeper.stress.settings import Settings
from keeper.stress.stage import Stage
from programs.event_layout import EventKind

FAILING_PERCENT: Final = 50
LATENCY_S: Final = 2.0
_MARKETS: Final = 50
_DEGRADED_S: Final = 40.0
_STEP_S: Final = 4.0
_STEP_E6: Final = 8_000
_WELL_S: Final = 15.0
_AWAY_E6: Final = 12_000
"""No price on chain may be further from what the venue was worth within the venue's lag and the keeper's own."""
_LAG_SLOTS: Final = 40
_LANE_SLOTS: Final = 5.0
"""A slow venue makes prices old before they are due; what is due lands as ever."""
_FAILING: Final = Canned(status=503, share_percent=FAILING_PERCENT, delay_s=LATENCY_S)


def _settings(scale: float) -> Settings:
    markets = max(round(_MARKETS * scale), 3)
    return Settings(
        load=(
            f"{markets} markets whose venue fails {FAILING_PERCENT} % of calls and answers the others {LATENCY_S:g} s late, on every "
            "family of endpoints and without a stream, while prices move"
        ),
        markets=markets,
        start_e6=(500_000, 400_000, 600_000),
        wander_e6=2_000,
        positions_per_side=2,
        stake_usd=10_000_000,
    )


async def _play(stage: Stage) -> None:
    await stage.wait_slots(15)
    worths: list[tuple[float, int, int]] = []
    stage.kept["worths"] = worths
    stage.kept["market_ids"] = [stage.market(n).market_id for n in range(len(stage.places))]
    _note(stage, worths)
    stage.begin("the venue is degraded")
    for family in Family:
        stage.house.answer(family, _FAILING, "")
    stage.house.hang_up()
    await _drift(stage, worths, _DEGRADED_S)
    stage.begin("the venue is well")
    for family in Family:
        stage.house.answer(family, None, "")
    await _drift(stage, worths, _WELL_S)


async def _drift(stage: Stage, worths: list[tuple[float, int, int]], length_s: float) -> None:
    """Move every market a little, now and then; up and down in turn."""
    steps = int(length_s / _STEP_S)
    for step in range(steps):
        for number in range(len(stage.places)):
            price_e6 = stage.house.script.truth_e6(number)
            assert price_e6 is not None, "nothing resolves here"
            stage.house.set_truth(
                number, price_e6 + (_STEP_E6 if (step + number) % 2 else -_STEP_E6)
            )
        _note(stage, worths)
        await trio.sleep(_STEP_S)


def _note(stage: Stage, worths: list[tuple[float, int, int]]) -> None:
    for number in range(len(stage.places)):
        price_e6 = stage.house.script.truth_e6(number)
        assert price_e6 is not None, "nothing resolves here"
        worths.append((stage.now_s, number, price_e6))


def _judge(evidence: Evidence) -> Judged:
    degraded, well = evidence.phase("the venue is degraded"), evidence.phase("the venue is well")
    posts = _posts(evidence)
    strays = [post for post in posts if not _was_so(evidence, *post)]
    markets = len(evidence.kept["market_ids"])
    during = {number for at_s, number, _ in posts if degraded.starts_s <= at_s < degraded.ends_s}
    after = {number for at_s, number, _ in posts if well.starts_s <= at_s < well.ends_s}
    return Judged(
        verdicts=(
            *verdicts.sound(evidence),
            verdicts.at_most(
                "posted prices that nobody said within the venue's and the keeper's lag",
                len(strays),
                0,
                "",
            ),
            verdicts.at_least(
                "markets posted while the venue is degraded",
                100 * len(during) / markets,
                90.0,
                "%",
                "half of the calls still answer: a keeper that retries keeps its prices",
            ),
            verdicts.at_least(
                "markets posted once it is well", 100 * len(after) / markets, 100.0, "%"
            ),
            verdicts.fair(evidence, _LANE_SLOTS),
        ),
        measures=(
            Measure(
                name="markets posted while the venue is degraded",
                unit="%",
                value=100 * len(during) / markets,
            ),
            Measure(
                name="prices posted while the venue is degraded",
                unit="",
                value=sum(degraded.starts_s <= at_s < degraded.ends_s for at_s, _, _ in posts),
            ),
            Measure(
                name="prices posted once it is well",
                unit="",
                value=sum(well.starts_s <= at_s < well.ends_s for at_s, _, _ in posts),
            ),
            *measures.usual(evidence),
        ),
        curves=(
            measures.sum_curve(
                evidence,
                "prices posted, all told",
                Counter(
                    each.slot
                    for each in evidence.landings
                    for event in each.events
                    if event.kind is EventKind.PRICES_UPDATED
                ),
            ),
            *measures.usual_curves(evidence),
        ),
    )


def _posts(evidence: Evidence) -> list[tuple[float, int, int]]:
    """Return (time, market, price) of every post."""
    numbers = {market_id: n for n, market_id in enumerate(evidence.kept["market_ids"])}
    times = evidence.slot_times
    return [
        (times[each.slot], numbers[event.series], event.readings[0][0])
        for each in evidence.landings
        for event in each.events
        if event.kind is EventKind.PRICES_UPDATED and event.series in numbers and each.slot in times
    ]


def _was_so(evidence: Evidence, at_s: float, number: int, price_e6: int) -> bool:
    """Whether a market was worth about that at some time that a post may still speak of."""
    since_s = at_s - _LAG_SLOTS * evidence.slot_s
    worths = [
        (worth_s, worth_e6)
        for worth_s, other, worth_e6 in evidence.kept["worths"]
        if other == number and worth_s <= at_s + evidence.slot_s
    ]
    # What it was worth when the time began, and whatever it was worth since.
    before = [worth for worth in worths if worth[0] <= since_s][-1:]
    since = [worth for worth in worths if worth[0] > since_s]
    return not worths or any(
        abs(worth_e6 - price_e6) <= _AWAY_E6 for _, worth_e6 in (*before, *since)
    )


API_DEGRADATION: Final = Scenario(
    name="api-degradation",
    title="a venue that answers late and half of the time not at all, while prices move",
    settings=_settings,
    play=_play,
    judge=_judge,
)
