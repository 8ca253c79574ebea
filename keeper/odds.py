"""How likely a bid is to be included, and to do its work then, by what became of bids at that price.

Core, integers. Prices are told apart by their doubling: 1_000 and 1_900 are one level, 2_100 the next. Each level counts
what landed, what failed on chain and what expired, beside ten imagined transactions (Laplace's smoothing, hopeful: eight
landed, one failed, one expired), and forgets half of it every ten minutes. Without forgetting, a lane that odds keep from
sending would never learn that times have changed.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from programs.units import Bps, MicroLamports

End = Literal["landed", "failed", "expired"]

_ONE: Final = 1 << 10
"""A count of one; halves of it remain integers."""
_PRIOR: Final[dict[End, int]] = {"landed": 8 * _ONE, "failed": _ONE, "expired": _ONE}
_HALF_LIFE_S: Final = 600.0
_BPS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What to expect of one transaction."""

    included_bps: Bps
    """In a block before its blockhash expires: then its fee is charged, whether it fails or not."""
    landed_bps: Bps
    """In a block, and its work done: never more than included."""


CERTAIN: Final = Odds(included_bps=Bps(_BPS), landed_bps=Bps(_BPS))


@dataclass(slots=True)
class LandingOdds:
    """What became of a lane's bids, by price level."""

    _levels: dict[int, dict[End, int]] = field(default_factory=dict)
    _halved_at_s: float | None = None

    def note(self, price: MicroLamports, end: End, now_s: float) -> None:
        """Count how one transaction ended."""
        self._forget(now_s)
        counts = self._levels.setdefault(price.bit_length(), dict.fromkeys(_PRIOR, 0))
        counts[end] += _ONE

    def at(self, price: MicroLamports, now_s: float) -> Odds:
        """Return the odds of a bid at this price; both round down."""
        self._forget(now_s)
        seen = self._levels.get(price.bit_length(), {})
        landed, failed, expired = (_PRIOR[end] + seen.get(end, 0) for end in _PRIOR)
        total = landed + failed + expired
        return Odds(
            included_bps=Bps((landed + failed) * _BPS // total),
            landed_bps=Bps(landed * _BPS // total),
        )

    def _forget(self, now_s: float) -> None:
        if self._halved_at_s is None:
            self._halved_at_s = now_s
        halvings = int((now_s - self._halved_at_s) / _HALF_LIFE_S)
        if halvings <= 0:
            return
        self._halved_at_s += halvings * _HALF_LIFE_S
        for level, counts in list(self._levels.items()):
            halved = {end: count >> halvings for end, count in counts.items()}
            if any(halved.values()):
                self._levels[level] = halved
            else:
                del self._levels[level]
