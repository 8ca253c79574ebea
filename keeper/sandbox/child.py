"""The sandbox as a child process: started, awaited, and ended with the keeper that runs it.

Shell. The child stands in a session of its own, so that a Ctrl-C meant for the keeper lets it drain first; it reads its
stdin until the end, so that a keeper killed with -9 takes it down too.
"""

import sys
from collections import deque
from contextlib import aclosing
from dataclasses import fields
from pathlib import Path
from subprocess import PIPE
from typing import Final

import structlog
import trio

from keeper.errors import SandboxError
from keeper.sandbox.children import CLICK_ERROR, end_process, forward_log, lines_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.endpoints import SandboxEndpoints

READY_TIMEOUT_S: Final = 60.0
_LAST_LINES: Final = 20

log = structlog.get_logger()


async def run_sandbox_child(
    config: SandboxConfig,
    keeper_keypair: Path,
    *,
    task_status: trio.TaskStatus[SandboxEndpoints] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a sandbox in another process until cancelled; reports its endpoints once it is ready.

    What the child logs at warning and above joins our log; the rest is logged at debug.

    Raises:
        SandboxError: the child did not become ready, or ended by itself; the message has its last words.
    """
    command = command_line(config, keeper_keypair)
    process = await trio.lowlevel.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert process.stdout is not None  # a pipe, as asked for above
    assert process.stderr is not None
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    is_ready = False
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(forward_log, process.stderr, last_lines, "sandbox.said")
            with trio.move_on_after(READY_TIMEOUT_S) as patience:
                ready_line = await _first_line(process.stdout)
            if patience.cancelled_caught:
                process.kill()
            elif ready_line:
                task_status.started(_endpoints(ready_line))
                is_ready = True
                log.info("sandbox.started", pid=process.pid)
            await process.wait()
    finally:
        await end_process(process)
    raise SandboxError(_epitaph(process.returncode, last_lines, is_ready=is_ready))


def command_line(config: SandboxConfig, keeper_keypair: Path) -> list[str]:
    """Return the command that runs this configuration; every setting is an option of `keeper sandbox`."""
    command = [sys.executable, "-m", "keeper.cli.sandbox"]
    for each in fields(config):
        value = getattr(config, each.name)
        if each.name != "enabled" and value is not None:
            command += [f"--{each.name.replace('_', '-')}", str(value)]
    return [*command, "--keypair", str(keeper_keypair), "--json", "--until-stdin-closes"]


def _endpoints(line: str) -> SandboxEndpoints:
    try:
        return SandboxEndpoints.from_line(line)
    except ValueError as error:
        raise SandboxError(f"the sandbox process is not of this version: {error}") from error


async def _first_line(stream: trio.abc.ReceiveStream) -> str:
    """Return the first line, "" when the stream ends without one."""
    async with aclosing(lines_of(stream)) as lines:
        async for line in lines:
            return line
    return ""


def _epitaph(status: int | None, last_lines: deque[str], *, is_ready: bool) -> str:
    said = [line.removeprefix(CLICK_ERROR) for line in last_lines if line.startswith(CLICK_ERROR)]
    if said and not is_ready:
        return said[-1]
    words = said[-1] if said else (last_lines[-1] if last_lines else "it said nothing")
    when = "while the keeper ran" if is_ready else "before it was ready"
    return f"the sandbox process ended {when} (status {status}): {words}"
