"""The season while it runs: what all rules read, and the pots and claims that they share.

Core.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from incentives.lines import Anomaly, Code, Line, Transfer
from incentives.parameters import Parameters, Rules
from incentives.rules.accounts import POT, accrued
from incentives.rules.accruals import Accruals
from incentives.rules.bootstrap import Bootstrap
from incentives.rules.claims import Deposit, Trade
from incentives.rules.season import Season
from incentives.sourced import SourcedEvent


@dataclass(slots=True)
class Running:
    """From genesis on."""

    parameters: Parameters
    season: Season
    epoch: int = 0
    """The one that runs; one more than the last when the season is over."""
    pot: int = 0
    """Less foreign payouts; as of the last close otherwise, base units."""
    unspent: int = 0
    """What the season left at its end, less foreign payouts."""
    waiting: deque[Trade | Deposit] = field(default_factory=deque)
    """Claims before their qualifying slot, in the order of their events."""
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    accruals: Accruals = field(default_factory=Accruals)

    @property
    def is_over(self) -> bool:
        """Is the last epoch closed?"""
        return self.epoch > self.season.last_epoch

    def qualifying_slot(self, claim: Trade | Deposit) -> int:
        """Return the slot in which a claim counts, if it is still held."""
        return claim.place.slot + self.parameters.dwell_slots

    def is_too_late(self, slot: int) -> bool:
        """Say whether an event of this slot would count after the end of the season only."""
        return slot + self.parameters.dwell_slots >= self.season.end_slot

    def has_ended(self, slot: int) -> bool:
        """Say whether a slot is after the season: nothing in it is a claim."""
        return slot >= self.season.end_slot

    def rules_at(self, slot: int) -> tuple[int, Rules]:
        """Return the version in force at a slot, and its rules."""
        version = self.parameters.version_at(self.season.epoch_at(slot))
        return version, self.parameters.rules(version)

    def accrue(
        self,
        claim: Trade | Deposit,
        code: Code,
        numerator: int,
        version: int,
        inputs: dict[str, int | str],
    ) -> Iterator[Line]:
        """Add a claim to its wallet's, and post its whole base units."""
        slot = self.qualifying_slot(claim)
        amount = self.accruals.add(claim.wallet, numerator)
        if amount is None:
            reason = "beyond what an epoch's claims may come to"
            yield Anomaly("claim_beyond_limit", claim.cause, slot, reason)
        elif amount:
            yield Transfer(
                cause=claim.cause,
                leg=0,
                code=code,
                slot=slot,
                debit=POT,
                credit=accrued(claim.wallet),
                amount=amount,
                epoch=self.epoch,
                rules_version=version,
                inputs=inputs,
            )

    def transfer(
        self,
        event: SourcedEvent,
        code: Code,
        leg: int,
        debit: str,
        credit: str,
        amount: int,
        epoch: int,
    ) -> Transfer:
        """Return a transfer that an event causes at once."""
        return Transfer(
            cause=event.source_id,
            leg=leg,
            code=code,
            slot=event.place.slot,
            debit=debit,
            credit=credit,
            amount=amount,
            epoch=epoch,
            rules_version=self.parameters.version_at(epoch),
        )

    def to_state(self) -> dict[str, Any]:
        """Return what a snapshot keeps, but for the claims that wait: their books keep them."""
        return {
            "season": [self.season.start_slot, self.season.slots],
            "epoch": self.epoch,
            "pot": str(self.pot),
            "unspent": str(self.unspent),
            "bootstrap": [self.bootstrap.trade_slots, self.bootstrap.doubtful],
            "accruals": self.accruals.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], parameters: Parameters) -> "Running":
        """Restore what `to_state` returned."""
        start, slots = state["season"]
        return cls(
            parameters=parameters,
            season=Season(start, slots, parameters.epoch_slots),
            epoch=state["epoch"],
            pot=int(state["pot"]),
            unspent=int(state["unspent"]),
            bootstrap=Bootstrap(*state["bootstrap"]),
            accruals=Accruals.from_state(state["accruals"]),
        )
