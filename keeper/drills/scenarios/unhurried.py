"""What the drills of hours have in common: the intervals of the real hosts, and acts long enough for them."""

from types import MappingProxyType
from typing import Final

from keeper.drills.expectations import Reaches, Returns
from keeper.drills.faults import HONEST, Family
from keeper.drills.model import PhaseName
from keeper.drills.scenario import Settings, Stage
from keeper.prices.price import PriceClass

MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0
RETURN_S: Final = 120.0
"""The longest pause of a breaker or of a reconnection, three agreeing polls of a polled source, and a scan."""
UNHURRIED: Final = Settings(
    slot_ms=400,
    tick_ms=20_000,
    wander_e6=1_000,
    is_brisk=False,
    feed=MappingProxyType({"rest_poll_interval_ms": 5_000}),
    keeper=MappingProxyType(
        {
            "cluster": {"scan_interval_slots": 50},
            "posting": {"heartbeat_slots": 75},
            "landing": {"blockhash_interval_slots": 15},
        }
    ),
)
"""Real slots and the shipped intervals, but for four that an operator with a frugal RPC plan would lengthen."""
STALE_S: Final = UNHURRIED.slots_s(150)
HALTED_S: Final = UNHURRIED.slots_s(750)
NOTICED_S: Final = 30.0
"""A polled source is silent after three polls and a timeout, 19 s; a price is judged anew each second."""
CALM: Final = Reaches(phase=PhaseName.BEFORE, classes=(PriceClass.VALID,), within_s=NOTICED_S)
"""Expected before anything breaks."""
BACK: Final = Returns(within_s=RETURN_S)


async def open_calmly(stage: Stage) -> None:
    """Play the act before: until the keeper posts the truth, and a minute longer."""
    stage.begin(PhaseName.BEFORE)
    await stage.settle(within_s=RETURN_S)
    await stage.hold(MINUTE_S)


async def mend_everything(stage: Stage) -> None:
    """Begin the act after; a second into it every family is honest, every wire whole, every clock right.

    On the virtual clock a keeper may believe again in the very instant, which would be the end of the act before.
    """
    stage.begin(PhaseName.AFTER)
    await stage.hold(1)
    stage.shift_venue_clock(0)
    for family in Family:
        stage.break_wire(family)
        stage.answer(family, None)
        stage.tell(family, HONEST)


async def close_calmly(stage: Stage) -> None:
    """Play the act after: until the keeper posts the truth again, and as long as everything may take to return."""
    await mend_everything(stage)
    await stage.settle(within_s=RETURN_S)
    await stage.hold(RETURN_S)
