"""Everything that is left of a played scenario, before it is judged.

Core. Times are seconds since the drill's start, as in `model.py`. What the keeper did is taken from the chain, what it was
told from the venue's own log; only what it *believed* is its own word, from its recording.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keeper.drills.faults import Family
from keeper.drills.model import Alarm, Belief, Heard, Notice, Phase, Truth
from programs.accounts import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A price that a family's body or frame carried, by the venue's own log."""

    at_s: float
    family: Family
    market: str
    price_e6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that reached the venue."""

    at_s: float
    family: Family
    path: str
    status: int | None
    """Of a canned reply; None: answered honestly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A reading that landed, as the transaction submitted it."""

    at_s: float
    slot: int
    signature: str
    market: str
    price_e6: int
    band_e6: int
    price_class: str
    publish_slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidated:
    """What a landed batch did to one side's positions, with the chain's own price at that moment."""

    at_s: float
    slot: int
    signature: str
    market: str
    side: Side
    price_e6: int
    """Of YES, whatever the side."""
    band_e6: int
    price_class: str
    positions: int


Deed = Posted | Liquidated


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """One attempt of the keeper's database."""

    signature: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """One job that landed more than once on the same state of the chain, by the keeper's database."""

    job: str
    """Kind and address."""
    effect: str
    """The state it acted upon."""
    signatures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the judge looks at."""

    markets: Sequence[str]
    """Addresses, in the order in which scenarios number them."""
    phases: Sequence[Phase]
    truths: Sequence[Truth]
    said: Sequence[Said]
    requests: Sequence[Request]
    heard: Sequence[Heard]
    beliefs: Sequence[Belief]
    notices: Sequence[Notice]
    alarms: Sequence[Alarm] = ()
    """Of what the monitor would have told people."""
    deeds: Sequence[Deed]
    """What the keeper's transactions did to the chain, in their order."""
    landed: Mapping[str, bool]
    """Every transaction of the keeper's payer on chain, by signature; whether it succeeded."""
    attempts: Sequence[AttemptEnd]
    repeats: Sequence[Repeat]
    liquidated: Mapping[str, frozenset[str]]
    """Addresses of the positions that each transaction liquidated, by its events: a batch may pass over some."""
    ledger_faults: Sequence[str]
    """What does not add up on chain at the end."""
    exit_status: int | None
    report: Mapping[str, Any] = field(default_factory=dict)
    """The object the keeper ended with."""
    slot_at_start: int
    took_s: float
