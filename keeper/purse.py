"""A lane's purse: it prices a transaction, sets the money aside, and learns from how it ended.

Shell, for the floor is asked of the cluster. What may be spent is decided by core modules: the price by `fees`, `feedback`
and `odds`, the caps by `spend`, the payer's balance by `funds`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.feedback import Feedback
from keeper.fees import Bid, FeePolicy, NoBid, Withholding, choose_bid, recent_floor, wanted_price
from keeper.funds import Funds, Payment
from keeper.odds import LandingOdds
from keeper.spend import Period, Reservation, Spend
from programs.outage import Outage
from programs.outcomes import Expired, Failed, Landed, Outcome
from programs.rpc import Rpc, RpcFailure
from programs.units import ComputeUnits, Lamports, MicroLamports, Slot

_FEES_FRESH_S: Final = 2.0
"""Recent fees are asked for at most this often: they are a floor over whole slots."""
_FEES_WAIT_S: Final = 0.5
"""Work is not held up for longer by a node that does not say: the last floor stands."""
_FEE_ACCOUNTS_MAX: Final = 128
_FREE: Final = MicroLamports(0)
_NOTHING: Final = Lamports(0)
_CAP_KINDS: Final[dict[Period, Withholding]] = {
    "hour": "hourly_spend_cap",
    "day": "daily_spend_cap",
}
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a transaction needs to be priced."""

    writable: Collection[Pubkey]
    cu_limit: ComputeUnits
    signatures: int
    value_lamports: Lamports
    """What it earns if it does its work."""
    rent_lamports: Lamports
    """What it locks in new accounts: spent like a fee, but only if it lands."""
    is_critical: bool
    """Whether it may lose, up to the policy's loss and the hour's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pledge:
    """Money set aside for one bid."""

    bid: Bid
    rent_lamports: Lamports
    generation: int
    is_capped: bool
    """Whether value, budget or the policy kept the price below what was wanted: then raising it is no use."""
    spent: Reservation
    lost: Reservation
    payment: Payment

    @property
    def fee_lamports(self) -> Lamports:
        """What inclusion costs."""
        return self.bid.fee_lamports

    @property
    def cu_price_micro_lamports(self) -> MicroLamports:
        """What is bid for a compute unit."""
        return self.bid.cu_price_micro_lamports


@dataclass(slots=True)
class Purse:
    """What one lane pays with."""

    policy: FeePolicy
    spend: Spend
    losses: Spend
    """What critical work was expected to lose, against the hour's."""
    feedback: Feedback = field(default_factory=Feedback)
    odds: LandingOdds = field(default_factory=LandingOdds)
    _floor: MicroLamports | None = None
    _first_read: trio.Lock = field(default_factory=trio.Lock)
    _floor_until_s: float = field(default=-float("inf"))
    _told: set[Withholding] = field(default_factory=set)
    _unread: Outage = field(default_factory=lambda: Outage(subject="fees"))

    async def offer(self, rpc: Rpc, lane: str, funds: Funds, ask: Ask) -> Pledge | NoBid:
        """Price a transaction and set the money aside, or say why it is not worth sending."""
        floor = await self.read_floor(rpc, lane, ask.writable)
        # No checkpoint from here on: a burst cannot pass a cap.
        now_s = trio.current_time()
        wanted = wanted_price(self.policy, floor, self.feedback.level_bps)
        found = self._choose(wanted, ask, now_s)
        if isinstance(found, Bid) and not funds.can_pay(found.fee_lamports + ask.rent_lamports):
            found = NoBid(
                kind="payer_short",
                reason=f"the payer {funds.address} can pay {funds.available_lamports} lamports, "
                f"{found.fee_lamports + ask.rent_lamports} are needed: fund it",
            )
        self._tell(lane, found)
        if isinstance(found, NoBid):
            return found
        cost = Lamports(found.fee_lamports + ask.rent_lamports)
        return Pledge(
            bid=found,
            rent_lamports=ask.rent_lamports,
            generation=self.feedback.generation,
            is_capped=found.cu_price_micro_lamports < wanted or wanted == self.policy.cu_price_max,
            spent=self.spend.reserve(cost, now_s),
            lost=self.losses.reserve(found.loss_lamports, now_s),
            payment=funds.commit(cost),
        )

    def take_back(self, pledge: Pledge, funds: Funds) -> None:
        """Free what was set aside for a bid that never left; nothing is learned from it."""
        self.spend.settle(pledge.spent, _NOTHING)
        self.losses.settle(pledge.lost, _NOTHING)
        funds.settle(pledge.payment, _NOTHING)

    def settle(self, pledge: Pledge, funds: Funds, outcome: Outcome, signed_slot: Slot) -> None:
        """Count what a transaction came to, and learn from it.

        What is counted is the bid, for that is what a block charges: a node that says more must not fill a cap for a day, and
        one that says nothing must not empty it.
        """
        now_s, price = trio.current_time(), pledge.cu_price_micro_lamports
        paid = lost = _NOTHING
        match outcome:
            case Landed():
                paid = Lamports(pledge.fee_lamports + pledge.rent_lamports)
                lost = pledge.bid.loss_lamports
                self.odds.note(price, "landed", now_s)
                self.feedback.note_landed(pledge.generation, outcome.slot - signed_slot)
            case Failed():
                paid = lost = pledge.fee_lamports
                self.odds.note(price, "failed", now_s)
                self.feedback.note_landed(pledge.generation, outcome.slot - signed_slot)
            case Expired():
                self.odds.note(price, "expired", now_s)
                if not pledge.is_capped:
                    self.feedback.note_expired(pledge.generation)
        self.spend.settle(pledge.spent, paid)
        self.losses.settle(pledge.lost, lost)
        funds.settle(pledge.payment, paid)

    def _choose(self, wanted: MicroLamports, ask: Ask, now_s: float) -> Bid | NoBid:
        policy, rent = self.policy, ask.rent_lamports
        allowed = policy.loss_max_lamports if ask.is_critical else _NOTHING
        left = self.losses.left_lamports(now_s)
        odds = self.odds.at(wanted, now_s)

        def chosen(budget: int, loss: int) -> Bid | NoBid:
            return choose_bid(
                policy,
                wanted=wanted,
                cu_limit=ask.cu_limit,
                value_lamports=ask.value_lamports,
                budget_lamports=Lamports(budget),
                odds=odds,
                signatures=ask.signatures,
                allowed_loss_lamports=Lamports(loss),
            )

        best = chosen(1 << 63, allowed)
        if isinstance(best, NoBid):
            return best
        if isinstance(chosen(1 << 63, min(allowed, left)), NoBid):
            return NoBid(
                kind="loss_budget",
                reason=f"it is expected to lose {best.loss_lamports} lamports, {left} are left to lose this hour",
            )
        found = chosen(self.spend.left_lamports(now_s) - rent, min(allowed, left))
        if isinstance(found, Bid):
            return found
        # Not even the signatures, for the worth was settled above.
        least = best.fee_lamports + rent
        period = self.spend.reached(least, now_s) or "hour"
        return NoBid(kind=_CAP_KINDS[period], reason=self._why_capped(period, least, now_s))

    def _why_capped(self, period: Period, wanted: int, now_s: float) -> str:
        frees_in_s = self.spend.frees_in_s(wanted, now_s)
        when = "it alone is above the cap" if frees_in_s is None else f"free in {frees_in_s:.0f} s"
        left = self.spend.left_lamports(now_s)
        return f"the {period}'s spend cap leaves {left} lamports, {wanted} are needed ({when})"

    def _tell(self, lane: str, found: Bid | NoBid) -> None:
        """Warn of a cap once, and say once that it is over: not at every transaction."""
        if isinstance(found, Bid):
            if self._told:
                log.info("lane.spends_again", lane=lane, after=sorted(self._told))
                self._told.clear()
        elif found.is_of_the_lane and found.kind not in self._told:
            self._told.add(found.kind)
            log.warning("lane.stopped_spending", lane=lane, kind=found.kind, reason=found.reason)

    async def read_floor(self, rpc: Rpc, lane: str, writable: Collection[Pubkey]) -> MicroLamports:
        """Return the newest floor; only the very first bids wait for one that another is asking for.

        Whoever calls it beside other work finds it answered when a transaction is offered.
        """
        if self._floor is None:
            async with self._first_read:
                await self._refresh_floor(rpc, lane, writable)
        else:
            await self._refresh_floor(rpc, lane, writable)
        return self._floor or _FREE

    async def _refresh_floor(self, rpc: Rpc, lane: str, writable: Collection[Pubkey]) -> None:
        if trio.current_time() < self._floor_until_s:
            return
        self._floor_until_s = trio.current_time() + _FEES_FRESH_S
        reason = f"no answer within {_FEES_WAIT_S} s"
        with trio.move_on_after(_FEES_WAIT_S):
            try:
                recent = await rpc.get_recent_prioritization_fees(
                    list(writable)[:_FEE_ACCOUNTS_MAX]
                )
            except RpcFailure as failure:
                reason = str(failure)
            else:
                self._floor = recent_floor(recent, self.policy.percentile_bps)
                self._unread.note_success(lane=lane)
                return
        self._floor = self._floor or _FREE
        self._unread.note_failure(reason, lane=lane)
