"""News for open pages: rendered and encoded once, however many of them there are.

Shell. Nothing is rendered while nobody looks. A page that has seen the frame before the newest gets what changed since, any
other gets everything: a slow reader skips frames and never queues them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import trio

from keeper.monitor.page import words
from keeper.monitor.page.history import COLUMN_S, Span
from keeper.monitor.page.render import panels
from keeper.monitor.page.shown import Shown
from keeper.newest import Newest

INTERVAL_S: Final = 1.0
WRITES_PER_S_MAX: Final = 250.0
"""With more pages open than that they are told less often: 1,000 of them every four seconds."""
CHARTS_INTERVAL_S: Final = 10.0
"""A curve's newest column lasts that long: it moves no more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One moment as bytes of an event stream."""

    whole: bytes
    change: bytes
    """Since the frame before."""


@dataclass(slots=True, eq=False)
class Frames:
    """The newest frame of one span, and how many wait for it."""

    span: Span
    readers: int = 0
    newest: Newest[Frame] = field(default_factory=Newest)
    _panels: Mapping[str, str] = field(default_factory=dict)
    """As last sent."""
    _charts_until_s: float = 0.0

    def publish(self, shown: Shown, next_s: float) -> None:
        """Render a moment for whoever reads.

        Args:
            shown: the moment.
            next_s: when the next one comes.
        """
        found: dict[str, str] = dict(panels(shown, self.span, with_charts=self._is_chart_time()))
        found = dict(self._panels) | found
        changed = {name: html for name, html in found.items() if self._panels.get(name) != html}
        self._panels = found
        about = {"at": words.clock(shown.wall_s), "next_ms": round(next_s * 1_000)}
        self.newest.publish(
            Frame(
                whole=_event(about | {"panels": found}), change=_event(about | {"panels": changed})
            )
        )

    def forget(self) -> None:
        """Begin anew: nobody reads."""
        self._panels, self._charts_until_s = {}, 0.0

    def _is_chart_time(self) -> bool:
        now_s = trio.current_time()
        if now_s < self._charts_until_s:
            return False
        self._charts_until_s = now_s + min(CHARTS_INTERVAL_S, COLUMN_S[self.span])
        return True


async def encode(board: Newest[Shown], spans: Mapping[Span, Frames]) -> None:
    """Make frames of what is shown, for the spans that somebody looks at, until cancelled."""
    sequence = 0
    while True:
        sequence, shown = await board.wait_newer(sequence)
        interval_s = max(
            INTERVAL_S, sum(each.readers for each in spans.values()) / WRITES_PER_S_MAX
        )
        for frames in spans.values():
            if frames.readers:
                frames.publish(shown, interval_s)
            else:
                frames.forget()
        await trio.sleep(interval_s)


def _event(found: Mapping[str, object]) -> bytes:
    return f"event: frame\ndata: {json.dumps(found, separators=(',', ':'))}\n\n".encode()
