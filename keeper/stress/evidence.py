"""What a stress run leaves behind: the chain's records, the keeper's database and last word, the users' own clocks.

Core.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keeper.drills.evidence import Repeat
from keeper.stress.model import Phase
from programs.accounts import Vault
from programs.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """One transaction in a block."""

    slot: int
    at_s: float | None
    """When it was first seen in its slot, seconds of the run; None when nobody looked in time."""
    signature: str
    payer: str
    is_ok: bool
    is_ours: bool
    """It calls the platform's program."""
    cu_used: int
    fee_lamports: int
    events: tuple[Event, ...]
    """Of the program; none of a failed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One transaction as the keeper recorded it."""

    signature: str
    lane: str
    state: str
    created_slot: int
    """The chain's, as the keeper knew it when it signed."""
    slot: int | None
    cu_limit: int
    cu_used: int | None
    fee_lamports: int | None
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSend:
    """One transaction of a user."""

    signature: str
    sent_s: float
    """From the start of the run."""
    sent_slot: int
    """The chain's slot when it was handed in."""
    is_taken: bool
    """The node answered with its signature."""
    cu_price_micro_lamports: int
    """What it bid for a compute unit."""


class Played(Protocol):
    """What a script leaves behind, whichever keeper it was played with."""

    @property
    def landings(self) -> Sequence[Landing]:
        """In the chain's order, since the keeper was started."""
        ...

    @property
    def kept(self) -> Mapping[str, Any]:
        """What the script kept for its own judge, by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """The same script with a keeper without priorities: a world of its own, with positions of its own."""

    landings: Sequence[Landing]
    bad_debt: int
    """What the vault lost, base units."""
    kept: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it."""

    scale: float
    slot_s: float
    keeper: str
    """Its address."""
    phases: tuple[Phase, ...]
    slots: tuple[tuple[int, float], ...]
    """Every slot of the run and when it began, seconds of the run."""
    landings: Sequence[Landing]
    """In the chain's order, since the keeper was started."""
    attempts: Sequence[AttemptRow]
    repeats: Sequence[Repeat]
    """Effects that the database knows to have landed twice."""
    sends: Sequence[UserSend]
    vault_before: Vault
    vault_after: Vault
    book_faults: Sequence[str]
    """What of the chain's accounts does not add up."""
    ledger_faults: Sequence[str]
    """What `incentives verify` and `incentives reconcile` complain of."""
    alarms: tuple[str, ...]
    """Rules of the monitor that fired, in order."""
    exit_status: int | None
    report: Mapping[str, Any]
    """The keeper's last word."""
    rival: Rival | None
    """None where none was played."""
    kept: Mapping[str, Any]
    """What the script kept for its own judge, by name."""

    @property
    def slot_times(self) -> Mapping[int, float]:
        """When each slot began, seconds of the run."""
        return dict(self.slots)

    def phase(self, name: str) -> Phase:
        """Return an act by its name."""
        return next(phase for phase in self.phases if phase.name == name)

    @property
    def ours(self) -> Sequence[Landing]:
        """What the keeper's key paid for."""
        return [each for each in self.landings if each.payer == self.keeper]
