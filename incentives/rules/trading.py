"""The trade reward: opens of notional above the least, held for the dwell; the first 100 by number are boosted.

Core. What is closed, liquidated or redeemed before the qualifying slot earns nothing, what shrinks earns for the part still
held. A trade that earns nothing has used up its number all the same.

Source: SPEC.md section 7 ("trade", "base trade reward", "double MMT", "anti-wash").
"""

from collections.abc import Iterator
from typing import Any, Final

from incentives.lines import Anomaly, BoostedTrade, Code, Line
from incentives.rules.accounts import name_of
from incentives.rules.claims import Trade
from incentives.rules.errors import RulebookError
from incentives.rules.formulas import counted_notional, part_held, trade_claim
from incentives.rules.payloads import Picked
from incentives.rules.running import Running
from incentives.sourced import SourcedEvent
from incentives.unread import NUMBERED_NOTIONAL, Unread
from programs.event_layout import EventKind

_OPENED: Final = Picked(
    EventKind.POSITION_OPENED, "position", "owner", "holding", "notional", "shares", "trade_number"
)
_CLOSED: Final = Picked(EventKind.POSITION_CLOSED, "position", "holding", "shares_left")
_REDEEMED: Final = Picked(EventKind.POSITION_REDEEMED, "position", "holding")
_LIQUIDATED: Final = Picked(
    EventKind.POSITIONS_LIQUIDATED, record=("position", "shares_sold", "shares_to_inventory")
)


class Trading:
    """Trades that wait for their qualifying slot, by position."""

    __slots__ = ("_running", "_trades")

    def __init__(self, running: Running) -> None:
        self._running = running
        self._trades: dict[bytes, Trade] = {}

    def open(self, event: SourcedEvent) -> Iterator[Line]:
        """Take POSITION_OPENED: a trade, unless it is a chain's arbitrage, too small, or too late in the season.

        Raises:
            RulebookError: its trade number is not the next one, or its position is open.
        """
        position, owner, holding, notional, shares, number = _OPENED.of(event.payload)
        if holding:  # a chain's ARBITRAGE step: it has no number and no reward
            return
        running, slot = self._running, event.place.slot
        if (before := self._trades.get(position)) and before.is_doubted:
            yield from self._shrink(position, 0, event, "liquidated unread, and opened again")
        elif before:
            raise RulebookError(
                f"found {event.source_id} open {name_of(position)}, which is open: an event is missing"
            )
        if number:
            running.bootstrap.take(number, slot)
        elif running.bootstrap.doubtful and notional >= NUMBERED_NOTIONAL:
            running.bootstrap.take_none(slot)
        trade = Trade(
            event.place, event.source_id, owner, position, number, notional, shares, shares
        )
        if running.has_ended(slot) and not number:
            return
        if running.is_too_late(slot):
            yield from self._void(trade, slot, "it would count after the end of the season")
        elif counted_notional(notional, running.rules_at(slot)[1]):
            running.waiting.append(trade)
            self._trades[position] = trade
        elif number:
            yield from self._void(trade, slot, "its notional is below what counts as a trade")

    def close(self, event: SourcedEvent) -> Iterator[Line]:
        """Take POSITION_CLOSED."""
        position, holding, left = _CLOSED.of(event.payload)
        if not holding:
            yield from self._shrink(position, left, event, "closed")

    def redeem(self, event: SourcedEvent) -> Iterator[Line]:
        """Take POSITION_REDEEMED."""
        position, holding = _REDEEMED.of(event.payload)
        if not holding:
            yield from self._shrink(position, 0, event, "redeemed")

    def liquidate(self, event: SourcedEvent) -> Iterator[Line]:
        """Take POSITIONS_LIQUIDATED: of a chain, it is always the position with the debt."""
        for position, sold, to_inventory in _LIQUIDATED.records(event.payload):
            if trade := self._trades.get(position):
                left = max(trade.held - sold - to_inventory, 0)
                yield from self._shrink(position, left, event, "liquidated")

    def close_unread(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Take a close by its data, which says how much of which position: all of it, or so many shares."""
        if not unread.part and (trade := self._trades.get(unread.account)):
            left = max(trade.held - unread.amount, 0)
            yield from self._shrink(unread.account, left, event, "closed")

    def redeem_unread(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Take a redemption by its data: it leaves nothing of the position."""
        if not unread.part:
            yield from self._shrink(unread.account, 0, event, "redeemed")

    def liquidate_unread(self, unread: Unread, event: SourcedEvent) -> Iterator[Line]:
        """Take a liquidation of nobody knows what among its targets: what its signer owns of them is void, that of others stands."""
        for position in unread.targets:
            trade = self._trades.get(position)
            if trade is None:
                continue
            if trade.wallet == unread.signer:
                yield from self._shrink(position, 0, event, "perhaps liquidated by its owner")
            else:
                trade.is_doubted = True

    def count(self, trade: Trade) -> Iterator[Line]:
        """Let a trade count: its qualifying slot has come, and some of it is held."""
        running = self._running
        del self._trades[trade.position]
        version, rules = running.rules_at(trade.place.slot)
        counted = counted_notional(part_held(trade.notional, trade.held, trade.shares), rules)
        if not counted:
            reason = "the part still held is below what counts as a trade"
            yield from self._void(trade, running.qualifying_slot(trade), reason)
            return
        is_boosted = 1 <= trade.number <= rules.boosted_trades
        multiplier = rules.trade_multiplier if is_boosted else 1
        yield from running.accrue(
            trade,
            Code.TRADE_BOOSTED if is_boosted else Code.TRADE,
            trade_claim(counted, multiplier, rules),
            version,
            {"held_shares": str(trade.held), "counted_notional": str(counted)},
        )
        if is_boosted:
            yield _boosted(trade, is_voided=False)

    def _shrink(self, position: bytes, left: int, event: SourcedEvent, how: str) -> Iterator[Line]:
        trade = self._trades.get(position)
        if trade is None or left >= trade.held:
            return
        slot = event.place.slot
        after = f"{slot - trade.place.slot} slots after its open, by {event.source_id}"
        if not left:
            del self._trades[position]
            yield from self._void(trade, slot, f"{how} {after}")
            return
        trade.held = left
        reason = f"{how} to {left} of {trade.shares} shares {after}"
        yield Anomaly("claim_reduced", trade.cause, slot, reason)

    def _void(self, trade: Trade, slot: int, reason: str) -> Iterator[Line]:
        trade.held = 0
        yield Anomaly("claim_voided", trade.cause, slot, reason)
        _, rules = self._running.rules_at(trade.place.slot)
        if 1 <= trade.number <= rules.boosted_trades:
            yield _boosted(trade, is_voided=True)

    def to_state(self) -> list[Any]:
        """Return what a snapshot keeps."""
        trades = sorted(self._trades.values(), key=lambda trade: trade.place)
        return [trade.to_state() for trade in trades]

    def restore(self, state: list[Any]) -> list[Trade]:
        """Take back what `to_state` returned, and return the trades: they wait."""
        trades = [Trade.from_state(one) for one in state]
        self._trades = {trade.position: trade for trade in trades}
        return trades


def _boosted(trade: Trade, *, is_voided: bool) -> BoostedTrade:
    wallet = name_of(trade.wallet)
    return BoostedTrade(trade.number, trade.cause, wallet, trade.place.slot, is_voided)
