"""Learn what an ended transaction used: its compute units, its fee, its logs.

Nothing waits for this but whoever wants the facts, and no longer than the pace allows: the end is recorded before. Facts
that come later are recorded all the same.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import structlog
import trio

from programs.attempt_log import AttemptLog
from programs.flight import Flight
from programs.in_flight import ReadPace
from programs.outcomes import FactsRow, with_facts
from programs.rpc import Rpc, RpcFailure, TransactionFacts

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class FactFinder:
    """Asks for facts, each lane in places of its own."""

    rpc: Rpc
    attempts: AttemptLog
    pace: ReadPace
    _places: dict[str, trio.CapacityLimiter] = field(init=False)

    def __post_init__(self) -> None:
        """Give a lane its places when it first needs them."""
        self._places = defaultdict(lambda: trio.CapacityLimiter(self.pace().facts_at_once))

    async def learn(self, flight: Flight) -> None:
        """Learn and record a flight's facts if a node has them in time; then let go on whoever waits for its end."""
        facts: TransactionFacts | None = None
        try:
            with trio.move_on_after(self.pace().facts_timeout_s):
                async with self._places[flight.lane]:
                    facts = await self._read(flight)
        finally:
            flight.is_learning = False
        if facts is not None:
            await self._record(flight, facts)
        flight.tell()

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

    async def _record(self, flight: Flight, facts: TransactionFacts) -> None:
        row = FactsRow(
            signature_text=str(flight.signature),
            slot=facts.slot,
            cu_used=facts.cu_used,
            fee_lamports=facts.fee_lamports,
        )
        await self.attempts.record_facts([row])
        # A fork may have moved it meanwhile: then these are the facts of another block.
        known = with_facts(flight.outcome, facts)
        if known is not None:
            flight.outcome, flight.has_facts = known, True
