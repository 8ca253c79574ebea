"""Whether an action was right: held against the truth of its moment and against what the venue had really said.

Core. The tolerances stand here and nowhere else:

- A truth counts for as long as it stood, and for `REACTION_S` longer: the way from a changed market through a frame, a
  judgement, a transaction and a slot. What a scenario itself delays (`venue_lag_s`) comes on top.
- A *degraded* price may be 150 slots old (SPEC.md section 6), so its truth may be that much older.
- A price may be off by its own band, and by `ROUNDING_E6`: books stand on a grid of ticks, and a midpoint is rounded.
- A liquidation is judged at the chain's price, which moves two points a slot towards a reading. It is bad where that price
  was worse for the trader than every truth of the window, which is `CLAMP_SLOTS` longer: then the truth would have spared
  a position that was sold. A chain that lags on the other side only makes the keeper late.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from keeper.drills.evidence import Deed, Evidence, Liquidated, Posted, Said
from keeper.drills.faults import Family
from keeper.drills.model import Action, ActionKind, Truth
from keeper.prices.price import PriceClass
from programs.accounts import Side
from programs.units import PRICE_MAX_E6, PRICE_MIN_E6

REACTION_S: Final = 1.5
"""Usually a tenth of it: two cores that other work shares may stall a process for a second."""
DEGRADED_SLOTS: Final = 150
"""Source: SPEC.md section 6."""
CLAMP_SLOTS: Final = 50
"""The whole way from 0 to 1 at two points a slot."""
ROUNDING_E6: Final = 1_000
_EPSILON_S: Final = 0.05
"""The two processes read one clock, but not at one instant."""
_LIVE: Final = (Family.STREAM, Family.CLOB)
_Timed = TypeVar("_Timed", Truth, Said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leeway:
    """How old a price may be."""

    slot_s: float
    fresh_s: float
    """How long a live source's word leads without being repeated: the longest fresh time of the feed."""
    venue_lag_s: float = 0.0

    def reaction_s(self) -> float:
        """Return how long a truth lingers in everybody's actions."""
        return REACTION_S + self.venue_lag_s

    def window_s(self, price_class: str) -> float:
        """Return how far back a truth may lie for a post of this class."""
        aged = DEGRADED_SLOTS * self.slot_s if price_class == PriceClass.DEGRADED else 0.0
        return self.reaction_s() + aged

    def said_s(self, price_class: str) -> float:
        """Return how long ago a posted price may have been said last."""
        if price_class == PriceClass.DEGRADED:
            return self.window_s(price_class) + self.fresh_s
        return self.reaction_s() + self.fresh_s


def judged_actions(evidence: Evidence, leeway: Leeway) -> tuple[Action, ...]:
    """Return every deed as an action, with what was wrong with it."""
    truths, said = _by_market(evidence.truths), _by_market(evidence.said)
    actions = []
    for deed in evidence.deeds:
        known = truths.get(deed.market, [])
        if isinstance(deed, Liquidated):
            fault = liquidation_fault(deed, known, leeway)
        else:
            fault = post_fault(deed, known, leeway) or invention_fault(
                deed, said.get(deed.market, []), evidence.slot_at_start, leeway
            )
        actions.append(_action(deed, fault))
    return tuple(actions)


def _by_market(found: Iterable[_Timed]) -> dict[str, list[_Timed]]:
    """Sort by market, oldest first."""
    sorted_out: dict[str, list[_Timed]] = defaultdict(list)
    for each in sorted(found, key=_at_s):
        sorted_out[each.market].append(each)
    return sorted_out


def _at_s(found: Truth | Said) -> float:
    return found.at_s


def _action(deed: Deed, bad: str | None) -> Action:
    return Action(
        at_s=deed.at_s,
        slot=deed.slot,
        kind=ActionKind.POST if isinstance(deed, Posted) else ActionKind.LIQUIDATE,
        market=deed.market,
        price_e6=deed.price_e6,
        band_e6=deed.band_e6,
        price_class=deed.price_class,
        signature=deed.signature,
        bad=bad,
    )


def post_fault(deed: Posted, truths: Sequence[Truth], leeway: Leeway) -> str | None:
    """Hold a posted reading against the truths of its window."""
    known = _known(truths, deed.at_s - leeway.window_s(deed.price_class), deed.at_s)
    if not known:
        return f"posted {deed.price_e6} while nobody could know the price"
    distance_e6 = min(abs(deed.price_e6 - price_e6) for price_e6 in known)
    allowed_e6 = deed.band_e6 + ROUNDING_E6
    if distance_e6 <= allowed_e6:
        return None
    return f"posted {deed.price_e6}, {distance_e6} from the truth, allowed {allowed_e6}"


def liquidation_fault(deed: Liquidated, truths: Sequence[Truth], leeway: Leeway) -> str | None:
    """Hold the chain's price at a liquidation against the truths of its window, in the trader's disfavour."""
    window_s = leeway.window_s(deed.price_class) + CLAMP_SLOTS * leeway.slot_s
    known = _known(truths, deed.at_s - window_s, deed.at_s)
    if not known:
        return f"liquidated {deed.side.name} at {deed.price_e6} while nobody could know the price"
    allowed_e6 = deed.band_e6 + ROUNDING_E6
    is_yes = deed.side is Side.YES
    harm_e6 = min(known) - deed.price_e6 if is_yes else deed.price_e6 - max(known)
    if harm_e6 <= allowed_e6:
        return None
    return (
        f"liquidated {deed.side.name} at {deed.price_e6}, {harm_e6} worse for the trader than any truth, "
        f"allowed {allowed_e6}"
    )


def invention_fault(
    deed: Posted, said: Sequence[Said], slot_at_start: int, leeway: Leeway
) -> str | None:
    """Hold a posted reading against the venue's log, oldest word first: who said it, when last, how old it claims to be."""
    price_e6, window_s = deed.price_e6, leeway.said_s(deed.price_class)
    first = bisect_left(said, deed.at_s - window_s, key=_at_s)
    last = bisect_right(said, deed.at_s + _EPSILON_S, key=_at_s)
    recent = [word for word in said[first:last] if _tradable(word.price_e6) == price_e6]
    if not recent:
        return (
            f"posted {price_e6} as {deed.price_class}, "
            f"which no source had said in the {window_s:.1f} s before"
        )
    if deed.price_class == PriceClass.VALID and all(word.family not in _LIVE for word in recent):
        return f"posted {price_e6} as valid, which only {recent[-1].family} had said"
    newest_s = max(word.at_s for word in recent) + leeway.reaction_s()
    latest_slot = slot_at_start + int(newest_s / leeway.slot_s) + 1
    if deed.publish_slot > latest_slot:
        return (
            f"posted {price_e6} as of slot {deed.publish_slot}, "
            f"{deed.publish_slot - latest_slot} slots younger than any source's word"
        )
    return None


def _known(truths: Sequence[Truth], from_s: float, to_s: float) -> list[int]:
    """Return the prices that were true at some moment of a window; none while nobody could know."""
    first = max(bisect_right(truths, from_s, key=_at_s) - 1, 0)
    last = bisect_right(truths, to_s + _EPSILON_S, key=_at_s)
    return [truth.price_e6 for truth in truths[first:last] if truth.price_e6 is not None]


def _tradable(price_e6: int) -> int:
    return min(max(price_e6, PRICE_MIN_E6), PRICE_MAX_E6)
