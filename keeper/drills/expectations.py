"""What a scenario states beforehand, as data: `judge.py` holds it against what was seen.

Core. Every time is in seconds from the start of the phase. What holds in every drill is not listed by any: nothing done on a
bad price, no price invented, nothing landed twice, every attempt settled, the books of the chain in order, an orderly exit.
"""

from dataclasses import dataclass
from typing import Final

from keeper.drills.faults import Family
from keeper.drills.model import ActionKind, PhaseName
from keeper.prices.price import PriceClass

BELIEVED: Final = (PriceClass.VALID, PriceClass.DEGRADED)
"""Classes that allow something."""
MISTRUSTED: Final = (PriceClass.UNCERTAIN, PriceClass.STALE, PriceClass.HALTED)
"""Classes that allow nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaches:
    """The keeper comes to believe one of these classes within the time."""

    phase: PhaseName
    classes: tuple[PriceClass, ...]
    within_s: float
    market: int | None = None
    """None: every market."""
    reason: str | None = None
    """With this reason, as the record spells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """The keeper believes nothing but these classes from a moment of the phase until its end."""

    phase: PhaseName
    classes: tuple[PriceClass, ...]
    after_s: float = 0.0
    market: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """The keeper's price comes from a source within the time."""

    phase: PhaseName
    source: str
    within_s: float
    market: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """Something of this kind lands within the time."""

    phase: PhaseName
    kind: ActionKind
    within_s: float
    market: int | None = None
    """None: any market."""
    price_class: PriceClass | None = None
    near_e6: int | None = None
    """At a price this close: half a point, for markets wander."""
    at_least: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refrains:
    """Nothing of these kinds lands from a moment of the phase until its end."""

    phase: PhaseName
    kinds: tuple[ActionKind, ...] = (ActionKind.POST, ActionKind.LIQUIDATE)
    after_s: float = 0.0
    """How long the keeper may take to notice, and what is in flight to land."""
    market: int | None = None
    """None: on every market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """After the fault, the first thing done on the market is right, posted as valid, and comes within the time."""

    within_s: float
    market: int | None = None
    """None: every market."""
    phase: PhaseName = PhaseName.AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """How often the keeper asks the venue in the phase: politeness and patience, counted at the venue."""

    phase: PhaseName
    family: Family
    at_least: int = 0
    at_most: int | None = None
    after_s: float = 0.0
    path: str = ""
    """Only requests whose path contains it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tells:
    """An operator is told: a log line at info or above whose event and fields contain the words."""

    phase: PhaseName
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmoved:
    """The fault must not show at all: the class stays, and so does the source."""

    phase: PhaseName
    after_s: float = 0.0
    market: int | None = None


Expectation = Reaches | Keeps | Follows | Acts | Refrains | Returns | Asks | Tells | Unmoved
