"""A service tells its figures: once a second, and a last time when it ends as it should.

Shell.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog
import trio

from state.process_figures import Process
from state.sample import Sample
from state.sample_board import SampleBoard
from state.sample_socket import SAMPLE_INTERVAL_S, serve_samples

_GIVE_UP_S: Final = 2.0
"""A service that ends waits no longer than this for its readers."""

log = structlog.get_logger()


class Gather(Protocol):
    """Makes a sample of now."""

    def __call__(self, sequence: int, *, is_last: bool) -> Sample:
        """Give it this number; `is_last` says that the service stops."""
        ...


async def tell_samples(path: Path, gather: Gather, process: Process, over: trio.Event) -> None:
    """Tell a sample a second at `path` until `over` is set, and then the last one.

    A socket that cannot be made stops no service: it is logged, and nothing is told.
    """
    board = SampleBoard()
    async with trio.open_nursery() as serving:
        try:
            await serving.start(serve_samples, path, board)
        except OSError as error:
            log.warning("figures.untold", path=str(path), reason=str(error))
            return
        async with trio.open_nursery() as napping:
            napping.start_soon(process.lag.measure)
            sequence = 1
            while not over.is_set():
                _publish(board, partial(gather, sequence, is_last=False), process)
                sequence += 1
                with trio.move_on_after(SAMPLE_INTERVAL_S):
                    await over.wait()
            napping.cancel_scope.cancel(reason="nothing is told any more")
        _publish(board, partial(gather, sequence, is_last=True), process)
        serving.cancel_scope.deadline = trio.current_time() + _GIVE_UP_S


def _publish(board: SampleBoard, gather: Callable[[], Sample], process: Process) -> None:
    began_s = time.thread_time()
    try:
        board.publish(gather())
    except (
        Exception
    ):  # no task lies below: what cannot be told stops nobody who keeps, and silence is seen
        log.exception("figures.ungathered")
    process.telling_cpu_s += time.thread_time() - began_s
