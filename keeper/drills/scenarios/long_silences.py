"""A venue that answers and says nothing new, or nothing that can be believed, at the times of the real one."""

from dataclasses import replace
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
    Unmoved,
)
from keeper.drills.faults import HONEST, Canned, Family, Shape, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.unhurried import (
    BACK,
    CALM,
    HOUR_S,
    MINUTE_S,
    NOTICED_S,
    RETURN_S,
    UNHURRIED,
    close_calmly,
    mend_everything,
    open_calmly,
)
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import PriceClass, Reason, Source

_FROZEN: Final = Telling(is_frozen=True)
_FROZEN_S: Final = (FeedConfig().venue_frozen_ms + FeedConfig().gamma_poll_interval_ms) / 1_000 + 2
"""Gamma tells of the last change as late as it is polled, and only then does the count begin."""
_COOLDOWN_S: Final = FeedConfig().restart_cooldown_ms / 1_000
_LANDING_S: Final = 4.0


async def _freeze_everything(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "no content of any market changes any more")
    for family in Family:
        stage.tell(family, _FROZEN)
    await stage.hold(_FROZEN_S + 10)
    stage.set_truth(0, 350_000)  # unseen
    await stage.hold(18 * MINUTE_S)
    await close_calmly(stage)


VENUE_FROZEN_FOR_TWENTY_MINUTES: Final = Scenario(
    name="venue-frozen-for-twenty-minutes",
    title="Every endpoint answers 200, PONG comes, and no book of nine markets changes for twenty minutes.",
    play=_freeze_everything,
    settings=replace(UNHURRIED, markets=9, positions_per_side=1),
    # Before the time is up nobody can tell a frozen venue from a quiet one.
    venue_lag_s=_FROZEN_S,
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING,
            classes=MISTRUSTED,
            within_s=_FROZEN_S,
            reason=Reason.VENUE_FROZEN,
        ),
        Keeps(phase=PhaseName.DURING, classes=MISTRUSTED, after_s=_FROZEN_S),
        Refrains(phase=PhaseName.DURING, after_s=_FROZEN_S + _LANDING_S),
        BACK,
        Keeps(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), after_s=RETURN_S),
    ),
    # The frugal plan looks at the chain every 50 slots: what takes two looks is later than 25.
    alarms=frozenset({"prices_uncertain", "work_overdue"}),
    is_virtual=True,
)


async def _restart_the_engine(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(
        PhaseName.DURING,
        "425 for ninety seconds",
        "then thin books",
        "then two minutes of frozen ones",
    )
    not_ready = Canned(status=425, body=b'{"error":"service not ready"}')
    for family in (Family.CLOB, Family.STREAM):
        stage.answer(family, not_ready)
    stage.hang_up()
    await stage.hold(90)
    for family in (Family.CLOB, Family.STREAM):
        stage.answer(family, None)
        stage.tell(family, Telling(shape=Shape.THIN, is_restamped=True))
    await stage.hold(30)
    for family in (Family.CLOB, Family.STREAM):
        stage.tell(family, HONEST)
        stage.tell(family, _FROZEN)
    await stage.hold(2 * MINUTE_S)
    await mend_everything(stage)
    await stage.settle(within_s=_COOLDOWN_S)
    await stage.hold(RETURN_S)


ENGINE_RESTART_IN_FULL: Final = Scenario(
    name="engine-restart-in-full",
    title="The matching engine restarts: 425 for ninety seconds, a thin book, two minutes post-only; Gamma carries on.",
    play=_restart_the_engine,
    settings=UNHURRIED,
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING,
            classes=(PriceClass.DEGRADED,),
            within_s=NOTICED_S,
            reason=Reason.ENGINE_RESTART,
        ),
        Keeps(
            phase=PhaseName.DURING,
            classes=(PriceClass.DEGRADED,),
            after_s=NOTICED_S,
        ),
        Follows(phase=PhaseName.DURING, source=Source.GAMMA, within_s=MINUTE_S),
        Reaches(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), within_s=_COOLDOWN_S),
        Keeps(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), after_s=_COOLDOWN_S),
    ),
    alarms=frozenset({"price_source_failing", "prices_degraded"}),
    is_virtual=True,
)


async def _rotate(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "nothing breaks: sockets are replaced as they grow old")
    await stage.hold(HOUR_S)
    await close_calmly(stage)


ROTATION_FOR_AN_HOUR: Final = Scenario(
    name="rotation-for-an-hour",
    title="For an hour nothing breaks: sockets of ten minutes are replaced, and no price notices.",
    play=_rotate,
    # A stream that says nothing of a market for 150 slots gives way to the CLOB: here none is that quiet.
    settings=replace(
        UNHURRIED,
        tick_ms=10_000,
        wander_e6=2_000,
        feed={**UNHURRIED.feed, "stream_fresh_ms": 120_000},
    ),
    expects=(
        CALM,
        Asks(phase=PhaseName.DURING, family=Family.STREAM, at_least=5, at_most=8),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.VALID,)),
        Unmoved(phase=PhaseName.DURING),
        Keeps(phase=PhaseName.AFTER, classes=(PriceClass.VALID,)),
    ),
    concerns=None,
    is_virtual=True,
)


async def _bend_the_clock(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the venue's clock jumps by hours, and then drifts")
    hour_ms = round(HOUR_S * 1_000)
    for jump_ms, price_e6 in ((3 * hour_ms, 470_000), (-5 * hour_ms, 440_000), (0, 470_000)):
        stage.shift_venue_clock(jump_ms)
        await stage.hold(2 * MINUTE_S)
        stage.set_truth(0, price_e6)
        await stage.hold(8 * MINUTE_S)
    for number in range(120):
        stage.shift_venue_clock(500 * number)  # a minute in twenty
        await stage.hold(10)
    stage.set_truth(0, 440_000)
    await stage.hold(5 * MINUTE_S)
    await close_calmly(stage)


CLOCK_BENT: Final = Scenario(
    name="clock-bent-for-an-hour",
    title="The venue's clock jumps three hours ahead, five behind and back, and then gains a minute in twenty.",
    play=_bend_the_clock,
    settings=UNHURRIED,
    expects=(
        CALM,
        # Content from the future is doubted until the skew is measured; never for so long that a price grows old.
        Keeps(phase=PhaseName.DURING, classes=(*BELIEVED, PriceClass.UNCERTAIN)),
        Acts(
            phase=PhaseName.DURING,
            kind=ActionKind.POST,
            price_class=PriceClass.VALID,
            at_least=300,
            within_s=HOUR_S,
        ),
        BACK,
    ),
    alarms=frozenset({"venue_clock_apart"}),
    is_virtual=True,
)


async def _stay_quiet(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "no book changes all night")
    await stage.hold(_NIGHT_S)
    stage.begin(PhaseName.AFTER)
    stage.set_truth(0, 540_000)
    await stage.settle(within_s=RETURN_S)
    await stage.hold(MINUTE_S)


_NIGHT_S: Final = 8 * HOUR_S
_NIGHT: Final = Settings(
    slot_ms=4_000,
    tick_ms=3_600_000,
    wander_e6=0,
    is_brisk=False,
    feed={"rest_poll_interval_ms": 30_000, "gamma_poll_interval_ms": 300_000},
    keeper=UNHURRIED.keeper,
)
_HEARTBEATS: Final = 3 * round(_NIGHT_S / _NIGHT.slots_s(75 + 50 + 15))
"""Of three markets: a post is due after 75 slots, and seen to be by a scan and a blockhash."""

QUIET_NIGHT: Final = Scenario(
    name="quiet-night",
    title="For eight hours no book changes: quiet is not lost, and the chain's prices are kept fresh all the same.",
    play=_stay_quiet,
    settings=_NIGHT,
    expects=(
        CALM,
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.VALID,)),
        Acts(
            phase=PhaseName.DURING,
            kind=ActionKind.POST,
            price_class=PriceClass.VALID,
            at_least=_HEARTBEATS,
            within_s=_NIGHT_S,
        ),
        Acts(phase=PhaseName.AFTER, kind=ActionKind.POST, market=0, within_s=MINUTE_S),
    ),
    concerns=None,
    is_virtual=True,
)
