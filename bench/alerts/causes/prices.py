"""What becomes of prices when the venue, or a part of it, is gone, says nothing of use, or lives in another time."""

from typing import Final

from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, Script, on_stage
from bench.alerts.settings import SLOW
from keeper.drills.faults import HONEST, Family, Refuse, Shape, Telling

_APART_MS: Final = 10_000


def _refuses(*families: Family) -> Script:
    async def script(scene: Scene) -> None:
        scene.cause()
        for family in families:
            scene.stage.break_wire(family, Refuse())
        await scene.fires()
        scene.mend()
        for family in families:
            scene.stage.break_wire(family)

    return script


def _tells(telling: Telling, *markets: int) -> Script:
    """Every family tells this of some markets."""

    async def script(scene: Scene) -> None:
        scene.cause()
        for family in Family:
            for market in markets:
                scene.stage.tell(family, telling, market=market)
        await scene.fires()
        scene.mend()
        for family in Family:
            for market in markets:
                scene.stage.tell(family, HONEST, market=market)

    return script


async def _shift(scene: Scene) -> None:
    scene.cause()
    scene.stage.shift_venue_clock(_APART_MS)
    await scene.fires()
    scene.mend()
    scene.stage.shift_venue_clock(0)


_OMITTED: Final = Telling(shape=Shape.OMITTED)
_THIN: Final = Telling(shape=Shape.THIN)
CAUSES: Final = (
    Cause(
        rule="prices_halted",
        how="no source has one of three markets any more",
        run=on_stage("prices_halted", _tells(_OMITTED, 0), SLOW),
        also=frozenset({"prices_stale"}),
    ),
    Cause(
        rule="prices_stale",
        how="no source has one of three markets any more",
        run=on_stage("prices_stale", _tells(_OMITTED, 0), SLOW),
    ),
    Cause(
        rule="prices_degraded",
        how="stream and CLOB refuse connections, Gamma answers",
        run=on_stage("prices_degraded", _refuses(Family.STREAM, Family.CLOB), SLOW),
        also=frozenset({"price_source_failing"}),
    ),
    Cause(
        rule="prices_uncertain",
        how="the books of two of three markets are 1 cent bid, 99 asked",
        run=on_stage("prices_uncertain", _tells(_THIN, 0, 1), SLOW),
    ),
    Cause(
        rule="price_source_failing",
        how="the stream refuses connections",
        run=on_stage("price_source_failing", _refuses(Family.STREAM), SLOW),
    ),
    Cause(
        rule="price_sources_all_failing",
        how="stream, CLOB and Gamma refuse connections",
        run=on_stage("price_sources_all_failing", _refuses(*Family), SLOW),
        also=frozenset(
            {"price_source_failing", "prices_degraded", "prices_stale", "prices_halted"}
        ),
    ),
    Cause(
        rule="venue_clock_apart",
        how="the venue's clock is ten seconds ahead",
        run=on_stage("venue_clock_apart", _shift, SLOW),
    ),
)
