"""Notices on their way to one sink: one after the other, each until it is taken, ever more slowly where it is not.

Shell. The queue is the database: what a sink has not taken when the monitor ends, the next one tells.
"""

import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
import trio

from keeper.monitor.alert_store import AlertStore
from keeper.monitor.alerts import Alert
from keeper.monitor.sinks import Sink, SinkError
from state.errors import StateError

_AT_ONCE: Final = 16
"""Notices that are read from the database together."""
FIRST_WAIT_S: Final = 1.0
WAIT_MAX_S: Final = 300.0

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Errands:
    """What is to be told, and how telling goes; shared by the deliveries and whoever watches them."""

    failures: Counter[str] = field(default_factory=Counter)
    """Failed tellings since the start, by sink."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Notices that wait, by sink."""
    _turned: trio.Event = field(default_factory=trio.Event)

    def turn(self) -> None:
        """Tell everybody who waits that something came or went."""
        self._turned.set()
        self._turned = trio.Event()

    async def wait_for(self, sink: str) -> None:
        """Wait until something waits for a sink."""
        while self.waiting[sink] <= 0:
            await self._turned.wait()

    async def wait_none(self) -> None:
        """Wait until every sink has been told everything."""
        while any(count > 0 for count in self.waiting.values()):
            await self._turned.wait()


async def deliver(
    sink: Sink,
    store: AlertStore,
    errands: Errands,
    firing: Callable[[], Sequence[Alert]],
    refresh_s: float,
) -> None:
    """Tell a sink what it has to be told, for ever."""
    refresh_at_s = trio.current_time() if sink.refresh is not None else math.inf
    failed_in_a_row = 0
    while True:
        try:
            is_taken = await _tell_queued(sink, store, errands)
        except StateError as error:
            log.error("alerts.unreadable", sink=sink.name, words=str(error))  # noqa: TRY400 - its sentence says all
            is_taken = False
        failed_in_a_row = 0 if is_taken else failed_in_a_row + 1
        if failed_in_a_row:
            wait_s = min(WAIT_MAX_S, FIRST_WAIT_S * 2 ** min(failed_in_a_row - 1, 16))
            # Between half and all of it: sinks that fell ill together are not asked together.
            await trio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret depends on it
            continue
        if sink.refresh is not None and trio.current_time() >= refresh_at_s:
            refresh_at_s = trio.current_time() + refresh_s
            if (error_ := await _told(sink, partial(sink.refresh, firing()))) is not None:
                _count(sink, errands, error_)
        with trio.move_on_at(refresh_at_s):
            await errands.wait_for(sink.name)


async def _tell_queued(sink: Sink, store: AlertStore, errands: Errands) -> bool:
    """Tell what waits, the oldest first; return whether all of it was taken, or refused for good."""
    while queued := await trio.to_thread.run_sync(store.queued, sink.name, _AT_ONCE):
        for each in queued:
            error = await _told(sink, partial(sink.tell, each.notice))
            if error is not None:
                _count(sink, errands, error)
                if not error.is_for_good:
                    return False
            words = None if error is None else str(error)
            concluded = await trio.to_thread.run_sync(
                store.conclude, sink.name, each.notice_id, words
            )
            errands.waiting[sink.name] -= concluded
            errands.turn()
    return True


async def _told(sink: Sink, tell: Callable[[], Awaitable[None]]) -> SinkError | None:
    """Tell; return why it was not taken."""
    try:
        with trio.fail_after(sink.deadline_s):
            await tell()
    except trio.TooSlowError:
        return SinkError(f"not done after {sink.deadline_s:g} s")
    except SinkError as error:
        return error
    return None


def _count(sink: Sink, errands: Errands, error: SinkError) -> None:
    errands.failures[sink.name] += 1
    log.warning("sink.failed", sink=sink.name, words=str(error), is_for_good=error.is_for_good)
