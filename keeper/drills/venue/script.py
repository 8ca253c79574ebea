"""What each family of endpoints says of each market now, in the venue's own bodies, and a log of everything it said.

Core: the caller hands in the clock. The truth wanders a little around what the script set, as a live market does; every
family follows it unless it was told otherwise. A judge later asks this log whether a posted price was ever said.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from keeper.drills.faults import HONEST, Family, Shape, Telling
from keeper.drills.venue.books import (
    resolved_body,
    tick_change_body,
    told_depth,
    told_listing,
    told_midpoint_e6,
)
from keeper.sandbox.venue.bodies import Body, book_body, placeholder_body, price_change_body
from keeper.sandbox.venue.content import Answer, Frame, touch_of
from keeper.sandbox.venue.depth import Depth, changes_between
from keeper.sandbox.venue.draws import draw_below
from keeper.sandbox.venue.markets import SandboxMarket, sandbox_group, sandbox_market

_UNKNOWN_E6: Final = 500_000
"""Around what an endpoint that must say something invents a book when nobody can know: only dishonest tellings use it."""
_SEED: Final = 1
Markets = tuple[SandboxMarket, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a market was worth from a moment on."""

    at_ms: int
    market: int
    price_e6: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One book or quote that left the venue."""

    at_ms: int
    family: Family
    market: int
    price_e6: int
    """The midpoint; what has none is not logged, for nobody may take a price from it."""


@dataclass(slots=True)
class _Said:
    """What a family shows of a market."""

    telling: Telling
    depth: Depth
    stamp_ms: int
    """The venue's time of the last change."""
    price_e6: int
    traded_e6: int
    """The last trade: nobody trades in a drill, so that the books' hashes stay what a reader expects."""
    last_frame: Frame | None = None
    books: dict[tuple[bool, int, int], Body] = field(default_factory=dict)
    """Of this depth, by side, time and tick: thousands are asked for again and again, unchanged."""


class ScriptedVenue:
    """The content behind every endpoint of a drill; `VenueContent` for the routes."""

    capture_name: str | None = None

    def __init__(
        self,
        single_e6: Sequence[int],
        *,
        group_e6: Sequence[int] = (),
        wander_e6: int,
        clock_ms: Callable[[], int],
    ) -> None:
        """Open the markets of their own, and then the outcomes of one neg-risk event, if any."""
        start_e6 = [*single_e6, *group_e6]
        self._clock_ms = clock_ms
        self._offset_ms = 0
        self._wander_e6 = wander_e6
        self._tick = 0
        self._anchors: list[int | None] = list(start_e6)
        self._truths: list[int | None] = list(start_e6)
        singles = [sandbox_market(_SEED, number) for number in range(len(single_e6))]
        outcomes, self._placeholders = _event(len(group_e6), len(singles))
        self.markets: Final[tuple[SandboxMarket, ...]] = tuple(
            # One grid for all: a telling changes it.
            replace(market, number=number, tick_e6=HONEST.tick_e6)
            for number, market in enumerate([*singles, *outcomes])
        )
        self.group_size: Final = len(group_e6)
        """How many of them, the last ones, are the outcomes of one event."""
        self._of_token = {
            token_id: (market.number, token_id == market.token_ids[0])
            for market in self.markets
            for token_id in market.token_ids
        }
        now_ms = clock_ms()
        self.worths: list[Worth] = [
            Worth(at_ms=now_ms, market=number, price_e6=price_e6)
            for number, price_e6 in enumerate(start_e6)
        ]
        self.sent: list[Sent] = []
        self._said = {
            (family, market.number): _Said(
                telling=HONEST,
                depth=told_depth(HONEST, start_e6[market.number], market.number),
                stamp_ms=now_ms,
                price_e6=start_e6[market.number],
                traded_e6=start_e6[market.number],
            )
            for family in Family
            for market in self.markets
        }

    @property
    def time_ms(self) -> int:
        """The venue's own clock, Unix milliseconds."""
        return self._clock_ms() + self._offset_ms

    def truth_e6(self, market: int) -> int | None:
        """Return what a market is worth now."""
        return self._truths[market]

    # The script

    def set_truth(self, market: int, price_e6: int | None) -> list[Frame]:
        """Move a market; return what the stream sends of it."""
        self._anchors[market] = price_e6
        return self._move(market, price_e6)

    def tell(self, family: Family, telling: Telling, market: int | None = None) -> list[Frame]:
        """Let a family say something else; return what the stream sends of it."""
        frames: list[Frame] = []
        for number in range(len(self.markets)) if market is None else (market,):
            said = self._said[family, number]
            before = said.telling
            said.telling = telling
            if family is Family.STREAM:
                frames += self._announcements(number, before, telling)
            frames += self._say(family, number)
        return frames

    def shift_clock(self, offset_ms: int) -> None:
        """Set the venue's clock so far from the true one."""
        self._offset_ms = offset_ms

    def tick(self) -> list[Frame]:
        """Let every market move a little; return what the stream sends of it."""
        self._tick += 1
        frames: list[Frame] = []
        for number, anchor_e6 in enumerate(self._anchors):
            if anchor_e6 is not None and self._wander_e6:
                steps = self._wander_e6 // HONEST.tick_e6
                drawn = draw_below(2 * steps + 1, _SEED, number, self._tick, "wander") - steps
                frames += self._move(number, anchor_e6 + drawn * HONEST.tick_e6)
        return frames

    def _move(self, market: int, price_e6: int | None) -> list[Frame]:
        if price_e6 == self._truths[market]:
            return []
        self._truths[market] = price_e6
        self.worths.append(Worth(at_ms=self._clock_ms(), market=market, price_e6=price_e6))
        return [frame for family in Family for frame in self._say(family, market)]

    def _say(self, family: Family, market: int) -> list[Frame]:
        """Bring what a family shows up to date; frames come of the stream alone."""
        said = self._said[family, market]
        telling = said.telling
        if telling.is_frozen:
            return []
        truth_e6 = self._truths[market]
        price_e6 = telling.price_e6
        if price_e6 is None:
            price_e6 = _UNKNOWN_E6 if truth_e6 is None else truth_e6
        price_e6 += telling.offset_e6
        is_silent = truth_e6 is None and telling == HONEST
        shown = replace(telling, shape=Shape.EMPTY) if is_silent or telling.is_closed else telling
        depth = told_depth(shown, price_e6, market)
        before = said.depth
        if depth == before:
            return []
        said.depth, said.price_e6, said.stamp_ms = depth, price_e6, self.time_ms
        said.books.clear()
        return self._frames_of(market, before) if family is Family.STREAM else []

    # The stream

    def _frames_of(self, number: int, before: Depth) -> list[Frame]:
        market, said = self._told_market(Family.STREAM, number), self._said[Family.STREAM, number]
        is_plain = all((before.bids, before.asks, said.depth.bids, said.depth.asks))
        if said.telling.shape is Shape.OMITTED:
            return []
        tokens = frozenset(market.token_ids)
        if is_plain:
            hashes = tuple(
                str(self._book(Family.STREAM, number, is_yes=one)["hash"]) for one in (True, False)
            )
            changes = changes_between(before, said.depth)
            body = price_change_body(
                market, changes, (hashes[0], hashes[1]), said.depth, said.stamp_ms
            )
            frame = Frame(tokens, body)
        else:
            books = [
                {**self._book(Family.STREAM, number, is_yes=one), "event_type": "book"}
                for one in (True, False)
            ]
            frame = Frame(tokens, books)
        older, said.last_frame = said.last_frame, frame
        self._log(Family.STREAM, number)
        if not said.telling.is_disordered:
            return [frame]
        return [frame, frame, *([] if older is None else [older])]

    def _announcements(self, number: int, before: Telling, after: Telling) -> list[Frame]:
        market, now_ms = self.markets[number], self.time_ms
        bodies: list[Body] = []
        if after.tick_e6 != before.tick_e6:
            bodies += (
                tick_change_body(market, token_id, before.tick_e6, after.tick_e6, now_ms)
                for token_id in market.token_ids
            )
        if after.is_closed and not before.is_closed:
            bodies.append(resolved_body(market, now_ms))
        return [Frame(frozenset(market.token_ids), body) for body in bodies]

    # VenueContent

    def book(self, token_id: str) -> Answer | None:
        """Return the CLOB's book of a token; None where it has none."""
        found = self._of_token.get(token_id)
        if found is None:
            return None
        number, is_yes = found
        telling = self._said[Family.CLOB, number].telling
        if telling.shape is Shape.OMITTED or telling.is_closed:
            return None
        if is_yes:
            self._log(Family.CLOB, number)
        return Answer(self._book(Family.CLOB, number, is_yes=is_yes))

    def midpoint(self, token_id: str) -> Answer | None:
        """Return {"mid"}."""
        book = self.book(token_id)
        mid = None if book is None else touch_of(_object(book)).midpoint()
        return None if mid is None else Answer({"mid": mid})

    def price(self, token_id: str, side: str) -> Answer | None:
        """Return {"price"} of a side."""
        book = self.book(token_id)
        price = None if book is None else touch_of(_object(book)).side(side)
        return None if price is None else Answer({"price": price})

    def listings(self, token_ids: Collection[str] = ()) -> Sequence[Answer]:
        """Return Gamma's markets: all, or those of these tokens."""
        answers = []
        numbers = {self._of_token[one][0] for one in token_ids if one in self._of_token}
        for market in [self.markets[n] for n in sorted(numbers)] if token_ids else self.markets:
            said = self._said[Family.GAMMA, market.number]
            if said.telling.shape is not Shape.OMITTED:
                told = self._told_market(Family.GAMMA, market.number)
                body = told_listing(told, said.telling, said.depth, said.price_e6)
                self._log(Family.GAMMA, market.number)
                answers.append(Answer(body))
        return answers + [Answer(placeholder_body(market)) for market in self._placeholders]

    def opening_frames(self, token_ids: Sequence[str]) -> Sequence[Frame]:
        """Return one frame: an array with the stream's book of every token."""
        books = []
        for token_id in token_ids:
            number, is_yes = self._of_token.get(token_id, (None, False))
            if number is None or self._said[Family.STREAM, number].telling.shape is Shape.OMITTED:
                continue
            if is_yes:
                self._log(Family.STREAM, number)
            books.append({**self._book(Family.STREAM, number, is_yes=is_yes), "event_type": "book"})
        return [Frame(frozenset(token_ids), books)] if books else []

    def _book(self, family: Family, number: int, *, is_yes: bool) -> Body:
        said = self._said[family, number]
        time_ms = self.time_ms if said.telling.is_restamped else said.stamp_ms
        key = is_yes, time_ms, said.telling.tick_e6
        if key not in said.books:
            if said.telling.is_restamped:
                said.books.clear()
            said.books[key] = book_body(
                self._told_market(family, number),
                said.depth,
                is_yes=is_yes,
                time_ms=time_ms,
                last_trade_e6=said.traded_e6,
            )
        return said.books[key]

    def _told_market(self, family: Family, number: int) -> SandboxMarket:
        return replace(self.markets[number], tick_e6=self._said[family, number].telling.tick_e6)

    def _log(self, family: Family, number: int) -> None:
        midpoint_e6 = told_midpoint_e6(self._said[family, number].depth)
        if midpoint_e6 is not None:
            self.sent.append(
                Sent(at_ms=self._clock_ms(), family=family, market=number, price_e6=midpoint_e6)
            )


def _event(outcomes: int, first_number: int) -> tuple[Markets, Markets]:
    """Return the outcomes of one neg-risk event, and the questions that Gamma lists beside them."""
    if not outcomes:
        return (), ()
    group = sandbox_group(_SEED, 0, outcomes=outcomes, first_number=first_number)
    return group.outcomes, group.placeholders


def _object(answer: Answer) -> Body:
    assert isinstance(answer.body, dict), "a book is an object"
    return answer.body
