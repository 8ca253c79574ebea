"""A recording of what every source said and what was believed: one JSON object a line, changes only.

Shell. It is written for drills and for operators afterwards; it may end early, and never hurts the feed.
"""

import json
import os
from io import FileIO
from pathlib import Path
from typing import Final, Protocol

import structlog

from keeper.prices.observation import Observation
from keeper.prices.price import Price, TokenId

_BYTES_MAX: Final = 512 * 1024 * 1024
"""A recording that is forgotten must not fill the disk on which the attempts are kept."""

log = structlog.get_logger()


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
        self._path = path
        # Unbuffered: a line is in the file when `_write` returns, and nothing is left to fail when it is closed.
        self._file: FileIO | None = FileIO(path, "ab")
        self._bytes_left = bytes_max - os.fstat(self._file.fileno()).st_size
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
        self._write(
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
        self._write(
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
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _write(self, line: dict[str, object]) -> None:
        if self._file is None:
            return
        text = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        self._bytes_left -= len(text)
        if self._bytes_left < 0:
            self._end("it has reached its size limit")
            return
        try:
            written = self._file.write(text)
        except OSError as error:
            self._end(error.strerror or str(error))
        else:
            if written != len(text):
                self._end("the disk took half a line")

    def _end(self, reason: str) -> None:
        """Say once why nothing more is recorded; prices go on."""
        log.warning("recording.ended", path=str(self._path), reason=reason)
        self.close()
