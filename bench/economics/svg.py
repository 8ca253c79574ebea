"""Two kinds of chart as SVG text, readable on a light page and on a dark one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 760
STYLE: Final = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.quiet { fill: #57606a }
.axis { stroke: #8c959f; stroke-width: 1 }
.grid { stroke: #8c959f; stroke-opacity: .25; stroke-width: 1 }
.s0, .b0 { --c: #0969da } .s1 { --c: #1a7f37 } .s2, .b1 { --c: #cf222e } .s3 { --c: #8250df }
polyline { fill: none; stroke: var(--c); stroke-width: 2 }
polyline.s1, polyline.s3 { stroke-dasharray: 6 6 }
circle, rect { fill: var(--c) }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 }
.s0, .b0 { --c: #58a6ff } .s1 { --c: #3fb950 } .s2, .b1 { --c: #ff7b72 } .s3 { --c: #bc8cff }
}
</style>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One set of axes: a line a name, over the same values of x."""

    title: str
    xs: Sequence[int]
    lines: Mapping[str, Sequence[float]]


def line_charts(title: str, x_label: str, y_label: str, panels: Sequence[Panel]) -> str:
    """Draw panels side by side on one scale of y, with one legend under the title."""
    top, bottom, height = 78, 330, 380
    y_max = _round_up(max(y for panel in panels for line in panel.lines.values() for y in line))
    room = (WIDTH - 50) // len(panels)
    parts = [_text(16, 24, title, "title"), _text(16, 68, y_label, "quiet")]
    x = 16
    for index, name in enumerate(panels[0].lines):
        parts.append(f'<circle class="s{index}" cx="{x + 5}" cy="42" r="5"/>')
        parts.append(_text(x + 16, 46, name))
        x += 40 + 7 * len(name)
    for number, panel in enumerate(panels):
        left, right = 50 + number * room, 50 + (number + 1) * room - 24
        parts += _panel(panel, left, right, top, bottom, y_max, has_scale=number == 0)
        parts.append(
            _text((left + right) // 2, bottom + 36, f"{panel.title}, {x_label}", "quiet", "middle")
        )
    return _document(height, parts)


def bar_chart(title: str, pairs: Mapping[str, Sequence[float]], legend: Sequence[str]) -> str:
    """Draw a group of bars for every name, one bar per entry of the legend."""
    left, top, step = 190, 66, 12 + 16 * len(legend)
    scale = (WIDTH - left - 70) / max(value for values in pairs.values() for value in values)
    parts = [_text(16, 24, title, "title")]
    x = 16
    for index, name in enumerate(legend):
        parts.append(f'<rect class="b{index}" x="{x}" y="36" width="10" height="10"/>')
        parts.append(_text(x + 16, 46, name))
        x += 40 + 7 * len(name)
    for row, (name, values) in enumerate(pairs.items()):
        y = top + row * step
        parts.append(_text(left - 10, y + 8 * len(legend) + 4, name, anchor="end"))
        for index, value in enumerate(values):
            width = max(value * scale, 1)
            parts.append(
                f'<rect class="b{index}" x="{left}" y="{y + 16 * index}" width="{width:.1f}" height="13"/>'
            )
            parts.append(_text(left + width + 6, y + 16 * index + 11, f"{value:g}", "quiet"))
    return _document(top + step * len(pairs) + 8, parts)


def _panel(
    panel: Panel, left: int, right: int, top: int, bottom: int, y_max: float, *, has_scale: bool
) -> list[str]:
    def at(x: float, y: float) -> tuple[float, float]:
        return (
            left + (right - left) * x / max(panel.xs),
            bottom - (bottom - top) * y / y_max,
        )

    parts = []
    for fifth in range(6):
        value = y_max * fifth / 5
        _, y = at(0, value)
        parts.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        if has_scale:
            parts.append(_text(left - 6, y + 4, f"{value:g}", "quiet", "end"))
    parts.append(f'<line class="axis" x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
    parts += [_text(at(x, 0)[0], bottom + 16, str(x), "quiet", "middle") for x in panel.xs]
    for index, line in enumerate(panel.lines.values()):
        points = [at(x, y) for x, y in zip(panel.xs, line, strict=True)]
        listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="s{index}" points="{listed}"/>')
        parts += [f'<circle class="s{index}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
    return parts


def _round_up(value: float) -> float:
    """The next value above that five grid lines divide well."""
    decade = 1
    while decade * 10 <= value:
        decade *= 10
    return next(
        step
        for tenths in (10, 15, 20, 30, 40, 50, 60, 80, 100)
        if (step := decade * tenths / 10) >= value
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _document(height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    return "\n".join([head, STYLE, *parts, "</svg>"]) + "\n"
