"""`incentives follow` beside the sandbox: the other service of the platform, as a process of its own.

Shell. The two know each other by the chain, keeper.toml and the folder of manifests; all that is known of it here is its
command line and the one JSON object that it ends with. When the keeper has drained, it gets time to read what has been
finalized by then. A keeper killed with -9 closes its stdin, and so ends it too.
"""

import json
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import structlog
import trio

from keeper.config import Config, pay_rules
from keeper.sandbox.children import end_process, forward_log, lines_of

FINISH_TIMEOUT_S: Final = 90.0
"""For reading to the end; what it has not read by then stays in the chain."""
_LAST_LINES: Final = 20

log = structlog.get_logger()


def command_line(config: Config, path: Path) -> list[str]:
    """Return the command that follows this sandbox.

    Args:
        config: with the sandbox's addresses and folders.
        path: of keeper.toml, which has the rules.
    """
    urls = [word for url in config.cluster.rpc_urls for word in ("--rpc-url", url)]
    return [
        *(sys.executable, "-m", "incentives.cli.main", "follow", "--config", str(path), *urls),
        *("--folder", str(config.state.folder), "--manifests", str(pay_rules(config).folder)),
        *("--json", "--until-stdin-closes"),
    ]


async def run_follower(
    command: list[str],
    finish: trio.Event,
    said: trio.MemorySendChannel[Mapping[str, Any]],
) -> None:
    """Run it until `finish` is set and it has read to the end; hand over what it says last.

    That it ends by itself stops no keeper: it is logged, and stands in the report.
    """
    process = await trio.lowlevel.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert process.stdin is not None  # pipes, as asked for above
    assert process.stdout is not None
    assert process.stderr is not None
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    report: list[str] = []
    is_early = False
    log.info("follower.started", pid=process.pid)
    try:
        with said:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(forward_log, process.stderr, last_lines, "follower.said")
                nursery.start_soon(_keep_lines, process.stdout, report)
                nursery.start_soon(_finish, process, finish, nursery.cancel_scope)
                await process.wait()
                is_early = not finish.is_set()
                finish.set()
            # Not before all of its words are heard.
            if is_early:
                log.error("follower.ended", status=process.returncode, words=_words(last_lines))
            said.send_nowait(_report(report, last_lines, process.returncode))
    finally:
        await end_process(process)


async def _keep_lines(stream: trio.abc.ReceiveStream, kept: list[str]) -> None:
    async with aclosing(lines_of(stream)) as lines:
        kept += [line async for line in lines]


async def _finish(process: trio.Process, finish: trio.Event, scope: trio.CancelScope) -> None:
    await finish.wait()
    assert process.stdin is not None
    await process.stdin.aclose()
    with trio.move_on_after(FINISH_TIMEOUT_S) as patience:
        await process.wait()
    if patience.cancelled_caught:
        log.warning("follower.unfinished", after_s=FINISH_TIMEOUT_S)
        scope.cancel(reason="the follower takes too long to finish")


def _report(lines: list[str], last_lines: deque[str], status: int | None) -> Mapping[str, Any]:
    """Return the object of its last line, or why there is none."""
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        found = None
    if isinstance(found, dict):
        return found
    return {"error": f"incentives follow ended with status {status}: {_words(last_lines)}"}


def _words(last_lines: deque[str]) -> str:
    return last_lines[-1] if last_lines else "it said nothing"
