"""The books of chains: what their events say, and what the accounts must sum to with chains among them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from programs.accounts import Maker, Market, Stake, Vault
from programs.chain_account import Chain, ChainStatus, StepKind
from programs.events import Event, EventKind


@dataclass
class ChainBook:
    """One chain, folded from events."""

    pool: int
    working: int
    bounty: int
    debt: int = 0
    next_step: int = 0

    @property
    def escrow(self) -> int:
        return self.working + self.bounty


@dataclass
class ChainBooks:
    """Every chain of a market that is open, and the liquidity that the last event took out."""

    open: dict[Pubkey, ChainBook] = field(default_factory=dict)
    removed: Event | None = None
    seized_side: int = 0
    """Of the shares that the last seizure found beside the cash."""

    def apply(self, event: Event) -> int:
        """Book one event of the market; return by how much its chains' own debt rises."""
        amount = event.amount
        removed, self.removed = self.removed, None
        if event.kind is EventKind.LIQUIDITY_REMOVED:
            self.removed = event
        elif event.kind is EventKind.CHAIN_OPENED:
            assert amount("bounty") == -(-amount("deposit") * 2 // 10_000)
            self.open[event.address("chain")] = ChainBook(
                pool=amount("pool"), working=amount("deposit"), bounty=amount("bounty")
            )
        elif event.kind is EventKind.CHAIN_STEPPED:
            return self._stepped(event)
        elif event.kind is EventKind.CHAIN_CANCELLED:
            chain = self.open[event.address("chain")]
            assert (amount("debt_repaid"), amount("bounty")) == (chain.debt, chain.bounty)
            chain.working = chain.debt = chain.bounty = 0
            if amount("is_closed"):
                del self.open[event.address("chain")]
            return -amount("debt_repaid")
        elif event.kind is EventKind.PLEDGES_SEIZED and removed:
            self.seized_side = 0 if removed.amount("shares_yes") else 1
            freed = removed.amount("cash") + removed.amount("fees_paid")
            assert 0 <= amount("cash") <= freed
            self.open[event.address("chain")].working += freed - amount("cash")
        return 0

    def _stepped(self, event: Event) -> int:
        amount = event.amount
        chain = self.open[event.address("chain")]
        assert amount("step") == chain.next_step, "a step was skipped or repeated"
        chain.next_step += 1
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


def check_chains(
    vault: Vault,
    markets: Iterable[tuple[Pubkey, Market]],
    makers: Iterable[Maker],
    stakes: Iterable[Stake],
    chains: Iterable[Chain],
) -> None:
    """Compare what chains embed, beside the accounts of everybody else, with what the vault and the pools count."""
    chains = list(chains)
    makers = [*makers, *(chain.maker for chain in chains)]
    stakes = [*stakes, *(chain.stake for chain in chains)]
    assert vault.share_supply == sum(stake.shares for stake in stakes)
    assert vault.locked_shares == sum(stake.requested_shares for stake in stakes)
    for address, market in markets:
        mine = [chain for chain in chains if chain.market == address]
        assert market.escrow == sum(chain.working + chain.bounty for chain in mine)
        earned = 0
        for index, pool in enumerate(market.pools):
            here = [k for k in makers if k.market == address and k.pool == index]
            assert pool.liquidity == sum(maker.liquidity for maker in here)
            for maker in here:
                since = pool.fee_per_liquidity_q64 - maker.fee_per_liquidity_paid_q64
                earned += maker.fees_owed + (maker.liquidity * since >> 64)
        assert earned <= market.fees_makers
    for chain in chains:
        assert chain.working >= chain.debt
        assert chain.status is not ChainStatus.DONE or chain.next_step == len(chain.steps)
        assert not any(holding.debt or holding.residual for holding in chain.holdings)
