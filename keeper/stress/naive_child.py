"""The baseline keeper as a process.

Shell.
"""

import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Final

import trio
from solders.pubkey import Pubkey

from keeper.errors import StressError
from keeper.stress.naive import READY

_READY_WITHIN_S: Final = 30.0


async def run_naive(
    config: Path,
    quote_mint: Pubkey,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run it until cancelled; started once it keeps.

    Raises:
        StressError: it did not come up, or ended by itself.
    """
    command = [sys.executable, "-m", "keeper.stress.naive", str(config), str(quote_mint)]
    process = await trio.lowlevel.open_process(
        command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, start_new_session=True
    )
    try:
        said = b""
        assert process.stdout is not None, "a pipe, as asked for"
        with trio.move_on_after(_READY_WITHIN_S):
            while READY.encode() not in said and (chunk := await process.stdout.receive_some()):
                said += bytes(chunk)
        if READY.encode() not in said:
            raise StressError("the keeper without priorities did not come up")
        task_status.started()
        status = await process.wait()
        raise StressError(f"the keeper without priorities ended by itself, with {status}")
    finally:
        with trio.CancelScope(shield=True):
            if process.poll() is None:
                process.kill()
                await process.wait()
            assert process.stdout is not None, "a pipe, as asked for"
            await process.stdout.aclose()
