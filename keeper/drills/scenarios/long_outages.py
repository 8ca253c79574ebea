"""Hours without the venue, or without a part of it, at the intervals of the real hosts."""

from types import MappingProxyType
from typing import Final

from keeper.drills.expectations import BELIEVED, Follows, Keeps, Reaches, Refrains, Returns, Tells
from keeper.drills.faults import Family, Refuse
from keeper.drills.model import PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.prices.price import PriceClass, Source

_HOUR_S: Final = 3_600.0
_SETTLED_S: Final = 90.0
"""Time in which everything is valid and posted: three Gamma polls, and a probe after the longest pause of a breaker."""
UNHURRIED: Final = Settings(
    slot_ms=400,
    tick_ms=5_000,
    is_brisk=False,
    feed=MappingProxyType({"rest_poll_interval_ms": 5_000}),
    keeper=MappingProxyType(
        {
            "cluster": {"scan_interval_slots": 25},
            "posting": {"heartbeat_slots": 75},
            "landing": {"blockhash_interval_slots": 5},
        }
    ),
)
"""Real slots and the shipped intervals, but for four that an operator with a frugal RPC plan would lengthen."""


async def _lose_everything_for_hours(stage: Stage) -> None:
    stage.begin(PhaseName.BEFORE)
    await stage.settle(within_s=_SETTLED_S)
    await stage.hold(60)
    stage.begin(PhaseName.DURING, "every endpoint refuses connections")
    for family in Family:
        stage.break_wire(family, Refuse())
    await stage.hold(0.5 * _HOUR_S)
    stage.set_truth(0, 300_000)  # unseen: whoever acts now acts on a price of the past
    await stage.hold(1.5 * _HOUR_S)
    stage.set_truth(1, 520_000)
    await stage.hold(0.5 * _HOUR_S)
    stage.begin(PhaseName.AFTER)
    for family in Family:
        stage.break_wire(family)
    await stage.settle(within_s=2 * _SETTLED_S)
    await stage.wait_liquidated(market=0, at_least=1, within_s=_SETTLED_S)
    await stage.hold(60)


OUTAGE_OF_HOURS: Final = Scenario(
    name="outage-of-hours",
    title="Every endpoint refuses connections for two and a half hours while two markets move unseen.",
    play=_lose_everything_for_hours,
    settings=UNHURRIED,
    expects=(
        Reaches(phase=PhaseName.BEFORE, classes=(PriceClass.VALID,), within_s=30),
        Reaches(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED,), within_s=20),
        Reaches(
            phase=PhaseName.DURING,
            classes=(PriceClass.STALE, PriceClass.HALTED),
            within_s=UNHURRIED.slots_s(150) + 2,
        ),
        Reaches(
            phase=PhaseName.DURING,
            classes=(PriceClass.HALTED,),
            within_s=UNHURRIED.slots_s(750) + 2,
        ),
        Keeps(
            phase=PhaseName.DURING,
            classes=(PriceClass.HALTED,),
            after_s=UNHURRIED.slots_s(750) + 2,
        ),
        Refrains(phase=PhaseName.DURING, after_s=UNHURRIED.slots_s(150) + 4),
        Returns(within_s=2 * _SETTLED_S),
        Keeps(phase=PhaseName.AFTER, classes=BELIEVED, after_s=2 * _SETTLED_S),
    ),
    is_virtual=True,
)


async def _lose_the_stream(stage: Stage) -> None:
    stage.begin(PhaseName.BEFORE)
    await stage.settle(within_s=_SETTLED_S)
    await stage.hold(60)
    stage.begin(PhaseName.DURING, "the stream refuses connections")
    stage.break_wire(Family.STREAM, Refuse())
    await stage.hold(0.5 * _HOUR_S)
    stage.set_truth(0, 560_000)
    await stage.hold(0.5 * _HOUR_S)
    stage.begin(PhaseName.AFTER)
    stage.break_wire(Family.STREAM)
    await stage.hold(2 * _SETTLED_S)


STREAM_LOST_FOR_AN_HOUR: Final = Scenario(
    name="stream-lost-for-an-hour",
    title="The stream refuses connections for an hour; the books of the CLOB carry every market on.",
    play=_lose_the_stream,
    settings=UNHURRIED,
    expects=(
        Reaches(phase=PhaseName.BEFORE, classes=(PriceClass.VALID,), within_s=30),
        Follows(phase=PhaseName.DURING, source=Source.CLOB, within_s=20),
        Keeps(phase=PhaseName.DURING, classes=BELIEVED),
        Tells(phase=PhaseName.DURING, words=("stream",)),
        Follows(phase=PhaseName.AFTER, source=Source.STREAM, within_s=2 * _SETTLED_S),
        Keeps(phase=PhaseName.AFTER, classes=BELIEVED),
    ),
    is_virtual=True,
)


async def _leave_only_gamma(stage: Stage) -> None:
    stage.begin(PhaseName.BEFORE)
    await stage.settle(within_s=_SETTLED_S)
    await stage.hold(60)
    stage.begin(PhaseName.DURING, "stream and CLOB refuse connections")
    for family in (Family.STREAM, Family.CLOB):
        stage.break_wire(family, Refuse())
    await stage.hold(_HOUR_S)
    stage.begin(PhaseName.AFTER)
    for family in (Family.STREAM, Family.CLOB):
        stage.break_wire(family)
    await stage.settle(within_s=2 * _SETTLED_S)
    await stage.hold(30)


GAMMA_ALONE_FOR_AN_HOUR: Final = Scenario(
    name="gamma-alone-for-an-hour",
    title="Stream and CLOB refuse connections for an hour; Gamma's cached prices are posted as degraded.",
    play=_leave_only_gamma,
    settings=UNHURRIED,
    expects=(
        Reaches(phase=PhaseName.BEFORE, classes=(PriceClass.VALID,), within_s=30),
        Reaches(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED,), within_s=30),
        Follows(phase=PhaseName.DURING, source=Source.GAMMA, within_s=60),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED,), after_s=60),
        Returns(within_s=2 * _SETTLED_S),
    ),
    is_virtual=True,
)
