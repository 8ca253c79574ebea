import pytest
import trio
from structlog.testing import capture_logs

from keeper.prices.board import PriceBoard
from keeper.prices.buckets import CallLimits
from keeper.prices.endpoints import Endpoint
from keeper.prices.errors import HeldBackError, TimedOutError, VenueError, bad_status
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gate import Gate
from programs.breaker import BreakerState

CONFIG = FeedConfig(breaker_failures=2, breaker_probe_ms=1_000, breaker_probe_max_ms=8_000)


def gate_of(board, config=CONFIG):
    return Gate(config, board, draw=lambda: 0.5)


async def call(gate, error=None, endpoint=Endpoint.BOOKS):
    """Make a call that ends so, and tell whether it was made."""
    try:
        async with gate.admitted(endpoint):
            if error is not None:
                raise error
    except HeldBackError:
        return False
    except VenueError:
        return True
    return True


async def test_a_breaker_opens_probes_and_closes_and_each_change_is_told_once(autojump_clock):
    board = PriceBoard()
    gate = gate_of(board)
    with capture_logs() as told:
        for _ in range(2):
            assert await call(gate, TimedOutError("slow"))
        assert board.statistics().breakers == {"clob.books": BreakerState.OPEN}
        assert not await call(gate)
        await trio.sleep(1)
        assert await call(gate, TimedOutError("slow"))
        await trio.sleep(1)
        assert not await call(gate)
        await trio.sleep(1)
        assert await call(gate)
        assert await call(gate)
    assert board.statistics().breakers == {"clob.books": BreakerState.CLOSED}
    assert [(one["event"], one["openings"], one["since_ms"]) for one in told] == [
        ("breaker.opened", 1, 0),
        ("breaker.probing", 1, 1_000),
        ("breaker.opened", 2, 1_000),
        ("breaker.probing", 2, 3_000),
        ("breaker.closed", 2, 3_000),
    ]
    assert {(one["endpoint"], one["reason"]) for one in told} == {("clob.books", "timeout")}


async def test_hours_of_an_outage_are_a_dozen_lines(autojump_clock):
    gate = gate_of(PriceBoard())
    with capture_logs() as told:
        until_s = trio.current_time() + 6 * 3_600
        while trio.current_time() < until_s:
            await call(gate, TimedOutError("slow"))
            await trio.sleep(2)
    assert 12 <= len(told) <= 26


async def test_while_one_call_probes_the_others_are_held_back(autojump_clock):
    gate = gate_of(PriceBoard())
    for _ in range(2):
        await call(gate, TimedOutError("slow"))
    await trio.sleep(1)
    async with gate.admitted(Endpoint.BOOKS):
        assert not await call(gate)
        assert await call(gate, endpoint=Endpoint.TIME)
    assert await call(gate)


@pytest.mark.parametrize(
    ("status", "retry_after_ms", "held_s"),
    [(429, None, 1), (429, 30_000, 30), (403, None, 8), (503, 5_000, 5), (425, None, 0), (500, None, 0)],
)  # fmt: skip
async def test_what_a_status_asks_for_is_granted(status, retry_after_ms, held_s, autojump_clock):
    gate = gate_of(PriceBoard())
    error = bad_status("url", status, "", retry_after_ms=retry_after_ms)
    assert await call(gate, error)
    if held_s:
        await trio.sleep(held_s - 0.001)
        assert not await call(gate)
        await trio.sleep(0.002)
    assert await call(gate)


async def test_calls_above_a_limit_wait_their_turn_and_are_counted(autojump_clock):
    board = PriceBoard()
    config = FeedConfig(limits=CallLimits(books_per_10_s=8))
    gate = gate_of(board, config)
    begun_s = trio.current_time()
    ended_s = []

    async def one_call():
        await call(gate)
        ended_s.append(trio.current_time() - begun_s)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(one_call)
        nursery.start_soon(call, gate, None, Endpoint.TIME)
    # Two at once, then six in ten seconds.
    assert ended_s == pytest.approx([0, 0, 10 / 6, 20 / 6, 30 / 6], abs=0.01)
    assert board.statistics().delays_ms == {"clob.books": pytest.approx(10_000, abs=20)}
    assert gate.take_turn_nowait(Endpoint.TIME)
    assert not gate.take_turn_nowait(Endpoint.BOOKS)


async def test_a_call_cancelled_while_it_waits_takes_no_turn(autojump_clock):
    gate = gate_of(PriceBoard(), FeedConfig(limits=CallLimits(books_per_10_s=4)))
    await call(gate)
    with trio.move_on_after(1):
        await call(gate)
    await trio.sleep(3)
    assert gate.take_turn_nowait(Endpoint.BOOKS)
