"""The simulated venue: markets whose prices move, their books, and the frames that tell of the moves.

Core: the caller says what time it is and when a tick passes.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, cast

from keeper.sandbox.venue.bodies import (
    Body,
    book_body,
    last_trade_body,
    market_body,
    placeholder_body,
    price_change_body,
)
from keeper.sandbox.venue.content import Answer, Frame, touch_of
from keeper.sandbox.venue.depth import Depth, changes_between, depth_around
from keeper.sandbox.venue.draws import draw_below
from keeper.sandbox.venue.markets import (
    SandboxMarket,
    questions_of,
    sandbox_group,
    sandbox_market,
)
from keeper.sandbox.venue.price_path import (
    PathShape,
    PathState,
    path_start,
    path_step,
    shares_e6,
)

_ONE_E6: Final = 1_000_000
_TRADE_EVERY_TICKS: Final = 7
"""A market trades about once in so many ticks."""


@dataclass(slots=True)
class _Quoted:
    """One market as it stands."""

    market: SandboxMarket
    path: PathState
    """Of its price; of an outcome's weight in its group."""
    price_e6: int
    depth: Depth
    changed_ms: int
    last_trade_e6: int

    def book(self, *, is_yes: bool) -> Body:
        return book_body(
            self.market,
            self.depth,
            is_yes=is_yes,
            time_ms=self.changed_ms,
            last_trade_e6=self.last_trade_e6,
        )


class SimulatedVenue:
    """Markets that move; the content behind every endpoint of a sandbox."""

    capture_name: str | None = None

    def __init__(
        self,
        *,
        seed: int,
        markets: int,
        shape: PathShape,
        now_ms: int,
        groups: int = 0,
        group_outcomes: int = 4,
    ) -> None:
        self._seed = seed
        self._shape = shape
        self._tick = 0
        made = [
            sandbox_group(
                seed,
                group,
                outcomes=group_outcomes,
                first_number=markets + group * questions_of(group_outcomes),
            )
            for group in range(groups)
        ]
        self._single = [self._open([sandbox_market(seed, at)], now_ms)[0] for at in range(markets)]
        self._groups = [self._open(group.outcomes, now_ms) for group in made]
        self._placeholders = [market for group in made for market in group.placeholders]
        self._quoted = [*self._single, *chain.from_iterable(self._groups)]
        self._of_number = {quoted.market.number: quoted for quoted in self._quoted}
        self._of_token = {
            token_id: (quoted, token_id == quoted.market.token_ids[0])
            for quoted in self._quoted
            for token_id in quoted.market.token_ids
        }

    def _open(self, markets: Sequence[SandboxMarket], now_ms: int) -> list[_Quoted]:
        """Open a market of its own, or the outcomes of a group."""
        paths = [path_start(self._seed, market.number) for market in markets]
        return [
            _Quoted(
                market=market,
                path=path,
                price_e6=price_e6,
                depth=depth_around(price_e6, market.tick_e6, self._seed, market.number, 0),
                changed_ms=now_ms,
                last_trade_e6=price_e6 // market.tick_e6 * market.tick_e6,
            )
            for market, path, price_e6 in zip(markets, paths, _prices_of(paths), strict=True)
        ]

    @property
    def markets(self) -> tuple[SandboxMarket, ...]:
        """The markets that trade, in order of their number; the outcomes of groups last."""
        return tuple(quoted.market for quoted in self._quoted)

    def price_e6(self, number: int) -> int:
        """Return where a market's price is; its book's midpoint is within one tick of it."""
        return self._of_number[number].price_e6

    def advance(self, now_ms: int) -> Iterator[tuple[Frame, ...]]:
        """Let one tick pass, market by market, and yield the frames each makes; a thousand take about a second."""
        self._tick += 1
        for together in (*([quoted] for quoted in self._single), *self._groups):
            paths = [
                path_step(self._shape, quoted.path, self._seed, quoted.market.number, self._tick)
                for quoted in together
            ]
            for quoted, path, price_e6 in zip(together, paths, _prices_of(paths), strict=True):
                frames = self._move(quoted, path, price_e6, now_ms)
                number = quoted.market.number
                if draw_below(_TRADE_EVERY_TICKS, self._seed, number, self._tick, "trades") == 0:
                    frames += (self._trade(quoted, now_ms),)
                yield frames

    def set_price(self, number: int, price_e6: int, now_ms: int) -> tuple[Frame, ...]:
        """Move a market to a price and let it stay around there; return the frames that tell of it.

        The other outcomes of its group share what is left as they did before.
        """
        moved = self._of_number[number]
        together = next((group for group in self._groups if moved in group), [moved])
        rest_e6, left_e6 = _ONE_E6 - moved.price_e6, _ONE_E6 - price_e6
        frames: tuple[Frame, ...] = ()
        for quoted in together:
            to_e6 = price_e6 if quoted is moved else quoted.price_e6 * left_e6 // rest_e6
            path = PathState(price_e6=to_e6, anchor_e6=to_e6)
            frames += self._move(quoted, path, to_e6, now_ms)
        return frames

    def _move(
        self, quoted: _Quoted, path: PathState, price_e6: int, now_ms: int
    ) -> tuple[Frame, ...]:
        market = quoted.market
        depth = depth_around(price_e6, market.tick_e6, self._seed, market.number, self._tick)
        changes = changes_between(quoted.depth, depth)
        quoted.path, quoted.price_e6 = path, price_e6
        if not changes:
            return ()
        quoted.depth = depth
        quoted.changed_ms = now_ms
        hashes = (str(quoted.book(is_yes=True)["hash"]), str(quoted.book(is_yes=False)["hash"]))
        body = price_change_body(market, changes, hashes, depth, now_ms)
        return (Frame(frozenset(market.token_ids), body),)

    def _trade(self, quoted: _Quoted, now_ms: int) -> Frame:
        market = quoted.market
        is_buy = draw_below(2, self._seed, market.number, self._tick, "buys") == 1
        price_e6 = min(quoted.depth.asks) if is_buy else max(quoted.depth.bids)
        quoted.last_trade_e6 = price_e6
        body = last_trade_body(market, price_e6, is_buy=is_buy, time_ms=now_ms)
        return Frame(frozenset({market.token_ids[0]}), body)

    def book(self, token_id: str) -> Answer | None:
        """Return a token's book."""
        found = self._of_token.get(token_id)
        return None if found is None else Answer(found[0].book(is_yes=found[1]))

    def midpoint(self, token_id: str) -> Answer | None:
        """Return {"mid"}."""
        book = self.book(token_id)
        return (
            None if book is None else Answer({"mid": touch_of(cast("Body", book.body)).midpoint()})
        )

    def price(self, token_id: str, side: str) -> Answer | None:
        """Return {"price"} of a side."""
        book = self.book(token_id)
        if book is None:
            return None
        return Answer({"price": touch_of(cast("Body", book.body)).side(side)})

    def listings(self, token_ids: Collection[str] = ()) -> Sequence[Answer]:  # noqa: ARG002 - they are few
        """Return the Gamma markets, and the placeholders of groups among them."""
        quoted = {each.market.number: each for each in self._quoted}
        listed = sorted([*self.markets, *self._placeholders], key=lambda market: market.number)
        return [
            Answer(
                market_body(market, found.depth, found.last_trade_e6)
                if (found := quoted.get(market.number))
                else placeholder_body(market)
            )
            for market in listed
        ]

    def opening_frames(self, token_ids: Sequence[str]) -> Sequence[Frame]:
        """Return one frame: an array with the book of every token."""
        books = [
            {**quoted.book(is_yes=is_yes), "event_type": "book"}
            for quoted, is_yes in (
                self._of_token[token_id] for token_id in token_ids if token_id in self._of_token
            )
        ]
        return [Frame(frozenset(token_ids), books)] if books else []


def _prices_of(paths: Sequence[PathState]) -> tuple[int, ...]:
    """Return the prices of a market of its own, or of all outcomes of a group."""
    weights_e6 = [path.price_e6 for path in paths]
    return tuple(weights_e6) if len(weights_e6) == 1 else shares_e6(weights_e6)
