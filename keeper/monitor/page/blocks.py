"""What sections of the page are made of: tiles, meters and tables.

Core. A state is told by a sign and a word, never by colour alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from keeper.monitor.page.words import UNKNOWN

State: TypeAlias = Literal["", "good", "note", "warning", "bad"]
SIGNS: Final[dict[str, str]] = {"good": "✓", "note": "•", "warning": "▲", "bad": "✗"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A figure with its name."""

    name: str
    value: str
    note: str = ""
    state: State = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How much of something is used or done."""

    name: str
    value: float
    value_max: float
    words: str
    state: State = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One field of a table."""

    text: str
    state: State = ""
    href: str | None = None
    is_code: bool = False

    @property
    def is_figure(self) -> bool:
        """Whether it stands under others by its last digit."""
        return not self.is_code and (self.text[:1].isdigit() or self.text == UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings; the first cell of a row is what the row is about."""

    id: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "none"
    is_folded: bool = False
    """Whether it is shown only when asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading and what belongs under it."""

    id: str
    title: str
    tiles: Sequence[Tile] = ()
    meters: Sequence[Meter] = ()
    tables: Sequence[Table] = field(default_factory=tuple)
    is_old: bool = False
    """Whether its figures are what a silent service said last."""


def cells(*texts: str) -> tuple[Cell, ...]:
    """Return plain cells."""
    return tuple(Cell(text=text) for text in texts)


def above(value: float | None, warning: float, bad: float) -> State:
    """Judge a figure that should be low."""
    if value is None:
        return ""
    return "bad" if value > bad else "warning" if value > warning else ""
