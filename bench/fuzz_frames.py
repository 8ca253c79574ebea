"""Feed the price stream frames that no venue would send, and hold what it publishes to what was sent.

    python -m bench.fuzz_frames --for 60s
    python -m bench.fuzz_frames --frames 20000 --seed 7

Each case is a venue's valid talk about two markets, bent: values of other kinds, keys renamed, parts moved, repeated, left
out, nested, cut, bytes flipped; then written as websocket frames, bent once more, and cut anywhere. Three things must
hold: nothing raises, a published price is the middle of two levels that were sent, or a trade that was, and once valid
books come again they are the books that were sent, to the last level. Stops at the first case that breaks one, and prints
its seed.
"""

import argparse
import json
import logging
import re
import sys
import time
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Final

import structlog
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from keeper.prices.appraiser import Appraiser
from keeper.prices.board import PriceBoard
from keeper.prices.errors import MalformedError, TooLargeError
from keeper.prices.feed_config import FeedConfig
from keeper.prices.numerals import e6_from
from keeper.prices.price import Price, TokenId
from keeper.prices.stream_frames import FrameReader
from keeper.prices.websocket_frames import FrameDecoder, Opcode

TOKENS: Final = (TokenId("11"), TokenId("22"))
FRAMES_A_CASE: Final = 30
_ONE_E6: Final = 1_000_000
_NUMBER: Final = re.compile(r"[0-9.]+(?:[eE][-+]?[0-9]{1,3})?")
_STRANGE: Final[tuple[object, ...]] = (
    None, True, False, 0, 1, -1, 10**30, 1.5, 1e308, "", "0", "1", "0.5", "-0.5", "NaN", "Infinity", "0x1", "1e-3", ".5", "5.",
    "\u0661", "\x00", "\ud800", "BUY", "SELL", "book", "price_change", [], {}, [[]], [{}], "9" * 60, "0." + "0" * 50,
)  # fmt: skip
_KEYS: Final = (
    "event_type", "asset_id", "assets_ids", "price_changes", "changes", "bids", "asks", "price", "size", "side", "timestamp",
    "hash", "best_bid", "best_ask", "last_trade_price", "market", "tick_size",
)  # fmt: skip


class Talk:
    """What a sane venue would say of the tokens."""

    def __init__(self, draws: Random) -> None:
        self._draws = draws
        self._now_ms = self._latest_ms = 1_700_000_000_000

    def frame(self) -> object:
        """Say something valid."""
        self._now_ms += self._draws.choice((0, 1, 1, 50, 1_000, -5, -500, -20_000))
        self._latest_ms = max(self._latest_ms, self._now_ms)
        kind = self._draws.choice(
            (self._book, self._change, self._change, self._change, self._other)
        )
        if self._draws.random() < 0.1:
            return [kind() for _ in range(self._draws.randrange(12))]
        return kind()

    def whole(self, token_id: str) -> dict[str, object]:
        """Say a whole book, later than anything before."""
        self._now_ms = self._latest_ms = self._latest_ms + 60_000
        return {**self._book(), "asset_id": token_id}

    def _book(self) -> dict[str, object]:
        middle = self._draws.randrange(200, 800)
        return {
            "event_type": "book",
            "market": "0xab",
            "asset_id": self._draws.choice(TOKENS),
            "timestamp": str(self._now_ms),
            "hash": "00",
            "bids": [self._level(middle - n) for n in range(1, self._draws.randrange(2, 90))],
            "asks": [self._level(middle + n) for n in range(1, self._draws.randrange(2, 90))],
            "tick_size": "0.001",
            "last_trade_price": f"0.{middle}",
        }

    def _level(self, price_e3: int) -> dict[str, str]:
        return {"price": f"0.{price_e3:03}", "size": str(self._draws.randrange(1, 9_999))}

    def _change(self) -> dict[str, object]:
        changes = [
            {
                "asset_id": self._draws.choice(TOKENS),
                "price": f"0.{self._draws.randrange(1, 999):03}",
                "size": str(self._draws.choice((0, 0, 1, 70))),
                "side": self._draws.choice(("BUY", "SELL")),
            }
            for _ in range(self._draws.randrange(1, 4))
        ]
        return {
            "event_type": "price_change",
            "timestamp": str(self._now_ms),
            "price_changes": changes,
        }

    def _other(self) -> dict[str, object]:
        kind = self._draws.choice(
            ("last_trade_price", "best_bid_ask", "tick_size_change", "new_market", "fireworks")
        )
        return {
            "event_type": kind,
            "asset_id": self._draws.choice(TOKENS),
            "price": f"0.{self._draws.randrange(1, 999):03}",
            "side": "BUY",
            "best_bid": "0.4",
            "best_ask": "0.5",
            "timestamp": str(self._now_ms),
        }


def bent(value: object, draws: Random, chance: float) -> object:
    """Return a value with some of its parts replaced, renamed, repeated, moved or left out."""
    if draws.random() < chance / 3:
        return draws.choice(_STRANGE)
    if isinstance(value, dict):
        found = {}
        for key, inner in value.items():
            if draws.random() < chance / 2:
                continue
            name = draws.choice(_KEYS) if draws.random() < chance else key
            found[name] = bent(inner, draws, chance)
        return found
    if isinstance(value, list):
        kept = [bent(inner, draws, chance) for inner in value if draws.random() > chance / 4]
        if kept and draws.random() < chance:
            kept.insert(draws.randrange(len(kept) + 1), draws.choice(kept))
        if draws.random() < chance:
            draws.shuffle(kept)
        return kept
    return value


def text_of(frame: object, draws: Random) -> str:
    """Write a frame, sometimes with its characters cut, flipped or doubled."""
    text = json.dumps(frame)
    roll = draws.random()
    if roll < 0.05:
        return text[: draws.randrange(len(text) + 1)]
    if roll < 0.12 and text:
        at = draws.randrange(len(text))
        return text[:at] + chr(draws.choice((0, 34, 44, 48, 57, 91, 123, 0xFFFD))) + text[at + 1 :]
    return text * 2 if roll < 0.13 else text


class Sent:
    """Every number that was sent: what a price may be made of."""

    def __init__(self) -> None:
        self._prices: set[int] = set()

    def note(self, text: str) -> None:
        """Take in a frame: any number in it between 0 and 1 might be a level or a trade."""
        for found in _NUMBER.findall(text):
            try:
                value_e6 = e6_from(found)
            except MalformedError:
                continue
            if 0 < value_e6 < _ONE_E6:
                self._prices.add(value_e6)

    def explains(self, price_e6: int, half_spread_e6: int) -> bool:
        """Tell whether a price is a number that was sent, or the middle of two that lie as far apart as its band says."""
        if price_e6 in self._prices:
            return True
        ask_e6 = price_e6 + half_spread_e6
        # The middle of an odd distance is rounded down, and half of it up.
        bids = (price_e6 - half_spread_e6, price_e6 - half_spread_e6 + 1)
        if ask_e6 not in self._prices or not self._prices.intersection(bids):
            return False
        self._prices.add(price_e6)  # From now on it may also be the last good price.
        return True


class WatchedBoard(PriceBoard):
    """A board that takes no price which was not sent."""

    def __init__(self, sent: Sent) -> None:
        super().__init__()
        self._sent = sent

    def publish(self, price: Price) -> None:
        """Hold a price to what was sent before it is seen by anybody."""
        (view,) = self.heard(price.token_id) or (None,)
        half_spread_e6 = price.band_e6 if view is None else view.half_spread_e6
        is_explained = self._sent.explains(price.price_e6, half_spread_e6)
        assert is_explained, f"{price} was never sent"
        super().publish(price)


class Counted:
    """What became of the cases."""

    def __init__(self) -> None:
        self.frames = 0
        self.priced = 0
        self.refusals: Counter[str] = Counter()


async def run_case(seed: int, counted: Counted) -> None:
    """Play one case; an assertion or any other exception is its failure."""
    draws = Random(seed)
    talk, sent = Talk(draws), Sent()
    config = FeedConfig()
    board = WatchedBoard(sent)
    rules = replace(config.trust_rules, sources=(config.stream_traits,))
    appraiser = Appraiser(board, TOKENS, rules, wall_ms=lambda: 1_700_000_000_000)
    reader = FrameReader(config.stream_traits.name, appraiser, TOKENS, is_heard=True)
    chance = draws.choice((0.0, 0.002, 0.01, 0.06))
    for _ in range(FRAMES_A_CASE):
        text = text_of(bent(talk.frame(), draws, chance), draws)
        sent.note(text)
        await reader.take(text)
        if draws.random() < 0.1:
            reader.look_again()
        counted.frames += 1
    for token_id in TOKENS:
        whole = talk.whole(token_id)
        sent.note(json.dumps(whole))
        # Twice: bent frames may have set a clock that the first one is taken to have stepped back from.
        for _ in range(2):
            await reader.take(json.dumps(whole))
        book = reader.books.book(token_id)
        for side, levels in (("bids", book.bids()), ("asks", book.asks())):
            stated = {e6_from(one["price"]): e6_from(one["size"]) for one in whole[side]}  # type: ignore[attr-defined]  # levels() wrote them
            best = sorted(stated.items(), reverse=side == "bids")[: len(levels)]
            assert [tuple(level) for level in levels] == best, (
                f"{side} of {token_id} are not those sent"
            )
            assert len(levels) == min(len(stated), 64), f"{side} of {token_id} are not all there"
    counted.priced += board.sequence
    counted.refusals.update(board.statistics().refusals)


def run_bytes(seed: int) -> None:
    """Write texts as websocket frames, bend the bytes, cut them anywhere: read or refused, and never held beyond the limit."""
    draws = Random(seed)
    server, decoder = Connection(ConnectionType.SERVER), FrameDecoder(4_096)
    wire = bytearray()
    for _ in range(8):
        wire += server.send(TextMessage(data=json.dumps(Talk(draws).frame())))
    for _ in range(draws.randrange(4)):
        wire[draws.randrange(len(wire))] = draws.randrange(256)
    try:
        while wire:
            step = draws.randrange(1, 400)
            decoder.feed(bytes(wire[:step]))
            del wire[:step]
            while (received := decoder.take()) is not None:
                assert received.opcode in Opcode
                assert len(received.payload) <= 4_096, "a message longer than allowed"
    except (MalformedError, TooLargeError):
        return


async def fuzz(seed: int, frames: int, for_s: float) -> Counted:
    """Play cases until either is reached: so many frames, or so many seconds."""
    counted, until_s = Counted(), time.monotonic() + for_s
    while counted.frames < frames and time.monotonic() < until_s:
        try:
            await run_case(seed, counted)
            run_bytes(seed)
        except BaseException:
            print(
                f"the case of seed {seed} failed: python -m bench.fuzz_frames --seed {seed} --frames 1"
            )
            raise
        seed += 1
    return counted


def main() -> int:
    """Fuzz, and print what became of the frames."""
    parser = argparse.ArgumentParser(description="Frames that no venue would send.")
    parser.add_argument("--for", dest="for_s", default="60s", help="such as 60s")
    parser.add_argument("--frames", type=int, default=10**12)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    counted = trio.run(fuzz, asked.seed, asked.frames, float(asked.for_s.removesuffix("s")))
    print(
        f"{counted.frames} frames from seed {asked.seed}: nothing raised, {counted.priced} prices looked at, each of them sent"
    )
    for reason, count in counted.refusals.most_common():
        print(f"{count:>10}  {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
