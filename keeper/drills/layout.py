"""Where each part of a picture lies, in its own units, and how words are put there.

Core.
"""

from typing import Final

from keeper.drills.markup import Markup, tag

WIDTH: Final = 960
LEFT: Final = 84
RIGHT: Final = WIDTH - 34
COLUMNS: Final = RIGHT - LEFT
TEXT: Final = 11.0
PLOT_TOP: Final = 44
PLOT_BOTTOM: Final = 264
CLASS_TOP: Final = 276
CLASS_HEIGHT: Final = 20
SOURCE_TOP: Final = 300
SOURCE_HEIGHT: Final = 14
POSTS_TOP: Final = 322
LIQUIDATIONS_TOP: Final = 342
LANE_HEIGHT: Final = 14
AXIS_AT: Final = 364
HEIGHT: Final = 384
FLAG_WIDTH: Final = 20
_KNOWN_SOURCES: Final = ("stream", "clob", "gamma", "last_good")


def written(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> Markup:
    """Write a text at a place, with its anchor there."""
    return tag(
        "text",
        text,
        class_=class_ or None,
        x=x,
        y=y,
        text_anchor=None if anchor == "start" else anchor,
    )


def source_style(source: str) -> str:
    """Return the CSS class of a source's line."""
    return f"source-{source}" if source in _KNOWN_SOURCES else "source-other"
