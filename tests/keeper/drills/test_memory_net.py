"""In-memory sockets and the kernel's: the same checks on both."""

import errno
import socket
import struct
from functools import partial

import pytest
import trio

from keeper.drills.memory_net import MemoryNet
from keeper.drills.memory_socket import BUFFER_BYTES

HOST = "127.0.0.1"


@pytest.fixture(params=["memory", "loopback"])
async def network(request):
    if request.param == "loopback":
        yield None
        return
    net = MemoryNet()
    with net.plugged_in():
        yield net


async def listen():
    (listener,) = await trio.open_tcp_listeners(0, host=HOST)
    return listener, listener.socket.getsockname()[1]


async def pair():
    """Two ends of one connection."""
    listener, port = await listen()
    async with listener:
        client = await trio.open_tcp_stream(HOST, port)
        return client, await listener.accept()


async def send_for_ever(stream):
    while True:
        await stream.send_all(b"x")


async def read_all(stream):
    return b"".join([chunk async for chunk in stream])


async def test_bytes_arrive_in_order_and_end_when_the_sender_says_so(network):
    client, server = await pair()
    async with client, server:
        await client.send_all(b"one ")
        await client.send_all(b"two")
        await client.send_eof()
        assert b"one two" == await read_all(server)
        await server.send_all(b"still open this way")
        assert b"still open" == await client.receive_some(10)
        assert b" this way" == await client.receive_some(100)


async def test_each_end_knows_both_addresses(network):
    client, server = await pair()
    async with client, server:
        assert client.socket.getsockname() == server.socket.getpeername()
        assert client.socket.getpeername() == server.socket.getsockname()
        assert HOST == client.socket.getpeername()[0]


async def test_nobody_listening_refuses(network):
    listener, port = await listen()
    await listener.aclose()
    with pytest.raises(OSError, match="failed") as caught:
        await trio.open_tcp_stream(HOST, port)
    (cause,) = caught.value.__cause__.exceptions
    assert errno.ECONNREFUSED == cause.errno


async def test_a_port_has_one_listener(network):
    listener, port = await listen()
    async with listener:
        with pytest.raises(OSError, match="use") as caught:
            await trio.open_tcp_listeners(port, host=HOST)
        assert errno.EADDRINUSE == caught.value.errno
    again = await trio.open_tcp_listeners(port, host=HOST)
    await again[0].aclose()


async def test_a_port_is_kept_by_a_socket_that_does_not_listen_and_shared_with_one_that_does(
    network,
):
    async def bound(port):
        one = trio.socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        await one.bind((HOST, port))
        return one

    with await bound(0) as keeping:
        port = keeping.getsockname()[1]
        for _ in range(2):
            with pytest.raises(OSError, match="failed"):
                await trio.open_tcp_stream(HOST, port)
            with await bound(port) as listening:
                listening.listen()
                async with await trio.open_tcp_stream(HOST, port):
                    accepted, _ = await listening.accept()
                    accepted.close()
        with pytest.raises(OSError, match="use"):
            await trio.open_tcp_listeners(port, host=HOST)


async def test_a_connection_waits_to_be_accepted_and_what_it_sent_meanwhile_is_kept(network):
    listener, port = await listen()
    async with listener:
        client = await trio.open_tcp_stream(HOST, port)
        await client.send_all(b"early")
        async with client, await listener.accept() as server:
            assert b"early" == await server.receive_some()


async def test_a_listener_that_closes_resets_whom_it_never_accepted(network):
    listener, port = await listen()
    client = await trio.open_tcp_stream(HOST, port)
    await listener.aclose()
    async with client:
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()


async def test_a_sender_waits_for_a_reader_that_does_not_read(network):
    client, server = await pair()
    sent = 0

    async def flood():
        nonlocal sent
        while True:
            await client.send_all(bytes(1 << 16))
            sent += 1 << 16

    async with client, server, trio.open_nursery() as nursery:
        nursery.start_soon(flood)
        before = -1
        while before != sent:
            before = sent
            await trio.testing.wait_all_tasks_blocked(0.05)
        assert 0 < sent < 64 << 20
        if network is not None:
            assert sent <= BUFFER_BYTES
        received, wanted = 0, sent + (2 << 16)
        while received < wanted:  # room again: more than was on its way comes through
            received += len(await server.receive_some())
        nursery.cancel_scope.cancel()


async def test_a_cancelled_read_loses_nothing(network):
    client, server = await pair()
    async with client, server:
        with trio.move_on_after(0.01):
            await server.receive_some()
        await client.send_all(b"whole")
        assert b"whole" == await server.receive_some()


async def test_a_peer_that_closes_is_an_end_and_sending_to_it_breaks(network):
    client, server = await pair()
    async with client:
        await server.aclose()
        assert b"" == await client.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await send_for_ever(client)


async def test_a_peer_that_closes_with_bytes_unread_resets(network):
    client, server = await pair()
    async with client:
        await server.send_all(b"last words")
        await client.send_all(b"never read")
        await trio.testing.wait_all_tasks_blocked(0.01)
        await server.aclose()
        assert b"last words" == await client.receive_some()
        with pytest.raises(trio.BrokenResourceError, match="reset"):
            await client.receive_some()
        assert b"" == await client.receive_some()


async def test_closing_without_linger_resets(network):
    client, server = await pair()
    async with client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await server.aclose()
        with pytest.raises(trio.BrokenResourceError, match="reset"):
            await client.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"x")


async def test_a_reader_is_told_when_its_own_stream_is_closed(network):
    client, server = await pair()

    async def read():
        with pytest.raises(trio.ClosedResourceError):
            await client.receive_some()

    async with server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked(0.01)
            await client.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await client.send_all(b"x")
        assert -1 == client.socket.fileno()
        await client.aclose()


async def test_an_accepter_is_told_when_its_listener_is_closed(network):
    listener, _ = await listen()

    async def accept():
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await listener.aclose()


async def test_an_idle_connection_is_readable_once_something_came_or_ended(network):
    client, server = await pair()
    async with client:
        assert not client.socket.is_readable()
        await server.send_all(b"x")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert client.socket.is_readable()
        assert b"x" == await client.receive_some()
        assert not client.socket.is_readable()
        await server.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert client.socket.is_readable()


async def test_options_are_kept_and_a_listener_says_that_it_listens(network):
    listener, port = await listen()
    async with listener:
        assert 0 != listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        async with await trio.open_tcp_stream(HOST, port) as client:
            assert 0 == client.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            assert 1 == client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            assert 0 != client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_bytes_are_read_into_a_buffer_that_is_there_already(network):
    client, server = await pair()
    async with client, server:
        await client.send_all(b"into place")
        buffer = bytearray(20)
        assert 10 == await server.socket.recv_into(buffer)
        assert b"into place" == buffer[:10]
        await client.aclose()
        assert 0 == await server.socket.recv_into(buffer)


async def test_a_listener_on_every_address_is_found_at_each(network):
    (listener,) = await trio.open_tcp_listeners(0, host="0.0.0.0")
    async with listener:
        port = listener.socket.getsockname()[1]
        for host in (HOST, "127.0.0.2"):
            async with await trio.open_tcp_stream(host, port), await listener.accept() as server:
                assert host == server.socket.getsockname()[0]


async def test_many_connections_are_served_at_once(network):
    async def echo(stream):
        async with stream:
            await stream.send_all(await read_all(stream))

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, echo, 0, host=HOST))
        port = listener.socket.getsockname()[1]

        async def ask(number):
            async with await trio.open_tcp_stream(HOST, port) as stream:
                text = str(number).encode() * 1_000
                await stream.send_all(text)
                await stream.send_eof()
                assert text == await read_all(stream)

        async with trio.open_nursery() as askers:
            for number in range(50):
                askers.start_soon(ask, number)
        nursery.cancel_scope.cancel()


async def test_a_name_that_does_not_exist_is_not_found(network):
    with pytest.raises(socket.gaierror) as caught:
        await trio.open_tcp_stream("nobody.invalid", 1)
    assert caught.value.errno in {socket.EAI_NONAME, socket.EAI_AGAIN}


async def test_localhost_has_an_address(network):
    listener, port = await listen()
    async with listener, await trio.open_tcp_stream("localhost", port):
        pass


# What only the fake can be asked


async def test_nothing_of_the_memory_network_is_left_when_all_is_closed():
    net = MemoryNet()
    with net.plugged_in():
        client, server = await pair()
        assert 1 == net.bound
        await client.aclose()
        await server.aclose()
        assert 0 == net.bound
    client, server = await pair()  # the kernel's again
    async with client, server:
        assert isinstance(client.socket.fileno(), int)
        assert client.socket.fileno() < 1 << 20


async def test_names_can_be_given_and_taken_away():
    net = MemoryNet()
    with net.plugged_in():
        listener, port = await listen()
        net.names["clob.polymarket.example"] = HOST
        async with listener, await trio.open_tcp_stream("clob.polymarket.example", port):
            del net.names["clob.polymarket.example"]
            with pytest.raises(socket.gaierror):
                await trio.open_tcp_stream("clob.polymarket.example", port)


async def test_free_ports_are_given_in_order_and_never_twice():
    net = MemoryNet()
    with net.plugged_in():
        listeners = [(await listen())[0] for _ in range(3)]
        first, second, third = (one.socket.getsockname()[1] for one in listeners)
        assert (first + 1, first + 2) == (second, third)
        for one in listeners:
            await one.aclose()


async def test_a_full_backlog_makes_who_connects_wait():
    net = MemoryNet()
    with net.plugged_in():
        (listener,) = await trio.open_tcp_listeners(0, host=HOST, backlog=1)
        port = listener.socket.getsockname()[1]
        waiting = await trio.open_tcp_stream(HOST, port)
        async with listener, waiting, trio.open_nursery() as nursery:
            nursery.start_soon(trio.open_tcp_stream, HOST, port)
            await trio.testing.wait_all_tasks_blocked()
            assert 1 == len(nursery.child_tasks)
            await (await listener.accept()).aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert 0 == len(nursery.child_tasks)
