"""One HTTP call to the venue: bounded in time and bytes, checked before it is data.

Shell. Foreign exceptions end here; what leaves is one class per kind of failure.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import tenacity
import trio

from keeper.prices.endpoints import Endpoint, url_of
from keeper.prices.errors import (
    BadStatusError,
    InterruptedBodyError,
    MalformedError,
    NotJsonError,
    TimedOutError,
    VenueError,
    bad_status,
)
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gate import Gate, GateWitness
from keeper.prices.http_faults import fault_of
from keeper.prices.inflate import ACCEPTED_ENCODING, BoundedBody
from keeper.prices.retry_after import retry_after_ms
from keeper.prices.strict_json import load_strict, text_of
from keeper.prices.unix_time import unix_ms

USER_AGENT: Final = "betting-keeper/0.1 (+prices)"
"""Cloudflare answers 403 to clients without one."""
RECORDED_BODY_HEADER: Final = "X-Recorded-Body"
"""Set by a replaying venue only: the files a reply was built from, in the order of its entries."""
_EXCERPT_CHARACTERS: Final = 200
_ERROR_BODY_BYTES_MAX: Final = 64 * 1024
_ERROR_BODY_S: Final = 1.0
"""A status tells most of it; what its body adds is not waited for any longer."""
_CONNECT_PART: Final = 0.9
"""Of a call's time. Cancelled in the middle of a TLS handshake, httpcore leaves its socket to the garbage collector;
stopped by its own timeout it closes it."""
_CONNECTIONS_MAX: Final = 256
"""42_000 tokens are 210 sockets; polls share what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer of status 200 that says it is JSON: not parsed yet, so that a large one can be read in steps."""

    url: str
    text: str
    recorded_bodies: tuple[str, ...]
    """Empty from a real host."""

    def json(self) -> object:
        """Parse it whole; float tokens come back as their characters.

        Raises:
            NotJsonError: it is none.

        """
        try:
            return load_strict(self.text)
        except MalformedError as error:
            raise NotJsonError(f"{self.url}: {error}") from error


def open_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return the one client of a feed; its own timeouts are off, for every call has a deadline round it.

    Args:
        transport: what carries the bytes; None is the network.

    """
    return httpx.AsyncClient(
        timeout=None,  # noqa: S113 - a deadline bounds each whole call, a drip included
        headers={
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_ENCODING,
        },
        limits=httpx.Limits(max_connections=_CONNECTIONS_MAX, max_keepalive_connections=8),
        follow_redirects=False,
        # One failure domain, reached directly: a proxy variable of the shell must not reroute prices unseen.
        trust_env=False,
        transport=transport,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueHttp:
    """The venue as one process sees it: where it is, one pool of connections to it, and one gate for every call."""

    client: httpx.AsyncClient
    config: FeedConfig
    gate: Gate
    wall_ms: Callable[[], int] = unix_ms
    """Unix milliseconds: a Retry-After may be a date."""

    @asynccontextmanager
    async def reading(
        self, endpoint: Endpoint, *, params: Sequence[tuple[str, str]] = (), sent: object = None
    ) -> AsyncGenerator[Reply, None]:
        """GET, or POST `sent` as JSON, and hold the reply while it is read: a reply that cannot be is a failed call.

        A connection lost under the request is tried once more, if a turn is free: servers close idle connections as
        routine, and every call here only reads. Nothing else is retried: the next poll is the retry.

        Raises:
            VenueError: one of its classes, by kind of failure.

        """
        async with self.gate.admitted(endpoint):
            yield await self._fetch(endpoint, params, sent)

    async def _fetch(
        self, endpoint: Endpoint, params: Sequence[tuple[str, str]], sent: object
    ) -> Reply:
        def is_worth_retrying(error: BaseException) -> bool:
            return isinstance(error, InterruptedBodyError) and self.gate.take_turn_nowait(endpoint)

        retrying = tenacity.AsyncRetrying(
            sleep=trio.sleep,
            stop=tenacity.stop_after_attempt(2),
            wait=tenacity.wait_random(0, 0.05),
            retry=tenacity.retry_if_exception(is_worth_retrying),
            reraise=True,
        )
        url = url_of(endpoint, self.config)
        try:
            with trio.fail_after(self.config.request_timeout_s):
                reply: Reply = await retrying(self._attempt, url, params, sent)
        except trio.TooSlowError as error:
            raise TimedOutError(
                f"{url} gave no whole answer within {self.config.request_timeout_ms} ms"
            ) from error
        return reply

    async def _attempt(self, url: str, params: Sequence[tuple[str, str]], sent: object) -> Reply:
        try:
            async with self.client.stream(
                "GET" if sent is None else "POST",
                url,
                params=list(params),
                json=sent,
                timeout=httpx.Timeout(None, connect=_CONNECT_PART * self.config.request_timeout_s),
            ) as response:
                if response.status_code != httpx.codes.OK:
                    raise await self._refusal_of(url, response)
                body = await _read_body(url, response, self.config.response_bytes_max)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise fault_of(url, error) from error
        content_type = response.headers.get("content-type", "")
        if "json" not in content_type:
            raise NotJsonError(
                f"{url} answered {_shown(content_type) or 'no content type'}, wanted JSON: "
                f"{_excerpt_of(body)}"
            )
        try:
            text = text_of(body)
        except MalformedError as error:
            raise NotJsonError(f"{url}: {error}") from error
        recorded = response.headers.get(RECORDED_BODY_HEADER, "")
        names = tuple(name.strip() for name in recorded.split(",") if name.strip())
        return Reply(url=url, text=text, recorded_bodies=names)

    async def _refusal_of(self, url: str, response: httpx.Response) -> BadStatusError:
        """Return the error of a bad status; a body that breaks off or never ends takes nothing from it."""
        body = b""
        with trio.move_on_after(_ERROR_BODY_S):
            try:
                body = await _read_body(url, response, _ERROR_BODY_BYTES_MAX)
            except (VenueError, httpx.HTTPError):
                body = b""
        try:
            said = load_strict(text_of(body))
        except MalformedError:
            said = None
        code = said.get("code") if isinstance(said, dict) else None
        return bad_status(
            url,
            response.status_code,
            _excerpt_of(body),
            code=_shown(code) if isinstance(code, str) and code else None,
            retry_after_ms=retry_after_ms(
                response.headers.get("retry-after"),
                said,
                wall_ms=self.wall_ms(),
                at_most_ms=self.config.retry_after_max_ms,
            ),
        )


@asynccontextmanager
async def open_venue(
    config: FeedConfig,
    witness: GateWitness | None = None,
    *,
    wall_ms: Callable[[], int] = unix_ms,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncGenerator[VenueHttp, None]:
    """Open the venue for one feed, or for a few questions.

    Args:
        config: hosts, limits and deadlines.
        witness: told of breakers and delays; the board of a feed.
        wall_ms: Unix milliseconds.
        transport: what carries the bytes; None is the network.

    """
    async with open_client(transport) as client:
        yield VenueHttp(client=client, config=config, gate=Gate(config, witness), wall_ms=wall_ms)


async def _read_body(url: str, response: httpx.Response, bytes_max: int) -> bytes:
    body = BoundedBody(url, response.headers.get("content-encoding", ""), bytes_max)
    refusal: VenueError | None = None
    # httpx's layers are generators within generators: left half way they are collected some time, ended by an
    # exception from within they close what they hold. So what is not read further is cancelled, not abandoned.
    with trio.CancelScope() as reading:
        # Raw bytes: httpx would unpack a whole chunk before anybody could count what comes of it.
        async for chunk in response.aiter_raw():
            if refusal is not None:
                continue
            try:
                body.take(chunk)
            except VenueError as error:
                refusal = error
                reading.cancel(reason="the body is refused")
    if refusal is not None:
        raise refusal
    return body.end()


def _excerpt_of(body: bytes) -> str:
    return _shown(body[:_EXCERPT_CHARACTERS].decode("utf-8", "replace"))


def _shown(text: str) -> str:
    """Return the beginning of a foreign text as one line that leaves a terminal as it is."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(line[:_EXCERPT_CHARACTERS].split())
