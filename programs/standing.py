"""One endpoint's standing: does it answer, how new is what it says, how fast is it, and is it believed at all.

Core, on a given clock. Slots are kept by commitment, for a node's finalized slot is some thirty behind its processed one;
what was heard at a stronger commitment also counts at the weaker ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from programs.breaker import Breaker
from programs.rpc import Commitment

_STRENGTH: Final[dict[Commitment, int]] = {"processed": 0, "confirmed": 1, "finalized": 2}
_LEAP_SLOTS: Final = 1_000
_LEAP_SLOTS_PER_S: Final = 100
"""No cluster closes slots of less than 10 ms: a slot further ahead than this is a slip, a lie, or another chain."""
MEMORY_S: Final = 60.0
"""How long the newest slot heard binds the others when nobody repeats it: a keeper must not starve on one bad word."""
_WEIGHT: Final = 0.3
"""Of the newest sample in the average latency."""


class Hearing(StrEnum):
    """What an answer's slot makes of it."""

    FINE = "fine"
    """It is data."""
    BEHIND = "behind"
    """It was true once."""
    INCREDIBLE = "incredible"
    """So far ahead of everything heard that it has to be said twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A slot, and when it was heard."""

    slot: int
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one endpoint."""

    breaker: Breaker = field(default_factory=Breaker)
    marks: tuple[Mark | None, Mark | None, Mark | None] = (None, None, None)
    """The newest slot it told of: processed, confirmed, finalized."""
    behind_slots: int = 0
    """How far its last answer was behind the newest slot heard from anybody."""
    claim: int | None = None
    """An incredible slot that it told of last."""
    left_alone_until_s: float = -float("inf")
    """It asked not to be called before."""
    latency_s: float | None = None
    """Of the question that all endpoints are asked alike, averaged."""
    trail_slots: float | None = None
    """How far it was behind the newest when all were asked alike, averaged."""
    aside: str | None = None
    """Why nothing it says is believed; None while it is."""

    @property
    def is_believed(self) -> bool:
        """Whether what it says may become data."""
        return self.aside is None

    def hear(
        self, slot: int, commitment: Commitment, newest: Mark | None, now_s: float, max_lag: int
    ) -> tuple["Standing", Hearing]:
        """Take in the slot of an answer.

        Args:
            slot: what the answer is about.
            commitment: at which it was read.
            newest: the newest slot heard from anybody at this commitment.
            now_s: the clock.
            max_lag: how many slots behind `newest` an answer may be.

        """
        if newest is not None and slot > _credible(newest, now_s):
            is_repeated = self.claim is not None and self.claim <= slot <= self.claim + _LEAP_SLOTS
            if not is_repeated:
                return replace(self, claim=slot), Hearing.INCREDIBLE
        behind = 0 if newest is None else max(newest.slot - slot, 0)
        place = _STRENGTH[commitment]
        mark = self.marks[place]
        marks = list(self.marks)
        if mark is None or slot >= mark.slot or now_s > mark.at_s + MEMORY_S:
            marks[place] = Mark(slot=slot, at_s=now_s)
        heard = replace(self, marks=(marks[0], marks[1], marks[2]), behind_slots=behind, claim=None)
        return heard, Hearing.BEHIND if behind > max_lag else Hearing.FINE

    def clock(self, took_s: float) -> "Standing":
        """Take in how long the question took that all endpoints are asked alike."""
        if self.latency_s is None:
            return replace(self, latency_s=took_s)
        return replace(self, latency_s=self.latency_s + _WEIGHT * (took_s - self.latency_s))

    def trail(self, slots: int) -> "Standing":
        """Take in how far it was behind the newest when all were asked alike."""
        if self.trail_slots is None:
            return replace(self, trail_slots=float(slots))
        return replace(self, trail_slots=self.trail_slots + _WEIGHT * (slots - self.trail_slots))

    def forget_slots(self) -> "Standing":
        """Drop what it said of slots: it was not about our cluster."""
        return replace(self, marks=(None, None, None), behind_slots=0, claim=None, trail_slots=None)


def newest_mark(standings: Iterable[Standing], commitment: Commitment, now_s: float) -> Mark | None:
    """Return the newest slot that a believed endpoint told of within `MEMORY_S`, at this commitment or a stronger one."""
    marks = [
        mark
        for standing in standings
        if standing.is_believed
        for mark in standing.marks[_STRENGTH[commitment] :]
        if mark is not None and now_s <= mark.at_s + MEMORY_S
    ]
    return max(marks, key=lambda mark: (mark.slot, mark.at_s), default=None)


def _credible(newest: Mark, now_s: float) -> float:
    return newest.slot + _LEAP_SLOTS + _LEAP_SLOTS_PER_S * (now_s - newest.at_s)
