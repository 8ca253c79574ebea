"""A venue that replays recorded bodies: each file's kind is told by its shape, never by its name.

A /midpoint or /price body names no token. Such a body belongs to the recorded book that it agrees with; where none or
several agree it is set aside, and the reason is kept.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from keeper.sandbox.venue.bodies import Body
from keeper.sandbox.venue.content import Answer, Frame, Touch, touch_of


class RecordingError(Exception):
    """The folder given to replay holds nothing that can be served."""


@dataclass(slots=True)
class RecordedVenue:
    """Recorded bodies by what they answer."""

    books: dict[str, Answer] = field(default_factory=dict)
    midpoints: dict[str, Answer] = field(default_factory=dict)
    prices: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """By token and side."""
    markets: list[Answer] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    capture_name: str | None = None
    set_aside: dict[str, str] = field(default_factory=dict)
    """Files that are not served, with the reason."""

    def book(self, token_id: str) -> Answer | None:
        """Return the recorded book."""
        return self.books.get(token_id)

    def midpoint(self, token_id: str) -> Answer | None:
        """Return the recorded midpoint, or the recorded book's."""
        if token_id in self.midpoints:
            return self.midpoints[token_id]
        touch = self._touch(token_id)
        mid = None if touch is None else touch.midpoint()
        return None if mid is None else Answer({"mid": mid}, self.books[token_id].recorded_body)

    def price(self, token_id: str, side: str) -> Answer | None:
        """Return the recorded price of a side, or the recorded book's."""
        if (token_id, side.upper()) in self.prices:
            return self.prices[token_id, side.upper()]
        touch = self._touch(token_id)
        price = None if touch is None else touch.side(side)
        return (
            None if price is None else Answer({"price": price}, self.books[token_id].recorded_body)
        )

    def listings(self, token_ids: Collection[str] = ()) -> Sequence[Answer]:  # noqa: ARG002 - they are few
        """Return the recorded Gamma markets."""
        return self.markets

    def opening_frames(self, token_ids: Sequence[str]) -> Sequence[Frame]:
        """Return the capture's frames about any of the tokens, in their order."""
        return [frame for frame in self.frames if frame.token_ids.intersection(token_ids)]

    def _touch(self, token_id: str) -> Touch | None:
        book = self.books.get(token_id)
        return None if book is None else touch_of(cast("Body", book.body))


def load_recording(folder: Path) -> RecordedVenue:
    """Read every *.json of a folder.

    Raises:
        RecordingError: the folder is missing, a file cannot be read, or nothing in it is a recorded body.

    """
    if not folder.is_dir():
        raise RecordingError(f"{folder} is no folder: replay wants one with recorded *.json bodies")
    venue = RecordedVenue()
    unplaced: list[tuple[str, Body]] = []
    for file in sorted(folder.glob("*.json")):
        try:
            body = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise RecordingError(f"{file} cannot be replayed: {error}") from error
        if _is_small_quote(body):
            unplaced.append((file.name, body))
        else:
            _place(venue, file.name, body)
    for name, body in unplaced:
        _place_by_agreement(venue, name, body)
    if not (venue.books or venue.markets or venue.frames):
        raise RecordingError(f"{folder} holds no recorded book, market or capture in any *.json")
    return venue


def _is_small_quote(body: object) -> bool:
    return isinstance(body, dict) and set(body) in ({"mid"}, {"price"})


def _place(venue: RecordedVenue, name: str, body: object) -> None:
    if isinstance(body, dict) and {"asset_id", "bids", "asks"} <= body.keys():
        venue.books[str(body["asset_id"])] = Answer(body, name)
    elif isinstance(body, dict) and "conditionId" in body:
        venue.markets.append(Answer(body, name))
    elif isinstance(body, list) and body and all(_tokens_of(frame) for frame in body):
        if venue.capture_name is not None:
            venue.set_aside[name] = f"{venue.capture_name} is already streamed, wanted one capture"
            return
        venue.capture_name = name
        venue.frames = [Frame(frozenset(_tokens_of(frame)), frame) for frame in body]
    else:
        venue.set_aside[name] = (
            "no book, midpoint, price, Gamma market or stream capture by its shape"
        )


def _tokens_of(frame: object) -> set[str]:
    """Return the tokens a stream frame is about; none when it is no frame."""
    tokens: set[str] = set()
    for event in frame if isinstance(frame, list) else [frame]:
        if isinstance(event, dict) and "event_type" in event:
            parts = [event, *event.get("price_changes", [])]
            tokens.update(str(part["asset_id"]) for part in parts if "asset_id" in part)
    return tokens


def _place_by_agreement(venue: RecordedVenue, name: str, body: Body) -> None:
    """Give a midpoint or price body to the one recorded book that says the same."""
    touches = {token_id: touch_of(cast("Body", one.body)) for token_id, one in venue.books.items()}
    if "mid" in body:
        matches = [one for one, touch in touches.items() if touch.midpoint() == body["mid"]]
    else:
        matches = [one for one, touch in touches.items() if body["price"] in (touch.bid, touch.ask)]
    if len(matches) != 1:
        venue.set_aside[name] = f"{len(matches)} recorded books agree with it, wanted exactly one"
    elif "mid" in body:
        venue.midpoints[matches[0]] = Answer(body, name)
    else:
        side = "BUY" if touches[matches[0]].bid == body["price"] else "SELL"
        venue.prices[matches[0], side] = Answer(body, name)
