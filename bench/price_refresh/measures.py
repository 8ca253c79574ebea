"""One measurement, in a process of its own so that its memory is its own; prints one JSON object.

- `refresh`: the CLOB source as the feed runs it, into a real appraiser and board, until every token has a price.
- `json`: the same calls, each body read by `json.loads` and thrown away: the machine's limit for any reader in Python.
- `levels`: the same calls, each body read level by level into the order-book model: what a plain client does.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable

import httpx
import trio

from keeper.cli.logs import open_logs
from keeper.newest import Newest
from keeper.prices.appraiser import Appraiser
from keeper.prices.board import PriceBoard
from keeper.prices.bodies import book_of
from keeper.prices.clob_source import ClobSource
from keeper.prices.feed_config import FeedConfig
from keeper.prices.numerals import load_json
from keeper.prices.price import PriceClass, Source, TokenId
from keeper.prices.quote import quote_of_snapshot
from keeper.prices.venue_http import open_venue


async def refresh(url: str, tokens: list[str]) -> dict[str, object]:
    """Poll until every token has a valid price."""
    config = FeedConfig(clob_url=url, gamma_url=url, request_timeout_ms=10_000)
    board = PriceBoard()
    followed = Newest[tuple[TokenId, ...]]()
    known = tuple(TokenId(token_id) for token_id in tokens)
    appraiser = Appraiser(board, known, config.trust_rules)
    followed.publish(known)
    async with open_venue(config, board) as venue, trio.open_nursery() as nursery:
        source = ClobSource(venue=venue)
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        nursery.start_soon(source.run, appraiser, followed)
        await _published(board, len(tokens))
        took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
        # The second round starts when its interval is over, or at once when the first overran it.
        due_s = max(begun_s + config.rest_poll_interval_ms / 1_000, time.perf_counter())
        await _published(board, 2 * len(tokens))
        again_s = time.perf_counter() - due_s
        nursery.cancel_scope.cancel()
    statistics = board.statistics()
    assert statistics.observations[Source.CLOB] >= 2 * len(tokens), statistics.observations
    assert statistics.tokens_by_class == {PriceClass.VALID: len(tokens)}, statistics
    assert not statistics.errors, statistics.errors
    assert not statistics.refusals, statistics.refusals
    return {
        "took_s": took_s,
        "cpu_s": cpu_s,
        "again_s": again_s,
        "delayed_ms": sum(statistics.delays_ms.values()),
    }


async def _published(board: PriceBoard, prices: int) -> None:
    """Wait until so many prices were published; asked seldom, for asking takes the reader's own core."""
    while board.sequence < prices:
        await board.wait_newer(board.sequence)
        await trio.sleep(0.02)


async def read_each(
    url: str, tokens: list[str], read: Callable[[bytes], object]
) -> dict[str, object]:
    """Make the same calls, four at once, and read each body so."""
    chunks = [tokens[at : at + 500] for at in range(0, len(tokens), 500)]
    spent_s = 0.0
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

        async def take() -> None:
            nonlocal spent_s
            while chunks:
                sent = [{"token_id": token_id} for token_id in chunks.pop()]
                body = (await client.post(f"{url}/books", json=sent)).content
                reading_s = time.perf_counter()
                read(body)
                spent_s += time.perf_counter() - reading_s

        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(take)
        took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    return {"took_s": took_s, "cpu_s": cpu_s, "reading_s": spent_s}


def levels(body: bytes) -> object:
    """Read a body level by level."""
    return [quote_of_snapshot(book_of(entry)) for entry in load_json(body)]


async def main(what: str, url: str) -> None:
    """Measure one thing and print it."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        tokens = (await client.get(f"{url}/tokens")).json()
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if what == "refresh":
        found = await refresh(url, tokens)
    else:
        found = await read_each(url, tokens, json.loads if what == "json" else levels)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({**found, "peak_mb": peak_mb, "before_mb": before_mb}, sys.stdout)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("what", choices=["refresh", "json", "levels"])
    arguments.add_argument("url")
    chosen = arguments.parse_args()
    with open_logs(
        sys.stderr, form="json"
    ):  # The log is part of the work: it is written as the keeper writes it.
        trio.run(main, chosen.what, chosen.url)
