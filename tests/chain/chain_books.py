"""The books of chains: what their events say, and what the accounts must sum to with chains among them."""

from collections import Counter
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from programs import vault_shares
from programs.accounts import Market
from programs.chain_account import Chain, ChainStatus, StepKind
from programs.event_layout import EventKind
from programs.events import Event


@dataclass
class ChainBook:
    """One chain, folded from events."""

    pool: int
    working: int
    bounty: int
    debt: int = 0
    next_step: int = 0
    staked: int = 0
    """Vault shares."""
    request_slot: int = 0


@dataclass
class ChainBooks:
    """Every chain of a market that is open, and the liquidity that the last event took out."""

    open: dict[Pubkey, ChainBook] = field(default_factory=dict)
    removed: Event | None = None
    seized: tuple[int, int] = (0, 0)
    """Pool and side of the shares that the last seizure found beside the cash."""
    is_bucket_empty: bool = False
    """The last cancellation asked the vault for a stake and got nothing."""

    def apply(self, event: Event) -> int:
        """Book one event of the market; return by how much its chains' own debt rises."""
        amount = event.amount
        removed, self.removed = self.removed, None
        if event.kind is EventKind.LIQUIDITY_REMOVED:
            self.removed = event
        elif event.kind is EventKind.CHAIN_OPENED:
            self.open[event.address("chain")] = ChainBook(
                pool=amount("pool"),
                working=amount("deposit"),
                bounty=-(-amount("deposit") * 2 // 10_000),
            )
        elif event.kind is EventKind.CHAIN_STEPPED:
            return self._stepped(event)
        elif event.kind is EventKind.CHAIN_CANCELLED:
            return self._cancelled(event)
        elif event.kind is EventKind.PLEDGES_SEIZED:
            chain = self.open[event.address("chain")]
            chain.staked -= amount("stake_shares")
            if removed:
                self.seized = (chain.pool, 0 if removed.amount("shares_yes") else 1)
                freed = removed.amount("cash") + removed.amount("fees_paid")
                assert 0 <= amount("cash") <= freed
                chain.working += freed - amount("cash")
        return 0

    def _cancelled(self, event: Event) -> int:
        amount = event.amount
        chain = self.open[event.address("chain")]
        assert (amount("debt_repaid"), amount("bounty")) == (chain.debt, chain.bounty)
        chain.working = chain.debt = chain.bounty = 0
        is_asked = chain.request_slot > 0 and chain.staked > 0
        is_asked = is_asked and event.slot - chain.request_slot >= vault_shares.UNSTAKE_SLOTS
        self.is_bucket_empty = is_asked and not amount("shares_staked")
        chain.staked -= amount("shares_staked")
        chain.request_slot = chain.request_slot or event.slot
        if amount("is_closed"):
            assert chain.staked == 0
            del self.open[event.address("chain")]
        return -amount("debt_repaid")

    def _stepped(self, event: Event) -> int:
        amount = event.amount
        chain = self.open[event.address("chain")]
        assert amount("step") == chain.next_step, "a step was skipped or repeated"
        chain.next_step += 1
        if amount("kind") == StepKind.STAKE:
            chain.staked += amount("shares")
        borrowed = amount("debt") - chain.debt
        if amount("kind") == StepKind.BORROW:
            assert borrowed == amount("amount") == amount("working") - chain.working
        elif amount("kind") == StepKind.OPEN:
            assert amount("debt") == 0
            borrowed = 0
        else:
            assert borrowed == 0
            assert amount("working") <= chain.working - amount("amount")
        assert amount("bounty") <= chain.bounty
        chain.working, chain.bounty = amount("working"), amount("bounty")
        chain.debt = amount("debt")
        return borrowed

    def check(self, market: Market, chains: list[Chain]) -> None:
        """Compare a market's chains with its escrow and with these books."""
        assert market.escrow == sum(chain.working + chain.bounty for chain in chains)
        assert market.escrow == sum(book.working + book.bounty for book in self.open.values())
        standing = Counter((c.next_step, c.working, c.debt, c.bounty) for c in chains)
        told = ((b.next_step, b.working, b.debt, b.bounty) for b in self.open.values())
        assert standing == Counter(told), "a chain is not where its steps led"
        for chain in chains:
            assert chain.working >= chain.debt
            assert chain.status is not ChainStatus.DONE or chain.next_step == len(chain.steps)
            assert not any(holding.debt or holding.residual for holding in chain.holdings)
