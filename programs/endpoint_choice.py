"""Which endpoints are asked, and in which order.

Core. Closed breakers before open ones, the newest before the lagging, then the fastest, unless it is hardly faster than the
one in use. When all are bad the least bad one is still asked: a keeper that asks nobody is dead. Two are never asked: one
that is set aside, because its word is not believed, and one that asked to be left alone. How far one trails the newest counts
as time: what happened is heard there so much later.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from programs.breaker import BreakerState
from programs.standing import Standing
from programs.units import SLOT_MS

_FASTER_FACTOR: Final = 2 / 3
_FASTER_S: Final = 0.005
"""How much faster another endpoint must be for a change, so that two alike do not take turns."""
_TRAIL_SLOTS_FREE: Final = 2
"""So far two endpoints that are alike may seem apart, for they are not asked in the same instant."""
_SLOT_S: Final = SLOT_MS / 1_000


class Rank(IntEnum):
    """How good an endpoint is for a read, best first."""

    GOOD = 0
    LAGGING = 1
    DUE = 2
    """Its breaker is open, and a probe may go."""
    OPEN = 3
    """Its breaker lets nothing through."""

    @property
    def words(self) -> str:
        """What an operator is told of it."""
        return _WORDS[self]


_WORDS: Final = {
    Rank.GOOD: "it answers, and keeps up",
    Rank.LAGGING: "it lags behind the newest slot heard",
    Rank.DUE: "its calls failed, and this one tries whether it is back",
    Rank.OPEN: "its calls failed a moment ago",
}


def rank_of(standing: Standing, now_s: float, max_lag_slots: int) -> Rank:
    """Judge one endpoint."""
    if standing.breaker.state is not BreakerState.CLOSED:
        return Rank.DUE if standing.breaker.wait_s(now_s) <= 0 else Rank.OPEN
    return Rank.LAGGING if standing.behind_slots > max_lag_slots else Rank.GOOD


def order_for_read(
    standings: Sequence[Standing], *, preferred: int, now_s: float, max_lag_slots: int
) -> tuple[int, ...]:
    """Return who is asked, first to last; empty when nobody may be.

    Args:
        standings: of each endpoint.
        preferred: who answered last, and is kept unless another one is clearly better.
        now_s: the clock.
        max_lag_slots: how far behind an endpoint may be and still be good.

    """

    def key(number: int) -> tuple[Rank, float, bool]:
        standing = standings[number]
        rank = rank_of(standing, now_s, max_lag_slots)
        if rank is Rank.LAGGING:
            return rank, float(standing.behind_slots), number != preferred
        if rank is not Rank.GOOD:
            return rank, standing.breaker.probe_at_s, number != preferred
        latency_s = float("inf") if standing.latency_s is None else standing.latency_s
        latency_s += max((standing.trail_slots or 0) - _TRAIL_SLOTS_FREE, 0) * _SLOT_S
        if number == preferred:
            latency_s = min(_FASTER_FACTOR * latency_s, latency_s - _FASTER_S)
        return rank, latency_s, number != preferred

    return tuple(sorted(allowed(standings, now_s), key=key))


def recipients(standings: Sequence[Standing], now_s: float) -> tuple[int, ...]:
    """Return whom a transaction is sent to: all whose breaker lets it through, or all when none does."""
    willing = allowed(standings, now_s)
    admitted = [number for number in willing if standings[number].breaker.wait_s(now_s) <= 0]
    return tuple(admitted or willing)


def allowed(standings: Sequence[Standing], now_s: float) -> list[int]:
    """Return who may be asked at all: believed, and not left alone."""
    return [
        number
        for number, standing in enumerate(standings)
        if standing.is_believed and standing.left_alone_until_s <= now_s
    ]
