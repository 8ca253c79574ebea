"""What the rules put down, in order: the lines that a ledger keeps and whose hashes make its head.

Core. The rules yield lines, the ledger writes them, and neither knows how the other does it. Amounts are MMT base units (1e-9).
An account is named by a path; its balance is credits less debits:

    mint                    where all MMT comes from; the only account, with `pot`, that may be overdrawn
    sink                    the entropy sink
    season                  budget not yet emitted
    pot                     emitted and not allocated; overdrawn while an epoch runs, never at its close
    wallet/<base58>/accrued     earned in the running epoch
    wallet/<base58>/payable     allocated at a close: a leaf of a root
    wallet/<base58>/in_flight   its root stands on chain
    wallet/<base58>/paid        the program paid it
    unspent                 what the season leaves in the pot at its end
    unexplained             paid by the program under a root that this ledger does not know
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from incentives.sourced import SourcedEvent


class Code(StrEnum):
    """Why MMT moved."""

    GENESIS = "genesis"
    EMISSION = "emission"
    TRADE = "trade"
    TRADE_BOOSTED = "trade_boosted"
    MAKER = "maker"
    MAKER_BOOSTED = "maker_boosted"
    MINING = "mining"
    ROUNDING = "rounding"
    """A wallet's claims are floored once for the epoch, each of their transfers by itself: the difference."""
    SCALING = "scaling"
    """The epoch was over-subscribed: what a wallet's claims lose by it."""
    ALLOCATION = "allocation"
    ROOT = "root"
    PAYOUT = "payout"
    SEASON_END = "season_end"
    FOREIGN_PAYOUT = "foreign_payout"


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event is recorded; it comes before every line it causes."""

    event: SourcedEvent


@dataclass(frozen=True, slots=True)
class Transfer:
    """One debit, one credit."""

    cause: str
    """The source id of the event it follows from, or `epoch:<number>` for what a close does."""
    leg: int
    """Among the transfers of this cause and code, from 0."""
    code: Code
    slot: int
    """From which it holds: the qualifying slot of an accrual, the end of a closed epoch, the event's slot."""
    debit: str
    credit: str
    amount: int
    epoch: int
    rules_version: int
    """Under which `config_version` the amount was computed."""
    inputs: Mapping[str, int | str] | None = None
    """What the event itself does not say: slots counted, multiplier, numerators."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What an epoch owes one wallet."""

    wallet: str
    claim_numerator: int
    """Exact claim, over the close's `claim_denominator`."""
    amount: int
    """Base units; zero is no leaf."""


@dataclass(frozen=True, slots=True)
class EpochClose:
    """An epoch is over: its transfers come right after it."""

    epoch: int
    start_slot: int
    end_slot: int
    """Exclusive."""
    rolled_over: int
    emitted: int
    claim_denominator: int
    is_scaled: bool
    allocations: tuple[Allocation, ...]
    """By wallet bytes."""


@dataclass(frozen=True, slots=True)
class BoostedTrade:
    """One of the platform's first 100 trades, once its fate is known."""

    trade_number: int
    cause: str
    wallet: str
    slot: int
    is_voided: bool
    """Not held long enough: it used up its number and earns nothing."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that is recorded and changes no balance: a claim that was voided, a root nobody here computed."""

    kind: str
    cause: str
    slot: int
    reason: str


Line = EventLine | Transfer | EpochClose | BoostedTrade | Anomaly
