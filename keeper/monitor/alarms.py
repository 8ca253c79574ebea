"""The alarm bell of a monitor: judges a moment, keeps what people have to be told, and tells them.

Shell. Judging never waits for a sink: it hands over rows of a database, and each sink is told in a task of its own.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import structlog
import trio

from keeper.monitor.alert_store import FILE_NAME, AlertStore
from keeper.monitor.alerts import Alert, Engine, Notice
from keeper.monitor.delivery import Errands, deliver
from keeper.monitor.level import Level
from keeper.monitor.rules import rules_for
from keeper.monitor.sink_config import SinkConfig, titled
from keeper.monitor.sinks import REFRESH_S, Sink, open_sink
from keeper.monitor.view import View
from state import metrics as m
from state.errors import StateError
from state.sample import Figures

LOG_SINK: Final = SinkConfig(kind="log")
"""Where nobody said where alerts go, the log has them."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Alarms:
    """What fires, and what is still to be told of it; made by `open_alarms`."""

    engine: Engine
    store: AlertStore
    sinks: tuple[Sink, ...]
    errands: Errands
    unwritten: list[Notice]
    """Notices that the disk did not take yet."""

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Return the alerts that fire, the worst first."""
        return self.engine.firing

    async def take(self, view: View) -> None:
        """Judge one moment; return once its notices are written down, before they are told.

        A disk that takes nothing is logged, and what it should have taken is offered to it again with the next moment.
        """
        try:
            taken = await trio.to_thread.run_sync(self.store.acknowledgements)
        except StateError as error:
            log.error("alerts.unreadable", words=str(error))  # noqa: TRY400 - its sentence says all
            taken = {}
        found = [self.engine.acknowledge(each, by, view.wall_s) for each, by in taken.items()]
        self.unwritten += [notice for notice in found if notice is not None]
        self.unwritten += self.engine.take(view)
        if self.unwritten:
            await self._write()

    def put(self, figures: Figures) -> None:
        """Say how many alerts fire, and how telling them goes."""
        for level in Level:
            count = sum(alert.level is level for alert in self.firing)
            figures.put(m.ALERTS_FIRING, count, str(level))
        for sink in self.sinks:
            figures.put(m.SINK_FAILURES, self.errands.failures[sink.name], sink.name)
            figures.put(m.SINK_QUEUED, max(0, self.errands.waiting[sink.name]), sink.name)

    async def wait_delivered(self) -> None:
        """Wait until every sink has been told everything; whoever calls sets the deadline."""
        await self.errands.wait_none()

    def _told(self, notice: Notice) -> tuple[str, ...]:
        return tuple(sink.name for sink in self.sinks if sink.wants(notice))

    async def _write(self) -> None:
        try:
            added, given_up = await trio.to_thread.run_sync(
                self.store.record, tuple(self.unwritten), self._told
            )
        except StateError as error:
            log.error("alerts.unwritten", words=str(error), notices=len(self.unwritten))  # noqa: TRY400 - its sentence says all
            return
        self.unwritten.clear()
        for sink, count in given_up.items():
            if count:
                log.error("notices.given_up", sink=sink, notices=count)
        # Added, never set: deliveries count down meanwhile.
        self.errands.waiting.update(added)
        self.errands.waiting.subtract(given_up)
        self.errands.turn()


@asynccontextmanager
async def open_alarms(
    sinks: Sequence[SinkConfig], folder: Path, slot_s: float, refresh_s: float = REFRESH_S
) -> AsyncGenerator[Alarms]:
    """Take up what fired when the last monitor ended, and tell sinks what they have to be told, until left.

    Args:
        sinks: where alerts go; without any, the log.
        folder: of the keeper's state.
        slot_s: nominal length of a slot.
        refresh_s: how often sinks that forget are told what fires.

    Raises:
        StateError: the database cannot be used.
    """
    settings = titled(tuple(sinks) or (LOG_SINK,))
    store = AlertStore(folder / FILE_NAME)
    engine = Engine(rules_for(slot_s))
    engine.restore(await trio.to_thread.run_sync(store.open, [each.title for each in settings]))
    errands = Errands(waiting=Counter(await trio.to_thread.run_sync(store.waiting)))
    # Deadlines are the sinks'; redirects are not followed: they could lead a secret elsewhere.
    async with httpx.AsyncClient(timeout=None, follow_redirects=False) as client:  # noqa: S113 - see above
        opened = tuple(open_sink(each, client) for each in settings)
        alarms = Alarms(engine, store, opened, errands, [])
        async with trio.open_nursery() as nursery:
            for sink in opened:
                nursery.start_soon(deliver, sink, store, errands, lambda: alarms.firing, refresh_s)
            yield alarms
            nursery.cancel_scope.cancel(reason="nobody is told any more")
