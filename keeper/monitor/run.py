"""The monitor's wiring: hear what services tell, look at it once a second, answer whoever asks.

Shell.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
import trio

from keeper.monitor.alarms import Alarms, open_alarms
from keeper.monitor.checks import look_at
from keeper.monitor.config import MonitorConfig
from keeper.monitor.guards import Door
from keeper.monitor.moment import Moment
from keeper.monitor.page.app import Page
from keeper.monitor.page.history import History
from keeper.monitor.page.shown import Shown
from keeper.monitor.port import allow_connections, serve_port
from keeper.monitor.server import application, server
from keeper.monitor.sightings import Sightings
from keeper.monitor.view import KEEPER, MONITOR, SILENT_S, Seen, View
from keeper.newest import Newest
from state import metrics as m
from state.sample import Figures, Sample
from state.sample_socket import read_samples, socket_path

LOOK_S: Final = 1.0
"""Between two looks."""
_LAST_WORDS_S: Final = 5.0
"""For sinks to be told of the end."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a monitor watches, and for whom."""

    config: MonitorConfig
    folder: Path
    """Of state: where services have their sockets."""
    services: tuple[str, ...]
    slot_s: float
    """Nominal length of a slot."""
    token: str | None = None
    explorer_url: str | None = None
    """Where a transaction can be looked at, with `{signature}` in it."""
    keeper_gone: trio.Event | None = None
    """Set once the keeper that started us has let go of us; None where nobody did."""
    opened: Callable[[str], None] = field(default=lambda _url: None)
    """Told the port's URL."""


async def watch(post: Post) -> None:
    """Watch until cancelled; or, when a keeper started us, until it has ended and everybody was told.

    Raises:
        MonitorError: the port cannot be had, and nobody's monitor is expected to give it up.
        StateError: the database of alerts cannot be used.
    """
    async with open_alarms(post.config.sinks, post.folder, post.slot_s) as alarms:
        await _watch(post, alarms)


async def _watch(post: Post, alarms: Alarms) -> None:
    sightings = Sightings(post.services, time.monotonic(), _left(post))
    board, shown = Newest[Moment](), Newest[Shown]()
    page = Page(shown)
    door = Door(server(application(board, page.routes())), post.token)
    allow_connections(door.bounds)
    async with trio.open_nursery() as nursery:
        for service in post.services:
            nursery.start_soon(_hear, socket_path(post.folder, service), sightings)
        nursery.start_soon(page.encode)
        nursery.start_soon(_serve, post, door)
        own = _Own(post=post, sightings=sightings, door=door, page=page, alarms=alarms)
        async with trio.open_nursery() as looking:
            looking.start_soon(_look, own, board, shown)
            await _wait_over(post, sightings)
            own.over.set()
        # What is not told by then stays in the database, for the next monitor.
        with trio.move_on_after(_LAST_WORDS_S):
            await alarms.wait_delivered()
        nursery.cancel_scope.cancel(reason="the keeper that we watched has ended")


def _left(post: Post) -> frozenset[str]:
    return frozenset(
        service for service in post.services if socket_path(post.folder, service).exists()
    )


async def _hear(path: Path, sightings: Sightings) -> None:
    def refused(words: str) -> None:
        log.warning("sample.refused", reason=words)

    async with read_samples(path, refused) as samples:
        async for sample in samples:
            sightings.hear(sample, time.monotonic())


async def _serve(post: Post, door: Door) -> None:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(_serve_port, post, door)
        log.info("monitor.opened", url=url, folder=str(post.folder), services=list(post.services))
        post.opened(url)


async def _serve_port(post: Post, door: Door, task_status: trio.TaskStatus[str]) -> None:
    is_patient = post.keeper_gone is not None
    await serve_port(post.config, door, is_patient=is_patient, task_status=task_status)


@dataclass(slots=True, kw_only=True)
class _Own:
    """What the monitor says of itself, and of the others' silence."""

    post: Post
    sightings: Sightings
    door: Door
    page: Page
    alarms: Alarms
    over: trio.Event = field(default_factory=trio.Event)
    """Set when there is nothing left to watch: one more look, and that was the last one."""
    sequence: int = 0
    began_s: float = field(default_factory=time.monotonic)

    def view(self) -> View:
        """Return this moment."""
        now_s = time.monotonic()
        self.sequence += 1
        figures = Figures()
        self.sightings.put(figures, now_s)
        self.door.put(figures)
        figures.put(m.PORT_STREAMS, self.page.streams)
        figures.put(m.UPTIME, now_s - self.began_s, MONITOR)
        figures.put(m.CPU_SECONDS, time.process_time(), MONITOR)
        self.alarms.put(figures)
        own = Sample(
            service=MONITOR,
            sequence=self.sequence,
            figures=figures.values,
            histograms=figures.histograms,
        )
        return View(
            wall_s=time.time(),
            now_s=now_s,
            services=self.post.services,
            samples=self.sightings.seen(now_s) | {MONITOR: Seen(sample=own, age_s=0.0)},
        )


async def _look(own: _Own, board: Newest[Moment], shown: Newest[Shown]) -> None:
    history = History()
    next_s = trio.current_time()
    is_last = False
    while not is_last:
        is_last = own.over.is_set()
        view = own.view()
        await own.alarms.take(view)
        alerts = own.alarms.firing
        moment = Moment(view=view, checks=look_at(view), alerts=alerts)
        history.take(view.wall_s, _fresh(view))
        board.publish(moment)
        shown.publish(
            Shown(
                wall_s=view.wall_s,
                samples=view.samples,
                alerts=alerts,
                checks=moment.checks,
                history=history,
                explorer_url=own.post.explorer_url,
            )
        )
        next_s = max(next_s + LOOK_S, trio.current_time())
        with trio.move_on_at(next_s):
            await own.over.wait()


def _fresh(view: View) -> Mapping[str, Sample]:
    return {service: seen.sample for service, seen in view.samples.items() if seen.is_fresh}


async def _wait_over(post: Post, sightings: Sightings) -> None:
    """Wait for the end of the keeper that started us; stay on for a while when it was killed, and make room for the next one's."""
    if post.keeper_gone is None:
        await trio.sleep_forever()
        return
    await post.keeper_gone.wait()
    if KEEPER in sightings.unheard():
        log.info("monitor.ended", reason="the keeper ended before it told anything")
        return
    gone_s, processes = time.monotonic(), sightings.processes(KEEPER)
    while not sightings.has_stopped(KEEPER):
        lingered_s = time.monotonic() - gone_s
        if lingered_s > SILENT_S + post.config.linger_s:
            log.warning(
                "monitor.ended", reason="the keeper was killed", lingered_s=round(lingered_s, 1)
            )
            return
        if sightings.processes(KEEPER) > processes:
            log.info("monitor.ended", reason="another keeper runs, with a monitor of its own")
            return
        await trio.sleep(LOOK_S / 4)
    log.info("monitor.ended", reason="the keeper ended in order")
