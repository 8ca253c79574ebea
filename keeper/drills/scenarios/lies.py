"""Sources that answer promptly and say what is not so."""

from keeper.drills.expectations import (
    BELIEVED,
    MISTRUSTED,
    Acts,
    Keeps,
    Reaches,
    Refrains,
)
from keeper.drills.faults import HONEST, Family, Refuse, Shape, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_NO_LIQUIDATION = (ActionKind.LIQUIDATE,)
_NOT_VALID = (PriceClass.DEGRADED, *MISTRUSTED)


async def _spike(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the stream alone says twenty points less for a second")
    stage.tell(Family.STREAM, Telling(offset_e6=-200_000), market=0)
    await stage.hold(1.0)
    stage.tell(Family.STREAM, HONEST, market=0)
    await stage.hold(2.5)
    await close_calmly(stage)


PRICE_SPIKE = Scenario(
    name="price-spike",
    title="The stream alone says twenty points less for a second: nobody is liquidated over it.",
    play=_spike,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=_NOT_VALID, within_s=1, market=0),
        Refrains(phase=PhaseName.DURING, kinds=_NO_LIQUIDATION),
        HEALED,
        BACK,
    ),
)


async def _spike_of_the_poll(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the stream is gone", "the CLOB alone says twenty points less")
    stage.break_wire(Family.STREAM, Refuse())
    await stage.hold(1.0)
    stage.tell(Family.CLOB, Telling(price_e6=300_000), market=0)
    await stage.hold(0.3)  # one poll, or two
    stage.tell(Family.CLOB, HONEST, market=0)
    await stage.hold(2.0)
    await close_calmly(stage)


LONE_SPIKE = Scenario(
    name="lone-spike",
    title="The CLOB, alone since the stream went, says twenty points less in a single poll or two.",
    play=_spike_of_the_poll,
    expects=(
        CALM,
        Refrains(phase=PhaseName.DURING, kinds=_NO_LIQUIDATION),
        HEALED,
        BACK,
    ),
)


async def _lie_apart(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "stream and CLOB lie, fifteen points to either side")
    stage.tell(Family.STREAM, Telling(offset_e6=-150_000), market=0)
    stage.tell(Family.CLOB, Telling(offset_e6=150_000), market=0)
    await stage.hold(5)
    await close_calmly(stage)


BOTH_LIE_APART = Scenario(
    name="both-lie-apart",
    title="Stream and CLOB lie at once, fifteen points to either side of the truth, and both look alive.",
    play=_lie_apart,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=_NOT_VALID, within_s=1, market=0),
        Keeps(phase=PhaseName.DURING, classes=_NOT_VALID, after_s=1, market=0),
        Refrains(phase=PhaseName.DURING, kinds=_NO_LIQUIDATION),
        HEALED,
        BACK,
    ),
)


async def _gamma_lies(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "only Gamma answers, and says twenty points more")
    stage.break_wire(Family.STREAM, Refuse())
    stage.break_wire(Family.CLOB, Refuse())
    stage.tell(Family.GAMMA, Telling(price_e6=700_000), market=0)
    await stage.hold(5)
    await close_calmly(stage)


GAMMA_LIES = Scenario(
    name="gamma-lies",
    title="Only Gamma is left, and it is twenty points off: its distance from the last good price is the band.",
    play=_gamma_lies,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=_NOT_VALID, within_s=4, market=0),
        Refrains(phase=PhaseName.DURING, kinds=_NO_LIQUIDATION),
        HEALED,
        BACK,
    ),
)


async def _gamma_lies_wildly(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "only Gamma answers, and says forty points more")
    stage.tell(Family.GAMMA, Telling(price_e6=900_000), market=0)
    await stage.hold(1)
    stage.break_wire(Family.STREAM, Refuse())
    stage.break_wire(Family.CLOB, Refuse())
    await stage.hold(4)
    await close_calmly(stage)


GAMMA_FAR_OFF = Scenario(
    name="gamma-far-off",
    title="Only Gamma is left, and it is forty points off: that is no fallback.",
    play=_gamma_lies_wildly,
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING,
            classes=MISTRUSTED,
            within_s=4.5,
            market=0,
            reason="fallback_far",
        ),
        Refrains(phase=PhaseName.DURING, after_s=4.5, market=0),
        Refrains(phase=PhaseName.DURING, kinds=_NO_LIQUIDATION),
        HEALED,
        BACK,
    ),
)


async def _doubt_before_a_liquidation(stage: Stage) -> None:
    await open_calmly(stage)
    stage.set_truth(0, 400_000)
    await stage.settle(market=0, within_s=5)
    stage.begin(PhaseName.DURING, "positions are due on chain, stream and CLOB begin to lie apart")
    stage.tell(Family.STREAM, Telling(offset_e6=-150_000), market=0)
    stage.tell(Family.CLOB, Telling(offset_e6=150_000), market=0)
    await stage.hold(5)
    await close_calmly(stage)
    await stage.wait_liquidated(market=0, at_least=1, within_s=5)


DOUBT_BEFORE_A_LIQUIDATION = Scenario(
    name="doubt-before-a-liquidation",
    title="Positions have become due on chain when the sources begin to contradict each other: they wait until that is over.",
    play=_doubt_before_a_liquidation,
    # Positions are read every two seconds: the doubt comes before the next reading.
    settings=Settings(slot_ms=200, keeper={"cluster": {"scan_interval_slots": 10}}),
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=_NOT_VALID, within_s=1, market=0),
        Refrains(phase=PhaseName.DURING, kinds=_NO_LIQUIDATION, after_s=0.5),
        HEALED,
        BACK,
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, within_s=12, market=0),
    ),
)


async def _bad_books(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(
        PhaseName.DURING, "crossed", "empty", "one-sided", "thin: one market each, on every source"
    )
    shapes = (Shape.CROSSED, Shape.EMPTY, Shape.ONE_SIDED, Shape.THIN)
    for market, shape in enumerate(shapes):
        for family in Family:
            stage.tell(family, Telling(shape=shape), market=market)
    stage.set_truth(1, None)
    await stage.hold(4)
    stage.set_truth(1, 400_000)
    await close_calmly(stage)


CROSSED_AND_EMPTY = Scenario(
    name="crossed-and-empty",
    title="Four markets lose their books: one crossed, one empty, one without asks, one a cent wide of everything.",
    play=_bad_books,
    settings=Settings(markets=4),
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=2),
        Refrains(phase=PhaseName.DURING, after_s=2),
        HEALED,
        BACK,
    ),
)


async def _change_the_tick(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the grid of prices changes to a cent")
    coarse = Telling(tick_e6=10_000)
    for family in Family:
        stage.tell(family, coarse, market=0)
    await stage.hold(1)
    stage.set_truth(0, 440_000)
    await stage.hold(3)
    await close_calmly(stage)


TICK_CHANGE = Scenario(
    name="tick-change",
    title="A market's grid of prices changes to whole cents and back: its streamed book is dropped and fetched anew.",
    play=_change_the_tick,
    expects=(
        CALM,
        Keeps(phase=PhaseName.DURING, classes=BELIEVED, after_s=2, market=0),
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=4, market=0, near_e6=440_000),
        HEALED,
        BACK,
    ),
)
