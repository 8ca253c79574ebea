"""The prices of a picture: truth, what each source said, what was believed, and what was written on chain.

Core.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from keeper.drills.layout import COLUMNS, PLOT_BOTTOM, PLOT_TOP, source_style
from keeper.drills.markup import Markup, number, tag
from keeper.drills.model import ActionKind
from keeper.drills.scales import Scale, clock
from keeper.drills.story import Story, may_post
from keeper.drills.thinning import Step, thin_steps

_RING_APART: Final = 6
"""Pixels: one ring stands for every post so near; the lane below has each."""
_DOTS_MOST: Final = 150


def _path(steps: Sequence[Step], ends_s: float, across: Scale, up: Scale) -> str:
    """Draw steps as one path: each value holds until the next, nothing is drawn through a gap."""
    parts: list[str] = []
    is_open = False
    for (at_s, value), (until_s, _) in zip(steps, [*steps[1:], (ends_s, None)], strict=True):
        if value is None:
            is_open = False
            continue
        y = number(up(value))
        parts.append(f"V{y}" if is_open else f"M{number(across(at_s))} {y}")
        parts.append(f"H{number(across(until_s))}")
        is_open = True
    return "".join(parts)


def _column_s(story: Story) -> float:
    return (story.ends_s - story.starts_s) / COLUMNS * story.column_px


def truth(story: Story, across: Scale, up: Scale) -> Markup:
    """Draw what the price really was."""
    steps = thin_steps([(each.at_s, each.price_e6) for each in story.truths], _column_s(story))
    return tag("path", class_="truth", d=_path(steps, story.ends_s, across, up))


def unknowable(story: Story, across: Scale, id_: str) -> Markup:
    """Shade when there was no truth to know: then nothing may be done."""
    ends = [*(each.at_s for each in story.truths[1:]), story.ends_s]
    parts = [
        tag(
            "rect",
            tag("title", f"nobody could know the price from {clock(truth.at_s)} to {clock(end)}"),
            x=across(truth.at_s),
            y=PLOT_TOP,
            width=max(across(end) - across(truth.at_s), 1.0),
            height=PLOT_BOTTOM - PLOT_TOP,
            fill=f"url(#{id_}-hatch)",
            class_="unknowable",
        )
        for truth, end in zip(story.truths, ends, strict=False)
        if truth.price_e6 is None
    ]
    return tag("g", *parts)


def sources(story: Story, across: Scale, up: Scale) -> Iterable[Markup]:
    """Draw what each source said last, a dot where it spoke."""
    for source in story.sources:
        said = [(each.at_s, each.price_e6) for each in story.heard if each.source == source]
        steps = thin_steps(said, _column_s(story))
        style = source_style(source)
        yield tag("path", class_=f"source {style}", d=_path(steps, story.ends_s, across, up))
        if len(said) <= _DOTS_MOST:
            dots = "".join(
                f"M{number(across(at_s))} {number(up(price))}h0"
                for at_s, price in said
                if price is not None
            )
            yield tag("path", class_=f"word {style}", d=dots)


def band(story: Story, across: Scale, up: Scale) -> Markup:
    """Draw the band round the believed price."""
    spans: list[tuple[float, float, int, int]] = []
    column_s = _column_s(story)
    for belief, end_s in story.held():
        low, high = belief.price_e6 - belief.band_e6, belief.price_e6 + belief.band_e6
        if spans and end_s - spans[-1][0] <= column_s:
            start, _, lowest, highest = spans.pop()
            spans.append((start, end_s, min(low, lowest), max(high, highest)))
        else:
            spans.append((belief.at_s, end_s, low, high))
    drawn = "".join(
        f"M{number(across(start))} {number(up(high))}H{number(across(end))}V{number(up(low))}"
        f"H{number(across(start))}Z"
        for start, end, low, high in spans
    )
    return tag("path", class_="band", d=drawn)


def belief(story: Story, across: Scale, up: Scale) -> Markup:
    """Draw the believed price: solid where the table lets the keeper act on it, dotted where not."""
    lines = []
    for class_, is_wanted in (("belief", True), ("belief withheld", False)):
        steps = [
            (each.at_s, each.price_e6 if may_post(each.price_class) is is_wanted else None)
            for each in story.beliefs
        ]
        thinned = thin_steps(steps, _column_s(story))
        lines.append(tag("path", class_=class_, d=_path(thinned, story.ends_s, across, up)))
    return tag("g", *lines)


def marks(story: Story, across: Scale, up: Scale) -> Markup:
    """Mark what was written on chain at its price: rings for posts, diamonds for liquidations."""
    posts: dict[int, tuple[float, float]] = {}
    diamonds: dict[tuple[int, int], Markup] = {}
    for each in story.actions:
        if each.bad is not None:
            continue
        x, y = across(each.at_s), up(each.price_e6)
        if each.kind is ActionKind.POST:
            posts.setdefault(int(x) // (_RING_APART + story.column_px), (x, y))
        else:
            diamonds.setdefault((int(x) // 3, int(y) // 3), _diamond(x, y, 5.0))
    rings = [tag("circle", class_="post", cx=x, cy=y, r=2.5) for x, y in posts.values()]
    return tag("g", *rings, *diamonds.values())


def _diamond(x: float, y: float, half: float) -> Markup:
    corners = ((x, y - half), (x + half, y), (x, y + half), (x - half, y))
    points = " ".join(f"{number(across)},{number(down)}" for across, down in corners)
    return tag("polygon", class_="liquidation", points=points)
