"""One connection to the market websocket: subscribe, keep alive, follow the tokens, know when to be replaced.

Shell. PONG proves only that the socket lives. That its books do is proved by the other sources they are compared with:
tokens that come to be doubted are subscribed anew, and a socket that this does not heal asks to be replaced.
"""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Final

import httpx
import structlog
import trio

from keeper.newest import Newest
from keeper.prices.errors import (
    StreamMalformedError,
    StreamSilentError,
    TimedOutError,
    VenueError,
    bad_status,
)
from keeper.prices.feed_config import FeedConfig
from keeper.prices.price import TokenId
from keeper.prices.retry_after import retry_after_ms
from keeper.prices.snapshot_requests import INTERVAL_S
from keeper.prices.source import Hearing
from keeper.prices.stream_frames import FrameReader
from keeper.prices.venue_http import RECORDED_BODY_HEADER
from keeper.prices.websocket import Websocket, open_websocket

MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""200 books of 250 levels a side in one frame are 5 MB."""
RUBBISH_MAX: Final = 8
"""Frames in a row of which nothing can be read, after which the socket is replaced."""
_TEND_INTERVAL_S: Final = 1.0
_PATIENCE_WHEN_BEHIND: Final = 4
"""How many times as long a PONG may take that waits behind what we have not read yet."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What every connection of one stream shares."""

    client: httpx.AsyncClient
    config: FeedConfig
    hearing: Hearing
    handshakes: trio.CapacityLimiter
    """How many connections are being opened at once: two hundred must not storm the venue."""
    jitter: Random
    wall_ms: Callable[[], int]
    """Unix milliseconds: what a Retry-After that names a date is counted from."""


class Link:
    """One connection for a changing set of tokens, from its opening to its end."""

    def __init__(
        self,
        wire: Wire,
        wanted: Newest[tuple[TokenId, ...]],
        *,
        awaited: frozenset[TokenId] | None = None,
        doubt_after_s: float = 0.0,
    ) -> None:
        """Prepare a connection.

        Args:
            wire: what it shares with the others.
            wanted: the tokens it carries; a change is followed on the open connection.
            awaited: tokens whose books it must have before it can stand in for its predecessor; None without one.
            doubt_after_s: how old it must be before doubts may have it replaced.

        """
        self._wire = wire
        self._wanted = wanted
        self._sequence, self._tokens = wanted.sequence, wanted.get() or ()
        self._awaited = awaited
        self._doubt_after_s = doubt_after_s
        self._opened_at_s = math.inf
        self._pong_at_s = math.inf
        self._scope = trio.CancelScope()
        self.reader = FrameReader(
            wire.config.stream_traits.name, wire.hearing, self._tokens, is_heard=awaited is None
        )
        self.ready = trio.Event()
        """Set when every awaited book is known."""
        self.due = trio.Event()
        """Set when it should be replaced: it is old, or what it says is doubted."""
        self.over = trio.Event()
        """Set when the connection ended."""
        self.failure: VenueError | None = None
        """Why it ended; None when it was ended from here."""
        self.is_doubted = False
        """Whether it is due because of doubts rather than age."""

    @property
    def tokens(self) -> tuple[TokenId, ...]:
        """The tokens it carries."""
        return self._tokens

    @property
    def age_s(self) -> float:
        """How long it has been open; 0 before that."""
        return max(trio.current_time() - self._opened_at_s, 0.0)

    async def run(self) -> None:
        """Run the connection to its end: it never raises, but says in `failure` why it ended."""
        try:
            with self._scope:
                await self._connect_and_converse()
        except* VenueError as group:
            self.failure = _first_of(group)
        finally:
            self.over.set()

    def end(self) -> None:
        """Close the connection; from here on it says nothing."""
        self.reader.is_heard = False
        self._scope.cancel(reason="the connection is no longer needed")

    async def _connect_and_converse(self) -> None:
        config = self._wire.config
        async with AsyncExitStack() as stack:
            async with self._wire.handshakes:
                try:
                    with trio.fail_after(config.request_timeout_s):
                        opening = open_websocket(
                            self._wire.client,
                            config.stream_url,
                            bytes_max=MESSAGE_BYTES_MAX,
                            refused=self._refusal_of,
                        )
                        socket = await stack.enter_async_context(opening)
                        await socket.send_text(_subscription(self._tokens))
                except trio.TooSlowError as error:
                    raise TimedOutError(
                        f"{config.stream_url} was not open in {config.request_timeout_ms} ms"
                    ) from error
            self._opened_at_s = self._pong_at_s = trio.current_time()
            self.reader.recorded_body = socket.headers.get(RECORDED_BODY_HEADER)
            # A token that the venue has no book of is asked for again, ever more rarely.
            self.reader.requests.want(self._tokens, self._opened_at_s, after_s=INTERVAL_S)
            log.info("stream.opened", assets=len(self._tokens))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ping, socket)
                nursery.start_soon(self._tend, socket)
                nursery.start_soon(self._follow, socket)
                await self._receive(socket)

    def _refusal_of(self, response: httpx.Response) -> VenueError:
        config = self._wire.config
        wish_ms = retry_after_ms(
            response.headers.get("Retry-After"),
            None,
            wall_ms=self._wire.wall_ms(),
            at_most_ms=config.retry_after_max_ms,
        )
        return bad_status(
            config.stream_url,
            response.status_code,
            "no websocket was opened",
            retry_after_ms=wish_ms,
            wanted=httpx.codes.SWITCHING_PROTOCOLS,
        )

    async def _receive(self, socket: Websocket) -> None:
        reader = self.reader
        self._note_ready()
        while True:
            text = await socket.receive_text()
            if text == "PONG":
                self._pong_at_s = trio.current_time()
                self._wire.hearing.succeed(self._wire.config.stream_traits.name)
                continue
            await reader.take(text)
            if not self.ready.is_set():
                self._note_ready()
            if reader.rubbish_in_a_row >= RUBBISH_MAX:
                raise StreamMalformedError(
                    f"{socket.url} sent {RUBBISH_MAX} frames in a row that are no events"
                )
            if reader.requests.next_due_s <= trio.current_time():
                await self._ask(socket)

    async def _ping(self, socket: Websocket) -> None:
        while True:
            await self._send(socket, "PING")
            await trio.sleep(self._wire.config.ping_interval_ms / 1_000)

    async def _tend(self, socket: Websocket) -> None:
        """Watch for PONG, doubts, contradictions that stay, unanswered requests and old age."""
        config = self._wire.config
        pong_timeout_s = config.pong_timeout_ms / 1_000
        # Sockets opened in one instant are not replaced in one.
        most_s = config.rotation_interval_ms / 1_000 * (1 - self._wire.jitter.random() / 10)
        while True:
            now_s = trio.current_time()
            overdue_s = self._pong_at_s + pong_timeout_s
            next_s = now_s + _TEND_INTERVAL_S
            await trio.sleep_until(min(next_s, overdue_s) if overdue_s > now_s else next_s)
            now_s = trio.current_time()
            self._check_pong(socket, now_s)
            self.reader.look_again()
            self._take_doubts(now_s)
            if self.age_s >= most_s:
                self.due.set()
            await self._ask(socket)

    def _check_pong(self, socket: Websocket, now_s: float) -> None:
        """Raise when no PONG came for too long.

        A reader that is behind may not have come to it yet: that is our lag, not the venue's silence, and cutting the
        socket would only add another two hundred books to what is unread. It is granted a few times as long.
        """
        config = self._wire.config
        silence_s = now_s - self._pong_at_s
        most_s = config.pong_timeout_ms / 1_000
        if silence_s < most_s:
            return
        due_s = self._pong_at_s + config.ping_interval_ms / 1_000
        if (
            not socket.has_drained_since(due_s, now_s)
            and silence_s < _PATIENCE_WHEN_BEHIND * most_s
        ):
            return
        raise StreamSilentError(
            f"{config.stream_url} sent no PONG for {silence_s:.1f} s, "
            f"wanted one within {config.pong_timeout_ms} ms"
        )

    def _take_doubts(self, now_s: float) -> None:
        if not self.reader.is_heard:
            return
        name = self._wire.config.stream_traits.name
        requests = self.reader.requests
        doubted = self._wire.hearing.take_doubted(name, self._tokens)
        if doubted:
            log.warning("stream.doubted", tokens=len(doubted), of=len(self._tokens))
            requests.doubt(doubted, now_s)
        if (
            not self.due.is_set()
            and self.age_s >= self._doubt_after_s
            and requests.are_beyond_help(now_s, len(self._tokens))
        ):
            self.is_doubted = True
            self.due.set()

    async def _follow(self, socket: Websocket) -> None:
        """Subscribe to tokens that are new and let go of others, while the rest goes on."""
        while True:
            self._sequence, wanted = await self._wanted.wait_newer(self._sequence)
            gone = [one for one in self._tokens if one not in set(wanted)]
            new = [one for one in wanted if one not in set(self._tokens)]
            self._tokens = wanted
            self.reader.books.forget(gone)
            self.reader.requests.forget(gone)
            self.reader.books.follow(new)
            self.reader.requests.want(new, trio.current_time(), after_s=INTERVAL_S)
            if not wanted:
                self.end()
            if gone:
                await self._send(socket, _operation("unsubscribe", gone))
            if new:
                await self._send(socket, _operation("subscribe", new))

    async def _ask(self, socket: Websocket) -> None:
        """Ask for the snapshots that are due, by unsubscribing and subscribing again."""
        due = self.reader.requests.take_due(trio.current_time())
        if due:
            await self._send(socket, _operation("unsubscribe", due))
            await self._send(socket, _operation("subscribe", due))

    def _note_ready(self) -> None:
        awaited = (self._awaited or frozenset()).intersection(self._tokens)
        if awaited.issubset(self.reader.books.known()):
            self.ready.set()

    async def _send(self, socket: Websocket, text: str) -> None:
        config = self._wire.config
        try:
            with trio.fail_after(config.request_timeout_s):
                await socket.send_text(text)
        except trio.TooSlowError as error:
            raise TimedOutError(
                f"{socket.url} read nothing for {config.request_timeout_ms} ms"
            ) from error


def _subscription(tokens: Sequence[TokenId]) -> str:
    return json.dumps(
        {
            "assets_ids": list(tokens),
            "type": "market",
            "initial_dump": True,
            "custom_feature_enabled": True,
        }
    )


def _operation(operation: str, tokens: Sequence[TokenId]) -> str:
    message: dict[str, object] = {"assets_ids": list(tokens), "operation": operation}
    if operation == "subscribe":
        message |= {"initial_dump": True, "custom_feature_enabled": True}
    return json.dumps(message)


def _first_of(group: BaseExceptionGroup[VenueError]) -> VenueError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, VenueError), "except* selected it by type"
    return found
