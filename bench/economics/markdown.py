"""Markdown whose tables line up in a terminal too."""

from collections.abc import Sequence
from textwrap import fill
from typing import Final

from bench.economics.jump import USD

_WIDTH: Final = 118


def section(*blocks: str) -> str:
    """Join headings, tables, images and paragraphs; fill the paragraphs."""
    filled = [
        block if block.startswith(("#", "|", "!")) else fill(block, _WIDTH, break_on_hyphens=False)
        for block in blocks
    ]
    return "\n\n".join(filled) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of as many columns as the head."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def dollars(base_units: int, decimals: int = 2) -> str:
    """Return an amount of base units in dollars."""
    text = f"${abs(base_units) / USD:,.{decimals}f}"
    return f"-{text}" if base_units < 0 and text.strip("$0.") else text


def percent(bps: int) -> str:
    """Return bps as a percentage."""
    return f"{bps / 100:.2f} %"
