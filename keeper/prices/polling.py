"""Poll every followed token once per interval, in calls of so many tokens, for ever.

Shell. A failed call is told and ends nothing; a round that overruns starts the next at once.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from keeper.newest import Newest
from keeper.prices.errors import HeldBackError, VenueError
from keeper.prices.price import SourceName, TokenId
from keeper.prices.source import Hearing

_CALLS_AT_ONCE: Final = 4
"""Per source: well under the published limits, which delay before they reject."""


async def poll_for_ever(
    hearing: Hearing,
    followed: Newest[tuple[TokenId, ...]],
    source: SourceName,
    tokens_per_call: int,
    interval_s: float,
    poll: Callable[[Sequence[TokenId]], Awaitable[None]],
) -> None:
    """Poll in rounds. What is followed is read anew at each.

    Args:
        hearing: told of every success and failure, and of rounds in which nothing answered.
        followed: the tokens; the first round waits for them.
        source: in whose name this is told.
        tokens_per_call: at most so many a call.
        interval_s: from the start of one round to the start of the next.
        poll: makes one call, tells what it brought, and raises VenueError when it failed.

    """
    await followed.wait_newer(0)
    due_s = trio.current_time()
    is_answering = True
    while True:
        tokens = followed.get() or ()
        chunks = [
            tokens[at : at + tokens_per_call] for at in range(0, len(tokens), tokens_per_call)
        ]
        ends = await _poll_round(hearing, source, chunks, poll, is_answering=is_answering)
        is_answering = bool(ends.answered) or not chunks
        if ends.failed and not ends.answered:
            hearing.miss(source)
        due_s = max(due_s + interval_s, trio.current_time())
        await trio.sleep_until(due_s)


@dataclass(slots=True)
class _RoundEnds:
    """How the calls of one round ended."""

    answered: int = 0
    failed: int = 0
    held_back: int = 0
    """Not made at all: neither a failure of the source nor an answer."""


async def _poll_round(
    hearing: Hearing,
    source: SourceName,
    chunks: Sequence[Sequence[TokenId]],
    poll: Callable[[Sequence[TokenId]], Awaitable[None]],
    *,
    is_answering: bool,
) -> _RoundEnds:
    limiter = trio.CapacityLimiter(_CALLS_AT_ONCE)
    ends = _RoundEnds()

    async def poll_chunk(chunk: Sequence[TokenId]) -> None:
        async with limiter:
            try:
                await poll(chunk)
            except HeldBackError as error:
                ends.held_back += 1
                if (
                    ends.held_back == 1
                ):  # Told once a round, not once for each call that was not made.
                    hearing.fail(source, error)
            except VenueError as error:
                ends.failed += 1
                hearing.fail(source, error)
            else:
                ends.answered += 1
                hearing.succeed(source)

    ahead, rest = chunks[:0], chunks
    if not is_answering:
        # After a round without an answer one call goes ahead: as the breaker's probe it decides whether the rest may.
        ahead, rest = chunks[:1], chunks[1:]
    for chunk in ahead:
        await poll_chunk(chunk)
    async with trio.open_nursery() as nursery:
        for chunk in rest:
            nursery.start_soon(poll_chunk, chunk)
    return ends
