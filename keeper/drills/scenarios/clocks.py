"""The venue's clock is wrong: what is newer can no longer be told by its stamps."""

from keeper.drills.expectations import Acts, Keeps
from keeper.drills.faults import HONEST, Family, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Stage
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_HOUR_MS = 3_600_000
_MOVED = Acts(phase=PhaseName.DURING, kind=ActionKind.LIQUIDATE, within_s=6, market=0)


async def _run_ahead(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the venue's clock runs an hour ahead")
    stage.shift_venue_clock(_HOUR_MS)
    await stage.hold(1)
    stage.set_truth(0, 420_000)
    await stage.hold(4)
    await close_calmly(stage)


CLOCK_AHEAD = Scenario(
    name="clock-ahead",
    title="The venue's clock jumps an hour ahead and back again: prices are followed all the same.",
    play=_run_ahead,
    expects=(
        CALM,
        _MOVED,
        HEALED,
        BACK,
    ),
)


async def _step_back(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the venue's clock steps back by an hour")
    stage.shift_venue_clock(-_HOUR_MS)
    await stage.hold(1)
    stage.set_truth(0, 420_000)
    await stage.hold(5)
    await close_calmly(stage)


CLOCK_BACK = Scenario(
    name="clock-back",
    title="The venue's clock steps back by an hour: what comes now looks old and is not.",
    play=_step_back,
    expects=(CALM, _MOVED, HEALED, BACK),
)


async def _stamp_the_future(stage: Stage) -> None:
    await open_calmly(stage)
    stage.shift_venue_clock(_HOUR_MS)
    stage.tell(Family.CLOB, Telling(price_e6=501_000), market=0)
    await stage.hold(0.3)
    stage.begin(PhaseName.DURING, "one CLOB book is stamped an hour ahead, and frozen")
    stage.tell(Family.CLOB, Telling(is_frozen=True), market=0)
    stage.shift_venue_clock(0)
    stage.set_truth(0, 420_000)
    await stage.hold(5)
    stage.tell(Family.CLOB, HONEST, market=0)
    await close_calmly(stage)


STAMP_FROM_THE_FUTURE = Scenario(
    name="stamp-from-the-future",
    title="A frozen CLOB book bears a stamp from the future: it must not look newer than the stream for ever.",
    play=_stamp_the_future,
    expects=(
        CALM,
        Keeps(
            phase=PhaseName.DURING,
            classes=(PriceClass.VALID, PriceClass.DEGRADED, PriceClass.UNCERTAIN),
            market=0,
        ),
        HEALED,
        BACK,
    ),
)
