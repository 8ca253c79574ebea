"""The venue is gone, in whole or in part."""

from keeper.drills.expectations import (
    BELIEVED,
    MISTRUSTED,
    Acts,
    Follows,
    Keeps,
    Reaches,
    Refrains,
    Returns,
)
from keeper.drills.faults import Canned, Family, Latency, Refuse, Shape, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import (
    BACK,
    CALM,
    HEALED,
    UNANSWERED,
    close_calmly,
    mend_everything,
    open_calmly,
)
from keeper.prices.price import PriceClass

_QUICK = Settings(slot_ms=20)
"""A last good price is stale after 3 s."""
_AGED_S = _QUICK.slots_s(150)
_DOWN = Canned(status=500, body=b'{"error":"internal server error"}')
"""A 503 with a code would tell of a restart, after which nothing of the venue is believed for a while."""


def _refuse_everything(stage: Stage) -> None:
    for family in Family:
        stage.break_wire(family, Refuse())


async def _lose_everything(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "every endpoint refuses connections")
    _refuse_everything(stage)
    await stage.hold(1)
    stage.set_truth(0, 300_000)  # unseen: whoever acts now acts on a price of the past
    await stage.hold(_AGED_S + 2.5)
    await mend_everything(stage)
    await stage.settle(within_s=6)
    await stage.wait_liquidated(market=0, at_least=1, within_s=3)


TOTAL_OUTAGE = Scenario(
    name="total-outage",
    title="Stream, CLOB and Gamma all refuse connections, and the market moves twenty points unseen.",
    play=_lose_everything,
    settings=_QUICK,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=_AGED_S + 1),
        Keeps(phase=PhaseName.DURING, classes=MISTRUSTED, after_s=_AGED_S + 1),
        Refrains(phase=PhaseName.DURING, after_s=_AGED_S + 1),
        HEALED,
        BACK,
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, within_s=8, market=0),
    ),
    alarms=UNANSWERED,
)


async def _lose_the_stream(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the websocket refuses connections")
    stage.break_wire(Family.STREAM, Refuse())
    await stage.hold(0.5)
    stage.set_truth(0, 420_000)
    await stage.settle(market=0, within_s=4)
    await stage.wait_liquidated(market=0, at_least=1, within_s=3)
    await close_calmly(stage)
    await stage.hold(2)


STREAM_LOST = Scenario(
    name="stream-lost",
    title="The websocket is gone; the CLOB's polls carry on, and a move of eight points is acted on.",
    play=_lose_the_stream,
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source="clob", within_s=2),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.VALID,)),
        Acts(phase=PhaseName.DURING, kind=ActionKind.LIQUIDATE, within_s=6, market=0),
        Follows(phase=PhaseName.AFTER, source="stream", within_s=6),
        BACK,
    ),
    alarms=frozenset({"price_source_failing"}),
)


async def _leave_gamma_alone(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "stream and CLOB refuse connections, Gamma answers")
    stage.break_wire(Family.STREAM, Refuse())
    stage.break_wire(Family.CLOB, Refuse())
    await stage.settle(within_s=6, price_class=PriceClass.DEGRADED)
    stage.set_truth(0, 300_000)
    await stage.settle(market=0, within_s=4, price_class=PriceClass.DEGRADED)
    await stage.hold(1)
    await close_calmly(stage)
    await stage.wait_liquidated(market=0, at_least=1, within_s=3)


GAMMA_ALONE = Scenario(
    name="gamma-alone",
    title="Only Gamma's cached quotes are left: a move of twenty points is posted as degraded, and nobody liquidated over it.",
    play=_leave_gamma_alone,
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source="gamma", within_s=4),
        Acts(
            phase=PhaseName.DURING,
            kind=ActionKind.POST,
            price_class=PriceClass.DEGRADED,
            within_s=6,
            market=0,
        ),
        # The band is the distance from the last valid price: whoever is solvent there is left alone.
        Refrains(phase=PhaseName.DURING, kinds=(ActionKind.LIQUIDATE,)),
        HEALED,
        BACK,
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, within_s=9, market=0),
    ),
    alarms=frozenset({"price_source_failing", "prices_degraded"}),
)


async def _fail_half(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "half of all calls fail", "answers take two seconds")
    for family in Family:
        stage.answer(family, Canned(status=500, body=b"oops", share_percent=50))
        stage.break_wire(family, Latency(delay_s=1))
    stage.hang_up()
    await stage.hold(3)
    stage.set_truth(0, 420_000)
    await stage.hold(7)
    await close_calmly(stage)


HALF_FAILS = Scenario(
    name="half-fails-slowly",
    title="Half of all calls fail and the others take two seconds, while the market moves eight points.",
    play=_fail_half,
    settings=Settings(feed={"request_timeout_ms": 4_000}),
    venue_lag_s=1.0,
    expects=(
        CALM,
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=10, at_least=2),
        HEALED,
        BACK,
    ),
    alarms=frozenset({"price_source_failing"}),
)


async def _leave_out(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "every endpoint answers, and leaves one market out")
    for family in Family:
        stage.tell(family, Telling(shape=Shape.OMITTED), market=0)
    stage.set_truth(0, 300_000)
    await stage.hold(_AGED_S + 4)
    await close_calmly(stage)


LEFT_OUT = Scenario(
    name="left-out",
    title="The venue answers every call and leaves one market out: nothing fails, and its last price grows old.",
    play=_leave_out,
    settings=_QUICK,
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING, classes=(PriceClass.STALE,), within_s=_AGED_S + 3, market=0
        ),
        Refrains(phase=PhaseName.DURING, after_s=_AGED_S + 3, market=0),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.VALID,), market=1),
        HEALED,
        BACK,
    ),
    alarms=frozenset({"prices_stale", "prices_halted"}),
)


async def _flap(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "everything goes and comes back every few seconds")
    for number in range(3):
        _refuse_everything(stage)
        await stage.hold(2.2)
        stage.set_truth(0, 500_000 - (number % 2) * 60_000)
        for family in Family:
            stage.break_wire(family)
        await stage.hold(0.8)
    await close_calmly(stage)


FLAPPING = Scenario(
    name="flapping",
    title="The whole venue goes and comes back every few seconds, with another price each time.",
    play=_flap,
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING, classes=(PriceClass.DEGRADED, *MISTRUSTED), within_s=3, market=0
        ),
        HEALED,
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _dawn_falsely(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "every endpoint refuses connections", "then one book is wrong")
    _refuse_everything(stage)
    await stage.hold(_AGED_S + 2)
    stage.tell(Family.CLOB, Telling(price_e6=300_000, is_restamped=True), market=0)
    stage.break_wire(Family.CLOB)
    await stage.wait_asked(Family.CLOB, path="/books", times=1, within_s=4)
    await close_calmly(stage)


FALSE_DAWN = Scenario(
    name="false-dawn",
    title="After an outage the first book to come back is wrong by twenty points: one word is no return.",
    play=_dawn_falsely,
    settings=_QUICK,
    expects=(
        CALM,
        Refrains(phase=PhaseName.DURING, after_s=_AGED_S + 1),
        Refrains(phase=PhaseName.AFTER, kinds=(ActionKind.LIQUIDATE,)),
        HEALED,
        BACK,
    ),
    alarms=UNANSWERED,
)


async def _kill_in_an_outage(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "no source answers", "the keeper is killed and started again")
    stage.break_wire(Family.STREAM, Refuse())
    stage.break_wire(Family.GAMMA, Refuse())
    stage.answer(Family.CLOB, _DOWN, path="/books")
    stage.set_truth(0, 380_000)
    await stage.hold(0.3)
    await stage.restart_keeper(down_s=0.5)
    await stage.hold(2)
    await close_calmly(stage)


KILLED_IN_AN_OUTAGE = Scenario(
    name="killed-in-an-outage",
    title="The keeper is killed with -9 in an outage and starts again knowing no price at all.",
    play=_kill_in_an_outage,
    expects=(
        CALM,
        Refrains(phase=PhaseName.DURING, after_s=2.5),
        HEALED,
        Returns(within_s=8),
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, within_s=9, market=0),
    ),
    alarms=UNANSWERED | {"service_failed"},
)


async def _recover_in_a_cascade(stage: Stage) -> None:
    await open_calmly(stage)
    stage.set_truth(0, 300_000)
    await stage.wait_liquidated(market=0, at_least=1, within_s=4)
    stage.begin(PhaseName.DURING, "every endpoint refuses connections in mid-cascade")
    _refuse_everything(stage)
    await stage.hold(0.5)
    stage.set_truth(0, 500_000)  # the scare is over, and nobody hears of it
    await stage.hold(_AGED_S + 3)
    await close_calmly(stage)


RECOVERY_IN_A_CASCADE = Scenario(
    name="recovery-in-a-cascade",
    title="The venue dies in the middle of a liquidation cascade and returns with the price where it was before.",
    play=_recover_in_a_cascade,
    settings=_QUICK,
    expects=(
        CALM,
        Acts(phase=PhaseName.BEFORE, kind=ActionKind.LIQUIDATE, within_s=12, market=0),
        Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=_AGED_S + 1),
        Refrains(phase=PhaseName.DURING, after_s=_AGED_S + 1.5),
        HEALED,
        Keeps(phase=PhaseName.AFTER, classes=BELIEVED, after_s=2),
        Refrains(phase=PhaseName.AFTER, kinds=(ActionKind.LIQUIDATE,), market=0),
        BACK,
    ),
    alarms=UNANSWERED,
)
