"""What a lane may still spend: windows that every lamport counts in for their whole length, from the minute it was bid.

Core. A bid is reserved when it is made and corrected when its end is known: balances lag until a block lands, and a burst
of bids must not pass a cap in the meantime. Minutes, not payments, are kept: a day of payments may be millions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from programs.units import Lamports

HOUR_MINUTES: Final = 60
DAY_MINUTES: Final = 24 * HOUR_MINUTES
_MINUTE_S: Final = 60.0

Period = Literal["hour", "day"]


class SpentRow(Protocol):
    """What a lane spent in one minute, as it is recorded."""

    @property
    def lane(self) -> str:
        """Which lane."""
        ...

    @property
    def signed_minute(self) -> int | None:
        """Unix minutes by the wall clock of then."""
        ...

    @property
    def created_slot(self) -> int:
        """The newest blockhash of the minute."""
        ...

    @property
    def lamports(self) -> int:
        """Fees and rent."""
        ...


@dataclass(slots=True, eq=False)
class Reservation:
    """What was bid, and when."""

    lamports: Lamports
    minute: int


@dataclass(slots=True)
class Window:
    """The lamports of the newest minutes against a cap.

    A lamport counts until the minute it was bid in lies wholly outside: for the window's length at least, and for a
    minute more at most.
    """

    minutes: int
    max_lamports: Lamports
    _by_minute: dict[int, int] = field(default_factory=dict)
    _total: int = 0
    _minute: int | None = None

    def spent_lamports(self, now_s: float) -> Lamports:
        """Return what counts now."""
        minute = minute_of(now_s)
        if self._minute is None or minute > self._minute:
            self._minute = minute
            for old in [each for each in self._by_minute if each < minute - self.minutes]:
                self._total -= self._by_minute.pop(old)
        return Lamports(self._total)

    def left_lamports(self, now_s: float) -> Lamports:
        """Return what may still be bid now."""
        return Lamports(max(0, self.max_lamports - self.spent_lamports(now_s)))

    def add(self, minute: int, lamports: int) -> None:
        """Count lamports of a minute; negative ones give back, unless that minute counts no more."""
        if lamports < 0 and minute not in self._by_minute:
            return
        if self._minute is not None and minute < self._minute - self.minutes:
            return
        self._by_minute[minute] = self._by_minute.get(minute, 0) + lamports
        self._total += lamports

    def frees_in_s(self, wanted_lamports: int, now_s: float) -> float | None:
        """Return how long until so much is left; 0 if it is, None if the cap is below it."""
        missing = self.spent_lamports(now_s) + wanted_lamports - self.max_lamports
        if missing <= 0:
            return 0.0
        for minute in sorted(self._by_minute):
            missing -= self._by_minute[minute]
            if missing <= 0:
                return (minute + self.minutes + 1) * _MINUTE_S - now_s
        return None


class Spend:
    """A lane's hour and its day."""

    def __init__(
        self, hourly_max_lamports: Lamports, daily_max_lamports: Lamports | None = None
    ) -> None:
        """Cap an hour, and a day where that is wanted."""
        self._windows: dict[Period, Window] = {"hour": Window(HOUR_MINUTES, hourly_max_lamports)}
        if daily_max_lamports is not None:
            self._windows["day"] = Window(DAY_MINUTES, daily_max_lamports)

    def __iter__(self) -> Iterator[tuple[Period, Window]]:
        return iter(self._windows.items())

    def left_lamports(self, now_s: float) -> Lamports:
        """Return what may still be bid now, of every window."""
        return min(window.left_lamports(now_s) for window in self._windows.values())

    def spent_lamports(self, period: Period, now_s: float) -> Lamports:
        """Return what counts in one window now."""
        return self._windows[period].spent_lamports(now_s)

    def reached(self, wanted_lamports: int, now_s: float) -> Period | None:
        """Name the window that has no room for so much, the longer one first."""
        for period, window in reversed(self._windows.items()):
            if window.left_lamports(now_s) < wanted_lamports:
                return period
        return None

    def frees_in_s(self, wanted_lamports: int, now_s: float) -> float | None:
        """Return how long until every window has room; None if one never will."""
        waits = [window.frees_in_s(wanted_lamports, now_s) for window in self._windows.values()]
        return None if None in waits else max(wait for wait in waits if wait is not None)

    def reserve(self, lamports: Lamports, now_s: float) -> Reservation:
        """Count what is about to be bid; `settle` corrects it."""
        reservation = Reservation(lamports, minute_of(now_s))
        for window in self._windows.values():
            window.add(reservation.minute, lamports)
        return reservation

    def settle(self, reservation: Reservation, paid_lamports: Lamports) -> None:
        """Correct a reservation to what was paid: nothing for what expired."""
        for window in self._windows.values():
            window.add(reservation.minute, paid_lamports - reservation.lamports)
        reservation.lamports = paid_lamports


def minute_of(now_s: float) -> int:
    """Return the minute a moment belongs to, on the caller's clock."""
    return int(now_s // _MINUTE_S)


def age_minutes(
    *, signed_minute: int | None, signed_slot: int, minute: int, slot: int, slot_ms: int
) -> int:
    """Return how long ago something was signed, in whole minutes: the least that two clocks agree on.

    The wall clock may have been set, and slots may be faster than their nominal length; each alone could make what was just
    spent look old, and so lift a cap. What has no minute counts as signed now.
    """
    if signed_minute is None:
        return 0
    by_slots = (slot - signed_slot) * slot_ms // 60_000
    return max(0, min(minute - signed_minute, by_slots))
