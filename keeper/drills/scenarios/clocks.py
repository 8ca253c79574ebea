"""The venue's clock is wrong: what is newer can no longer be told by its stamps."""

from typing import Final

from keeper.drills.expectations import Acts, Follows, Keeps
from keeper.drills.faults import HONEST, Canned, Family, Refuse, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_ONE: Final = Settings(markets=1)
_STILL: Final = Settings(markets=1, wander_e6=0, feed={"stream_fresh_ms": 10_000})
"""A quiet market: only what the script does moves it, and a stream that says nothing leads for 150 slots."""
_HOUR_MS: Final = 3_600_000
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


async def _set_back(stage: Stage) -> None:
    await open_calmly(stage)
    stage.set_truth(0, 501_000)
    await stage.hold(0.5)
    stage.begin(PhaseName.DURING, "the stream stands still", "the venue's clock steps back an hour")
    stage.tell(Family.STREAM, Telling(is_frozen=True))
    stage.shift_venue_clock(-_HOUR_MS)
    stage.set_truth(0, 420_000)
    await stage.hold(4)
    await close_calmly(stage)


SET_BACK: Final = Scenario(
    name="set-back",
    title="The stream freezes as the venue's clock steps back an hour: what stands still bears the newer stamp.",
    play=_set_back,
    settings=_STILL,
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source="clob", within_s=2.1),
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=4),
        HEALED,
        BACK,
    ),
    is_virtual=True,
)


async def _set_back_unread(stage: Stage) -> None:
    await open_calmly(stage)
    stage.set_truth(0, 501_000)
    await stage.hold(0.5)
    stage.begin(PhaseName.DURING, "as before, and nobody tells the venue's time")
    stage.answer(Family.CLOB, Canned(status=500, body=b"oops"), path="/time")
    stage.tell(Family.STREAM, Telling(is_frozen=True))
    stage.shift_venue_clock(-_HOUR_MS)
    stage.set_truth(0, 420_000)
    await stage.hold(9)  # the frozen stream leads for 6 s more
    await close_calmly(stage)


SET_BACK_UNREAD: Final = Scenario(
    name="set-back-unread",
    title="The same while /time fails: nothing is decided by stamps, and the poll leads when the stream's word is too old.",
    play=_set_back_unread,
    settings=_STILL,
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source="clob", within_s=8),
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=9),
        HEALED,
        BACK,
    ),
    is_virtual=True,
)


async def _stamp_ahead(stage: Stage) -> None:
    await open_calmly(stage)
    stage.shift_venue_clock(_HOUR_MS)
    stage.tell(Family.CLOB, Telling(price_e6=501_000))
    await stage.hold(0.3)
    stage.begin(PhaseName.DURING, "the CLOB's book is stamped an hour ahead, and frozen")
    stage.tell(Family.CLOB, Telling(is_frozen=True))
    stage.shift_venue_clock(0)
    stage.set_truth(0, 420_000)
    await stage.hold(6)
    await close_calmly(stage)


STAMPED_AHEAD: Final = Scenario(
    name="stamped-ahead",
    title="A frozen CLOB book bears a stamp of the next hour: it is the stream that is believed, and acted on.",
    play=_stamp_ahead,
    settings=_ONE,
    expects=(
        CALM,
        Acts(phase=PhaseName.DURING, kind=ActionKind.LIQUIDATE, within_s=6),
        HEALED,
        BACK,
    ),
    is_virtual=True,
)


async def _set_the_stream_back(stage: Stage) -> None:
    await open_calmly(stage)
    # The venue's clock can still be read: without it a delayed stream and a clock set back would look the same.
    stage.answer(Family.CLOB, Canned(status=500, body=b"oops"), path="/books")
    stage.break_wire(Family.GAMMA, Refuse())
    await stage.hold(1)
    stage.begin(PhaseName.DURING, "only the stream is left", "the venue's clock steps back an hour")
    stage.shift_venue_clock(-_HOUR_MS)
    stage.set_truth(0, 470_000)
    await stage.hold(4)
    await close_calmly(stage)


STREAM_SET_BACK: Final = Scenario(
    name="stream-set-back",
    title="Only the stream is left when the venue's clock steps back: its books are fetched anew, not left as they were.",
    play=_set_the_stream_back,
    settings=_ONE,
    expects=(
        CALM,
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=4),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.VALID,), after_s=3),
        HEALED,
        BACK,
    ),
    alarms=frozenset({"price_source_failing"}),
    is_virtual=True,
)
