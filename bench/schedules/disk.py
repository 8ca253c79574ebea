"""The keeper's disk: the real schema in a real SQLite, slow at times, and the place where a keeper may die.

Shell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import trio
from sqlite_utils import Database

from bench.schedules.death import Executioner
from bench.schedules.schedule import CLEAR, Mortal, Schedule, Weather
from state.in_loop import InLoopStore

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Disk:
    """A `Store` that survives every life."""

    inner: InLoopStore
    schedule: Schedule
    executioner: Executioner
    after_commit: Callable[[Database], None]
    """Looks at what has just been committed."""
    weather: Weather = field(default=CLEAR)
    commits: int = 0

    async def transaction(self, work: Callable[[Database], T]) -> T:
        """Commit after a while; once begun it is never abandoned, as on the writer's thread."""
        await trio.lowlevel.checkpoint_if_cancelled()
        await self.executioner.reach(Mortal.BEFORE_COMMIT)
        self.commits += 1
        with trio.CancelScope(shield=True):
            await self._wait("before")
        await self.executioner.reach(Mortal.IN_TIME)
        result = await self.inner.transaction(work)
        self.after_commit(self.inner.db)
        await self.executioner.reach(Mortal.AFTER_COMMIT)
        return result

    async def read(self, work: Callable[[Database], T]) -> T:
        """Read."""
        return await self.inner.read(work)

    async def _wait(self, when: str) -> None:
        key = ("commit", when, self.commits)
        if self.schedule.dice.happens(self.weather.slow_commit_bps, *key):
            await trio.sleep(self.schedule.dice.roll(1_000, "ms", *key) / 1_000)
