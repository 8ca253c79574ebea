"""Small lies, short ones and curt refusals, each of which a single rule stands against.

On the virtual clock: they cost seconds.
"""

from typing import Final

from keeper.drills.expectations import MISTRUSTED, Acts, Asks, Keeps, Reaches, Refrains, Tells
from keeper.drills.faults import HONEST, Canned, Family, Refuse, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_ONE: Final = Settings(markets=1)
_STEP_S: Final = 0.1
_NOTICED_S: Final = 0.6
_UNCERTAIN: Final = (
    CALM,
    Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=_NOTICED_S),
    Keeps(phase=PhaseName.DURING, classes=MISTRUSTED, after_s=_NOTICED_S),
    Refrains(phase=PhaseName.DURING, after_s=_NOTICED_S),
    HEALED,
    BACK,
)


async def _insist(stage: Stage, price_e6: int, for_s: float) -> None:
    """Let the stream say a price and keep moving round it: one that stands still would soon be found frozen."""
    for number in range(round(for_s / _STEP_S)):
        stage.tell(Family.STREAM, Telling(price_e6=price_e6 + 1_000 * (number % 3)))
        await stage.hold(_STEP_S)


async def _spike_a_little(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the stream alone says eight points less")
    await _insist(stage, 420_000, 2.5)
    await close_calmly(stage)


SMALL_SPIKE: Final = Scenario(
    name="small-spike",
    title="The stream alone says eight points less: too little for a jump, too much for agreement.",
    play=_spike_a_little,
    settings=_ONE,
    expects=_UNCERTAIN,
    is_virtual=True,
)


async def _part_ways(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(
        PhaseName.DURING, "stream and CLOB lie four points to either side, and both look alive"
    )
    stage.tell(Family.CLOB, Telling(price_e6=540_000, is_restamped=True))
    await _insist(stage, 460_000, 4)
    await close_calmly(stage)


BOTH_MOVE_APART: Final = Scenario(
    name="both-move-apart",
    title="Stream and CLOB lie four points to either side of the truth, and neither stands still: nobody wins.",
    play=_part_ways,
    settings=_ONE,
    expects=_UNCERTAIN,
    is_virtual=True,
)


async def _shout_down(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB stands still", "the stream says fifteen points more")
    stage.tell(Family.CLOB, Telling(is_frozen=True))
    await _insist(stage, 650_000, 4)
    await close_calmly(stage)


SHOUTED_DOWN: Final = Scenario(
    name="shouted-down",
    title="A lively stream lies by fifteen points over a CLOB that is right and stands still: it is contradicted, so it waits.",
    play=_shout_down,
    settings=_ONE,
    expects=_UNCERTAIN,
    is_virtual=True,
)


async def _flicker(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the stream says eight points less, and not, and again")
    for _ in range(5):
        stage.tell(Family.STREAM, Telling(price_e6=420_000))
        await stage.hold(0.4)
        stage.tell(Family.STREAM, HONEST)
        await stage.hold(0.4)
    await close_calmly(stage)


FLICKER: Final = Scenario(
    name="flicker",
    title="The stream lies and tells the truth by turns, several times: one doubt until it is calm, no train of prices.",
    play=_flicker,
    settings=_ONE,
    expects=_UNCERTAIN,
    is_virtual=True,
)


async def _return_with_a_lie(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(
        PhaseName.DURING, "every endpoint refuses connections", "then the CLOB, wrong at first"
    )
    for family in Family:
        stage.break_wire(family, Refuse())
    await stage.hold(3)
    stage.tell(Family.CLOB, Telling(price_e6=420_000))
    stage.break_wire(Family.CLOB)
    await stage.hold(1.2)  # it is asked again within a breaker's pause, and answers once or twice
    stage.tell(Family.CLOB, HONEST)
    await stage.hold(1)
    await close_calmly(stage)


BACK_WITH_A_LIE: Final = Scenario(
    name="back-with-a-lie",
    title="After an outage the CLOB's first answer is eight points off: it was not trusted yet.",
    play=_return_with_a_lie,
    settings=Settings(markets=1, feed={"breaker_probe_ms": 1_000, "breaker_probe_max_ms": 1_000}),
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING, classes=(PriceClass.DEGRADED, *MISTRUSTED), within_s=3, market=0
        ),
        HEALED,
        BACK,
    ),
    alarms=frozenset({"price_source_failing", "price_sources_all_failing", "prices_halted"}),
    is_virtual=True,
)


async def _be_off(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "only Gamma answers, and says twenty points more")
    stage.break_wire(Family.STREAM, Refuse())
    stage.break_wire(Family.CLOB, Refuse())
    stage.tell(Family.GAMMA, Telling(price_e6=700_000))
    await stage.hold(5)
    await close_calmly(stage)


GAMMA_OFF: Final = Scenario(
    name="gamma-off",
    title="Only Gamma is left, twenty points off: posted as degraded, with a band that reaches what was last proved.",
    play=_be_off,
    settings=_ONE,
    expects=(
        CALM,
        Acts(
            phase=PhaseName.DURING,
            kind=ActionKind.POST,
            price_class=PriceClass.DEGRADED,
            within_s=5,
        ),
        Refrains(phase=PhaseName.DURING, kinds=(ActionKind.LIQUIDATE,)),
        HEALED,
        BACK,
    ),
    is_virtual=True,
)


async def _be_far_off(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "only Gamma answers, and says forty points more")
    stage.break_wire(Family.STREAM, Refuse())
    stage.break_wire(Family.CLOB, Refuse())
    stage.tell(Family.GAMMA, Telling(price_e6=900_000))
    await stage.hold(4.5)  # while the last good price is younger than 150 slots, 6 s
    await close_calmly(stage)


GAMMA_FAR: Final = Scenario(
    name="gamma-far",
    title="Only Gamma is left, forty points off: while the last good price is fresh nobody acts on either.",
    play=_be_far_off,
    settings=_ONE,
    expects=(
        CALM,
        Reaches(
            phase=PhaseName.DURING, classes=MISTRUSTED, within_s=4, reason="fallback_far", market=0
        ),
        Refrains(phase=PhaseName.DURING, after_s=3.5),
        HEALED,
        BACK,
    ),
    is_virtual=True,
)


_GAMMA_EVERY_S: Final = 8.0
_WIDE: Final = Telling(half_spread_e6=40_000)
"""Eight cents: valid still, with a band of four points."""


async def _degrade_before_a_liquidation(stage: Stage) -> None:
    for family in Family:
        stage.tell(family, _WIDE)
    await open_calmly(stage)
    await stage.wait_asked(Family.GAMMA, path="", times=1, within_s=2 * _GAMMA_EVERY_S)
    await stage.hold(_GAMMA_EVERY_S - 0.5)
    # Gamma hears of the fall half a second later, and the chain by a valid price that is newer than what Gamma says.
    stage.set_truth(0, 450_000)
    await stage.settle(market=0, within_s=5)
    stage.begin(PhaseName.DURING, "positions are due on chain, only Gamma is left")
    stage.break_wire(Family.STREAM, Refuse())
    stage.break_wire(Family.CLOB, Refuse())
    await stage.hold(1.5 * _GAMMA_EVERY_S)
    await close_calmly(stage)
    await stage.wait_liquidated(market=0, at_least=1, within_s=6)


DEGRADED_BEFORE_A_LIQUIDATION: Final = Scenario(
    name="degraded-before-a-liquidation",
    title="Positions have become due on chain when only a wide Gamma is left, older than the chain: they wait for its band.",
    play=_degrade_before_a_liquidation,
    # Positions are read every four seconds: after the fall first when the price is degraded, and the chain not told so yet.
    settings=Settings(
        slot_ms=200,
        markets=1,
        feed={"gamma_poll_interval_ms": int(_GAMMA_EVERY_S * 1_000)},
        keeper={"cluster": {"scan_interval_slots": 20}, "posting": {"change_e6": 20_000}},
    ),
    expects=(
        CALM,
        Acts(
            phase=PhaseName.DURING,
            kind=ActionKind.POST,
            price_class=PriceClass.DEGRADED,
            within_s=1.5 * _GAMMA_EVERY_S,
        ),
        Refrains(phase=PhaseName.DURING, kinds=(ActionKind.LIQUIDATE,)),
        Tells(phase=PhaseName.DURING, words=("liquidations.withheld", "band_not_on_chain_yet")),
        HEALED,
        BACK,
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, within_s=12, market=0),
    ),
    alarms=frozenset({"price_source_failing"}),
    is_virtual=True,
)


async def _ask_to_wait(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB answers 429, Retry-After: 3")
    stage.answer(Family.CLOB, Canned(status=429, headers=(("Retry-After", "3"),)))
    await stage.hold(5)
    await close_calmly(stage)


ASKED_TO_WAIT: Final = Scenario(
    name="asked-to-wait",
    title="The CLOB asks to be left alone for longer than the keeper would wait by itself.",
    play=_ask_to_wait,
    settings=Settings(markets=1, feed={"breaker_probe_ms": 100, "breaker_probe_max_ms": 200}),
    expects=(
        CALM,
        Asks(phase=PhaseName.DURING, family=Family.CLOB, at_most=6, at_least=1),
        HEALED,
        BACK,
    ),
    is_virtual=True,
)


async def _block_at_once(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB answers 403")
    stage.answer(Family.CLOB, Canned(status=403, body=b"error code: 1010"))
    await stage.hold(4)
    await close_calmly(stage)


BLOCKED_AT_ONCE: Final = Scenario(
    name="blocked-at-once",
    title="One 403 is enough to leave the CLOB alone, however many failures are borne otherwise.",
    play=_block_at_once,
    settings=Settings(markets=1, feed={"breaker_failures": 100, "breaker_probe_max_ms": 1_000}),
    expects=(
        CALM,
        Asks(phase=PhaseName.DURING, family=Family.CLOB, at_most=10, at_least=1),
        HEALED,
        BACK,
    ),
    is_virtual=True,
)
