"""The numbers by which sources are judged, and where each comes from.

Core.
"""

from dataclasses import dataclass, field
from typing import Final

from keeper.prices.price import Source, SourceName
from keeper.prices.traits import SourceTraits

DISAGREEMENT_E6: Final = 50_000
"""Five points. Source: SPEC.md section 6."""
AGREEING_PROBES: Final = 3
"""Source: SPEC.md section 6, hysteresis."""
BEHIND_PROBES: Final = 3
"""Polls in a row, so that a price in motion between two polls is not called a frozen source."""
STALE_SLOTS: Final = 150
HALTED_SLOTS: Final = 750
"""Source: SPEC.md section 6."""
FAILURES_HALT: Final = 5
"""Consecutive failures on every source that halt at once. Source: SPEC.md section 6."""
FROZEN_TOKENS_MIN: Final = 8
"""Fewer tokens than this may well be quiet together, without the venue being frozen."""
FAR_E6: Final = 300_000
"""Thirty points: a cached quote this far from a last good price that is still fresh is refused. Gamma differs from the
book by a few points as a habit; by thirty within 150 slots either it lies or the market has just been decided, and in
both cases nobody should act. Once the last good price is stale the quote is taken, with the whole gap in its band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRules:
    """The sources there are, and the times and distances by which they are judged."""

    slot_ms: int
    """One slot; sandboxes use short ones."""
    sources: tuple[SourceTraits, ...]
    """Best first."""
    restart_cooldown_ms: int = 180_000
    """How long the books are not believed after a sign of an engine restart. Source: POLYMARKET.md, failure modes."""
    venue_frozen_ms: int = 120_000
    """How long no content of any followed token may change before the venue counts as frozen."""
    clock_skew_max_ms: int = 10_000
    """How far the venue's clock may be from ours before its stamps are not compared any more."""
    listing_cache_ms: int = 300_000
    """How old a listing may be when it is answered: a market closed since is still listed as open."""
    jump_e6: int = 100_000
    """A move of one source alone by more than this has to be confirmed."""
    slot_s: float = field(init=False, repr=False, compare=False)
    stale_s: float = field(init=False, repr=False, compare=False)
    """The age past which a price is stale, in seconds."""
    halted_s: float = field(init=False, repr=False, compare=False)
    """The age past which a price halts, in seconds."""
    fresh_s: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """How long the quote of each source is fresh: never past the age at which a price is stale."""
    _places: dict[SourceName, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse sources out of order, and derive what every judgement needs."""
        ranks = [traits.rank for traits in self.sources]
        if ranks != sorted(set(ranks)):
            raise ValueError(f"the ranks of the sources are {ranks}, wanted each once, ascending")
        names = [traits.name for traits in self.sources]
        if len(set(names)) != len(names) or Source.LAST_GOOD in names:
            raise ValueError(f"the sources are named {names}, wanted each once and none last_good")
        for name in ("restart_cooldown_ms", "venue_frozen_ms", "clock_skew_max_ms", "jump_e6"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        derived = {
            "slot_s": self.slot_ms / 1_000,
            "stale_s": STALE_SLOTS * self.slot_ms / 1_000,
            "halted_s": HALTED_SLOTS * self.slot_ms / 1_000,
            "fresh_s": tuple(
                min(traits.fresh_ms, STALE_SLOTS * self.slot_ms) / 1_000 for traits in self.sources
            ),
            "_places": {name: place for place, name in enumerate(names)},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def place_of(self, source: SourceName) -> int | None:
        """Return where a source stands among the sources, best 0; None when it is not one of them."""
        return self._places.get(source)
