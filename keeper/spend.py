"""What a lane may still spend this hour: a reservoir that every fee draws from, failed ones too."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from programs.units import Lamports

_HOUR_S: Final = 3_600.0


@dataclass(slots=True)
class HourlySpend:
    """Fees of the last hour against a cap.

    A bid is reserved when it is made and corrected when its end is known: balances lag until a block lands, and a burst
    of bids must not pass the cap in the meantime.
    """

    cap_lamports: Lamports
    _spent: deque[tuple[float, int]] = field(default_factory=deque)
    _total: int = 0

    def left_lamports(self, now_s: float) -> Lamports:
        """Return what may still be bid now."""
        while self._spent and self._spent[0][0] <= now_s - _HOUR_S:
            self._total -= self._spent.popleft()[1]
        return Lamports(max(0, self.cap_lamports - self._total))

    def reserve(self, fee_lamports: Lamports, now_s: float) -> None:
        """Count a fee that is about to be bid."""
        self._spent.append((now_s, fee_lamports))
        self._total += fee_lamports

    def release(self, fee_lamports: Lamports, now_s: float) -> None:
        """Give back a bid that expired and so cost nothing."""
        self._spent.append((now_s, -fee_lamports))
        self._total -= fee_lamports
