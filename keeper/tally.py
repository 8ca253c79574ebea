"""What happened in this run: counts for the terminal, and the one JSON object of the end.

Refusals are counted where they are decided, by reason: nothing that was not done goes unexplained.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from keeper.lane_counts import LaneCounts
from programs.outcomes import Expired, Landed, Move

MARKET_RESOLVED: Final = "market_resolved"
_MILLISECONDS: Final = 1_000
_LATENCIES_KEPT: Final = 100_000
"""Newest ones; a keeper runs for months."""
_POSTED_KEPT: Final = 4_096
"""Tokens come and go with their markets; and the report lists each."""
_LANDINGS_SHOWN: Final = 20


@dataclass(slots=True)
class Tally:
    """Counts of one run. Written by the stages, read by the view and the report."""

    prices_posted: int = 0
    """Readings that landed, one per market and post."""
    posted_tokens: dict[str, "PostedPrice"] = field(default_factory=dict)
    """The newest reading landed, by token; of tokens beyond `_POSTED_KEPT`, those posted last."""
    withheld: dict[int, "Withheld"] = field(default_factory=dict)
    """Markets whose price is not posted now, by their number."""
    positions_scanned: int = 0
    """Positions decoded, over all scans."""
    positions_now: int = 0
    scans: int = 0
    accounts_told: int = 0
    """Changes of accounts that the subscription told of."""
    scan_slot: int = 0
    accounts_skipped: Counter[str] = field(default_factory=Counter)
    """Accounts of the newest scan that could not be read, by reason."""
    liquidations_landed: int = 0
    """Positions that the program's own events say were liquidated."""
    liquidations_due: int = 0
    """Unhealthy positions at the newest scan."""
    verdicts: Mapping[Any, int] = field(default_factory=dict)
    """Every position of the newest scan, by what risk said of it."""
    bounty_base_units: int = 0
    bad_debt_base_units: int = 0
    rewards_paid: int = 0
    """Leaves of reward roots that the program's own events say were paid."""
    reward_base_units: int = 0
    """The MMT they came to."""
    rewards_claimed: int = 0
    """Leaves that others were seen to have paid meanwhile: wallets for themselves, another keeper."""
    roots_posted: int = 0
    token_accounts_missing: int = 0
    """Of wallets that are owed something, counted before the first account of a root is opened."""
    token_accounts_rent_lamports: int = 0
    """What opening them costs."""
    chains_due: int = 0
    """Chains whose next step is due, at the newest look."""
    chain_steps_landed: int = 0
    chains_completed: int = 0
    """Chains whose last step we landed."""
    chains_cancelled: int = 0
    """Chains that ended before their last step, unwound by us."""
    chain_bounty_base_units: int = 0
    """Earned with steps and by cancelling."""
    stuck_chains: dict[str, "StuckChain"] = field(default_factory=dict)
    """Due chains whose next step is refused, by address."""
    refusals: Counter[str] = field(default_factory=Counter)
    """What was not done, as `lane.reason`."""
    landed: Counter[str] = field(default_factory=Counter)
    """Transactions by lane."""
    failed: Counter[str] = field(default_factory=Counter)
    expired: Counter[str] = field(default_factory=Counter)
    jobs_landed: Counter[str] = field(default_factory=Counter)
    jobs_in_flight: Counter[str] = field(default_factory=Counter)
    jobs_queued: Counter[str] = field(default_factory=Counter)
    fees_lamports: Counter[str] = field(default_factory=Counter)
    due_to_landed_ms: dict[str, deque[float]] = field(default_factory=dict)
    lanes: dict[str, LaneCounts] = field(default_factory=dict)
    """What operators are shown of each."""
    newest_landed: deque["LandedTransaction"] = field(
        default_factory=lambda: deque(maxlen=_LANDINGS_SHOWN)
    )
    scanned_at_s: float | None = None
    """The end of the newest full scan, trio clock."""
    slot_at_s: float | None = None
    """When the platform was last seen at a newer slot, trio clock."""
    duplicates: int = 0
    """Landings beyond the first of one effect, as last looked up."""
    ends_moved: Counter[str] = field(default_factory=Counter)
    """Ends that a fork changed after they had been counted above, by lane."""
    ends_undone: Counter[str] = field(default_factory=Counter)
    """Of these, the ones it took out of the chain for good."""
    is_halted: bool = False
    """Whether the platform was halted when last seen."""
    foreign_signatures: int = 0
    """Transactions signed with our keys by somebody else."""
    settled_attempts: int = 0
    """Open attempts of an earlier process, settled from the chain at the start."""

    def lane(self, name: str) -> LaneCounts:
        """Return a lane's counts."""
        return self.lanes.setdefault(name, LaneCounts())

    def note_move(self, move: Move) -> None:
        """Count an end that a fork changed after its lane had heard it; what is due follows from the chain, not from here."""
        self.ends_moved[move.lane] += 1
        self.ends_undone[move.lane] += isinstance(move.now, Expired)

    def note_posted(self, token: str, posted: "PostedPrice") -> None:
        """Remember the newest reading that landed."""
        self.posted_tokens.pop(token, None)
        self.posted_tokens[token] = posted
        if len(self.posted_tokens) > _POSTED_KEPT:
            del self.posted_tokens[next(iter(self.posted_tokens))]

    def note_latency(self, lane: str, latency_ms: float) -> None:
        """Remember how long a job took from due to landed."""
        self.due_to_landed_ms.setdefault(lane, deque(maxlen=_LATENCIES_KEPT)).append(latency_ms)
        self.lane(lane).due_to_landed_s.note(latency_ms / _MILLISECONDS)

    def latencies_ms(self, lanes: Iterable[str] | None = None) -> list[float]:
        """Return all latencies, sorted; of these lanes, or of all."""
        chosen = self.due_to_landed_ms if lanes is None else lanes
        return sorted(ms for lane in chosen for ms in self.due_to_landed_ms.get(lane, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedTransaction:
    """One that did its work."""

    lane: str
    jobs: int
    wall_s: float
    """Unix seconds."""
    landed: Landed


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedPrice:
    """One reading on chain, and where it came from."""

    price_e6: int
    price_class: str
    source: str
    recorded_body: str | None
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A price that is not posted, and since when."""

    reason: str
    """The present one."""
    outcome: int | None
    """The outcome that withholds its market; None: the whole market."""
    since_slot: int
    """Since when nothing was posted, for whatever reasons."""
    since_s: float
    """The same on the trio clock."""

    @property
    def is_over(self) -> bool:
        """Whether it is no outage: a resolved market has no price to post any more."""
        return self.reason == MARKET_RESOLVED


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckChain:
    """A due chain whose next step the program refuses, and since when."""

    step: int
    """The one it stands at, 0 first."""
    kind: str
    """What that step moves."""
    refusal: str
    """The program's name for the reason."""
    reason: str
    """The program's words."""
    since_slot: int
    """Since when no step of it runs, for whatever reasons."""
    is_forecast: bool
    """Whether the program's arithmetic says so, of the state we see; else a simulation or the chain itself did."""


def percentile(sorted_values: list[float], percent: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; None when there are none."""
    if not sorted_values:
        return None
    rank = math.ceil(percent * len(sorted_values) / 100)
    return sorted_values[max(rank, 1) - 1]
