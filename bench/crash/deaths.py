"""How each life of the keeper ends, decided by the seed: by the clock, at work, or at a named line of landing.

Core.
"""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_CLOCK_S_MAX: Final = 4.0
"""Half of it is the start of a process: a kill there must be as harmless as any other."""
_BATCHES_MAX: Final = 8
_LINGER_S_MAX: Final = 0.3
_POINT_TIMES_MAX: Final = 4


class Point(StrEnum):
    """The lines of landing that a crash must not fall between unnoticed."""

    BEFORE_RECORD = "before-record"
    """The attempt is written but not committed: nothing may have left."""
    AFTER_RECORD = "after-record"
    """Committed, and not one byte sent."""
    BEFORE_END = "before-end"
    """The chain has said how it ended; that is not committed."""
    AFTER_END = "after-end"
    """The end is committed, and nobody has been told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The end of one life."""

    name: str
    """The kind, as it is counted."""
    after_s: float = 0.0
    """Since the process was started, or since the batch that is waited for."""
    after_batches: int | None = None
    """Wait until so many were signed; None counts from the start of the process."""
    point: Point | None = None
    """The process kills itself there, without help from outside."""
    times: int = 1
    """At which passing of the point."""


def deaths_of(seed: int, count: int) -> list[Death]:
    """Return so many deaths: a third of each kind, in an order by chance."""
    chance = random.Random(f"deaths {seed}")
    return [_death(chance, number) for number in range(count)]


def _death(chance: random.Random, number: int) -> Death:
    match number % 3:
        case 0:
            return Death(name="by the clock", after_s=chance.uniform(0.0, _CLOCK_S_MAX))
        case 1:
            return Death(
                name="at work",
                after_s=chance.uniform(0.0, _LINGER_S_MAX),
                after_batches=chance.randint(1, _BATCHES_MAX),
            )
        case _:
            point = list(Point)[number // 3 % len(Point)]
            return Death(name=point, point=point, times=chance.randint(1, _POINT_TIMES_MAX))
