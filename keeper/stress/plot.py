"""A curve of a stress run as a picture: its acts as bands, its figure as a step line.

Core.
"""

from collections.abc import Sequence
from typing import Final

from keeper.drills.markup import Markup, number, tag
from keeper.drills.scales import Scale, axis_times, fitted
from keeper.stress.model import Curve, Phase, written

_WIDTH: Final = 960
_LEFT: Final = 64
_RIGHT: Final = _WIDTH - 12
_TOP: Final = 26
_BOTTOM: Final = 206
_HEIGHT: Final = 236
_TICKS: Final = 9
_FONT_PX: Final = 11
_NICE: Final = (1.0, 2.0, 5.0)


def plot(curve: Curve, phases: Sequence[Phase]) -> Markup:
    """Draw one curve; a curve without points is said to have none."""
    if not curve.points:
        return tag("p", f"{curve.name}: nothing of the kind", class_="quiet")
    low_s = min([phase.starts_s for phase in phases] + [curve.points[0][0]])
    high_s = max([phase.ends_s for phase in phases] + [curve.points[-1][0]])
    top = ceiling(max(value for _, value in curve.points))
    across = Scale(low_s, max(high_s, low_s + 1), _LEFT, _RIGHT)
    up = Scale(0.0, top, _BOTTOM, _TOP)
    ticks, unit = axis_times(low_s, high_s, _TICKS)
    picture = tag(
        "svg",
        tag("title", _words(curve)),
        *_bands(phases, across),
        *(_level(value, up, across) for value in (0.0, top / 2, top)),
        *(_moment(at_s, label, across) for at_s, label in ticks),
        tag("text", unit, x=_RIGHT, y=_HEIGHT - 2, text_anchor="end", class_="scale"),
        tag("path", d=_steps(curve, across, up), class_="belief"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        class_="timeline",
        role="img",
    )
    caption = tag("figcaption", f"{curve.name}, {curve.unit}" if curve.unit else curve.name)
    return tag("figure", tag("div", picture, class_="scroll", tabindex=0), caption)


def ceiling(value: float) -> float:
    """Return the next round number at or above a value: 1, 2 or 5 times a power of ten; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** len(str(int(value))) if value >= 1 else 1.0
    return min(
        nice * power / divisor
        for divisor in (1.0, 10.0)
        for nice in _NICE
        if nice * power / divisor >= value
    )


def _words(curve: Curve) -> str:
    values = [value for _, value in curve.points]
    return f"{curve.name}: at most {written(max(values))} {curve.unit}, in the mean {written(sum(values) / len(values))}"


def _bands(phases: Sequence[Phase], across: Scale) -> list[Markup]:
    """Shade every other act, and name each where its name fits."""
    parts = []
    for place, phase in enumerate(phases):
        start, end = across(phase.starts_s), across(phase.ends_s)
        name = fitted((phase.name,), end - start, _FONT_PX)
        if place % 2:
            parts.append(
                tag(
                    "rect",
                    tag("title", phase.name),
                    x=start,
                    y=_TOP,
                    width=max(end - start, 0.5),
                    height=_BOTTOM - _TOP,
                    class_="band",
                )
            )
        if name is not None:
            parts.append(tag("text", name, x=start + 2, y=_TOP - 8, class_="scale"))
    return parts


def _level(value: float, up: Scale, across: Scale) -> Markup:
    y = up(value)
    return tag(
        "g",
        tag("line", x1=across.start, x2=across.end, y1=y, y2=y, class_="grid"),
        tag("text", written(value), x=_LEFT - 6, y=y + 4, text_anchor="end", class_="scale"),
    )


def _moment(at_s: float, label: str, across: Scale) -> Markup:
    x = across(at_s)
    return tag("text", label, x=x, y=_BOTTOM + 16, text_anchor="middle", class_="scale")


def _steps(curve: Curve, across: Scale, up: Scale) -> str:
    first_s, first = curve.points[0]
    parts = [f"M{number(across(first_s))} {number(up(first))}"]
    parts += [f"H{number(across(at_s))}V{number(up(value))}" for at_s, value in curve.points[1:]]
    return "".join(parts)
