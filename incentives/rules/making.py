"""The makers' rewards: one at the qualifying slot of a deposit that improves the pool, and mining for every slot of it.

Core. A deposit removed before its qualifying slot earns nothing, one that shrinks earns for the part still there.

Source: SPEC.md section 7 ("maker reward", "early-maker bonus", "liquidity mining", "anti-wash").
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from incentives.lines import Anomaly, Code, Line
from incentives.rules.accounts import name_of
from incentives.rules.claims import Deposit
from incentives.rules.formulas import maker_claim, part_held
from incentives.rules.mining import LiquidityBook, Lost
from incentives.rules.payloads import Picked, series_of
from incentives.rules.running import Running
from incentives.sourced import SourcedEvent
from incentives.unread import ALL, Unread
from programs.chain_account import StepKind
from programs.event_layout import EventKind

_ADDED: Final = Picked(
    EventKind.LIQUIDITY_ADDED, "owner", "pool", "liquidity_added", "value", "improvement_bps"
)
_STEPPED: Final = Picked(EventKind.CHAIN_STEPPED, "chain", "kind")
_REMOVED: Final = Picked(EventKind.LIQUIDITY_REMOVED, "owner", "pool", "liquidity_removed")


class Making:
    """Makers' deposits: of makers, and of chains under their owners."""

    __slots__ = ("_running", "book")

    def __init__(self, running: Running) -> None:
        self._running = running
        self.book = LiquidityBook()

    def add(self, event: SourcedEvent) -> Iterator[Line]:
        """Take LIQUIDITY_ADDED."""
        owner, pool, liquidity, value, improvement_bps = _ADDED.of(event.payload)
        market, slot = series_of(event.payload), event.place.slot
        if self._running.has_ended(slot):
            return
        if self._running.is_too_late(slot):
            reason = "it would count after the end of the season"
            yield Anomaly("claim_voided", event.source_id, slot, reason)
            return
        if market in self.book.resolved:
            reason = "its market was resolved before"
            yield Anomaly("claim_voided", event.source_id, slot, reason)
            return
        deposit = Deposit(
            place=event.place,
            cause=event.source_id,
            wallet=owner,
            market=market,
            pool=pool,
            liquidity=liquidity,
            held=liquidity,
            value=value,
            improvement_bps=improvement_bps,
            counted_to=slot,
        )
        self._running.waiting.append(deposit)
        self.book.add(deposit)

    def remove(self, event: SourcedEvent) -> Iterator[Line]:
        """Take LIQUIDITY_REMOVED, from the wallet's newest deposits of the pool."""
        owner, pool, liquidity = _REMOVED.of(event.payload)
        yield from self._remove(event, series_of(event.payload), pool, owner, liquidity)

    def remove_unread(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Take a removal by its data: so much, or all that the maker has in the pool."""
        market, pool, owner = unread.series, unread.part, unread.signer
        is_all = unread.amount == ALL
        taken = self.book.held_by(market, pool, owner) if is_all else unread.amount
        yield from self._remove(event, market, pool, owner, taken)

    def step(self, event: SourcedEvent) -> Iterator[Line]:
        """Take CHAIN_STEPPED: the deposit that was told right before it, if the step made one, is that chain's."""
        chain, kind = _STEPPED.of(event.payload)
        if kind == StepKind.LIQUIDITY:
            self.attribute(event, chain)
        yield from ()

    def attribute(self, event: SourcedEvent, chain: bytes) -> None:
        """Note whose the deposit is that was told right before an event of a chain's step, if one was."""
        waiting, place = self._running.waiting, event.place
        if waiting and waiting[-1].place == replace(place, inner=place.inner - 1):
            deposit = waiting[-1]
            if isinstance(deposit, Deposit):
                deposit.chain = chain

    def cancel_unread(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Take the end of a chain: its liquidity leaves, now or, where it is locked, as soon as it may."""
        slot = event.place.slot
        lost = self.book.end_chain(unread.series, unread.account, slot, self._running)
        yield from _lose(lost, slot, f"its chain was cancelled by {event.source_id}")

    def _remove(
        self, event: SourcedEvent, market: int, pool: int, owner: bytes, liquidity: int
    ) -> Iterator[Line]:
        slot = event.place.slot
        if market in self.book.resolved:
            return
        unknown, lost = self.book.remove(market, pool, owner, liquidity, slot, self._running)
        yield from _lose(lost, slot, f"removed by {event.source_id}")
        if unknown and not self._running.is_too_late(slot):
            reason = f"{name_of(owner)} removed {unknown} more than the deposits on record"
            yield Anomaly("unknown_liquidity", event.source_id, slot, reason)

    def resolve(self, event: SourcedEvent) -> Iterator[Line]:
        """Take MARKET_RESOLVED."""
        yield from self.resolve_market(series_of(event.payload), event.place.slot)

    def resolve_market(self, market: int, slot: int) -> Iterator[Line]:
        """End a market."""
        lost = self.book.resolve(market, slot, self._running)
        yield from _lose(lost, slot, "its market was resolved")

    def count(self, deposit: Deposit) -> Iterator[Line]:
        """Let a deposit count: its qualifying slot has come, and some of it is there."""
        deposit.has_dwelt = True
        running, slot = self._running, deposit.place.slot
        version, rules = running.rules_at(slot)
        if deposit.improvement_bps < rules.improvement_min_bps:
            return
        value = part_held(deposit.value, deposit.held, deposit.liquidity)
        is_early = running.bootstrap.is_running(slot, rules.boosted_trades)
        multiplier = rules.maker_multiplier if is_early else 1
        yield from running.accrue(
            deposit,
            Code.MAKER_BOOSTED if is_early else Code.MAKER,
            maker_claim(value, deposit.improvement_bps, multiplier, rules),
            version,
            {"held_liquidity": str(deposit.held), "counted_value": str(value)},
        )

    def to_state(self) -> dict[str, Any]:
        """Return what a snapshot keeps."""
        return self.book.to_state()

    def restore(self, state: dict[str, Any]) -> list[Deposit]:
        """Take back what `to_state` returned, and return the deposits that wait."""
        self.book = LiquidityBook.from_state(state)
        return [deposit for deposit in self.book.deposits() if not deposit.has_dwelt]


def _lose(lost: list[Lost], slot: int, how: str) -> Iterator[Line]:
    for one in lost:
        deposit = one.deposit
        kind = "claim_reduced" if deposit.held else "claim_voided"
        after = f"{slot - deposit.place.slot} slots after the deposit"
        reason = f"{one.liquidity} of {deposit.liquidity} liquidity {after}: {how}"
        yield Anomaly(kind, deposit.cause, slot, reason)
