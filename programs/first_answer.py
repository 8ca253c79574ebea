"""The first answer of two endpoints, of which the second is asked only when the first takes long.

Shell. An endpoint that hangs costs a read this wait, not its whole deadline; a second one that refuses makes place for a third.
"""

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Final, TypeVar

import trio

from programs.rpc import RpcFailure

T = TypeVar("T")

_AT_ONCE: Final = 2
_GROWTH: Final = 2


async def first_answer(
    ask: Callable[[int], Awaitable[T]],
    number: int,
    wait_s: float,
    another: Callable[[AbstractSet[int]], int | None],
) -> tuple[int, T, bool]:
    """Return who answered first, what, and whether `number` was still silent then; the slower one is given up.

    Args:
        ask: asks an endpoint.
        number: who is asked at once.
        wait_s: after which somebody else is asked too; each next wait is twice as long.
        another: chooses whom, given who is still silent; None: nobody now.

    Raises:
        RpcFailure: everybody asked has failed; the last reason. One who fails within the wait is alone.

    """
    found: list[tuple[int, T, bool]] = []
    failures: list[RpcFailure] = []
    silent = {number}

    async def one(who: int) -> None:
        try:
            answer = await ask(who)
        except RpcFailure as failure:
            failures.append(failure)
            silent.discard(who)
            if not silent:
                nursery.cancel_scope.cancel(reason="everybody asked has failed")
        else:
            found.append((who, answer, number in silent - {who}))
            nursery.cancel_scope.cancel(reason="answered")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, number)
        while True:
            await trio.sleep(wait_s)
            wait_s *= _GROWTH
            other = another(silent) if len(silent) < _AT_ONCE else None
            if other is not None:
                silent.add(other)
                nursery.start_soon(one, other)
    if not found:
        raise failures[-1]
    return found[0]
