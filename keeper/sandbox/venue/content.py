"""What the venue has to say, whether simulated or recorded: the interface its endpoints are written against.

Core.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.sandbox.venue.bodies import decimal_of

_ONE_E6 = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, and the file it was recorded in if it was."""

    body: object
    recorded_body: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One stream frame and the tokens it is about."""

    token_ids: frozenset[str]
    body: object


class VenueContent(Protocol):
    """The bodies of one venue."""

    capture_name: str | None
    """The recorded capture that the stream sends; None when it is simulated."""

    def book(self, token_id: str) -> Answer | None:
        """Return a token's book; None when the venue has none."""
        ...

    def midpoint(self, token_id: str) -> Answer | None:
        """Return {"mid"}; None without a two-sided book."""
        ...

    def price(self, token_id: str, side: str) -> Answer | None:
        """Return {"price"}: BUY is the best bid, SELL the best ask."""
        ...

    def listings(self, token_ids: Collection[str] = ()) -> Sequence[Answer]:
        """Return Gamma's markets, in a stable order: all, or at least those of these tokens."""
        ...

    def opening_frames(self, token_ids: Sequence[str]) -> Sequence[Frame]:
        """Return what a new subscriber of these tokens is sent at once."""
        ...


@dataclass(frozen=True, slots=True)
class Touch:
    """The best prices of a book body, as text."""

    bid: str | None
    ask: str | None

    def side(self, side: str) -> str | None:
        """Return the price that /price states for a side."""
        return self.bid if side.upper() == "BUY" else self.ask

    def midpoint(self) -> str | None:
        """Return the midpoint as /midpoint states it."""
        if self.bid is None or self.ask is None:
            return None
        return decimal_of((_e6(self.bid) + _e6(self.ask)) // 2)

    def spread(self) -> str | None:
        """Return the spread as /spread states it."""
        if self.bid is None or self.ask is None:
            return None
        return decimal_of(_e6(self.ask) - _e6(self.bid))


def touch_of(book: Mapping[str, object]) -> Touch:
    """Find the best prices of a book body of the venue's own making or recording."""
    bids, asks = (
        [str(level["price"]) for level in side] if isinstance(side, list) else []
        for side in (book["bids"], book["asks"])
    )
    return Touch(bid=max(bids, key=_e6, default=None), ask=min(asks, key=_e6, default=None))


def _e6(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole or "0") * _ONE_E6 + int(fraction.ljust(6, "0")[:6])
