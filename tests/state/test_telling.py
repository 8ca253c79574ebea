import os

import pytest
import trio
from structlog.testing import capture_logs

from state.commit_counts import CommitCounts
from state.process_figures import Process
from state.progress import Progress
from state.sample import Sample
from state.sample_socket import read_samples, socket_path
from state.systemd import tell_systemd, watchdog_interval_s
from state.telling import tell_samples

_HANG_S = 20.0


def gather(sequence, *, is_last):
    return Sample(service="keeper", sequence=sequence, is_last=is_last)


def process_at(folder):
    return Process(service="keeper", folder=folder, progress=Progress(), commits=CommitCounts())


async def test_a_service_tells_until_it_is_over_and_then_the_last_time(tmp_path):
    path, over, heard = socket_path(tmp_path / "var", "keeper"), trio.Event(), []
    with trio.fail_after(_HANG_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell_samples, path, gather, process_at(tmp_path), over)
            async with read_samples(path, retry_s=0.01) as samples:
                heard.append(await anext(samples))
                over.set()
                heard.append(await anext(samples))
    assert [(each.sequence, each.is_last) for each in heard] == [(1, False), (2, True)]


async def test_a_service_that_breaks_says_no_last_word(tmp_path):
    path, heard = socket_path(tmp_path, "keeper"), []

    async def listen(task_status):
        async with read_samples(path, retry_s=0.01) as samples:
            heard.append(await anext(samples))
            task_status.started()
            heard.extend([sample async for sample in samples])

    async with trio.open_nursery() as outer:
        with trio.fail_after(_HANG_S), pytest.RaisesGroup(ZeroDivisionError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell_samples, path, gather, process_at(tmp_path), trio.Event())
                await outer.start(listen)
                raise ZeroDivisionError
        await trio.testing.wait_all_tasks_blocked()
        outer.cancel_scope.cancel()
    assert not any(each.is_last for each in heard)
    assert not path.exists()


async def test_a_figure_that_cannot_be_told_stops_nobody_and_is_logged(mock_clock, tmp_path):
    path, over, tried = socket_path(tmp_path, "keeper"), trio.Event(), []

    def fail(sequence, *, is_last):
        tried.append((sequence, is_last))
        raise KeyError("lane")

    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell_samples, path, fail, process_at(tmp_path), over)
            while not tried:  # the socket is made by a thread, which no virtual clock sees
                await trio.lowlevel.checkpoint()
            mock_clock.autojump_threshold = 0
            await trio.sleep(2.5)
            over.set()
    assert tried == [(1, False), (2, False), (3, False), (4, True)]
    assert {"figures.ungathered"} == {line["event"] for line in logs}


async def test_a_socket_that_cannot_be_made_stops_nobody_and_is_logged(tmp_path):
    (tmp_path / "file").touch()
    path = socket_path(tmp_path / "file", "keeper")
    with capture_logs() as logs:
        await tell_samples(path, gather, process_at(tmp_path), trio.Event())
    assert [(line["event"], line["path"]) for line in logs] == [("figures.untold", str(path))]


async def test_systemd_hears_that_it_is_ready_that_the_loop_turns_and_that_it_stops(tmp_path):
    path = tmp_path / "notify"
    ready, stopping = trio.Event(), trio.Event()
    listening = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM)
    await listening.bind(str(path))
    environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "20000"}
    with listening, trio.fail_after(_HANG_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell_systemd, ready, stopping, environment)
            await trio.testing.wait_all_tasks_blocked()
            ready.set()
            heard = [await listening.recv(64) for _ in range(4)]
            assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            stopping.set()
            while (word := await listening.recv(64)) == b"WATCHDOG=1":
                pass
            assert word == b"STOPPING=1"
            # A drain takes its time, and the loop still turns.
            assert await listening.recv(64) == b"WATCHDOG=1"
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all", "@nobody-listens-there"])
async def test_without_systemd_nothing_is_told(address):
    environment = {} if address is None else {"NOTIFY_SOCKET": address}
    with trio.fail_after(_HANG_S), capture_logs() as logs:
        await tell_systemd(trio.Event(), trio.Event(), environment)
    assert bool(address) == bool(logs)


@pytest.mark.parametrize(
    ("given", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_asks(given, interval_s):
    assert watchdog_interval_s(given, os.getpid()) == interval_s
