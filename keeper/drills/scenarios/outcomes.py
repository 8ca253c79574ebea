"""Markets of several outcomes: what they say together."""

from keeper.drills.expectations import Acts, Reaches, Refrains, Returns, Tells, Unmoved
from keeper.drills.faults import HONEST, Family, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_EVENT = Settings(markets=1, group_e6=(500_000, 300_000, 200_000), positions_per_side=2)
_FIRST, _SECOND, _THIRD = 1, 2, 3
"""The event's outcomes, after the market of its own."""


async def _add_up_wrongly(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "every source says nine points too much of one outcome")
    for family in Family:
        stage.tell(family, Telling(price_e6=590_000), market=_FIRST)
    await stage.hold(4)
    await close_calmly(stage)


SUM_OFF = Scenario(
    name="sum-off",
    title="All sources agree on a price that cannot be: the outcomes of one event sum to nine points above one.",
    play=_add_up_wrongly,
    settings=_EVENT,
    concerns=_FIRST,
    expects=(
        CALM,
        *(
            Refrains(phase=PhaseName.DURING, after_s=1, market=outcome)
            for outcome in (_FIRST, _SECOND, _THIRD)
        ),
        Tells(phase=PhaseName.DURING, words=("price.withheld", "outcomes_sum")),
        Unmoved(phase=PhaseName.DURING, market=0),
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=3, market=0),
        BACK,
    ),
)


async def _lose_one_outcome(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "one outcome's sources lie apart, the market moves")
    stage.tell(Family.STREAM, Telling(offset_e6=-150_000), market=_THIRD)
    stage.tell(Family.CLOB, Telling(offset_e6=150_000), market=_THIRD)
    await stage.hold(1)
    stage.set_truth(_FIRST, 400_000)
    stage.set_truth(_SECOND, 400_000)
    await stage.hold(3)
    for family in (Family.STREAM, Family.CLOB):
        stage.tell(family, HONEST, market=_THIRD)
    await close_calmly(stage)


ONE_OUTCOME_LOST = Scenario(
    name="one-outcome-lost",
    title="One outcome of an event can no longer be priced: the event is posted as a whole or not at all.",
    play=_lose_one_outcome,
    settings=_EVENT,
    concerns=_FIRST,
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING, classes=(PriceClass.UNCERTAIN,), within_s=1.5, market=_THIRD
        ),
        *(
            Refrains(phase=PhaseName.DURING, after_s=2, market=outcome)
            for outcome in (_FIRST, _SECOND, _THIRD)
        ),
        Unmoved(phase=PhaseName.DURING, market=0),
        HEALED,
        Returns(within_s=8),
    ),
)
