"""The keeper under drill: the real command, in a process of its own, on a configuration written for it.

Shell. It stands in a session of its own, so that a Ctrl-C meant for the drill reaches it as a request to drain; whatever
happens to the drill, it is not left behind.
"""

import json
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import trio

from keeper.drills.alarms import DrillMonitor
from keeper.drills.model import Notice
from keeper.drills.recording import notice_of
from keeper.errors import DrillError

READY_TIMEOUT_S: Final = 30.0
END_TIMEOUT_S: Final = 30.0
"""A drain takes a few slots; this is against hanging only."""
_LAST_WORDS: Final = 3
"""Lines of the log that an error quotes."""
_READY_EVENT: Final = "feed.started"


@dataclass(slots=True, kw_only=True)
class KeeperChild:
    """One keeper, through all its lives in a drill."""

    config: Path
    recording: Path | None
    """Where it writes what was heard and believed; None: nowhere."""
    monitor: DrillMonitor
    """Has the drill's clock."""
    notices: list[Notice] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    """What each life that ended in order said last."""
    exit_status: int | None = None
    """Of the last life; None while it lives, or when it was killed."""
    _process: trio.Process | None = None
    _is_ready: bool = False
    _ready: trio.Event = field(default_factory=trio.Event)
    """Its feed runs, or its log has ended before."""
    _ended: trio.Event = field(default_factory=trio.Event)

    async def live(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run one life to its end; started once its feed runs.

        Raises:
            DrillError: it ended before it was ready.
        """
        command = [sys.executable, "-m", "keeper.cli.main", "run", "--no-sandbox", "--json"]
        options = ["--config", str(self.config)]
        if self.recording is not None:
            options += ["--record", str(self.recording)]
        self._ready, self._ended, self.exit_status = trio.Event(), trio.Event(), None
        self._is_ready = False
        process = await trio.lowlevel.open_process(
            [*command, *options], stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        self._process = process
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_log, process)
                nursery.start_soon(self._read_report, process)
                await self._wait_ready()
                task_status.started()
                await process.wait()
        finally:
            await _kill(process)
            self._ended.set()
        status = process.returncode
        self.exit_status = None if status == -signal.SIGKILL else status

    @property
    def pid(self) -> int:
        """The process of this life."""
        assert self._process is not None, "there is a life"
        return self._process.pid

    async def kill(self) -> None:
        """End this life with -9."""
        assert self._process is not None, "there is a life to end"
        self._process.kill()
        await self._ended.wait()

    async def end(self) -> None:
        """Interrupt, as Ctrl-C does, and wait for an orderly end; a keeper that does not end is killed."""
        if self._process is None or self._ended.is_set():
            return
        self._process.send_signal(signal.SIGINT)
        with trio.move_on_after(END_TIMEOUT_S):
            await self._ended.wait()
            return
        await self.kill()

    async def _wait_ready(self) -> None:
        with trio.move_on_after(READY_TIMEOUT_S):
            await self._ready.wait()
            if self._is_ready:
                return
        last = " ".join(notice.text.strip() for notice in self.notices[-_LAST_WORDS:])
        raise DrillError(f"the keeper under drill did not start: {last or 'it said nothing'}")

    async def _read_log(self, process: trio.Process) -> None:
        assert process.stderr is not None  # a pipe, as asked for
        async with aclosing(_lines(process.stderr)) as lines:
            async for line in lines:
                notice = notice_of(line, self.monitor.now_s())
                if notice is not None:
                    self.notices.append(notice)
                    if notice.event == _READY_EVENT:
                        self._is_ready = True
                        self._ready.set()
        self._ready.set()  # it ended: whoever waits for it looks

    async def _read_report(self, process: trio.Process) -> None:
        assert process.stdout is not None
        text = b"".join([bytes(chunk) async for chunk in process.stdout])
        if text.strip():
            self.reports.append(json.loads(text))


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncGenerator[str]:
    rest = b""
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


async def _kill(process: trio.Process) -> None:
    """Leave nothing behind, whatever ended us."""
    with trio.CancelScope(shield=True):
        if process.poll() is None:
            process.kill()
            await process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            await pipe.aclose()
