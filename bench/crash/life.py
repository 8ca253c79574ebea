"""One life of the keeper: a process on the state that the lives before left, followed by its log, and its end.

Shell. It stands in a session of its own, so that a Ctrl-C meant for the campaign does not drain it.
"""

import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import trio

from bench.crash.deaths import Death

_LIFE_S_MAX: Final = 7.0
"""A death that is waited for in vain comes by the clock."""
_END_S_MAX: Final = 60.0
"""Of a drain: longer than `landing.drain_s`."""
_STARTED, _SETTLED, _SIGNED = "keeper.started", "feed.started", "batch.signed"


@dataclass(slots=True, kw_only=True)
class Life:
    """What is known of one life from outside."""

    started_s: float
    events: Counter[str] = field(default_factory=Counter)
    """Lines of its log, by event."""
    work_began_s: float | None = None
    """Seconds from its start to the end of settlement."""
    lived_s: float = 0.0
    exit_status: int | None = None
    """None when it was killed."""
    was_killed_from_outside: bool = False
    """Not by its own hand, at a named line."""
    report: dict[str, Any] | None = None
    """What it said last, if it ended in order."""
    has_ended: bool = False
    last_words: str = ""
    """The newest line of its log."""
    _news: trio.Event = field(default_factory=trio.Event)

    @property
    def phase(self) -> str:
        """How far it had come."""
        if not self.events[_STARTED]:
            return "starting"
        return "working" if self.events[_SETTLED] else "settling"

    async def wait_batches(self, count: int) -> None:
        """Wait until so many transactions were signed in this life."""
        while self.events[_SIGNED] < count:
            await self._news.wait()

    async def wait_working(self) -> None:
        """Wait until what earlier lives left open is settled, or this life is over."""
        while self.work_began_s is None and not self.has_ended:
            await self._news.wait()

    def end(self) -> None:
        """Take note that the process is gone."""
        self.has_ended = True
        self._news.set()

    def note(self, line: str) -> None:
        """Take a line of the log."""
        self.last_words = line
        try:
            event = json.loads(line)["event"]
        except (ValueError, KeyError, TypeError):
            event = "unreadable"
        self.events[event] += 1
        if event == _SETTLED:
            self.work_began_s = trio.current_time() - self.started_s
        self._news.set()
        self._news = trio.Event()


async def live_until(config: Path, log: Path, death: Death) -> Life:
    """Live one life to the death that was decided for it."""
    async with _begin(_command(config, death), log) as (life, process):
        with trio.move_on_after(_LIFE_S_MAX):
            if death.point is not None:
                await process.wait()
            elif death.after_batches is not None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_cancel_at_end, process, nursery.cancel_scope)
                    await life.wait_batches(death.after_batches)
                    nursery.cancel_scope.cancel()
            with trio.move_on_after(death.after_s):
                await process.wait()
        if process.poll() is None:
            life.was_killed_from_outside = True
            process.kill()
        await process.wait()
    return life


@asynccontextmanager
async def undisturbed(config: Path, log: Path) -> AsyncIterator[Life]:
    """Live while the block runs, then end as Ctrl-C would have it: drained."""
    async with _begin(_command(config, None), log) as (life, process):
        try:
            yield life
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            with trio.move_on_after(_END_S_MAX, shield=True):
                await process.wait()


def _command(config: Path, death: Death | None) -> list[str]:
    if death is not None and death.point is not None:
        return ["-m", "bench.crash.mortal", str(config), death.point, str(death.times)]
    options = ["--no-sandbox", "--json", "--config", str(config)]
    return ["-m", "keeper.cli.main", "run", *options]


@asynccontextmanager
async def _begin(command: Sequence[str], log: Path) -> AsyncIterator[tuple[Life, trio.Process]]:
    process = await trio.lowlevel.open_process(
        [sys.executable, *command], stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    life = Life(started_s=trio.current_time())
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_note_end, process, life)
            nursery.start_soon(_read_log, process, life, log)
            nursery.start_soon(_read_report, process, life)
            yield life, process
    finally:
        with trio.CancelScope(shield=True):
            if process.poll() is None:
                process.kill()
            await process.wait()
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None  # as asked for
                await pipe.aclose()
        life.lived_s = trio.current_time() - life.started_s
        status = process.returncode
        life.exit_status = None if status == -signal.SIGKILL else status


async def _note_end(process: trio.Process, life: Life) -> None:
    await process.wait()
    life.end()


async def _cancel_at_end(process: trio.Process, scope: trio.CancelScope) -> None:
    await process.wait()
    scope.cancel(reason="it has ended by itself")


async def _read_log(process: trio.Process, life: Life, log: Path) -> None:
    assert process.stderr is not None
    async with aclosing(_lines(process.stderr)) as lines, await trio.open_file(log, "a") as kept:
        async for line in lines:
            life.note(line)
            await kept.write(line + "\n")


async def _read_report(process: trio.Process, life: Life) -> None:
    assert process.stdout is not None
    text = b"".join([bytes(chunk) async for chunk in process.stdout])
    if text.strip():
        life.report = json.loads(text)


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncGenerator[str]:
    rest = b""
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")
