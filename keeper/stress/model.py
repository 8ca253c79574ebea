"""What is left of a stress run: phases, verdicts, measures and curves.

Core.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One act of a run."""

    name: str
    starts_s: float
    """From the moment at which the keeper was ready."""
    ends_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Something that was stated before the run, and what was seen."""

    expected: str
    """One sentence, with its bound."""
    seen: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure of the run that no bound is put on; money in base units, times in slots or milliseconds."""

    name: str
    unit: str
    """`1/s`, `ms`, `slots`, `CU`, `%`, `base units`, or `` for a count."""
    value: float | None
    """None: nothing of the kind happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A figure over time."""

    name: str
    unit: str
    points: tuple[tuple[float, float], ...]
    """Seconds of the run, and the figure, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a scenario made of its evidence."""

    verdicts: tuple[Verdict, ...]
    measures: tuple[Measure, ...] = ()
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StressResult:
    """One scenario's end."""

    name: str
    title: str
    scale: float
    """1: as large as the origin says."""
    load: str
    """What was offered, in a sentence with its figures."""
    phases: tuple[Phase, ...]
    verdicts: tuple[Verdict, ...]
    measures: tuple[Measure, ...]
    curves: tuple[Curve, ...]
    took_s: float
    alarms: tuple[str, ...] = ()
    """Rules of the monitor that fired while it was played, in order: what people would have been told."""
    reason: str = ""
    """Why it could not be played; then it has no verdicts."""

    @property
    def passed(self) -> bool:
        """Whether it was played and every verdict is met."""
        return not self.reason and all(verdict.passed for verdict in self.verdicts)


def written(value: float | None) -> str:
    """Write a figure for people: whole from a thousand on, else four digits."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"  # noqa: PLR2004 - as said
