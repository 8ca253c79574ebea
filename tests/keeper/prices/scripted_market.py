"""A market websocket in memory whose every word a test says, and a hearing that notes every word it is told."""

import json
from collections import Counter

import httpcore
import httpx
import trio
from trio.testing import memory_stream_pair
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.utilities import generate_accept_token


def book(token_id, bid="0.4", ask="0.5", timestamp="1000", **fields):
    return {
        "event_type": "book",
        "asset_id": token_id,
        "timestamp": timestamp,
        "bids": [{"price": bid, "size": "1"}],
        "asks": [{"price": ask, "size": "1"}],
        **fields,
    }


def change(token_id, price, size="1", side="BUY", timestamp="1001", **stated):
    entry = {"asset_id": token_id, "price": price, "size": size, "side": side, **stated}
    return {"event_type": "price_change", "timestamp": timestamp, "price_changes": [entry]}


class _Bytes(httpcore.AsyncNetworkStream):
    """One end of a connection, as httpcore hands it out."""

    def __init__(self, stream):
        self._stream = stream

    async def read(self, max_bytes, timeout=None):  # noqa: ARG002, ASYNC109 - httpcore's signature
        try:
            return await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.ReadError from error

    async def write(self, buffer, timeout=None):  # noqa: ARG002, ASYNC109 - httpcore's signature
        try:
            await self._stream.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.WriteError from error

    async def aclose(self):
        await self._stream.aclose()


class _Closing(httpx.AsyncByteStream):
    """The empty body of a 101: closing it closes the connection."""

    def __init__(self, stream):
        self._stream = stream

    async def __aiter__(self):
        return
        yield

    async def aclose(self):
        await self._stream.aclose()


class Peer:
    """The venue's end of one socket."""

    def __init__(self, market, stream):
        self.heard = []
        self.is_closed = False
        self.stream = stream
        self._market = market
        self._protocol = Connection(ConnectionType.SERVER)

    async def say(self, *frames):
        for frame in frames:
            text = frame if isinstance(frame, str) else json.dumps(frame)
            await self.stream.send_all(self._protocol.send(TextMessage(data=text)))

    async def say_at_once(self, *frames):
        """Send several frames as one write."""
        texts = (TextMessage(data=json.dumps(frame)) for frame in frames)
        await self.stream.send_all(b"".join(map(self._protocol.send, texts)))

    async def say_part(self, text, *, is_last=False):
        part = TextMessage(data=text, message_finished=is_last)
        await self.stream.send_all(self._protocol.send(part))

    async def ping(self):
        await self.stream.send_all(self._protocol.send(Ping(payload=b"?")))

    async def cut(self):
        self.is_closed = True
        await self.stream.aclose()

    async def listen(self):
        try:
            while not self.is_closed:
                chunk = await self.stream.receive_some()
                if not chunk:
                    break
                self._protocol.receive_data(chunk)
                for event in self._protocol.events():
                    if isinstance(event, CloseConnection):
                        self.is_closed = True
                    elif isinstance(event, TextMessage):
                        await self._take(event.data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self.is_closed = True

    async def _take(self, text):
        if text == "PING":
            if self._market.answers_ping:
                await self.say("PONG")
            return
        asked = json.loads(text)
        self.heard.append(asked)
        if asked.get("operation") != "unsubscribe":
            held = self._market.books
            await self.say(*(held[one] for one in asked["assets_ids"] if one in held))


class ScriptedMarket(httpx.AsyncBaseTransport):
    """Accepts sockets, answers PING, and sends a subscriber the books it holds."""

    def __init__(self, nursery, *books):
        self.books = {one["asset_id"]: one for one in books}
        self.peers = []
        self.answers_ping = True
        self.status = 101
        self.headers = {}
        self.attempts = 0
        self.handshake_s = 0.0
        self.opening = 0
        self.opening_most = 0
        self._nursery = nursery

    async def handle_async_request(self, request):
        self.attempts += 1
        self.opening += 1
        self.opening_most = max(self.opening, self.opening_most)
        try:
            await trio.sleep(self.handshake_s)
        finally:
            self.opening -= 1
        if self.status is None:
            raise httpx.ConnectError("refused")
        if self.status != 101:
            return httpx.Response(self.status, headers=self.headers)
        ours, theirs = memory_stream_pair()
        peer = Peer(self, theirs)
        self.peers.append(peer)
        self._nursery.start_soon(peer.listen)
        key = request.headers["Sec-WebSocket-Key"].encode()
        return httpx.Response(
            101,
            headers={"Sec-WebSocket-Accept": generate_accept_token(key).decode()},
            stream=_Closing(ours),
            extensions={"network_stream": _Bytes(ours)},
        )

    @property
    def open_peers(self):
        return [peer for peer in self.peers if not peer.is_closed]


class NotedHearing:
    """Notes what a source says; doubts what a test doubts."""

    def __init__(self):
        self.prices = {}
        self.told = []
        self.lost = []
        self.closed = []
        self.doubted = set()
        self.refusals = Counter()
        self.failures = Counter()
        self.misses = 0
        self.restarts = []
        self.successes = 0

    def observe(self, token_id, observation):
        self.prices[token_id] = observation.quote.price_e6
        self.told.append((token_id, observation.quote.price_e6))

    def lose(self, _source, tokens):
        for token_id in tokens:
            self.prices.pop(token_id, None)
            self.lost.append(token_id)

    def close(self, token_id, *, is_closed):
        self.closed.append((token_id, is_closed))

    def succeed(self, _source):
        self.successes += 1

    def fail(self, _source, error):
        self.failures[error.kind] += 1

    def miss(self, _source):
        self.misses += 1

    def refuse(self, _source, reason, **_details):
        self.refusals[reason] += 1

    async def wait_clock_doubted(self):
        await trio.sleep_forever()

    def note_restart(self, _source, why):
        self.restarts.append(why)

    def take_doubted(self, _source, tokens):
        found = self.doubted.intersection(tokens)
        self.doubted -= found
        return tuple(found)
