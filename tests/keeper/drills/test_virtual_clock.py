"""Time that passes when nothing else is left to do."""

import time

import pytest
import trio

from keeper.drills.virtual_clock import VirtualClock, pass_time


@pytest.fixture
def clock():
    return VirtualClock()  # pytest-trio runs the test on it


async def test_a_day_of_sleep_takes_no_time(clock, nursery):
    await nursery.start(pass_time, clock)
    before_s = time.perf_counter()
    await trio.sleep(86_400)
    assert 86_400 == trio.current_time()
    assert time.perf_counter() - before_s < 1


async def test_sleepers_wake_in_the_order_of_their_deadlines(clock, nursery):
    await nursery.start(pass_time, clock)
    woken = []

    async def sleep(duration_s):
        await trio.sleep(duration_s)
        woken.append((duration_s, trio.current_time()))

    async with trio.open_nursery() as sleepers:
        for duration_s in (3, 1, 2, 1_000):
            sleepers.start_soon(sleep, duration_s)
    assert [(1, 1), (2, 2), (3, 3), (1_000, 1_000)] == woken


async def test_no_time_passes_while_a_thread_works(clock, nursery):
    await nursery.start(pass_time, clock)
    with trio.fail_after(0.001):
        assert 42 == await trio.to_thread.run_sync(lambda: time.sleep(0.05) or 42)
    assert 0 == trio.current_time()


async def test_no_time_passes_while_a_task_has_something_to_do(clock, nursery):
    await nursery.start(pass_time, clock)
    with trio.fail_after(0.001):
        for _ in range(1_000):
            await trio.lowlevel.checkpoint()
    assert 0 == trio.current_time()


async def test_without_a_deadline_it_waits_for_the_world_outside(clock, nursery):
    await nursery.start(pass_time, clock)
    done = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def call_later():
        time.sleep(0.01)
        token.run_sync_soon(done.set)

    async with trio.open_nursery() as callers:
        callers.start_soon(trio.to_thread.run_sync, call_later)
        await done.wait()
    assert 0 == trio.current_time()


def test_time_does_not_go_back():
    with pytest.raises(ValueError, match="time does not go back"):
        VirtualClock().advance(-1)
