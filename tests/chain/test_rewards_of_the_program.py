"""The rules over what the program itself says: whatever anybody does, they know who holds what, and what the treasury has."""

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from solders.pubkey import Pubkey
from solders.transaction_metadata import FailedTransactionMetadata
from wandering import Wandering
from watched import WatchedPlatform

from incentives.lines import Anomaly, Code, Transfer
from incentives.parameters import Parameters
from incentives.rules.rulebook import Rulebook
from incentives.sourced import Place, SourcedEvent
from programs.accounts import Maker, Position
from programs.addresses import treasury_tokens_address
from programs.event_layout import EventKind
from programs.events import decode, program_data

PARAMETERS = Parameters(epoch_slots=900, dwell_slots=400)
"""Longer than the program's lock, so that deposits too can be gone before they count."""
OUTSIDE = {"mint", "sink", "unexplained"}
REACHED = {
    Code.TRADE_BOOSTED,
    Code.MAKER_BOOSTED,
    Code.MINING,
    Code.SCALING,
    Code.FOREIGN_PAYOUT,
    "claim_voided",
    "claim_reduced",
    "unknown_root",
}
SETTINGS = settings(
    max_examples=12,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@dataclass(repr=False)
class RecordingPlatform(WatchedPlatform):
    """Keeps the bytes of every event, with its place."""

    told: list[SourcedEvent] = field(default_factory=list)
    sent: int = 0

    def try_send(self, ixs, signers):
        result = super().try_send(ixs, signers)
        if not isinstance(result, FailedTransactionMetadata):
            self.sent += 1
            self.told += [
                SourcedEvent(
                    Place(self.slot, self.sent, 0, inner), f"transaction {self.sent}", data
                )
                for inner, data in enumerate(program_data(result.logs(), self.program))
            ]
        return result


class WanderingRewards(Wandering):
    """Every event goes through the rules as soon as it is there."""

    platform_type = RecordingPlatform
    seen: ClassVar[Counter] = Counter()

    @invariant()
    def the_rules_know_what_is_on_chain(self):
        if not hasattr(self, "rulebook"):
            self.rulebook, self.taken = Rulebook(PARAMETERS), 0
            self.balances, self.markets_by_id = Counter(), {}
        if not hasattr(self, "trees"):
            return
        for event in self.platform.told[self.taken :]:
            self._note(event)
            for line in self.rulebook.take(event):
                self._keep(line)
        self.taken = len(self.platform.told)
        begun = self.rulebook._begun
        self._compare_trades(begun.trading._trades)
        self._compare_deposits(begun.making.book)
        treasury = sum(left for account, left in self.balances.items() if not _is_outside(account))
        tokens = treasury_tokens_address(self.platform.program)[0]
        assert treasury == self.platform.tokens(tokens)

    def _note(self, event):
        told = decode(event.payload)
        if told.kind is EventKind.MARKET_CREATED:
            self.markets_by_id[told.address("market")] = told.series

    def _keep(self, line):
        if isinstance(line, Transfer):
            self.balances[line.debit] -= line.amount
            self.balances[line.credit] += line.amount
            self.seen[line.code] += 1
        elif isinstance(line, Anomaly):
            self.seen[line.kind] += 1
            assert line.kind != "unknown_liquidity", line

    def _compare_trades(self, trades):
        """What is still held of every trade that waits."""
        for address, trade in trades.items():
            where = Pubkey.from_bytes(address)
            if where in self.platform.chains:
                held = self.platform.chain(where).position.shares
            else:
                held = Position.from_bytes(self.platform.data(where)).shares
            assert held == trade.held

    def _compare_deposits(self, book):
        """Liquidity by market, pool and owner: makers' and chains'."""
        there = Counter()
        for maker in (
            Maker.from_bytes(data) for data in self.platform.existing(self.platform.makers)
        ):
            there[self.markets_by_id[maker.market], maker.pool, bytes(maker.owner)] += (
                maker.liquidity
            )
        for _, address in self.chains:
            if self.platform.exists(address):
                chain = self.platform.chain(address)
                key = self.markets_by_id[chain.market], chain.pool, bytes(chain.owner)
                there[key] += chain.maker.liquidity
        known = Counter()
        for deposit in book.deposits():
            known[deposit.market, deposit.pool, deposit.wallet] += deposit.held
        open_there = {k: held for k, held in there.items() if held and k[0] not in book.resolved}
        assert open_there == dict(known)


def _is_outside(account):
    return account in OUTSIDE or account.endswith("/paid")


def test_whatever_anybody_does_the_rules_know_who_holds_what_and_what_the_treasury_has():
    WanderingRewards.seen.clear()
    run_state_machine_as_test(WanderingRewards, settings=SETTINGS)
    assert REACHED <= set(WanderingRewards.seen)
