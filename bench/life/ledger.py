"""`incentives follow` as a task of the loop, its ledger in memory: what it owes is paid by the keeper beside it.

Shell. A thread that writes would be a thread that time does not wait for; so the ledger has none here.
"""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import trio

from incentives.config import load_settings
from incentives.follow import Wishes, follow
from incentives.ledger.opened import take_ledger
from incentives.ledger.schema import LEDGER
from incentives.telemetry import LedgerWatch
from keeper.drills.alarms import DrillMonitor
from state.in_loop import InLoopStore

STUCK_S = 60.0
"""Source: incentives/cli/follow.py."""
RULES = """
[incentives]
enabled = false
epoch_slots = {epoch_slots}
dwell_slots = 150

[[incentives.rules]]
from_epoch = 0
trade_reward_ppm = 10_000
notional_min = 100_000_000
notional_max = 10_000_000_000
boosted_trades = 100
mining_rate_ppm = 1_000
"""


class Follower:
    """The second service, until it is finished."""

    def __init__(self, config, monitor: DrillMonitor, wall_ms, ledger=None):
        """Prepare to follow what keeper.toml names, the ledger in a file if one is named."""
        self.settings = load_settings(config)
        self.monitor = monitor
        self.wall_ms = wall_ms
        self.watch = LedgerWatch(folder=self.settings.folder, slot_s=self.settings.slot_ms / 1_000)
        self.store = InLoopStore(LEDGER, ledger)
        self.over = trio.Event()

    async def live(self):
        """Follow until the watch is told to stop, and read to the end."""

        @asynccontextmanager
        async def open_ledger(path, identity, parameters):
            yield await take_ledger(self.store, path, identity, parameters)

        wishes = Wishes(
            now_text=self._now_text,
            finish=self.watch.stopping,
            watch=self.watch,
            open_ledger=open_ledger,
        )

        async def read():
            await follow(self.settings, wishes)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.watch.look)
            nursery.start_soon(self._tell)
            await self.watch.progress.run("reading", STUCK_S, read)
            self.over.set()
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel(reason="all is read")

    async def _tell(self):
        await self.monitor.tell(
            self.settings.folder, self.watch.gather, self.watch.process, self.over
        )

    def _now_text(self):
        return datetime.fromtimestamp(self.wall_ms() / 1_000, UTC).isoformat(timespec="seconds")
