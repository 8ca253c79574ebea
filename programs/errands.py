"""Calls that nobody waits for any more, and that end with the one who began them all the same."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def open_errands() -> AsyncGenerator[trio.Nursery]:
    """Open a nursery whose tasks are cancelled at the end of the block.

    What the block raises comes out as it is, in no group: the errands are no part of its story.
    """
    raised: Exception | None = None
    async with trio.open_nursery() as errands:
        try:
            yield errands
        except Exception as error:  # noqa: BLE001 - raised again below, outside the nursery that would wrap it
            raised = error
        errands.cancel_scope.cancel(reason="whoever sent them is done")
    if raised is not None:
        raise raised
