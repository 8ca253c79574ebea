"""The lanes beneath the prices: class, source, posts, liquidations; and what is bad, across all of them.

Core.
"""

from typing import Final

from keeper.drills.layout import (
    AXIS_AT,
    CLASS_HEIGHT,
    CLASS_TOP,
    COLUMNS,
    FLAG_WIDTH,
    LANE_HEIGHT,
    LEFT,
    LIQUIDATIONS_TOP,
    PLOT_TOP,
    POSTS_TOP,
    RIGHT,
    SOURCE_HEIGHT,
    SOURCE_TOP,
    TEXT,
    source_style,
    written,
)
from keeper.drills.markup import Markup, joined, number, tag
from keeper.drills.model import Action, ActionKind
from keeper.drills.scales import Scale, clock, fitted
from keeper.drills.story import CLASSES, Story, may_post, rank_of
from keeper.drills.thinning import worst_stretches

_EXACT_MOST: Final = 150
"""Up to so many changes are drawn each, with its words under the pointer; more are drawn by columns."""


def _lane_name(name: str, top: float, height: float) -> Markup:
    return written(LEFT - 8, top + height / 2 + 4, name, "lane", "end")


def class_lane(story: Story, across: Scale, id_: str) -> Markup:
    """Draw how far the price was trusted, the worst on top."""
    parts: list[str] = [_lane_name("class", CLASS_TOP, CLASS_HEIGHT)]
    runs: list[tuple[float, float, str, str]] = []
    """Start and end on the picture, the class, and the words under the pointer."""
    if len(story.beliefs) <= _EXACT_MOST:
        for each, end_s in story.held():
            said = f"{each.price_class}, {each.reason}, {clock(each.at_s)} to {clock(end_s)}"
            x, end = across(each.at_s), across(end_s)
            if runs and runs[-1][2] == each.price_class:
                first = runs.pop()
                words = first[3] if said.split(", ")[1] in first[3] else f"{first[3]}\n{said}"
                runs.append((first[0], end, each.price_class, words))
            else:
                runs.append((x, end, each.price_class, said))
    else:
        held = (
            (across(each.at_s) - LEFT, across(end_s) - LEFT, rank_of(each.price_class))
            for each, end_s in story.held()
        )
        runs += (
            (LEFT + each.starts, LEFT + each.ends, CLASSES[each.rank], CLASSES[each.rank])
            for each in worst_stretches(held, COLUMNS)
        )
    # The worst last: a moment of it must not vanish under its neighbours.
    for x, end, price_class, words in sorted(runs, key=lambda run: rank_of(run[2])):
        known = CLASSES[rank_of(price_class)]
        box = {"x": x, "y": CLASS_TOP, "width": max(end - x, 1.5), "height": CLASS_HEIGHT}
        parts.append(tag("rect", tag("title", words), class_=f"class-{known}", **box))
        if not may_post(price_class):
            parts.append(tag("rect", fill=f"url(#{id_}-hatch)", class_="hatch", **box))
        label = fitted((price_class, price_class[:1].upper()), end - x - 6, TEXT)
        if label is not None:
            parts.append(written((x + end) / 2, CLASS_TOP + 14, label, f"on on-{known}", "middle"))
    return tag("g", *parts)


def source_lane(story: Story, across: Scale) -> Markup:
    """Draw whose price was believed."""
    parts: list[str] = [_lane_name("believed", SOURCE_TOP, SOURCE_HEIGHT)]
    runs: list[tuple[float, float, str]] = []
    for each, end_s in story.held():
        x, end = across(each.at_s), across(end_s)
        if (runs and runs[-1][2] == each.source) or (runs and end - runs[-1][0] < 1):
            runs[-1] = (runs[-1][0], end, each.source)
        else:
            runs.append((x, end, each.source))
    for x, end, source in runs:
        parts.append(
            tag(
                "rect",
                tag("title", f"believed: {source}"),
                class_=f"from {source_style(source)}",
                x=x,
                y=SOURCE_TOP,
                width=max(end - x, 1.0),
                height=SOURCE_HEIGHT,
            )
        )
        label = fitted((source,), end - x - 6, TEXT)
        if label is not None:
            parts.append(written((x + end) / 2, SOURCE_TOP + 11, label, "from-name", "middle"))
    return tag("g", *parts)


def action_lane(name: str, top: int, kind: ActionKind, story: Story, across: Scale) -> Markup:
    """Draw when right actions of one kind landed."""
    done = [each for each in story.actions if each.kind is kind and each.bad is None]
    step = story.column_px / 2
    columns = sorted({round(across(each.at_s) / step) for each in done})
    ticks = "".join(f"M{number(column * step)} {top}v{LANE_HEIGHT}" for column in columns)
    middle = top + LANE_HEIGHT / 2
    return tag(
        "g",
        _lane_name(name, top, LANE_HEIGHT),
        tag("line", class_="grid", x1=LEFT, x2=RIGHT, y1=middle, y2=middle),
        tag("path", tag("title", f"{len(done)} {name}"), class_=f"tick {kind}", d=ticks),
    )


def flags(story: Story) -> list[tuple[Action, ...]]:
    """Gather the bad actions that would share one flag on the picture; flag 1 is the first."""
    across = Scale(story.starts_s, story.ends_s, LEFT, RIGHT)
    gathered: list[list[Action]] = []
    for each in story.bad:
        if gathered and across(each.at_s) - across(gathered[-1][0].at_s) < FLAG_WIDTH:
            gathered[-1].append(each)
        else:
            gathered.append([each])
    return [tuple(each) for each in gathered]


def wrongs(story: Story, across: Scale, up: Scale) -> Markup:
    """Draw what must not have happened across everything else, each with its flag."""
    parts: list[str] = []
    lane = {ActionKind.POST: POSTS_TOP, ActionKind.LIQUIDATE: LIQUIDATIONS_TOP}
    for flag, together in enumerate(flags(story), start=1):
        first = together[0]
        lines = dict.fromkeys(round(across(each.at_s)) for each in together)
        parts += [
            tag("line", class_="bad-line", x1=x, x2=x, y1=PLOT_TOP, y2=AXIS_AT) for x in lines
        ]
        parts += [
            _cross(across(first.at_s), lane[kind] + LANE_HEIGHT / 2, "", 5.0)
            for kind in dict.fromkeys(each.kind for each in together)
        ]
        words = f"bad: {first.bad}, {clock(first.at_s)}"
        seen = {(round(across(each.at_s)), round(up(each.price_e6))) for each in together}
        parts += [_cross(float(x), float(y), words, 7.0) for x, y in sorted(seen)]
        at = min(across(first.at_s), RIGHT - FLAG_WIDTH)
        parts += [
            tag("rect", class_="flag", x=at, y=PLOT_TOP - 2, width=FLAG_WIDTH, height=16),
            written(at + FLAG_WIDTH / 2, PLOT_TOP + 10, str(flag), "flag-text", "middle"),
        ]
    return tag("g", *parts)


def _cross(x: float, y: float, words: str, radius: float) -> Markup:
    arm = radius / 2
    drawn = (
        f"M{number(x - arm)} {number(y - arm)}l{number(2 * arm)} {number(2 * arm)}"
        f"m0 {number(-2 * arm)}l{number(-2 * arm)} {number(2 * arm)}"
    )
    parts = [
        tag("circle", class_="bad", cx=x, cy=y, r=radius),
        tag("path", class_="bad-cross", d=drawn),
    ]
    return joined([tag("g", tag("title", words), *parts)] if words else parts)
