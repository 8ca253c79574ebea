"""The fold: events of the program in, lines of the ledger out.

Core. `take` and `pass_slot` yield lines in logical order, however the events are cut into deliveries: before anything of
slot s is looked at, every claim whose qualifying slot is s or earlier has counted or not, and every epoch that ends at s
or earlier is closed. An iterator must be read to its end before the next call.

Source: SPEC.md section 7, docs/incentives.md "Rules".
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from incentives.lines import Code, EpochClose, EventLine, Line
from incentives.parameters import FORMULA_VERSION, Parameters, ParametersError
from incentives.rules.accounts import MINT, POT, SEASON, SINK, UNSPENT
from incentives.rules.claims import Deposit, Trade
from incentives.rules.closing import Closing
from incentives.rules.errors import RulebookError
from incentives.rules.making import Making
from incentives.rules.paying import Paying
from incentives.rules.payloads import Picked, kind_of, name_of_kind
from incentives.rules.running import Running
from incentives.rules.season import Season
from incentives.rules.trading import Trading
from incentives.rules.unseen import Unseen
from incentives.sourced import Place, SourcedEvent
from incentives.unread import UNREAD_KIND
from programs.event_layout import EventKind
from programs.genesis import TREASURY_MMT

_INITIALIZED: Final = Picked(
    EventKind.INITIALIZED, "season_start_slot", "season_slots", "treasury_mmt", "sink_mmt"
)


class _Begun:
    """What the rules hold from genesis on."""

    __slots__ = ("making", "paying", "running", "takers", "trading", "unseen")

    def __init__(self, running: Running) -> None:
        self.running = running
        self.trading = Trading(running)
        self.making = Making(running)
        self.paying = Paying(running)
        self.unseen = Unseen(running, self.trading, self.making, self.paying)
        self.takers: dict[EventKind | int, Callable[[SourcedEvent], Iterator[Line]]] = {
            EventKind.POSITION_OPENED: self.trading.open,
            EventKind.POSITION_CLOSED: self.trading.close,
            EventKind.POSITION_REDEEMED: self.trading.redeem,
            EventKind.POSITIONS_LIQUIDATED: self.trading.liquidate,
            EventKind.LIQUIDITY_ADDED: self.making.add,
            EventKind.LIQUIDITY_REMOVED: self.making.remove,
            EventKind.CHAIN_STEPPED: self.making.step,
            EventKind.MARKET_RESOLVED: self.making.resolve,
            EventKind.EPOCH_POSTED: self.paying.post,
            EventKind.REWARDS_PAID: self.paying.pay,
            UNREAD_KIND: self.unseen.take,
        }

    def know_all_before(self, slot: int) -> Iterator[Line]:
        """Yield what is due when all events of earlier slots are known."""
        running = self.running
        while not running.is_over:
            end = running.season.end_of(running.epoch)
            yield from self._qualify(min(slot, end - 1))
            if slot < end:
                break
            yield from self._close_epoch(running)

    def _qualify(self, slot: int) -> Iterator[Line]:
        """Let what has waited until a slot count."""
        waiting, dwell = self.running.waiting, self.running.parameters.dwell_slots
        while waiting and waiting[0].place.slot + dwell <= slot:
            claim = waiting.popleft()
            if not claim.held:
                continue
            if isinstance(claim, Trade):
                yield from self.trading.count(claim)
            else:
                yield from self.making.count(claim)

    def _close_epoch(self, running: Running) -> Iterator[Line]:
        season, epoch = running.season, running.epoch
        self.making.book.count_to(season.end_of(epoch), running)
        closing = Closing(epoch, season, running.parameters, running.pot)
        allocated = 0
        for line in closing.lines(running.accruals, self.making.book.mined()):
            if isinstance(line, EpochClose):
                allocated = sum(allocation.amount for allocation in line.allocations)
                self.paying.book.owe(epoch, season.epoch_slots, line.allocations)
            yield line
        running.pot += closing.emitted - allocated
        running.epoch += 1
        running.accruals.clear()
        self.making.book.clear()
        if running.is_over and running.pot > 0:
            yield closing.transfer(Code.SEASON_END, 0, POT, UNSPENT, running.pot)
            running.unspent, running.pot = running.pot, 0

    def to_state(self) -> dict[str, Any]:
        """Return what a snapshot keeps."""
        return {
            "running": self.running.to_state(),
            "trading": self.trading.to_state(),
            "making": self.making.to_state(),
            "paying": self.paying.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], parameters: Parameters) -> "_Begun":
        """Restore what `to_state` returned."""
        begun = cls(Running.from_state(state["running"], parameters))
        waiting: list[Trade | Deposit] = [*begun.trading.restore(state["trading"])]
        waiting += begun.making.restore(state["making"])
        begun.running.waiting = deque(sorted(waiting, key=lambda claim: claim.place))
        begun.paying.restore(state["paying"])
        return begun


class Rulebook:
    """What the rules hold between events; see the module for the order of the lines."""

    __slots__ = ("_begun", "_known_to", "_last", "_parameters")

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._begun: _Begun | None = None
        self._last: Place | None = None
        self._known_to = 0
        """All events of earlier slots are known."""

    @property
    def epoch(self) -> int:
        """The epoch that runs; -1 before the season, one more than the last when it is over."""
        return -1 if self._begun is None else self._begun.running.epoch

    def take(self, event: SourcedEvent) -> Iterator[Line]:
        """Take the next event, and yield what is due before it, the event, and what follows from it.

        Price updates yield nothing of their own: no reward depends on them.

        Raises:
            RulebookError: it is not after what was taken, is not of a season that began, or an event before it is missing.
            MalformedEventError: it is no event of the version that is known.
        """
        kind = kind_of(event.payload)
        self._require_next(event, kind)
        if event.place.slot > self._known_to:
            yield from self.pass_slot(event.place.slot - 1)
        self._last = event.place
        if kind is EventKind.PRICES_UPDATED:
            return
        if self._begun is None:
            yield from self._begin(event)
            return
        yield EventLine(event)
        if taker := self._begun.takers.get(kind):
            yield from taker(event)

    def pass_slot(self, finalized_slot: int) -> Iterator[Line]:
        """Yield what is due once all events through a slot are known."""
        slot = finalized_slot + 1
        if slot <= self._known_to:
            return
        if self._begun is not None:
            yield from self._begun.know_all_before(slot)
        self._known_to = slot

    def _require_next(self, event: SourcedEvent, kind: EventKind | int) -> None:
        place = event.place
        if (self._last is not None and place <= self._last) or place.slot < self._known_to:
            raise RulebookError(
                f"found event {event.source_id} at {place}, expected one after {self._last} "
                f"and from slot {self._known_to} on: events come once, in the chain's order"
            )
        if (self._begun is None) != (kind is EventKind.INITIALIZED):
            expected = "genesis first" if self._begun is None else "one genesis only"
            raise RulebookError(
                f"found {name_of_kind(kind)} at slot {place.slot}, expected {expected}"
            )

    def _begin(self, event: SourcedEvent) -> Iterator[Line]:
        start, slots, treasury, sink = _INITIALIZED.of(event.payload)
        if treasury != TREASURY_MMT or not slots:
            raise RulebookError(
                f"found a genesis of {treasury} base units over {slots} slots, expected {TREASURY_MMT}: another program's"
            )
        running = Running(self._parameters, Season(start, slots, self._parameters.epoch_slots))
        self._begun = _Begun(running)
        yield EventLine(event)
        for leg, (credit, amount) in enumerate(((SINK, sink), (SEASON, treasury))):
            yield running.transfer(event, Code.GENESIS, leg, MINT, credit, amount, 0)

    def to_json(self) -> str:
        """Return all that `from_json` needs to go on from here, as canonical JSON; amounts as text."""
        last = self._last
        state = {
            "formula_version": FORMULA_VERSION,
            "parameters": self._parameters.to_json(),
            "last": last and [last.slot, last.tx_index, last.instruction, last.inner],
            "known_to": self._known_to,
            "begun": self._begun and self._begun.to_state(),
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
            return cls._restored(json.loads(text), parameters)
        except (ParametersError, RulebookError):
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
        book._last = Place(*state["last"]) if state["last"] else None
        book._known_to = state["known_to"]
        if state["begun"]:
            book._begun = _Begun.from_state(state["begun"], parameters)
        parameters.require_extends(Parameters.from_json(state["parameters"]), book.epoch)
        return book
