"""The proxy before an endpoint: the same on the kernel's sockets and on those in memory."""

import socket
from functools import partial

import pytest
import trio

from keeper.drills.faults import Blackhole, Cut, Drip, Garbage, Latency, Refuse
from keeper.drills.memory_net import MemoryNet
from keeper.drills.proxy import HOST, Proxy


@pytest.fixture(params=["memory", "loopback"])
async def door(request, nursery):
    """A proxy before a server that says everything twice."""

    async def serve(stream):
        try:
            async for chunk in stream:
                await stream.send_all(chunk * 2)
        except trio.BrokenResourceError:
            pass

    async def open_door():
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host=HOST))
        proxy = Proxy(target_port=listener.socket.getsockname()[1])
        await nursery.start(proxy.serve)
        return proxy

    if request.param == "loopback":
        yield await open_door()
    else:
        with MemoryNet().plugged_in():
            yield await open_door()
    nursery.cancel_scope.cancel()


async def ask(stream, text=b"echo"):
    with trio.fail_after(20):
        await stream.send_all(text)
        found = b""
        while len(found) < 2 * len(text):
            chunk = await stream.receive_some()
            if not chunk:
                break
            found += chunk
        return found


async def test_an_unbroken_door_passes_bytes_both_ways(door):
    async with await trio.open_tcp_stream(HOST, door.port) as stream:
        assert b"echoecho" == await ask(stream)
        assert b"againagain" == await ask(stream, b"again")


async def test_a_door_that_refuses_resets_what_is_open_and_opens_again_at_the_same_port(door):
    port = door.port
    async with await trio.open_tcp_stream(HOST, port) as stream:
        await ask(stream)
        door.set(Refuse())
        with trio.fail_after(20), pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
    await trio.testing.wait_all_tasks_blocked(0.01)
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream(HOST, port)
    door.set()
    await trio.testing.wait_all_tasks_blocked(0.01)
    async with await trio.open_tcp_stream(HOST, port) as stream:
        assert b"echoecho" == await ask(stream)
    assert port == door.port


async def test_a_door_told_twice_at_once_does_what_it_was_told_last(door):
    door.set(Refuse())
    door.set()
    await trio.testing.wait_all_tasks_blocked(0.01)
    async with await trio.open_tcp_stream(HOST, door.port) as stream:
        assert b"echoecho" == await ask(stream)
    door.set()
    door.set(Refuse())
    await trio.testing.wait_all_tasks_blocked(0.01)
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream(HOST, door.port)


async def test_a_cut_reply_ends_after_so_many_bytes(door):
    door.set(Cut(after_bytes=3))
    async with await trio.open_tcp_stream(HOST, door.port) as stream:
        assert b"ech" == await ask(stream)


async def test_a_cut_reply_can_end_in_a_reset(door):
    door.set(Cut(after_bytes=0, is_reset=True))
    async with await trio.open_tcp_stream(HOST, door.port) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await ask(stream)


async def test_garbage_comes_instead_of_the_reply(door):
    door.set(Garbage(data=b"\x15\x03"))
    async with await trio.open_tcp_stream(HOST, door.port) as stream:
        assert b"\x15\x03" == await ask(stream)


async def test_a_black_hole_swallows_until_it_is_mended(door):
    door.set(Blackhole())
    async with await trio.open_tcp_stream(HOST, door.port) as stream:
        await stream.send_all(b"echo")
        with trio.move_on_after(0.05) as waited:
            await stream.receive_some()
        assert waited.cancelled_caught
        door.set()
        with trio.fail_after(20):
            assert b"echoecho" == await stream.receive_some()


async def test_latency_and_drips_lose_nothing(door):
    door.set(Latency(delay_s=0.01), Drip(bytes_per_s=2_000))
    async with await trio.open_tcp_stream(HOST, door.port) as stream:
        assert b"echo" * 20 == await ask(stream, b"echo" * 10)


async def test_nobody_else_can_take_the_port(door):
    door.set(Refuse())
    await trio.testing.wait_all_tasks_blocked(0.01)
    other = trio.socket.socket()
    with other, pytest.raises(OSError, match="use"):
        await other.bind((HOST, door.port))
    assert socket.AF_INET == other.family
