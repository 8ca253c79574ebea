"""The real keeper with a disk that kills it at a named line: `python -m bench.crash.mortal CONFIG POINT TIMES`.

Everything but the store's `transaction` is what `keeper run --no-sandbox --json` runs. A kill from outside never falls
between a commit and the send that follows it in the same breath; this one does, every time.
"""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio
from sqlite_utils import Database

from bench.crash.deaths import Point
from keeper.cli.logs import open_logs
from keeper.config import load_config
from keeper.options import RunOptions
from keeper.run import run
from keeper.surroundings import Surroundings
from state.commit_counts import CommitCounts
from state.store import Store, open_store

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class MortalStore:
    """A store whose process dies at the `times`th passing of a point."""

    inner: Store
    point: Point
    times: int
    _seen: str = field(default="")

    @property
    def commit_counts(self) -> CommitCounts:
        """How long commits took."""
        return self.inner.commit_counts

    async def transaction(self, work: Callable[[Database], T]) -> T:
        """Commit, unless this is where it ends."""

        def watched(db: Database) -> T:
            before = _standing(db)
            result = work(db)
            self._seen = _what_changed(before, _standing(db))
            self._pass(f"before-{self._seen}")
            return result

        result = await self.inner.transaction(watched)
        # No checkpoint since the commit: the caller has not been told.
        self._pass(f"after-{self._seen}")
        return result

    async def read(self, work: Callable[[Database], T]) -> T:
        """Read."""
        return await self.inner.read(work)

    def _pass(self, place: str) -> None:
        if place == self.point:
            self.times -= 1
            if not self.times:
                os.kill(os.getpid(), signal.SIGKILL)


def _standing(db: Database) -> tuple[int, int]:
    """Return the newest attempt and how many are open."""
    newest, is_open = db.conn.execute(
        "SELECT (SELECT coalesce(max(id), 0) FROM attempt), (SELECT count(*) FROM attempt_job WHERE is_open = 1)"
    ).fetchone()
    return newest, is_open


def _what_changed(before: tuple[int, int], after: tuple[int, int]) -> str:
    if after[0] > before[0]:
        return "record"
    return "end" if after[1] < before[1] else "other"


@asynccontextmanager
async def _open_mortal(point: Point, times: int, path: Path) -> AsyncGenerator[MortalStore]:
    async with open_store(path) as inner:
        yield MortalStore(inner=inner, point=point, times=times)


def main() -> None:
    """Run until the point, or until killed from outside."""
    path, point, times = sys.argv[1:]
    config = load_config(Path(path))
    config = replace(config, sandbox=replace(config.sandbox, enabled=False))
    surroundings = Surroundings(open_store=partial(_open_mortal, Point(point), int(times)))
    with open_logs(sys.stderr, form="json"):
        trio.run(partial(run, config, RunOptions(surroundings=surroundings)))


if __name__ == "__main__":
    main()
