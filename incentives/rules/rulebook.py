"""The fold: events of the program in, lines of the ledger out.

Core. `take` and `pass_slot` yield lines in logical order, however the events are cut into deliveries: before anything of
slot s is looked at, every claim whose qualifying slot is s or earlier has counted or not, and every epoch that ends at s
or earlier is closed. An iterator must be read to its end before the next call.

Source: SPEC.md section 7, docs/incentives.md "Rules".
"""

import json
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from incentives.lines import (
    Anomaly,
    BoostedTrade,
    Code,
    EpochClose,
    EventLine,
    Line,
    Transfer,
)
from incentives.parameters import FORMULA_VERSION, Parameters, ParametersError, Rules
from incentives.rules.accruals import Accruals
from incentives.rules.bootstrap import Bootstrap
from incentives.rules.claims import Deposit, Trade
from incentives.rules.closing import POT, SEASON, UNSPENT, Closing
from incentives.rules.errors import RulebookError
from incentives.rules.formulas import counted_notional, maker_claim, part_held, trade_claim
from incentives.rules.mining import LiquidityBook, Lost
from incentives.rules.payloads import Picked, kind_of, series_of
from incentives.rules.roots import RootBook
from incentives.rules.season import Season
from incentives.rules.wallets import accrued, in_flight, name_of, paid, payable
from incentives.sourced import Place, SourcedEvent
from programs.event_layout import EventKind
from programs.genesis import TREASURY_MMT

MINT: Final = "mint"
SINK: Final = "sink"
UNEXPLAINED: Final = "unexplained"

_INITIALIZED: Final = Picked(
    EventKind.INITIALIZED, "season_start_slot", "season_slots", "treasury_mmt", "sink_mmt"
)
_OPENED: Final = Picked(
    EventKind.POSITION_OPENED, "position", "owner", "holding", "notional", "shares", "trade_number"
)
_CLOSED: Final = Picked(EventKind.POSITION_CLOSED, "position", "holding", "shares_left")
_REDEEMED: Final = Picked(EventKind.POSITION_REDEEMED, "position", "holding")
_LIQUIDATED: Final = Picked(
    EventKind.POSITIONS_LIQUIDATED, record=("position", "shares_sold", "shares_to_inventory")
)
_ADDED: Final = Picked(
    EventKind.LIQUIDITY_ADDED, "owner", "pool", "liquidity_added", "value", "improvement_bps"
)
_REMOVED: Final = Picked(EventKind.LIQUIDITY_REMOVED, "owner", "pool", "liquidity_removed")
_POSTED: Final = Picked(EventKind.EPOCH_POSTED, "epoch", "index", "leaf_count", "total", "root")
_PAID: Final = Picked(EventKind.REWARDS_PAID, "epoch", "index", record=("leaf", "wallet", "amount"))


class Rulebook:
    """What the rules hold between events; see the module for the order of the lines."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._season: Season | None = None
        self._last: Place | None = None
        self._known_to = 0
        """All events of earlier slots are known."""
        self._epoch = 0
        """The one that runs; one more than the last when the season is over."""
        self._pot = 0
        self._unspent = 0
        self._waiting: deque[Trade | Deposit] = deque()
        self._trades: dict[bytes, Trade] = {}
        """Those that wait, by position."""
        self._bootstrap = Bootstrap()
        self._accruals = Accruals()
        self._liquidity = LiquidityBook()
        self._roots = RootBook()
        self._takers: Final = {
            EventKind.POSITION_OPENED: self._open,
            EventKind.POSITION_CLOSED: self._close_position,
            EventKind.POSITION_REDEEMED: self._redeem,
            EventKind.POSITIONS_LIQUIDATED: self._liquidate,
            EventKind.LIQUIDITY_ADDED: self._add_liquidity,
            EventKind.LIQUIDITY_REMOVED: self._remove_liquidity,
            EventKind.MARKET_RESOLVED: self._resolve,
            EventKind.EPOCH_POSTED: self._post,
            EventKind.REWARDS_PAID: self._pay,
        }

    @property
    def epoch(self) -> int:
        """The epoch that runs; -1 before the season, one more than the last when it is over."""
        return -1 if self._season is None else self._epoch

    def take(self, event: SourcedEvent) -> Iterator[Line]:
        """Take the next event, and yield what is due before it, the event, and what follows from it.

        Price updates yield nothing of their own: no reward depends on them.

        Raises:
            RulebookError: it is not after what was taken, or not of a season that began.
            MalformedEventError: it is no event of the version that is known.
        """
        kind = kind_of(event.payload)
        place = event.place
        if (self._last is not None and place <= self._last) or place.slot < self._known_to:
            raise RulebookError(
                f"found event {event.source_id} at {place}, expected one after {self._last} "
                f"and from slot {self._known_to} on: events come once, in the chain's order"
            )
        if (self._season is None) != (kind is EventKind.INITIALIZED):
            raise RulebookError(
                f"found {kind.name} at slot {place.slot}, expected "
                + ("genesis first" if self._season is None else "one genesis only")
            )
        yield from self._know_all_before(place.slot)
        self._last = place
        if kind is EventKind.PRICES_UPDATED:
            return
        if kind is EventKind.INITIALIZED:
            yield from self._begin(event)
            return
        yield EventLine(event)
        if taker := self._takers.get(kind):
            yield from taker(event)

    def pass_slot(self, finalized_slot: int) -> Iterator[Line]:
        """Yield what is due once all events through a slot are known."""
        yield from self._know_all_before(finalized_slot + 1)

    # What is due at a slot.

    def _know_all_before(self, slot: int) -> Iterator[Line]:
        if slot <= self._known_to:
            return
        if self._season is not None:
            while self._epoch <= self._season.last_epoch:
                end = self._season.end_of(self._epoch)
                yield from self._qualify(min(slot, end - 1))
                if slot < end:
                    break
                yield from self._close_epoch(self._season)
        self._known_to = slot

    def _qualify(self, slot: int) -> Iterator[Line]:
        """Let what has waited until a slot count."""
        waiting, dwell = self._waiting, self._parameters.dwell_slots
        while waiting and waiting[0].place.slot + dwell <= slot:
            claim = waiting.popleft()
            if not claim.held:
                continue
            if isinstance(claim, Trade):
                del self._trades[claim.position]
                yield from self._count_trade(claim)
            else:
                claim.has_dwelt = True
                yield from self._count_deposit(claim)

    def _close_epoch(self, season: Season) -> Iterator[Line]:
        epoch = self._epoch
        end = season.end_of(epoch)
        for deposit in self._liquidity.deposits():
            if deposit.has_dwelt:
                self._count_mining(deposit, end)
        closing = Closing(epoch, season, self._parameters, self._pot)
        allocated = 0
        for line in closing.lines(self._accruals, self._liquidity):
            if isinstance(line, EpochClose):
                allocated = sum(allocation.amount for allocation in line.allocations)
                self._roots.owe(epoch, season.epoch_slots, line.allocations)
            yield line
        self._pot += closing.emitted - allocated
        self._epoch += 1
        self._accruals.clear()
        self._liquidity.clear()
        if epoch == season.last_epoch and self._pot > 0:
            yield closing.transfer(Code.SEASON_END, 0, POT, UNSPENT, self._pot)
            self._unspent, self._pot = self._pot, 0

    # Trades.

    def _open(self, event: SourcedEvent) -> Iterator[Line]:
        position, owner, holding, notional, shares, number = _OPENED.of(event.payload)
        if holding:  # a chain's ARBITRAGE step: it has no number and no reward
            return
        slot = event.place.slot
        if number:
            self._bootstrap.take(number, slot)
        trade = Trade(
            event.place, event.source_id, owner, position, number, notional, shares, shares
        )
        if not self._counts_in_time(slot):
            yield from self._void(trade, slot, "it would count after the end of the season")
        elif counted_notional(notional, self._rules_at(slot)[1]):
            self._waiting.append(trade)
            self._trades[position] = trade
        elif number:
            yield from self._void(trade, slot, "its notional is below what counts as a trade")

    def _count_trade(self, trade: Trade) -> Iterator[Line]:
        version, rules = self._rules_at(trade.place.slot)
        slot = trade.place.slot + self._parameters.dwell_slots
        counted = counted_notional(part_held(trade.notional, trade.held, trade.shares), rules)
        if not counted:
            yield from self._void(
                trade, slot, "the part still held is below what counts as a trade"
            )
            return
        is_boosted = 1 <= trade.number <= rules.boosted_trades
        multiplier = rules.trade_multiplier if is_boosted else 1
        yield from self._accrue(
            trade,
            Code.TRADE_BOOSTED if is_boosted else Code.TRADE,
            trade_claim(counted, multiplier, rules),
            version,
            {"held_shares": str(trade.held), "counted_notional": str(counted)},
        )
        if is_boosted:
            yield BoostedTrade(
                trade.number, trade.cause, name_of(trade.wallet), trade.place.slot, is_voided=False
            )

    def _close_position(self, event: SourcedEvent) -> Iterator[Line]:
        position, holding, left = _CLOSED.of(event.payload)
        if not holding:
            yield from self._shrink(position, left, event, "closed")

    def _redeem(self, event: SourcedEvent) -> Iterator[Line]:
        position, holding = _REDEEMED.of(event.payload)
        if not holding:
            yield from self._shrink(position, 0, event, "redeemed")

    def _liquidate(self, event: SourcedEvent) -> Iterator[Line]:
        for position, sold, to_inventory in _LIQUIDATED.records(event.payload):
            if trade := self._trades.get(position):
                left = max(trade.held - sold - to_inventory, 0)
                yield from self._shrink(position, left, event, "liquidated")

    def _shrink(self, position: bytes, left: int, event: SourcedEvent, how: str) -> Iterator[Line]:
        trade = self._trades.get(position)
        if trade is None or left >= trade.held:
            return
        trade.held = left
        slot = event.place.slot
        after = f"{slot - trade.place.slot} slots after its open, by {event.source_id}"
        if left:
            reason = f"{how} to {left} of {trade.shares} shares {after}"
            yield Anomaly("claim_reduced", trade.cause, slot, reason)
            return
        del self._trades[position]
        yield from self._void(trade, slot, f"{how} {after}")

    def _void(self, trade: Trade, slot: int, reason: str) -> Iterator[Line]:
        trade.held = 0
        yield Anomaly("claim_voided", trade.cause, slot, reason)
        if 1 <= trade.number <= self._rules_at(trade.place.slot)[1].boosted_trades:
            yield BoostedTrade(
                trade.number, trade.cause, name_of(trade.wallet), trade.place.slot, is_voided=True
            )

    # Liquidity.

    def _add_liquidity(self, event: SourcedEvent) -> Iterator[Line]:
        owner, pool, liquidity, value, improvement_bps = _ADDED.of(event.payload)
        market, slot = series_of(event.payload), event.place.slot
        if not self._counts_in_time(slot):
            reason = "it would count after the end of the season"
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
        if liquidity and market not in self._liquidity.resolved:
            self._waiting.append(deposit)
            self._liquidity.add(deposit)

    def _count_deposit(self, deposit: Deposit) -> Iterator[Line]:
        slot = deposit.place.slot
        version, rules = self._rules_at(slot)
        if deposit.improvement_bps < rules.improvement_min_bps:
            return
        value = part_held(deposit.value, deposit.held, deposit.liquidity)
        is_early = self._bootstrap.is_running(slot, rules.boosted_trades)
        multiplier = rules.maker_multiplier if is_early else 1
        yield from self._accrue(
            deposit,
            Code.MAKER_BOOSTED if is_early else Code.MAKER,
            maker_claim(value, deposit.improvement_bps, multiplier, rules),
            version,
            {"held_liquidity": str(deposit.held), "counted_value": str(value)},
        )

    def _remove_liquidity(self, event: SourcedEvent) -> Iterator[Line]:
        owner, pool, liquidity = _REMOVED.of(event.payload)
        market, slot = series_of(event.payload), event.place.slot
        if market in self._liquidity.resolved:
            return
        unknown, lost = self._liquidity.remove(
            market, pool, owner, liquidity, lambda deposit: self._count_mining(deposit, slot)
        )
        yield from self._lose(lost, slot, f"removed by {event.source_id}")
        if unknown and not self._is_over:
            reason = f"{name_of(owner)} removed {unknown} more than the deposits on record"
            yield Anomaly("unknown_liquidity", event.source_id, slot, reason)

    def _resolve(self, event: SourcedEvent) -> Iterator[Line]:
        market, slot = series_of(event.payload), event.place.slot
        lost = self._liquidity.resolve(market, lambda deposit: self._count_mining(deposit, slot))
        yield from self._lose(lost, slot, "its market was resolved")

    def _lose(self, lost: list[Lost], slot: int, how: str) -> Iterator[Line]:
        for one in lost:
            deposit = one.deposit
            kind = "claim_reduced" if deposit.held else "claim_voided"
            after = f"{slot - deposit.place.slot} slots after the deposit"
            reason = f"{one.liquidity} of {deposit.liquidity} liquidity {after}: {how}"
            yield Anomaly(kind, deposit.cause, slot, reason)

    def _count_mining(self, deposit: Deposit, end: int) -> None:
        assert self._season is not None
        end = min(end, self._season.end_slot)
        self._liquidity.count(deposit, end, self._season, self._parameters, self._bootstrap)

    # What both have in common.

    @property
    def _is_over(self) -> bool:
        return self._season is not None and self._epoch > self._season.last_epoch

    def _counts_in_time(self, slot: int) -> bool:
        assert self._season is not None
        return slot + self._parameters.dwell_slots < self._season.end_slot

    def _rules_at(self, slot: int) -> tuple[int, Rules]:
        assert self._season is not None
        version = self._parameters.version_at(self._season.epoch_at(slot))
        return version, self._parameters.rules(version)

    def _accrue(
        self,
        claim: Trade | Deposit,
        code: Code,
        numerator: int,
        version: int,
        inputs: dict[str, int | str],
    ) -> Iterator[Line]:
        slot = claim.place.slot + self._parameters.dwell_slots
        amount = self._accruals.add(claim.wallet, numerator)
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
                epoch=self._epoch,
                rules_version=version,
                inputs=inputs,
            )

    # The season, its roots and payouts.

    def _begin(self, event: SourcedEvent) -> Iterator[Line]:
        start, slots, treasury, sink = _INITIALIZED.of(event.payload)
        if treasury != TREASURY_MMT or not slots:
            raise RulebookError(
                f"found a genesis of {treasury} base units over {slots} slots, expected {TREASURY_MMT}: another program's"
            )
        self._season = Season(start, slots, self._parameters.epoch_slots)
        yield EventLine(event)
        for leg, (credit, amount) in enumerate(((SINK, sink), (SEASON, treasury))):
            yield self._transfer(event, Code.GENESIS, leg, MINT, credit, amount, 0)

    def _post(self, event: SourcedEvent) -> Iterator[Line]:
        chain_epoch, index, count, total, root = _POSTED.of(event.payload)
        owed = self._roots.find(chain_epoch, index)
        if owed is None or owed.is_posted or owed.root_hash(chain_epoch, index) != root:
            yield Anomaly(
                "unknown_root",
                event.source_id,
                event.place.slot,
                f"root {root.hex()} of epoch {chain_epoch} index {index}, {count} leaves and {total} base units, "
                "is none of this ledger",
            )
            return
        owed.is_posted = True
        for leaf, (wallet, amount) in enumerate(zip(owed.wallets, owed.amounts, strict=True)):
            accounts = payable(wallet), in_flight(wallet)
            yield self._transfer(event, Code.ROOT, leaf, *accounts, amount, owed.epoch)

    def _pay(self, event: SourcedEvent) -> Iterator[Line]:
        chain_epoch, index = _PAID.of(event.payload)
        legs = {Code.PAYOUT: 0, Code.FOREIGN_PAYOUT: 0}
        for leaf, wallet, amount in _PAID.records(event.payload):
            owed = self._roots.find(chain_epoch, index)
            if owed is not None and owed.pays(leaf, wallet, amount):
                self._roots.pay(chain_epoch, index, leaf)
                moves = [(Code.PAYOUT, in_flight(wallet), paid(wallet), amount, owed.epoch)]
            else:
                moves = self._foreign(amount)
                reason = (
                    f"{amount} base units paid to {name_of(wallet)} as leaf {leaf} of epoch {chain_epoch} index {index}, "
                    "which this ledger does not owe"
                )
                yield Anomaly("foreign_payout", event.source_id, event.place.slot, reason)
            for code, debit, credit, moved, epoch in moves:
                yield self._transfer(event, code, legs[code], debit, credit, moved, epoch)
                legs[code] += 1

    def _foreign(self, amount: int) -> list[tuple[Code, str, str, int, int]]:
        """Take what a foreign root paid from what nobody is owed: what the season left, then the pot."""
        from_unspent = min(amount, self._unspent)
        self._unspent -= from_unspent
        self._pot -= amount - from_unspent
        return [
            (Code.FOREIGN_PAYOUT, debit, UNEXPLAINED, moved, self._epoch)
            for debit, moved in ((UNSPENT, from_unspent), (POT, amount - from_unspent))
            if moved
        ]

    def _transfer(
        self,
        event: SourcedEvent,
        code: Code,
        leg: int,
        debit: str,
        credit: str,
        amount: int,
        epoch: int,
    ) -> Transfer:
        return Transfer(
            cause=event.source_id,
            leg=leg,
            code=code,
            slot=event.place.slot,
            debit=debit,
            credit=credit,
            amount=amount,
            epoch=epoch,
            rules_version=self._parameters.version_at(epoch),
        )

    # Snapshots.

    def to_json(self) -> str:
        """Return all that `from_json` needs to go on from here, as canonical JSON; large integers as text."""
        season = self._season
        state: dict[str, Any] = {
            "formula_version": FORMULA_VERSION,
            "parameters": self._parameters.to_json(),
            "season": None if season is None else [season.start_slot, season.slots],
            "last": None if self._last is None else _place_state(self._last),
            "known_to": self._known_to,
            "epoch": self._epoch,
            "pot": str(self._pot),
            "unspent": str(self._unspent),
            "trades": [
                claim.to_state()
                for claim in self._waiting
                if isinstance(claim, Trade) and claim.held
            ],
            "bootstrap": self._bootstrap.trade_slots,
            "accruals": self._accruals.to_state(),
            "liquidity": self._liquidity.to_state(),
            "roots": self._roots.to_state(),
        }
        return json.dumps(state, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, parameters: Parameters) -> "Rulebook":
        """Restore a snapshot.

        Args:
            parameters: those of the snapshot, or with versions appended that start after its epoch.

        Raises:
            RulebookError: the snapshot is another formula version's, or is unreadable.
            ParametersError: the parameters change what is already promised.
        """
        try:
            state = json.loads(text)
            return cls._restored(state, parameters)
        except ParametersError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise RulebookError(f"the snapshot of the rules cannot be read: {error}") from error

    @classmethod
    def _restored(cls, state: dict[str, Any], parameters: Parameters) -> "Rulebook":
        if state["formula_version"] != FORMULA_VERSION:
            raise RulebookError(
                f"found formula version {state['formula_version']}, expected {FORMULA_VERSION}: recompute from the events"
            )
        book = cls(parameters)
        if state["season"] is not None:
            start, slots = state["season"]
            book._season = Season(start, slots, parameters.epoch_slots)
        book._epoch = state["epoch"]
        parameters.require_extends(Parameters.from_json(state["parameters"]), book.epoch)
        book._last = None if state["last"] is None else Place(*state["last"])
        book._known_to = state["known_to"]
        book._pot = int(state["pot"])
        book._unspent = int(state["unspent"])
        book._bootstrap = Bootstrap(state["bootstrap"])
        book._accruals = Accruals.from_state(state["accruals"])
        book._liquidity = LiquidityBook.from_state(state["liquidity"])
        book._roots = RootBook.from_state(state["roots"])
        trades = [Trade.from_state(one) for one in state["trades"]]
        book._trades = {trade.position: trade for trade in trades}
        waiting: list[Trade | Deposit] = [*trades]
        waiting += (one for one in book._liquidity.deposits() if not one.has_dwelt)
        book._waiting = deque(sorted(waiting, key=lambda claim: claim.place))
        return book


def _place_state(place: Place) -> list[int]:
    return [place.slot, place.tx_index, place.instruction, place.inner]
