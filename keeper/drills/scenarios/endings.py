"""Markets that are over, or said to be."""

from keeper.drills.expectations import Acts, Keeps, Reaches, Refrains, Returns, Unmoved
from keeper.drills.faults import Family, Telling
from keeper.drills.model import ActionKind, PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_UNCERTAIN = (PriceClass.UNCERTAIN,)
_OVER = "market_closed"


async def _resolve(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "one market resolves: no book", "Gamma's cache says open")
    stage.set_truth(0, None)
    for family in (Family.STREAM, Family.CLOB):
        stage.tell(family, Telling(is_closed=True), market=0)
    stage.tell(Family.GAMMA, Telling(is_frozen=True), market=0)
    await stage.hold(2.5)
    stage.tell(Family.GAMMA, Telling(is_closed=True), market=0)
    await stage.hold(1.5)
    stage.begin(PhaseName.AFTER, "it stays resolved")
    stage.set_truth(1, 330_000)
    await stage.settle(market=1, within_s=6)
    await stage.wait_liquidated(market=1, at_least=1, within_s=3)


RESOLVED = Scenario(
    name="resolved-mid-run",
    title="A market resolves while its positions are open, and Gamma's cache does not know it yet: nothing is posted or liquidated there, the others go on.",
    play=_resolve,
    settings=Settings(feed={"listing_cache_ms": 4_000}),
    concerns=1,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=_UNCERTAIN, within_s=2, market=0, reason=_OVER),
        Refrains(phase=PhaseName.DURING, after_s=2, market=0),
        Unmoved(phase=PhaseName.DURING, market=1),
        Keeps(phase=PhaseName.AFTER, classes=_UNCERTAIN, market=0),
        Refrains(phase=PhaseName.AFTER, market=0),
        Returns(within_s=6, market=1),
        Acts(phase=PhaseName.AFTER, kind=ActionKind.LIQUIDATE, within_s=8, market=1),
    ),
)


async def _contradict(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "Gamma says closed and accepting orders at once")
    stage.tell(Family.GAMMA, Telling(has_conflicting_flags=True), market=0)
    await stage.hold(3)
    await close_calmly(stage)


CONFLICTING_FLAGS = Scenario(
    name="conflicting-flags",
    title="Gamma says of a market that it is closed and that it accepts orders: closed wins, until it is taken back.",
    play=_contradict,
    # A listing that says open proves nothing until a cache can no longer be older than the last word of closing.
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=_UNCERTAIN, within_s=2, market=0, reason=_OVER),
        Refrains(phase=PhaseName.DURING, after_s=2, market=0),
        Unmoved(phase=PhaseName.DURING, market=1),
        HEALED,
        BACK,
    ),
)
