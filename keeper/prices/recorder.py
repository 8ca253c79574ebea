"""A recording of what every source said and what was believed: one JSON object a line, changes only.

Shell. It is written for drills and for operators afterwards; it may end early, and never hurts the feed.
"""

from pathlib import Path
from typing import Final, Protocol

from keeper.json_lines import JsonLines
from keeper.prices.observation import Observation
from keeper.prices.price import Price, TokenId

_BYTES_MAX: Final = 512 * 1024 * 1024
"""A recording that is forgotten must not fill the disk on which the attempts are kept."""


class Recorder(Protocol):
    """Told of every observation and every judgement."""

    def heard(self, token_id: TokenId, observation: Observation, at_ms: int) -> None:
        """Note what a source said; `at_ms` is Unix milliseconds."""

    def judged(self, price: Price, at_ms: int) -> None:
        """Note what was made of it; `at_ms` is Unix milliseconds."""


class FileRecorder:
    """Appends to a file, a line for each change: a reading repeated is not news."""

    def __init__(self, path: Path, *, bytes_max: int = _BYTES_MAX) -> None:
        """Open the file for appending.

        Raises:
            OSError: it cannot be opened.

        """
        self._lines = JsonLines(path, bytes_max=bytes_max, ended="recording.ended")
        self._heard: dict[tuple[TokenId, str], tuple[object, ...]] = {}
        self._judged: dict[TokenId, tuple[object, ...]] = {}

    def heard(self, token_id: TokenId, observation: Observation, at_ms: int) -> None:
        """Write a source's word when its price, spread or reason differ from its last."""
        quote = observation.quote
        news = (quote.price_e6, quote.half_spread_e6, quote.reason)
        key = (token_id, observation.source)
        if self._heard.get(key) == news:
            return
        self._heard[key] = news
        self._lines.write(
            {
                "at_ms": at_ms,
                "kind": "heard",
                "token_id": token_id,
                "source": observation.source,
                "price_e6": quote.price_e6,
                "half_spread_e6": quote.half_spread_e6,
                "reason": quote.reason,
                "content_time_ms": observation.content_time_ms,
            }
        )

    def judged(self, price: Price, at_ms: int) -> None:
        """Write a price when its number, band, class, source or reason differ from the last."""
        news = (price.price_e6, price.band_e6, price.price_class, price.source, price.reason)
        if self._judged.get(price.token_id) == news:
            return
        self._judged[price.token_id] = news
        self._lines.write(
            {
                "at_ms": at_ms,
                "kind": "judged",
                "token_id": price.token_id,
                "source": price.source,
                "price_e6": price.price_e6,
                "band_e6": price.band_e6,
                "price_class": price.price_class,
                "reason": price.reason,
                "content_time_ms": price.content_time_ms,
            }
        )

    def close(self) -> None:
        """Close the file; what comes later is not recorded."""
        self._lines.close()
