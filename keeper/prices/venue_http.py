"""One HTTP call to the venue: bounded in time and bytes, checked before it is data.

Shell. Foreign exceptions end here; what leaves is one class per kind of failure.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

import httpx
import structlog
import tenacity
import trio

from keeper.prices.errors import (
    BadStatusError,
    ConnectFailedError,
    InterruptedBodyError,
    MalformedError,
    NotJsonError,
    TimedOutError,
    TooLargeError,
)
from keeper.prices.feed_config import FeedConfig
from keeper.prices.numerals import load_json

USER_AGENT: Final = "betting-keeper/0.1 (+prices)"
"""Cloudflare answers 403 to clients without one."""
RECORDED_BODY_HEADER: Final = "X-Recorded-Body"
"""Set by a replaying venue only: the files a reply was built from, in the order of its entries."""
_EXCERPT_CHARACTERS: Final = 200
_CONNECTIONS_MAX: Final = 256
"""42_000 tokens are 210 sockets; polls share what is left."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A checked body."""

    body: object
    """JSON without floats: float tokens are text."""
    recorded_bodies: tuple[str, ...]
    """Empty from a real host."""


def open_client() -> httpx.AsyncClient:
    """Return the one client of a feed; its own timeouts are off, for every call has a deadline round it."""
    return httpx.AsyncClient(
        timeout=None,  # noqa: S113 - trio.fail_after bounds the whole call, a drip included
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        limits=httpx.Limits(max_connections=_CONNECTIONS_MAX, max_keepalive_connections=8),
        follow_redirects=False,
        # One failure domain, reached directly: a proxy variable of the shell must not reroute prices unseen.
        trust_env=False,
    )


async def fetch_json(
    client: httpx.AsyncClient,
    config: FeedConfig,
    url: str,
    *,
    params: Sequence[tuple[str, str]] = (),
    sent: object = None,
) -> Reply:
    """GET, or POST `sent` as JSON, and return the checked reply.

    A connection lost under the request is tried once more: HTTP servers close idle connections and send GOAWAY
    as routine, and every call here only reads. Nothing else is retried: the next poll is the retry.

    Raises:
        VenueError: one of its classes, by kind of failure.

    """
    retrying = tenacity.AsyncRetrying(
        sleep=trio.sleep,
        stop=tenacity.stop_after_attempt(2),
        wait=tenacity.wait_random(0, 0.05),
        retry=tenacity.retry_if_exception_type(InterruptedBodyError),
        reraise=True,
    )
    try:
        with trio.fail_after(config.request_timeout_s):
            reply: Reply = await retrying(_attempt, client, config, url, params, sent)
    except trio.TooSlowError as error:
        raise TimedOutError(
            f"{url} gave no whole answer within {config.request_timeout_ms} ms"
        ) from error
    return reply


async def _attempt(
    client: httpx.AsyncClient,
    config: FeedConfig,
    url: str,
    params: Sequence[tuple[str, str]],
    sent: object,
) -> Reply:
    try:
        async with client.stream(
            "GET" if sent is None else "POST", url, params=list(params), json=sent
        ) as response:
            body = await _read_capped(response, config.response_bytes_max)
    except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise ConnectFailedError(f"{url} cannot be reached: {error}") from error
    except httpx.HTTPError as error:
        raise InterruptedBodyError(
            f"{url} broke off: {type(error).__name__} {error}".rstrip()
        ) from error
    text = body[:_EXCERPT_CHARACTERS].decode("utf-8", "replace").strip()
    if response.status_code != httpx.codes.OK:
        raise BadStatusError(url, response.status_code, text)
    content_type = response.headers.get("content-type", "")
    if "json" not in content_type:
        raise NotJsonError(
            f"{url} answered {content_type or 'no content type'}, wanted JSON: {text}"
        )
    try:
        parsed = load_json(body)
    except MalformedError as error:
        raise NotJsonError(f"{url}: {error}") from error
    recorded = response.headers.get(RECORDED_BODY_HEADER, "")
    names = tuple(name.strip() for name in recorded.split(",") if name.strip())
    return Reply(body=parsed, recorded_bodies=names)


async def _read_capped(response: httpx.Response, bytes_max: int) -> bytes:
    body = bytearray()
    async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > bytes_max:
                raise TooLargeError(
                    f"{response.url} sent more than {bytes_max} bytes; not read further"
                )
    return bytes(body)
