"""A drill as a picture: truth, sources, belief and actions of one market over one axis of time.

Core. From top to bottom: phases and faults, prices, the class, the source believed, posts and liquidations. What is bad
crosses all of it. Whoever cannot see it gets a title, a description, and the table behind it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from keeper.drills.markup import Markup, joined, number, tag
from keeper.drills.model import Action, ActionKind
from keeper.drills.scales import (
    Scale,
    axis_times,
    clock,
    cut,
    dollars,
    fitted,
    price_ticks,
)
from keeper.drills.story import CLASSES, Story, in_words, may_post, rank_of
from keeper.drills.thinning import Step, thin_steps, worst_stretches

WIDTH: Final = 960
_LEFT: Final = 84
_RIGHT: Final = WIDTH - 34
_COLUMNS: Final = _RIGHT - _LEFT
_TEXT: Final = 11.0
_PLOT_TOP: Final = 44
_PLOT_BOTTOM: Final = 264
_CLASS_TOP: Final = 276
_CLASS_HEIGHT: Final = 20
_SOURCE_TOP: Final = 300
_SOURCE_HEIGHT: Final = 14
_POSTS_TOP: Final = 322
_LIQUIDATIONS_TOP: Final = 342
_LANE_HEIGHT: Final = 14
_AXIS_AT: Final = 364
_HEIGHT: Final = 384
_SPAN_LEAST_E6: Final = 40_000
_HEADROOM: Final = 8
"""An eighth of the span is left free above and below."""
_TICKS_MOST: Final = 11
_EXACT_MOST: Final = 150
"""Up to so many changes are drawn each, with its words under the pointer; more are drawn by columns."""
_DOTS_MOST: Final = 150
_FLAG_WIDTH: Final = 20
_RING_APART: Final = 10
"""A ring stands for every post so near; the lane below has each."""
_KNOWN_SOURCES: Final = ("stream", "clob", "gamma", "last_good")


def timeline(story: Story, title: str, id_: str) -> Markup:
    """Draw one market's story.

    Args:
        story: what happened.
        title: for a screen reader and the pointer.
        id_: unique on the page.
    """
    across = Scale(story.starts_s, story.ends_s, _LEFT, _RIGHT)
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
            _unknowable(story, across),
            _truth(story, across, up),
            _band(story, across, up),
            *_sources(story, across, up),
            _belief(story, across, up),
            _marks(story, across, up),
        ),
        _class_lane(story, across, id_),
        _source_lane(story, across),
        _action_lane("posted", _POSTS_TOP, ActionKind.POST, story, across),
        _action_lane("liquidated", _LIQUIDATIONS_TOP, ActionKind.LIQUIDATE, story, across),
        _bad(story, across, up),
        viewBox=f"0 0 {WIDTH} {_HEIGHT}",
        role="img",
        aria_labelledby=f"{id_}-title {id_}-desc",
        class_="timeline",
    )


def strip(story: Story | None, title: str, id_: str) -> Markup:
    """Draw the class of a market over time on one line, as the list of all drills shows it."""
    width, height = 240, 18
    inside: list[str] = [tag("title", title, id=f"{id_}-title")]
    if story is not None:
        across = Scale(story.starts_s, story.ends_s, 0, width)
        stretches = worst_stretches(
            ((across(b.at_s), across(end), rank_of(b.price_class)) for b, end in story.held()),
            width,
        )
        inside += [
            tag(
                "rect",
                class_=f"class-{CLASSES[each.rank]}",
                x=each.starts,
                y=3,
                width=each.ends - each.starts,
                height=height - 6,
            )
            for each in stretches
        ]
        inside += [
            tag(
                "rect",
                class_="broken",
                x=across(phase.starts_s),
                y=0,
                width=max(across(phase.ends_s) - across(phase.starts_s), 1.0),
                height=2,
            )
            for phase in story.phases
            if phase.faults
        ]
        inside += [
            tag("line", class_="bad-line", x1=x, x2=x, y1=0, y2=height)
            for x in sorted({round(across(each.at_s)) for each in story.bad})
        ]
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{id_}-title",
        class_="strip",
    )


def source_style(source: str) -> str:
    """Return the CSS class of a source's line."""
    return f"source-{source}" if source in _KNOWN_SOURCES else "source-other"


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
    return Scale(max(middle - half, 0), min(middle + half, 1_000_000), _PLOT_BOTTOM, _PLOT_TOP)


def _text(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> Markup:
    return tag(
        "text",
        text,
        class_=class_ or None,
        x=x,
        y=y,
        text_anchor=None if anchor == "start" else anchor,
    )


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
            tag("rect", x=_LEFT, y=_PLOT_TOP, width=_COLUMNS, height=_PLOT_BOTTOM - _PLOT_TOP),
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
        room = next(later, float(_RIGHT)) - x - 10
        said = "; ".join(phase.faults)
        if phase.faults:
            parts.append(
                tag(
                    "rect",
                    tag("title", f"{said}, {clock(phase.starts_s)} to {clock(phase.ends_s)}"),
                    class_="fault",
                    x=x,
                    y=_PLOT_TOP,
                    width=max(end - x, 1.0),
                    height=_AXIS_AT - _PLOT_TOP,
                )
            )
        parts.append(tag("line", class_="edge", x1=x, x2=x, y1=8, y2=_AXIS_AT))
        parts.append(_text(x + 6, 19, cut(phase.name, end - x - 10, _TEXT + 1), "phase"))
        parts.append(_text(x + 6, 35, cut(said, room, _TEXT), "broken-words"))
    return tag("g", *parts)


def _axes(up: Scale, across: Scale) -> Markup:
    parts: list[str] = []
    ticks = price_ticks(int(up.low), int(up.high), _TICKS_MOST // 2 + 1)
    places = max((len(dollars(each)) for each in ticks), default=0)
    for price_e6 in ticks:
        y = up(price_e6)
        parts.append(tag("line", class_="grid", x1=_LEFT, x2=_RIGHT, y1=y, y2=y))
        parts.append(_text(_LEFT - 8, y + 4, dollars(price_e6).ljust(places, "0"), "scale", "end"))
    parts.append(tag("line", class_="axis", x1=_LEFT, x2=_RIGHT, y1=_AXIS_AT, y2=_AXIS_AT))
    labels, unit = axis_times(across.low, across.high, _TICKS_MOST)
    for at_s, label in labels:
        x = across(at_s)
        parts.append(tag("line", class_="axis", x1=x, x2=x, y1=_AXIS_AT, y2=_AXIS_AT + 4))
        parts.append(_text(x, _AXIS_AT + 16, label, "scale", "middle"))
    parts.append(_text(_LEFT - 20, _AXIS_AT + 16, unit, "scale", "end"))
    return tag("g", *parts)


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
    return (story.ends_s - story.starts_s) / _COLUMNS


def _truth(story: Story, across: Scale, up: Scale) -> Markup:
    steps = thin_steps([(each.at_s, each.price_e6) for each in story.truths], _column_s(story))
    return tag("path", class_="truth", d=_path(steps, story.ends_s, across, up))


def _unknowable(story: Story, across: Scale) -> Markup:
    """Shade when there was no truth to know: then nothing may be done."""
    ends = [*(each.at_s for each in story.truths[1:]), story.ends_s]
    parts = [
        tag(
            "rect",
            tag("title", f"nobody could know the price from {clock(truth.at_s)} to {clock(end)}"),
            x=across(truth.at_s),
            y=_PLOT_TOP,
            width=max(across(end) - across(truth.at_s), 1.0),
            height=_PLOT_BOTTOM - _PLOT_TOP,
            class_="unknowable",
        )
        for truth, end in zip(story.truths, ends, strict=False)
        if truth.price_e6 is None
    ]
    return tag("g", *parts)


def _sources(story: Story, across: Scale, up: Scale) -> Iterable[Markup]:
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


def _band(story: Story, across: Scale, up: Scale) -> Markup:
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


def _belief(story: Story, across: Scale, up: Scale) -> Markup:
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


def _marks(story: Story, across: Scale, up: Scale) -> Markup:
    """Mark what was written on chain at its price: rings for posts, diamonds for liquidations."""
    posts: dict[int, tuple[float, float]] = {}
    diamonds: dict[tuple[int, int], Markup] = {}
    for each in story.actions:
        if each.bad is not None:
            continue
        x, y = across(each.at_s), up(each.price_e6)
        if each.kind is ActionKind.POST:
            posts.setdefault(int(x) // _RING_APART, (x, y))
        else:
            diamonds.setdefault((int(x) // 3, int(y) // 3), _diamond(x, y, 5.0))
    rings = [tag("circle", class_="post", cx=x, cy=y, r=2.5) for x, y in posts.values()]
    return tag("g", *rings, *diamonds.values())


def _diamond(x: float, y: float, half: float) -> Markup:
    corners = ((x, y - half), (x + half, y), (x, y + half), (x - half, y))
    points = " ".join(f"{number(across)},{number(down)}" for across, down in corners)
    return tag("polygon", class_="liquidation", points=points)


def _lane_name(name: str, top: float, height: float) -> Markup:
    return _text(_LEFT - 8, top + height / 2 + 4, name, "lane", "end")


def _class_lane(story: Story, across: Scale, id_: str) -> Markup:
    parts: list[str] = [_lane_name("class", _CLASS_TOP, _CLASS_HEIGHT)]
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
            (across(each.at_s) - _LEFT, across(end_s) - _LEFT, rank_of(each.price_class))
            for each, end_s in story.held()
        )
        runs += (
            (_LEFT + each.starts, _LEFT + each.ends, CLASSES[each.rank], CLASSES[each.rank])
            for each in worst_stretches(held, _COLUMNS)
        )
    # The worst last: a moment of it must not vanish under its neighbours.
    for x, end, price_class, words in sorted(runs, key=lambda run: rank_of(run[2])):
        known = CLASSES[rank_of(price_class)]
        box = {"x": x, "y": _CLASS_TOP, "width": max(end - x, 1.5), "height": _CLASS_HEIGHT}
        parts.append(tag("rect", tag("title", words), class_=f"class-{known}", **box))
        if not may_post(price_class):
            parts.append(tag("rect", fill=f"url(#{id_}-hatch)", **box))
        label = fitted((price_class, price_class[:1].upper()), end - x - 6, _TEXT)
        if label is not None:
            parts.append(_text((x + end) / 2, _CLASS_TOP + 14, label, f"on on-{known}", "middle"))
    return tag("g", *parts)


def _source_lane(story: Story, across: Scale) -> Markup:
    parts: list[str] = [_lane_name("believed", _SOURCE_TOP, _SOURCE_HEIGHT)]
    runs: list[tuple[float, float, str]] = []
    for each, end_s in story.held():
        x, end = across(each.at_s), across(end_s)
        if runs and (runs[-1][2] == each.source or end - runs[-1][0] < 1):
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
                y=_SOURCE_TOP,
                width=max(end - x, 1.0),
                height=_SOURCE_HEIGHT,
            )
        )
        label = fitted((source,), end - x - 6, _TEXT)
        if label is not None:
            parts.append(_text((x + end) / 2, _SOURCE_TOP + 11, label, "from-name", "middle"))
    return tag("g", *parts)


def _action_lane(name: str, top: int, kind: ActionKind, story: Story, across: Scale) -> Markup:
    done = [each for each in story.actions if each.kind is kind and each.bad is None]
    columns = sorted({round(2 * across(each.at_s)) for each in done})
    ticks = "".join(f"M{number(column / 2)} {top}v{_LANE_HEIGHT}" for column in columns)
    middle = top + _LANE_HEIGHT / 2
    return tag(
        "g",
        _lane_name(name, top, _LANE_HEIGHT),
        tag("line", class_="grid", x1=_LEFT, x2=_RIGHT, y1=middle, y2=middle),
        tag("path", tag("title", f"{len(done)} {name}"), class_=f"tick {kind}", d=ticks),
    )


def flags(story: Story) -> list[tuple[Action, ...]]:
    """Gather the bad actions that would share one flag on the picture; flag 1 is the first."""
    across = Scale(story.starts_s, story.ends_s, _LEFT, _RIGHT)
    gathered: list[list[Action]] = []
    for each in story.bad:
        if gathered and across(each.at_s) - across(gathered[-1][0].at_s) < _FLAG_WIDTH:
            gathered[-1].append(each)
        else:
            gathered.append([each])
    return [tuple(each) for each in gathered]


def _bad(story: Story, across: Scale, up: Scale) -> Markup:
    parts: list[str] = []
    lane = {ActionKind.POST: _POSTS_TOP, ActionKind.LIQUIDATE: _LIQUIDATIONS_TOP}
    for flag, together in enumerate(flags(story), start=1):
        parts += [
            tag("line", class_="bad-line", x1=x, x2=x, y1=_PLOT_TOP, y2=_AXIS_AT)
            for x in dict.fromkeys(round(across(each.at_s)) for each in together)
        ]
        first = across(together[0].at_s)
        parts += [
            _cross(first, lane[kind] + _LANE_HEIGHT / 2, "", 5.0)
            for kind in dict.fromkeys(each.kind for each in together)
        ]
        words = f"bad: {together[0].bad}, {clock(together[0].at_s)}"
        seen = {(round(across(e.at_s)), round(up(e.price_e6))) for e in together}
        parts += [_cross(float(x), float(y), words, 7.0) for x, y in sorted(seen)]
        left = min(first, float(_RIGHT - _FLAG_WIDTH))
        parts.append(
            tag("rect", class_="flag", x=left, y=_PLOT_TOP - 2, width=_FLAG_WIDTH, height=16)
        )
        parts.append(
            _text(left + _FLAG_WIDTH / 2, _PLOT_TOP + 10, str(flag), "flag-text", "middle")
        )
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
