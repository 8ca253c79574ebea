"""Hours without the venue, or without a part of it, at the intervals of the real hosts."""

from typing import Final

from keeper.drills.expectations import (
    BELIEVED,
    MISTRUSTED,
    Acts,
    Asks,
    Follows,
    Keeps,
    Reaches,
    Refrains,
    Tells,
)
from keeper.drills.faults import Family, Refuse
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Stage
from keeper.drills.scenarios.unhurried import (
    BACK,
    CALM,
    HALTED_S,
    HOUR_S,
    MINUTE_S,
    NOTICED_S,
    RETURN_S,
    STALE_S,
    UNHURRIED,
    close_calmly,
    mend_everything,
    open_calmly,
)
from keeper.prices.price import PriceClass, Source

_LANDING_S: Final = 4.0
"""What was decided before a price grew stale may land until then."""


async def _lose_everything_for_hours(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "every endpoint refuses connections")
    for family in Family:
        stage.break_wire(family, Refuse())
    await stage.hold(0.5 * HOUR_S)
    stage.set_truth(0, 300_000)  # unseen: whoever acts now acts on a price of the past
    await stage.hold(1.5 * HOUR_S)
    stage.set_truth(1, 520_000)
    await stage.hold(0.5 * HOUR_S)
    await mend_everything(stage)
    await stage.settle(within_s=RETURN_S)
    await stage.wait_liquidated(market=0, at_least=1, within_s=MINUTE_S)
    await stage.hold(RETURN_S)


OUTAGE_OF_HOURS: Final = Scenario(
    name="outage-of-hours",
    title="Every endpoint refuses connections for two and a half hours while two markets move unseen.",
    play=_lose_everything_for_hours,
    settings=UNHURRIED,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED,), within_s=NOTICED_S),
        Reaches(
            phase=PhaseName.DURING,
            classes=(PriceClass.STALE, PriceClass.HALTED),
            within_s=STALE_S + 1,
        ),
        Keeps(phase=PhaseName.DURING, classes=MISTRUSTED, after_s=STALE_S + 1),
        Reaches(phase=PhaseName.DURING, classes=(PriceClass.HALTED,), within_s=HALTED_S + 1),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.HALTED,), after_s=HALTED_S + 1),
        Refrains(phase=PhaseName.DURING, after_s=STALE_S + _LANDING_S),
        BACK,
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, market=0, within_s=RETURN_S),
        Keeps(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), after_s=RETURN_S),
    ),
    # The frugal plan looks at the chain every 50 slots: what takes two looks is later than 25.
    alarms=frozenset(
        {
            "price_source_failing",
            "price_sources_all_failing",
            "prices_halted",
            "prices_stale",
            "work_overdue",
        }
    ),
    is_virtual=True,
)


async def _lose_the_stream(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the stream refuses connections")
    stage.break_wire(Family.STREAM, Refuse())
    await stage.hold(0.5 * HOUR_S)
    stage.set_truth(0, 560_000)
    await stage.hold(0.5 * HOUR_S)
    await close_calmly(stage)


STREAM_LOST_FOR_AN_HOUR: Final = Scenario(
    name="stream-lost-for-an-hour",
    title="The stream refuses connections for an hour; the books of the CLOB carry every market on.",
    play=_lose_the_stream,
    settings=UNHURRIED,
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source=Source.CLOB, within_s=NOTICED_S),
        Keeps(phase=PhaseName.DURING, classes=BELIEVED),
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, at_least=100, within_s=HOUR_S),
        Tells(phase=PhaseName.DURING, words=("source=stream",)),
        Follows(phase=PhaseName.AFTER, source=Source.STREAM, within_s=RETURN_S),
        Keeps(phase=PhaseName.AFTER, classes=BELIEVED),
    ),
    # The frugal plan looks at the chain every 50 slots: what takes two looks is later than 25.
    alarms=frozenset({"price_source_failing", "work_overdue"}),
    is_virtual=True,
)


async def _leave_only_gamma(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "stream and CLOB refuse connections")
    for family in (Family.STREAM, Family.CLOB):
        stage.break_wire(family, Refuse())
    await stage.hold(HOUR_S)
    await close_calmly(stage)


GAMMA_ALONE_FOR_AN_HOUR: Final = Scenario(
    name="gamma-alone-for-an-hour",
    title="Stream and CLOB refuse connections for an hour; Gamma's cached prices are posted as degraded.",
    play=_leave_only_gamma,
    settings=UNHURRIED,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED,), within_s=NOTICED_S),
        Follows(phase=PhaseName.DURING, source=Source.GAMMA, within_s=MINUTE_S),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED,), after_s=MINUTE_S),
        Acts(
            phase=PhaseName.DURING,
            kind=ActionKind.POST,
            price_class=PriceClass.DEGRADED,
            at_least=100,
            within_s=HOUR_S,
        ),
        BACK,
        Keeps(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), after_s=RETURN_S),
    ),
    alarms=frozenset({"price_source_failing", "prices_degraded"}),
    is_virtual=True,
)


_FAST_PERIOD_S: Final = 9
_FAST_FLAPS: Final = 100


async def _flap(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(
        PhaseName.DURING,
        "everything is refused for four seconds of every nine",
        "then for twenty-two of thirty",
    )
    for lost_s, there_s, times in ((4, _FAST_PERIOD_S - 4, _FAST_FLAPS), (22, 8, 30)):
        for _ in range(times):
            for family in Family:
                stage.break_wire(family, Refuse())
            await stage.hold(lost_s)
            for family in Family:
                stage.break_wire(family)
            await stage.hold(there_s)
    await close_calmly(stage)


FLAPPING_FOR_HALF_AN_HOUR: Final = Scenario(
    name="flapping-for-half-an-hour",
    title="Everything is lost for four seconds of every nine, and later for twenty-two of every thirty.",
    play=_flap,
    settings=UNHURRIED,
    expects=(
        CALM,
        Keeps(phase=PhaseName.DURING, classes=BELIEVED),
        # Eight seconds of thirty are no three agreeing polls: the class must not flap along.
        Keeps(
            phase=PhaseName.DURING,
            classes=(PriceClass.DEGRADED,),
            after_s=_FAST_FLAPS * _FAST_PERIOD_S + MINUTE_S,
        ),
        Asks(phase=PhaseName.DURING, family=Family.STREAM, at_most=400),
        BACK,
        Keeps(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), after_s=RETURN_S),
    ),
    alarms=frozenset({"price_source_failing", "prices_degraded"}),
    is_virtual=True,
)
