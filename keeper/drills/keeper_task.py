"""The keeper under drill as a task of the drill's own loop: for drills on the virtual clock.

Shell. All of `keeper.run` but its process: no signals, a store without a thread, and a log that is read line by line as that of
a child process would be.
"""

import json
import logging
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from keeper.config import load_config
from keeper.drills.alarms import DrillMonitor
from keeper.drills.model import Notice
from keeper.drills.recording import notice_of
from keeper.errors import DrillError, KeeperError
from keeper.interrupt import Orders
from keeper.options import RunOptions
from keeper.payer_lock import no_lock
from keeper.prices.recorder import FileRecorder
from keeper.run import run
from keeper.surroundings import Surroundings
from state.errors import StateError
from state.in_loop import InLoopStores
from state.process_figures import Process
from state.telling import Gather

READY_TIMEOUT_S: Final = 60.0
_READY_EVENT: Final = "feed.started"
_REFUSED: Final = 1
"""The exit status of a keeper that could not go on. Source: keeper/cli/refusal.py."""


@dataclass(slots=True, kw_only=True)
class KeeperTask:
    """One keeper, through all its lives in a drill."""

    config: Path
    """keeper.toml, as a process would be given it."""
    recording: Path
    wall_ms: Callable[[], int]
    monitor: DrillMonitor
    """Is told its figures, and has the drill's clock."""
    stores: InLoopStores = field(default_factory=InLoopStores)
    """What survives a life."""
    notices: list[Notice] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    """What each life that ended in order said last."""
    exit_status: int | None = None
    """Of the last life; None while it lives, or when it was killed."""
    _life: trio.CancelScope = field(default_factory=trio.CancelScope)
    _ready: trio.Event = field(default_factory=trio.Event)
    _interrupted: trio.Event = field(default_factory=trio.Event)
    _ended: trio.Event | None = None
    _orders: Orders = field(default_factory=Orders)
    _process: Process | None = None

    async def live(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run one life to its end; started once its feed runs.

        Raises:
            DrillError: it ended before it was ready.
        """
        self._life, self.exit_status = trio.CancelScope(), None
        self._ready, self._interrupted = trio.Event(), trio.Event()
        self._ended = trio.Event()
        try:
            with self._log_read():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._run)
                    with trio.move_on_after(READY_TIMEOUT_S):
                        await self._ready.wait()
                    if not self._ready.is_set() or not nursery.child_tasks:
                        last = self.notices[-1].text if self.notices else "it said nothing"
                        raise DrillError(f"the keeper under drill did not start: {last}")
                    task_status.started()
        finally:
            self._ended.set()

    async def kill(self) -> None:
        """End this life where it stands; what it committed stays."""
        self._life.cancel(reason="the drill kills the keeper")
        await self._wait_ended()

    async def end(self) -> None:
        """Interrupt, as Ctrl-C does, and wait for an orderly end."""
        self._interrupted.set()
        await self._wait_ended()

    def reread(self) -> None:
        """Let it read its configuration again, as SIGHUP does."""
        self._orders.rereads.publish("drill")

    @property
    def process(self) -> Process:
        """What it says of its tasks, commits and loop; of the newest life.

        Raises:
            AssertionError: it never told anything.
        """
        assert self._process is not None, "it tells its figures from its start"
        return self._process

    async def _wait_ended(self) -> None:
        if self._ended is not None:
            await self._ended.wait()

    async def _run(self) -> None:
        surroundings = Surroundings(
            open_store=self.stores.open_store,
            wall_ms=self.wall_ms,
            obey_signals=self._obey,
            hold_payers=no_lock,
            tell_samples=self._tell,
        )
        with self._life, closing(FileRecorder(self.recording)) as recorder:
            options = RunOptions(
                recorder=recorder,
                surroundings=surroundings,
                reread=lambda: load_config(self.config),
            )
            try:
                self.reports.append(await run(load_config(self.config), options))
                self.exit_status = 0
            except* (KeeperError, StateError) as group:
                self.exit_status = _REFUSED
                for error in _sentences(group):
                    self.notices.append(
                        Notice(
                            at_s=self.monitor.now_s(), level="error", event="refused", text=error
                        )
                    )
        self._ready.set()  # it ended: whoever waits for it looks

    async def _tell(self, path: Path, gather: Gather, process: Process, over: trio.Event) -> None:
        self._process = process
        await self.monitor.tell(path, gather, process, over)

    async def _obey(self, orders: Orders) -> None:
        self._orders = orders
        await self._interrupted.wait()
        orders.stop.set()

    @contextmanager
    def _log_read(self) -> Generator[None]:
        """Take every line of the log from info upwards, worded as on the keeper's stderr."""
        before = structlog.get_config()
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                self._take,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)

    def _take(
        self, _logger: object, _level: str, entry: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        notice = notice_of(json.dumps(entry, default=str), self.monitor.now_s())
        if notice is not None:
            self.notices.append(notice)
            if notice.event == _READY_EVENT:
                self._ready.set()
        raise structlog.DropEvent


def _sentences(group: BaseExceptionGroup[BaseException]) -> list[str]:
    found: list[str] = []
    for error in group.exceptions:
        found += _sentences(error) if isinstance(error, BaseExceptionGroup) else [str(error)]
    return found
