"""Connections have bounds: in number, and in how long a write may take."""

import pytest
import trio
from trio.testing import lockstep_stream_pair, wait_all_tasks_blocked

from programs.localnet.listen import SEND_TIMEOUT_S, BoundedListener, BoundedStream, open_pair


async def test_a_write_that_nobody_reads_closes_the_connection(autojump_clock):
    ours, theirs = lockstep_stream_pair()
    stream = BoundedStream(ours, trio.Semaphore(0))
    started_s = trio.current_time()
    with pytest.raises(trio.BrokenResourceError, match="does not read"):
        await stream.send_all(b"x" * 1_000)
    assert trio.current_time() - started_s == SEND_TIMEOUT_S
    await theirs.aclose()


async def test_a_shielded_write_ends_all_the_same(autojump_clock):
    """As hypercorn writes: what is around it cannot cancel it."""
    ours, theirs = lockstep_stream_pair()
    stream = BoundedStream(ours, trio.Semaphore(0))
    with (
        trio.move_on_after(0.1),
        trio.CancelScope(shield=True),
        pytest.raises(trio.BrokenResourceError),
    ):
        await stream.send_all(b"x" * 1_000)
    await theirs.aclose()


async def test_a_closed_connection_gives_its_place_back_once():
    places = trio.Semaphore(0)
    ours, theirs = lockstep_stream_pair()
    stream = BoundedStream(ours, places)
    await stream.aclose()
    await stream.aclose()
    assert places.value == 1
    await theirs.aclose()


async def test_connections_beyond_the_bound_wait_for_a_place(nursery):
    places = trio.Semaphore(1)
    (plain,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with BoundedListener(plain, places) as listener:
        clients = [await trio.open_tcp_stream("127.0.0.1", listener.port) for _ in range(2)]
        accepted = []

        async def accept_all():
            while len(accepted) < len(clients):
                accepted.append(await listener.accept())

        nursery.start_soon(accept_all)
        with trio.fail_after(20):
            while not accepted:
                await wait_all_tasks_blocked(0.001)
        await wait_all_tasks_blocked(0.01)
        assert len(accepted) == 1
        await accepted[0].aclose()
        with trio.fail_after(20):
            while len(accepted) == 1:
                await wait_all_tasks_blocked(0.001)
        for stream in (*clients, accepted[1]):
            await stream.aclose()


async def test_a_cancelled_accept_gives_its_place_back():
    places = trio.Semaphore(1)
    (plain,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with BoundedListener(plain, places) as listener:
        with trio.move_on_after(0.01):
            await listener.accept()
    assert places.value == 1


async def test_a_pair_of_free_ports_lies_side_by_side():
    http, ws = await open_pair("127.0.0.1", 0, None)
    async with http, ws:
        assert ws.port == http.port + 1


async def test_the_ports_asked_for_are_the_ports_taken():
    http, ws = await open_pair("127.0.0.1", 0, 0)
    taken = (http.port, ws.port)
    for listener in (http, ws):
        await listener.aclose()
    http, ws = await open_pair("127.0.0.1", *taken)
    async with http, ws:
        assert (http.port, ws.port) == taken
