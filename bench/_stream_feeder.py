"""The far end of bench.price_stream: a market websocket that offers book updates at a rate, in a process of its own.

    python -m bench._stream_feeder TOKENS RATE SECONDS LOG

Prints its port, waits until every token is subscribed, then offers RATE updates a second for SECONDS (RATE 0: as many
as the sockets take). Every update moves one best bid, states both tokens of its market, its best prices and the right
hash, as the real venue does. LOG receives one record per update: token number, venue milliseconds, monotonic
nanoseconds at the moment of writing.
"""

import json
import sys
import time
from array import array
from pathlib import Path
from typing import Final

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Request, TextMessage

from keeper.prices.book_hash import HashedFields, hash_of_book

LEVELS: Final = 20
MARKET: Final = "0x" + "ab" * 32
_FIELDS: Final = HashedFields(
    market=MARKET,
    tick_size="0.001",
    last_trade_price="0.5",
    min_order_size="5",
    is_neg_risk=False,
)
_ASKS: Final = tuple((e3 * 1_000, 100_000_000) for e3 in range(520 + LEVELS, 520, -1))
_BIDS: Final = tuple((e3 * 1_000, 100_000_000) for e3 in range(500 - LEVELS, 500))


def token_id_of(number: int) -> str:
    """Return a token id of the venue's length."""
    return str(10**76 + number)


def complement_of(number: int) -> str:
    """Return the id of the other token of the same market, which nobody subscribes to."""
    return str(2 * 10**76 + number)


class Book:
    """One token's book, whose best bid comes and goes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.token_id = token_id_of(number)
        self._complement = complement_of(number)
        self._is_raised = False
        self._last_ms = 0

    def snapshot(self) -> str:
        """Write the whole book."""
        time_ms = self._tick()
        levels = {
            "bids": [{"price": f"0.{p // 1_000:03}", "size": "100"} for p, _ in self._bids()],
            "asks": [{"price": f"0.{p // 1_000:03}", "size": "100"} for p, _ in _ASKS],
        }
        return json.dumps(
            {
                "market": MARKET,
                "asset_id": self.token_id,
                "timestamp": str(time_ms),
                "hash": hash_of_book(self.token_id, time_ms, self._bids(), _ASKS, _FIELDS),
                **levels,
                "tick_size": "0.001",
                "event_type": "book",
                "last_trade_price": "0.5",
            },
            separators=(",", ":"),
        )

    def change(self) -> tuple[int, str]:
        """Move the best bid; return the venue's time and the frame."""
        time_ms = self._tick()
        self._is_raised = not self._is_raised
        size, best = ("70", "0.51") if self._is_raised else ("0", "0.499")
        stated = hash_of_book(self.token_id, time_ms, self._bids(), _ASKS, _FIELDS)
        other_best = "0.49" if self._is_raised else "0.501"
        return time_ms, (
            f'{{"market":"{MARKET}","price_changes":['
            f'{{"asset_id":"{self.token_id}","price":"0.51","size":"{size}","side":"BUY",'
            f'"hash":"{stated}","best_bid":"{best}","best_ask":"0.521"}},'
            f'{{"asset_id":"{self._complement}","price":"0.49","size":"{size}","side":"SELL",'
            f'"hash":"{stated}","best_bid":"0.479","best_ask":"{other_best}"}}],'
            f'"timestamp":"{time_ms}","event_type":"price_change"}}'
        )

    def _bids(self) -> tuple[tuple[int, int], ...]:
        return (*_BIDS, (510_000, 70_000_000)) if self._is_raised else _BIDS

    def _tick(self) -> int:
        # Never the same millisecond twice: token and time name one update in the log.
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        return self._last_ms


class Socket:
    """One accepted websocket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.protocol = WSConnection(ConnectionType.SERVER)
        self._writing = trio.Lock()

    async def write(self, event: Event) -> None:
        """Send one event, after whatever another task sends."""
        async with self._writing:
            await self.stream.send_all(self.protocol.send(event))


class Feeder:
    """Every open socket and what is offered on it."""

    def __init__(self, tokens: int, rate: int, for_s: float) -> None:
        self._books = {token_id_of(number): Book(number) for number in range(tokens)}
        self._carried: list[tuple[Book, Socket]] = []
        self._rate, self._for_s = rate, for_s
        self.log = array("q")
        self.all_subscribed = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Accept one socket, answer its subscription, and go on answering PING."""
        socket = Socket(stream)
        try:
            while chunk := await stream.receive_some():
                socket.protocol.receive_data(chunk)
                for event in socket.protocol.events():
                    if isinstance(event, Request):
                        await socket.write(AcceptConnection())
                    elif isinstance(event, TextMessage):
                        await self._answer(socket, event.data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def _answer(self, socket: Socket, text: str) -> None:
        if text == "PING":
            await socket.write(TextMessage(data="PONG"))
            return
        asked = json.loads(text)
        if asked.get("operation") == "unsubscribe":
            return
        for token_id in asked["assets_ids"]:
            book = self._books[token_id]
            await socket.write(TextMessage(data=book.snapshot()))
            if "operation" not in asked:
                self._carried.append((book, socket))
        if len(self._carried) == len(self._books):
            self.all_subscribed.set()

    async def offer(self) -> None:
        """Offer updates of one token after the other, each at its time."""
        began_s = trio.current_time()
        offered = 0
        while (elapsed_s := trio.current_time() - began_s) < self._for_s:
            due = int(elapsed_s * self._rate) if self._rate else offered + 50
            while offered < due:
                book, socket = self._carried[(offered * 199) % len(self._carried)]
                time_ms, text = book.change()
                self.log.extend((book.number, time_ms, time.monotonic_ns()))
                await socket.write(TextMessage(data=text))
                offered += 1
            if self._rate:
                await trio.sleep(0.0005)


async def main(tokens: int, rate: int, for_s: float, log: Path) -> None:
    """Serve, offer, and write the log."""
    feeder = Feeder(tokens, rate, for_s)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, feeder.serve, [listener])
        print(listener.socket.getsockname()[1], flush=True)
        await feeder.all_subscribed.wait()
        await trio.sleep(1)
        await feeder.offer()
        await trio.sleep(1)
        await trio.to_thread.run_sync(log.write_bytes, feeder.log.tobytes())
        print("done", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
