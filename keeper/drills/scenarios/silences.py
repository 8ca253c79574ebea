"""Sources that look alive and are not: frozen, stale, disordered, restarted."""

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
from keeper.drills.scenarios.acts import BACK, CALM, HEALED, close_calmly, open_calmly
from keeper.prices.price import PriceClass

_FROZEN = Telling(is_frozen=True)


async def _freeze_the_stream(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the websocket sends nothing but PONG")
    stage.tell(Family.STREAM, _FROZEN)
    await stage.hold(0.5)
    stage.set_truth(0, 400_000)
    await stage.hold(5)
    await close_calmly(stage)
    await stage.hold(2)


STREAM_FROZEN = Scenario(
    name="stream-frozen",
    title="The websocket answers every PING and sends nothing else, while a market moves ten points.",
    play=_freeze_the_stream,
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source="clob", within_s=4, market=0),
        # PONG goes on: only a new socket can end it.
        Asks(phase=PhaseName.DURING, family=Family.STREAM, at_least=1),
        # The frozen book contradicts until, asked for anew, it is word for word the old one.
        Acts(
            phase=PhaseName.DURING,
            kind=ActionKind.POST,
            within_s=5.5,
            market=0,
            near_e6=400_000,
        ),
        HEALED,
        Follows(phase=PhaseName.AFTER, source="stream", within_s=8),
        BACK,
    ),
)


async def _freeze_one(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the websocket forgets one market")
    stage.tell(Family.STREAM, _FROZEN, market=0)
    await stage.hold(0.5)
    stage.set_truth(0, 470_000)  # within the five points that sources may be apart
    await stage.hold(5)
    await close_calmly(stage)


ASSET_FROZEN = Scenario(
    name="asset-frozen",
    title="The websocket forgets one market and serves the others: the poll takes over for that one alone.",
    play=_freeze_one,
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source="clob", within_s=4, market=0),
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=5, market=0, near_e6=470_000),
        Unmoved(phase=PhaseName.DURING, market=1),
        Unmoved(phase=PhaseName.DURING, market=2),
        HEALED,
        BACK,
    ),
)


async def _stale_books(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB serves yesterday's books with 200")
    stage.tell(Family.CLOB, _FROZEN)
    stage.tell(Family.GAMMA, _FROZEN)
    await stage.hold(0.5)
    stage.set_truth(0, 440_000)
    await stage.hold(4.5)
    await close_calmly(stage)


STALE_BUT_200 = Scenario(
    name="stale-but-200",
    title="CLOB and Gamma go on serving old books with status 200, while the stream tells of a move of six points.",
    play=_stale_books,
    expects=(
        CALM,
        Acts(phase=PhaseName.DURING, kind=ActionKind.POST, within_s=5, market=0, near_e6=440_000),
        Reaches(phase=PhaseName.DURING, classes=BELIEVED, within_s=4.5, market=0),
        HEALED,
        BACK,
    ),
)


async def _thin_books(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "the CLOB shows 0.01 to 0.99 while the market is live")
    stage.tell(Family.CLOB, Telling(shape=Shape.THIN, is_restamped=True))
    await stage.hold(1)
    stage.set_truth(0, 470_000)
    await stage.hold(3)
    await close_calmly(stage)


THIN_BUT_200 = Scenario(
    name="thin-but-200",
    title="The CLOB answers with books of 0.01 to 0.99 while the market is live on the stream.",
    play=_thin_books,
    expects=(
        CALM,
        Refrains(phase=PhaseName.DURING, kinds=(ActionKind.LIQUIDATE,), market=1),
        HEALED,
        BACK,
    ),
)


async def _disorder(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "deltas come twice and out of order")
    stage.tell(Family.STREAM, Telling(is_disordered=True))
    await stage.hold(1.5)
    stage.set_truth(0, 460_000)
    await stage.hold(2)
    stage.set_truth(0, 500_000)
    await stage.hold(1.5)
    await close_calmly(stage)


DISORDERED = Scenario(
    name="disordered-deltas",
    title="The stream sends deltas twice, and older ones after newer ones: nothing of it may show.",
    play=_disorder,
    expects=(
        CALM,
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.VALID,)),
        Unmoved(phase=PhaseName.DURING),
        BACK,
    ),
)


async def _freeze_everything(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "no content of any market changes any more")
    for family in Family:
        stage.tell(family, _FROZEN)
    await stage.hold(1)
    stage.set_truth(0, 350_000)
    await stage.hold(5)
    await close_calmly(stage)


VENUE_FROZEN = Scenario(
    name="venue-frozen",
    title="Every endpoint answers promptly, and no book of any market ever changes again.",
    play=_freeze_everything,
    # Before the time is up nobody can tell a frozen venue from a quiet one.
    settings=Settings(markets=9, positions_per_side=1, feed={"venue_frozen_ms": 3_000}),
    venue_lag_s=2.5,
    expects=(
        CALM,
        Reaches(phase=PhaseName.DURING, classes=MISTRUSTED, within_s=5, reason="venue_frozen"),
        Refrains(phase=PhaseName.DURING, after_s=5),
        HEALED,
        BACK,
    ),
)


async def _restart_the_engine(stage: Stage) -> None:
    await open_calmly(stage)
    stage.begin(PhaseName.DURING, "425 service not ready", "then thin books", "then frozen ones")
    not_ready = Canned(status=425, body=b'{"error":"service not ready"}')
    stage.answer(Family.CLOB, not_ready, path="/book")
    stage.answer(Family.STREAM, not_ready)
    stage.hang_up()
    await stage.hold(1.5)
    for family in (Family.CLOB, Family.STREAM):
        stage.answer(family, None)
        stage.tell(family, Telling(shape=Shape.THIN, is_restamped=True))
    await stage.hold(1)
    for family in (Family.CLOB, Family.STREAM):
        stage.tell(family, HONEST)
        stage.tell(family, _FROZEN)
    stage.set_truth(0, 400_000)
    await stage.hold(2)
    await close_calmly(stage)


ENGINE_RESTART = Scenario(
    name="engine-restart",
    title="The matching engine restarts: 425, then thin books, then frozen ones with 200. Gamma carries on, degraded.",
    play=_restart_the_engine,
    settings=Settings(feed={"restart_cooldown_ms": 4_000}),
    expects=(
        CALM,
        Follows(phase=PhaseName.DURING, source="gamma", within_s=3),
        Keeps(phase=PhaseName.DURING, classes=(PriceClass.DEGRADED, *MISTRUSTED), after_s=1.5),
        HEALED,
        BACK,
    ),
)
