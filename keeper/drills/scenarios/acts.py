"""What most scripts begin and end with."""

from keeper.drills.expectations import Reaches, Returns
from keeper.drills.faults import HONEST, Family
from keeper.drills.model import PhaseName
from keeper.drills.scenario import Stage
from keeper.prices.price import PriceClass

_SETTLE_S = 8.0
"""A keeper's first second on a busy machine, with room."""
CALM = Reaches(phase=PhaseName.BEFORE, classes=(PriceClass.VALID,), within_s=_SETTLE_S)
"""Expected before anything breaks."""
HEALED = Reaches(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), within_s=6.0)
"""Expected when it is mended."""
BACK = Returns(within_s=6.0)
UNANSWERED = frozenset(
    {
        "price_source_failing",
        "price_sources_all_failing",
        "prices_degraded",
        "prices_stale",
        "prices_halted",
    }
)
"""What people may be told while no source answers, in the few seconds for which that is played."""


async def open_calmly(stage: Stage) -> None:
    """Play the act before: until the keeper posts the truth, and a little longer."""
    stage.begin(PhaseName.BEFORE)
    await stage.settle(within_s=_SETTLE_S)
    await stage.hold(0.5)


async def mend_everything(stage: Stage) -> None:
    """Begin the act after: every family honest, every wire whole, every clock right."""
    stage.begin(PhaseName.AFTER)
    stage.shift_venue_clock(0)
    for family in Family:
        stage.break_wire(family)
        stage.answer(family, None)
        stage.tell(family, HONEST)


async def close_calmly(stage: Stage, *, market: int | None = None) -> None:
    """Play the act after: until the keeper posts the truth again, and a little longer."""
    await mend_everything(stage)
    await stage.settle(within_s=_SETTLE_S, market=market)
    await stage.hold(0.5)
