"""Learn what ended transactions used: their compute units, their fee, their logs.

Nothing waits for this but whoever wants the facts, and no longer than the pace allows: the end is recorded before. Facts
that come later are recorded all the same. Where many of one slot are asked for, its block is read, once for all of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from solders.signature import Signature

from programs.attempt_log import AttemptLog
from programs.flight import Flight
from programs.in_flight import ReadPace
from programs.outcomes import Expired, FactsRow, with_facts
from programs.rpc import Rpc, RpcFailure, TransactionFacts
from programs.units import Slot

BLOCK_LEAST: Final = 16
"""Fewer of one slot are asked for one by one, however empty its block may be: most blocks are not."""
_CALL_IN_ENTRIES: Final = 16
"""Transactions of a block that are read in the time that one call takes. Measured: 0.7 ms a call, 45 microseconds an entry."""
_SIZE_KNOWN_SLOTS: Final = 1_000
"""How long blocks are taken to be as full as the last one that was read."""
_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class FactFinder:
    """Asks for facts, each lane in places of its own."""

    rpc: Rpc
    attempts: AttemptLog
    pace: ReadPace
    _places: dict[str, trio.CapacityLimiter] = field(init=False)
    _block_size: int = field(default=0, init=False)
    """Transactions in the last block that was read, somebody else's too."""
    _block_slot: Slot = field(default=Slot(0), init=False)
    """And its slot."""

    def __post_init__(self) -> None:
        """Give a lane its places when it first needs them."""
        self._places = defaultdict(lambda: trio.CapacityLimiter(self.pace().facts_at_once))

    def take(self, flights: Sequence[Flight]) -> list[list[Flight]]:
        """Divide those of which facts are wanted into what is asked together: each goes to `learn`.

        All of one slot are, if reading its whole block costs less than a call for each of them.
        """
        by_slot: dict[Slot, list[Flight]] = defaultdict(list)
        for flight in flights:
            if flight.lacks_facts and not isinstance(flight.outcome, Expired | None):
                flight.is_learning = True
                flight.facts_tries += 1
                by_slot[flight.outcome.slot].append(flight)
        together: list[list[Flight]] = []
        for slot, of_slot in by_slot.items():
            is_known = slot < self._block_slot + _SIZE_KNOWN_SLOTS
            entries = self._block_size if is_known else 0
            if len(of_slot) >= BLOCK_LEAST and len(of_slot) * _CALL_IN_ENTRIES >= entries:
                together.append(of_slot)
            else:
                together += [[flight] for flight in of_slot]
        return together

    async def learn(self, flights: Sequence[Flight]) -> None:
        """Learn and record facts if a node has them in time; then let go on whoever waits for these ends."""
        unread = list(flights)
        try:
            if len(flights) > 1:
                facts = await self._read_block(flights)
                unread = [flight for flight in flights if flight.signature not in facts]
                read = [flight for flight in flights if flight.signature in facts]
                await self._record([(flight, facts[flight.signature]) for flight in read])
                for flight in read:
                    flight.is_learning = False
                    flight.tell()
            async with trio.open_nursery() as nursery:
                for flight in unread:
                    nursery.start_soon(self._learn_one, flight)
        finally:
            for flight in unread:
                flight.is_learning = False

    async def _learn_one(self, flight: Flight) -> None:
        facts: TransactionFacts | None = None
        with trio.move_on_after(self.pace().facts_timeout_s):
            async with self._places[flight.lane]:
                facts = await self._read(flight)
        if facts is not None:
            await self._record([(flight, facts)])
        flight.is_learning = False
        flight.tell()

    async def _read_block(self, flights: Sequence[Flight]) -> Mapping[Signature, TransactionFacts]:
        """Read the block that holds them; what it does not hold, or cannot be read in time, is asked for one by one."""
        outcome = flights[0].outcome
        assert not isinstance(outcome, Expired | None), "what has no slot is in no block"
        block = None
        try:
            with trio.move_on_after(self.pace().facts_timeout_s):
                block = await self.rpc.get_block(outcome.slot, "confirmed")
        except RpcFailure as failure:
            _log.info("facts.unread", slot=outcome.slot, reason=str(failure))
        if block is None:
            return {}
        self._block_size, self._block_slot = len(block.transactions), block.slot
        wanted = {flight.signature for flight in flights}
        return {
            each.signature: each.facts for each in block.transactions if each.signature in wanted
        }

    async def _read(self, flight: Flight) -> TransactionFacts:
        """Ask until a node has the block we know of: one that lags may not have it yet."""
        while True:
            try:
                facts = await self.rpc.get_transaction(flight.signature)
            except RpcFailure as failure:
                _log.info("facts.unread", signature=str(flight.signature), reason=str(failure))
            else:
                if facts is not None and with_facts(flight.outcome, facts) is not None:
                    return facts
            await trio.sleep(self.pace().poll_interval_s)

    async def _record(self, found: Sequence[tuple[Flight, TransactionFacts]]) -> None:
        rows = [
            FactsRow(
                signature_text=str(flight.signature),
                slot=facts.slot,
                cu_used=facts.cu_used,
                fee_lamports=facts.fee_lamports,
            )
            for flight, facts in found
        ]
        await self.attempts.record_facts(rows)
        for flight, facts in found:
            # A fork may have moved it meanwhile: then these are the facts of another block.
            known = with_facts(flight.outcome, facts)
            if known is not None:
                flight.outcome, flight.has_facts = known, True
