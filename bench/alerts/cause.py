"""What a cause is, how it went, and whether its rule did what it is for.

Core.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from keeper.drills.model import Alarm


class Clock(StrEnum):
    """What the seconds of a course are."""

    VIRTUAL = "virtual"
    """The whole keeper in one loop, on sockets in memory; time jumps."""
    REAL = "real"
    """Processes, sockets, files and seconds of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How it went, in seconds since its start."""

    clock: Clock
    caused_s: float
    mended_s: float
    alarms: tuple[Alarm, ...]
    """In the order in which they went off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that goes wrong for real, and the rule that is there for it."""

    rule: str
    how: str
    """What is done, and then undone, in a few words."""
    run: Callable[[], Course]
    """Does it, from an empty folder; for a process that does nothing else."""
    also: frozenset[str] = frozenset()
    """Other rules that it may set off besides: they ask for less of the same, or for what follows from it."""
    is_quick: bool = False
    """Short enough for every run of the tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was seen of one rule."""

    rule: str
    how: str
    clock: Clock | None
    fired_after_s: float | None
    """Since the cause began."""
    resolved_after_s: float | None
    """Since it was mended."""
    also_fired: tuple[str, ...]
    faults: tuple[str, ...]
    """What should not be so; empty when all is well."""

    @property
    def is_right(self) -> bool:
        """Whether the rule did what it is for, and no other did what it is not for."""
        return not self.faults


def finding_of(cause: Cause, course: Course) -> Finding:
    """Judge a course: the rule fires once it is caused, is over only once that is mended, and stands alone but for `also`."""
    mine = [each for each in course.alarms if each.rule == cause.rule]
    others = tuple(dict.fromkeys(each.rule for each in course.alarms if each.rule != cause.rule))
    ends = [each.resolved_s for each in mine if each.resolved_s is not None]
    faults = [f"{rule} fired too" for rule in others if rule not in cause.also]
    faults += [
        f"{each.rule} fired before anything was wrong"
        for each in course.alarms
        if each.fired_s < course.caused_s
    ]
    faults += [f"{each.rule} never ended" for each in course.alarms if each.resolved_s is None]
    if not mine:
        faults.append("it did not fire")
    elif ends and min(ends) < course.mended_s:
        faults.append("it was over before anything was mended")
    return Finding(
        rule=cause.rule,
        how=cause.how,
        clock=course.clock,
        fired_after_s=mine[0].fired_s - course.caused_s if mine else None,
        resolved_after_s=max(ends) - course.mended_s if mine and len(ends) == len(mine) else None,
        also_fired=others,
        faults=tuple(dict.fromkeys(faults)),
    )


def finding_of_failure(cause: Cause, reason: str) -> Finding:
    """Return what is known of a cause that could not be played."""
    return Finding(
        rule=cause.rule,
        how=cause.how,
        clock=None,
        fired_after_s=None,
        resolved_after_s=None,
        also_fired=(),
        faults=(reason,),
    )
