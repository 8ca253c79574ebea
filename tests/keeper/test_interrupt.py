import os
import signal
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from keeper.errors import AbandonedError
from keeper.interrupt import Orders, obey_signals


@asynccontextmanager
async def obeying(orders):
    """Listen for signals until the block ends."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(obey_signals, orders)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_drains_and_the_second_does_not_wait(number):
    orders = Orders()
    orders.working.set()
    with capture_logs() as logs, pytest.RaisesGroup(AbandonedError) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey_signals, orders)
            await trio.testing.wait_all_tasks_blocked()
            os.kill(os.getpid(), number)
            await orders.stop.wait()
            os.kill(os.getpid(), number)

    assert [number.name] == [line["signal"] for line in logs]
    assert caught.value.exceptions[0].number == number


async def test_a_signal_before_any_work_does_not_wait():
    with pytest.RaisesGroup(AbandonedError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey_signals, Orders())
            await trio.testing.wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("is_ignored", [True, False])
async def test_sighup_rereads_the_settings_under_nohup_and_without_a_terminal(is_ignored):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
    orders = Orders()
    try:
        async with obeying(orders):
            os.kill(os.getpid(), signal.SIGHUP)
            _, asked_by = await orders.rereads.wait_newer(0)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "SIGHUP" == asked_by
    assert not orders.stop.is_set()
