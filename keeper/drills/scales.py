"""Axes: where a value lies on a picture, which values are worth a label, and how long a text is.

Core.
"""

import math
from dataclasses import dataclass
from typing import Final

_STEPS_S: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
    60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
)  # fmt: skip
"""What people count time in."""
_STEPS_E6: Final = (
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
)  # fmt: skip
_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_TENTHS_BELOW_S: Final = 100
_CHARACTER_EM: Final = 0.62
"""Width of a character of a sans-serif face, rounded up: labels are placed without a browser."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A line from values to places."""

    low: float
    high: float
    start: float
    """Where `low` is drawn."""
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value; one outside lands on the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def time_ticks(low_s: float, high_s: float, most: int) -> list[float]:
    """Return at most `most` round times within the range, evenly apart."""
    step = next(
        (step for step in _STEPS_S if (high_s - low_s) / step < most),
        (high_s - low_s) / (most - 1),
    )
    first = math.ceil(low_s / step - 1e-9)
    return [index * step for index in range(first, math.floor(high_s / step + 1e-9) + 1)]


def axis_times(low_s: float, high_s: float, most: int) -> tuple[list[tuple[float, str]], str]:
    """Return round times with their labels, all in one unit, and the unit."""
    ticks = time_ticks(low_s, high_s, most)
    if high_s >= _HOUR_S:
        return [(at_s, _sexagesimal(at_s / _MINUTE_S)) for at_s in ticks], "h:min"
    if high_s > _TENTHS_BELOW_S:
        return [(at_s, _sexagesimal(at_s)) for at_s in ticks], "min:s"
    return [(at_s, f"{at_s:.3f}".rstrip("0").rstrip(".") or "0") for at_s in ticks], "s"


def _sexagesimal(value: float) -> str:
    left = round(abs(value))
    return f"{'-' if value < 0 else ''}{left // 60}:{left % 60:02d}"


def price_ticks(low_e6: int, high_e6: int, most: int) -> list[int]:
    """Return at most `most` round prices within the range, evenly apart."""
    step = next((step for step in _STEPS_E6 if (high_e6 - low_e6) / step < most), _STEPS_E6[-1])
    return list(range(-(-low_e6 // step) * step, high_e6 + 1, step))


def clock(at_s: float) -> str:
    """Write a time since the start: 12.3 s, 2:05 min, 1:02:05 h."""
    if abs(at_s) < _TENTHS_BELOW_S:
        text = f"{at_s:.3f}".rstrip("0").rstrip(".")
        return f"{'0' if text == '-0' else text} s"
    sign, left = "-" if at_s < 0 else "", round(abs(at_s))
    if left < _HOUR_S:
        return f"{sign}{left // _MINUTE_S}:{left % _MINUTE_S:02d} min"
    hours, left = divmod(left, _HOUR_S)
    return f"{sign}{hours}:{left // _MINUTE_S:02d}:{left % _MINUTE_S:02d} h"


def span(length_ms: int) -> str:
    """Write a length of time: 320 ms, 12.4 s, 2:05 min."""
    if length_ms < 1_000:  # noqa: PLR2004 - one second
        return f"{length_ms} ms"
    return clock(length_ms / 1_000)


def text_width(text: str, size_px: float) -> float:
    """Return how wide a text is at most, in pixels."""
    return len(text) * size_px * _CHARACTER_EM


def fitted(texts: tuple[str, ...], width_px: float, size_px: float) -> str | None:
    """Choose the first text that fits; None when none does."""
    return next((text for text in texts if text_width(text, size_px) <= width_px), None)


def cut(text: str, width_px: float, size_px: float) -> str:
    """Shorten a text to a width, with an ellipsis; nothing is left where not even three characters fit."""
    if text_width(text, size_px) <= width_px:
        return text
    room = int(width_px / (size_px * _CHARACTER_EM)) - 1
    return text[:room].rstrip() + "…" if room > 1 else ""
