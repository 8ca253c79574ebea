"""programs/rpc_connections.py, over sockets of this machine."""

import httpx
import pytest
import trio

from programs.rpc_connections import Connections, connections_to

HANG_S = 20
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers every request with the same words, each connection for as long as it is told."""

    def __init__(self):
        self.served = []
        """The connection of each request, by its number."""
        self.streams = []
        self.answer = ANSWER
        self.together = 1
        """Requests that must have come before any is answered."""
        self.come = trio.Event()
        self.gone = 0
        self.all_gone = trio.Event()

    async def serve(self, stream):
        number = len(self.streams)
        self.streams.append(stream)
        told = b""
        while piece := await stream.receive_some():
            told += piece
            if not told.endswith(b"body"):
                continue
            told = b""
            self.served.append(number)
            if len(self.served) >= self.together:
                self.come.set()
            await self.come.wait()
            await stream.send_all(self.answer)
        self.gone += 1
        if self.gone == len(self.streams):
            self.all_gone.set()


@pytest.fixture
async def server(nursery):
    made = Server()
    listeners = await nursery.start(trio.serve_tcp, made.serve, 0)
    made.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
    return made


async def ask(client, url):
    with trio.fail_after(HANG_S):
        return (await client.post(url, content=b"body")).text


async def test_the_connection_used_last_is_used_next(server):
    async with httpx.AsyncClient(transport=Connections(keepalive_s=30)) as client:
        server.together = 2
        async with trio.open_nursery() as both:
            for _ in range(2):
                both.start_soon(ask, client, server.url)
        for _ in range(3):
            assert await ask(client, server.url) == "ok"
        assert sorted(server.served[:2]) == [0, 1]
        assert len(set(server.served[2:])) == 1


async def test_a_connection_that_the_other_side_has_closed_is_not_used_again(server):
    async with httpx.AsyncClient(transport=Connections(keepalive_s=30)) as client:
        await ask(client, server.url)
        await server.streams[0].send_eof()
        assert await ask(client, server.url) == "ok"
    assert server.served == [0, 1]


async def test_a_connection_that_was_idle_for_too_long_is_closed(server):
    transport = Connections(keepalive_s=-1)
    async with httpx.AsyncClient(transport=transport) as client:
        for _ in range(3):
            await ask(client, server.url)
    assert server.served == [0, 1, 2]


async def test_all_that_are_idle_are_closed_also_when_whoever_closes_is_cancelled(server):
    server.together = 3
    with trio.CancelScope() as scope:
        async with httpx.AsyncClient(transport=Connections(keepalive_s=30)) as client:
            async with trio.open_nursery() as together:
                for _ in range(3):
                    together.start_soon(ask, client, server.url)
            scope.cancel()
    with trio.fail_after(HANG_S):
        await server.all_gone.wait()


async def test_an_answer_that_nobody_reads_to_its_end_costs_its_connection(server):
    server.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"
    async with httpx.AsyncClient(transport=Connections(keepalive_s=30)) as client:
        async with client.stream("POST", server.url, content=b"body") as response:
            assert response.status_code == 200
        server.answer = ANSWER
        assert await ask(client, server.url) == "ok"
    assert server.served == [0, 1]


@pytest.mark.parametrize("words", [b"", b"no words of HTTP\r\n\r\n"])
async def test_what_goes_wrong_on_the_wire_is_told_in_httpxs_words(server, words, nursery):
    async def say(stream):
        async with stream:
            await stream.receive_some()
            await stream.send_all(words)

    listeners = await nursery.start(trio.serve_tcp, say, 0)
    url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
    async with httpx.AsyncClient(transport=Connections(keepalive_s=30)) as client:
        with pytest.raises(httpx.TransportError):
            await ask(client, url)


async def test_an_address_where_nobody_listens_is_a_transport_error():
    async with httpx.AsyncClient(transport=Connections(keepalive_s=30)) as client:
        with pytest.raises(httpx.NetworkError):
            await ask(client, "http://127.0.0.1:9/")


def test_a_proxy_that_the_environment_names_is_left_to_httpx(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert connections_to("http://node.example/", 30) is not None
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert connections_to("http://node.example/", 30) is None
    monkeypatch.setenv("no_proxy", "node.example")
    assert connections_to("http://node.example/", 30) is not None
