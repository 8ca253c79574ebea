"""Feed the polled sources mutated bodies of the venue's shapes, and hold every price against the book that was sent.

    python -m bench.fuzz_prices --for 10m
    python -m bench.fuzz_prices --seed 7

The sources run as the feed runs them, breakers, budgets and all, over a transport in memory and on a virtual clock. A
source that ends, or a price outside the numbers of the entry it was read from, stops the run and prints the body. The
bodies recorded beside the project, when they are there, are mutated too.
"""

import argparse
import gzip
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import click
import httpx
import structlog
import trio
import trio.testing

from keeper.cli.duration import Duration
from keeper.newest import Newest
from keeper.prices.clob_source import ClobSource
from keeper.prices.errors import VenueError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.gamma_source import GammaSource
from keeper.prices.observation import Observation
from keeper.prices.price import SourceName, TokenId
from keeper.prices.venue_http import RECORDED_BODY_HEADER, open_venue

TOKENS: Final = tuple(TokenId(str(number)) for number in range(1, 6))
_RECORDED: Final = Path(__file__).resolve().parents[2] / "shared" / "polymarket"
_NOON_S: Final = 1_782_670_540
_HOSTILE: Final = [
    b"NaN", b"-Infinity", b"1e999", b"1e-999", b"0.5", b'"0.5"', b"0", b'"0"', b'"1"', b'""', b"null", b"true", b"[]", b"{}",
    b"[" * 2_000, b"9" * 500, b'"bids":', b'"asks":[', b'"price":"0.999"', b'"size":"0"', b'"asset_id":"2"', b'"closed":true',
    b'"version":"v2"', b'"clobTokenIds":"[\\"1\\"]"', b"\xff", b"\x00", b"\xef\xbb\xbf", b"\\u0000", b"\\ud800", b",", b"}", b"]", b"<html>",
]  # fmt: skip
"""What is put into a body somewhere."""


def _book(token_id: str, draws: random.Random) -> dict[str, object]:
    bid = draws.randrange(20, 900)
    ask = bid + draws.randrange(1, 90)
    level = lambda price: {"price": f"0.{price:03d}", "size": f"{draws.randrange(1, 10**6) / 100:.2f}"}  # noqa: E731  # fmt: skip
    return {
        "market": "0xab",
        "asset_id": token_id,
        "timestamp": str(_NOON_S * 1_000 + draws.randrange(10**6)),
        "hash": "ab12",
        "bids": [level(price) for price in range(max(bid - 8, 1), bid + 1)],
        "asks": [level(price) for price in range(min(ask + 8, 999), ask - 1, -1)],
        "tick_size": "0.001",
        "neg_risk": False,
        "last_trade_price": f"0.{draws.randrange(1, 1000):03d}",
    }


def _market(number: int, draws: random.Random) -> dict[str, object]:
    bid = draws.randrange(20, 900)
    return {
        "conditionId": f"0x{number:064x}",
        "question": "Will it?",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.4", "0.6"]',
        "clobTokenIds": json.dumps([str(number), f"{number}00"]),
        "closed": draws.random() < 0.2,
        "bestBid": bid / 1_000,
        "bestAsk": (bid + draws.randrange(1, 90)) / 1_000,
        "lastTradePrice": draws.randrange(1, 1_000) / 1_000,
    }


def _recorded() -> dict[str, list[object]]:
    """Return the recorded books and listings, as if of the first tokens."""
    found: dict[str, list[object]] = {"books": [], "markets": []}
    if not _RECORDED.is_dir():
        return found
    for name in ("clob_book_binary.json", "clob_book_negrisk_outcome.json"):
        body = json.loads((_RECORDED / name).read_text())
        found["books"].append({**body, "asset_id": TOKENS[len(found["books"])]})
    listing = json.loads((_RECORDED / "gamma_binary_market.json").read_text())
    listing = listing[0] if isinstance(listing, list) else listing
    found["markets"].append({**listing, "clobTokenIds": json.dumps([TOKENS[0], "100"])})
    return found


def _bent(value: object, draws: random.Random) -> object:
    """Return a body with one value somewhere in it replaced, left out or repeated: still JSON."""
    if isinstance(value, dict) and value and draws.random() < 0.95:
        key = draws.choice(list(value))
        if draws.random() < 0.1:
            return {other: one for other, one in value.items() if other != key}
        return {**value, key: _bent(value[key], draws)}
    if isinstance(value, list) and value and draws.random() < 0.95:
        at = draws.randrange(len(value))
        if draws.random() < 0.15:
            return [*value[:at], value[at], *value[at:]]
        return [*value[:at], _bent(value[at], draws), *value[at + 1 :]]
    return draws.choice(
        [None, True, 0, -1, 10**13, 10**45, "", "x", "1", "0", "0.5", "0.999999", "1e-3", "-0.4", "0.0000001", "2", ".5",
         [], {}, [[]], "[]", '["1","100"]', "v2", "1782670540073", "9" * 60]
    )  # fmt: skip


def _mutated(body: bytes, draws: random.Random) -> bytes:
    for _ in range(draws.choice((0, 1, 1, 1, 2, 3, 8))):
        at = draws.randrange(len(body) + 1)
        to = min(at + draws.choice((0, 1, 1, 2, 8, 60)), len(body))
        match draws.randrange(5):
            case 0:
                body = body[:at] + draws.choice(_HOSTILE) + body[to:]
            case 1:
                body = body[:at] + body[to:]
            case 2:
                body = body[:to] + body[at:to] + body[to:]
            case 3:
                body = body[:at] + bytes([draws.randrange(256)]) + body[at + 1 :]
            case _:
                # A number for another: the mutations above nearly always leave no JSON at all.
                parts = body.split(b'"price":"')
                which = draws.randrange(len(parts))
                parts[which] = draws.choice((b"0.5", b"1", b".7", b"0.0", b"1e-2", b"-0", b"0.9999999")) + parts[which][3:]  # fmt: skip
                body = b'"price":"'.join(parts)
    return body if draws.random() < 0.95 else body[: draws.randrange(len(body) + 1)]


class LyingVenue(httpx.AsyncBaseTransport):
    """Answers every request with a body of the right shape, mutated."""

    def __init__(self, draws: random.Random) -> None:
        self._draws = draws
        self._recorded = _recorded()
        self.sent: deque[tuple[int, bytes]] = deque(maxlen=16)
        """The newest bodies by number, as they were before compression. An observation names its own."""
        self.replies = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        await trio.sleep(0.01)
        self.replies += 1
        name = request.url.path.split("/")[1]
        honest = self._honest(name)
        for _ in range(self._draws.choice((0, 0, 1, 2, 6))):
            honest = _bent(honest, self._draws)
        body = json.dumps(honest, separators=(",", ":")).encode()
        if self._draws.random() < 0.3:
            body = _mutated(body, self._draws)
        self.sent.append((self.replies, body))
        draws = self._draws
        headers = {"content-type": draws.choice(["application/json"] * 15 + ["text/html"])}
        headers[RECORDED_BODY_HEADER] = ",".join([str(self.replies)] * len(_entries_of(body)))
        status = draws.choice([200] * 40 + [204, 302, 400, 403, 425, 429, 500, 503])
        if draws.random() < 0.02:
            headers["retry-after"] = draws.choice(["1", "-1", "1e9", "Sun, 06 Nov 2094 08:49:37 GMT", "x"])  # fmt: skip
        if draws.random() < 0.2:
            headers["content-encoding"] = draws.choice(["gzip"] * 5 + ["br", "deflate"])
            body = gzip.compress(body, 1)
            body = body if draws.random() < 0.8 else _mutated(body, draws)
        return httpx.Response(status, headers=headers, stream=_Bytes(body))

    def _honest(self, name: str) -> object:
        draws = self._draws
        if name == "time":
            return _NOON_S
        if name == "books":
            books = [_book(token_id, draws) for token_id in TOKENS]
            books += draws.sample(self._recorded["books"], draws.randrange(len(self._recorded["books"]) + 1))  # fmt: skip
            draws.shuffle(books)
            return books[draws.randrange(3) :]
        markets = [_market(int(token_id), draws) for token_id in TOKENS] + self._recorded["markets"]
        return {"markets": markets[draws.randrange(3) :]}


class _Bytes(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), 4_096):
            yield self._body[at : at + 4_096]


class Judge:
    """Hears what a source says, and holds it against what was sent."""

    def __init__(self, venue: LyingVenue) -> None:
        self._venue = venue
        self.counts: Counter[str] = Counter()

    def observe(self, token_id: str, observation: Observation) -> None:
        """Stop the run at a price that is not inside the entry it was read from."""
        self.counts[f"{observation.source} observed"] += 1
        found = observation.quote
        body = dict(self._venue.sent)[int(observation.recorded_body or 0)]
        bounds = bounds_of(body, token_id)
        if found.price_e6 is None:
            return
        # Half a millionth is lost by rounding what was sent, and half by halving an odd sum.
        if not bounds or not min(bounds) - 1 <= found.price_e6 <= max(bounds) + 1:
            raise AssertionError(f"{token_id}: {found} of {body!r}")
        assert 0 < found.price_e6 < 1_000_000
        assert found.half_spread_e6 * 2 <= 1_000_001

    def close(self, token_id: str, *, is_closed: bool) -> None:
        """Count."""
        self.counts["closed" if is_closed else "open"] += token_id in TOKENS or 1

    def succeed(self, source: SourceName) -> None:
        """Count."""
        self.counts[f"{source} answered"] += 1

    def fail(self, source: SourceName, error: VenueError) -> None:
        """Count, and hold the sentence to one line."""
        assert str(error).isprintable(), repr(str(error))
        assert len(str(error)) < 600, str(error)
        self.counts[f"{source} {error.kind}"] += 1

    def miss(self, source: SourceName) -> None:
        """Count."""
        self.counts[f"{source} missed"] += 1

    def refuse(self, source: SourceName, reason: str, **_details: object) -> None:
        """Count."""
        self.counts[f"{source} refused {reason}"] += 1

    def lose(self, source: SourceName, tokens: Iterable[TokenId]) -> None:
        """No polled source loses a socket."""
        raise AssertionError(source, tokens)

    def note_clock_skew(self, skew_ms: int) -> None:
        """Count."""
        self.counts["clock read"] += isinstance(skew_ms, int)

    def note_restart(self, source: SourceName, why: str) -> None:
        """Count."""
        self.counts[f"{source} restarts"] += len(why) < 300

    async def wait_clock_doubted(self) -> None:
        """Never doubt it."""
        await trio.sleep_forever()

    def take_doubted(self, *_asked: object) -> tuple[TokenId, ...]:
        """Doubt nothing."""
        return ()


def bounds_of(body: bytes, token_id: str) -> list[Decimal]:
    """Return every number of the entries of a token that might be a price, in e6; read by Python's own JSON."""
    numbers: list[Decimal] = []
    for entry in _entries_of(body):
        if not isinstance(entry, dict):
            continue
        ids = entry.get("positionIds") if entry.get("version") == "v2" else entry.get("clobTokenIds", "[]")  # fmt: skip
        if isinstance(ids, str):
            try:
                ids = json.loads(ids)
            except ValueError:
                ids = []
        if entry.get("asset_id") != token_id and not (
            isinstance(ids, list) and ids and ids[0] == token_id
        ):
            continue
        sides = [entry.get(side) for side in ("bids", "asks")]
        levels = [level for side in sides if isinstance(side, list) for level in side if isinstance(level, dict)]  # fmt: skip
        texts = [level.get("price") for level in levels]
        texts += [entry.get(key) for key in ("last_trade_price", "bestBid", "bestAsk", "lastTradePrice")]  # fmt: skip
        for text in texts:
            try:
                numbers.append(Decimal(str(text)) * 1_000_000)
            except InvalidOperation:
                continue
    return numbers


def _entries_of(body: bytes) -> list[object]:
    """Return the entries as Python's own JSON reads them; none of what is no list."""
    try:
        loaded = json.loads(body, parse_float=str)
    except (ValueError, RecursionError):
        return []
    found = loaded.get("markets") if isinstance(loaded, dict) else loaded
    return found if isinstance(found, list) else []


def fuzz(seed: int, *, for_s: float, replies_max: int = sys.maxsize) -> tuple[int, Counter[str]]:
    """Run until the time is over or so many replies were read; return how many, and what became of them."""
    draws = random.Random(seed)
    # Two hostile worlds are told apart by their seed alone: the sources draw from the module.
    random.seed(seed)
    venue = LyingVenue(draws)
    judge = Judge(venue)

    async def run() -> None:
        until_s = time.monotonic() + for_s
        config = FeedConfig(
            clob_url="http://clob",
            gamma_url="http://gamma",
            rest_poll_interval_ms=100,
            gamma_poll_interval_ms=150,
            breaker_probe_max_ms=2_000,
            retry_after_max_ms=5_000,
            response_bytes_max=1_000_000,
        )
        followed = Newest[tuple[TokenId, ...]]()
        followed.publish(TOKENS)
        async with open_venue(config, transport=venue) as http, trio.open_nursery() as nursery:
            nursery.start_soon(ClobSource(venue=http).run, judge, followed)
            nursery.start_soon(GammaSource(venue=http).run, judge, followed)
            while time.monotonic() < until_s and venue.replies < replies_max:  # noqa: ASYNC110 - wall time, no event
                await trio.sleep(1)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    return venue.replies, judge.counts


def main() -> int:
    """Fuzz, and print what became of it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--for", dest="length", default="30s", help="such as 90s, 10m or 2h")
    arguments.add_argument("--seed", type=int, default=2026)
    chosen = arguments.parse_args()
    try:
        for_s = Duration().convert(chosen.length, None, None)
    except click.UsageError as error:
        arguments.error(error.message)
    structlog.configure(processors=[_drop])
    replies, counts = fuzz(chosen.seed, for_s=for_s)
    print(f"{replies} replies, seed {chosen.seed}: no crash, no price outside its book")
    for what, count in sorted(counts.items()):
        print(f"  {what:40} {count:>9}")
    return 0


def _drop(*_event: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
