"""`keeper monitor` beside a keeper, as a process of its own.

Shell. It holds on to nothing of the keeper's but the other end of its stdin: a keeper that is killed lets go of that too, and
the monitor then stays for a while to say so. So nothing here ends it unless the keeper itself ends in order.
"""

import json
import sys
from collections import deque
from contextlib import aclosing
from pathlib import Path
from subprocess import PIPE
from typing import Final

import structlog
import trio

from keeper.config import Config
from keeper.sandbox.children import end_process, forward_log, lines_of

_FINISH_S: Final = 10.0
"""For telling everybody that the keeper ended in order."""
_LAST_LINES: Final = 20

log = structlog.get_logger()


def command_line(config: Config, path: Path, *, has_incentives: bool) -> list[str]:
    """Return the command that monitors this run.

    Args:
        config: with the folder of state in effect.
        path: of keeper.toml, which has the rest.
        has_incentives: whether `incentives follow` runs beside it.
    """
    return [
        *(sys.executable, "-m", "keeper.cli.main", "monitor", "--config", str(path)),
        *("--folder", str(config.state.folder), "--until-stdin-closes"),
        *(() if has_incentives else ("--no-incentives",)),
    ]


async def run_monitor_child(command: list[str], finish: trio.Event) -> None:
    """Run it until `finish` is set and it has told everybody.

    That it ends by itself stops no keeper: it is logged. Cancelled before `finish`, it is left to say that the keeper failed.
    """
    process = await trio.lowlevel.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert process.stdin is not None  # pipes, as asked for above
    assert process.stdout is not None
    assert process.stderr is not None
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    log.info("monitor.started", pid=process.pid)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(forward_log, process.stderr, last_lines, "monitor.said")
            nursery.start_soon(_tell_url, process.stdout)
            async with trio.open_nursery() as ending:
                ending.start_soon(_finish, process, finish)
                await process.wait()
                ending.cancel_scope.cancel(reason="the monitor has ended")
        # Not before all of its words are heard.
        if not finish.is_set():
            words = last_lines[-1] if last_lines else "it said nothing"
            log.error("monitor.lost", status=process.returncode, words=words)
    finally:
        if finish.is_set() or process.returncode is not None:
            await end_process(process)
        else:
            for pipe in (process.stdin, process.stdout, process.stderr):
                assert isinstance(pipe, trio.lowlevel.FdStream)
                pipe.close()


async def _tell_url(stream: trio.abc.ReceiveStream) -> None:
    async with aclosing(lines_of(stream)) as lines:
        async for line in lines:
            log.info("monitor.opened", url=json.loads(line)["url"])


async def _finish(process: trio.Process, finish: trio.Event) -> None:
    await finish.wait()
    assert process.stdin is not None
    # The run is over as soon as this is all that is left of it.
    with trio.move_on_after(_FINISH_S, shield=True):
        await process.stdin.aclose()
        await process.wait()
        return
    log.warning("monitor.unfinished", after_s=_FINISH_S)
    process.terminate()
