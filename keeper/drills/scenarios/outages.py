"""The venue is gone, in whole or in part."""

from keeper.drills.expectations import BELIEVED, MISTRUSTED, Keeps, Reaches, Refrains, Returns
from keeper.drills.faults import Family, Refuse
from keeper.drills.model import PhaseName
from keeper.drills.scenario import Scenario, Settings, Stage
from keeper.prices.price import PriceClass

_SETTINGS = Settings(slot_ms=20)


async def _lose_everything(stage: Stage) -> None:
    stage.begin(PhaseName.BEFORE)
    await stage.settle(within_s=5)
    stage.begin(PhaseName.DURING, "every endpoint refuses connections")
    for family in Family:
        stage.break_wire(family, Refuse())
    await stage.hold(1)
    stage.set_truth(0, 300_000)  # unseen: whoever acts now acts on a price of the past
    await stage.hold(5)
    stage.begin(PhaseName.AFTER)
    for family in Family:
        stage.break_wire(family)
    await stage.settle(within_s=6)
    await stage.wait_liquidated(market=0, at_least=1, within_s=3)


TOTAL_OUTAGE = Scenario(
    name="total-outage",
    title="Stream, CLOB and Gamma all refuse connections, and the market moves twenty points unseen.",
    play=_lose_everything,
    settings=_SETTINGS,
    expects=(
        Reaches(phase=PhaseName.BEFORE, classes=(PriceClass.VALID,), within_s=3),
        Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=_SETTINGS.slots_s(150) + 1),
        Refrains(phase=PhaseName.DURING, after_s=_SETTINGS.slots_s(150) + 1),
        Reaches(phase=PhaseName.AFTER, classes=(PriceClass.VALID,), within_s=3),
        Keeps(phase=PhaseName.AFTER, classes=BELIEVED, after_s=3),
        Returns(within_s=4),
    ),
)
