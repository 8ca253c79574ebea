"""The market websocket: subscribe, keep alive, apply frames, reconnect.

Shell. One task per socket of at most 200 assets. PONG proves only that the socket lives; that the books on it do is
proved by the polls they are compared with, and a socket is replaced every ten minutes whatever it says.
"""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import structlog
import trio
import wsproto.utilities
from httpx_ws import AsyncWebSocketSession, HTTPXWSException, aconnect_ws

from keeper.prices.errors import (
    ConnectFailedError,
    MalformedError,
    StreamClosedError,
    StreamSilentError,
    TimedOutError,
    VenueError,
)
from keeper.prices.feed_config import FeedConfig
from keeper.prices.numerals import load_json
from keeper.prices.observation import Observation
from keeper.prices.price import Source, TokenId
from keeper.prices.quote import quote_of_book
from keeper.prices.source import Hearing
from keeper.prices.streamed_books import StreamedBooks
from keeper.prices.venue_http import RECORDED_BODY_HEADER

_FRAME_CHARACTERS_MAX: Final = 16 * 1024 * 1024
_BACKOFF_FIRST_S: Final = 0.25
_RESYNC_INTERVAL_S: Final = 10.0
"""Least time between two snapshot requests for one token, so that a contradictory market cannot make us flood."""

log = structlog.get_logger()


def backoff_s(failures: int, draw: float, most_s: float) -> float:
    """Return how long to wait before the next connection.

    Doubles with every failure in a row, up to `most_s`; `draw` in [0, 1) takes off up to half, so that a thousand
    keepers do not return in one instant.
    """
    doubled = _BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 30)
    return min(doubled, most_s) * (1 - draw / 2)


async def follow_stream(
    client: httpx.AsyncClient,
    config: FeedConfig,
    tokens: Sequence[TokenId],
    appraiser: Hearing,
) -> None:
    """Follow every token on as few sockets as the venue allows, for ever."""
    async with trio.open_nursery() as nursery:
        for chunk in _chunks(tokens, config.assets_per_socket):
            nursery.start_soon(_keep_socket, client, config, chunk, appraiser)


def _chunks(tokens: Sequence[TokenId], size: int) -> list[tuple[TokenId, ...]]:
    return [tuple(tokens[at : at + size]) for at in range(0, len(tokens), size)]


async def _keep_socket(
    client: httpx.AsyncClient,
    config: FeedConfig,
    tokens: tuple[TokenId, ...],
    appraiser: Hearing,
) -> None:
    jitter = random.Random()  # noqa: S311 - spreads reconnections, guards nothing
    failures = 0
    while True:
        opened_at_s = trio.current_time()
        failure = await _run_socket(client, config, tokens, appraiser, jitter)
        if failure is None:  # Rotated: the books rest on the polls until the next snapshot.
            failures = 0
            continue
        has_lived = trio.current_time() - opened_at_s > config.pong_timeout_ms / 1_000
        failures = 1 if has_lived else failures + 1
        appraiser.fail(Source.STREAM, failure)
        appraiser.miss(Source.STREAM)
        appraiser.lose(Source.STREAM, tokens)
        await trio.sleep(backoff_s(failures, jitter.random(), config.reconnect_max_ms / 1_000))


async def _run_socket(
    client: httpx.AsyncClient,
    config: FeedConfig,
    tokens: tuple[TokenId, ...],
    appraiser: Hearing,
    jitter: random.Random,
) -> VenueError | None:
    """Run one connection to its end: None when it was rotated, else why it ended."""
    failure: VenueError | None = None
    rotation_s = config.rotation_interval_ms / 1_000 * (1 - jitter.random() / 10)
    try:
        with trio.move_on_after(rotation_s), trio.fail_after(config.request_timeout_s) as opening:
            async with aconnect_ws(
                config.stream_url,
                client,
                keepalive_ping_interval_seconds=None,
                session_class=AsyncWebSocketSession,
            ) as socket:
                opening.deadline = math.inf
                await _converse(socket, config, tokens, appraiser)
    except* trio.TooSlowError:
        failure = TimedOutError(
            f"{config.stream_url} was not open in {config.request_timeout_ms} ms"
        )
    except* StreamSilentError as group:
        failure = _first_of(group)
    except* (httpx.ConnectError, httpx.InvalidURL) as group:
        failure = ConnectFailedError(f"{config.stream_url} cannot be reached: {_named(group)}")
    except* (httpx.HTTPError, HTTPXWSException, wsproto.utilities.ProtocolError, OSError) as group:
        failure = StreamClosedError(f"{config.stream_url} ended: {_named(group)}")
    except* (trio.BrokenResourceError, trio.ClosedResourceError) as group:
        failure = StreamClosedError(f"{config.stream_url} broke off: {_named(group)}")
    return failure


@dataclass(slots=True)
class _Liveness:
    """When the venue last answered a PING, on the trio clock."""

    pong_at_s: float


async def _converse(
    socket: AsyncWebSocketSession,
    config: FeedConfig,
    tokens: tuple[TokenId, ...],
    appraiser: Hearing,
) -> None:
    liveness = _Liveness(pong_at_s=trio.current_time())
    subscription = {
        "assets_ids": list(tokens),
        "type": "market",
        "initial_dump": True,
        "custom_feature_enabled": True,
    }
    await _send(socket, config, json.dumps(subscription))
    log.info("stream.opened", assets=len(tokens))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_alive, socket, config, liveness)
        await _receive(socket, config, tokens, appraiser, liveness)


async def _keep_alive(
    socket: AsyncWebSocketSession, config: FeedConfig, liveness: _Liveness
) -> None:
    while True:
        await _send(socket, config, "PING")
        await trio.sleep(config.ping_interval_ms / 1_000)
        silence_s = trio.current_time() - liveness.pong_at_s
        if silence_s * 1_000 > config.pong_timeout_ms:
            raise StreamSilentError(
                f"{config.stream_url} sent no PONG for {silence_s:.1f} s, "
                f"wanted one within {config.pong_timeout_ms} ms"
            )


async def _receive(
    socket: AsyncWebSocketSession,
    config: FeedConfig,
    tokens: tuple[TokenId, ...],
    appraiser: Hearing,
    liveness: _Liveness,
) -> None:
    books = StreamedBooks(tokens)
    resynced_at_s: dict[TokenId, float] = {}
    recorded_body = _recorded_body_of(socket)
    while True:
        text = await socket.receive_text()
        if text == "PONG":
            liveness.pong_at_s = trio.current_time()
            appraiser.succeed(Source.STREAM)
            continue
        dropped = _take_frame(text, books, appraiser, recorded_body)
        now_s = trio.current_time()
        due = [
            token_id
            for token_id in dropped
            if now_s - resynced_at_s.get(token_id, -math.inf) >= _RESYNC_INTERVAL_S
        ]
        if due:
            resynced_at_s.update(dict.fromkeys(due, now_s))
            for operation in ("unsubscribe", "subscribe"):
                message = {"assets_ids": due, "operation": operation, "initial_dump": True}
                await _send(socket, config, json.dumps(message))


def _take_frame(
    text: str, books: StreamedBooks, appraiser: Hearing, recorded_body: str | None
) -> Sequence[TokenId]:
    """Apply one frame, pass on what it changed, and return the books that need a snapshot."""
    if len(text) > _FRAME_CHARACTERS_MAX:
        appraiser.refuse(Source.STREAM, "frame_too_large", characters=len(text))
        return ()
    try:
        outcome = books.apply_frame(load_json(text))
    except MalformedError as error:
        appraiser.refuse(Source.STREAM, "frame_not_json", error=str(error))
        return ()
    appraiser.succeed(Source.STREAM)
    for reason in outcome.refusals:
        appraiser.refuse(Source.STREAM, reason)
    for token_id in outcome.resolved:
        appraiser.close(token_id, is_closed=True)
    for token_id in outcome.changed:
        book = books.book(token_id)
        observation = Observation(
            source=Source.STREAM,
            quote=quote_of_book(book),
            received_at_s=trio.current_time(),
            content_time_ms=book.time_ms,
            recorded_body=recorded_body,
        )
        appraiser.observe(token_id, observation)
    appraiser.lose(Source.STREAM, outcome.dropped)
    return outcome.dropped


async def _send(socket: AsyncWebSocketSession, config: FeedConfig, text: str) -> None:
    with trio.fail_after(config.request_timeout_s):
        await socket.send_text(text)


def _recorded_body_of(socket: AsyncWebSocketSession) -> str | None:
    """Return the one capture a replaying venue says it streams; None from a real host."""
    if socket.response is None:
        return None
    name: str | None = socket.response.headers.get(RECORDED_BODY_HEADER)
    return name


def _first_of(group: BaseExceptionGroup[StreamSilentError]) -> VenueError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, VenueError), "except* selected it by type"
    return found


def _named(group: BaseExceptionGroup[BaseException]) -> str:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return f"{type(found).__name__} {found}".strip()
