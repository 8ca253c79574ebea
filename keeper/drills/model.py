"""What a drill is made of, and what is left of it: values that the runner fills and the judge and the page read.

Core. Every time is in seconds since the drill's own start, on one clock: the machine's for drills on real sockets, the
virtual one otherwise. Prices are e6.
"""

from dataclasses import dataclass
from enum import StrEnum


class PhaseName(StrEnum):
    """The three acts of every drill."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One act: what the world does, from when to when."""

    name: PhaseName
    starts_s: float
    ends_s: float
    faults: tuple[str, ...] = ()
    """What is broken while it lasts, in a few words each; empty before and after."""


class ActionKind(StrEnum):
    """What a keeper can do to the chain with a price."""

    POST = "post"
    LIQUIDATE = "liquidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a market was really worth from a moment on, as the script of the venue decided it."""

    at_s: float
    market: str
    """The market's address."""
    price_e6: int | None
    """None: nobody can know (an empty book everywhere, a resolved market): nothing may be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one source said to the keeper, from the keeper's own recording."""

    at_s: float
    market: str
    source: str
    price_e6: int | None
    half_spread_e6: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What the keeper made of it: a change of price or class on its board, from its own recording."""

    at_s: float
    market: str
    price_e6: int
    band_e6: int
    price_class: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One transaction's effect on one market, read from the chain and never from the keeper's word."""

    at_s: float
    slot: int
    kind: ActionKind
    market: str
    price_e6: int
    """Of a post, the reading submitted; of a liquidation, the chain's own price at which it was judged."""
    band_e6: int
    price_class: str
    signature: str
    bad: str | None
    """Why it must not have happened, e.g. "62_000 from the truth, allowed 31_000"; None when it was right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One line that an operator would have seen: the keeper's log at info and above, worded."""

    at_s: float
    level: str
    event: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alert that went off: of what the operator would have been told, and when it was over."""

    rule: str
    level: str
    labels: tuple[tuple[str, str], ...]
    text: str
    fired_s: float
    resolved_s: float | None
    """None: it fires when the drill ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One stated expectation, and what was seen."""

    phase: PhaseName
    expected: str
    seen: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """Everything that is left of a drill."""

    name: str
    title: str
    """One sentence: what breaks."""
    is_virtual: bool
    slot_ms: int
    phases: tuple[Phase, ...]
    verdicts: tuple[Verdict, ...]
    detected_ms: int | None
    """From the fault's start to the keeper's first sign of it: a worse class, another source, a refusal. None when the
    drill's fault must not show at all."""
    recovered_ms: int | None
    """From the fault's end to the first right action on the market concerned; None when there is nothing to return to."""
    actions_landed: int
    actions_refused: int
    """Times the keeper withheld a post or a liquidation, by its own count."""
    truths: tuple[Truth, ...]
    heard: tuple[Heard, ...]
    beliefs: tuple[Belief, ...]
    actions: tuple[Action, ...]
    notices: tuple[Notice, ...]
    alarms: tuple[Alarm, ...] = ()
    took_s: float
    """Real time, whatever clock the drill ran on."""

    @property
    def bad_price_actions(self) -> int:
        """Actions that must not have happened."""
        return sum(action.bad is not None for action in self.actions)

    @property
    def passed(self) -> bool:
        """Whether every expectation was met and nothing was done on a bad price."""
        return all(verdict.passed for verdict in self.verdicts) and self.bad_price_actions == 0
