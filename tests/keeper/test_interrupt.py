import os
import signal

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from keeper.errors import AbandonedError
from keeper.interrupt import obey_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_the_first_signal_drains_and_the_second_does_not_wait(number):
    stop, working = trio.Event(), trio.Event()
    working.set()
    with capture_logs() as logs, pytest.RaisesGroup(AbandonedError) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey_signals, stop, working)
            await trio.testing.wait_all_tasks_blocked()
            os.kill(os.getpid(), number)
            await stop.wait()
            os.kill(os.getpid(), number)

    assert [number.name] == [line["signal"] for line in logs]
    assert caught.value.exceptions[0].number == number


async def test_a_signal_before_any_work_does_not_wait():
    with pytest.RaisesGroup(AbandonedError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey_signals, trio.Event(), trio.Event())
            await trio.testing.wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGTERM)


async def test_a_keeper_under_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey_signals, trio.Event(), trio.Event())
            await trio.testing.wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGHUP)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    finally:
        signal.signal(signal.SIGHUP, before)
