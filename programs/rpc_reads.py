"""One read with its retries: endpoint after endpoint, each at once, and the same one again only after a pause.

An endpoint that takes longer than its kind of question usually does gets company: the next good one is asked beside it.

Shell. The only retry policy there is, and only for reads: a send is repeated by whoever lands the transaction.
"""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

import tenacity
import trio

from programs.first_answer import first_answer
from programs.rpc import (
    RpcDisputed,
    RpcError,
    RpcFailure,
    RpcLeftAlone,
    RpcTimeout,
    RpcUnavailable,
)
from programs.rpc_pool import Pool
from programs.rpc_question import Question

T = TypeVar("T")


async def read(pool: Pool, question: Question[T]) -> T:
    """Ask until somebody answers.

    Raises:
        RpcFailure: nobody did, within tries and deadline; the last reason.

    """
    return await read_with(
        pool,
        lambda number: pool.ask(number, question),
        kind=None if question.is_bulky else question.method,
        extra_s=question.timeout_s or 0,
    )


async def read_with(
    pool: Pool,
    ask: Callable[[int], Awaitable[T]],
    *,
    kind: str | None,
    extra_s: float = 0,
    is_proof: bool = False,
) -> T:
    """Let one endpoint after the other answer everything that belongs together.

    Args:
        pool: whom to ask.
        ask: one try, with the number of an endpoint.
        kind: of question: how long such an answer takes is learned, and one that takes longer gets company; None: never.
        extra_s: what is added to the deadline of a single call.
        is_proof: what is asked decides what is signed: refused while endpoints contradict each other.

    Raises:
        RpcFailure: nobody answered, within tries and deadline; the last reason.

    """
    asked: set[int] = set()

    def unasked() -> list[int]:
        return [number for number in pool.book.order() if number not in asked]

    async def one_try() -> T:
        if is_proof and pool.dispute is not None:
            raise RpcDisputed(pool.dispute)
        if not unasked():
            asked.clear()
        waiting = unasked() or await _wait_allowed(pool)
        asked.add(waiting[0])
        if kind is None:
            found = await ask(waiting[0])
            pool.book.prefer(waiting[0])
            return found
        return await _ask_with_company(
            pool, ask, waiting[0], asked, kind, extra_s or pool.settings.try_timeout_s
        )

    def is_worth_retrying(error: BaseException) -> bool:
        if isinstance(error, RpcLeftAlone | RpcDisputed):
            return False
        if isinstance(error, RpcError):
            return error.is_transient or (error.is_of_this_endpoint and bool(unasked()))
        return isinstance(error, RpcUnavailable) and pool.book.free_in_s() < float("inf")

    settings = pool.settings
    pause = tenacity.wait_random_exponential(
        multiplier=settings.backoff_first_s, max=settings.backoff_max_s
    )
    retrying = tenacity.AsyncRetrying(
        # Attempts, not time: tenacity's clock is not trio's.
        stop=tenacity.stop_after_attempt(max(settings.tries, len(pool.endpoints))),
        wait=lambda state: 0 if unasked() else pause(state),
        retry=tenacity.retry_if_exception(is_worth_retrying),
        sleep=trio.sleep,
        reraise=True,
    )
    deadline_s = settings.read_deadline_s + extra_s
    try:
        with trio.fail_after(deadline_s):
            return await retrying(one_try)
    except trio.TooSlowError as error:
        names = ", ".join(endpoint.name for endpoint in pool.endpoints)
        raise RpcTimeout(f"no answer within {deadline_s:g} s from {names}") from error


async def _ask_with_company(
    pool: Pool,
    ask: Callable[[int], Awaitable[T]],
    first: int,
    asked: set[int],
    kind: str,
    timeout_s: float,
) -> T:
    """Ask one endpoint, and another good one beside it when that takes long; learn who is how fast.

    Raises:
        RpcFailure: nobody of them gave an answer.

    """
    began_s = {first: trio.current_time()}
    patience = pool.patience[kind]

    def another(silent: AbstractSet[int]) -> int | None:
        ready = [number for number in pool.book.ready() if number not in silent]
        other = next((number for number in ready if number not in asked), next(iter(ready), None))
        if other is None or not patience.spend():
            return None
        asked.add(other)
        began_s[other] = trio.current_time()
        pool.book.counts[other].asked_beside += 1
        return other

    number, found, is_outrun = await first_answer(ask, first, patience.wait_s(timeout_s), another)
    now_s = trio.current_time()
    took_s = now_s - began_s[number]
    patience.note(took_s)
    if is_outrun:
        pool.book.outrun(first, now_s - began_s[first], by=number, took_s=took_s)
    pool.book.prefer(number)
    return found


async def _wait_allowed(pool: Pool) -> list[int]:
    """Wait until an endpoint that asked to be left alone may be asked again.

    Raises:
        RpcFailure: every endpoint is set aside, or wants to be left alone for longer than there is time.

    """
    wait_s = pool.book.free_in_s()
    if trio.current_time() + wait_s >= trio.current_effective_deadline():
        raise pool.book.nobody()
    await trio.sleep(wait_s)
    return list(pool.book.order())


async def in_chunks(
    read_chunk: Callable[[Sequence[Any]], Awaitable[T]], items: Sequence[Any], size: int
) -> list[T]:
    """Read so many items at a time, all pieces at once; return what was found of each, in order.

    Raises:
        RpcFailure: a piece could not be read; the others are given up.

    """
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    if len(chunks) == 1:
        return [await read_chunk(chunks[0])]
    found: dict[int, T] = {}
    failures: list[RpcFailure] = []

    async def one(index: int, cancel: trio.CancelScope) -> None:
        try:
            found[index] = await read_chunk(chunks[index])
        except RpcFailure as failure:
            failures.append(failure)
            cancel.cancel(reason="another chunk failed")

    async with trio.open_nursery() as nursery:
        for index in range(len(chunks)):
            nursery.start_soon(one, index, nursery.cancel_scope)
    if failures:
        raise failures[0]
    return [found[index] for index in range(len(chunks))]
