"""What a lane may still spend this hour: a reservoir that every fee draws from, failed ones too."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from programs.units import Lamports

_HOUR_S: Final = 3_600.0


@dataclass(slots=True, eq=False)
class Reservation:
    """A fee that was bid, and when."""

    fee_lamports: Lamports
    at_s: float


@dataclass(slots=True)
class HourlySpend:
    """Fees of the last hour against a cap.

    A bid is reserved when it is made and corrected when its end is known: balances lag until a block lands, and a burst
    of bids must not pass the cap in the meantime.
    """

    cap_lamports: Lamports
    _reserved: deque[Reservation] = field(default_factory=deque)
    _total: int = 0

    def left_lamports(self, now_s: float) -> Lamports:
        """Return what may still be bid now."""
        while self._reserved and self._reserved[0].at_s <= now_s - _HOUR_S:
            self.release(self._reserved.popleft())
        return Lamports(max(0, self.cap_lamports - self._total))

    def reserve(self, fee_lamports: Lamports, now_s: float) -> Reservation:
        """Count a fee that is about to be bid; the reservation gives it back, should it cost nothing."""
        reservation = Reservation(fee_lamports, now_s)
        self._reserved.append(reservation)
        self._total += fee_lamports
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give back a bid that expired and so cost nothing; once, whenever that is."""
        self._total -= reservation.fee_lamports
        reservation.fee_lamports = Lamports(0)
