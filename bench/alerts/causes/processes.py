"""What befalls the processes themselves: killed, wedged, without a disk, without anybody who hears them."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from bench.alerts.cause import Cause
from bench.alerts.scene import Scene, Script, on_machine, on_stage
from bench.alerts.settings import BUSY, SLOW
from keeper.drills.faults import Family, Refuse
from keeper.drills.proxy import HOST
from keeper.monitor.alarms import open_alarms
from keeper.monitor.sink_config import SinkConfig

_DEAD_S: Final = 20.0
_TASK: Final = "balances"
_MIB: Final = 1 << 20
_DISK_MIB: Final = 1_100
"""Enough to begin with: operators are told below 1,024."""
_STOPPED_S: Final = 1.6
_RUNNING_S: Final = 0.4
_LOCKED_S: Final = 0.16
_FREE_S: Final = 0.07
"""A commit waits for a quarter of a second at most, and looks every twentieth."""


async def _kill(scene: Scene) -> None:
    scene.cause()
    await scene.keeper.kill()
    await scene.fires()
    await scene.stage.hold(_DEAD_S)
    scene.mend()
    await scene.nursery.start(scene.keeper.live)


async def _end_one_task(scene: Scene) -> None:
    scene.cause()
    scene.task.process.progress.cancel(_TASK)
    await scene.fires()
    scene.mend()
    await scene.stage.restart_keeper(down_s=1.0)


def _fills_the_disk(mib: int) -> Script:
    """A file takes so much of a small file system under the state, until it is removed. Needs to be root."""

    async def script(scene: Scene) -> None:
        folder = scene.folder / "state"
        folder.mkdir(exist_ok=True)
        with _small_disk(folder):
            await scene.stage.hold(5)
            scene.cause()
            big = folder / "big"
            big.write_bytes(bytes(mib * _MIB))
            await scene.fires()
            scene.mend()
            big.unlink()
            await scene.is_over()

    return script


@contextmanager
def _small_disk(folder: Path) -> Generator[None]:
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MIB}M", "tmpfs"]
    subprocess.run(["/usr/bin/mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", str(folder)], check=True)


async def _stop_and_go(scene: Scene) -> None:
    """Give the keeper's process a processor for a fifth of the time only."""
    pid = scene.child.pid

    async def starve() -> None:
        try:
            while True:
                os.kill(pid, signal.SIGSTOP)
                await trio.sleep(_STOPPED_S)
                os.kill(pid, signal.SIGCONT)
                await trio.sleep(_RUNNING_S)
        finally:
            os.kill(pid, signal.SIGCONT)

    scene.cause()
    await scene.fires_while(starve)
    scene.mend()


async def _hold_the_lock(scene: Scene) -> None:
    """Let another process write to the keeper's database most of the time."""
    (path,) = (scene.folder / "state").glob("keeper-*.db")
    other = sqlite3.connect(path, isolation_level=None, timeout=10)

    async def write() -> None:
        while True:
            other.execute("BEGIN IMMEDIATE")
            try:
                await trio.sleep(_LOCKED_S)
            finally:
                other.execute("ROLLBACK")
            await trio.sleep(_FREE_S)

    scene.cause()
    await scene.fires_while(write)
    scene.mend()
    other.close()


@dataclass(slots=True)
class _Pager:
    """Somebody's webhook: it takes every notice, and answers none as long as it hangs."""

    answers: trio.Event = field(default_factory=trio.Event)

    async def take(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()
            await self.answers.wait()
            await stream.send_all(
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        await trio.aclose_forcefully(stream)


async def _hang_the_pager(scene: Scene) -> None:
    """Let something happen that people should be told of, while the one sink hangs."""
    pager = _Pager()
    listener, *_ = await trio.open_tcp_listeners(0, host=HOST)
    scene.nursery.start_soon(trio.serve_listeners, pager.take, [listener])
    port = listener.socket.getsockname()[1]
    sink = SinkConfig(kind="webhook", name="pager", url=f"http://{HOST}:{port}/", deadline_s=5.0)
    async with open_alarms([sink], scene.folder, scene.stage.settings.slot_s) as alarms:
        scene.monitor.bell = alarms
        scene.cause()
        scene.stage.break_wire(Family.STREAM, Refuse())
        await scene.fires()
        scene.mend()
        scene.stage.break_wire(Family.STREAM)
        pager.answers.set()
        await scene.is_over()
        scene.monitor.bell = None


async def _hang_the_disk(scene: Scene) -> None:
    """Let the disk take what is to be committed, and not answer."""
    scene.cause()
    for store in scene.task.stores.stores:
        store.answers = trio.Event()
    await scene.fires()
    scene.mend()
    for store in scene.task.stores.stores:
        store.answers.set()


CAUSES: Final = (
    Cause(
        rule="service_failed",
        how="the keeper is killed, and started again",
        run=on_stage("service_failed", _kill, SLOW),
        is_quick=True,
    ),
    Cause(
        rule="task_ended",
        how="the task that reads balances ends alone; the keeper is started anew",
        run=on_stage("task_ended", _end_one_task, SLOW),
    ),
    Cause(
        rule="event_loop_late",
        how="the keeper's process has a processor for 0.4 s of every 2 s",
        run=on_machine("event_loop_late", _stop_and_go, SLOW),
    ),
    Cause(
        rule="commits_slow",
        how="another process holds the database's write lock two thirds of the time",
        run=on_machine("commits_slow", _hold_the_lock, BUSY),
    ),
    Cause(
        rule="disk_low",
        how="200 MiB are written to a disk of 1,100, and removed",
        run=on_stage("disk_low", _fills_the_disk(200), SLOW),
    ),
    Cause(
        rule="disk_full",
        how="900 MiB are written to a disk of 1,100, and removed",
        run=on_stage("disk_full", _fills_the_disk(900), SLOW),
        also=frozenset({"disk_low"}),
    ),
    Cause(
        rule="task_stuck",
        how="the disk does not answer a commit",
        run=on_stage("task_stuck", _hang_the_disk, BUSY),
        also=frozenset({"work_overdue", "lane_stalled"}),
    ),
    Cause(
        rule="alerts_undelivered",
        how="a webhook takes notices and never answers, while the stream is lost",
        run=on_stage("alerts_undelivered", _hang_the_pager, SLOW),
        also=frozenset({"price_source_failing"}),
    ),
)
