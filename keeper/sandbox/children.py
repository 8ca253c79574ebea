"""What processes that a run starts have in common: their log joins ours, and they end with us.

Shell.
"""

import json
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import structlog
import trio

TERMINATE_TIMEOUT_S: Final = 5.0
CLICK_ERROR: Final = "Error: "
"""With which click's last words begin."""

log = structlog.get_logger()


async def forward_log(stream: trio.abc.ReceiveStream, last_lines: deque[str], event: str) -> None:
    """Log what a child logs: warning and above as warnings, all else at debug.

    Args:
        stream: the child's stderr.
        last_lines: keeps the newest, for an epitaph.
        event: the name of our lines.
    """
    async with aclosing(lines_of(stream)) as lines:
        async for line in lines:
            last_lines.append(line)
            if line.startswith(CLICK_ERROR):
                continue  # its epitaph has it
            if _level_of(line) in {"warning", "error", "critical"}:
                log.warning(event, line=line)
            else:
                log.debug(event, line=line)


async def lines_of(stream: trio.abc.ReceiveStream) -> AsyncGenerator[str]:
    """Yield a stream's lines, the last one also without its end."""
    rest = b""
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _level_of(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return "error"  # no log line of ours: a traceback, or click's last words
    return str(entry.get("level", "")) if isinstance(entry, dict) else "error"


async def end_process(process: trio.Process) -> None:
    """Ask a child to end, then make it; and let go of the pipes."""
    with trio.move_on_after(TERMINATE_TIMEOUT_S, shield=True):
        if process.returncode is None:
            process.terminate()
            await process.wait()
    with trio.move_on_after(TERMINATE_TIMEOUT_S, shield=True):
        if process.returncode is None:
            process.kill()
            await process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                await pipe.aclose()
