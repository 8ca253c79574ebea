"""A drill as a picture: truth, sources, belief and actions of one market over one axis of time.

Core. From top to bottom: phases and faults, prices, the class, the source believed, posts and liquidations. What is bad
crosses all of it. Whoever cannot see it gets a title, a description, and the table behind it.
"""

from typing import Final

from keeper.drills.curves import band, belief, marks, sources, truth, unknowable
from keeper.drills.lanes import action_lane, class_lane, source_lane, wrongs
from keeper.drills.layout import (
    AXIS_AT,
    COLUMNS,
    HEIGHT,
    LEFT,
    LIQUIDATIONS_TOP,
    PLOT_BOTTOM,
    PLOT_TOP,
    POSTS_TOP,
    RIGHT,
    TEXT,
    WIDTH,
    written,
)
from keeper.drills.markup import Markup, tag
from keeper.drills.model import ActionKind
from keeper.drills.scales import Scale, axis_times, clock, cut, price_ticks
from keeper.drills.story import Story, in_words
from keeper.prices.numerals import dollars

_SPAN_LEAST_E6: Final = 40_000
_HEADROOM: Final = 8
"""An eighth of the span is left free above and below."""
_TICKS_MOST: Final = 11


def timeline(story: Story, title: str, id_: str) -> Markup:
    """Draw one market's story.

    Args:
        story: what happened.
        title: for a screen reader and the pointer.
        id_: unique on the page.
    """
    across = Scale(story.starts_s, story.ends_s, LEFT, RIGHT)
    up = _price_scale(story)
    return tag(
        "svg",
        tag("title", title, id=f"{id_}-title"),
        tag("desc", in_words(story), id=f"{id_}-desc"),
        _hatching(id_),
        _phases(story, across),
        _axes(up, across),
        _clipped(
            id_,
            unknowable(story, across, id_),
            truth(story, across, up),
            band(story, across, up),
            *sources(story, across, up),
            belief(story, across, up),
            marks(story, across, up),
        ),
        class_lane(story, across, id_),
        source_lane(story, across),
        action_lane("posted", POSTS_TOP, ActionKind.POST, story, across),
        action_lane("liquidated", LIQUIDATIONS_TOP, ActionKind.LIQUIDATE, story, across),
        wrongs(story, across, up),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{id_}-title {id_}-desc",
        class_="timeline",
    )


def _price_scale(story: Story) -> Scale:
    prices = [each.price_e6 for each in story.truths if each.price_e6 is not None]
    prices += [each.price_e6 for each in story.heard if each.price_e6 is not None]
    prices += [each.price_e6 for each in story.actions]
    for each in story.beliefs:
        prices += [each.price_e6 - each.band_e6, each.price_e6 + each.band_e6]
    low, high = (max(min(prices), 0), min(max(prices), 1_000_000)) if prices else (0, 1_000_000)
    middle, half = (
        (low + high) // 2,
        max(high - low, _SPAN_LEAST_E6) * (_HEADROOM + 2) // _HEADROOM // 2,
    )
    return Scale(max(middle - half, 0), min(middle + half, 1_000_000), PLOT_BOTTOM, PLOT_TOP)


def _hatching(id_: str) -> Markup:
    """Stripes over every class in which the keeper must not act: told apart without colours, too."""
    stripes = tag("path", d="M-1 7L7-1M-1 1L1-1M5 7L7 5", class_="stripe")
    return tag(
        "defs",
        tag(
            "pattern", stripes, id=f"{id_}-hatch", width=6, height=6, patternUnits="userSpaceOnUse"
        ),
        tag(
            "clipPath",
            tag("rect", x=LEFT, y=PLOT_TOP, width=COLUMNS, height=PLOT_BOTTOM - PLOT_TOP),
            id=f"{id_}-plot",
        ),
    )


def _clipped(id_: str, *parts: str) -> Markup:
    return tag("g", *parts, clip_path=f"url(#{id_}-plot)")


def _phases(story: Story, across: Scale) -> Markup:
    parts: list[str] = []
    for index, phase in enumerate(story.phases):
        x, end = across(phase.starts_s), across(phase.ends_s)
        later = (across(each.starts_s) for each in story.phases[index + 1 :] if each.faults)
        room = next(later, float(RIGHT)) - x - 10
        said = "; ".join(phase.faults)
        if phase.faults:
            parts.append(
                tag(
                    "rect",
                    tag("title", f"{said}, {clock(phase.starts_s)} to {clock(phase.ends_s)}"),
                    class_="fault",
                    x=x,
                    y=PLOT_TOP,
                    width=max(end - x, 1.0),
                    height=AXIS_AT - PLOT_TOP,
                )
            )
        parts.append(tag("line", class_="edge", x1=x, x2=x, y1=8, y2=AXIS_AT))
        parts.append(written(x + 6, 19, cut(phase.name, end - x - 10, TEXT + 1), "phase"))
        parts.append(written(x + 6, 35, cut(said, room, TEXT), "broken-words"))
    return tag("g", *parts)


def _axes(up: Scale, across: Scale) -> Markup:
    parts: list[str] = []
    ticks = price_ticks(int(up.low), int(up.high), _TICKS_MOST // 2 + 1)
    places = max((len(dollars(each)) for each in ticks), default=0)
    for price_e6 in ticks:
        y = up(price_e6)
        parts.append(tag("line", class_="grid", x1=LEFT, x2=RIGHT, y1=y, y2=y))
        parts.append(written(LEFT - 8, y + 4, dollars(price_e6).ljust(places, "0"), "scale", "end"))
    parts.append(tag("line", class_="axis", x1=LEFT, x2=RIGHT, y1=AXIS_AT, y2=AXIS_AT))
    labels, unit = axis_times(across.low, across.high, _TICKS_MOST)
    for at_s, label in labels:
        x = across(at_s)
        parts.append(tag("line", class_="axis", x1=x, x2=x, y1=AXIS_AT, y2=AXIS_AT + 4))
        parts.append(written(x, AXIS_AT + 16, label, "scale", "middle"))
    parts.append(written(LEFT - 20, AXIS_AT + 16, unit, "scale", "end"))
    return tag("g", *parts)
